//! Who looked at whom (閲覧履歴): what stands behind each leaf. A leaf holds four commitments; here is what
//! they commit to, sealed under the person's key, and the chain from each leaf of a person to the one
//! before. Never holds what was read.

pub mod day;
pub mod note;
pub mod proof;

use minicbor::{Decode, Encode};

use crate::batch::Batch;
use crate::cbor;
use crate::code::act::Act;
use crate::code::field_group::FieldGroups;
use crate::code::job::Job;
use crate::code::purpose::Purpose;
use crate::code::record_kind::RecordKind;
use crate::digest::Digest;
use crate::id::handle::Handle;
use crate::id::party::PartyId;
use crate::key::KeyId;
use crate::ledger::leaf::{Contents, Leaf, LeafKind, Salts};
use crate::primitives::{self, Secret};
use crate::refusal::Refusal;
use crate::store::{Entry, Key, Roll, StoreError};
use crate::table;
use crate::time::Timestamp;
use crate::vault::Label;

/// What the *detail* commitment of a leaf opens to: the exact decision.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Decision {
    /// Why it was refused; none if it was answered.
    #[n(0)]
    pub refusal: Option<Refusal>,
    /// Which organisation asked.
    #[n(1)]
    pub party: PartyId,
    /// Under which signing key.
    #[n(2)]
    pub signing_key: KeyId,
    /// Which member of staff, as the organisation names them.
    #[n(3)]
    pub staff: String,
    /// In which job.
    #[n(4)]
    pub job: Job,
    /// What for.
    #[n(5)]
    pub purpose: Purpose,
    /// Which kinds were asked for.
    #[n(6)]
    pub kinds: Vec<RecordKind>,
    /// The policy decided under.
    #[n(7)]
    pub policy: Digest,
    /// The roster decided under.
    #[n(8)]
    pub roster: u32,
    /// The status list decided under; 0 for members.
    #[n(9)]
    pub list: u64,
    /// Whether the glass was broken.
    #[n(10)]
    pub emergency: bool,
    /// The records whose versions were disclosed, or added.
    #[n(11)]
    pub versions: Vec<minicbor::bytes::ByteArray<16>>,
    /// The groups of fields disclosed.
    #[n(12)]
    pub groups: FieldGroups,
    /// The policies that decided, by id.
    #[n(13)]
    pub reasons: Vec<String>,
    /// What was done; none if it was looked at.
    #[n(14)]
    pub act: Option<Act>,
}

/// What the *person* commitment of a leaf opens to: the person's label, which of their leaves this is,
/// and the one before.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Step {
    /// The person.
    #[n(0)]
    pub label: Label,
    /// 1 for the person's first leaf.
    #[n(1)]
    pub number: u64,
    /// The hash of the one before.
    #[n(2)]
    pub previous: Option<Digest>,
    /// Where the one before stands.
    #[n(3)]
    pub previous_leaf: Option<u64>,
}

/// All that a leaf's commitments open to, as it lies sealed on the disk.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Detail {
    /// When.
    #[n(0)]
    pub at: Timestamp,
    /// SHA-256 of the request's envelope.
    #[n(1)]
    pub request: Digest,
    /// SHA-256 of the answer's body.
    #[n(2)]
    pub answer: Digest,
    /// The four salts.
    #[n(3)]
    pub salts: Salts,
    /// The decision.
    #[n(4)]
    pub decision: Decision,
    /// The step in the person's chain.
    #[n(5)]
    pub step: Step,
}

/// One exchange of an organisation, as [`of_party`] finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// When it was decided.
    pub at: Timestamp,
    /// Its leaf.
    pub leaf: u64,
    /// Whom it was about.
    pub label: Label,
    /// What stands behind the leaf; none if the person's key was erased.
    pub detail: Option<Detail>,
}

#[derive(Clone, Debug, Encode, Decode)]
struct Last {
    #[n(0)]
    number: u64,
    #[n(1)]
    leaf: u64,
    #[n(2)]
    hash: Digest,
    /// What stands behind leaves before this one was sealed under a key that was erased.
    #[n(3)]
    erased_before: Option<u64>,
}

/// The label under which a seat's index knows a person: nobody without the seat's label key can make it.
pub fn label(secret: &Secret, person: &Handle) -> Label {
    let hidden = primitives::derive(secret.expose(), person.expose().as_bytes(), b"tsunagi label");
    let mut bytes = [0; 16];
    for (slot, byte) in bytes.iter_mut().zip(hidden.expose()) {
        *slot = *byte;
    }
    Label::from_bytes(bytes)
}

/// Enters one decided request: makes salts, commitments and leaf, moves the person's chain on, and puts
/// what the leaf commits to, sealed, beside it. Returns its place and the salts the asker gets.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn enter(
    batch: &mut Batch<'_>,
    kind: LeafKind,
    label: Label,
    request: Digest,
    answer: Digest,
    decision: Decision,
) -> Result<(Entry, Salts), StoreError> {
    let chain = chain_key(batch, label);
    let last = last(batch, label)?;
    let step = Step {
        label,
        number: last.as_ref().map_or(0, |last| last.number).saturating_add(1),
        previous: last.as_ref().map(|last| last.hash),
        previous_leaf: last.as_ref().map(|last| last.leaf),
    };
    let at = batch.now().wall;
    let salts = Salts::random(batch.dice());
    let contents = Contents {
        request,
        answer,
        detail: Digest::of(&cbor::encode(&decision)),
        person: Digest::of(&cbor::encode(&step)),
    };
    let leaf = Leaf::new(kind, at, &salts, &contents);
    let number = step.number;
    let hash = leaf.hash();
    let erased_before = last.and_then(|last| last.erased_before);
    let asker = (kind == LeafKind::Exchange).then(|| decision.party.clone());
    let detail = Detail { at, request, answer, salts: salts.clone(), decision, step };
    let sealed = seal(batch, label, &detail)?;
    let entry = batch.enter(&leaf, sealed)?;
    batch.put(chain, Some(cbor::encode(&Last { number, leaf: entry.index(), hash, erased_before })))?;
    if let Some(asker) = asker {
        // Those of one commit share a row.
        let row = Key::new(batch.seat(), table::PARTY, &by_party(&asker, at, entry.index()));
        let mut touched = batch.get(&row)?.unwrap_or_default();
        touched.extend(entry.index().to_be_bytes());
        touched.extend(label.as_bytes());
        batch.put(row, Some(touched))?;
    }
    Ok((entry, salts))
}

/// Erases what stands behind every leaf of a person so far, with everything else that is sealed under their key. The
/// leaves stay, and the chain goes on.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn erase(batch: &mut Batch<'_>, label: Label) -> Result<(), StoreError> {
    batch.forget(label);
    if let Some(last) = last(batch, label)? {
        let erased_before = Some(batch.ledger_size());
        batch.put(chain_key(batch, label), Some(cbor::encode(&Last { erased_before, ..last })))?;
    }
    Ok(())
}

fn last(batch: &Batch<'_>, label: Label) -> Result<Option<Last>, StoreError> {
    match batch.get(&chain_key(batch, label))? {
        Some(bytes) => cbor::decode_own(&bytes).map(Some).map_err(|_error| StoreError::Unreadable("chain")),
        None => Ok(None),
    }
}

fn chain_key(batch: &Batch<'_>, label: Label) -> Key {
    Key::new(batch.seat(), table::CHAIN, label.as_bytes())
}

/// What stands behind the leaf at `index` of the batch's own ledger, if the person's key is still there.
///
/// # Errors
/// [`StoreError`] if the store cannot be read or what it holds does not open.
pub fn detail(batch: &Batch<'_>, index: u64, label: Label) -> Result<Option<Detail>, StoreError> {
    let (_leaf, position) = batch.leaf(index)?;
    let bytes = batch.read(Roll::Details, position)?;
    let (owner, sealed) = bytes.split_first().ok_or(StoreError::Unreadable("detail"))?;
    let owner = if *owner == UNDER_PERSON { label } else { Label::GENERAL };
    // A person who was erased may be known again, under another key.
    let erased_before = last(batch, label)?.and_then(|last| last.erased_before);
    if owner == label && erased_before.is_some_and(|before| index < before) {
        return Ok(None);
    }
    let Some(key) = batch.known_person_key(owner)? else { return Ok(None) };
    let bytes = primitives::open_stored(&key, b"detail", sealed).map_err(|_broken| StoreError::Unreadable("detail"))?;
    cbor::decode_own(&bytes).map(Some).map_err(|_error| StoreError::Unreadable("detail"))
}

/// The newest `most` steps of a person's chain whose leaf is wanted, newest first; looks at twice as many.
///
/// # Errors
/// [`StoreError`] if the store cannot be read or what it holds does not open.
pub fn history(
    batch: &Batch<'_>,
    label: Label,
    most: usize,
    is_wanted: impl Fn(u64) -> bool,
) -> Result<Vec<(u64, Detail)>, StoreError> {
    let mut next = last(batch, label)?.map(|last| last.leaf);
    let mut found = Vec::new();
    for _step in 0..most.saturating_mul(2) {
        let (Some(index), true) = (next, found.len() < most) else { break };
        let Some(detail) = detail(batch, index, label)? else { break };
        next = detail.step.previous_leaf;
        if is_wanted(index) {
            found.push((index, detail));
        }
    }
    Ok(found)
}

/// Up to `most` exchanges in which `party` asked, oldest first, from that instant and leaf on: what a
/// stolen key of that organisation may have touched.
///
/// # Errors
/// [`StoreError`] if the store cannot be read or what it holds does not open.
pub fn of_party(
    batch: &Batch<'_>,
    party: &PartyId,
    from: (Timestamp, u64),
    most: usize,
) -> Result<Vec<Touched>, StoreError> {
    let row = |at, leaf| Key::new(batch.seat(), table::PARTY, &by_party(party, at, leaf));
    let end = row(Timestamp::from_unix_ms(u64::MAX), u64::MAX);
    // The first row may hold nothing but what comes before.
    let rows = batch.range(&row(from.0, from.1), &end, most.saturating_add(1))?;
    let broken = || StoreError::Unreadable("exchange by party");
    let mut found = Vec::new();
    for (key, value) in rows {
        let at = instant(key.rest()).ok_or_else(broken)?;
        let (entries, []) = value.as_chunks::<TOUCHED_BYTES>() else { return Err(broken()) };
        for entry in entries {
            let (leaf, label) = entry.split_first_chunk().ok_or_else(broken)?;
            let leaf = u64::from_be_bytes(*leaf);
            let label = Label::from_bytes(label.try_into().map_err(|_length| broken())?);
            if (at, leaf) >= from && found.len() < most {
                found.push(Touched { at, leaf, label, detail: detail(batch, leaf, label)? });
            }
        }
    }
    Ok(found)
}

/// 16 bytes of the organisation's name, instant, all but the last bits of the leaf: fixed lengths, so that
/// rows stand in order of time.
fn by_party(party: &PartyId, at: Timestamp, leaf: u64) -> Vec<u8> {
    let name = Digest::of(party.to_string().as_bytes());
    let name = name.as_bytes().iter().take(PARTY_NAME_BYTES).copied();
    name.chain(at.unix_ms().to_be_bytes()).chain((leaf >> LEAF_BITS).to_be_bytes()).collect()
}

fn instant(row: &[u8]) -> Option<Timestamp> {
    let (_name, rest) = row.split_at_checked(PARTY_NAME_BYTES)?;
    Some(Timestamp::from_unix_ms(u64::from_be_bytes(*rest.first_chunk()?)))
}

/// Under the person's own key, or the seat's general one where nobody of that label is known: both ways
/// are the same work. The first byte says which, for a person may become known later.
fn seal(batch: &mut Batch<'_>, label: Label, detail: &Detail) -> Result<Vec<u8>, StoreError> {
    let (owner, key) = match batch.known_person_key(label)? {
        Some(key) => (UNDER_PERSON, key),
        None => (UNDER_GENERAL, batch.person_key(Label::GENERAL)?),
    };
    let mut bytes = vec![owner];
    bytes.extend(primitives::seal_stored(&key, b"detail", &cbor::encode(detail), batch.dice()));
    Ok(bytes)
}

const UNDER_GENERAL: u8 = 0;
const UNDER_PERSON: u8 = 1;
const PARTY_NAME_BYTES: usize = 16;
/// A leaf's number and a label.
const TOUCHED_BYTES: usize = 8 + 16;
/// Exchanges whose leaves differ only in so many last bits share a row: at most 12 KiB of them.
const LEAF_BITS: u32 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_by_party_stand_in_order_of_time_and_tell_it_again() {
        let office = PartyId::parse("office:1370101238").unwrap();
        let row = |ms, leaf| by_party(&office, Timestamp::from_unix_ms(ms), leaf);
        assert!(row(255, 9) < row(256, 1) && row(256, 1) < row(256, 512) && row(256, 0) == row(256, 511));
        assert_eq!(instant(&row(256, 7)), Some(Timestamp::from_unix_ms(256)));
        assert_eq!(instant(&row(256, 7)[..20]), None);
        let other = PartyId::parse("office:1370101239").unwrap();
        assert_ne!(row(1, 1)[..16], by_party(&other, Timestamp::from_unix_ms(1), 1)[..16]);
    }
}
