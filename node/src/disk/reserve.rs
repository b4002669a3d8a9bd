//! The reserve (予備): room set aside beside the store for the moment when something else has filled the file
//! system. Given up then, it lets a store apply its last commit, open, and tell those who ask that there is no room.
//! Holds nothing, and nothing reads it.

use std::fs::OpenOptions;
use std::io::Error;
use std::path::Path;

use rustix::fs::FallocateFlags;

/// How much a node sets aside, in bytes: more than the longest import and all that is made of it.
pub const RESERVE_BYTES: u64 = 16 << 20;
/// Its name in the data folder.
const FILE: &str = "reserve";

/// What became of the reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// It is there.
    Kept,
    /// There was little room, and it was given up or had been before.
    GivenUp,
}

/// Before a store is opened: gives up the reserve in `folder` if less than `bytes` are free; makes it if there is
/// twice as much, so that it is not itself what fills the file system.
///
/// # Errors
/// What the file system says. Without a reserve a store works as well, until there is no room.
pub fn prepare(folder: &Path, bytes: u64) -> Result<Reserve, Error> {
    let path = folder.join(FILE);
    let is_there = path.metadata().is_ok_and(|facts| facts.len() >= bytes);
    let free = room(folder)?;
    if free < bytes {
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
        return Ok(Reserve::GivenUp);
    }
    if is_there {
        return Ok(Reserve::Kept);
    }
    if free < bytes.saturating_mul(2) {
        return Ok(Reserve::GivenUp);
    }
    let file = OpenOptions::new().create(true).write(true).truncate(true).open(&path)?;
    rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes)?;
    Ok(Reserve::Kept)
}

/// How much is free where `folder` lies, in bytes.
///
/// # Errors
/// What the file system says.
pub fn room(folder: &Path) -> Result<u64, Error> {
    let facts = rustix::fs::statvfs(folder)?;
    Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
}
