//! The oracle (神託): the rules of who sees what told a second time, slowly and plainly, after the table in DOMAIN
//! §1.3, and which version of a record holds on a day. It shares no code with what it is held against: of `protocol` it
//! knows ids, dates and record kinds only.

use std::collections::{BTreeMap, BTreeSet};

use protocol::code::record_kind::RecordKind;
use protocol::date::Date;
use protocol::id::party::{PartyId, PartyKind};
use protocol::id::person::PersonId;
use protocol::record::version::RecordId;

/// What is true of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Whether they consented to being looked up.
    pub consents: bool,
    /// Whether where they are is protected (支援措置).
    pub is_protected: bool,
    /// The office that plans their care.
    pub planner: Option<PartyId>,
    /// The office that gives them a service.
    pub server: Option<PartyId>,
    /// The hospital an opinion was ordered from.
    pub doctor: Option<PartyId>,
    /// What their insurer was told over time, in the order in which it was told.
    pub told: Vec<Told>,
}

/// A version of a record as an insurer was told it (伝えられた版).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What kind of record.
    pub kind: RecordKind,
    /// The record.
    pub id: RecordId,
    /// Which of its versions.
    pub number: u32,
    /// The first day it holds.
    pub from: Date,
    /// The last day it holds; none if open.
    pub to: Option<Date>,
    /// Whether it takes the record back (取消).
    pub is_cancelled: bool,
    /// Another record whose place it takes.
    pub replaces: Option<RecordId>,
    /// When the insurer took it in, in milliseconds since 1970; none while nobody knows.
    pub since_ms: Option<u64>,
}

/// Who of an organisation asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asking {
    /// A care manager, to plan care.
    CareManager,
    /// A care worker, to give a service.
    CareWorker,
    /// A doctor, to write an opinion.
    Doctor,
    /// An officer, to certify.
    Officer,
}

impl Asking {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::CareManager, Self::CareWorker, Self::Doctor, Self::Officer];
}

/// How a question must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expected {
    /// The record is shown.
    Shown {
        /// With what it is about.
        content: bool,
        /// With free text.
        narrative: bool,
        /// With addresses, offices and whereabouts.
        places: bool,
    },
    /// Nothing is shown or kept, and not said why.
    Refused,
    /// What was submitted is kept.
    Kept,
    /// What was submitted is not kept, and said why.
    NotKept,
    /// What was kept is erased.
    Erased,
}

/// What is true of everybody.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    truths: BTreeMap<PersonId, Truth>,
}

impl Oracle {
    /// From now on this is true of a person.
    pub fn learn(&mut self, person: PersonId, truth: Truth) {
        self.truths.insert(person, truth);
    }

    /// From now on nothing is true of a person.
    pub fn forget(&mut self, person: &PersonId) {
        self.truths.remove(person);
    }

    /// Whatever was told of anybody and not noted yet was taken in at this instant.
    pub fn note(&mut self, at_ms: u64) {
        for told in self.truths.values_mut().flat_map(|truth| &mut truth.told) {
            told.since_ms.get_or_insert(at_ms);
        }
    }

    /// What is true of a person.
    pub fn truth(&self, person: &PersonId) -> Option<&Truth> {
        self.truths.get(person)
    }

    /// How a question about one kind of record must end.
    pub fn foretell(&self, asker: &PartyId, asking: Asking, person: &PersonId, kind: RecordKind) -> Expected {
        let Some(truth) = self.truths.get(person) else { return Expected::Refused };
        if asker.kind() == PartyKind::Insurer {
            let is_own = asker.number() == person.insurer().to_string();
            return if is_own && asking == Asking::Officer { ALL } else { Expected::Refused };
        }
        if !may_read(truth, asker, asking, kind) {
            return Expected::Refused;
        }
        Expected::Shown {
            content: truth.consents,
            narrative: truth.consents && !truth.is_protected,
            places: !truth.is_protected,
        }
    }
}

impl Oracle {
    /// Which version of each record that was told of a person is in force on a day, today if none is named, as was known at
    /// an instant in milliseconds since 1970, now if none is named. None if that is too near to when something was told.
    pub fn foretell_versions(
        &self,
        person: &PersonId,
        kind: RecordKind,
        on: Option<Date>,
        by_ms: Option<u64>,
    ) -> Option<BTreeMap<RecordId, Option<u32>>> {
        let mut newest: BTreeMap<RecordId, Option<&Told>> = BTreeMap::new();
        let mut replaced = BTreeSet::new();
        for told in self.truths.get(person)?.told.iter().filter(|told| told.kind == kind) {
            let newest = newest.entry(told.id).or_default();
            let since = told.since_ms?;
            if by_ms.is_some_and(|by| by.abs_diff(since) < UNSURE_MS) {
                return None;
            }
            let is_known = by_ms.is_none_or(|by| by > since);
            if is_known {
                replaced.extend(told.replaces);
            }
            if is_known && newest.is_none_or(|before| before.number < told.number) {
                *newest = Some(told);
            }
        }
        // All that ends has ended before these worlds begin.
        let holds = |told: &Told| match on {
            Some(on) => told.from <= on && told.to.is_none_or(|last| on <= last),
            None => told.to.is_none(),
        };
        let counts = |told: &&Told| !told.is_cancelled && !replaced.contains(&told.id) && holds(told);
        Some(newest.into_iter().map(|(id, told)| (id, told.filter(counts).map(|told| told.number))).collect())
    }

    /// How the wish to erase something of a person must end.
    pub fn foretell_erasing(&self, asker: &PartyId, asking: Asking, person: &PersonId) -> Expected {
        let is_own = asker.kind() == PartyKind::Insurer && asker.number() == person.insurer().to_string();
        let is_known = self.truths.contains_key(person);
        if is_known && is_own && asking == Asking::Officer { Expected::Erased } else { Expected::Refused }
    }

    /// How the submission of a record of one kind must end; `amends` is who wrote what it corrects, if it does.
    pub fn foretell_writing(
        &self,
        (asker, asking): (&PartyId, Asking),
        person: &PersonId,
        kind: RecordKind,
        amends: Option<&PartyId>,
    ) -> Expected {
        let Some(truth) = self.truths.get(person) else { return Expected::Refused };
        if asker.kind() == PartyKind::Insurer {
            let is_own = asker.number() == person.insurer().to_string();
            if !(is_own && asking == Asking::Officer) {
                return Expected::Refused;
            }
            // Everybody here is certified and pays a share without end: a second one overlaps.
            let overlaps = matches!(kind, RecordKind::CertificationResult | RecordKind::BurdenRatioCard);
            return if overlaps { Expected::NotKept } else { Expected::Kept };
        }
        if !may_write(truth, asker, asking, kind) {
            return Expected::Refused;
        }
        // Everybody here is certified to need care, so a plan for one who needs support contradicts what was decided.
        let contradicts = kind == RecordKind::PreventionPlan;
        let is_own = amends.is_none_or(|author| author == asker);
        if is_own && !contradicts { Expected::Kept } else { Expected::NotKept }
    }
}

/// How far the clock of an insurer may be from everybody's: nearer to when something was told nobody knows what was known.
const UNSURE_MS: u64 = 900_000;

const ALL: Expected = Expected::Shown { content: true, narrative: true, places: true };

/// Who writes what, in what each of them asks for.
fn may_write(truth: &Truth, asker: &PartyId, asking: Asking, kind: RecordKind) -> bool {
    match kind {
        RecordKind::CarePlan
        | RecordKind::ServiceUsePlan
        | RecordKind::PreventionPlan
        | RecordKind::CareConference
        | RecordKind::SupportCourse => truth.planner.as_ref() == Some(asker) && asking == Asking::CareManager,
        RecordKind::LifeAssessment => truth.server.as_ref() == Some(asker) && asking == Asking::CareWorker,
        RecordKind::DoctorsOpinion => truth.doctor.as_ref() == Some(asker) && asking == Asking::Doctor,
        // A care manager hands in slips and applications for another purpose than these worlds' care managers have.
        _ => false,
    }
}

/// The table, row by row.
fn may_read(truth: &Truth, asker: &PartyId, asking: Asking, kind: RecordKind) -> bool {
    let plans = truth.planner.as_ref() == Some(asker);
    let serves = truth.server.as_ref() == Some(asker);
    let writes_opinion = truth.doctor.as_ref() == Some(asker);
    match kind {
        RecordKind::CertificationSurvey
        | RecordKind::CertificationResult
        | RecordKind::CareConference
        | RecordKind::SupportCourse => plans && asking == Asking::CareManager,
        RecordKind::DoctorsOpinion => {
            plans && asking == Asking::CareManager || writes_opinion && asking == Asking::Doctor
        }
        RecordKind::CertificationProgress => {
            plans && asking == Asking::CareManager || writes_opinion && asking == Asking::Doctor
        }
        RecordKind::InsuranceCard => plans || serves || writes_opinion && truth.consents && asking == Asking::Doctor,
        RecordKind::BurdenRatioCard | RecordKind::BurdenLimitCertificate => plans || serves,
        RecordKind::CarePlan | RecordKind::LifeAssessment | RecordKind::ServiceUsePlan | RecordKind::PreventionPlan => {
            plans || serves || writes_opinion && asking == Asking::Doctor
        }
        // The server of these worlds sells no equipment.
        RecordKind::EquipmentBalance => plans,
        RecordKind::BenefitManagement => plans,
        RecordKind::CertificationApplication
        | RecordKind::RecipientEntry
        | RecordKind::Vaccination
        | RecordKind::HealthScreening
        | RecordKind::MaternalCheckup
        | RecordKind::InfantCheckup
        | RecordKind::MedicalSubsidy
        | RecordKind::InfectiousDiseaseReport
        | RecordKind::CertificateDocument
        | RecordKind::ClaimStatement => false,
    }
}
