//! A look at a store that is not open: whether the persons' keys are there and are those the journal knows. Reads
//! only; mends and cuts nothing.

use std::collections::BTreeMap;

use crate::disk::{Disk, FileName};
use crate::vault::{Label, Vault};

use super::name::{self, Kind};
use super::opening::{Base, Walk, find_end, segments_of};
use super::{StoreError, StoreSecret, snapshot};

/// Whether the key file holds just the keys of the last commit: then the store finds every person's key when it is
/// opened. The journal is read from the newest book on.
///
/// # Errors
/// [`StoreError::KeysMissing`] if there is no key file and there should be; [`StoreError::Damaged`] if it holds others,
/// as one put back from an older copy does, or if the journal cannot be read; those of the disk.
pub fn check_keys(disk: &dyn Disk, secret: &StoreSecret) -> Result<(), StoreError> {
    let files: BTreeMap<FileName, u64> = disk.list().map_err(StoreError::Disk)?.into_iter().collect();
    let book = snapshot::newest(disk, &files, &secret.book)?;
    let base = book.as_ref().map_or_else(|| Ok(Base::start()), snapshot::base_of)?;
    let mut segments = segments_of(&files)?;
    find_end(disk, &mut segments)?;
    let mut walk = Walk::new(segments, base.link);
    let (mut tally, mut forgotten) = (base.state.vault, Vec::new());
    while let Some((link, record)) = walk.next(disk, &secret.journal)? {
        tally = record.after.vault;
        let erased = record.forgotten.iter().map(|who| (link.sequence, who.seat, Label::from_bytes(who.label)));
        forgotten.extend(erased);
    }
    let file = name::of(Kind::Vault);
    let len = files.get(&file).copied();
    if len.is_none() && tally.rows() > 0 {
        return Err(StoreError::KeysMissing);
    }
    let last = walk.link()?.sequence;
    let (mut vault, _dropped) = Vault::read(disk, secret.vault.clone(), len.unwrap_or_default(), last)?;
    for (sequence, seat, label) in &forgotten {
        vault.forget(*sequence, &[(*seat, *label)]);
    }
    if vault.tally() == tally { Ok(()) } else { Err(StoreError::damaged(&file, 0)) }
}
