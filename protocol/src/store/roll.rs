//! Rolls (巻): append-only files, four for each seat, whose bytes never change once a commit put them.
//!
//! A roll is written after its commit is durable in the journal and never before, so a roll can be
//! shorter than the journal says, never longer. Entries carry a checksum: what was damaged is not read.

use crate::digest::Digest;
use crate::disk::Disk;
use crate::ledger::leaf::{LEAF_BYTES, Leaf};
use crate::ledger::tree;

use super::name::{self, Kind};
use super::tally::{self, CHECK_BYTES};
use super::{Position, Roll, Seat, StoreError};

/// The length of an entry of [`Roll::Leaves`], in bytes.
pub const LEAF_ENTRY_BYTES: usize = LEAF_BYTES + POSITION_BYTES + CHECK_BYTES;
/// The length of a hash in [`Roll::Nodes`], in bytes.
pub const NODE_BYTES: usize = 32;
/// The longest entry of a roll, in bytes.
pub const ENTRY_BYTES_MAX: usize = 16 << 20;

/// The length of a position's fixed form, in bytes.
pub const POSITION_BYTES: usize = 12;

/// Puts an entry with its checksum behind `out`, which begins at offset `base` of the roll.
///
/// # Errors
/// [`StoreError::TooLong`] above [`ENTRY_BYTES_MAX`].
pub(crate) fn write_entry(
    out: &mut Vec<u8>,
    base: u64,
    seat: Seat,
    roll: Roll,
    bytes: &[u8],
) -> Result<Position, StoreError> {
    let len = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= ENTRY_BYTES_MAX).ok_or(StoreError::TooLong)?;
    let position = Position { offset: base.saturating_add(len_of(out)), len };
    out.extend_from_slice(bytes);
    out.extend_from_slice(&check(seat, roll, position.offset, bytes));
    Ok(position)
}

/// Takes the entry at `at` out of a roll's bytes, its checksum held against it; `None` if damaged.
pub(crate) fn read_entry(stored: &[u8], seat: Seat, roll: Roll, offset: u64) -> Option<&[u8]> {
    let (bytes, sum) = stored.split_at_checked(stored.len().checked_sub(CHECK_BYTES)?)?;
    (check(seat, roll, offset, bytes) == sum).then_some(bytes)
}

/// Reads the entry at `position` from the disk.
///
/// # Errors
/// [`StoreError::Damaged`] if no whole entry stands there.
pub(crate) fn read(disk: &dyn Disk, seat: Seat, roll: Roll, position: Position) -> Result<Vec<u8>, StoreError> {
    let file = name::of(Kind::Roll(seat, roll));
    let len = usize::try_from(position.len).ok().filter(|len| *len <= ENTRY_BYTES_MAX).ok_or(StoreError::TooLong)?;
    let mut stored = disk
        .read(&file, position.offset, len.saturating_add(CHECK_BYTES))
        .map_err(|error| StoreError::of_read(&file, position.offset, error))?;
    read_entry(&stored, seat, roll, position.offset).ok_or_else(|| StoreError::damaged(&file, position.offset))?;
    stored.truncate(len);
    Ok(stored)
}

/// The bytes of a leaf's entry, at offset `offset` of its roll.
pub(crate) fn leaf_entry(seat: Seat, offset: u64, leaf: &[u8], detail: Position) -> Vec<u8> {
    let mut out = Vec::with_capacity(LEAF_ENTRY_BYTES);
    out.extend_from_slice(leaf);
    out.extend_from_slice(&detail.to_bytes());
    let sum = check(seat, Roll::Leaves, offset, &out);
    out.extend_from_slice(&sum);
    out
}

/// Reads a leaf's entry; `None` if it is damaged.
pub(crate) fn parse_leaf_entry(stored: &[u8], seat: Seat, offset: u64) -> Option<(Leaf, Position)> {
    let entry = read_entry(stored, seat, Roll::Leaves, offset)?;
    let (leaf, detail) = entry.split_first_chunk::<LEAF_BYTES>()?;
    let detail = <[u8; POSITION_BYTES]>::try_from(detail).ok()?;
    Some((Leaf::parse(leaf).ok()?, Position::from_bytes(detail)))
}

/// Where leaf `index` has its entry.
pub(crate) fn leaf_offset(index: u64) -> u64 {
    index.saturating_mul(len_u64(LEAF_ENTRY_BYTES))
}

/// How long the roll of nodes is for a tree of `size` leaves.
pub(crate) fn nodes_len(size: u64) -> u64 {
    tree::node_count(size).saturating_mul(len_u64(NODE_BYTES))
}

/// Reads one hash of the tree whose hashes begin at offset `base`.
///
/// # Errors
/// [`StoreError::Damaged`] if the roll ends before it.
pub(crate) fn read_node(disk: &dyn Disk, seat: Seat, base: u64, index: u64) -> Result<Digest, StoreError> {
    let file = name::of(Kind::Roll(seat, Roll::Nodes));
    let at = base.saturating_add(index.saturating_mul(len_u64(NODE_BYTES)));
    let bytes = disk.read(&file, at, NODE_BYTES).map_err(|error| StoreError::of_read(&file, at, error))?;
    let bytes = <[u8; NODE_BYTES]>::try_from(bytes.as_slice()).map_err(|_error| StoreError::damaged(&file, at))?;
    Ok(Digest::from_bytes(bytes))
}

/// The length of `bytes` as an offset.
pub(crate) fn len_of(bytes: &[u8]) -> u64 {
    len_u64(bytes.len())
}

/// A length as an offset.
pub(crate) fn len_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn check(seat: Seat, roll: Roll, offset: u64, bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let place = [seat.number()];
    tally::check(Digest::of_parts(&[b"roll", &place, roll.as_str().as_bytes(), &offset.to_be_bytes(), bytes]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_from_its_twelve_bytes() {
        let position = Position { offset: 0x0102_0304_0506_0708, len: 0x090a_0b0c };
        assert_eq!(position.to_bytes(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(Position::from_bytes(position.to_bytes()), position);
    }

    #[test]
    fn an_entry_is_read_only_from_its_own_place() {
        let mut out = Vec::new();
        let seat = Seat::new(1);
        let first = write_entry(&mut out, 100, seat, Roll::Records, b"one").unwrap();
        assert_eq!(first, Position { offset: 100, len: 3 });
        assert_eq!(read_entry(&out, seat, Roll::Records, 100), Some(&b"one"[..]));
        assert_eq!(read_entry(&out, seat, Roll::Records, 101), None);
        assert_eq!(read_entry(&out, seat, Roll::Details, 100), None);
        assert_eq!(read_entry(&out, Seat::new(2), Roll::Records, 100), None);
    }
}
