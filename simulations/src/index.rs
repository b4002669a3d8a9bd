//! An index in memory that can be lost, rolled back and robbed of rows, as the real one may be.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::index::{Changes, Index, IndexError, Row};

/// A handle on an index; every clone is the same index, so it outlives the store that uses it.
#[derive(Clone, Debug, Default)]
pub struct FalseIndex {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    position: u64,
    applies_until_failure: Option<u64>,
}

/// What an index was at one moment.
#[derive(Clone, Debug)]
pub struct Moment(State);

impl FalseIndex {
    /// An empty index.
    pub fn new() -> Self {
        Self::default()
    }

    /// Loses everything.
    pub fn lose(&self) {
        *self.state() = State::default();
    }

    /// What it is now, to roll back to.
    pub fn moment(&self) -> Moment {
        Moment(self.state().clone())
    }

    /// Makes it what it was.
    pub fn roll_back(&self, moment: &Moment) {
        *self.state() = moment.0.clone();
    }

    /// Loses row number `number` (from 0, in order) without a word; whether there was one.
    pub fn lose_row(&self, number: usize) -> bool {
        let mut state = self.state();
        let key = state.rows.keys().nth(number).cloned();
        key.is_some_and(|key| state.rows.remove(&key).is_some())
    }

    /// Flips one bit of row number `number`'s value; whether there was one.
    pub fn flip_row(&self, number: usize, bit: usize) -> bool {
        let mut state = self.state();
        let Some(value) = state.rows.values_mut().nth(number) else { return false };
        let len = value.len().max(1);
        let Some(byte) = value.get_mut(bit / 8 % len) else { return false };
        *byte ^= 1 << (bit % 8);
        true
    }

    /// Lets `applies` further calls of `apply` through; the one after fails, as if the process died there.
    pub fn fail_after(&self, applies: Option<u64>) {
        self.state().applies_until_failure = applies;
    }

    /// An index of its own with the same rows.
    pub fn copy(&self) -> Self {
        Self { state: Arc::new(Mutex::new(self.state().clone())) }
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.state().rows.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index for FalseIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        Ok(self.state().rows.get(key).cloned())
    }

    fn range(&self, from: &[u8], to: &[u8], rows_max: usize) -> Result<Vec<Row>, IndexError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let bounds = (core::ops::Bound::Included(from), core::ops::Bound::Excluded(to));
        let state = self.state();
        let rows = state.rows.range::<[u8], _>(bounds).take(rows_max);
        Ok(rows.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn apply(&mut self, changes: &Changes, position: u64) -> Result<(), IndexError> {
        let mut state = self.state();
        match &mut state.applies_until_failure {
            Some(0) => return Err(IndexError("told to fail".to_owned())),
            Some(left) => *left = left.saturating_sub(1),
            None => {}
        }
        for (key, value) in changes {
            match value {
                Some(value) => state.rows.insert(key.clone(), value.clone()),
                None => state.rows.remove(key),
            };
        }
        state.position = position;
        Ok(())
    }

    fn position(&self) -> Result<u64, IndexError> {
        Ok(self.state().position)
    }

    fn clear(&mut self) -> Result<(), IndexError> {
        let mut state = self.state();
        state.rows.clear();
        state.position = 0;
        Ok(())
    }
}
