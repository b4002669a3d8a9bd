//! A scenario (筋書): how large a world, what befalls it, what must have happened at least once. Read from a
//! file that an auditor can read, too. Decides nothing of what is right.

use serde::{Deserialize, Serialize};
use toml::Spanned;

/// A scenario, checked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name, as on the command line.
    pub name: String,
    /// Its name in Japanese.
    pub japanese: String,
    /// Who takes part.
    pub world: Size,
    /// What befalls them.
    pub storm: Storm,
    /// What follows when nothing befalls them any more.
    pub calm: Calm,
    /// What must have happened at least once.
    pub sometimes: Sometimes,
}

/// How many of each take part.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Insurers, each a municipality.
    pub insurers: Spanned<u64>,
    /// Care offices: the first plans care, the next gives services, and so on by turns.
    pub offices: Spanned<u64>,
    /// Hospitals.
    pub hospitals: Spanned<u64>,
    /// Persons of each insurer.
    pub persons: Spanned<u64>,
}

/// The time in which faults are injected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    /// Questions begun.
    pub questions: Spanned<u64>,
    /// Milliseconds from one question to the next.
    pub every_ms: Spanned<u64>,
    /// What goes wrong.
    #[serde(default)]
    pub faults: Faults,
}

/// What goes wrong, each by its name and number. At most one befalls a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Frames that are lost.
    pub drop: Option<Spanned<Share>>,
    /// Frames that are late, by up to `delay_max_ms`.
    pub delay: Option<Spanned<Share>>,
    /// The longest delay, in milliseconds.
    pub delay_max_ms: Option<Spanned<u64>>,
    /// Frames that arrive twice.
    pub duplicate: Option<Spanned<Share>>,
    /// Frames with one flipped bit.
    pub corrupt: Option<Spanned<Share>>,
    /// How often an insurer's machine loses its power, and on its disk what was not synced; each time after another
    /// question.
    pub crashes: Option<Spanned<u64>>,
    /// The longest it is without power, in seconds.
    pub crash_max_s: Option<Spanned<u64>>,
}

/// The time in which every question must be answered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calm {
    /// Questions asked, one after the other.
    pub questions: Spanned<u64>,
}

/// What must have happened.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sometimes {
    /// By name.
    pub goals: Vec<Goal>,
}

/// Something that must have happened at least once, or the run shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// A question was answered with everything.
    Answered,
    /// A question was refused.
    Refused,
    /// A question was answered without content, as there was no consent.
    ConsentMissing,
    /// A question about a protected person was answered without places.
    Protected,
    /// A frame was lost.
    Dropped,
    /// A frame was late.
    Delayed,
    /// A frame came twice.
    Duplicated,
    /// A frame was damaged.
    Corrupted,
    /// A host turned a frame away.
    TurnedAway,
    /// A host crashed.
    Crashed,
}

/// A share, as "1/12".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Share {
    parts: u64,
    of: u64,
}

/// Why a file is no scenario: at which line, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ScenarioError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// The scenarios that come with the programme.
const SHIPPED: [&str; 3] = [
    include_str!("../scenarios/calm.toml"),
    include_str!("../scenarios/lossy.toml"),
    include_str!("../scenarios/earthquake.toml"),
];

/// The most insurers, offices or hospitals of a world that is played in full.
const PARTIES_MAX: u64 = 40;
/// The most persons of an insurer, and questions of a phase.
const COUNT_MAX: u64 = 20_000;

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// [`ScenarioError`] with the line of a key that is unknown, missing, out of bounds or in contradiction to
    /// another.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(|error| ScenarioError {
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            reason: error.message().to_owned(),
        })?;
        scenario.check(text)?;
        Ok(scenario)
    }

    /// The scenarios that come with the programme.
    pub fn shipped() -> Vec<Self> {
        SHIPPED.iter().filter_map(|text| Self::parse(text).ok()).collect()
    }

    fn check(&self, text: &str) -> Result<(), ScenarioError> {
        let size = &self.world;
        for (count, most) in [
            (&size.insurers, PARTIES_MAX),
            (&size.offices, PARTIES_MAX),
            (&size.hospitals, PARTIES_MAX),
            (&size.persons, COUNT_MAX),
            (&self.storm.questions, COUNT_MAX),
            (&self.storm.every_ms, COUNT_MAX),
            (&self.calm.questions, COUNT_MAX),
        ] {
            within(text, count, most)?;
        }
        if let Some(crashes) = &self.storm.faults.crashes {
            within(text, crashes, *self.storm.questions.get_ref())?;
        }
        self.storm.faults.check(text)
    }
}

impl Faults {
    fn check(&self, text: &str) -> Result<(), ScenarioError> {
        let shares = [&self.drop, &self.delay, &self.duplicate, &self.corrupt];
        let mut left = Share { parts: 1, of: 1 };
        for share in shares.into_iter().flatten() {
            left = left.less(*share.get_ref()).ok_or_else(|| {
                fault(text, share, "together the shares of lost, late, doubled and damaged frames are more than 1")
            })?;
        }
        match (&self.delay, &self.delay_max_ms) {
            (Some(delay), None) => return Err(fault(text, delay, "delay needs delay_max_ms")),
            (None, Some(most)) => return Err(fault(text, most, "delay_max_ms without delay")),
            (_, Some(most)) => within(text, most, 600_000)?,
            (None, None) => {}
        }
        match &self.crash_max_s {
            Some(most) if self.crashes.is_none() => Err(fault(text, most, "crash_max_s without crashes")),
            Some(most) => within(text, most, 86_400),
            None => Ok(()),
        }
    }
}

impl Share {
    /// Never.
    pub const NONE: Self = Self { parts: 0, of: 1 };

    /// How often, in a million.
    pub fn per_million(self) -> u64 {
        self.parts.saturating_mul(1_000_000).checked_div(self.of).unwrap_or(0)
    }

    fn less(self, other: Self) -> Option<Self> {
        let have = u128::from(self.parts).saturating_mul(u128::from(other.of));
        let left = have.checked_sub(u128::from(other.parts).saturating_mul(u128::from(self.of)))?;
        let of = u128::from(self.of).saturating_mul(u128::from(other.of));
        Some(Self { parts: u64::try_from(left).ok()?, of: u64::try_from(of).ok()? })
    }
}

impl TryFrom<String> for Share {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(parts, of)| Some((parts.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((parts, of)) if 0 < of && parts <= of && of <= 1_000_000 => Ok(Self { parts, of }),
            _ => Err(format!("{text:?} is no share; write one as \"1/12\", at most 1 and to the millionth")),
        }
    }
}

fn within(text: &str, count: &Spanned<u64>, most: u64) -> Result<(), ScenarioError> {
    let found = *count.get_ref();
    if (1..=most).contains(&found) {
        return Ok(());
    }
    Err(fault(text, count, &format!("{found} is not from 1 to {most}")))
}

fn fault<T>(text: &str, at: &Spanned<T>, reason: &str) -> ScenarioError {
    ScenarioError { line: line_of(text, at.span().start), reason: reason.to_owned() }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or_default();
    before.matches('\n').count().saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lossy_with(from: &str, to: &str) -> Result<Scenario, ScenarioError> {
        assert!(SHIPPED[1].contains(from));
        Scenario::parse(&SHIPPED[1].replace(from, to))
    }

    #[test]
    fn every_shipped_scenario_is_one_and_no_two_share_a_name() {
        let names: std::collections::BTreeSet<_> =
            SHIPPED.iter().map(|text| Scenario::parse(text).unwrap().name).collect();
        assert_eq!(names.len(), SHIPPED.len());
    }

    #[test]
    fn what_is_no_scenario_is_refused_with_line_and_reason() {
        let cases = [
            ("duplicate = \"1/12\"", "dublicate = \"1/12\"", 19, "unknown field"),
            ("drop = \"1/12\"", "drop = \"12\"", 16, "is no share"),
            ("drop = \"1/12\"", "drop = \"2/1\"", 16, "is no share"),
            ("corrupt = \"1/20\"", "corrupt = \"9/10\"", 20, "more than 1"),
            ("insurers = 2", "insurers = 0", 6, "not from 1 to 40"),
            ("delay_max_ms = 4000", "", 17, "needs delay_max_ms"),
            ("delay_max_ms = 4000", "delay_max_ms = 4000\ncrash_max_s = 3", 19, "without crashes"),
            ("corrupt = \"1/20\"", "crashes = 61", 20, "not from 1 to 60"),
            ("\"answered\"", "\"applauded\"", 26, "unknown variant"),
        ];
        for (from, to, line, reason) in cases {
            let error = lossy_with(from, to).unwrap_err();
            assert_eq!(error.line, line, "{to}: {error}");
            assert!(error.reason.contains(reason), "{to}: {error}");
        }
    }
}
