//! One commit written: the journal record, synced; behind it rolls and index. What a crash leaves half done is mended
//! from the journal when the store is opened.

use std::collections::BTreeMap;

use super::name::{self, Kind};
use super::nodes::{self, Growth, Memory};
use super::staged::{Staged, StagedKey, StagedSeat};
use super::state::{Append, Change, Forgotten, Record, SeatState, State};
use super::tally::{self, CHECK_BYTES, Tally};

use crate::vault::{Label, SealedKey};

use super::{Roll, Seat, Store, StoreError, checked_row, held, roll, stored_change};

impl Store {
    /// Writes everything staged; returns what it put behind rolls of leaves.
    pub(super) fn write(&mut self, staged: Staged) -> Result<Vec<Append>, StoreError> {
        let sequence = self.sequence().saturating_add(1);
        let ground = staged.ground.filter(|ground| ground.sequence == self.sequence()).ok_or(StoreError::Stale)?;
        let rows = self.rows_after(staged.rows)?;
        let opened: Vec<Seat> =
            staged.seats.iter().filter(|(_seat, part)| part.opens.is_some()).map(|(seat, _part)| *seat).collect();
        let growths = self.growths(&staged.seats)?;
        let (fresh, forgotten) = keys_of(staged.keys);

        let after = State {
            vault: self.vault.tally_after(sequence, &fresh, &forgotten),
            index: rows.tally,
            seats: self.seats_after(&staged.seats, &growths),
        };
        if !fresh.is_empty() {
            self.vault.add(self.disk.as_mut(), sequence, fresh).map_err(StoreError::Fatal)?;
        }
        let record = Record {
            changes: rows.changes,
            appends: self.appends(staged.seats),
            forgotten: forgotten
                .iter()
                .map(|(seat, label)| Forgotten { seat: *seat, label: *label.as_bytes() })
                .collect(),
            after,
        };
        let payload = crate::cbor::encode_about(&record, record.about_bytes());
        self.journal.append(self.disk.as_mut(), &payload, ground.salt).map_err(StoreError::Fatal)?;

        // Durable. From here on everything can be done again from the journal.
        self.write_rolls(&record.appends, &growths)?;
        let changes = record.changes.into_iter().zip(rows.beside).map(|(change, beside)| {
            let (key, value) = stored_change(change, beside.check);
            held::Change { key, value, replaces: beside.replaces }
        });
        self.index.take(changes, sequence).map_err(StoreError::Index)?;
        if !forgotten.is_empty() && self.vault.forget(sequence, &forgotten) {
            self.vault.rewrite(self.disk.as_mut()).map_err(StoreError::Fatal)?;
        }
        self.state = record.after;
        for (seat, growth) in growths {
            let state = self.state.seat(seat);
            if let Some(ledger) = self.ledgers.get_mut(&seat) {
                if opened.contains(&seat) {
                    ledger.reopen(state.epoch, state.nodes);
                }
                ledger.take(growth);
            }
        }
        Ok(record.appends.into_iter().filter(|append| append.roll == Roll::Leaves).collect())
    }

    /// Reads each old row, so that the tally can let go of it.
    fn rows_after(&mut self, staged: BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Result<Rows, StoreError> {
        let mut rows = Rows { changes: Vec::with_capacity(staged.len()), beside: Vec::new(), tally: self.state.index };
        for (key, value) in staged {
            let old = self.index.get(&key).map_err(StoreError::Index)?;
            let old = old.map(|stored| checked_row(&key, stored)).transpose()?.map(|(_old, digest)| digest);
            if let Some(old) = old {
                rows.tally.remove(old);
            }
            let digest = value.as_ref().map(|value| tally::row(&key, value));
            if let Some(digest) = digest {
                rows.tally.add(digest);
            }
            if let Some(scrub) = &mut self.scrub {
                scrub.follow(&key, old, digest);
            }
            let check = digest.map(tally::check).unwrap_or_default();
            rows.beside.push(Beside { check, replaces: old.is_some() });
            rows.changes.push(Change { key: key.into(), value: value.map(Into::into) });
        }
        Ok(rows)
    }

    fn growths(&self, staged: &BTreeMap<Seat, StagedSeat>) -> Result<BTreeMap<Seat, Growth>, StoreError> {
        let mut growths = BTreeMap::new();
        for (seat, part) in staged.iter().filter(|(_seat, part)| !part.hashes.is_empty()) {
            let ledger = self.ledgers.get(seat).ok_or(StoreError::Foreign)?;
            let anew = part.opens.map(|_epoch| Memory::begin(self.roll_len(*seat, Roll::Nodes)));
            let (memory, size) = anew.as_ref().map_or((&ledger.memory, ledger.head.size), |anew| (anew, 0));
            let growth = nodes::grow(self.disk.as_ref(), *seat, memory, size, &part.hashes)?;
            growths.insert(*seat, growth);
        }
        Ok(growths)
    }

    fn seats_after(&self, staged: &BTreeMap<Seat, StagedSeat>, growths: &BTreeMap<Seat, Growth>) -> Vec<SeatState> {
        let mut seats: BTreeMap<Seat, SeatState> = self.state.seats.iter().map(|state| (state.seat, *state)).collect();
        for (seat, part) in staged {
            let state = seats.entry(*seat).or_insert_with(|| SeatState::empty(*seat));
            if let Some(epoch) = part.opens {
                *state = state.reopened(epoch);
            }
            state.records = state.records.saturating_add(roll::len_of(&part.records));
            state.details = state.details.saturating_add(roll::len_of(&part.details));
            if let Some(growth) = growths.get(seat) {
                state.size = growth.size;
                state.root = growth.root;
            }
        }
        seats.into_values().collect()
    }

    fn appends(&self, staged: BTreeMap<Seat, StagedSeat>) -> Vec<Append> {
        let mut appends = Vec::new();
        for (seat, part) in staged {
            let parts = [(Roll::Records, part.records), (Roll::Details, part.details), (Roll::Leaves, part.leaves)];
            for (to, bytes) in parts.into_iter().filter(|(_to, bytes)| !bytes.is_empty()) {
                appends.push(Append { seat, roll: to, offset: self.roll_len(seat, to), bytes: bytes.into() });
            }
        }
        appends
    }

    fn write_rolls(&mut self, appends: &[Append], growths: &BTreeMap<Seat, Growth>) -> Result<(), StoreError> {
        for append in appends {
            self.write_roll(append.seat, append.roll, append.offset, &append.bytes)?;
        }
        for (seat, growth) in growths {
            let offset = self.roll_len(*seat, Roll::Nodes);
            self.write_roll(*seat, Roll::Nodes, offset, &nodes::bytes_of(&growth.nodes))?;
        }
        Ok(())
    }

    fn write_roll(&mut self, seat: Seat, to: Roll, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let file = name::of(Kind::Roll(seat, to));
        let at = self.disk.append(&file, bytes).map_err(StoreError::Fatal)?;
        if at == offset { Ok(()) } else { Err(StoreError::damaged(&file, offset)) }
    }
}

/// A key to be added to the vault.
type FreshKey = (Seat, Label, SealedKey);

/// Rows about to change: as the journal holds them, what is known of each beside, and the tally with them.
struct Rows {
    changes: Vec<Change>,
    beside: Vec<Beside>,
    tally: Tally,
}

/// A changed row's checksum, and whether there was a row before.
struct Beside {
    check: [u8; CHECK_BYTES],
    replaces: bool,
}

/// Keys to add and persons to erase; who gets a new key in place of an old one is in both.
fn keys_of(staged: BTreeMap<(Seat, Label), StagedKey>) -> (Vec<FreshKey>, Vec<(Seat, Label)>) {
    let (mut fresh, mut forgotten) = (Vec::new(), Vec::new());
    for ((seat, label), key) in staged {
        match key {
            StagedKey::Forgotten => forgotten.push((seat, label)),
            StagedKey::Fresh { sealed, replaces, key: _ } => {
                fresh.push((seat, label, sealed));
                if replaces {
                    forgotten.push((seat, label));
                }
            }
        }
    }
    (fresh, forgotten)
}
