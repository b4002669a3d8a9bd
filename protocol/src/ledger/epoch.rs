//! An epoch (時代): how a ledger that lost its end is followed by another, so that nothing is written twice
//! under one name. The first leaf of the new ledger names the last cosigned checkpoint of the old one, and every
//! other head that somebody may hold: beginnings that too few cosigned, and what a witness cosigned alone.
//!
//! Whether an epoch had to be begun is not decided here, nor how many witnesses are enough.

use std::collections::BTreeSet;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::cbor;
use crate::digest::Digest;
use crate::id::party::PartyId;
use crate::ledger::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use crate::ledger::leaf::{Label, Leaf, LeafKind, Salt};
use crate::limits;
use crate::primitives::Primitives;

/// The number of every ledger's first epoch.
pub const FIRST: u32 = 1;

/// The beginning of an epoch, as it travels: everything that shows which ledger the new one follows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Opening {
    /// The last cosigned checkpoint of the epochs before, a signed note with its cosignatures.
    #[n(0)]
    pub previous: ByteVec,
    /// How many leaves of that epoch its keeper still has; receipts of later ones are to be submitted again.
    #[n(1)]
    pub kept: u64,
    /// Opens the first leaf's commitment to the two fields above and the last one.
    #[n(2)]
    pub salt: Salt,
    /// The first leaf.
    #[n(3)]
    pub leaf: ByteVec,
    /// The checkpoint of size 1 of the new ledger, a signed note with its cosignatures.
    #[n(4)]
    pub first: ByteVec,
    /// The other heads of the epochs before that its keeper knows, by epoch, size and root; at most
    /// [`limits::OTHER_HEADS_MAX`].
    #[n(5)]
    pub others: Vec<Other>,
}

/// A head of an epoch before that is not the last cosigned one: a witness holds it, or its keeper had it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Other {
    /// The head, a signed note.
    #[n(0)]
    pub note: ByteVec,
    /// How many leaves of that epoch its keeper still has.
    #[n(1)]
    pub kept: u64,
}

/// An opening whose parts hold together and are signed by the ledger's keeper.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The last cosigned checkpoint of the epoch before.
    pub previous: Checkpoint,
    /// The same as its signed note.
    pub previous_note: SignedCheckpoint,
    /// How many leaves of that epoch its keeper still has.
    pub kept: u64,
    /// The checkpoint of size 1 of the new epoch.
    pub first: Checkpoint,
    /// The same as its signed note.
    pub first_note: SignedCheckpoint,
    /// The other heads it names, each with how many leaves of its epoch are kept.
    pub others: Vec<(Checkpoint, u64)>,
}

/// Why an opening does not begin an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    /// Not of the one encoding.
    #[error("the opening of an epoch is malformed")]
    Malformed,
    /// One of the checkpoints is not signed by the ledger's keeper.
    #[error("a checkpoint of the opening: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// Old and new ledger are of different parties or networks, or the new number is not one more than the highest
    /// that is named, or more than [`limits::EPOCH_STEP_MAX`] above the last cosigned head's.
    #[error("the epochs do not follow one another")]
    NotNext,
    /// The first leaf does not name the old checkpoint, or is not the first.
    #[error("the first leaf does not name the epoch before")]
    Leaf,
    /// Another opening of the same epoch is known, and a quorum cosigned this one too: two ledgers of one name, and
    /// evidence against their keeper and those who cosigned both.
    #[error("a second opening of the same epoch")]
    Forked,
    /// Too few witnesses cosigned old end or new beginning.
    #[error("too few witnesses cosigned the opening")]
    TooFewWitnesses,
    /// Whoever opened it is not a member.
    #[error("not a member")]
    NotAMember,
}

/// What the first leaf commits to, as its *request*: the old checkpoint, how much of it is kept, and the same of every
/// other head.
#[derive(Encode)]
struct Content<'a> {
    #[n(0)]
    text: &'a str,
    #[n(1)]
    kept: u64,
    #[n(2)]
    others: Vec<(String, u64)>,
}

/// The digest that the first leaf of an epoch commits to as its *request*.
pub fn content(previous: &Checkpoint, kept: u64, others: &[(Checkpoint, u64)]) -> Digest {
    let others = others.iter().map(|(head, kept)| (head.text(), *kept)).collect();
    Digest::of(&cbor::encode(&Content { text: &previous.text(), kept, others }))
}

/// The order of the other heads in an opening: epoch, size, root.
pub fn order(head: &Checkpoint) -> (u32, u64, Digest) {
    (head.origin.epoch(), head.size, head.root)
}

impl Opening {
    /// Whose ledger it claims to be, before anything is believed.
    pub fn claimed(&self) -> Option<PartyId> {
        let first = SignedCheckpoint::parse(&self.first).ok()?.claim().ok()?;
        Some(first.origin.party().clone())
    }

    /// Whether it names this head among those it follows, before anything is believed.
    pub fn names(&self, head: &SignedCheckpoint) -> bool {
        let notes = core::iter::once(&self.previous).chain(self.others.iter().map(|other| &other.note));
        notes.filter_map(|note| SignedCheckpoint::parse(note).ok()).any(|named| named.text() == head.text())
    }

    /// Checks that all checkpoints are signed by one of `logs`, are of one party and follow one another, and
    /// that the first leaf names those of the epochs before.
    ///
    /// # Errors
    /// [`OpeningError`], which one says why.
    pub fn check(&self, primitives: &dyn Primitives, logs: &[[u8; 32]]) -> Result<Begun, OpeningError> {
        if self.others.len() > limits::OTHER_HEADS_MAX {
            return Err(OpeningError::Malformed);
        }
        let (previous, previous_note) = signed(primitives, &self.previous, logs)?;
        let (first, first_note) = signed(primitives, &self.first, logs)?;
        let mut others = Vec::new();
        for other in &self.others {
            others.push((signed(primitives, &other.note, logs)?.0, other.kept));
        }
        let named = || core::iter::once(&previous).chain(others.iter().map(|(head, _kept)| head));
        let highest = named().map(|head| head.origin.epoch()).max().unwrap_or(0);
        let step = first.origin.epoch().saturating_sub(previous.origin.epoch());
        if highest.checked_add(1) != Some(first.origin.epoch())
            || step > limits::EPOCH_STEP_MAX
            || named().any(|head| head.origin.of_epoch(first.origin.epoch()) != first.origin)
        {
            return Err(OpeningError::NotNext);
        }
        let is_in_order = others.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if order(a) < order(b)));
        if !is_in_order || others.iter().any(|(head, _kept)| *head == previous) {
            return Err(OpeningError::Malformed);
        }
        let leaf = Leaf::parse(&self.leaf).map_err(|_malformed| OpeningError::Leaf)?;
        let names = leaf.kind() == LeafKind::Epoch
            && leaf.opens(Label::Request, &self.salt, content(&previous, self.kept, &others))
            && (first.size, first.root) == (1, leaf.hash());
        if names {
            Ok(Begun { previous, previous_note, kept: self.kept, first, first_note, others })
        } else {
            Err(OpeningError::Leaf)
        }
    }
}

impl Begun {
    /// The epochs before, the newest first, each with how many of its leaves are kept: none of one that is not named.
    /// All that are named, and the newest of the others until [`limits::EPOCHS_BEFORE_MAX`] are told.
    pub fn before(&self) -> Vec<(u32, u64)> {
        let named = || core::iter::once((&self.previous, self.kept)).chain(self.others.iter().map(|(a, b)| (a, *b)));
        let named_epochs: BTreeSet<u32> = named().map(|(head, _kept)| head.origin.epoch()).collect();
        let kept = |epoch: u32| {
            named().filter(|(head, _kept)| head.origin.epoch() == epoch).map(|(_head, kept)| kept).max().unwrap_or(0)
        };
        let lowest = named_epochs.first().copied().unwrap_or(0);
        let gaps = (lowest..self.first.origin.epoch()).rev().filter(|epoch| !named_epochs.contains(epoch));
        let gaps = gaps.take(limits::EPOCHS_BEFORE_MAX.saturating_sub(named_epochs.len()));
        let epochs: BTreeSet<u32> = gaps.chain(named_epochs.iter().copied()).collect();
        let epochs = epochs.into_iter().rev();
        epochs.map(|epoch| (epoch, kept(epoch))).collect()
    }
}

fn signed(
    primitives: &dyn Primitives,
    note: &[u8],
    logs: &[[u8; 32]],
) -> Result<(Checkpoint, SignedCheckpoint), CheckpointError> {
    let signed = SignedCheckpoint::parse(note)?;
    let claimed = signed.claim()?;
    for log in logs {
        match signed.verify(primitives, &claimed.origin, log) {
            Err(CheckpointError::Unsigned) => {}
            Err(error) => return Err(error),
            Ok(checkpoint) => return Ok((checkpoint, signed)),
        }
    }
    Err(CheckpointError::Unsigned)
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::ledger::leaf::{Contents, Salts};
    use crate::ledger::origin::Origin;
    use crate::primitives::{Real, Secret};
    use crate::time::Timestamp;

    fn head(epoch: u32, size: u64, root: &[u8]) -> Checkpoint {
        let origin = Origin::parse("00112233445566ff/insurer:131235/1").unwrap().of_epoch(epoch);
        Checkpoint { origin, size, root: Digest::of(root) }
    }

    fn note(head: &Checkpoint) -> ByteVec {
        head.sign(&Real, &Secret::from_bytes([3; 32])).as_bytes().to_vec().into()
    }

    fn opening(next: &str, kept: u64, others: &[(Checkpoint, u64)]) -> Opening {
        let previous = head(1, 7, b"seven");
        let salts = Salts::random(&mut ChaCha20Rng::from_seed([7; 32]));
        let nothing = Digest::of(&[]);
        let request = content(&previous, kept, others);
        let contents = Contents { request, answer: nothing, detail: nothing, person: nothing };
        let leaf = Leaf::new(LeafKind::Epoch, Timestamp::from_unix_ms(1), &salts, &contents);
        let first = Checkpoint { origin: Origin::parse(next).unwrap(), size: 1, root: leaf.hash() };
        Opening {
            previous: note(&previous),
            kept,
            salt: salts.request,
            leaf: leaf.to_bytes().into(),
            first: note(&first),
            others: others.iter().map(|(head, kept)| Other { note: note(head), kept: *kept }).collect(),
        }
    }

    fn check(opening: &Opening, log: u8) -> Result<(u64, u64), OpeningError> {
        let public = Real.signing_public(&Secret::from_bytes([log; 32]));
        opening.check(&Real, &[public]).map(|found| (found.previous.size, found.kept))
    }

    #[test]
    fn an_epoch_begins_with_a_leaf_that_names_the_one_before() {
        let next = "00112233445566ff/insurer:131235/2";
        assert_eq!(check(&opening(next, 5, &[]), 3), Ok((7, 5)));
        assert_eq!(check(&Opening { kept: 6, ..opening(next, 5, &[]) }, 3), Err(OpeningError::Leaf));
        let unsigned = OpeningError::Checkpoint(CheckpointError::Unsigned);
        assert_eq!(check(&opening(next, 5, &[]), 4), Err(unsigned));
        for other in ["00112233445566ff/insurer:131235/3", "00112233445566ff/insurer:131236/2"] {
            assert_eq!(check(&opening(other, 5, &[]), 3), Err(OpeningError::NotNext), "{other}");
        }
    }

    #[test]
    fn a_beginning_that_too_few_cosigned_is_named_by_the_one_after_it_which_has_the_next_number() {
        let left = [(head(1, 6, b"six"), 5), (head(2, 1, b"left"), 0)];
        let next = "00112233445566ff/insurer:131235/3";
        let named = opening(next, 5, &left);
        assert_eq!(check(&named, 3), Ok((7, 5)));
        for (head, is_named) in [(head(2, 1, b"left"), true), (head(1, 7, b"seven"), true), (head(2, 1, b"a"), false)] {
            let signed = head.sign(&Real, &Secret::from_bytes([3; 32]));
            assert_eq!(named.names(&signed), is_named, "{head:?}");
        }
        let unnamed = Opening { others: Vec::new(), ..named.clone() };
        assert_eq!(check(&unnamed, 3), Err(OpeningError::NotNext), "a number is left out, and nothing says why");
        let mut fewer = named.clone();
        fewer.others.remove(0);
        assert_eq!(check(&fewer, 3), Err(OpeningError::Leaf), "the leaf names them all");
        let mut turned = named;
        turned.others.reverse();
        assert_eq!(check(&turned, 3), Err(OpeningError::Malformed), "one order, one spelling");
    }

    #[test]
    fn of_each_epoch_before_it_is_told_how_much_is_kept() {
        let begun = |next: &str, others: &[(Checkpoint, u64)]| {
            let public = Real.signing_public(&Secret::from_bytes([3; 32]));
            opening(next, 5, others).check(&Real, &[public]).unwrap().before()
        };
        assert_eq!(begun("00112233445566ff/insurer:131235/2", &[]), [(1, 5)]);
        let left = [(head(3, 1, b"left"), 0)];
        assert_eq!(begun("00112233445566ff/insurer:131235/4", &left), [(3, 0), (2, 0), (1, 5)]);
        let far = [(head(64, 1, b"far"), 0)];
        let told = begun("00112233445566ff/insurer:131235/65", &far);
        assert_eq!((told.len(), told[0], told[1]), (limits::EPOCHS_BEFORE_MAX, (64, 0), (63, 0)));
        assert_eq!(told.last(), Some(&(1, 5)), "what is named is told, however many numbers were skipped");
    }

    #[test]
    fn no_opening_leads_to_the_end_of_the_numbers() {
        let public = Real.signing_public(&Secret::from_bytes([3; 32]));
        for number in [65, 4_000_000_000, u32::MAX - 1] {
            let far = [(head(number, 1, b"far"), 0)];
            let next = format!("00112233445566ff/insurer:131235/{}", number + 1);
            assert_eq!(opening(&next, 5, &far).check(&Real, &[public]).unwrap_err(), OpeningError::NotNext);
        }
    }
}
