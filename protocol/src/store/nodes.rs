//! The hashes of one seat's tree while it grows: the right edge and the newest hashes in memory, the
//! rest on the disk.
//!
//! The right edge decides the next root, so it is never read back from the disk while the process
//! lives: a bit flipped underneath cannot make it sign a root that forks its own ledger.

use std::collections::{BTreeMap, VecDeque};

use crate::digest::Digest;
use crate::disk::Disk;
use crate::ledger::tree::{self, Nodes};

use super::{Seat, StoreError, roll};

/// The most hashes of a seat kept in memory besides the right edge.
pub(super) const RECENT_NODES_MAX: usize = 65_536;

/// What of a tree's hashes is in memory.
#[derive(Default)]
pub(super) struct Memory {
    edge: BTreeMap<u64, Digest>,
    recent: VecDeque<Digest>,
    /// The number of the hash behind the last recent one.
    end: u64,
    /// Where the tree's hashes begin in the roll: behind those of earlier epochs.
    base: u64,
}

/// A tree's hashes, wherever they are.
pub(super) struct View<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) seat: Seat,
    pub(super) memory: &'a Memory,
    /// Hashes that follow `memory.end` and are in no file yet.
    pub(super) fresh: &'a [Digest],
}

/// Leaves on their way into a tree: what they append, and the tree after them.
pub(super) struct Growth {
    /// Hashes in stored order, from `node_count(old size)` on.
    pub(super) nodes: Vec<Digest>,
    /// Leaves after.
    pub(super) size: u64,
    /// Root after.
    pub(super) root: Digest,
    edge: BTreeMap<u64, Digest>,
}

impl Memory {
    /// The memory of a tree without leaves whose hashes will begin at offset `base` of the roll.
    pub(super) fn begin(base: u64) -> Self {
        Self { base, ..Self::default() }
    }

    /// The memory of a tree of `size` leaves whose hashes are all on the disk, from offset `base` on.
    pub(super) fn load(disk: &dyn Disk, seat: Seat, size: u64, base: u64) -> Result<(Self, Digest), StoreError> {
        let mut memory = Self { end: tree::node_count(size), ..Self::begin(base) };
        let grown = grow(disk, seat, &memory, size, &[])?;
        memory.edge = grown.edge;
        Ok((memory, grown.root))
    }

    /// Takes what [`grow`] made.
    pub(super) fn take(&mut self, growth: Growth) {
        self.edge = growth.edge;
        self.end = self.end.saturating_add(roll::len_u64(growth.nodes.len()));
        self.recent.extend(growth.nodes);
        while self.recent.len() > RECENT_NODES_MAX {
            self.recent.pop_front();
        }
    }

    fn recall(&self, index: u64) -> Option<Digest> {
        if let Some(hash) = self.edge.get(&index) {
            return Some(*hash);
        }
        let back = usize::try_from(self.end.checked_sub(index)?).ok()?;
        self.recent.get(self.recent.len().checked_sub(back)?).copied()
    }
}

impl Nodes for View<'_> {
    type Error = StoreError;

    fn node(&self, index: u64) -> Result<Digest, StoreError> {
        if let Some(ahead) = index.checked_sub(self.memory.end) {
            let fresh = usize::try_from(ahead).ok().and_then(|ahead| self.fresh.get(ahead));
            return fresh.copied().ok_or(StoreError::Unknown);
        }
        self.memory.recall(index).map_or_else(|| roll::read_node(self.disk, self.seat, self.memory.base, index), Ok)
    }
}

/// Appends leaves, given by their hashes, to a tree of `size` leaves.
///
/// # Errors
/// Those of reading hashes.
pub(super) fn grow(
    disk: &dyn Disk,
    seat: Seat,
    memory: &Memory,
    size: u64,
    leaves: &[Digest],
) -> Result<Growth, StoreError> {
    let mut nodes: Vec<Digest> = Vec::with_capacity(leaves.len().saturating_mul(2));
    let mut size = size;
    for leaf in leaves {
        let appended = tree::nodes_of_leaf(size, *leaf, &View { disk, seat, memory, fresh: &nodes })?;
        nodes.extend(appended);
        size = size.saturating_add(1);
    }
    let seen = Seen { nodes: View { disk, seat, memory, fresh: &nodes }, seen: core::cell::RefCell::default() };
    let root = tree::root(size, &seen)?;
    let edge = seen.seen.into_inner();
    Ok(Growth { nodes, size, root, edge })
}

/// Hashes as they stand in a file.
pub(super) fn bytes_of(nodes: &[Digest]) -> Vec<u8> {
    nodes.iter().flat_map(|node| *node.as_bytes()).collect()
}

/// Remembers which hashes a root was made of: they are the right edge.
struct Seen<'a> {
    nodes: View<'a>,
    seen: core::cell::RefCell<BTreeMap<u64, Digest>>,
}

impl Nodes for Seen<'_> {
    type Error = StoreError;

    fn node(&self, index: u64) -> Result<Digest, StoreError> {
        let hash = self.nodes.node(index)?;
        self.seen.borrow_mut().insert(index, hash);
        Ok(hash)
    }
}
