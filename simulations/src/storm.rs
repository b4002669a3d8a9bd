//! The storm (嵐): what befalls frames on their way, by the shares of a scenario and the dice of a seed, counted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::time::Span;
use rand_core::Rng;

use crate::passage::{Delivery, Passage, Tamper};
use crate::scenario::{Faults, Share};
use crate::seed::{below, stream};

/// How often each fault was injected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Injected {
    /// Frames lost.
    pub dropped: u64,
    /// Frames late.
    pub delayed: u64,
    /// Frames that came twice.
    pub duplicated: u64,
    /// Frames with a flipped bit.
    pub corrupted: u64,
    /// Hosts that lost their power.
    pub crashed: u64,
    /// Frames lost as one side could not reach the other.
    pub cut_off: u64,
    /// Hosts that were shut down and started again.
    pub stopped: u64,
    /// Clocks that were set wrong.
    pub misset: u64,
    /// Clocks that began to run too fast or too slow.
    pub drifted: u64,
    /// Processes that stood still.
    pub paused: u64,
    /// Hosts that were started from an old backup.
    pub set_back: u64,
    /// Organisations whose credential was revoked.
    pub revoked: u64,
    /// Frames of somebody else that were sent again.
    pub replayed: u64,
    /// Frames made of pieces of others.
    pub forged: u64,
    /// Frames in which an organisation asked for more than it may.
    pub flooded: u64,
    /// Other histories that were shown to a witness under a stolen key.
    pub forked: u64,
    /// Requests that were sent under a stolen key.
    pub stolen: u64,
    /// Credentials beyond their issuer's limits that were shown.
    pub intruded: u64,
    /// Pseudonymisers that began to evaluate with another key.
    pub misevaluated: u64,
    /// Files in which somebody changed something.
    pub edited: u64,
    /// Entries of the directory that were exchanged.
    pub swapped: u64,
    /// Processes that ended as their disk was full.
    pub filled: u64,
    /// Hosts that were started without their index.
    pub unindexed: u64,
    /// Files in which a bit flipped.
    pub rotted: u64,
}

/// The counts of a storm that is under way.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<Mutex<Injected>>);

impl Count {
    /// What was injected so far.
    pub fn injected(&self) -> Injected {
        *self.lock()
    }

    /// One more of these.
    pub fn add(&self, which: fn(&mut Injected) -> &mut u64) {
        let mut injected = self.lock();
        let count = which(&mut injected);
        *count = count.saturating_add(1);
    }

    fn lock(&self) -> MutexGuard<'_, Injected> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Injected {
    /// All of them, each with its name in Japanese.
    pub const fn named(&self) -> [(&'static str, &'static str, u64); 24] {
        [
            ("dropped", "紛失", self.dropped),
            ("delayed", "遅延", self.delayed),
            ("duplicated", "重複", self.duplicated),
            ("corrupted", "破損", self.corrupted),
            ("crashed", "停電", self.crashed),
            ("cut_off", "不通", self.cut_off),
            ("stopped", "停止", self.stopped),
            ("misset", "時計", self.misset),
            ("drifted", "時計の進み遅れ", self.drifted),
            ("paused", "一時停止", self.paused),
            ("set_back", "巻戻し", self.set_back),
            ("revoked", "失効", self.revoked),
            ("replayed", "再送", self.replayed),
            ("forged", "偽造", self.forged),
            ("flooded", "殺到", self.flooded),
            ("forked", "分岐", self.forked),
            ("stolen", "盗難鍵", self.stolen),
            ("intruded", "越権証明", self.intruded),
            ("misevaluated", "誤評価", self.misevaluated),
            ("edited", "改ざん", self.edited),
            ("swapped", "すり替え", self.swapped),
            ("filled", "容量不足", self.filled),
            ("unindexed", "索引喪失", self.unindexed),
            ("rotted", "ビット化け", self.rotted),
        ]
    }

    /// How many.
    pub fn total(&self) -> u64 {
        self.named().iter().map(|(_name, _japanese, count)| count).sum()
    }
}

/// What befalls each frame, under one seed.
pub fn over_the_wire(seed: u64, faults: &Faults, count: &Count) -> Tamper {
    let mut dice = stream(seed, "storm");
    let per_million = |share: &Option<toml::Spanned<Share>>| {
        share.as_ref().map_or(Share::NONE, |share| *share.get_ref()).per_million()
    };
    let drop_below = per_million(&faults.drop);
    let delay_below = drop_below.saturating_add(per_million(&faults.delay));
    let duplicate_below = delay_below.saturating_add(per_million(&faults.duplicate));
    let corrupt_below = duplicate_below.saturating_add(per_million(&faults.corrupt));
    let delay_max_ms = faults.delay_max_ms.as_ref().map_or(0, |most| *most.get_ref());
    let count = count.clone();
    Box::new(move |passage: &Passage| {
        let mut injected = count.lock();
        let whole = Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() };
        let cast = below(&mut dice, 1_000_000);
        if cast < drop_below {
            injected.dropped = injected.dropped.saturating_add(1);
            return Vec::new();
        }
        if cast < delay_below {
            injected.delayed = injected.delayed.saturating_add(1);
            return vec![Delivery { delay: Span::from_ms(late(&mut dice, delay_max_ms)), ..whole }];
        }
        if cast < duplicate_below {
            injected.duplicated = injected.duplicated.saturating_add(1);
            return vec![whole.clone(), whole];
        }
        if cast < corrupt_below {
            injected.corrupted = injected.corrupted.saturating_add(1);
            return vec![Delivery { bytes: flipped(passage.bytes.clone(), &mut dice), ..whole }];
        }
        vec![whole]
    })
}

/// Mostly short, seldom long: the tail of real lines is heavy.
fn late(dice: &mut dyn Rng, most_ms: u64) -> u64 {
    let scale = below(dice, most_ms).saturating_add(1);
    below(dice, scale).saturating_add(1)
}

fn flipped(bytes: Vec<u8>, dice: &mut dyn Rng) -> Vec<u8> {
    let mut bytes = bytes;
    let at = below(dice, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    let bit = 1_u8 << below(dice, 8);
    if let Some(byte) = usize::try_from(at).ok().and_then(|at| bytes.get_mut(at)) {
        *byte ^= bit;
    }
    bytes
}
