//! What is handed out of one kind of record: the versions in force, masked, with when and by whom.
//! Whether it may be handed out, and which groups, is decided before and elsewhere.

use minicbor::{Decode, Encode};

use crate::cbor;
use crate::code::field_group::{FieldGroup, FieldGroups};
use crate::code::record_kind::RecordKind;
use crate::date::Date;
use crate::digest::Digest;
use crate::id::handle::Handle;
use crate::id::party::{PartyId, PartyKind};
use crate::limits::VERSIONS_PER_KIND_MAX;
use crate::message::Versions;
use crate::primitives::Primitives;
use crate::record::Record;
use crate::record::fault::FieldFault;
use crate::record::paper::Authorship;
use crate::record::timeline::{self, AsOf};
use crate::record::version::{Head, RecordId, Status, Version};
use crate::time::Timestamp;

/// What of the stored versions is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The records whose versions are shown.
    pub records: Vec<RecordId>,
    /// The versions, masked, in the one encoding of a [`Content`].
    pub bytes: Vec<u8>,
}

/// The versions of one kind that were in force, masked to the same groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    kind: RecordKind,
    as_of: AsOf,
    shown: FieldGroups,
    versions: Vec<Shown>,
    wanted: Option<Versions>,
    withheld: Option<u32>,
    left_out: Option<u32>,
}

/// One version as it is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The record it is a version of.
    pub id: RecordId,
    /// Which of its versions.
    pub number: u32,
    /// The first day it holds.
    pub valid_from: Date,
    /// The last day it holds; none if open.
    pub valid_to: Option<Date>,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// What it is worth.
    pub status: Status,
    /// Another record that it replaces.
    pub supersedes: Option<RecordId>,
    /// Who wrote it; hidden with the places if an office or a hospital, for where those are tells
    /// where the person is.
    pub author: Option<PartyId>,
    /// The record, masked.
    pub record: Record,
    /// What shows that its author wrote it, if there is such and nothing is hidden: it covers the whole.
    pub authorship: Option<Authorship>,
}

/// The wire form of [`Content`].
#[derive(Encode, Decode)]
struct Wire {
    #[n(0)]
    kind: RecordKind,
    #[n(1)]
    as_of: AsOf,
    #[n(2)]
    shown: FieldGroups,
    #[n(3)]
    versions: Vec<WireVersion>,
    #[n(4)]
    wanted: Option<Versions>,
    #[n(5)]
    withheld: Option<u32>,
    #[n(6)]
    left_out: Option<u32>,
}

/// The wire form of [`Shown`].
#[derive(Encode, Decode)]
struct WireVersion {
    #[n(0)]
    id: RecordId,
    #[n(1)]
    number: u32,
    #[n(2)]
    valid_from: Date,
    #[n(3)]
    valid_to: Option<Date>,
    #[n(4)]
    recorded_at: Timestamp,
    #[n(5)]
    status: Status,
    #[n(6)]
    author: Option<PartyId>,
    #[n(7)]
    #[cbor(with = "minicbor::bytes")]
    record: Vec<u8>,
    #[n(8)]
    supersedes: Option<RecordId>,
    #[n(9)]
    authorship: Option<Authorship>,
}

/// Of `versions`, those of `kind` that are in force at `as_of`, or all that were known by then, masked to `shown`: the latest
/// by first day, no more than [`VERSIONS_PER_KIND_MAX`] and than fit into `room_bytes`, and how many were left out.
/// `withheld` more would be shown were they not erased.
///
/// # Errors
/// The [`FieldFault`] of a stored version that is not a record of its kind.
pub fn select(
    kind: RecordKind,
    (as_of, wanted): (AsOf, Option<Versions>),
    shown: FieldGroups,
    versions: &[Version],
    (withheld, room_bytes): (u32, usize),
) -> Result<Selected, FieldFault> {
    let of_kind: Vec<&Version> = versions.iter().filter(|version| version.kind == kind).collect();
    let heads: Vec<_> = of_kind.iter().map(|version| version.head()).collect();
    let chosen = timeline::chosen(&heads, as_of, wanted);
    let mut versions = Vec::new();
    let mut room = room_bytes;
    for head in chosen.iter().rev().take(VERSIONS_PER_KIND_MAX) {
        let Some(version) = of_kind.iter().find(|version| version.head() == *head) else { continue };
        let wire = WireVersion::of(version, shown)?;
        match room.checked_sub(wire.about_bytes()) {
            Some(left) => room = left,
            None => break,
        }
        versions.push(wire);
    }
    versions.reverse();
    let some = |count: usize| u32::try_from(count).ok().filter(|count| *count > 0);
    let left_out = some(chosen.len().saturating_sub(versions.len()));
    let withheld = Some(withheld).filter(|withheld| *withheld > 0);
    Ok(Selected {
        records: versions.iter().map(|version| version.id).collect(),
        bytes: cbor::encode_about(
            &Wire { kind, as_of, shown, versions, wanted, withheld, left_out },
            room_bytes.saturating_sub(room).saturating_add(64),
        ),
    })
}

impl Content {
    /// Reads what somebody else handed out.
    ///
    /// # Errors
    /// A [`FieldFault`] if the bytes are not the one encoding, name too many versions, or hold a
    /// value that was said to be hidden.
    pub fn decode(bytes: &[u8]) -> Result<Self, FieldFault> {
        let fault = || FieldFault::at("", "encoding", "the deterministic encoding of a disclosure");
        let wire: Wire = cbor::decode(bytes).map_err(|_malformed| fault())?;
        if wire.versions.len() > VERSIONS_PER_KIND_MAX {
            return Err(fault());
        }
        let versions = wire.versions.into_iter().map(|version| Shown::from_wire(version, wire.kind, wire.shown));
        let versions = versions.collect::<Result<_, _>>()?;
        Ok(Self {
            kind: wire.kind,
            as_of: wire.as_of,
            shown: wire.shown,
            versions,
            wanted: wire.wanted,
            withheld: wire.withheld,
            left_out: wire.left_out,
        })
    }

    /// The same as JSON, for people and for their software.
    pub fn to_json(&self) -> serde_json::Value {
        let versions: Vec<_> = self.versions.iter().map(|version| version.to_json(self.shown)).collect();
        serde_json::json!({
            "kind": self.kind.as_str(),
            "valid_on": self.as_of.valid_on.to_string(),
            "recorded_by": self.as_of.recorded_by.unix_ms(),
            "every_version": self.is_history(),
            "withheld": self.withheld(),
            "left_out": self.left_out(),
            "versions": versions,
        })
    }

    /// What kind of record.
    pub const fn kind(&self) -> RecordKind {
        self.kind
    }

    /// How many versions more there were, whose content is erased.
    pub fn withheld(&self) -> u32 {
        self.withheld.unwrap_or_default()
    }

    /// How many versions more there are for which there was no room: those with the earliest first days.
    pub fn left_out(&self) -> u32 {
        self.left_out.unwrap_or_default()
    }

    /// Whether these are versions that were known, not those in force.
    pub const fn is_history(&self) -> bool {
        self.wanted.is_some()
    }

    /// When the versions were in force.
    pub const fn as_of(&self) -> AsOf {
        self.as_of
    }

    /// The groups whose fields are shown.
    pub const fn shown(&self) -> FieldGroups {
        self.shown
    }

    /// The groups whose fields are left out.
    pub fn masked(&self) -> FieldGroups {
        FieldGroup::ALL.into_iter().filter(|group| !self.shown.contains(*group)).collect()
    }

    /// The versions, by first day.
    pub fn versions(&self) -> &[Shown] {
        &self.versions
    }
}

impl WireVersion {
    fn of(version: &Version, shown: FieldGroups) -> Result<Self, FieldFault> {
        Ok(Self {
            id: version.id,
            number: version.number,
            valid_from: version.valid_from,
            valid_to: version.valid_to,
            recorded_at: version.recorded_at,
            status: version.status,
            supersedes: version.supersedes,
            author: Some(&version.author).filter(|author| may_name(author, shown)).cloned(),
            record: version.masked(shown)?,
            authorship: version.authorship.clone().filter(|_authorship| shown == FieldGroups::ALL),
        })
    }

    /// How long it is, and a little more.
    fn about_bytes(&self) -> usize {
        let authorship = self.authorship.as_ref().map_or(0, |authorship| cbor::encode(authorship).len());
        self.record.len().saturating_add(authorship).saturating_add(BYTES_BESIDE)
    }
}

/// No less than a version takes in an answer beside its record and what shows who wrote it, in bytes.
const BYTES_BESIDE: usize = 192;

impl Shown {
    fn from_wire(wire: WireVersion, kind: RecordKind, shown: FieldGroups) -> Result<Self, FieldFault> {
        if wire.author.as_ref().is_some_and(|author| !may_name(author, shown)) {
            return Err(FieldFault::at("author", "hidden", "no value: its group is hidden"));
        }
        if wire.authorship.is_some() && shown != FieldGroups::ALL {
            return Err(FieldFault::at("authorship", "hidden", "no value: something is hidden"));
        }
        Ok(Self {
            id: wire.id,
            number: wire.number,
            valid_from: wire.valid_from,
            valid_to: wire.valid_to,
            recorded_at: wire.recorded_at,
            status: wire.status,
            supersedes: wire.supersedes,
            author: wire.author,
            record: Record::decode_masked(kind, shown, &wire.record)?,
            authorship: wire.authorship,
        })
    }

    /// Whether what is shown was written by its author, about this person; none if nothing shows it.
    pub fn is_authors(
        &self,
        kind: RecordKind,
        person: &Handle,
        network: &Digest,
        primitives: &dyn Primitives,
    ) -> Option<bool> {
        let authorship = self.authorship.as_ref()?;
        let head = Head {
            id: self.id,
            number: self.number,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            recorded_at: self.recorded_at,
            status: self.status,
            supersedes: self.supersedes,
        };
        let author = self.author.as_ref()?;
        Some(authorship.holds((author, kind, &head), (person, &self.record.encode()), network, primitives))
    }

    fn to_json(&self, shown: FieldGroups) -> serde_json::Value {
        serde_json::json!({
            "id": self.id.to_string(),
            "number": self.number,
            "valid_from": self.valid_from.to_string(),
            "valid_to": self.valid_to.map(|day| day.to_string()),
            "recorded_at": self.recorded_at.unix_ms(),
            "status": self.status.as_str(),
            "supersedes": self.supersedes.map(|other| other.to_string()),
            "author": self.author.as_ref().map(ToString::to_string),
            "record": self.record.to_json(shown),
        })
    }
}

fn may_name(author: &PartyId, shown: FieldGroups) -> bool {
    shown.contains(FieldGroup::Place) || !matches!(author.kind(), PartyKind::Office | PartyKind::Hospital)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::forms::form;

    fn version(id: u8, number: u32, author: &str, status: Status) -> Version {
        let kind = RecordKind::CarePlan;
        Version {
            id: RecordId::from_bytes([id; 16]),
            kind,
            number,
            valid_from: Date::parse("2026-06-01").unwrap(),
            valid_to: Date::parse("2026-10-31"),
            recorded_at: Timestamp::from_unix_ms(u64::from(number)),
            author: PartyId::parse(author).unwrap(),
            status,
            supersedes: None,
            authorship: None,
            content: Record::from_json(kind, form(kind).example).unwrap().encode(),
        }
    }

    fn as_of(recorded_by: u64) -> AsOf {
        AsOf { valid_on: Date::parse("2026-07-01").unwrap(), recorded_by: Timestamp::from_unix_ms(recorded_by) }
    }

    fn selected(shown: FieldGroups) -> Selected {
        let versions = [
            version(1, 1, "office:1370101238", Status::Final),
            version(1, 2, "office:1370101238", Status::Amended),
            version(2, 1, "insurer:131235", Status::Final),
        ];
        select(RecordKind::CarePlan, (as_of(9), None), shown, &versions, (0, usize::MAX)).unwrap()
    }

    fn content(shown: FieldGroups) -> Content {
        Content::decode(&selected(shown).bytes).unwrap()
    }

    #[test]
    fn a_disclosure_comes_back_from_its_bytes_whatever_is_masked() {
        let whole = version(2, 1, "insurer:131235", Status::Final).record().unwrap();
        for hidden in FieldGroup::ALL {
            let content = content(FieldGroups::ALL.without(hidden));
            assert_eq!(content.masked().iter().collect::<Vec<_>>(), [hidden]);
            assert_eq!(content.versions()[1].record, whole.mask(content.shown()));
        }
        assert_eq!(content(FieldGroups::ALL).versions()[1].record, whole);
    }

    #[test]
    fn masking_bytes_is_masking_the_record_whatever_the_kind_and_the_groups() {
        for kind in RecordKind::ALL {
            let record = Record::from_json(kind, form(kind).example).unwrap();
            let version = Version { kind, content: record.encode(), ..version(1, 1, "insurer:131235", Status::Final) };
            for bits in 0..1_u32 << FieldGroup::ALL.len() {
                let groups = FieldGroup::ALL.into_iter().enumerate();
                let shown = groups.filter(|(place, _group)| bits >> place & 1 == 1).map(|(_place, group)| group);
                let shown: FieldGroups = shown.collect();
                assert_eq!(version.masked(shown).unwrap(), record.mask(shown).encode(), "{kind:?} {shown:?}");
            }
        }
    }

    #[test]
    fn only_what_is_in_force_is_handed_out() {
        let numbers: Vec<_> = content(FieldGroups::ALL).versions().iter().map(|v| (v.id, v.number)).collect();
        assert_eq!(numbers, [(RecordId::from_bytes([1; 16]), 2), (RecordId::from_bytes([2; 16]), 1)]);
        let cards = select(RecordKind::InsuranceCard, (as_of(9), None), FieldGroups::ALL, &[], (0, 0)).unwrap();
        assert_eq!(Content::decode(&cards.bytes).unwrap().versions(), []);
    }

    #[test]
    fn what_finds_no_room_is_counted_and_never_longer_than_was_said() {
        let mut versions: Vec<Version> = (1..=9).map(|id| version(id, 1, "office:1370101238", Status::Final)).collect();
        for (day, version) in (1..).zip(&mut versions) {
            version.valid_from = Date::new(2026, 6, day).unwrap();
        }
        let all = (as_of(9), Some(Versions::All));
        for room in (0..60_000).step_by(331) {
            let selected = select(RecordKind::CarePlan, all, FieldGroups::ALL, &versions, (0, room)).unwrap();
            assert!(selected.bytes.len() <= room + 64, "{room}");
            let content = Content::decode(&selected.bytes).unwrap();
            let left_out = usize::try_from(content.left_out()).unwrap();
            assert_eq!(left_out + content.versions().len(), 9);
            let latest: Vec<_> = versions.iter().skip(left_out).map(|version| version.id).collect();
            assert_eq!(selected.records, latest);
        }
        let room = (0, 60_000);
        let whole = select(RecordKind::CarePlan, all, FieldGroups::ALL, &versions, room).unwrap();
        assert_eq!(Content::decode(&whole.bytes).unwrap().left_out(), 0);
    }

    #[test]
    fn with_the_places_goes_the_office_that_wrote() {
        let content = content(FieldGroups::ALL.without(FieldGroup::Place));
        let authors: Vec<_> = content.versions().iter().map(|version| version.author.clone()).collect();
        assert_eq!(authors, [None, PartyId::parse("insurer:131235")]);
        let printed = format!("{} {content:?}", content.to_json());
        assert!(!printed.contains("1370101238") && !printed.contains("架空ケアプランセンター"), "{printed}");
        assert!(printed.contains("insurer:131235"));
    }

    #[test]
    fn a_disclosure_that_shows_more_than_it_says_is_refused() {
        let full: Wire = cbor::decode(&selected(FieldGroups::ALL).bytes).unwrap();
        let lying = Wire { shown: FieldGroups::ALL.without(FieldGroup::Narrative), ..full };
        assert_eq!(Content::decode(&cbor::encode(&lying)).unwrap_err().rule, "hidden");
    }

    #[test]
    fn a_stored_version_that_is_no_record_is_a_fault_not_an_omission() {
        let mut broken = version(1, 1, "office:1370101238", Status::Final);
        broken.content.pop();
        let fault =
            select(RecordKind::CarePlan, (as_of(9), None), FieldGroups::ALL, &[broken], (0, usize::MAX)).unwrap_err();
        assert_eq!(fault.rule, "encoding");
    }

    proptest::proptest! {
        #[test]
        fn reading_any_bytes_panics_never(bytes in proptest::prelude::any::<Vec<u8>>()) {
            proptest::prop_assert!(Content::decode(&bytes).is_err());
        }
    }
}
