//! Rows held back (控え): what the last commits changed, on its way to the index.
//!
//! The journal has every row already, so the index may lag behind it by a bounded number of rows. A row
//! that comes and goes soon (an open ask, the end of a busy person's chain) then never reaches the index,
//! and the others reach it in large sorted pieces, one after each commit. What is read is always the
//! newest. After a crash the store applies again what the index missed. Decides nothing of what is kept.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::index::{Changes, Index, IndexError, Row};
use crate::limits::{HELD_ROWS_MAX, ROWS_PER_APPLY_MAX};

/// The index, and in front of it the rows it does not have yet.
pub(super) struct Held {
    index: Box<dyn Index>,
    rows_max: usize,
    /// Still taking rows; complete up to commit `newer_at`.
    newer: Changes,
    newer_at: u64,
    /// Being handed to the index, which stands at `older_at` once all of it is there.
    older: Changes,
    older_at: u64,
    /// Where the index stands.
    at: u64,
}

impl Held {
    /// Nothing held before an index that stands at commit `at`.
    pub(super) fn new(index: Box<dyn Index>, at: u64) -> Self {
        let (newer, older) = (Changes::new(), Changes::new());
        Self { index, rows_max: HELD_ROWS_MAX, newer, newer_at: at, older, older_at: at, at }
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
        self.newer.extend(changes);
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
        match self.newer.get(key).or_else(|| self.older.get(key)) {
            Some(value) => Ok(value.clone()),
            None => self.index.get(key),
        }
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

    fn is_full(&self) -> bool {
        self.rows_max == 0 || self.newer.len().saturating_add(self.older.len()) > self.rows_max.saturating_mul(2)
    }

    /// One piece, if there is enough to hand on.
    fn go_on(&mut self) -> Result<(), IndexError> {
        if self.newer.len() >= self.rows_max {
            self.turn_over();
        }
        if self.at < self.older_at { self.piece() } else { Ok(()) }
    }

    /// Once the index has the older rows, the newer ones are next.
    fn turn_over(&mut self) {
        if self.at == self.older_at {
            self.older = core::mem::take(&mut self.newer);
            self.older_at = self.newer_at;
        }
    }

    fn piece(&mut self) -> Result<(), IndexError> {
        let mut piece = Changes::new();
        while piece.len() < ROWS_PER_APPLY_MAX
            && let Some((key, value)) = self.older.pop_first()
        {
            piece.insert(key, value);
        }
        // Only the last piece carries the new position: until then the journal is replayed from the old one.
        let at = if self.older.is_empty() { self.older_at } else { self.at };
        self.index.apply(&piece, at)?;
        self.at = at;
        Ok(())
    }

    fn held_between<'a>(&'a self, from: &'a [u8], to: &'a [u8]) -> BTreeMap<&'a [u8], Option<&'a [u8]>> {
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        let both = self.older.range::<[u8], _>(bounds).chain(self.newer.range::<[u8], _>(bounds));
        both.map(|(key, value)| (key.as_slice(), value.as_deref())).collect()
    }
}

/// A key and its new value as the index keeps it; `None` erases.
pub(super) type Change = (Vec<u8>, Option<Vec<u8>>);
