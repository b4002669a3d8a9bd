//! Who may see what: the policy is data that auditors read, this module asks it.
//!
//! Nothing here decides around the policy, with one rule before it: without a tie to the person, and
//! without an emergency, every asker gets one and the same answer. The only maker of a [`Permit`]
//! is [`authorise`], and reading a record needs one; that of a [`WritePermit`] is [`authorise_writing`].

pub mod bounds;
pub mod judge;
pub mod ruling;
mod shipped;

use crate::code::act::Act;
use crate::code::field_group::FieldGroups;
use crate::code::record_kind::RecordKind;
use crate::digest::Digest;
use crate::fact::vector::Facts;
use crate::id::person::PersonId;
use judge::Judge;
use ruling::Denial;

/// The permission to read one kind of record of one person, with what of it may be shown.
pub struct Permit {
    person: PersonId,
    kind: RecordKind,
    groups: FieldGroups,
    policy: Digest,
    reasons: Vec<String>,
}

/// Asks the policy whether `kind` of `person` may be read under `facts`. `kind` stands in the place of
/// the vector's own, so that one vector serves a question about several kinds.
///
/// # Errors
/// The [`Denial`] of the policy.
pub fn authorise(judge: &mut Judge, facts: &Facts, person: &PersonId, kind: RecordKind) -> Result<Permit, Denial> {
    let ruling = judge.judge(&Facts { kind, ..*facts });
    let groups = ruling.verdict?;
    Ok(Permit::new(person.clone(), kind, groups, judge.digest_in_force(), ruling.reasons))
}

/// The permission to add versions of one kind of record of one person.
pub struct WritePermit {
    person: PersonId,
    kind: RecordKind,
    reasons: Vec<String>,
}

/// Asks the policy whether versions of `kind` of `person` may be written under `facts`, as [`authorise`] does for
/// reading.
///
/// # Errors
/// The [`Denial`] of the policy.
pub fn authorise_writing(
    judge: &mut Judge,
    facts: &Facts,
    person: &PersonId,
    kind: RecordKind,
) -> Result<WritePermit, Denial> {
    let ruling = judge.judge_act(Act::Write, &Facts { kind, ..*facts });
    ruling.verdict?;
    Ok(WritePermit { person: person.clone(), kind, reasons: ruling.reasons })
}

/// Asks the policy whether what is kept may be erased under `facts`: the ids of the policies that permit it.
///
/// # Errors
/// The [`Denial`] of the policy.
pub fn authorise_erasing(judge: &mut Judge, facts: &Facts) -> Result<Vec<String>, Denial> {
    let ruling = judge.judge_act(Act::Erase, facts);
    ruling.verdict.map(|_groups| ruling.reasons)
}

impl WritePermit {
    /// Whose record may be written.
    pub const fn person(&self) -> &PersonId {
        &self.person
    }

    /// Which kind of it.
    pub const fn kind(&self) -> RecordKind {
        self.kind
    }

    /// The ids of the policies that decided, sorted.
    pub fn reasons(&self) -> &[String] {
        &self.reasons
    }
}

impl core::fmt::Debug for WritePermit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WritePermit")
            .field("person", &"[redacted]")
            .field("kind", &self.kind)
            .field("reasons", &self.reasons)
            .finish()
    }
}

impl Permit {
    fn new(person: PersonId, kind: RecordKind, groups: FieldGroups, policy: Digest, reasons: Vec<String>) -> Self {
        Self { person, kind, groups, policy, reasons }
    }

    /// Whose record may be read.
    pub const fn person(&self) -> &PersonId {
        &self.person
    }

    /// Which kind of it.
    pub const fn kind(&self) -> RecordKind {
        self.kind
    }

    /// Which groups of its fields may be shown.
    pub const fn groups(&self) -> FieldGroups {
        self.groups
    }

    /// The digest of all policies in force, the insurer's own included.
    pub const fn policy(&self) -> Digest {
        self.policy
    }

    /// The ids of the policies that decided, sorted.
    pub fn reasons(&self) -> &[String] {
        &self.reasons
    }
}

impl core::fmt::Debug for Permit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Permit")
            .field("person", &"[redacted]")
            .field("kind", &self.kind)
            .field("groups", &self.groups)
            .field("policy", &self.policy)
            .field("reasons", &self.reasons)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::field_group::FieldGroup;
    use crate::code::job::Job;
    use crate::code::purpose::Purpose;
    use crate::fact::Nature;
    use crate::fact::vector::{ConsentState, ProtectionState, ServiceClass};
    use crate::id::party::PartyKind;

    #[test]
    fn a_permit_names_what_was_permitted_and_not_the_person_in_debug() {
        let person = PersonId::parse("131235:0000123456").unwrap();
        let facts = Facts {
            role: PartyKind::Office,
            own_insurer: false,
            service: ServiceClass::Care,
            job: Job::CareWorker,
            purpose: Purpose::ServiceProvision,
            kind: RecordKind::CertificationSurvey,
            relationship: Some(Nature::Service),
            consent: ConsentState::Withdrawn,
            protection: ProtectionState::None,
            staff_proven: false,
            disaster: false,
            by_self: false,
        };
        let mut judge = Judge::shipped();
        let permit = authorise(&mut judge, &facts, &person, RecordKind::InsuranceCard).unwrap();
        assert_eq!((permit.person(), permit.kind()), (&person, RecordKind::InsuranceCard));
        assert_eq!(permit.groups(), FieldGroups::ALL.without(FieldGroup::Content).without(FieldGroup::Narrative));
        assert_eq!(permit.policy(), judge.digest());
        let reasons = ["1.3/card-offices", "1.3/reading-shows-all-groups", "7.19/no-consent-hides-content"];
        assert_eq!(permit.reasons(), reasons);
        assert!(!format!("{permit:?}").contains(person.insured().expose()));
        let survey = authorise(&mut judge, &facts, &person, RecordKind::CertificationSurvey);
        assert_eq!(survey.err(), Some(Denial::NotPermitted));
    }
}
