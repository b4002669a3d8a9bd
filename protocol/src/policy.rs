//! Who may see what: the policy is data that auditors read, this module asks it.
//!
//! Nothing here decides around the policy, with one rule before it: without a tie to the person, and
//! without an emergency, every asker gets one and the same answer. The only maker of a [`Permit`]
//! is [`authorise`], and reading a record needs one.

pub mod bounds;
pub mod judge;
pub mod ruling;
mod shipped;

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
