//! What the policy said about one vector of facts.

use crate::code::field_group::FieldGroups;

/// Why nothing may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Denial {
    /// The asker has no tie to the person (関係なし). Told before anything else is looked at, and the
    /// same whatever is asked for.
    #[error("no relationship to the person")]
    Unrelated,
    /// The asker is tied to the person, but the policy does not let them see this.
    #[error("the policy does not permit it")]
    NotPermitted,
    /// A rule failed to evaluate. Nothing is shown rather than a rule skipped; somebody must be alarmed.
    #[error("the policy is broken")]
    PolicyBroken,
}

/// What may be seen, or why nothing, and the rules that said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// The field groups that may be seen, or why none.
    pub verdict: Result<FieldGroups, Denial>,
    /// The ids of the policies that decided, sorted, each once. Empty if nobody permitted it.
    pub reasons: Vec<String>,
}

impl Ruling {
    /// A denial for which no policy stands.
    pub(super) const fn denied(denial: Denial) -> Self {
        Self { verdict: Err(denial), reasons: Vec::new() }
    }
}
