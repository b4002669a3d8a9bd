//! What one commit is in the journal, and what is true after it.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::digest::Digest;

use super::tally::Tally;
use super::{Roll, Seat, roll};

/// One commit, as its journal record's payload holds it.
#[derive(Encode, Decode)]
pub(super) struct Record {
    #[n(0)]
    pub(super) changes: Vec<Change>,
    #[n(1)]
    pub(super) appends: Vec<Append>,
    #[n(2)]
    pub(super) forgotten: Vec<Forgotten>,
    #[n(3)]
    pub(super) after: State,
}

/// A row of the index and its new value; `None` erases it.
#[derive(Encode, Decode)]
pub(super) struct Change {
    #[n(0)]
    pub(super) key: ByteVec,
    #[n(1)]
    pub(super) value: Option<ByteVec>,
}

/// Bytes of a roll and where they stand. Nodes are not among them: they follow from the leaves.
#[derive(Debug, Encode, Decode)]
pub(super) struct Append {
    #[n(0)]
    pub(super) seat: Seat,
    #[n(1)]
    pub(super) roll: Roll,
    #[n(2)]
    pub(super) offset: u64,
    #[n(3)]
    pub(super) bytes: ByteVec,
}

/// A person whose older keys go.
#[derive(Encode, Decode)]
pub(super) struct Forgotten {
    #[n(0)]
    pub(super) seat: Seat,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub(super) label: [u8; 16],
}

/// What is true after a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct State {
    /// The keys of the vault.
    #[n(0)]
    pub(super) vault: Tally,
    /// The rows of the index.
    #[n(1)]
    pub(super) index: Tally,
    /// Every seat that ever wrote, in order.
    #[n(2)]
    pub(super) seats: Vec<SeatState>,
}

/// One seat's rolls and tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct SeatState {
    #[n(0)]
    pub(super) seat: Seat,
    /// Leaves of the open epoch.
    #[n(1)]
    pub(super) size: u64,
    #[n(2)]
    pub(super) root: Digest,
    /// Bytes of the roll of records.
    #[n(3)]
    pub(super) records: u64,
    /// Bytes of the roll of details.
    #[n(4)]
    pub(super) details: u64,
    /// The open epoch; 0 as long as it is the first, whose number the roster says.
    #[n(5)]
    pub(super) epoch: u32,
    /// Leaves of the epochs before, which stay in the roll.
    #[n(6)]
    pub(super) begins: u64,
    /// Bytes of hashes of the epochs before.
    #[n(7)]
    pub(super) nodes: u64,
}

impl Record {
    /// About how long its encoding is, in bytes.
    pub(super) fn about_bytes(&self) -> usize {
        const EACH: usize = 16;
        let change = |change: &Change| {
            change
                .key
                .len()
                .saturating_add(change.value.as_ref().map_or(EACH, |value| value.len().saturating_add(EACH)))
        };
        let changes: usize = self.changes.iter().map(change).sum();
        let appends: usize = self.appends.iter().map(|append| append.bytes.len().saturating_add(EACH)).sum();
        changes.saturating_add(appends).saturating_add(1024)
    }
}

impl State {
    /// What is true of a seat; of one that never wrote, that it has nothing.
    pub(super) fn seat(&self, seat: Seat) -> SeatState {
        self.seats.iter().find(|state| state.seat == seat).copied().unwrap_or_else(|| SeatState::empty(seat))
    }
}

impl SeatState {
    /// A seat that never wrote.
    pub(super) fn empty(seat: Seat) -> Self {
        Self { seat, size: 0, root: Digest::of(b""), records: 0, details: 0, epoch: 0, begins: 0, nodes: 0 }
    }

    /// The seat after a new epoch was opened, before its first leaf.
    pub(super) fn reopened(self, epoch: u32) -> Self {
        let (begins, nodes) = (self.leaves(), self.len(Roll::Nodes));
        Self { epoch, begins, nodes, size: 0, root: Digest::of(b""), ..self }
    }

    /// Leaves of all epochs.
    pub(super) const fn leaves(&self) -> u64 {
        self.begins.saturating_add(self.size)
    }

    /// How long a roll is, in bytes.
    pub(super) fn len(&self, of: Roll) -> u64 {
        match of {
            Roll::Leaves => roll::leaf_offset(self.leaves()),
            Roll::Nodes => self.nodes.saturating_add(roll::nodes_len(self.size)),
            Roll::Records => self.records,
            Roll::Details => self.details,
        }
    }
}
