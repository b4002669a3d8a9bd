//! A scenario (筋書): how large a world, what befalls it, what must have happened at least once. Read from a
//! file that an auditor can read, too. Decides nothing of what is right.

use std::collections::BTreeSet;

use protocol::id::party::{PartyId, PartyKind};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::nation;

/// A scenario, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Whether it is the whole nation: insurers by their real numbers and of their real sizes, everybody asks about
    /// persons nearby, and an office or hospital is started when it first asks.
    #[serde(default)]
    pub nation: bool,
    /// Insurers, each a municipality or union.
    pub insurers: Spanned<u64>,
    /// Care offices: the first plans care, the next gives services, and so on by turns.
    pub offices: Spanned<u64>,
    /// Hospitals.
    pub hospitals: Spanned<u64>,
    /// Persons of each insurer; of a nation's on the average.
    pub persons: Spanned<u64>,
    /// How many of them are known by a number of the medical insurance, too, and registered in the directory.
    pub medical: Option<Spanned<u64>>,
    /// Witnesses, of which more than half are a quorum; one unless told.
    pub witnesses: Option<Spanned<u64>>,
    /// How often heads that grew are shown to witnesses, in seconds; 10 unless told.
    pub cosign_every_s: Option<Spanned<u64>>,
}

/// The time in which faults are injected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    /// Questions begun.
    pub questions: Spanned<u64>,
    /// Milliseconds from one question to the next.
    pub every_ms: Spanned<u64>,
    /// What goes wrong with frames and power, now and then.
    #[serde(default)]
    pub faults: Faults,
    /// What befalls some hosts for a while.
    #[serde(default)]
    pub spells: Vec<Spanned<Spell>>,
    /// Who means harm.
    #[serde(default)]
    pub adversaries: Vec<Spanned<Adversary>>,
    /// How often something changes of what is true of a person, each time after another question.
    pub changes: Option<Spanned<u64>>,
    /// How often everything of a person is erased, each time after another question.
    pub farewells: Option<Spanned<u64>>,
    /// How often somebody takes a step with a key of theirs, or a new roster comes out, each time after another question.
    pub rotations: Option<Spanned<u64>>,
    /// How many nights pass, each after another question: nobody asks, and in the morning everything is renewed.
    pub nights: Option<Spanned<u64>>,
}

/// Somebody who means harm (敵対者), and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adversary {
    /// Who.
    pub who: Foe,
    /// They act first after this question of the storm, from 1.
    pub from_question: u64,
    /// And again after so many more.
    pub every: u64,
    /// How often in all.
    pub acts: u64,
}

/// Who can mean harm, by what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Foe {
    /// Sends again what somebody else sent, over a line of theirs or of their own.
    Replayer,
    /// Sends frames made of pieces of others' frames.
    Forger,
    /// An admitted office that asks without end.
    Flooder,
    /// Shows a witness another history of an insurer's ledger, signed with the stolen key.
    Forker,
    /// Changes something in an insurer's files.
    Editor,
    /// A directory that tells of one person what was registered of another.
    Directory,
    /// Asks with the stolen signing key of an office or hospital.
    Thief,
    /// An issuer who vouches for somebody beyond its limits.
    Issuer,
}

/// What befalls some hosts for a while (一時の障害).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spell {
    /// What.
    pub what: Ill,
    /// Whom.
    pub whom: Whom,
    /// Only insurers of these prefectures, by their number.
    pub prefectures: Option<BTreeSet<u64>>,
    /// It begins before this question of the storm, from 1.
    pub from_question: u64,
    /// It ends so many questions later.
    pub questions: u64,
    /// For clocks: by how many seconds they are wrong.
    pub off_s: Option<i64>,
    /// For drift: by how many millionths their clocks are too fast.
    pub drift_ppm: Option<i64>,
    /// For full disks: how many KiB of room are left.
    pub room_kib: Option<u64>,
}

/// What can befall a host for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ill {
    /// They reach each other and nobody else, and nobody else reaches them.
    CutOff,
    /// They hear everybody; nothing they say reaches anybody but themselves.
    Mute,
    /// They are shut down and started again.
    Stopped,
    /// Their wall clocks are wrong.
    Clock,
    /// In the end they are started from what was on their disk in the beginning.
    SetBack,
    /// Their key is stolen, and their credential revoked until they get another.
    Revoked,
    /// Their disks have little room left. A process that cannot write any more ends, and starts again when there is room.
    DiskFull,
    /// They are shut down, and started again without their index.
    IndexLost,
    /// In the end a bit flips in a copy of their files; if no host starts on that, they are started from what was on their
    /// disk in the beginning.
    BitRot,
    /// They evaluate with another key than the roster names.
    Misevaluates,
    /// Their processes stand still; what comes to them waits.
    Paused,
    /// Their wall clocks run too fast or too slow.
    Drift,
}

/// Whom a spell befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whom {
    /// Insurers.
    Insurer,
    /// Care offices.
    Office,
    /// Hospitals.
    Hospital,
    /// The directory.
    Directory,
    /// The pseudonymiser.
    Pseudonymiser,
    /// The witness.
    Witness,
}

/// What goes wrong, each by its name and number. At most one befalls a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calm {
    /// Questions asked, one after the other.
    pub questions: Spanned<u64>,
}

/// What must have happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// A frame was lost as one side could not reach the other.
    CutOff,
    /// A host was shut down and started again.
    Stopped,
    /// A question failed as nobody could be reached.
    Unreached,
    /// A question was put off undecided, as a clock was wrong or a host not ready.
    PutOff,
    /// Nobody was found who knows a person.
    NoHome,
    /// An organisation was not admitted, as its credential was revoked.
    NotAdmitted,
    /// Something changed of what is true of somebody.
    Changed,
    /// A record that somebody submitted was kept.
    Written,
    /// One was not, for a reason that was told.
    NotWritten,
    /// One that was kept was erased.
    Erased,
    /// Everything of a person was erased.
    Forgotten,
    /// Somebody was shown what held on another day, or was known at another instant.
    LookedBack,
    /// A host was started from an old backup and began a new epoch.
    SetBack,
    /// A frame was sent again by somebody else.
    Replayed,
    /// A frame was forged.
    Forged,
    /// An organisation asked for more than it may.
    Flooded,
    /// A witness was shown another history.
    Forked,
    /// A changed file was found.
    EditFound,
    /// Two entries of the directory were exchanged.
    Swapped,
    /// A process ended as its disk was full.
    Filled,
    /// A host started without its index.
    Unindexed,
    /// A bit of somebody's files flipped.
    Rotted,
    /// Somebody took a step with a key of theirs.
    Rotated,
    /// A night passed.
    Slept,
    /// Somebody asked with a stolen key.
    Stolen,
    /// A credential beyond its issuer's limits was shown.
    Intruded,
    /// An answer was not believed.
    NotBelieved,
    /// A process stood still.
    Paused,
    /// A clock ran too fast or too slow.
    Drifted,
}

/// A share, as "1/12".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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
const SHIPPED: [&str; 21] = [
    include_str!("../scenarios/calm.toml"),
    include_str!("../scenarios/lossy.toml"),
    include_str!("../scenarios/earthquake.toml"),
    include_str!("../scenarios/prefecture-partition.toml"),
    include_str!("../scenarios/maintenance.toml"),
    include_str!("../scenarios/failing-disks.toml"),
    include_str!("../scenarios/clocks.toml"),
    include_str!("../scenarios/slow-machines.toml"),
    include_str!("../scenarios/month-start-rush.toml"),
    include_str!("../scenarios/directory-outage.toml"),
    include_str!("../scenarios/roll-out.toml"),
    include_str!("../scenarios/rolling-upgrade.toml"),
    include_str!("../scenarios/flood.toml"),
    include_str!("../scenarios/key-compromise.toml"),
    include_str!("../scenarios/ledger-tampering.toml"),
    include_str!("../scenarios/rogue-insurer.toml"),
    include_str!("../scenarios/rogue-directory.toml"),
    include_str!("../scenarios/rogue-pseudonymiser.toml"),
    include_str!("../scenarios/key-rotation.toml"),
    include_str!("../scenarios/everything.toml"),
    include_str!("../scenarios/retroactive.toml"),
];

/// The most insurers, offices or hospitals of a world that is no nation.
const PARTIES_MAX: u64 = 400;
/// The most offices, and the most hospitals, of a nation.
const HOLDERS_MAX: u64 = 300_000;
/// The most questions of a nation's day.
const NATION_QUESTIONS_MAX: u64 = 5_000_000;
/// The longest time between two visits to a witness, in seconds.
const COSIGN_EVERY_MAX_S: u64 = 3_600;
/// The most witnesses of a world.
const WITNESSES_MAX: u64 = 7;
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

    /// The scenario as a file has it, without remarks.
    pub fn to_toml(&self) -> Option<String> {
        toml::to_string(self).ok()
    }

    /// The scenarios that come with the programme.
    pub fn shipped() -> Vec<Self> {
        SHIPPED.iter().filter_map(|text| Self::parse(text).ok()).collect()
    }

    fn check(&self, text: &str) -> Result<(), ScenarioError> {
        let size = &self.world;
        let (insurers, holders, questions) = match size.nation {
            true => (nation::INSURERS, HOLDERS_MAX, NATION_QUESTIONS_MAX),
            false => (PARTIES_MAX, PARTIES_MAX, COUNT_MAX),
        };
        if size.nation && *size.insurers.get_ref() != insurers {
            return Err(fault(text, &size.insurers, &format!("a nation has {insurers} insurers")));
        }
        if let Some(medical) = size.medical.as_ref().filter(|_medical| size.nation) {
            return Err(fault(text, medical, "a nation's directory is not simulated yet"));
        }
        if let Some(every) = &size.cosign_every_s {
            within(text, every, COSIGN_EVERY_MAX_S)?;
        }
        for (count, most) in [
            (&size.insurers, insurers),
            (&size.offices, holders),
            (&size.hospitals, holders),
            (&size.persons, COUNT_MAX),
            (&self.storm.questions, questions),
            (&self.storm.every_ms, COUNT_MAX),
            (&self.calm.questions, COUNT_MAX),
        ] {
            within(text, count, most)?;
        }
        if let Some(crashes) = &self.storm.faults.crashes {
            within(text, crashes, *self.storm.questions.get_ref())?;
        }
        if let Some(witnesses) = &size.witnesses {
            within(text, witnesses, WITNESSES_MAX)?;
        }
        if let Some(medical) = &size.medical {
            within(text, medical, *size.persons.get_ref())?;
        }
        let storm = &self.storm;
        for often in [&storm.changes, &storm.farewells, &storm.rotations, &storm.nights].into_iter().flatten() {
            within(text, often, *self.storm.questions.get_ref())?;
        }
        for adversary in &self.storm.adversaries {
            let wrong = adversary.get_ref().wrong(*self.storm.questions.get_ref(), size.medical.is_some());
            if let Some(reason) = wrong {
                return Err(fault(text, adversary, &reason));
            }
        }
        for (at, spell) in self.storm.spells.iter().enumerate() {
            let earlier = self.storm.spells.iter().take(at).map(Spanned::get_ref);
            let wrong = spell.get_ref().wrong(*self.storm.questions.get_ref()).or_else(|| {
                let twice = "the same befalls the same hosts twice at the same time";
                earlier.into_iter().any(|other| spell.get_ref().meets(other)).then(|| twice.to_owned())
            });
            let wrong = wrong.or_else(|| {
                let alone = "whoever is set back has to reach its witness when it ends";
                let mut all = self.storm.spells.iter().map(Spanned::get_ref);
                all.any(|other| spell.get_ref().is_set_back_amid(other)).then(|| alone.to_owned())
            });
            let wrong = wrong.or_else(|| {
                let twice = "it keeps machines from running that another does at the same time";
                let mut earlier = self.storm.spells.iter().take(at).map(Spanned::get_ref);
                earlier.any(|other| spell.get_ref().is_down_amid(other)).then(|| twice.to_owned())
            });
            if let Some(reason) = wrong {
                return Err(fault(text, spell, &reason));
            }
        }
        self.storm.faults.check(text)
    }
}

impl Spell {
    /// The question of the storm before which it ends.
    pub const fn until_question(&self) -> u64 {
        self.from_question.saturating_add(self.questions)
    }

    /// Whether it befalls this party.
    pub fn befalls(&self, party: &PartyId) -> bool {
        let kind = match self.whom {
            Whom::Insurer => PartyKind::Insurer,
            Whom::Office => PartyKind::Office,
            Whom::Hospital => PartyKind::Hospital,
            Whom::Directory => PartyKind::Directory,
            Whom::Pseudonymiser => PartyKind::Pseudonymiser,
            Whom::Witness => PartyKind::Witness,
        };
        let prefecture = party.number().get(..2).and_then(|number| number.parse::<u64>().ok());
        let is_there = |wanted: &BTreeSet<u64>| prefecture.is_some_and(|prefecture| wanted.contains(&prefecture));
        party.kind() == kind && self.prefectures.as_ref().is_none_or(is_there)
    }

    /// What is wrong with it, in a storm of so many questions.
    fn wrong(&self, questions: u64) -> Option<String> {
        let prefectures = self.prefectures.as_ref();
        if prefectures.is_some() && self.whom != Whom::Insurer {
            return Some("prefectures are for insurers only".to_owned());
        }
        if let Some(none) = prefectures.and_then(|wanted| wanted.iter().find(|number| !(1..=47).contains(*number))) {
            return Some(format!("there is no prefecture {none}"));
        }
        if self.from_question == 0 || self.questions == 0 || self.until_question() > questions.saturating_add(1) {
            return Some(format!("it is not within questions 1 to {questions}"));
        }
        if self.what == Ill::Revoked && !matches!(self.whom, Whom::Office | Whom::Hospital) {
            return Some("only offices and hospitals have credentials".to_owned());
        }
        if self.what == Ill::Misevaluates && self.whom != Whom::Pseudonymiser {
            return Some("only a pseudonymiser evaluates".to_owned());
        }
        if self.sets_back() && self.whom != Whom::Insurer {
            return Some("only insurers can be set back".to_owned());
        }
        match (self.what, self.room_kib) {
            (Ill::DiskFull, Some(1..=1024)) => {}
            (Ill::DiskFull, _) => return Some("a full disk needs room_kib, from 1 to 1024".to_owned()),
            (_, Some(_)) => return Some("room_kib is for full disks only".to_owned()),
            (_, None) => {}
        }
        match (self.what, self.drift_ppm) {
            (Ill::Drift, Some(ppm)) if ppm != 0 && ppm.unsigned_abs() <= 100_000 => {}
            (Ill::Drift, _) => return Some("drift needs drift_ppm, not 0 and at most 100000".to_owned()),
            (_, Some(_)) => return Some("drift_ppm is for drift only".to_owned()),
            (_, None) => {}
        }
        match (self.what, self.off_s) {
            (Ill::Clock, Some(off_s)) if off_s != 0 && off_s.unsigned_abs() <= 86_400 => None,
            (Ill::Clock, _) => Some("a clock needs off_s, not 0 and at most a day".to_owned()),
            (_, Some(_)) => Some("off_s is for clocks only".to_owned()),
            (_, None) => None,
        }
    }

    /// Whether it sets somebody back while another keeps them or the witness away: nobody could tell them of what they
    /// lost, and what the oracle foretells of them would hold for nobody.
    fn is_set_back_amid(&self, other: &Self) -> bool {
        let is_away = matches!(other.what, Ill::CutOff | Ill::Mute | Ill::Paused) || other.keeps_down();
        let is_then = other.from_question < self.until_question() && self.until_question() < other.until_question();
        let is_it = other.whom == Whom::Witness || other.whom == Whom::Insurer && self.shares_place(other);
        self.sets_back() && is_away && is_then && is_it
    }

    /// Whether both keep the same machine from running at the same time: neither could be lifted without the other.
    fn is_down_amid(&self, other: &Self) -> bool {
        let overlaps = self.from_question < other.until_question() && other.from_question < self.until_question();
        let is_it = self.whom == other.whom && self.shares_place(other);
        self.keeps_down() && other.keeps_down() && overlaps && is_it
    }

    const fn sets_back(&self) -> bool {
        matches!(self.what, Ill::SetBack | Ill::BitRot)
    }

    const fn keeps_down(&self) -> bool {
        matches!(self.what, Ill::Stopped | Ill::DiskFull | Ill::IndexLost | Ill::Misevaluates)
    }

    fn shares_place(&self, other: &Self) -> bool {
        match (&self.prefectures, &other.prefectures) {
            (Some(own), Some(others)) => !own.is_disjoint(others),
            _ => true,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        // A host has one clock.
        let is_clock = |spell: &Self| matches!(spell.what, Ill::Clock | Ill::Drift);
        let is_same = self.what == other.what || is_clock(self) && is_clock(other);
        let is_alike = is_same && self.whom == other.whom;
        let is_together = self.from_question < other.until_question() && other.from_question < self.until_question();
        is_alike && is_together && self.shares_place(other)
    }
}

impl Adversary {
    /// Whether they act after this question.
    pub fn acts_after(&self, question: u64) -> bool {
        let since = question.checked_sub(self.from_question);
        since.is_some_and(|since| since % self.every.max(1) == 0 && since / self.every.max(1) < self.acts)
    }

    fn wrong(&self, questions: u64, has_directory: bool) -> Option<String> {
        let last = self.from_question.saturating_add(self.every.saturating_mul(self.acts.saturating_sub(1)));
        if self.from_question == 0 || self.every == 0 || self.acts == 0 || last > questions {
            return Some(format!("they do not act within questions 1 to {questions}"));
        }
        let is_idle = self.who == Foe::Directory && !has_directory;
        is_idle.then(|| "a directory without world.medical knows nobody".to_owned())
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

impl From<Share> for String {
    fn from(share: Share) -> Self {
        format!("{}/{}", share.parts, share.of)
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
        let names: BTreeSet<_> = SHIPPED.iter().map(|text| Scenario::parse(text).unwrap().name).collect();
        assert_eq!(names.len(), SHIPPED.len());
    }

    #[test]
    fn what_is_no_scenario_is_refused_with_line_and_reason() {
        let cases = [
            ("duplicate = \"1/12\"", "dublicate = \"1/12\"", 19, "unknown field"),
            ("drop = \"1/12\"", "drop = \"12\"", 16, "is no share"),
            ("drop = \"1/12\"", "drop = \"2/1\"", 16, "is no share"),
            ("corrupt = \"1/20\"", "corrupt = \"9/10\"", 20, "more than 1"),
            ("insurers = 2", "insurers = 0", 6, "not from 1 to 400"),
            ("delay_max_ms = 4000", "", 17, "needs delay_max_ms"),
            ("delay_max_ms = 4000", "delay_max_ms = 4000\ncrash_max_s = 3", 19, "without crashes"),
            ("corrupt = \"1/20\"", "crashes = 61", 20, "not from 1 to 60"),
            ("\"answered\"", "\"applauded\"", 26, "unknown variant"),
            ("persons = 12", "persons = 12\nmedical = 13", 10, "not from 1 to 12"),
            ("persons = 12", "persons = 12\nwitnesses = 8", 10, "not from 1 to 7"),
            ("persons = 12", "persons = 12\ncosign_every_s = 3601", 10, "not from 1 to 3600"),
            ("persons = 12", "persons = 12\nnation = true", 6, "a nation has 1571 insurers"),
            ("insurers = 2", "nation = true\ninsurers = 1571\nmedical = 1", 8, "not simulated yet"),
            ("every_ms = 300", "every_ms = 300\nchanges = 61", 14, "not from 1 to 60"),
            ("every_ms = 300", "every_ms = 300\nrotations = 61", 14, "not from 1 to 60"),
            ("every_ms = 300", "every_ms = 300\nnights = 0", 14, "not from 1 to 60"),
        ];
        let spell = |rest: &str| format!("[calm]\nquestions = 20\n\n[[storm.spells]]\nwhom = \"insurer\"\n{rest}");
        let spells = [
            ("what = \"clock\"\nfrom_question = 1\nquestions = 1", "needs off_s"),
            ("what = \"mute\"\nfrom_question = 60\nquestions = 2", "not within questions 1 to 60"),
            ("what = \"mute\"\nfrom_question = 1\nquestions = 2\nprefectures = [48]", "no prefecture 48"),
            ("what = \"mute\"\nfrom_question = 1\nquestions = 2\noff_s = 3", "for clocks only"),
            ("what = \"disk-full\"\nfrom_question = 1\nquestions = 2", "needs room_kib"),
            ("what = \"mute\"\nfrom_question = 1\nquestions = 2\nroom_kib = 3", "for full disks only"),
            ("what = \"deaf\"\nfrom_question = 1\nquestions = 2", "unknown variant"),
            ("what = \"revoked\"\nfrom_question = 1\nquestions = 2", "only offices and hospitals"),
            ("what = \"drift\"\nfrom_question = 1\nquestions = 2", "needs drift_ppm"),
            ("what = \"mute\"\nfrom_question = 1\nquestions = 2\ndrift_ppm = 3", "for drift only"),
            ("what = \"misevaluates\"\nfrom_question = 1\nquestions = 2", "only a pseudonymiser"),
        ];
        let full = spell("what = \"disk-full\"\nroom_kib = 8\nfrom_question = 1\nquestions = 5\n");
        let down = "\n[[storm.spells]]\nwhom = \"insurer\"\nwhat = \"index-lost\"\nfrom_question = 3\nquestions = 9\n";
        let error = lossy_with("[calm]\nquestions = 20", &format!("{full}{down}")).unwrap_err();
        assert!(error.reason.contains("keeps machines from running"), "{error}");
        let amid = spell("what = \"set-back\"\nfrom_question = 1\nquestions = 5\n");
        let away = "\n[[storm.spells]]\nwhom = \"witness\"\nwhat = \"stopped\"\nfrom_question = 3\nquestions = 9\n";
        let error = lossy_with("[calm]\nquestions = 20", &format!("{amid}{away}")).unwrap_err();
        assert!(error.reason.contains("reach its witness"), "{error}");
        let adversary = |rest: &str| format!("[calm]\nquestions = 20\n\n[[storm.adversaries]]\nwho = {rest}");
        let adversaries = [
            ("\"forker\"\nfrom_question = 50\nevery = 5\nacts = 4", "not act within questions 1 to 60"),
            ("\"editor\"\nfrom_question = 1\nevery = 0\nacts = 4", "not act within questions 1 to 60"),
            ("\"directory\"\nfrom_question = 1\nevery = 1\nacts = 4", "knows nobody"),
            ("\"burglar\"\nfrom_question = 1\nevery = 1\nacts = 4", "unknown variant"),
        ];
        for (rest, reason) in adversaries {
            let error = lossy_with("[calm]\nquestions = 20", &adversary(rest)).unwrap_err();
            assert!((25..=28).contains(&error.line) && error.reason.contains(reason), "{rest}: {error}");
        }
        for (rest, reason) in spells {
            let error = lossy_with("[calm]\nquestions = 20", &spell(rest)).unwrap_err();
            assert!((25..=29).contains(&error.line) && error.reason.contains(reason), "{rest}: {error}");
        }
        let twice = spell("what = \"mute\"\nfrom_question = 1\nquestions = 2\n");
        let twice = format!("{twice}{}", twice.trim_start_matches("[calm]\nquestions = 20\n"));
        let error = lossy_with("[calm]\nquestions = 20", &twice).unwrap_err();
        assert!(error.line > 27 && error.reason.contains("twice at the same time"), "{error}");
        for (from, to, line, reason) in cases {
            let error = lossy_with(from, to).unwrap_err();
            assert_eq!(error.line, line, "{to}: {error}");
            assert!(error.reason.contains(reason), "{to}: {error}");
        }
    }
}
