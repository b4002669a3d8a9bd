//! The key file (鍵庫): one random key for each person, and the only thing that is rewritten.
//!
//! Destroying a key is how a person is forgotten: everything sealed under it stays where it is and can
//! never be read again. A key is durable before the commit that first uses it. The file stays out of
//! ordinary backups. Never holds a key in clear.

use std::collections::BTreeMap;

use rand_core::CryptoRng;

use crate::digest::Digest;
use crate::disk::{Disk, DiskError};
use crate::primitives::{self, STORED_EXTRA_BYTES, Secret};
use crate::store::name::{self, Kind};
use crate::store::tally::{self, CHECK_BYTES, Tally};
use crate::store::{Seat, StoreError};

/// The hidden name of a person within a seat; made elsewhere, from what is not guessable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label([u8; LABEL_BYTES]);

/// A person's key, sealed under the vault's.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey([u8; SEALED_BYTES]);

/// Every person's key, sealed, in memory as on the disk.
pub struct Vault {
    secret: Secret,
    /// By seat, label and the commit that made it; only the last of a label counts.
    keys: BTreeMap<(Seat, Label, u64), SealedKey>,
    tally: Tally,
}

const LABEL_BYTES: usize = 16;
const SEALED_BYTES: usize = 32 + STORED_EXTRA_BYTES;
/// Seat, label, commit, sealed key, checksum.
const ENTRY_BYTES: usize = 1 + LABEL_BYTES + 8 + SEALED_BYTES + CHECK_BYTES;

impl Label {
    /// Nobody's: what a seat keeps sealed that is about no known person.
    pub const GENERAL: Self = Self([0; LABEL_BYTES]);

    /// Nobody's either: what a seat has asked and is not answered yet.
    pub const ASKS: Self = Self([1; LABEL_BYTES]);

    /// Takes 16 bytes for a label.
    pub const fn from_bytes(bytes: [u8; LABEL_BYTES]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; LABEL_BYTES] {
        &self.0
    }
}

impl<C> minicbor::Encode<C> for Label {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Label {
    fn decode(d: &mut minicbor::Decoder<'b>, _ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bytes = d.bytes()?.try_into();
        bytes.map(Self).map_err(|_error| minicbor::decode::Error::message("not a label"))
    }
}

impl core::fmt::Debug for Label {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Vault {
    /// A fresh key and its sealed form.
    pub fn fresh(&self, seat: Seat, label: Label, dice: &mut dyn CryptoRng) -> (Secret, SealedKey) {
        let key = Secret::random(dice);
        let sealed = primitives::seal_stored(&self.secret, &aad(seat, label), key.expose(), dice);
        let mut bytes = [0; SEALED_BYTES];
        bytes.iter_mut().zip(sealed).for_each(|(slot, byte)| *slot = byte);
        (key, SealedKey(bytes))
    }

    /// The key of a person, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it does not open.
    pub fn key(&self, seat: Seat, label: Label) -> Result<Option<Secret>, StoreError> {
        let Some((_name, sealed)) = self.keys.range((seat, label, 0)..=(seat, label, u64::MAX)).next_back() else {
            return Ok(None);
        };
        let opened = primitives::open_stored(&self.secret, &aad(seat, label), &sealed.0).ok();
        let bytes = opened.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
        bytes.map(|bytes| Some(Secret::from_bytes(bytes))).ok_or_else(damaged)
    }

    /// Whether there is a key of this person.
    pub fn holds(&self, seat: Seat, label: Label) -> bool {
        self.keys.range((seat, label, 0)..=(seat, label, u64::MAX)).next().is_some()
    }

    /// What is in the vault, to be written into each journal record.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// The tally after commit `sequence` adds `fresh` and erases what is older under `forgotten`.
    pub fn tally_after(&self, sequence: u64, fresh: &[(Seat, Label, SealedKey)], forgotten: &[(Seat, Label)]) -> Tally {
        let mut tally = self.tally;
        for (seat, label) in forgotten {
            for (name, key) in self.keys.range((*seat, *label, 0)..(*seat, *label, sequence)) {
                tally.remove(digest(name, key));
            }
        }
        for (seat, label, key) in fresh {
            tally.add(digest(&(*seat, *label, sequence), key));
        }
        tally
    }

    /// Adds keys, durably.
    ///
    /// # Errors
    /// Those of the disk; the caller stops and opens again.
    pub fn add(
        &mut self,
        disk: &mut dyn Disk,
        sequence: u64,
        fresh: Vec<(Seat, Label, SealedKey)>,
    ) -> Result<(), DiskError> {
        let mut bytes = Vec::with_capacity(fresh.len().saturating_mul(ENTRY_BYTES));
        for (seat, label, key) in fresh {
            let name = (seat, label, sequence);
            write_entry(&mut bytes, &name, &key);
            self.tally.add(digest(&name, &key));
            self.keys.insert(name, key);
        }
        let file = name::of(Kind::Vault);
        disk.append(&file, &bytes)?;
        disk.sync(&file)
    }

    /// Erases what is older than commit `sequence` under `forgotten`, in memory; returns whether
    /// anything was there. [`Vault::rewrite`] makes it so on the disk.
    pub fn forget(&mut self, sequence: u64, forgotten: &[(Seat, Label)]) -> bool {
        let mut erased = false;
        for (seat, label) in forgotten {
            while let Some((name, key)) = self.keys.range((*seat, *label, 0)..(*seat, *label, sequence)).next() {
                let name = *name;
                self.tally.remove(digest(&name, key));
                self.keys.remove(&name);
                erased = true;
            }
        }
        erased
    }

    /// Writes the file anew with just what is in memory.
    ///
    /// # Errors
    /// Those of the disk; the caller stops and opens again.
    pub fn rewrite(&self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        let draft = name::of(Kind::VaultDraft);
        disk.remove(&draft)?;
        let mut bytes = Vec::with_capacity(self.keys.len().saturating_mul(ENTRY_BYTES));
        for (name, key) in &self.keys {
            write_entry(&mut bytes, name, key);
        }
        disk.append(&draft, &bytes)?;
        disk.publish(&draft, &name::of(Kind::Vault))
    }

    /// Reads the file of `len` bytes. `last` is the last commit of the journal: what a later one left
    /// was never acknowledged and is dropped, as is whatever cannot be read; the second value says
    /// whether there was such. The caller holds the tally against the journal's, which shows whether
    /// anything acknowledged is missing.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn read(disk: &dyn Disk, secret: Secret, len: u64, last: u64) -> Result<(Self, bool), StoreError> {
        let mut vault = Self { secret, keys: BTreeMap::new(), tally: Tally::default() };
        if len == 0 {
            return Ok((vault, false));
        }
        let wanted = usize::try_from(len).map_err(|_error| damaged())?;
        let bytes = disk.read(&name::of(Kind::Vault), 0, wanted).map_err(StoreError::Disk)?;
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        let mut dropped = !rest.is_empty();
        for entry in entries {
            match read_entry(entry).filter(|(name, _key)| name.2 <= last) {
                Some((name, key)) => {
                    let row = digest(&name, &key);
                    if vault.keys.insert(name, key).is_none() {
                        vault.tally.add(row);
                    }
                }
                None => dropped = true,
            }
        }
        Ok((vault, dropped))
    }
}

impl core::fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl core::fmt::Debug for Vault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Vault").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

fn damaged() -> StoreError {
    StoreError::damaged(&name::of(Kind::Vault), 0)
}

fn aad(seat: Seat, label: Label) -> [u8; 1 + LABEL_BYTES] {
    let mut out = [seat.number(); 1 + LABEL_BYTES];
    out.iter_mut().skip(1).zip(label.0).for_each(|(slot, byte)| *slot = byte);
    out
}

fn digest(name: &(Seat, Label, u64), key: &SealedKey) -> Digest {
    Digest::of_parts(&[b"key", &aad(name.0, name.1), &name.2.to_be_bytes(), &key.0])
}

fn write_entry(out: &mut Vec<u8>, name: &(Seat, Label, u64), key: &SealedKey) {
    out.extend_from_slice(&aad(name.0, name.1));
    out.extend_from_slice(&name.2.to_be_bytes());
    out.extend_from_slice(&key.0);
    out.extend_from_slice(&tally::check(digest(name, key)));
}

fn read_entry(entry: &[u8; ENTRY_BYTES]) -> Option<((Seat, Label, u64), SealedKey)> {
    let (seat, rest) = entry.split_first()?;
    let (label, rest) = rest.split_first_chunk::<LABEL_BYTES>()?;
    let (sequence, rest) = rest.split_first_chunk::<8>()?;
    let (sealed, check) = rest.split_first_chunk::<SEALED_BYTES>()?;
    let name = (Seat::new(*seat), Label(*label), u64::from_be_bytes(*sequence));
    let key = SealedKey(*sealed);
    (tally::check(digest(&name, &key)) == check).then_some((name, key))
}
