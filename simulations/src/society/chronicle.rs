//! The chronicle (年代記): what insurers are told later than it holds: a decision that reaches back (さかのぼり), one that takes
//! the place of another, a claim that comes late (月遅れ請求) and one that is set right or taken back (過誤). Knows nothing of
//! who may see it.

use protocol::code::record_kind::RecordKind;
use protocol::date::Date;
use protocol::id::person::PersonId;
use protocol::record::version::RecordId;
use protocol::time::{Span, Timestamp};
use rand_core::Rng;
use serde_json::{Value, json};

use crate::oracle::{Told, Truth};
use crate::seed::{below, pick};

/// The kinds of which the oracle tells versions.
const KINDS: [RecordKind; 2] = [RecordKind::CertificationResult, RecordKind::ClaimStatement];
/// The months from January 2025 on of which something is told.
const MONTHS: u64 = 18;
/// How far from when something was told it is asked what was known.
const ASIDE: Span = Span::from_h(1);

/// The day and the instant a question is about, if not today and now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// What held on this day.
    pub on: Option<Date>,
    /// As was known at this instant.
    pub by: Option<Timestamp>,
}

/// What everybody's insurer is told at first of the kinds that the oracle tells versions of.
pub(super) fn beginning(records: &[[u64; 2]]) -> Vec<Told> {
    let all = RecordKind::ALL.into_iter().zip(records).filter(|(kind, _name)| KINDS.contains(kind));
    all.map(|(kind, name)| told(kind, *name, Date::parse("2025-01-01").unwrap_or(Date::MIN))).collect()
}

/// Something more that an insurer is told of somebody.
pub(super) fn go_on(truth: &mut Truth, dice: &mut dyn Rng) -> Option<()> {
    let name = [dice.next_u64(), dice.next_u64()];
    match below(dice, 5) {
        0 | 1 => reach_back(truth, name, dice),
        2 => replace(truth, name),
        3 => claim_late(truth, name, dice),
        _ => set_right(truth, dice),
    }
}

/// What an import says of what was told, but for the first version of each kind.
pub(super) fn items(person: &PersonId, truth: &Truth) -> Vec<Value> {
    let later = truth.told.iter().filter_map(|told| {
        let mut item = super::record(told.kind, person, [0, 0])?;
        let status = match (told.is_cancelled, told.number) {
            (true, _) => "cancelled",
            (false, 1) => "final",
            (false, _) => "amended",
        };
        let text = |id: RecordId| id.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for (field, value) in [
            ("id", json!(text(told.id))),
            ("number", json!(told.number)),
            ("status", json!(status)),
            ("valid_from", json!(told.from.to_string())),
            ("valid_to", json!(told.to.map(|last| last.to_string()))),
            ("supersedes", json!(told.replaces.map(text))),
        ] {
            *item.get_mut(field)? = value;
        }
        Some(item)
    });
    later.collect()
}

/// A kind, a day and an instant to ask about: often those near to which something of the person changed.
pub(super) fn look_back(truth: &Truth, now: Timestamp, dice: &mut dyn Rng) -> Option<(RecordKind, Past)> {
    let kind = *pick(dice, &KINDS)?;
    let on = (below(dice, 4) > 0).then(|| below(dice, MONTHS.saturating_add(2)));
    // From a month before everything to a month behind it.
    let on = on.and_then(|month| Date::parse("2024-12-15")?.plus_months(u32::try_from(month).ok()?));
    let marks: Vec<_> = truth.told.iter().filter_map(|told| told.since_ms).collect();
    let mark = pick(dice, &marks).map(|since| Timestamp::from_unix_ms(*since));
    let by = match below(dice, 3) {
        0 => None,
        1 => mark.map(|mark| Timestamp::from_unix_ms(mark.unix_ms().saturating_sub(ASIDE.ms()))),
        _ => mark.map(|mark| mark.plus(ASIDE)),
    };
    Some((kind, Past { on, by: by.filter(|by| *by < now) }))
}

/// The level changed some months ago: the certification that is open ends, and another begins.
fn reach_back(truth: &mut Truth, name: [u64; 2], dice: &mut dyn Rng) -> Option<()> {
    let open = newest(truth, RecordKind::CertificationResult).into_iter().find(|told| told.to.is_none())?;
    let from = open.from.plus_months(u32::try_from(below(dice, 4)).ok()?.saturating_add(1))?;
    // Everything that ends has ended before these worlds begin.
    if from > Date::parse("2026-06-30")? {
        return None;
    }
    let number = open.number.saturating_add(1);
    truth.told.push(Told { number, to: Some(from.previous_day()?), since_ms: None, ..open });
    truth.told.push(told(RecordKind::CertificationResult, name, from));
    Some(())
}

/// The certification that is open is replaced whole.
fn replace(truth: &mut Truth, name: [u64; 2]) -> Option<()> {
    let open = newest(truth, RecordKind::CertificationResult).into_iter().find(|told| told.to.is_none())?;
    let another = told(RecordKind::CertificationResult, name, open.from);
    truth.told.push(Told { replaces: Some(open.id), ..another });
    Some(())
}

/// A claim for a month that is long over.
fn claim_late(truth: &mut Truth, name: [u64; 2], dice: &mut dyn Rng) -> Option<()> {
    let from = Date::parse("2025-01-01")?.plus_months(u32::try_from(below(dice, MONTHS)).ok()?)?;
    truth.told.push(Told { to: Some(from.month_end()), ..told(RecordKind::ClaimStatement, name, from) });
    Some(())
}

/// A claim is set right, or taken back.
fn set_right(truth: &mut Truth, dice: &mut dyn Rng) -> Option<()> {
    let claims = newest(truth, RecordKind::ClaimStatement);
    let claim = pick(dice, &claims)?.clone();
    let (number, is_cancelled) = (claim.number.saturating_add(1), below(dice, 2) == 0);
    truth.told.push(Told { number, is_cancelled, since_ms: None, ..claim });
    Some(())
}

/// The newest version of each record of a kind that is not taken back or replaced.
fn newest(truth: &Truth, kind: RecordKind) -> Vec<Told> {
    let of_kind = || truth.told.iter().filter(|told| told.kind == kind);
    let is_last = |told: &&Told| !of_kind().any(|other| other.id == told.id && other.number > told.number);
    let is_over = |told: &&Told| told.is_cancelled || of_kind().any(|other| other.replaces == Some(told.id));
    of_kind().filter(is_last).filter(|told| !is_over(told)).cloned().collect()
}

fn told(kind: RecordKind, [high, low]: [u64; 2], from: Date) -> Told {
    let id = RecordId::from_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes());
    Told { kind, id, number: 1, from, to: None, is_cancelled: false, replaces: None, since_ms: None }
}
