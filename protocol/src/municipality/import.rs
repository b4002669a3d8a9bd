//! Feeding a municipality (取込): persons, ties, consents and records from its own 介護保険 system, one JSON
//! object a line. All lines of one import are kept, under one leaf, or none.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::access_log::{self, Decision};
use crate::batch::Batch;
use crate::code::field_group::FieldGroups;
use crate::code::job::Job;
use crate::code::purpose::Purpose;
use crate::code::record_kind::RecordKind;
use crate::date::Date;
use crate::digest::Digest;
use crate::duty::Desk;
use crate::fact::{Consent, Nature, Protection, Relationship, Scope};
use crate::id::handle::Handle;
use crate::id::insured::InsuredNumber;
use crate::id::insurer::InsurerNumber;
use crate::id::medical::MedicalInsuranceId;
use crate::id::party::PartyId;
use crate::id::person::PersonId;
use crate::key::KeyId;
use crate::ledger::leaf::LeafKind;
use crate::municipality::file::{self, File};
use crate::primitives::Secret;
use crate::record::slip::{self, Slip, field, only, optional, whole};
use crate::record::strict_json;
use crate::record::version::Version;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::vault::Label;

/// The most lines of one import.
pub const LINES_MAX: usize = 1000;
/// The most consents, and the most ties, of one person.
pub const ITEMS_MAX: usize = 100;
/// The most versions of one kind a person may have: their places share one row of the index.
pub const VERSIONS_MAX: usize = 400;

/// What one line says.
struct Line {
    person: PersonId,
    medical: Option<MedicalInsuranceId>,
    consents: Vec<Consent>,
    protections: Vec<Protection>,
    ties: BTreeMap<PartyId, Vec<Relationship>>,
    versions: Vec<Version>,
}

/// Imports lines: `Ok` with how many records were kept, or what is wrong where, never with the value.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn import(
    desk: &Desk,
    label_key: &Secret,
    insurers: &[InsurerNumber],
    bytes: &[u8],
    batch: &mut Batch<'_>,
) -> Result<Result<u64, String>, StoreError> {
    let lines = match parse(desk, insurers, bytes, batch.now().wall) {
        Ok(lines) => lines,
        Err(message) => return Ok(Err(message)),
    };
    let mut persons = BTreeSet::new();
    for (number, line) in (1_u64..).zip(&lines) {
        let label = access_log::label(label_key, &Handle::Care(line.person.clone()));
        let fits = if persons.insert(label) { line.fits(label, label_key, batch)? } else { Err("a person twice") };
        if let Err(what) = fits {
            return Ok(Err(format!("line {number}: {what}")));
        }
    }
    let mut records: u64 = 0;
    for line in &lines {
        records = records.saturating_add(keep(line, label_key, batch)?);
    }
    let decision = Decision {
        refusal: None,
        party: desk.party.clone(),
        signing_key: KeyId::from_bytes([0; 16]),
        staff: String::new(),
        job: Job::MunicipalOfficer,
        purpose: Purpose::BenefitAdministration,
        kinds: Vec::new(),
        policy: desk.policy,
        roster: 0,
        list: 0,
        emergency: false,
        versions: Vec::new(),
        groups: FieldGroups::EMPTY,
        reasons: vec![format!("import of {} persons, {records} records", lines.len())],
        act: None,
    };
    let digest = Digest::of(bytes);
    access_log::enter(batch, LeafKind::Local, Label::GENERAL, digest, Digest::of(&[]), decision)?;
    Ok(Ok(records))
}

impl Line {
    /// Whether the line can be kept beside what is there, looked at before anything is staged.
    fn fits(
        &self,
        label: Label,
        label_key: &Secret,
        batch: &Batch<'_>,
    ) -> Result<Result<(), &'static str>, StoreError> {
        if let Some(medical) = &self.medical {
            let handle = access_log::label(label_key, &Handle::Medical(medical.clone()));
            if file::by_medical(batch, handle)?.is_some_and(|other| other != label) {
                return Ok(Err("medical: another person's"));
            }
        }
        for kind in RecordKind::ALL {
            let fresh = self.versions.iter().filter(|version| version.kind == kind).count();
            if file::places(batch, label, kind)?.len().saturating_add(fresh) > VERSIONS_MAX {
                return Ok(Err("records: too many versions of one kind"));
            }
        }
        for version in &self.versions {
            let is_same = |known: &Version| Version { recorded_at: version.recorded_at, ..known.clone() } == *version;
            if file::known(batch, label, version)?.is_some_and(|known| !is_same(&known)) {
                return Ok(Err("records: this number of the record is there with other content"));
            }
        }
        Ok(Ok(()))
    }
}

fn keep(line: &Line, label_key: &Secret, batch: &mut Batch<'_>) -> Result<u64, StoreError> {
    let label = access_log::label(label_key, &Handle::Care(line.person.clone()));
    let known = File::read(batch, label)?;
    let (before, old_handle) = known.map_or_else(Default::default, |file| (file.tied, file.medical));
    for party in before.iter().filter(|party| !line.ties.contains_key(party)) {
        file::untie(batch, party, label)?;
    }
    let file = File {
        person: line.person.clone(),
        consents: line.consents.clone(),
        protections: line.protections.clone(),
        tied: line.ties.keys().cloned().collect(),
        medical: line.medical.clone().map(|medical| access_log::label(label_key, &Handle::Medical(medical))),
    };
    file.write(batch, label)?;
    if let Some(old) = old_handle.filter(|old| file.medical != Some(*old)) {
        file::lose_by_medical(batch, old)?;
    }
    if let Some(handle) = file.medical {
        file::find_by_medical(batch, handle, label)?;
    }
    for (party, ties) in &line.ties {
        file::tie(batch, party, label, ties)?;
    }
    let mut kept: u64 = 0;
    for version in &line.versions {
        let is_known = file::places(batch, label, version.kind)?
            .iter()
            .any(|place| place.head.id == version.id && place.head.number == version.number);
        if !is_known {
            file::add(batch, label, version)?;
            kept = kept.saturating_add(1);
        }
    }
    Ok(kept)
}

fn parse(desk: &Desk, insurers: &[InsurerNumber], bytes: &[u8], now: Timestamp) -> Result<Vec<Line>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_error| "not UTF-8".to_owned())?;
    let mut lines = Vec::new();
    for (number, text) in text.lines().filter(|text| !text.trim().is_empty()).enumerate() {
        if number >= LINES_MAX {
            return Err(format!("more than {LINES_MAX} lines"));
        }
        let line = parse_line(desk, insurers, text, now);
        lines.push(line.map_err(|what| format!("line {}: {what}", number.saturating_add(1)))?);
    }
    Ok(lines)
}

fn parse_line(desk: &Desk, insurers: &[InsurerNumber], text: &str, now: Timestamp) -> Result<Line, String> {
    let value = strict_json::parse(text)?;
    only(&value, &["insurer", "insured", "medical", "protection", "consents", "relationships", "records"])?;
    let insurer = field(&value, "insurer", InsurerNumber::parse)?;
    if !insurers.contains(&insurer) {
        return Err("insurer: not one of this member's".to_owned());
    }
    let insured = field(&value, "insured", InsuredNumber::parse)?;
    let person = PersonId::new(insurer, insured);
    let medical = match value.get("medical") {
        None => return Err("medical: missing; null if there is none".to_owned()),
        Some(Value::Null) => None,
        Some(_) => Some(field(&value, "medical", MedicalInsuranceId::parse)?),
    };
    let mut ties: BTreeMap<PartyId, Vec<Relationship>> = BTreeMap::new();
    for item in items(&value, "relationships")? {
        let tie = parse_tie(item)?;
        ties.entry(tie.party.clone()).or_default().push(tie);
    }
    let consents = items(&value, "consents")?.iter().map(parse_consent).collect::<Result<_, _>>()?;
    let protections = match value.get("protection") {
        None => return Err("protection: missing; null if there is none".to_owned()),
        Some(Value::Null) => Vec::new(),
        Some(item) => vec![parse_protection(item)?],
    };
    let versions = items(&value, "records")?
        .iter()
        .map(|item| parse_version(desk, &person, item, now))
        .collect::<Result<_, _>>()?;
    Ok(Line { person, medical, consents, protections, ties, versions })
}

fn parse_tie(item: &Value) -> Result<Relationship, String> {
    only(item, &["party", "nature", "from", "until"])?;
    let until = optional(item, "until", Date::parse)?;
    ordered(item, until)?;
    Ok(Relationship {
        party: field(item, "party", PartyId::parse)?,
        nature: field(item, "nature", |text| Nature::ALL.into_iter().find(|nature| nature.as_str() == text))?,
        from: field(item, "from", Date::parse)?,
        until,
    })
}

fn parse_consent(item: &Value) -> Result<Consent, String> {
    only(item, &["taken_by", "on", "withdrawn"])?;
    Ok(Consent {
        taken_by: field(item, "taken_by", PartyId::parse)?,
        on: field(item, "on", Date::parse)?,
        scope: Scope::All,
        withdrawn: optional(item, "withdrawn", Date::parse)?,
    })
}

fn parse_protection(item: &Value) -> Result<Protection, String> {
    only(item, &["from", "until"])?;
    let until = optional(item, "until", Date::parse)?;
    ordered(item, until)?;
    Ok(Protection { from: field(item, "from", Date::parse)?, until, undisclosed: true, withheld_from_self: false })
}

fn parse_version(desk: &Desk, person: &PersonId, item: &Value, now: Timestamp) -> Result<Version, String> {
    only(item, &[&slip::KEYS[..], &["recorded_at_ms"]].concat())?;
    let recorded_at = match whole(item, "recorded_at_ms")?.map(Timestamp::from_unix_ms) {
        Some(at) if at > now => return Err("recorded_at_ms: in the future".to_owned()),
        Some(at) => at,
        None => now,
    };
    Ok(Slip::read(item, person)?.into_version(desk.party.clone(), recorded_at))
}

/// A span that ends before it begins would never be in force.
fn ordered(item: &Value, until: Option<Date>) -> Result<(), String> {
    let from = field(item, "from", Date::parse)?;
    if until.is_some_and(|until| until < from) { Err("until: before from".to_owned()) } else { Ok(()) }
}

fn items<'v>(value: &'v Value, name: &str) -> Result<&'v Vec<Value>, String> {
    let list = value.get(name).and_then(Value::as_array);
    let list = list.ok_or_else(|| format!("{name}: missing or not a list; an empty list if there are none"))?;
    let most = if name == "records" { VERSIONS_MAX } else { ITEMS_MAX };
    if list.len() <= most { Ok(list) } else { Err(format!("{name}: more than {most}")) }
}
