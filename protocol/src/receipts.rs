//! Receipts (受領証) over time: an asker keeps each, and submits it again where a ledger lost its leaf; the keeper
//! of that ledger holds it as evidence of what was lost. Also which heads of others no quorum has cosigned yet.
//!
//! Never decides what to do about a loss.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::batch::Batch;
use crate::cbor;
use crate::digest::Digest;
use crate::id::party::PartyId;
use crate::ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::ledger::leaf::Leaf;
use crate::ledger::origin::Origin;
use crate::ledger::proof::Evidence;
use crate::ledger::tree;
use crate::primitives;
use crate::store::{Key, Position, Roll, StoreError};
use crate::table;
use crate::time::Timestamp;
use crate::vault::Label;

/// One receipt of an asker.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Kept {
    /// Where the receipt stands, sealed, in the roll of details.
    #[n(0)]
    pub place: Position,
    /// The asker's own leaf about the same exchange, through all epochs.
    #[n(1)]
    pub own_leaf: u64,
    /// Whether the keeper of the ledger, which lost the leaf, holds the receipt.
    #[n(2)]
    pub is_resubmitted: bool,
}

/// A receipt that came back to the keeper of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Returned {
    /// Who submitted it.
    #[n(0)]
    pub by: PartyId,
    /// The receipt.
    #[n(1)]
    pub receipt: ByteVec,
}

/// A head of another's ledger under which a receipt of ours stands and which no quorum cosigned yet.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Unwitnessed {
    /// Whose ledger.
    #[n(0)]
    pub party: PartyId,
    /// Which.
    #[n(1)]
    pub origin: Origin,
    /// Its size.
    #[n(2)]
    pub size: u64,
    /// Its root.
    #[n(3)]
    pub root: Digest,
    /// When the receipt came.
    #[n(4)]
    pub since: Timestamp,
}

/// The key of a receipt: whose ledger, which epoch, which leaf.
fn receipt_key(batch: &Batch<'_>, party: &PartyId, epoch: u32, leaf: u64) -> Key {
    batch.key(table::RECEIPT, &place(party, epoch, leaf))
}

/// 16 bytes of the party's name, epoch, number: fixed lengths, so that rows stand in order.
fn place(party: &PartyId, epoch: u32, number: u64) -> Vec<u8> {
    let name = Digest::of(party.to_string().as_bytes());
    let name = name.as_bytes().iter().take(16).copied();
    name.chain(epoch.to_be_bytes()).chain(number.to_be_bytes()).collect()
}

/// Keeps the receipt of leaf `leaf` of a ledger.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn keep(
    batch: &mut Batch<'_>,
    origin: &Origin,
    leaf: u64,
    evidence: &[u8],
    own_leaf: u64,
) -> Result<(), StoreError> {
    let general = batch.person_key(Label::GENERAL)?;
    let sealed = primitives::seal_stored(&general, b"receipt", evidence, batch.dice());
    let place = batch.append(Roll::Details, sealed)?;
    let key = receipt_key(batch, origin.party(), origin.epoch(), leaf);
    batch.put(key, Some(cbor::encode(&Kept { place, own_leaf, is_resubmitted: false })))
}

/// Up to `most` receipts of one epoch of a party's ledger, from leaf `from` on, each with its leaf.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn from(
    batch: &Batch<'_>,
    party: &PartyId,
    epoch: u32,
    from: u64,
    most: usize,
) -> Result<Vec<(u64, Kept)>, StoreError> {
    let broken = || StoreError::Unreadable("receipts");
    let rows =
        batch.range(&receipt_key(batch, party, epoch, from), &receipt_key(batch, party, epoch, u64::MAX), most)?;
    let read = |(key, value): (Key, Vec<u8>)| {
        let leaf = key.rest().last_chunk().map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(broken)?;
        Ok((leaf, cbor::decode(&value).map_err(|_malformed| broken())?))
    };
    rows.into_iter().map(read).collect()
}

/// The receipt of one leaf, if it is ours.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn of_leaf(batch: &Batch<'_>, party: &PartyId, epoch: u32, leaf: u64) -> Result<Option<Kept>, StoreError> {
    match batch.get(&receipt_key(batch, party, epoch, leaf))? {
        Some(bytes) => cbor::decode(&bytes).map(Some).map_err(|_malformed| StoreError::Unreadable("receipts")),
        None => Ok(None),
    }
}

/// The bytes of a receipt.
///
/// # Errors
/// [`StoreError`] if the store cannot be read or the receipt does not open.
pub fn read(batch: &Batch<'_>, kept: &Kept) -> Result<Vec<u8>, StoreError> {
    let broken = || StoreError::Unreadable("receipts");
    let general = batch.known_person_key(Label::GENERAL)?.ok_or_else(broken)?;
    let sealed = batch.read(Roll::Details, kept.place)?;
    primitives::open_stored(&general, b"receipt", &sealed).map_err(|_broken| broken())
}

/// Marks a receipt as held by the keeper of the ledger.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn mark_resubmitted(batch: &mut Batch<'_>, party: &PartyId, epoch: u32, leaf: u64) -> Result<(), StoreError> {
    let Some(kept) = of_leaf(batch, party, epoch, leaf)? else { return Ok(()) };
    let key = receipt_key(batch, party, epoch, leaf);
    batch.put(key, Some(cbor::encode(&Kept { is_resubmitted: true, ..kept })))
}

/// Holds a receipt of an epoch before the open one as evidence; whether it is one.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn hold(batch: &mut Batch<'_>, by: &PartyId, receipt: &[u8]) -> Result<bool, StoreError> {
    let Some((evidence, checkpoint)) = read_receipt(receipt) else { return Ok(false) };
    let (signed, claimed) = checkpoint;
    let Some(open) = batch.origin() else { return Ok(false) };
    let is_before = claimed.origin.epoch() < open.epoch() && claimed.origin == open.of_epoch(claimed.origin.epoch());
    let Ok(leaf) = Leaf::parse(&evidence.leaf) else { return Ok(false) };
    let is_in = tree::check_inclusion(leaf.hash(), evidence.index, claimed.size, claimed.root, &evidence.inclusion);
    if !is_before || !is_in || !batch.is_signed_here(&signed) {
        return Ok(false);
    }
    let rest = place(by, claimed.origin.epoch(), evidence.index);
    let returned = Returned { by: by.clone(), receipt: receipt.to_vec().into() };
    batch.put(batch.key(table::RETURNED, &rest), Some(cbor::encode(&returned)))?;
    Ok(true)
}

/// A receipt and the checkpoint in it.
pub fn read_receipt(receipt: &[u8]) -> Option<(Evidence, (SignedCheckpoint, Checkpoint))> {
    let evidence: Evidence = cbor::decode(receipt).ok()?;
    let signed = SignedCheckpoint::parse(&evidence.checkpoint).ok()?;
    let claimed = signed.claim().ok()?;
    Some((evidence, (signed, claimed)))
}

/// The key of a head that no quorum cosigned yet.
pub fn unwitnessed_key(batch: &Batch<'_>, origin: &Origin, size: u64) -> Key {
    batch.key(table::UNWITNESSED, &place(origin.party(), origin.epoch(), size))
}

/// The key of the newest head of a member that a quorum cosigned.
pub fn cosigned_head_key(batch: &Batch<'_>, party: &PartyId) -> Key {
    batch.key(table::COSIGNED_HEAD, Digest::of(party.to_string().as_bytes()).as_bytes())
}

/// Every head of others that no quorum cosigned yet, at most `most`.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn unwitnessed(batch: &Batch<'_>, most: usize) -> Result<Vec<Unwitnessed>, StoreError> {
    let (from, to) = (batch.key(table::UNWITNESSED, &[]), batch.key(table::UNWITNESSED.saturating_add(1), &[]));
    let read =
        |(_key, value): (Key, Vec<u8>)| cbor::decode(&value).map_err(|_malformed| StoreError::Unreadable("heads"));
    batch.range(&from, &to, most)?.into_iter().map(read).collect()
}
