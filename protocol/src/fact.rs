//! What an insurer has stored about who may ask for whom, and what that amounts to on a day.
//!
//! These are facts, not decisions: nothing here says what may be seen. [`vector::Facts`] is what the
//! policy is asked about; the stored facts below yield parts of it. Every span is half open: a fact
//! with `until` is no longer in force on that day.

pub mod vector;

use minicbor::{Decode, Encode};

use crate::code::record_kind::RecordKind;
use crate::date::Date;
use crate::id::party::PartyId;

/// What ties an organisation to a person, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Nature {
    /// The person named this office for their care plan (居宅サービス計画作成依頼届出).
    #[n(0)]
    CarePlanning,
    /// This facility makes the plan of the person who lives in it (施設の計画作成).
    #[n(1)]
    FacilityPlanning,
    /// The insurer ordered a doctor's opinion from this hospital (主治医意見書作成依頼).
    #[n(2)]
    OpinionOrder,
    /// A contract, or claims month by month (契約・請求).
    #[n(3)]
    Service,
}

/// One tie between an organisation and a person.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Relationship {
    /// The organisation.
    #[n(0)]
    pub party: PartyId,
    /// What ties it to the person.
    #[n(1)]
    pub nature: Nature,
    /// The first day in force.
    #[n(2)]
    pub from: Date,
    /// The first day no longer in force; without it, until further notice.
    #[n(3)]
    pub until: Option<Date>,
}

/// What a consent (同意) is about.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Scope {
    /// Every record kind.
    #[n(0)]
    All,
    /// These record kinds and no other.
    #[n(1)]
    Kinds(#[n(0)] Vec<RecordKind>),
}

/// One consent of the person (同意), and its withdrawal.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Consent {
    /// Who took it: the insurer, the care-planning office or a service office.
    #[n(0)]
    pub taken_by: PartyId,
    /// The first day it holds.
    #[n(1)]
    pub on: Date,
    /// What it is about.
    #[n(2)]
    pub scope: Scope,
    /// The first day it no longer holds.
    #[n(3)]
    pub withdrawn: Option<Date>,
}

/// One span of protection from a violent household member and the like (支援措置).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Protection {
    /// The first day in force.
    #[n(0)]
    pub from: Date,
    /// The first day no longer in force; without it, until further notice.
    #[n(1)]
    pub until: Option<Date>,
    /// Places and contacts are shown to nobody outside the insurer (不開示該当フラグ).
    #[n(2)]
    pub undisclosed: bool,
    /// In addition nothing is shown on the person's own page (自己情報提供不可フラグ): who opens it may
    /// not be the person.
    #[n(3)]
    pub withheld_from_self: bool,
}

impl Nature {
    /// All natures, the strongest first.
    pub const ALL: [Self; 4] = [Self::CarePlanning, Self::FacilityPlanning, Self::OpinionOrder, Self::Service];

    /// Its word in the policy.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CarePlanning => "care-planning",
            Self::FacilityPlanning => "facility-planning",
            Self::OpinionOrder => "opinion-order",
            Self::Service => "service",
        }
    }

    /// The strongest tie of `party` in force on `day`.
    pub fn in_force(ties: &[Relationship], party: &PartyId, day: Date) -> Option<Self> {
        ties.iter().filter(|tie| tie.party == *party && tie.is_in_force(day)).map(|tie| tie.nature).min()
    }
}

impl Relationship {
    /// Whether the tie is in force on `day`.
    pub fn is_in_force(&self, day: Date) -> bool {
        spans(self.from, self.until, day)
    }
}

impl Scope {
    /// Whether `kind` is among what was consented to.
    pub fn covers(&self, kind: RecordKind) -> bool {
        match self {
            Self::All => true,
            Self::Kinds(kinds) => kinds.contains(&kind),
        }
    }
}

impl Protection {
    /// Whether the protection is in force on `day`. With neither flag set it protects nothing.
    pub fn is_in_force(&self, day: Date) -> bool {
        (self.undisclosed || self.withheld_from_self) && spans(self.from, self.until, day)
    }
}

fn spans(from: Date, until: Option<Date>, day: Date) -> bool {
    from <= day && until.is_none_or(|until| day < until)
}
