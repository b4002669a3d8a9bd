//! Invented persons for a municipality: who they are, how they came to be certified, who cares for
//! them, and their records, in the numbers and shares that the real land has. From one seed, the same
//! bytes on every machine: whole numbers only, one person after the other, nothing kept.
//!
//! No person here is real: the towns, postal codes and telephones do not exist, names are drawn from
//! lists.

mod assessment;
mod cards;
mod certification;
mod claim;
mod conference;
mod course;
mod dice;
mod document;
mod equipment;
mod identity;
mod infection;
mod json;
mod life;
mod lot;
mod motherhood;
mod neighbours;
mod opinion;
mod past;
mod plan;
mod prevention;
mod records;
mod screening;
mod setting;
mod subsidy;
mod survey;
mod use_plan;
mod vaccination;

use std::collections::BTreeSet;
use std::sync::Arc;

use course::Course;
use identity::Identity;
use json::Object;
use life::{Care, Life};
use lot::Lot;
use protocol::code::care_level::CareLevel;
use protocol::code::record_kind::RecordKind;
use protocol::date::Date;
use protocol::id::insured::InsuredNumber;
use protocol::id::insurer::InsurerNumber;
use protocol::id::medical::MedicalInsuranceId;
use protocol::id::party::PartyId;
use setting::Setting;

/// The most months a plan goes back: ten years.
pub const MONTHS_MAX: u32 = 120;

/// What population to invent.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whose persons they are. If it has the number of a municipality, they live there.
    pub insurer: InsurerNumber,
    /// How many insured persons. About one in five is certified.
    pub persons: u64,
    /// The seed: another seed, other persons.
    pub seed: u64,
    /// The day the population is of. Nothing is recorded after it.
    pub today: Date,
    /// The offices that write care plans. If there are none, there are no care plans at home.
    pub offices: Vec<PartyId>,
    /// The offices and facilities that give services.
    pub services: Vec<PartyId>,
    /// The hospitals that write opinions.
    pub hospitals: Vec<PartyId>,
    /// The fewest versions of records a certified person has. Kept up to 20; beyond that as many as 20
    /// certifications since 2000 give.
    pub records_per_person_min: u32,
    /// How many months of what is written each month there are, this one counted: plans of use, slips, statements; and,
    /// over as long, assessments and the cards of each year. From 1 to [`MONTHS_MAX`].
    pub months: u32,
}

/// An invented person.
pub struct Invented {
    setting: Arc<Setting>,
    index: u64,
    identity: Identity,
    course: Course,
    life: Life,
}

/// That the place of a person's home is protected (支援措置).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// The first day.
    pub from: Date,
    /// The last day; none if open.
    pub until: Option<Date>,
}

/// That a person agreed to be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Who took it.
    pub taken_by: PartyId,
    /// On which day.
    pub on: Date,
    /// The day it was withdrawn; none if it stands.
    pub withdrawn: Option<Date>,
}

/// What an organisation is to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nature {
    /// Writes the care plan at home (居宅介護支援).
    CarePlanning,
    /// Gives a service.
    Service,
    /// Was asked for the doctor's opinion (主治医意見書作成依頼).
    OpinionOrder,
    /// Writes the care plan in its own facility (施設サービス計画).
    FacilityPlanning,
}

/// An organisation that has to do with a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relationship {
    /// The organisation.
    pub party: PartyId,
    /// What it is to the person.
    pub nature: Nature,
    /// The first day.
    pub from: Date,
    /// The last day; none if open.
    pub until: Option<Date>,
}

/// A version of a record of an invented person.
#[derive(Clone, PartialEq, Eq)]
pub struct InventedRecord {
    /// What kind of record.
    pub kind: RecordKind,
    /// Its name through all versions: 32 hexadecimal digits.
    pub id: String,
    /// Counts the versions, from 1.
    pub number: u32,
    /// The first day it holds.
    pub valid_from: Date,
    /// The last day it holds; none if open.
    pub valid_to: Option<Date>,
    /// When it was recorded, in milliseconds of Unix time.
    pub recorded_at_ms: u64,
    /// `final`, or `amended` from the second version on.
    pub status: &'static str,
    /// The content, as JSON that [`protocol::record::Record::from_json`] takes.
    pub content: String,
}

/// Fitting persons for a story, each for one part only.
pub struct Cast {
    plan: Plan,
    taken: BTreeSet<u64>,
}

/// All persons of a plan, in the order of their numbers. Each is drawn when asked for.
pub fn persons(plan: &Plan) -> impl Iterator<Item = Invented> + use<> {
    let setting = Arc::new(Setting::new(plan, Lot::count()));
    (0..plan.persons).map(move |index| Invented::draw(&setting, index))
}

impl Invented {
    fn draw(setting: &Arc<Setting>, index: u64) -> Self {
        let lot = Lot::of(setting, index);
        let identity = Identity::draw(setting, index, lot);
        let course = Course::draw(setting, index, &identity, lot);
        let life = Life::draw(setting, index, &identity, &course, lot);
        Self { setting: Arc::clone(setting), index, identity, course, life }
    }

    /// The insurer on the card.
    pub fn insurer(&self) -> InsurerNumber {
        self.setting.insurer
    }

    /// The number on the card.
    pub const fn insured(&self) -> &InsuredNumber {
        &self.identity.insured
    }

    /// The medical insurance; none for those on public assistance.
    pub const fn medical(&self) -> Option<&MedicalInsuranceId> {
        self.identity.medical.as_ref()
    }

    /// The name in kanji, family name first.
    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// The reading of the name in katakana.
    pub fn kana(&self) -> &str {
        &self.identity.kana
    }

    /// The day of birth.
    pub const fn birth_date(&self) -> Date {
        self.identity.birth
    }

    /// Whether the person is a man.
    pub const fn is_man(&self) -> bool {
        self.identity.is_man
    }

    /// The address in one line.
    pub fn address(&self) -> &str {
        &self.identity.address
    }

    /// The postal code: seven digits.
    pub fn postal_code(&self) -> &str {
        &self.identity.postal_code
    }

    /// The telephone number.
    pub fn phone(&self) -> &str {
        &self.identity.phone
    }

    /// The care level of today; none if not certified.
    pub fn care_level(&self) -> Option<CareLevel> {
        self.course.latest().map(|latest| latest.level)
    }

    /// Whether the person uses services.
    pub fn uses_services(&self) -> bool {
        self.life.care != Care::Nowhere
    }

    /// Whether the person uses services and lives at home without those of the community.
    pub fn is_at_home(&self) -> bool {
        self.life.care == Care::Home
    }

    /// Whether the person lives in a facility.
    pub fn is_in_facility(&self) -> bool {
        self.life.care == Care::Facility
    }

    /// Whether a renewal is applied for and not decided.
    pub const fn has_pending_application(&self) -> bool {
        self.course.pending.is_some()
    }

    /// How the person is or was protected.
    pub const fn protection(&self) -> Option<Protection> {
        self.life.protection
    }

    /// The consents, withdrawn ones too.
    pub fn consents(&self) -> &[Consent] {
        &self.life.consents
    }

    /// Whether a consent stands today.
    pub fn has_consented(&self) -> bool {
        self.life.consents.iter().any(|consent| consent.withdrawn.is_none())
    }

    /// Who has to do with the person.
    pub fn relationships(&self) -> &[Relationship] {
        &self.life.relationships
    }

    /// Every version of every record. Written anew at each call, always the same.
    pub fn records(&self) -> Vec<InventedRecord> {
        records::all(self)
    }

    /// The person as one line of the import format: a JSON object without line ends.
    pub fn line(&self) -> String {
        self.line_with(&self.records())
    }

    /// The same with `records` in the place of all of theirs.
    pub fn line_with(&self, records: &[InventedRecord]) -> String {
        let object = Object::new()
            .text("insurer", &self.setting.insurer.to_string())
            .text("insured", self.identity.insured.expose());
        let object = match &self.identity.medical {
            Some(medical) => object.text("medical", &medical.expose()),
            None => object.json("medical", "null"),
        };
        let object = match &self.life.protection {
            Some(protection) => object.object("protection", protection.to_json()),
            None => object.json("protection", "null"),
        };
        object
            .list("consents", self.life.consents.iter().map(Consent::to_json).collect())
            .list("relationships", self.life.relationships.iter().map(Relationship::to_json).collect())
            .list("records", records.iter().map(InventedRecord::to_json).collect())
            .finish()
    }
}

impl Cast {
    /// A cast from the persons of `plan`.
    pub const fn new(plan: Plan) -> Self {
        Self { plan, taken: BTreeSet::new() }
    }

    /// The first person that `fits` and has no part yet.
    pub fn first(&mut self, fits: impl Fn(&Invented) -> bool) -> Option<Invented> {
        let chosen = persons(&self.plan).find(|person| !self.taken.contains(&person.index) && fits(person))?;
        self.taken.insert(chosen.index);
        Some(chosen)
    }
}

impl Nature {
    /// Its word in the import format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CarePlanning => "care-planning",
            Self::Service => "service",
            Self::OpinionOrder => "opinion-order",
            Self::FacilityPlanning => "facility-planning",
        }
    }
}

impl Protection {
    fn to_json(self) -> Object {
        Object::new().date("from", self.from).date_or_null("until", self.until)
    }
}

impl Consent {
    fn to_json(&self) -> Object {
        let taken_by = self.taken_by.to_string();
        Object::new().text("taken_by", &taken_by).date("on", self.on).date_or_null("withdrawn", self.withdrawn)
    }
}

impl Relationship {
    fn to_json(&self) -> Object {
        Object::new()
            .text("party", &self.party.to_string())
            .text("nature", self.nature.as_str())
            .date("from", self.from)
            .date_or_null("until", self.until)
    }
}

impl InventedRecord {
    fn to_json(&self) -> Object {
        Object::new()
            .text("kind", self.kind.as_str())
            .text("id", &self.id)
            .number("number", self.number)
            .date("valid_from", self.valid_from)
            .date_or_null("valid_to", self.valid_to)
            .number("recorded_at_ms", self.recorded_at_ms)
            .text("status", self.status)
            .json("supersedes", "null")
            .json("content", &self.content)
    }
}

impl core::fmt::Debug for Invented {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Invented")
            .field("insurer", &self.setting.insurer)
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl core::fmt::Debug for InventedRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("InventedRecord").field("kind", &self.kind).field("id", &self.id).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Cast {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Cast").field("taken", &self.taken.len()).finish_non_exhaustive()
    }
}
