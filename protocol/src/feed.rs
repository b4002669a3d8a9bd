//! What an insurer's own systems feed (取込): persons, ties, consents and versions of records, one JSON object a line, read and
//! held against the forms. Keeps nothing, and knows nothing of what is kept already.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::date::Date;
use crate::digest::Digest;
use crate::fact::{Consent, Nature, Protection, Relationship, Scope};
use crate::id::insured::InsuredNumber;
use crate::id::insurer::InsurerNumber;
use crate::id::medical::MedicalInsuranceId;
use crate::id::party::PartyId;
use crate::id::person::PersonId;
use crate::record::slip::{self, Slip, field, only, optional, whole};
use crate::record::strict_json;
use crate::record::version::Version;
use crate::time::Timestamp;

/// The most lines of one import.
pub const LINES_MAX: usize = 1000;
/// The most consents, and the most ties, of one person.
pub const ITEMS_MAX: usize = 100;
/// The most versions of records, of all kinds together, in one line.
pub const RECORDS_PER_LINE_MAX: usize = 4096;

/// Lines as they came, and whose they have to be.
pub struct Feed {
    /// The lines.
    pub bytes: Vec<u8>,
    /// The insurer, who stands for what its systems say.
    pub author: PartyId,
    /// The numbers on its insured persons' cards.
    pub insurers: Vec<InsurerNumber>,
}

/// Lines read.
pub struct Fed {
    /// The digest of the bytes.
    pub digest: Digest,
    /// What they say, or what is wrong in which line; never with the value.
    pub lines: Result<Vec<Line>, String>,
}

/// What one line says.
pub struct Line {
    /// About whom.
    pub person: PersonId,
    /// The handle of the medical insurance.
    pub medical: Option<MedicalInsuranceId>,
    /// Consents, given and withdrawn.
    pub consents: Vec<Consent>,
    /// Spans of protection.
    pub protections: Vec<Protection>,
    /// What organisations are to the person.
    pub ties: BTreeMap<PartyId, Vec<Relationship>>,
    /// Versions of records.
    pub versions: Vec<Version>,
    /// When it was read; versions that do not say when they were recorded were so then.
    pub read_at: Timestamp,
}

impl Feed {
    /// Reads the lines, at an instant after which nothing can be recorded.
    pub fn read(&self, now: Timestamp) -> Fed {
        Fed { digest: Digest::of(&self.bytes), lines: lines_of(self, now) }
    }
}

fn lines_of(feed: &Feed, now: Timestamp) -> Result<Vec<Line>, String> {
    let text = std::str::from_utf8(&feed.bytes).map_err(|_error| "not UTF-8".to_owned())?;
    let mut lines = Vec::new();
    for (number, text) in text.lines().filter(|text| !text.trim().is_empty()).enumerate() {
        if number >= LINES_MAX {
            return Err(format!("more than {LINES_MAX} lines"));
        }
        let line = parse_line(feed, text, now);
        lines.push(line.map_err(|what| format!("line {}: {what}", number.saturating_add(1)))?);
    }
    Ok(lines)
}

fn parse_line(feed: &Feed, text: &str, now: Timestamp) -> Result<Line, String> {
    let value = strict_json::parse(text)?;
    only(&value, &["insurer", "insured", "medical", "protection", "consents", "relationships", "records"])?;
    let insurer = field(&value, "insurer", InsurerNumber::parse)?;
    if !feed.insurers.contains(&insurer) {
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
        .map(|item| parse_version(&feed.author, &person, item, now))
        .collect::<Result<_, _>>()?;
    Ok(Line { person, medical, consents, protections, ties, versions, read_at: now })
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

fn parse_version(author: &PartyId, person: &PersonId, item: &Value, now: Timestamp) -> Result<Version, String> {
    only(item, &[&slip::KEYS[..], &["recorded_at_ms"]].concat())?;
    let recorded_at = match whole(item, "recorded_at_ms")?.map(Timestamp::from_unix_ms) {
        Some(at) if at > now => return Err("recorded_at_ms: in the future".to_owned()),
        Some(at) => at,
        None => now,
    };
    Ok(Slip::read(item, person)?.into_version(author.clone(), recorded_at))
}

/// A span that ends before it begins would never be in force.
fn ordered(item: &Value, until: Option<Date>) -> Result<(), String> {
    let from = field(item, "from", Date::parse)?;
    if until.is_some_and(|until| until < from) { Err("until: before from".to_owned()) } else { Ok(()) }
}

fn items<'v>(value: &'v Value, name: &str) -> Result<&'v Vec<Value>, String> {
    let list = value.get(name).and_then(Value::as_array);
    let list = list.ok_or_else(|| format!("{name}: missing or not a list; an empty list if there are none"))?;
    let most = if name == "records" { RECORDS_PER_LINE_MAX } else { ITEMS_MAX };
    if list.len() <= most { Ok(list) } else { Err(format!("{name}: more than {most}")) }
}

impl core::fmt::Debug for Feed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Feed").field("author", &self.author).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Fed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Fed").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Line {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Line").field("versions", &self.versions.len()).finish_non_exhaustive()
    }
}
