//! What a machine may do while it handles an event: read, and stage what is to be written.
//!
//! A batch gives nothing out: no answer, no action, no receipt. Reads see what earlier events of the
//! same turn staged. A machine names no seat but its own.

use std::collections::BTreeMap;

use rand_core::CryptoRng;

use crate::digest::Digest;
use crate::ledger::checkpoint::SignedCheckpoint;
use crate::ledger::leaf::Leaf;
use crate::ledger::origin::Origin;
use crate::limits::{KEY_BYTES_MAX, ROW_BYTES_MAX};
use crate::primitives::Secret;
use crate::store::staged::{Ground, Staged, StagedKey, StagedSeat};
use crate::store::{Entry, Head, Key, Position, Roll, Seat, Store, StoreError, roll};
use crate::time::Now;
use crate::vault::Label;
use crate::wall::Reliance;

/// One seat's view of the store during one event: what is staged, over what is committed.
pub struct Batch<'a> {
    now: Now,
    reliance: Reliance,
    seat: Seat,
    store: &'a Store,
    staged: &'a mut Staged,
    dice: &'a mut dyn CryptoRng,
}

impl<'a> Batch<'a> {
    /// Opens the view of `seat`. Every batch of a turn stages into the same `staged`.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] for a seat the store does not serve, [`StoreError::Stale`] if something
    /// was committed since the first batch of `staged`.
    pub fn new(
        now: Now,
        seat: Seat,
        store: &'a Store,
        staged: &'a mut Staged,
        dice: &'a mut dyn CryptoRng,
    ) -> Result<Self, StoreError> {
        if !store.serves(seat) {
            return Err(StoreError::Foreign);
        }
        let ground = staged.ground.get_or_insert_with(|| {
            let mut salt = [0; 16];
            dice.fill_bytes(&mut salt);
            Ground { sequence: store.sequence(), salt }
        });
        if ground.sequence != store.sequence() {
            return Err(StoreError::Stale);
        }
        Ok(Self { now, reliance: Reliance::Sound, seat, store, staged, dice })
    }

    /// The same view under a wall clock that is relied on so far and no further.
    pub const fn relying(mut self, reliance: Reliance) -> Self {
        self.reliance = reliance;
        self
    }

    /// How far the wall clock of [`Batch::now`] is to be relied on.
    pub const fn reliance(&self) -> Reliance {
        self.reliance
    }

    /// Both clocks, as read once for this turn.
    pub const fn now(&self) -> Now {
        self.now
    }

    /// Whose view this is.
    pub const fn seat(&self) -> Seat {
        self.seat
    }

    /// Randomness.
    pub fn dice(&mut self) -> &mut dyn CryptoRng {
        self.dice
    }

    /// A key of this seat.
    pub fn key(&self, table: u8, rest: &[u8]) -> Key {
        Key::new(self.seat, table, rest)
    }

    /// The value under `key`, what is staged first.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] for another seat's key; those of the store, which are faults of this node.
    pub fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.own(key)?;
        match self.staged.rows.get(key.as_bytes()) {
            Some(value) => Ok(value.clone()),
            None => self.store.row(key.as_bytes()),
        }
    }

    /// The first `rows_max` rows with `from <= key < to`, in order, what is staged among them.
    ///
    /// # Errors
    /// As [`Batch::get`]. `to` may be any key, but only this seat's rows are returned.
    pub fn range(&self, from: &Key, to: &Key, rows_max: usize) -> Result<Vec<(Key, Vec<u8>)>, StoreError> {
        self.own(from)?;
        if from >= to {
            return Ok(Vec::new());
        }
        let (from, to) = (from.as_bytes(), to.as_bytes());
        let staged =
            || self.staged.rows.range::<[u8], _>((core::ops::Bound::Included(from), core::ops::Bound::Excluded(to)));
        // An erased row takes the place of one that must then be read behind it.
        let erased = staged().filter(|(_key, value)| value.is_none()).count();
        let stored = self.store.rows(from, to, rows_max.saturating_add(erased))?;
        let mut rows: BTreeMap<&[u8], &[u8]> =
            stored.iter().map(|(key, value)| (key.as_slice(), value.as_slice())).collect();
        for (key, value) in staged() {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(key.as_slice()),
            };
        }
        let own = rows.into_iter().take(rows_max).filter(|(key, _value)| key.first() == Some(&self.seat.number()));
        Ok(own.map(|(key, value)| (Key::from_stored(key), value.to_vec())).collect())
    }

    /// Stages a row; `None` erases it.
    ///
    /// # Errors
    /// [`StoreError::TooLong`] above [`ROW_BYTES_MAX`] or [`KEY_BYTES_MAX`], [`StoreError::Foreign`] for
    /// another seat's key.
    pub fn put(&mut self, key: Key, value: Option<Vec<u8>>) -> Result<(), StoreError> {
        self.own(&key)?;
        let value_len = value.as_ref().map_or(0, Vec::len);
        if key.as_bytes().len() > KEY_BYTES_MAX || value_len > ROW_BYTES_MAX {
            return Err(StoreError::TooLong);
        }
        self.staged.rows.insert(key.into_bytes(), value);
        Ok(())
    }

    /// Stages an entry of [`Roll::Records`] or [`Roll::Details`] and returns where it will stand.
    ///
    /// # Errors
    /// [`StoreError::TooLong`] above [`roll::ENTRY_BYTES_MAX`], [`StoreError::Foreign`] for the rolls of the
    /// ledger, which grow by [`Batch::enter`] alone.
    pub fn append(&mut self, to: Roll, bytes: Vec<u8>) -> Result<Position, StoreError> {
        let base = self.store.roll_len(self.seat, to);
        let part = self.staged.seats.entry(self.seat).or_default();
        let out = part.entries_mut(to).ok_or(StoreError::Foreign)?;
        roll::write_entry(out, base, self.seat, to, &bytes)
    }

    /// The entry of [`Roll::Records`] or [`Roll::Details`] at `position`, staged or committed.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if no whole entry stands there, [`StoreError::Foreign`] for other rolls.
    pub fn read(&self, from: Roll, position: Position) -> Result<Vec<u8>, StoreError> {
        if !matches!(from, Roll::Records | Roll::Details) {
            return Err(StoreError::Foreign);
        }
        let base = self.store.roll_len(self.seat, from);
        match position.offset.checked_sub(base) {
            None => self.store.read(self.seat, from, position),
            Some(ahead) => self.read_staged(from, position, ahead).ok_or(StoreError::Unknown),
        }
    }

    /// A person's key; a new one is staged if there is none.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the key does not open.
    pub fn person_key(&mut self, label: Label) -> Result<Secret, StoreError> {
        if let Some(key) = self.known_person_key(label)? {
            return Ok(key);
        }
        let replaces = self.staged.keys.contains_key(&(self.seat, label));
        let (key, sealed) = self.store.vault().fresh(self.seat, label, self.dice);
        self.staged.keys.insert((self.seat, label), StagedKey::Fresh { key: key.clone(), sealed, replaces });
        Ok(key)
    }

    /// A person's key, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the key does not open.
    pub fn known_person_key(&self, label: Label) -> Result<Option<Secret>, StoreError> {
        match self.staged.keys.get(&(self.seat, label)) {
            Some(StagedKey::Fresh { key, .. }) => Ok(Some(key.clone())),
            Some(StagedKey::Forgotten) => Ok(None),
            None => self.vault_key(label),
        }
    }

    /// Erases a person's key, so that what it sealed is never read again.
    pub fn forget(&mut self, label: Label) {
        let name = (self.seat, label);
        if self.store.vault().holds(self.seat, label) {
            self.staged.keys.insert(name, StagedKey::Forgotten);
        } else {
            self.staged.keys.remove(&name);
        }
    }

    /// Stages the next leaf of this seat's ledger, with the detail it commits to.
    ///
    /// # Errors
    /// [`StoreError::TooLong`] if the detail is above [`roll::ENTRY_BYTES_MAX`].
    pub fn enter(&mut self, leaf: &Leaf, detail: Vec<u8>) -> Result<Entry, StoreError> {
        let index = self.ledger_size();
        let detail = self.append(Roll::Details, detail)?;
        let bytes = leaf.to_bytes();
        let entry = roll::leaf_entry(self.seat, roll::leaf_offset(index), &bytes, detail);
        let part = self.staged.seats.entry(self.seat).or_default();
        part.leaves.extend_from_slice(&entry);
        part.hashes.push(crate::ledger::tree::leaf_hash(&bytes));
        Ok(Entry::new(self.seat, index))
    }

    /// Ends the open epoch: the leaves staged from here on are a ledger of their own.
    ///
    /// # Errors
    /// [`StoreError::Stale`] if leaves are staged already: they belong to the epoch before.
    pub fn open_epoch(&mut self, epoch: u32) -> Result<(), StoreError> {
        let part = self.staged.seats.entry(self.seat).or_default();
        if !part.hashes.is_empty() || part.opens.is_some() {
            return Err(StoreError::Stale);
        }
        part.opens = Some(epoch);
        Ok(())
    }

    /// The last signed state of this seat's ledger; nothing staged is in it.
    pub fn head(&self) -> Option<&Head> {
        self.store.head(self.seat)
    }

    /// The name of this seat's ledger, a staged epoch counted.
    pub fn origin(&self) -> Option<Origin> {
        let origin = self.store.origin(self.seat)?;
        let opens = self.staged.seats.get(&self.seat).and_then(|part| part.opens);
        Some(opens.map_or_else(|| origin.clone(), |epoch| origin.of_epoch(epoch)))
    }

    /// How this seat's ledger of `to` leaves follows from the one of `from`; empty for 0 and for sizes it never had.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn consistency(&self, from: u64, to: u64) -> Result<Vec<Digest>, StoreError> {
        self.store.consistency_to(self.seat, from, to)
    }

    /// Whether a note was signed with a log key of this seat, in use or retired, under the ledger it names.
    pub fn is_signed_here(&self, note: &SignedCheckpoint) -> bool {
        self.store.is_signed_here(self.seat, note)
    }

    /// The root this seat's ledger had when it was `size` leaves long.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] for a size it never had, or those of the disk.
    pub fn root_at(&self, size: u64) -> Result<Digest, StoreError> {
        self.store.root_at(self.seat, size)
    }

    /// The place of a leaf of the open epoch, for example of a question answered before.
    pub fn entry(&self, index: u64) -> Option<Entry> {
        (self.epoch_begins()..self.ledger_size()).contains(&index).then(|| Entry::new(self.seat, index))
    }

    /// How many leaves this seat has in all its epochs before the open one.
    pub fn epoch_begins(&self) -> u64 {
        let opens = self.staged.seats.get(&self.seat).is_some_and(|part| part.opens.is_some());
        if opens { self.store.ledger_size(self.seat) } else { self.store.epoch_begins(self.seat) }
    }

    /// How many leaves this seat has in all its epochs, staged ones counted.
    pub fn ledger_size(&self) -> u64 {
        let staged = self.staged.seats.get(&self.seat).map_or(0, |part| part.hashes.len());
        self.store.ledger_size(self.seat).saturating_add(roll::len_u64(staged))
    }

    /// A leaf of this seat's ledger and where its detail stands in [`Roll::Details`].
    ///
    /// # Errors
    /// [`StoreError::Unknown`] if there is no such leaf, [`StoreError::Damaged`] if it cannot be read.
    pub fn leaf(&self, index: u64) -> Result<(Leaf, Position), StoreError> {
        let Some(ahead) = index.checked_sub(self.store.ledger_size(self.seat)) else {
            return self.store.leaf(self.seat, index);
        };
        self.staged_leaf(index, ahead).ok_or(StoreError::Unknown)
    }

    fn vault_key(&self, label: Label) -> Result<Option<Secret>, StoreError> {
        let name = (self.seat, label);
        if let Some(key) = self.staged.opened.borrow().get(&name) {
            return Ok(Some(key.clone()));
        }
        let key = self.store.vault().key(self.seat, label)?;
        if let Some(key) = &key {
            self.staged.opened.borrow_mut().insert(name, key.clone());
        }
        Ok(key)
    }

    fn own(&self, key: &Key) -> Result<(), StoreError> {
        if key.seat() == self.seat { Ok(()) } else { Err(StoreError::Foreign) }
    }

    fn read_staged(&self, from: Roll, position: Position, ahead: u64) -> Option<Vec<u8>> {
        let bytes = self.staged.seats.get(&self.seat)?.entries(from)?;
        let begin = usize::try_from(ahead).ok()?;
        let len = usize::try_from(position.len).ok()?.checked_add(crate::store::tally::CHECK_BYTES)?;
        let stored = bytes.get(begin..begin.checked_add(len)?)?;
        roll::read_entry(stored, self.seat, from, position.offset).map(<[u8]>::to_vec)
    }

    fn staged_leaf(&self, index: u64, ahead: u64) -> Option<(Leaf, Position)> {
        let leaves = self.staged.seats.get(&self.seat)?.leaves.as_chunks::<{ roll::LEAF_ENTRY_BYTES }>().0;
        let stored = leaves.get(usize::try_from(ahead).ok()?)?;
        roll::parse_leaf_entry(stored, self.seat, roll::leaf_offset(index))
    }
}

impl StagedSeat {
    fn entries(&self, of: Roll) -> Option<&Vec<u8>> {
        match of {
            Roll::Records => Some(&self.records),
            Roll::Details => Some(&self.details),
            Roll::Leaves | Roll::Nodes => None,
        }
    }

    fn entries_mut(&mut self, of: Roll) -> Option<&mut Vec<u8>> {
        match of {
            Roll::Records => Some(&mut self.records),
            Roll::Details => Some(&mut self.details),
            Roll::Leaves | Roll::Nodes => None,
        }
    }
}

impl core::fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Batch").field("seat", &self.seat).finish_non_exhaustive()
    }
}
