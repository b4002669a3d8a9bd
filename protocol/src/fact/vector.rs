//! The vector of facts a ruling is made from: closed enums, small enough to be the key of a memory.
//!
//! It names no person, no organisation and no day; two questions with one vector have one ruling.

use super::{Consent, Nature, Protection};
use crate::code::job::Job;
use crate::code::purpose::Purpose;
use crate::code::record_kind::RecordKind;
use crate::code::service::ServiceKind;
use crate::date::Date;
use crate::id::party::PartyKind;

/// What an office does for the person it asks about, as the policy distinguishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceClass {
    /// No care service: insurers, hospitals, and offices without a service kind.
    None,
    /// Makes plans for people at home (居宅介護支援, 介護予防支援, 小規模多機能型).
    CarePlanning,
    /// Houses people and makes their plans (施設, 特定施設, グループホーム).
    Facility,
    /// Lends or sells equipment, or alters houses (福祉用具, 住宅改修).
    Equipment,
    /// Any other service (訪問, 通所, 短期入所 …).
    Care,
}

/// Whether the person's consent (同意) stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConsentState {
    /// Given, and standing.
    Given,
    /// Never given for this record kind.
    Absent,
    /// Given and withdrawn since.
    Withdrawn,
}

/// Whether the person is protected (支援措置).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProtectionState {
    /// No.
    None,
    /// Places and contacts are hidden (不開示該当フラグ).
    Protected,
    /// The same, and the person's own page is closed (自己情報提供不可フラグ).
    Withheld,
}

/// Everything the policy may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Facts {
    /// What the asking organisation is to the network.
    pub role: PartyKind,
    /// Whether it is the insurer that keeps the record.
    pub own_insurer: bool,
    /// What it does for the person.
    pub service: ServiceClass,
    /// The job of the member of staff who asks.
    pub job: Job,
    /// What for.
    pub purpose: Purpose,
    /// What is asked for.
    pub kind: RecordKind,
    /// The tie between organisation and person in force.
    pub relationship: Option<Nature>,
    /// Whether consent stands for this record kind.
    pub consent: ConsentState,
    /// Whether the person is protected.
    pub protection: ProtectionState,
    /// Whether the member of staff gave a proof of their own, not only their office's word.
    pub staff_proven: bool,
    /// Whether a disaster is declared for the area of the insurer.
    pub disaster: bool,
    /// Whether the person themself asks (本人), authenticated by their own insurer.
    pub by_self: bool,
}

impl Facts {
    /// Whether an officer of the person's own insurer asks (保険者職員).
    pub fn is_officer(&self) -> bool {
        self.role == PartyKind::Insurer && self.own_insurer && !self.by_self && self.job == Job::MunicipalOfficer
    }

    /// Whether the question claims an emergency or a disaster (break-glass, 緊急・災害). Whether the
    /// claim is accepted is for the policy to say.
    pub const fn is_break_glass(&self) -> bool {
        self.purpose.breaks_glass()
    }

    /// Whether the asker has nothing to do with the person: no tie, not their insurer's officer, not
    /// the person.
    pub fn is_stranger(&self) -> bool {
        self.relationship.is_none() && !self.by_self && !self.is_officer()
    }
}

impl ServiceClass {
    /// All classes.
    pub const ALL: [Self; 5] = [Self::None, Self::CarePlanning, Self::Facility, Self::Equipment, Self::Care];

    /// Its word in the policy.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::CarePlanning => "care-planning",
            Self::Facility => "facility",
            Self::Equipment => "equipment",
            Self::Care => "care",
        }
    }

    /// The class of an office with these service kinds (サービス種類) towards a person it is tied to by
    /// `tie`: one office number may stand for several services, and the tie says which one counts.
    pub fn of(kinds: &[ServiceKind], tie: Option<Nature>) -> Self {
        let classes = || kinds.iter().map(|kind| Self::of_code(kind.as_str()));
        let wanted = match tie {
            Some(Nature::CarePlanning) => Some(Self::CarePlanning),
            Some(Nature::FacilityPlanning) => Some(Self::Facility),
            Some(Nature::OpinionOrder | Nature::Service) | None => None,
        };
        wanted.filter(|class| classes().any(|it| it == *class)).or_else(|| classes().min()).unwrap_or(Self::None)
    }

    fn of_code(code: &str) -> Self {
        match code {
            "43" | "46" | "AF" | "73" | "75" | "77" => Self::CarePlanning,
            "32" | "33" | "35" | "36" | "37" | "51" | "52" | "53" | "54" | "55" => Self::Facility,
            "17" | "67" | "41" | "44" | "42" | "45" => Self::Equipment,
            _ => Self::Care,
        }
    }
}

impl ConsentState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Given, Self::Absent, Self::Withdrawn];

    /// Its word in the policy.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Absent => "absent",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// What the consents amount to for `kind` on `day`. A withdrawal ends every consent given up to
    /// that day, whoever took it; only a later one opens again.
    pub fn on(consents: &[Consent], kind: RecordKind, day: Date) -> Self {
        let heard = || consents.iter().filter(|it| it.on <= day && it.scope.covers(kind));
        let withdrawn = heard().filter_map(|it| it.withdrawn).filter(|until| *until <= day).max();
        let stands =
            heard().any(|it| it.withdrawn.is_none_or(|until| day < until) && withdrawn.is_none_or(|last| last < it.on));
        match (stands, withdrawn) {
            (true, _) => Self::Given,
            (false, Some(_)) => Self::Withdrawn,
            (false, None) => Self::Absent,
        }
    }
}

impl ProtectionState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::None, Self::Protected, Self::Withheld];

    /// Its word in the policy.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Protected => "protected",
            Self::Withheld => "withheld",
        }
    }

    /// What the protections amount to on `day`: the strictest one in force.
    pub fn on(protections: &[Protection], day: Date) -> Self {
        let strictness = |it: &Protection| if it.withheld_from_self { Self::Withheld } else { Self::Protected };
        protections.iter().filter(|it| it.is_in_force(day)).map(strictness).max().unwrap_or(Self::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Relationship, Scope};
    use crate::id::party::PartyId;

    fn day(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    fn office() -> PartyId {
        PartyId::parse("office:1370101238").unwrap()
    }

    fn consent(on: &str, scope: Scope, withdrawn: Option<&str>) -> Consent {
        Consent { taken_by: office(), on: day(on), scope, withdrawn: withdrawn.map(day) }
    }

    #[test]
    fn a_tie_holds_from_its_first_day_to_the_day_before_its_end() {
        let tie = |nature, from, until: Option<&str>| Relationship {
            party: office(),
            nature,
            from: day(from),
            until: until.map(day),
        };
        let ties =
            [tie(Nature::Service, "2026-04-01", None), tie(Nature::CarePlanning, "2026-05-01", Some("2026-06-01"))];
        for (on, nature) in [
            ("2026-03-31", None),
            ("2026-04-01", Some(Nature::Service)),
            ("2026-05-01", Some(Nature::CarePlanning)),
            ("2026-05-31", Some(Nature::CarePlanning)),
            ("2026-06-01", Some(Nature::Service)),
        ] {
            assert_eq!(Nature::in_force(&ties, &office(), day(on)), nature, "{on}");
        }
        let other = PartyId::parse("office:1370101246").unwrap();
        assert_eq!(Nature::in_force(&ties, &other, day("2026-05-01")), None);
    }

    #[test]
    fn a_withdrawal_ends_every_consent_before_it_until_a_new_one() {
        let consents = [
            consent("2026-01-01", Scope::All, None),
            consent("2026-02-01", Scope::Kinds(vec![RecordKind::CarePlan]), Some("2026-03-01")),
            consent("2026-05-01", Scope::All, None),
        ];
        let state = |kind, on| ConsentState::on(&consents, kind, day(on));
        assert_eq!(state(RecordKind::CarePlan, "2025-12-31"), ConsentState::Absent);
        assert_eq!(state(RecordKind::CarePlan, "2026-02-28"), ConsentState::Given);
        assert_eq!(state(RecordKind::CarePlan, "2026-03-01"), ConsentState::Withdrawn);
        assert_eq!(state(RecordKind::DoctorsOpinion, "2026-03-01"), ConsentState::Given);
        assert_eq!(state(RecordKind::CarePlan, "2026-05-01"), ConsentState::Given);
    }

    #[test]
    fn the_strictest_protection_in_force_counts() {
        let span = |from, until: Option<&str>, undisclosed, withheld_from_self| Protection {
            from: day(from),
            until: until.map(day),
            undisclosed,
            withheld_from_self,
        };
        let spans = [
            span("2026-01-01", None, true, false),
            span("2026-02-01", Some("2026-03-01"), false, true),
            span("2025-01-01", None, false, false),
        ];
        assert_eq!(ProtectionState::on(&spans, day("2025-06-01")), ProtectionState::None);
        assert_eq!(ProtectionState::on(&spans, day("2026-01-01")), ProtectionState::Protected);
        assert_eq!(ProtectionState::on(&spans, day("2026-02-01")), ProtectionState::Withheld);
        assert_eq!(ProtectionState::on(&spans, day("2026-03-01")), ProtectionState::Protected);
    }

    #[test]
    fn the_tie_says_which_service_of_an_office_counts() {
        let kinds = |codes: &[&str]| codes.iter().map(|code| ServiceKind::parse(code).unwrap()).collect::<Vec<_>>();
        let both = kinds(&["43", "51"]);
        assert_eq!(ServiceClass::of(&both, Some(Nature::FacilityPlanning)), ServiceClass::Facility);
        assert_eq!(ServiceClass::of(&both, Some(Nature::CarePlanning)), ServiceClass::CarePlanning);
        assert_eq!(ServiceClass::of(&kinds(&["11", "17"]), Some(Nature::Service)), ServiceClass::Equipment);
        assert_eq!(ServiceClass::of(&kinds(&["11"]), Some(Nature::CarePlanning)), ServiceClass::Care);
        assert_eq!(ServiceClass::of(&[], None), ServiceClass::None);
    }

    #[test]
    fn stored_facts_come_back_from_their_bytes() {
        let given = consent("2026-02-01", Scope::Kinds(vec![RecordKind::CarePlan]), Some("2026-03-01"));
        assert_eq!(crate::cbor::decode::<Consent>(&crate::cbor::encode(&given)), Ok(given));
        let all = consent("2026-02-01", Scope::All, None);
        assert_eq!(crate::cbor::decode::<Consent>(&crate::cbor::encode(&all)), Ok(all));
        let tie = Relationship { party: office(), nature: Nature::OpinionOrder, from: day("2026-02-01"), until: None };
        assert_eq!(crate::cbor::decode::<Relationship>(&crate::cbor::encode(&tie)), Ok(tie));
    }
}
