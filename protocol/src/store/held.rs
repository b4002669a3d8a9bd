//! Rows held back (控え): what the last commits changed, on its way to the index.
//!
//! The journal has every row already, so the index may lag behind it by rows bounded in number and bytes. A row
//! that comes and goes soon (an open ask, the end of a busy person's chain) then never reaches the index,
//! and the others reach it in large sorted pieces, one after each commit. What was read of late is
//! remembered. What is read is always the newest. After a crash the store applies again what the index
//! missed. Decides nothing of what is kept.

use core::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;

use crate::index::{Changes, Index, IndexError, Row};
use crate::limits::{HELD_BYTES_MAX, HELD_ROWS_MAX, ROWS_PER_APPLY_MAX};

use super::recent::Recent;

/// The index, and in front of it the rows it does not have yet.
pub(super) struct Held {
    index: Box<dyn Index>,
    rows_max: usize,
    /// Still taking rows; complete up to commit `newer_at`.
    newer: BTreeMap<Vec<u8>, Waiting>,
    newer_bytes: usize,
    newer_at: u64,
    /// Being handed to the index, which stands at `older_at` once all of it is there.
    older: Changes,
    older_bytes: usize,
    older_at: u64,
    /// Where the index stands.
    at: u64,
    /// What was read from the index.
    recent: RefCell<Recent>,
}

/// A row's newest value on its way; `None` erases.
struct Waiting {
    value: Option<Vec<u8>>,
    /// Whether the index has, or is being handed, a row under the same key.
    covers: bool,
}

/// A changed row as the index keeps it, and whether there was a row before.
pub(super) struct Change {
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) replaces: bool,
}

impl Held {
    /// Nothing held before an index that stands at commit `at`.
    pub(super) fn new(index: Box<dyn Index>, at: u64) -> Self {
        Self {
            index,
            rows_max: HELD_ROWS_MAX,
            newer: BTreeMap::new(),
            newer_bytes: 0,
            newer_at: at,
            older: Changes::new(),
            older_bytes: 0,
            older_at: at,
            at,
            recent: RefCell::default(),
        }
    }

    /// Holds at most about `rows_max` rows from now on; with 0 every commit goes on at once.
    pub(super) const fn hold(&mut self, rows_max: usize) {
        self.rows_max = rows_max;
    }

    /// The commit up to which the index has everything.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// Takes what commit `sequence` changed, and hands the index its next piece.
    ///
    /// # Errors
    /// Those of the index.
    pub(super) fn take(&mut self, changes: impl Iterator<Item = Change>, sequence: u64) -> Result<(), IndexError> {
        changes.for_each(|change| self.put(change));
        self.newer_at = sequence;
        self.go_on()?;
        while self.at < self.newer_at && self.is_full() {
            self.go_on()?;
        }
        Ok(())
    }

    /// The newest value under `key`.
    ///
    /// # Errors
    /// Those of the index.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        let held = self.newer.get(key).map(|waiting| &waiting.value).or_else(|| self.older.get(key));
        if let Some(value) = held {
            return Ok(value.clone());
        }
        if let Some(value) = self.recent.borrow_mut().get(key) {
            return Ok(value);
        }
        let value = self.index.get(key)?;
        self.recent.borrow_mut().remember(key, &value);
        Ok(value)
    }

    /// The first `rows_max` rows with `from <= key < to`, in order, each with its newest value.
    ///
    /// # Errors
    /// Those of the index.
    pub(super) fn range(&self, from: &[u8], to: &[u8], rows_max: usize) -> Result<Vec<Row>, IndexError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let held = self.held_between(from, to);
        // An erased row takes the place of one that must then be read behind it.
        let erased = held.values().filter(|value| value.is_none()).count();
        let stored = self.index.range(from, to, rows_max.saturating_add(erased))?;
        if held.is_empty() {
            return Ok(stored);
        }
        let mut rows: BTreeMap<&[u8], &[u8]> =
            stored.iter().map(|(key, value)| (key.as_slice(), value.as_slice())).collect();
        for (key, value) in held {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(key),
            };
        }
        Ok(rows.into_iter().take(rows_max).map(|(key, value)| (key.to_vec(), value.to_vec())).collect())
    }

    /// Hands everything on, so that the index stands at the last commit.
    ///
    /// # Errors
    /// Those of the index.
    pub(super) fn settle(&mut self) -> Result<(), IndexError> {
        while self.at < self.newer_at {
            self.turn_over();
            self.piece()?;
        }
        Ok(())
    }

    /// What came and goes before the index heard of it is let go of.
    fn put(&mut self, change: Change) {
        let Change { key, value, replaces } = change;
        let bytes = length(&key, value.as_ref());
        let before = self.newer.remove_entry(&key);
        if let Some((key, waiting)) = &before {
            self.newer_bytes = self.newer_bytes.saturating_sub(length(key, waiting.value.as_ref()));
        }
        let covers = before.map_or(replaces, |(_key, waiting)| waiting.covers);
        if value.is_some() || covers {
            self.newer_bytes = self.newer_bytes.saturating_add(bytes);
            self.newer.insert(key, Waiting { value, covers });
        }
    }

    fn is_full(&self) -> bool {
        self.rows_max == 0
            || self.newer.len().saturating_add(self.older.len()) > self.rows_max.saturating_mul(2)
            || self.newer_bytes.saturating_add(self.older_bytes) > HELD_BYTES_MAX.saturating_mul(2)
    }

    /// One piece, if there is enough to hand on.
    fn go_on(&mut self) -> Result<(), IndexError> {
        if self.newer.len() >= self.rows_max || self.newer_bytes >= HELD_BYTES_MAX {
            self.turn_over();
        }
        if self.at < self.older_at { self.piece() } else { Ok(()) }
    }

    /// Once the index has the older rows, the newer ones are next.
    fn turn_over(&mut self) {
        if self.at == self.older_at {
            let newer = core::mem::take(&mut self.newer);
            self.older = newer.into_iter().map(|(key, waiting)| (key, waiting.value)).collect();
            self.older_at = self.newer_at;
            (self.older_bytes, self.newer_bytes) = (self.newer_bytes, 0);
        }
    }

    fn piece(&mut self) -> Result<(), IndexError> {
        let mut piece = Changes::new();
        while piece.len() < ROWS_PER_APPLY_MAX
            && let Some((key, value)) = self.older.pop_first()
        {
            self.older_bytes = self.older_bytes.saturating_sub(length(&key, value.as_ref()));
            piece.insert(key, value);
        }
        // Only the last piece carries the new position: until then the journal is replayed from the old one.
        let at = if self.older.is_empty() { self.older_at } else { self.at };
        self.index.apply(&piece, at)?;
        self.at = at;
        let recent = self.recent.get_mut();
        piece.keys().for_each(|key| recent.forget(key));
        Ok(())
    }

    fn held_between<'a>(&'a self, from: &'a [u8], to: &'a [u8]) -> BTreeMap<&'a [u8], Option<&'a [u8]>> {
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        let older = self.older.range::<[u8], _>(bounds).map(|(key, value)| (key.as_slice(), value.as_deref()));
        let newer = self.newer.range::<[u8], _>(bounds).map(|(key, row)| (key.as_slice(), row.value.as_deref()));
        older.chain(newer).collect()
    }
}

fn length(key: &[u8], value: Option<&Vec<u8>>) -> usize {
    key.len().saturating_add(value.map_or(0, Vec::len))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;

    use super::*;

    /// An index that also counts the keys it was ever handed.
    #[derive(Clone, Default)]
    struct Rows(Arc<Mutex<(Changes, usize, u64)>>);

    impl Index for Rows {
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
            Ok(self.0.lock().unwrap().0.get(key).cloned().flatten())
        }
        fn range(&self, from: &[u8], to: &[u8], rows_max: usize) -> Result<Vec<Row>, IndexError> {
            let state = self.0.lock().unwrap();
            let rows = state.0.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
            Ok(rows.filter_map(|(key, value)| Some((key.clone(), value.clone()?))).take(rows_max).collect())
        }
        fn apply(&mut self, changes: &Changes, position: u64) -> Result<(), IndexError> {
            let mut state = self.0.lock().unwrap();
            state.1 += changes.len();
            state.2 = position;
            state.0.extend(changes.clone());
            state.0.retain(|_key, value| value.is_some());
            Ok(())
        }
        fn position(&self) -> Result<u64, IndexError> {
            Ok(self.0.lock().unwrap().2)
        }
        fn clear(&mut self) -> Result<(), IndexError> {
            *self.0.lock().unwrap() = Default::default();
            Ok(())
        }
    }

    fn commit(held: &mut Held, key: &[u8], value: Option<&[u8]>, sequence: u64) {
        let replaces = held.get(key).unwrap().is_some();
        let change = Change { key: key.to_vec(), value: value.map(<[u8]>::to_vec), replaces };
        held.take([change].into_iter(), sequence).unwrap();
    }

    #[test]
    fn a_row_that_comes_and_goes_never_reaches_the_index() {
        let index = Rows::default();
        let mut held = Held::new(Box::new(index.clone()), 0);
        commit(&mut held, b"open ask", Some(b"1"), 1);
        commit(&mut held, b"open ask", None, 2);
        held.settle().unwrap();
        let handed = index.0.lock().unwrap().1;
        assert_eq!((handed, index.position(), held.at()), (0, Ok(2), 2));
        assert_eq!(held.get(b"open ask"), Ok(None));
    }

    #[test]
    fn few_long_rows_are_as_many_as_many_short_ones() {
        let index = Rows::default();
        let mut held = Held::new(Box::new(index), 0);
        let long = vec![7; 60 << 10];
        for (number, sequence) in (0..1000_u16).zip(1..) {
            commit(&mut held, &number.to_be_bytes(), Some(&long), sequence);
            let bytes = held.newer_bytes + held.older_bytes;
            assert_eq!(bytes, (held.newer.len() + held.older.len()) * (long.len() + 2));
            assert!(bytes <= 2 * HELD_BYTES_MAX + long.len() + 2);
        }
        assert!(held.at() > 0);
        held.settle().unwrap();
        assert_eq!((held.newer_bytes, held.older_bytes, held.at()), (0, 0, 1000));
    }

    #[test]
    fn a_row_that_the_index_has_is_erased_there() {
        let index = Rows::default();
        let mut held = Held::new(Box::new(index.clone()), 0);
        commit(&mut held, b"row", Some(b"1"), 1);
        held.settle().unwrap();
        commit(&mut held, b"row", Some(b"2"), 2);
        commit(&mut held, b"row", None, 3);
        assert_eq!(held.get(b"row"), Ok(None));
        held.settle().unwrap();
        assert_eq!(index.get(b"row"), Ok(None));
    }

    proptest! {
        #[test]
        fn what_is_read_is_always_what_was_written_last(
            rows_max in 0_usize..6,
            steps in prop::collection::vec((0_u8..8, prop::option::weighted(0.6, any::<u8>()), 0_u8..8), 0..60),
        ) {
            let index = Rows::default();
            let mut held = Held::new(Box::new(index.clone()), 0);
            held.hold(rows_max);
            let mut model = BTreeMap::new();
            for (number, (key, value, asked)) in (1..).zip(steps) {
                commit(&mut held, &[key], value.as_ref().map(core::slice::from_ref), number);
                match value {
                    Some(value) => model.insert(key, value),
                    None => model.remove(&key),
                };
                prop_assert_eq!(held.get(&[asked]).unwrap(), model.get(&asked).map(|value| vec![*value]));
                let all: Vec<Row> = model.iter().map(|(key, value)| (vec![*key], vec![*value])).collect();
                prop_assert_eq!(held.range(&[0], &[9], 99).unwrap(), all);
            }
            held.settle().unwrap();
            let all: Vec<Row> = model.iter().map(|(key, value)| (vec![*key], vec![*value])).collect();
            prop_assert_eq!(index.range(&[0], &[9], 99).unwrap(), all);
        }
    }
}
