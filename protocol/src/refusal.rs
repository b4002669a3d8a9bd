//! Every way to say no. A refusal is an expected end of a verified request: it is ledgered exactly and
//! told coarsely, so that the asker cannot tell an unknown person from one it may not see.

use minicbor::{Decode, Encode};

/// Why a verified request was refused, exactly. Numbered for the ledger; numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, thiserror::Error)]
#[cbor(index_only)]
pub enum Refusal {
    /// Its lifetime is over, or its instant of issue is too far from our clock.
    #[n(1)]
    #[error("the request is not fresh")]
    NotFresh,
    /// The exchange id was used before for another request.
    #[n(2)]
    #[error("the exchange id was used for another request")]
    ExchangeReused,
    /// Issued before the instant up to which replay memory was pruned.
    #[n(3)]
    #[error("the request is older than our memory of exchanges")]
    BeforeMemory,
    /// A repeat of an answered request, but the answer would be narrower by now.
    #[n(4)]
    #[error("what was permitted has narrowed since the first answer")]
    Narrowed,
    /// The question is not one that this kind of member answers.
    #[n(5)]
    #[error("this member does not answer such questions")]
    NotOurs,
    /// No relationship between organisation and person in force, or no such person.
    #[n(6)]
    #[error("no relationship between organisation and person")]
    Unrelated,
    /// Related, but the policy does not permit this reading.
    #[n(7)]
    #[error("the policy does not permit it")]
    NotPermitted,
    /// The policy could not be evaluated. Alarmed.
    #[n(8)]
    #[error("the policy could not be evaluated")]
    PolicyBroken,
    /// The asker used up its budget.
    #[n(9)]
    #[error("the budget is used up")]
    OverBudget,
    /// The organisation does not take part yet.
    #[n(10)]
    #[error("the insurer does not take part yet")]
    NotParticipating,
    /// Our clock is not to be trusted.
    #[n(11)]
    #[error("our clock is uncertain")]
    ClockUncertain,
    /// The asker's key or credential stopped standing between verification and decision.
    #[n(12)]
    #[error("the asker's key or credential no longer stands")]
    NoLongerStanding,
    /// What was submitted breaks a rule.
    #[n(13)]
    #[error("what was submitted breaks a rule")]
    NotAcceptable,
    /// Our roster or pulse is too old to decide by.
    #[n(14)]
    #[error("our roster or pulse is out of date")]
    OutOfDate,
    /// The answer would be longer than an answer may be.
    #[n(15)]
    #[error("the answer would be too long")]
    TooLong,
    /// A repeat of an answered request, but what was answered has been replaced or withdrawn since.
    #[n(16)]
    #[error("what was answered has been replaced since")]
    Superseded,
    /// No quorum of witnesses has cosigned our ledger for too long.
    #[n(17)]
    #[error("no quorum of witnesses has cosigned for too long")]
    Unwitnessed,
}

/// What the asker hears: one of few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Told {
    /// Not permitted, for whatever reason, or nobody of that number.
    #[n(1)]
    NotPermitted,
    /// Ask again with a fresh request.
    #[n(2)]
    NotFresh,
    /// The exchange id was used before.
    #[n(3)]
    ExchangeReused,
    /// Ask somebody else.
    #[n(4)]
    NotOurs,
    /// Too many questions; wait.
    #[n(5)]
    OverBudget,
    /// A fault on our side; ask later.
    #[n(6)]
    Fault,
    /// What was submitted breaks a rule.
    #[n(7)]
    NotAcceptable,
    /// The answer would be too long: ask for fewer kinds.
    #[n(8)]
    TooLong,
    /// No quorum of witnesses for a day: only cards, emergencies and the person's own view are answered.
    #[n(9)]
    Unwitnessed,
}

impl Refusal {
    /// The word the asker hears.
    pub const fn told(self) -> Told {
        match self {
            Self::NotFresh | Self::BeforeMemory | Self::Superseded => Told::NotFresh,
            Self::ExchangeReused => Told::ExchangeReused,
            Self::NotOurs | Self::NotParticipating => Told::NotOurs,
            Self::Unrelated | Self::NotPermitted | Self::Narrowed | Self::NoLongerStanding => Told::NotPermitted,
            Self::OverBudget => Told::OverBudget,
            Self::PolicyBroken | Self::ClockUncertain | Self::OutOfDate => Told::Fault,
            Self::NotAcceptable => Told::NotAcceptable,
            Self::TooLong => Told::TooLong,
            Self::Unwitnessed => Told::Unwitnessed,
        }
    }
}

impl Told {
    /// The stable word in the office API and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotPermitted => "not-permitted",
            Self::NotFresh => "not-fresh",
            Self::ExchangeReused => "exchange-reused",
            Self::NotOurs => "not-ours",
            Self::OverBudget => "over-budget",
            Self::Fault => "fault",
            Self::NotAcceptable => "not-acceptable",
            Self::TooLong => "too-long",
            Self::Unwitnessed => "unwitnessed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_cannot_tell_an_unknown_person_from_a_forbidden_one() {
        assert_eq!(Refusal::Unrelated.told(), Refusal::NotPermitted.told());
        assert_eq!(Refusal::Unrelated.told(), Refusal::Narrowed.told());
    }
}
