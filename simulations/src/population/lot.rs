//! The special lots: what a population too small for rare cases would lack is dealt to a few persons
//! by their place, so that every plan has them.

use super::setting::Setting;

/// A special lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lot {
    /// Under protection (支援措置) and living at home.
    Protected,
    /// Never consented.
    WithoutConsent,
    /// Consented, then withdrew.
    ConsentWithdrawn,
    /// Insured under 65 (第2号).
    UnderSixtyFive,
    /// On public assistance without medical insurance (みなし2号).
    AssistanceOnly,
    /// Has applied for a renewal that is not yet decided.
    RenewalPending,
    /// Lives in a facility.
    InFacility,
}

/// The lots in the order they are dealt.
const LOTS: [Lot; 12] = [
    Lot::Protected,
    Lot::WithoutConsent,
    Lot::RenewalPending,
    Lot::Protected,
    Lot::WithoutConsent,
    Lot::UnderSixtyFive,
    Lot::WithoutConsent,
    Lot::ConsentWithdrawn,
    Lot::InFacility,
    Lot::AssistanceOnly,
    Lot::Protected,
    Lot::RenewalPending,
];

impl Lot {
    /// How many are dealt in a plan, if it has as many persons.
    pub(super) fn count() -> u64 {
        u64::try_from(LOTS.len()).unwrap_or_default()
    }

    /// The lot of the person `index`, if there is one.
    pub(super) fn of(setting: &Setting, index: u64) -> Option<Self> {
        let (first, apart) = setting.lots;
        // Counted from the first around the circle of all persons.
        let distance = (index + setting.persons).checked_sub(first)? % setting.persons.max(1);
        distance.is_multiple_of(apart).then(|| LOTS.get(usize::try_from(distance / apart).ok()?).copied())?
    }
}
