//! What others may see of the heart without stopping it: a few numbers, each on its own. Also how the host's
//! counts become the operator's figures.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use protocol::gate::Condition;
use protocol::host::Drop;
use protocol::machine::Count;
use protocol::time::Steady;
use protocol::verify::Unfit;
use protocol::wall::Reliance;

use crate::telemetry::{AskEnd, DropReason, Memo, Metrics, Outcome};

/// The numbers. Instants are milliseconds of the process's stopwatch.
#[derive(Debug, Default)]
pub struct Vitals {
    condition: AtomicU8,
    reliance: AtomicU8,
    is_turning: AtomicBool,
    turned_ms: AtomicU64,
    no_room: AtomicBool,
    room_bytes: AtomicU64,
    unsettled: Mutex<Option<&'static str>>,
}

const FRESH: u8 = 2;
const DEGRADED: u8 = 1;
const STEPPED: u8 = 1;
const APART: u8 = 2;
const UNCERTAIN: u8 = 3;

impl Vitals {
    /// Since when one turn has been under way, if one is.
    pub fn turning_since(&self) -> Option<Steady> {
        let since = Steady::from_ms(self.turned_ms.load(Ordering::Acquire));
        self.is_turning.load(Ordering::Acquire).then_some(since)
    }

    /// The last sign of life: the beginning or end of a turn.
    pub fn last_beat(&self) -> Steady {
        Steady::from_ms(self.turned_ms.load(Ordering::Acquire))
    }

    /// How far the gate is to be relied on, as of the last look.
    pub fn condition(&self) -> Condition {
        match self.condition.load(Ordering::Acquire) {
            FRESH => Condition::Fresh,
            DEGRADED => Condition::Degraded,
            _ => Condition::Closed,
        }
    }

    /// How far the wall clock is to be relied on, as of the last look.
    pub fn reliance(&self) -> Reliance {
        match self.reliance.load(Ordering::Acquire) {
            0 => Reliance::Sound,
            STEPPED => Reliance::Stepped,
            APART => Reliance::Apart,
            _ => Reliance::Uncertain,
        }
    }

    /// Whether the disk is too full for new work.
    pub fn is_without_room(&self) -> bool {
        self.no_room.load(Ordering::Acquire)
    }

    /// Room on the disk in bytes, as of the last look.
    pub fn room(&self) -> u64 {
        self.room_bytes.load(Ordering::Acquire)
    }

    /// What keeps the ledger from being written, if anything does: the host's word for it.
    pub fn unsettled(&self) -> Option<&'static str> {
        *self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn show_ledger(&self, unsettled: Option<&'static str>) {
        let mut shown = self.unsettled.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown != unsettled {
            tracing::info!(unsettled = unsettled.unwrap_or("nothing"), "whether the ledger may be written");
            *shown = unsettled;
        }
    }

    pub(super) fn begin_turn(&self, now: Steady) {
        self.turned_ms.store(now.ms(), Ordering::Release);
        self.is_turning.store(true, Ordering::Release);
    }

    pub(super) fn end_turn(&self, now: Steady) {
        self.is_turning.store(false, Ordering::Release);
        self.turned_ms.store(now.ms(), Ordering::Release);
    }

    pub(super) fn show_gate(&self, condition: Condition) {
        let number = match condition {
            Condition::Fresh => FRESH,
            Condition::Degraded => DEGRADED,
            Condition::Closed => 0,
        };
        self.condition.store(number, Ordering::Release);
    }

    pub(super) fn show_reliance(&self, reliance: Reliance) {
        let number = match reliance {
            Reliance::Sound => 0,
            Reliance::Stepped => STEPPED,
            Reliance::Apart => APART,
            Reliance::Uncertain => UNCERTAIN,
        };
        if self.reliance.swap(number, Ordering::AcqRel) != number {
            tracing::warn!(?reliance, "the wall clock");
        }
    }

    pub(super) fn show_room(&self, bytes: u64) {
        self.room_bytes.store(bytes, Ordering::Release);
        let is_without = bytes < protocol::limits::ROOM_BYTES_MIN;
        if self.no_room.swap(is_without, Ordering::AcqRel) != is_without {
            tracing::warn!(bytes, is_without, "room on the disk");
        }
    }
}

/// Counts what the host counted.
pub(super) fn count(metrics: &Metrics, count: Count) {
    match count {
        Count::Answered => metrics.count_question(Outcome::Answered),
        Count::Refused(_) => metrics.count_question(Outcome::Refused),
        Count::Repeated => metrics.count_question(Outcome::Repeated),
        Count::RulingRemembered => metrics.count_memo(Memo::Policy, true),
        Count::RulingMade => metrics.count_memo(Memo::Policy, false),
        Count::AskAnswered => metrics.count_ask(AskEnd::Answered),
        Count::AskFailed => metrics.count_ask(AskEnd::Failed),
    }
}

/// The operator's word for why a frame was dropped.
pub(super) const fn reason(reason: Drop) -> DropReason {
    match reason {
        Drop::MalformedFrame | Drop::MalformedEnvelope | Drop::OtherNetwork | Drop::NobodyHere => DropReason::Malformed,
        Drop::NotAdmitted | Drop::TooMuch | Drop::NotBelieved(_) | Drop::NoticeNotBelieved => DropReason::NotAdmitted,
        Drop::UnknownKey | Drop::EncapsulationWornOut | Drop::Unfit(Unfit::DoesNotOpen) => DropReason::DoesNotOpen,
        Drop::Unfit(_) => DropReason::DoesNotVerify,
        Drop::Unasked => DropReason::Stale,
    }
}
