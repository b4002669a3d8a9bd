//! Notes (書き留め): what the keeper of a ledger writes into it of its own accord, about nobody: the map of each day,
//! the roster it acts under, the credentials it issued. The leaf's *request* commits to the note, and the note stays
//! to be read, so that an auditor can open the leaf.
//!
//! Never about a person.

use minicbor::{Decode, Encode};

use crate::access_log::{self, Decision};
use crate::batch::Batch;
use crate::cbor;
use crate::code::field_group::FieldGroups;
use crate::code::job::Job;
use crate::code::purpose::Purpose;
use crate::digest::Digest;
use crate::gate::Gate;
use crate::id::party::PartyId;
use crate::key::KeyId;
use crate::ledger::leaf::{LeafKind, Salt};
use crate::store::{Entry, Key, StoreError};
use crate::table;
use crate::time::Timestamp;
use crate::vault::Label;

/// What is noted.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Note {
    /// The map of a day: how many leaves the keeper has before its open epoch, how many, through all epochs, the map
    /// counts at least, and its root.
    #[n(0)]
    Day(#[n(0)] u64, #[n(1)] u64, #[n(2)] Digest),
    /// From here on the keeper acts under the roster of this version and digest; before the first such note, under
    /// the one that names the network.
    #[n(1)]
    Roster(#[n(0)] u32, #[n(1)] Digest),
    /// A credential was issued: to whom, its serial number, SHA-256 of its bytes.
    #[n(2)]
    Credential(#[n(0)] PartyId, #[n(1)] u64, #[n(2)] Digest),
}

/// A note as it stands in a ledger, with what opens its leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The leaf, through all epochs.
    pub leaf: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub note: Note,
    /// Opens the leaf's *request* to [`Note::digest`].
    pub salt: Salt,
}

/// Who notes: the keeper, under the signing key it uses.
#[derive(Clone, Debug)]
pub struct Author {
    /// The keeper.
    pub party: PartyId,
    /// Its signing key.
    pub key: KeyId,
}

impl Note {
    /// The kind of its leaf.
    pub const fn kind(&self) -> LeafKind {
        match self {
            Self::Day(..) => LeafKind::Daily,
            Self::Roster(..) => LeafKind::Roster,
            Self::Credential(..) => LeafKind::Credential,
        }
    }

    /// What its leaf commits to as *request*.
    pub fn digest(&self) -> Digest {
        Digest::of(&cbor::encode(self))
    }
}

/// Notes something in the batch's own ledger.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn write(batch: &mut Batch<'_>, note: &Note, author: &Author, gate: &Gate) -> Result<Entry, StoreError> {
    let decision = Decision {
        refusal: None,
        party: author.party.clone(),
        signing_key: author.key,
        staff: String::new(),
        job: Job::System,
        purpose: Purpose::Audit,
        kinds: Vec::new(),
        policy: gate.roster().policy,
        roster: gate.roster().version,
        list: 0,
        emergency: false,
        versions: Vec::new(),
        groups: FieldGroups::EMPTY,
        reasons: Vec::new(),
        act: None,
    };
    let nothing = Digest::of(&[]);
    let (entry, _salts) = access_log::enter(batch, note.kind(), Label::GENERAL, note.digest(), nothing, decision)?;
    batch.put(row(batch, entry.index()), Some(cbor::encode(note)))?;
    Ok(entry)
}

/// The first `most` notes of the batch's own ledger, from that leaf on.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn from(batch: &Batch<'_>, leaf: u64, most: usize) -> Result<Vec<Noted>, StoreError> {
    let broken = || StoreError::Unreadable("note");
    let mut found = Vec::new();
    for (key, value) in batch.range(&row(batch, leaf), &row(batch, u64::MAX), most)? {
        let leaf = key.rest().first_chunk().map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(broken)?;
        let note = cbor::decode_own(&value).map_err(|_malformed| broken())?;
        let detail = access_log::detail(batch, leaf, Label::GENERAL)?.ok_or_else(broken)?;
        found.push(Noted { leaf, at: detail.at, note, salt: detail.salts.request });
    }
    Ok(found)
}

fn row(batch: &Batch<'_>, leaf: u64) -> Key {
    batch.key(table::NOTE, &leaf.to_be_bytes())
}
