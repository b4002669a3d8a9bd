//! Rows read of late (近読): what is asked for again and again is looked up in the index once. Bounded in
//! rows and bytes. Whoever changes a row in the index has it forgotten here.

use std::collections::BTreeMap;

use crate::limits::{RECENT_BYTES_MAX, RECENT_ROWS_MAX};

/// Two generations of rows as the index keeps them, absent ones among them: when the newer is full, the older goes.
#[derive(Default)]
pub(super) struct Recent {
    newer: Rows,
    bytes: usize,
    older: Rows,
}

type Rows = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

impl Recent {
    /// What stood under `key`, if it is remembered.
    pub(super) fn get(&mut self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        if let Some(value) = self.newer.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.older.remove_entry(key)?;
        self.insert(key, value.clone());
        Some(value)
    }

    /// Remembers what stands under `key`.
    pub(super) fn remember(&mut self, key: &[u8], value: &Option<Vec<u8>>) {
        self.insert(key.to_vec(), value.clone());
    }

    /// Forgets what stood under `key`.
    pub(super) fn forget(&mut self, key: &[u8]) {
        if let Some(value) = self.newer.remove(key) {
            self.bytes = self.bytes.saturating_sub(length(key, &value));
        }
        self.older.remove(key);
    }

    fn insert(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let bytes = length(&key, &value);
        let is_full = self.newer.len() >= RECENT_ROWS_MAX || self.bytes.saturating_add(bytes) > RECENT_BYTES_MAX;
        if is_full {
            self.older = core::mem::take(&mut self.newer);
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.newer.insert(key, value);
    }
}

fn length(key: &[u8], value: &Option<Vec<u8>>) -> usize {
    key.len().saturating_add(value.as_ref().map_or(0, Vec::len))
}
