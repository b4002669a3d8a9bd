//! The oracle (神託): the rules of who sees what told a second time, slowly and plainly, after the table in DOMAIN
//! §1.3. It shares no code with the policy it is held against: of `protocol` it knows ids and record kinds only.

use std::collections::BTreeMap;

use protocol::code::record_kind::RecordKind;
use protocol::id::party::{PartyId, PartyKind};
use protocol::id::person::PersonId;

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
    /// How the wish to erase something of a person must end.
    pub fn foretell_erasing(&self, asker: &PartyId, asking: Asking, person: &PersonId) -> Expected {
        let is_own = asker.kind() == PartyKind::Insurer && asker.number() == person.insurer().to_string();
        if is_own && asking == Asking::Officer { Expected::Erased } else { Expected::Refused }
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
