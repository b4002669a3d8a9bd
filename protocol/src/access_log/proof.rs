//! What shows a person that their history is whole: each step opens the leaf it is told of and names the one before,
//! and the newest daily leaf, which has counted nearly all that stands before it, has counted no more steps than are shown.
//!
//! Pure: whoever holds the answer and the keeper's leaves can check, without the keeper. That a label is the
//! person's own is the keeper's word, and so is what a step says beside its time and place.

use minicbor::{Decode, Encode};

use crate::access_log::note::Note;
use crate::access_log::{Detail, Step, day};
use crate::batch::Batch;
use crate::cbor;
use crate::digest::Digest;
use crate::ledger::day::{Way, hide};
use crate::ledger::leaf::{Label as Commitment, Leaf, LeafKind, Salt};
use crate::limits;
use crate::message::Access;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::vault::Label;

/// The proof that travels with a history.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Proof {
    /// How many leaves the keeper has before its open epoch.
    #[n(0)]
    pub begins: u64,
    /// The person's label.
    #[n(1)]
    pub label: Label,
    /// One for each access shown, in their order.
    #[n(2)]
    pub steps: Vec<StepShown>,
    /// The newest daily leaf of the open epoch, if there is one.
    #[n(3)]
    pub day: Option<DayShown>,
}

/// A step of the person's chain, with what opens its leaf.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StepShown {
    /// Which of the person's steps.
    #[n(0)]
    pub number: u64,
    /// The hash of the leaf of the one before.
    #[n(1)]
    pub previous: Option<Digest>,
    /// Where that stands.
    #[n(2)]
    pub previous_leaf: Option<u64>,
    /// Opens the leaf's *person*.
    #[n(3)]
    pub salt: Salt,
}

/// What a daily leaf says of one person.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DayShown {
    /// The leaf, through all epochs.
    #[n(0)]
    pub leaf: u64,
    /// Opens its *request*.
    #[n(1)]
    pub salt: Salt,
    /// Every leaf before this one is counted.
    #[n(2)]
    pub covers: u64,
    /// The root of the map.
    #[n(3)]
    pub root: Digest,
    /// The way to the person's label.
    #[n(4)]
    pub way: Way,
    /// Their number; none if they are not in the map.
    #[n(5)]
    pub counted: Option<Counted>,
}

/// A number of the map, opened.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Counted {
    /// How many steps the person had.
    #[n(0)]
    pub number: u64,
    /// What hides it.
    #[n(1)]
    pub salt: Salt,
    /// Where the last of them stands, through all epochs.
    #[n(2)]
    pub leaf: u64,
}

/// What a checked history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// The number of the newest step; 0 if there is none.
    pub newest: u64,
    /// How many steps stand in the open epoch and open their leaves.
    pub opened: usize,
    /// The day held against it. Without one, the newest steps may be withheld.
    pub day: Option<DayHeld>,
}

/// What the newest daily leaf says of a person, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayHeld {
    /// Every leaf before this one is counted, through all epochs.
    pub covers: u64,
    /// When that one was written; the daily leaf itself came [`limits::DAY_COUNTING_MAX`] later at most.
    pub until: Timestamp,
    /// How many steps of the person it counted.
    pub counted: u64,
}

/// What is wrong with a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Gap {
    /// There is no proof, or it cannot be read.
    #[error("the history has no proof that can be read")]
    Unproven,
    /// A step is left out, doubled or out of order.
    #[error("a step beside number {0} is missing")]
    StepMissing(u64),
    /// A step does not open the leaf that it names.
    #[error("step {0} is not what its leaf commits to")]
    OtherLeaf(u64),
    /// The ledger has a newer daily leaf than the one shown, or none like it.
    #[error("the newest daily leaf is not shown")]
    DayWithheld,
    /// The daily leaf does not commit to the map shown.
    #[error("the daily leaf does not commit to what is shown of it")]
    OtherDay,
    /// The first epoch has nothing before it, and the proof says that there is.
    #[error("the proof says that there are leaves before the first epoch")]
    OtherBeginning,
    /// The daily leaf has not counted what stands before it.
    #[error("the daily leaf has counted only the leaves before {0}, and there are older ones it left out")]
    CoversTooLittle(u64),
    /// The daily leaf has counted a step otherwise than it is shown, or not counted it.
    #[error("the daily leaf did not count step {0} as it is shown")]
    NotCounted(u64),
    /// The daily leaf has counted more steps than are shown.
    #[error("the newest steps are withheld: the daily leaf has counted {counted}, shown are {shown}")]
    NewestWithheld {
        /// How many steps the daily leaf has counted.
        counted: u64,
        /// The number of the newest step shown.
        shown: u64,
    },
}

/// Puts the proof of a history together: `steps` with their leaves, newest first, and the newest daily leaf that is
/// among those that `knows` names.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn prove(
    batch: &Batch<'_>,
    label: Label,
    steps: &[(u64, Detail)],
    knows: impl Fn(u64) -> bool,
) -> Result<Proof, StoreError> {
    let shown = |(_leaf, detail): &(u64, Detail)| StepShown {
        number: detail.step.number,
        previous: detail.step.previous,
        previous_leaf: detail.step.previous_leaf,
        salt: detail.salts.person.clone(),
    };
    Ok(Proof {
        begins: batch.epoch_begins(),
        label,
        steps: steps.iter().map(shown).collect(),
        day: day::shown(batch, label, knows)?,
    })
}

/// Checks a history that was answered with leaf `answer` of the keeper's open epoch. `leaf` hands out the leaves of
/// that epoch; that they are those under the keeper's signed head is for the caller to know.
///
/// # Errors
/// [`Gap`], the first that shows.
pub fn check(
    accesses: &[Access],
    proof: Option<&[u8]>,
    answer: u64,
    leaf: &dyn Fn(u64) -> Option<Leaf>,
) -> Result<Whole, Gap> {
    let proof: Proof = proof.and_then(|bytes| cbor::decode(bytes).ok()).ok_or(Gap::Unproven)?;
    if proof.steps.len() != accesses.len() {
        return Err(Gap::Unproven);
    }
    if !may_begin_at(proof.begins, leaf) {
        return Err(Gap::OtherBeginning);
    }
    let newest = proof.steps.first().map_or(0, |step| step.number);
    let opened = check_steps(accesses, &proof, leaf)?;
    let day = check_day(accesses, &proof, answer, leaf)?;
    match day {
        Some(DayHeld { counted, .. }) if counted > newest => Err(Gap::NewestWithheld { counted, shown: newest }),
        day => Ok(Whole { newest, opened, day }),
    }
}

/// Whether an epoch with these leaves may have `begins` leaves before it: the first epoch, which no leaf opens, none.
pub fn may_begin_at(begins: u64, leaf: &dyn Fn(u64) -> Option<Leaf>) -> bool {
    begins == 0 || leaf(0).is_some_and(|first| first.kind() == LeafKind::Epoch)
}

/// When the first leaf was written that a daily leaf need not have counted: `place` of the open epoch is the daily leaf,
/// and that leaf may be the daily leaf itself. None if it is not of this epoch or after the daily leaf, or if it or one
/// between is of a time more than [`limits::DAY_COUNTING_MAX`] from that of the daily leaf.
pub fn covered_until(begins: u64, covers: u64, place: u64, leaf: &dyn Fn(u64) -> Option<Leaf>) -> Option<Timestamp> {
    let first = covers.checked_sub(begins).filter(|first| *first <= place)?;
    let written = leaf(place)?.time();
    let is_near = |at| leaf(at).is_some_and(|own| own.time().distance(written) <= limits::DAY_COUNTING_MAX);
    (first..place).all(is_near).then_some(leaf(first)?.time())
}

impl Counted {
    /// What the map has of it.
    pub fn hidden(&self) -> Digest {
        hide(&self.salt, self.number, self.leaf)
    }
}

/// How many steps open a leaf of the open epoch.
fn check_steps(accesses: &[Access], proof: &Proof, leaf: &dyn Fn(u64) -> Option<Leaf>) -> Result<usize, Gap> {
    let shown: Vec<_> = accesses.iter().zip(&proof.steps).collect();
    let mut opened = 0_usize;
    for (at, (access, step)) in shown.iter().enumerate() {
        let other = || Gap::OtherLeaf(step.number);
        let own = match access.leaf.checked_sub(proof.begins) {
            None => None,
            Some(place) => Some(leaf(place).ok_or_else(other)?),
        };
        if let Some(own) = own {
            let step = Step {
                label: proof.label,
                number: step.number,
                previous: step.previous,
                previous_leaf: step.previous_leaf,
            };
            let content = Digest::of(&cbor::encode(&step));
            let salt = &proof.steps.get(at).ok_or_else(other)?.salt;
            if !own.opens(Commitment::Person, salt, content) || own.time() != access.at {
                return Err(other());
            }
            opened = opened.saturating_add(1);
        }
        let missing = Gap::StepMissing(step.number);
        match shown.get(at.saturating_add(1)) {
            Some((before, its)) => {
                let hash = before.leaf.checked_sub(proof.begins).and_then(leaf).map(|leaf| leaf.hash());
                let follows = its.number.checked_add(1) == Some(step.number)
                    && before.leaf < access.leaf
                    && step.previous_leaf == Some(before.leaf)
                    && hash.is_none_or(|hash| step.previous == Some(hash));
                if !follows {
                    return Err(missing);
                }
            }
            None if step.number != 1 && shown.len() < limits::HISTORY_STEPS_MAX => return Err(missing),
            None => {}
        }
    }
    Ok(opened)
}

/// What the newest daily leaf before the answer says of the person, if there is one.
fn check_day(
    accesses: &[Access],
    proof: &Proof,
    answer: u64,
    leaf: &dyn Fn(u64) -> Option<Leaf>,
) -> Result<Option<DayHeld>, Gap> {
    let is_daily = |place: &u64| leaf(*place).is_some_and(|leaf| leaf.kind() == LeafKind::Daily);
    let newest = (0..answer).rev().find(is_daily);
    let shown = proof.day.as_ref();
    if newest != shown.and_then(|day| day.leaf.checked_sub(proof.begins)) {
        return Err(Gap::DayWithheld);
    }
    let (Some(place), Some(day)) = (newest, shown) else { return Ok(None) };
    let own = leaf(place).ok_or(Gap::DayWithheld)?;
    let note = Note::Day(proof.begins, day.covers, day.root);
    let found = day.way.follow(day.root, proof.label.as_bytes()).ok_or(Gap::OtherDay)?;
    let told = day.counted.as_ref().map(Counted::hidden);
    if !own.opens(Commitment::Request, &day.salt, note.digest()) || found != told {
        return Err(Gap::OtherDay);
    }
    let until = covered_until(proof.begins, day.covers, place, leaf).ok_or(Gap::CoversTooLittle(day.covers))?;
    let counted = day.counted.as_ref().map_or((0, None), |counted| (counted.number, Some(counted.leaf)));
    if counted.1.is_some_and(|last| last >= day.leaf) {
        return Err(Gap::OtherDay);
    }
    for (access, step) in accesses.iter().zip(&proof.steps) {
        // By number and by place it is as far from the last one counted, in the same direction; and nothing that the
        // day covers comes after that.
        let is_placed = counted.1.is_none_or(|last| step.number.cmp(&counted.0) == access.leaf.cmp(&last));
        if !is_placed || (access.leaf < day.covers && step.number > counted.0) {
            return Err(Gap::NotCounted(step.number));
        }
    }
    Ok(Some(DayHeld { covers: day.covers, until, counted: counted.0 }))
}
