//! An epoch (時代): how a ledger that lost its end is followed by another, so that nothing is written twice
//! under one name. The first leaf of the new ledger names the last cosigned checkpoint of the old one.
//!
//! Whether an epoch had to be begun is not decided here, nor how many witnesses are enough.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::cbor;
use crate::digest::Digest;
use crate::id::party::PartyId;
use crate::ledger::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use crate::ledger::leaf::{Label, Leaf, LeafKind, Salt};
use crate::primitives::Primitives;

/// The beginning of an epoch, as it travels: everything that shows which ledger the new one follows.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Opening {
    /// The last cosigned checkpoint of the epoch before, a signed note with its cosignatures.
    #[n(0)]
    pub previous: ByteVec,
    /// How many leaves of that epoch its keeper still has; receipts of later ones are to be submitted again.
    #[n(1)]
    pub kept: u64,
    /// Opens the first leaf's commitment to the two fields above.
    #[n(2)]
    pub salt: Salt,
    /// The first leaf.
    #[n(3)]
    pub leaf: ByteVec,
    /// The checkpoint of size 1 of the new ledger, a signed note with its cosignatures.
    #[n(4)]
    pub first: ByteVec,
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
    /// Old and new ledger are of different parties or networks, or the new number is not the next one.
    #[error("the epochs do not follow one another")]
    NotNext,
    /// The first leaf does not name the old checkpoint, or is not the first.
    #[error("the first leaf does not name the epoch before")]
    Leaf,
    /// Another opening of the same epoch is known: two ledgers of one name.
    #[error("a second opening of the same epoch")]
    Forked,
    /// Too few witnesses cosigned old end or new beginning.
    #[error("too few witnesses cosigned the opening")]
    TooFewWitnesses,
    /// Whoever opened it is not a member.
    #[error("not a member")]
    NotAMember,
}

/// What the first leaf commits to, as its *request*: the old checkpoint, and how much of it is kept.
#[derive(Encode)]
struct Content<'a> {
    #[n(0)]
    text: &'a str,
    #[n(1)]
    kept: u64,
}

/// The digest that the first leaf of an epoch commits to as its *request*.
pub fn content(previous: &Checkpoint, kept: u64) -> Digest {
    Digest::of(&cbor::encode(&Content { text: &previous.text(), kept }))
}

impl Opening {
    /// Whose ledger it claims to be, before anything is believed.
    pub fn claimed(&self) -> Option<PartyId> {
        let first = SignedCheckpoint::parse(&self.first).ok()?.claim().ok()?;
        Some(first.origin.party().clone())
    }

    /// Checks that both checkpoints are signed by one of `logs`, are of one party and follow one another, and
    /// that the first leaf names the first of them.
    ///
    /// # Errors
    /// [`OpeningError`], which one says why.
    pub fn check(&self, primitives: &dyn Primitives, logs: &[[u8; 32]]) -> Result<Begun, OpeningError> {
        let (previous, previous_note) = signed(primitives, &self.previous, logs)?;
        let (first, first_note) = signed(primitives, &self.first, logs)?;
        if previous.origin.epoch().checked_add(1) != Some(first.origin.epoch())
            || previous.origin.of_epoch(first.origin.epoch()) != first.origin
        {
            return Err(OpeningError::NotNext);
        }
        let leaf = Leaf::parse(&self.leaf).map_err(|_malformed| OpeningError::Leaf)?;
        let names = leaf.kind() == LeafKind::Epoch
            && leaf.opens(Label::Request, &self.salt, content(&previous, self.kept))
            && (first.size, first.root) == (1, leaf.hash());
        if names {
            Ok(Begun { previous, previous_note, kept: self.kept, first, first_note })
        } else {
            Err(OpeningError::Leaf)
        }
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

    fn opening(next: &str, kept: u64, told: u64) -> Opening {
        let log = Secret::from_bytes([3; 32]);
        let origin = Origin::parse("00112233445566ff/insurer:131235/1").unwrap();
        let previous = Checkpoint { origin, size: 7, root: Digest::of(b"seven") };
        let salts = Salts::random(&mut ChaCha20Rng::from_seed([7; 32]));
        let nothing = Digest::of(&[]);
        let contents =
            Contents { request: content(&previous, kept), answer: nothing, detail: nothing, person: nothing };
        let leaf = Leaf::new(LeafKind::Epoch, Timestamp::from_unix_ms(1), &salts, &contents);
        let first = Checkpoint { origin: Origin::parse(next).unwrap(), size: 1, root: leaf.hash() };
        Opening {
            previous: previous.sign(&Real, &log).as_bytes().to_vec().into(),
            kept: told,
            salt: salts.request,
            leaf: leaf.to_bytes().into(),
            first: first.sign(&Real, &log).as_bytes().to_vec().into(),
        }
    }

    fn check(opening: &Opening, log: u8) -> Result<(u64, u64), OpeningError> {
        let public = Real.signing_public(&Secret::from_bytes([log; 32]));
        opening.check(&Real, &[public]).map(|found| (found.previous.size, found.kept))
    }

    #[test]
    fn an_epoch_begins_with_a_leaf_that_names_the_one_before() {
        let next = "00112233445566ff/insurer:131235/2";
        assert_eq!(check(&opening(next, 5, 5), 3), Ok((7, 5)));
        assert_eq!(check(&opening(next, 5, 6), 3), Err(OpeningError::Leaf));
        let unsigned = OpeningError::Checkpoint(CheckpointError::Unsigned);
        assert_eq!(check(&opening(next, 5, 5), 4), Err(unsigned));
        for other in ["00112233445566ff/insurer:131235/3", "00112233445566ff/insurer:131236/2"] {
            assert_eq!(check(&opening(other, 5, 5), 3), Err(OpeningError::NotNext), "{other}");
        }
    }
}
