//! The file of a person (台帳) in a municipality's store: ties, consents, protection, and where the versions
//! of each record stand. Personal values are sealed under the person's key, and where they stand under a key of its own.
//! Records are read with a permit and in no other way.

use minicbor::{Decode, Encode};

use crate::access_log;
use crate::batch::Batch;
use crate::cbor;
use crate::code::record_kind::RecordKind;
use crate::digest::Digest;
use crate::fact::{Consent, Protection, Relationship};
use crate::id::party::PartyId;
use crate::id::person::PersonId;
use crate::message::Versions;
use crate::policy::Permit;
use crate::primitives::{self, SALT_BYTES, Secret};
use crate::record::disclosure::{self, Selected};
use crate::record::timeline::{self, AsOf};
use crate::record::version::{Head, RecordId, Version};
use crate::store::{Key, Position, Roll, StoreError};
use crate::table;
use crate::vault::Label;

/// What is kept of a person beside their records.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct File {
    /// The person, as on the card.
    #[n(0)]
    pub person: PersonId,
    /// Consents, given and withdrawn.
    #[n(1)]
    pub consents: Vec<Consent>,
    /// Spans of protection.
    #[n(2)]
    pub protections: Vec<Protection>,
    /// The organisations tied to the person.
    #[n(3)]
    pub tied: Vec<PartyId>,
    /// The label of the medical-insurance handle the person is found by.
    #[n(4)]
    pub medical: Option<Label>,
}

/// Where one version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Place {
    /// When it is in force.
    #[n(0)]
    pub head: Head,
    /// Its entry among the records.
    #[n(1)]
    pub position: Position,
    /// The salt it is sealed under, which is nowhere else; none once the version is erased.
    #[n(2)]
    pub salt: Option<minicbor::bytes::ByteArray<SALT_BYTES>>,
}

impl File {
    /// The file under a label, if there is such a person.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read or the file does not open.
    pub fn read(batch: &Batch<'_>, label: Label) -> Result<Option<Self>, StoreError> {
        let Some(sealed) = batch.get(&batch.key(table::PERSON, label.as_bytes()))? else { return Ok(None) };
        let Some(key) = batch.known_person_key(label)? else { return Ok(None) };
        let bytes = primitives::open_stored(&key, b"file", &sealed).map_err(|_broken| UNREADABLE)?;
        cbor::decode_own(&bytes).map(Some).map_err(|_error| UNREADABLE)
    }

    /// Keeps the file, making the person's key if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the store refuses it.
    pub fn write(&self, batch: &mut Batch<'_>, label: Label) -> Result<(), StoreError> {
        let key = batch.person_key(label)?;
        let sealed = primitives::seal_stored(&key, b"file", &cbor::encode(self), batch.dice());
        batch.put(batch.key(table::PERSON, label.as_bytes()), Some(sealed))
    }
}

/// The ties of one organisation to one person.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn ties(batch: &Batch<'_>, party: &PartyId, label: Label) -> Result<Vec<Relationship>, StoreError> {
    match batch.get(&tie_key(batch, party, label))? {
        Some(bytes) => cbor::decode_own(&bytes).map_err(|_error| StoreError::Unreadable("relationships")),
        None => Ok(Vec::new()),
    }
}

/// Forgets the ties of one organisation to one person.
///
/// # Errors
/// [`StoreError`] if the store refuses it.
pub fn untie(batch: &mut Batch<'_>, party: &PartyId, label: Label) -> Result<(), StoreError> {
    let key = tie_key(batch, party, label);
    batch.put(key, None)
}

/// Keeps the ties of one organisation to one person.
///
/// # Errors
/// [`StoreError`] if the store refuses it.
pub fn tie(batch: &mut Batch<'_>, party: &PartyId, label: Label, ties: &Vec<Relationship>) -> Result<(), StoreError> {
    let key = tie_key(batch, party, label);
    batch.put(key, Some(cbor::encode(ties)))
}

/// The label of the person whose medical-insurance handle has the label `medical`.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn by_medical(batch: &Batch<'_>, medical: Label) -> Result<Option<Label>, StoreError> {
    match batch.get(&batch.key(table::MEDICAL, medical.as_bytes()))? {
        Some(bytes) => cbor::decode_own(&bytes).map(Some).map_err(|_error| StoreError::Unreadable("medical handles")),
        None => Ok(None),
    }
}

/// Keeps under which medical-insurance handle a person is found.
///
/// # Errors
/// [`StoreError`] if the store refuses it.
pub fn find_by_medical(batch: &mut Batch<'_>, medical: Label, label: Label) -> Result<(), StoreError> {
    let key = batch.key(table::MEDICAL, medical.as_bytes());
    batch.put(key, Some(cbor::encode(&label)))
}

/// Forgets a medical-insurance handle: nobody is found under it any more.
///
/// # Errors
/// [`StoreError`] if the store refuses it.
pub fn lose_by_medical(batch: &mut Batch<'_>, medical: Label) -> Result<(), StoreError> {
    let key = batch.key(table::MEDICAL, medical.as_bytes());
    batch.put(key, None)
}

/// Reads what the permit permits: the versions of its kind in force at `as_of`, or every one known by then, masked to
/// its groups, as long as they fit into `room_bytes`. There is no other way to a record.
///
/// # Errors
/// [`StoreError`] if the store cannot be read or a version does not open.
pub fn read(
    permit: &Permit,
    label: Label,
    (as_of, wanted): (AsOf, Option<Versions>),
    room_bytes: usize,
    batch: &Batch<'_>,
) -> Result<Selected, StoreError> {
    let places = places(batch, label, permit.kind())?;
    let heads: Vec<_> = places.iter().map(|place| place.head).collect();
    let chosen = timeline::chosen(&heads, as_of, wanted);
    let (mut versions, mut withheld) = (Vec::new(), 0_u32);
    if let Some(key) = batch.known_person_key(label)? {
        for place in places.iter().filter(|place| chosen.contains(&place.head)) {
            match open(&key, place, batch)? {
                Some(version) => versions.push(version),
                None => withheld = withheld.saturating_add(1),
            }
        }
    }
    let selected =
        disclosure::select(permit.kind(), (as_of, wanted), permit.groups(), &versions, (withheld, room_bytes));
    selected.map_err(|_fault| UNREADABLE)
}

/// The version of that record and number, if it is there and not erased.
///
/// # Errors
/// [`StoreError`] if the store cannot be read or the version does not open.
pub fn known(batch: &Batch<'_>, label: Label, version: &Version) -> Result<Option<Version>, StoreError> {
    let places = places(batch, label, version.kind)?;
    let place = places.iter().find(|place| place.head.id == version.id && place.head.number == version.number);
    match (place, batch.known_person_key(label)?) {
        (Some(place), Some(key)) => open(&key, place, batch),
        _ => Ok(None),
    }
}

/// All versions of one record; none if one of them is erased.
///
/// # Errors
/// [`StoreError`] if the store cannot be read or a version does not open.
pub fn versions_of(
    batch: &Batch<'_>,
    label: Label,
    kind: RecordKind,
    id: RecordId,
) -> Result<Option<Vec<Version>>, StoreError> {
    let Some(key) = batch.known_person_key(label)? else { return Ok(Some(Vec::new())) };
    let places = places(batch, label, kind)?;
    places.iter().filter(|place| place.head.id == id).map(|place| open(&key, place, batch)).collect()
}

/// The versions of one kind in force at `as_of`, but those that are erased.
///
/// # Errors
/// [`StoreError`] if the store cannot be read or a version does not open.
pub fn in_force(batch: &Batch<'_>, label: Label, kind: RecordKind, as_of: AsOf) -> Result<Vec<Version>, StoreError> {
    let Some(key) = batch.known_person_key(label)? else { return Ok(Vec::new()) };
    let places = places(batch, label, kind)?;
    let heads: Vec<_> = places.iter().map(|place| place.head).collect();
    let chosen = timeline::in_force(&heads, as_of);
    let chosen = places.iter().filter(|place| chosen.contains(&place.head));
    chosen.filter_map(|place| open(&key, place, batch).transpose()).collect()
}

/// The version that stands there, unless it is erased.
fn open(key: &Secret, place: &Place, batch: &Batch<'_>) -> Result<Option<Version>, StoreError> {
    let Some(salt) = &place.salt else { return Ok(None) };
    let sealed = batch.read(Roll::Records, place.position)?;
    let bytes = primitives::open_apart(key, b"record", salt, &sealed).map_err(|_broken| UNREADABLE)?;
    cbor::decode_own(&bytes).map(Some).map_err(|_error| UNREADABLE)
}

/// Adds versions of one kind; nothing is overwritten.
///
/// # Errors
/// [`StoreError`] if the store refuses it.
pub fn add(batch: &mut Batch<'_>, label: Label, kind: RecordKind, versions: &[Version]) -> Result<(), StoreError> {
    let key = batch.person_key(label)?;
    let mut all = places(batch, label, kind)?;
    for version in versions {
        let bytes = cbor::encode_about(version, version.content.len().saturating_add(VERSION_BYTES_BESIDE));
        let (salt, sealed) = primitives::seal_apart(&key, b"record", &bytes, batch.dice());
        let position = batch.append(Roll::Records, sealed)?;
        all.push(Place { head: version.head(), position, salt: Some(salt.into()) });
    }
    keep_places(batch, label, kind, &all)
}

/// About how long a version is beside its content, in bytes.
const VERSION_BYTES_BESIDE: usize = 256;
/// About how long a place is, in bytes.
const PLACE_BYTES: usize = 128;

/// Erases the versions of one kind for which `is_meant` stands: what they say cannot be read any more, that they were
/// there can. Returns which were erased.
///
/// Their salts go, and so that no older row gives one back, the key of the person's places goes with them: what stays of
/// those rows in journal, books, index and copies of them opens no more.
///
/// # Errors
/// [`StoreError`] if the store refuses it.
pub fn erase_versions(
    batch: &mut Batch<'_>,
    label: Label,
    kind: RecordKind,
    is_meant: impl Fn(&Head) -> bool,
) -> Result<Vec<Head>, StoreError> {
    let mut all = places(batch, label, kind)?;
    let mut erased = Vec::new();
    for place in all.iter_mut().filter(|place| is_meant(&place.head)) {
        erased.extend(place.salt.take().map(|_salt| place.head));
    }
    if erased.is_empty() {
        return Ok(erased);
    }
    let mut kept = vec![(kind, all)];
    for other in RecordKind::ALL.into_iter().filter(|other| *other != kind) {
        kept.push((other, places(batch, label, other)?));
    }
    batch.forget(shelf(label));
    for (kind, places) in kept.iter().filter(|(_kind, places)| !places.is_empty()) {
        keep_places(batch, label, *kind, places)?;
    }
    Ok(erased)
}

/// Erases everything of a person: their file, ties, records, and all that is sealed under their key. Returns how many
/// versions there were.
///
/// # Errors
/// [`StoreError`] if the store refuses it.
pub fn erase(batch: &mut Batch<'_>, label: Label, file: &File) -> Result<u64, StoreError> {
    let mut versions: u64 = 0;
    for kind in RecordKind::ALL {
        let kept = places(batch, label, kind)?.iter().filter(|place| place.salt.is_some()).count();
        versions = versions.saturating_add(u64::try_from(kept).unwrap_or(u64::MAX));
        let key = record_key(batch, label, kind);
        batch.put(key, None)?;
    }
    for party in &file.tied {
        untie(batch, party, label)?;
    }
    if let Some(medical) = file.medical {
        lose_by_medical(batch, medical)?;
    }
    batch.put(batch.key(table::PERSON, label.as_bytes()), None)?;
    batch.forget(shelf(label));
    access_log::erase(batch, label)?;
    Ok(versions)
}

/// Where the versions of one kind stand.
///
/// # Errors
/// [`StoreError`] if the store cannot be read.
pub fn places(batch: &Batch<'_>, label: Label, kind: RecordKind) -> Result<Vec<Place>, StoreError> {
    let Some(sealed) = batch.get(&record_key(batch, label, kind))? else { return Ok(Vec::new()) };
    let broken = || StoreError::Unreadable("records");
    let key = batch.known_person_key(shelf(label))?.ok_or_else(broken)?;
    let bytes = primitives::open_stored(&key, b"places", &sealed).map_err(|_broken| broken())?;
    cbor::decode_own(&bytes).map_err(|_error| broken())
}

/// Keeps where they stand, making the key if there is none.
fn keep_places(batch: &mut Batch<'_>, label: Label, kind: RecordKind, places: &Vec<Place>) -> Result<(), StoreError> {
    let key = batch.person_key(shelf(label))?;
    let bytes = cbor::encode_about(places, places.len().saturating_mul(PLACE_BYTES));
    let sealed = primitives::seal_stored(&key, b"places", &bytes, batch.dice());
    let row = record_key(batch, label, kind);
    batch.put(row, Some(sealed))
}

/// Under which label the vault has the key of a person's places: another than the person's own, so that it can be
/// destroyed without what stands there.
fn shelf(label: Label) -> Label {
    let name = Digest::of_parts(&[b"tsunagi places", label.as_bytes()]);
    let (first, _rest) = name.as_bytes().split_first_chunk().unwrap_or_else(|| unreachable!("a digest is longer"));
    Label::from_bytes(*first)
}

const UNREADABLE: StoreError = StoreError::Unreadable("persons");

/// Whose records of which kind stand in a row of the table of records.
pub fn whose(key: &Key) -> Option<(Label, RecordKind)> {
    let (label, kind) = key.rest().split_first_chunk()?;
    Some((Label::from_bytes(*label), cbor::decode(kind).ok()?))
}

fn record_key(batch: &Batch<'_>, label: Label, kind: RecordKind) -> Key {
    let mut rest = label.as_bytes().to_vec();
    rest.extend(cbor::encode(&kind));
    batch.key(table::RECORD, &rest)
}

/// 16 bytes of the organisation's name, then the label: fixed lengths, so that no two share a row.
fn tie_key(batch: &Batch<'_>, party: &PartyId, label: Label) -> Key {
    let name = Digest::of(party.to_string().as_bytes());
    let rest: Vec<u8> = name.as_bytes().iter().take(16).chain(label.as_bytes()).copied().collect();
    batch.key(table::RELATIONSHIP, &rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::date::Date;
    use crate::limits::ROW_BYTES_MAX;
    use crate::municipality::import::VERSIONS_MAX;
    use crate::record::version::Status;
    use crate::time::Timestamp;

    #[test]
    fn the_places_of_as_many_versions_as_there_may_be_fit_into_one_row() {
        let longest = Place {
            head: Head {
                id: RecordId::from_bytes([255; 16]),
                number: u32::MAX,
                valid_from: Date::MAX,
                valid_to: Some(Date::MAX),
                recorded_at: Timestamp::from_unix_ms(u64::MAX),
                status: Status::Cancelled,
                supersedes: Some(RecordId::from_bytes([255; 16])),
            },
            position: Position { offset: u64::MAX, len: u32::MAX },
            salt: Some([255; SALT_BYTES].into()),
        };
        let row = cbor::encode(&vec![longest; VERSIONS_MAX]).len() + primitives::STORED_EXTRA_BYTES;
        assert!(row < ROW_BYTES_MAX, "{row}");
    }
}
