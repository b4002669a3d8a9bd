//! What a turn wants written, before it is: nothing of it is true until the store commits it.

use core::cell::RefCell;
use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::journal::SALT_BYTES;
use crate::primitives::Secret;
use crate::vault::{Label, SealedKey};

use super::Seat;

/// What the events of one turn want written, of every seat. Made empty, filled through
/// [`crate::batch::Batch`], consumed by [`super::Store::commit`]; dropping it changes nothing.
#[derive(Default)]
pub struct Staged {
    /// The commit it stands on, and the salt of its record; there once the first batch was opened.
    pub(crate) ground: Option<Ground>,
    pub(crate) rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    pub(crate) keys: BTreeMap<(Seat, Label), StagedKey>,
    pub(crate) seats: BTreeMap<Seat, StagedSeat>,
    /// Keys of the vault opened in this turn: its events ask for one person's, and for nobody's, again and again.
    pub(crate) opened: RefCell<BTreeMap<(Seat, Label), Secret>>,
}

/// What a staged commit stands on.
#[derive(Clone, Copy)]
pub(crate) struct Ground {
    pub(crate) sequence: u64,
    pub(crate) salt: [u8; SALT_BYTES],
}

/// What happens to a person's key.
pub(crate) enum StagedKey {
    /// A new one; whether it takes the place of one in the vault.
    Fresh { key: Secret, sealed: SealedKey, replaces: bool },
    /// Erased.
    Forgotten,
}

/// What a seat's rolls get, each as the bytes behind its end.
#[derive(Default)]
pub(crate) struct StagedSeat {
    pub(crate) records: Vec<u8>,
    pub(crate) details: Vec<u8>,
    pub(crate) leaves: Vec<u8>,
    /// The hashes of the leaves.
    pub(crate) hashes: Vec<Digest>,
    /// The epoch these leaves open.
    pub(crate) opens: Option<u32>,
}

impl Staged {
    /// Nothing staged.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether committing it would change nothing.
    pub fn is_empty(&self) -> bool {
        let untouched = |seat: &StagedSeat| {
            seat.records.is_empty() && seat.details.is_empty() && seat.leaves.is_empty() && seat.hashes.is_empty()
        };
        self.rows.is_empty() && self.keys.is_empty() && self.seats.values().all(untouched)
    }
}

impl core::fmt::Debug for Staged {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Staged").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}
