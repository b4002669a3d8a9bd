//! The course of a person's certifications (要介護認定): applications, surveys, decisions and periods
//! that follow one another up to today, by the rules of the periods and with the waits of the land.

use super::dice::Dice;
use super::identity::Identity;
use super::lot::Lot;
use super::setting::Setting;
use protocol::code::care_level::CareLevel;
use protocol::date::{Date, Month};

/// The most certifications a course has.
const EPISODES_MAX: usize = 20;
/// How many records every certification brings: result, progress, survey, opinion, card.
const RECORDS_PER_EPISODE: u32 = 5;
/// How many records there are besides: a share of the cost, a balance.
const RECORDS_BESIDES: u32 = 2;

/// Persons certified by level (第1号, FY2022 end), in thousands.
const LEVELS: &[(CareLevel, u64)] = &[
    (CareLevel::Support1, 973),
    (CareLevel::Support2, 940),
    (CareLevel::Care1, 1_425),
    (CareLevel::Care2, 1_134),
    (CareLevel::Care3, 902),
    (CareLevel::Care4, 870),
    (CareLevel::Care5, 571),
];

/// Why a certification was applied for (申請区分).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Application {
    /// 新規
    New,
    /// 更新
    Renewal,
    /// 区分変更
    Change,
}

/// One certification, from the application to the end of its period.
#[derive(Clone, Copy)]
pub(super) struct Episode {
    pub(super) application: Application,
    pub(super) applied: Date,
    pub(super) survey_requested: Date,
    pub(super) surveyed: Date,
    pub(super) opinion_requested: Date,
    pub(super) opinion_received: Date,
    pub(super) first_judged: Date,
    pub(super) decided: Date,
    pub(super) level: CareLevel,
    /// Level, start and end of the one before.
    pub(super) previous: Option<(CareLevel, Date, Date)>,
    pub(super) from: Date,
    /// The end that was decided.
    pub(super) to: Date,
    /// The last day it held: earlier than decided if a change of level cut it short.
    pub(super) held_to: Date,
}

/// All certifications of a person, the oldest first, and the application that waits.
pub(super) struct Course {
    pub(super) episodes: Vec<Episode>,
    /// A renewal that is applied for; its decision and period lie ahead.
    pub(super) pending: Option<Episode>,
}

impl Application {
    /// Its code by law (申請区分・法令).
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::New => "1",
            Self::Renewal => "2",
            Self::Change => "3",
        }
    }
}

impl Course {
    /// The course of the person `index`; empty if not certified.
    pub(super) fn draw(setting: &Setting, index: u64, identity: &Identity, lot: Option<Lot>) -> Self {
        if !identity.certified {
            return Self { episodes: Vec::new(), pending: None };
        }
        let mut dice = setting.dice(index, "course");
        let wanted = wanted(&mut dice, setting.records_min, lot);
        // Nobody was certified before the insurance began, nor under 40.
        let began = Date::new(2000, 4, 1).unwrap_or(Date::MIN);
        let since = identity.birth.plus_months(483).map_or(began, |forty| forty.max(began));
        let mut episodes = backwards(&mut dice, (since, setting.today), wanted, lot);
        episodes.reverse();
        let pending = episodes.last().and_then(|last| pending(&mut dice, setting.today, last));
        Self { episodes, pending }
    }

    /// The certification that held on a day.
    pub(super) fn on(&self, day: Date) -> Option<&Episode> {
        self.episodes.iter().find(|episode| episode.from <= day && day <= episode.held_to)
    }

    /// The certification that holds today.
    pub(super) fn latest(&self) -> Option<&Episode> {
        self.episodes.last()
    }
}

fn wanted(dice: &mut Dice, records_min: u32, lot: Option<Lot>) -> usize {
    let natural = dice.weighted(&[(1, 30), (2, 35), (3, 25), (4, 10)], 1_usize);
    // Only who is certified already can renew.
    let natural = natural.max(if lot == Some(Lot::RenewalPending) { 2 } else { 1 });
    let asked = records_min.saturating_sub(RECORDS_BESIDES).div_ceil(RECORDS_PER_EPISODE);
    natural.max(usize::try_from(asked).unwrap_or(EPISODES_MAX)).min(EPISODES_MAX)
}

/// The newest first: each period is laid before the one that follows it.
fn backwards(dice: &mut Dice, (since, today): (Date, Date), wanted: usize, lot: Option<Lot>) -> Vec<Episode> {
    let mut episodes: Vec<Episode> = Vec::with_capacity(wanted);
    let mut level = match lot {
        Some(Lot::InFacility) => CareLevel::Care4,
        _ => dice.weighted(LEVELS, CareLevel::Care1),
    };
    for older in (0..wanted).rev() {
        let before = (older > 0).then(|| level_before(dice, level));
        let application = match before {
            None => Application::New,
            // A changed level is now and then a change applied for in mid-period.
            Some(before) if before != level && dice.happens(1, 4) => Application::Change,
            Some(_) => Application::Renewal,
        };
        let wanted = months(dice, application, before == Some(level));
        let period = |dice: &mut Dice, months| match episodes.last() {
            None => current_period(dice, today, application, months, lot),
            Some(next) => period_before(dice, next, application, months).filter(|(from, ..)| *from >= since),
        };
        let drawn = period(dice, wanted);
        let is_too_early = wanted > MONTHS_BEFORE && drawn.is_some_and(|(from, ..)| Some(from) < four_years_since());
        let drawn = if is_too_early { period(dice, MONTHS_BEFORE) } else { drawn };
        let Some((from, to, held_to)) = drawn else { break };
        if let Some(next) = episodes.last_mut() {
            next.previous = Some((level, from, to));
        }
        episodes.push(steps(dice, today, Episode::of(application, level, from, to, held_to)));
        level = before.unwrap_or(level);
    }
    episodes
}

impl Episode {
    fn of(application: Application, level: CareLevel, from: Date, to: Date, held_to: Date) -> Self {
        Self {
            application,
            applied: from,
            survey_requested: from,
            surveyed: from,
            opinion_requested: from,
            opinion_received: from,
            first_judged: from,
            decided: from,
            level,
            previous: None,
            from,
            to,
            held_to,
        }
    }
}

/// Most stay or were lighter before; some got better.
fn level_before(dice: &mut Dice, level: CareLevel) -> CareLevel {
    let place = LEVELS.iter().position(|(known, _)| *known == level).unwrap_or_default();
    let other = match dice.below(100) {
        0..55 => Some(place),
        55..90 => place.checked_sub(1),
        _ => place.checked_add(1),
    };
    other.and_then(|place| LEVELS.get(place)).map_or(level, |(level, _)| *level)
}

/// How long a period is: 6 or 12 months at first or on a change, up to 48 where nothing changed.
fn months(dice: &mut Dice, application: Application, unchanged: bool) -> i64 {
    match (application, unchanged) {
        (Application::Renewal, true) => dice.weighted(&[(12, 25), (24, 25), (36, 30), (48, 20)], 12),
        (Application::Renewal, false) => dice.weighted(&[(12, 40), (24, 35), (36, 25)], 12),
        _ => dice.weighted(&[(6, 60), (12, 40)], 6),
    }
}

/// The longest period there was before four years were.
const MONTHS_BEFORE: i64 = 36;

/// The first day of a period that surely was decided when four years were possible: since 2021-04-01.
fn four_years_since() -> Option<Date> {
    Date::new(2021, 7, 1)
}

/// A period that holds today. One that begins in mid-month lasts the rest of that month longer.
fn current_period(
    dice: &mut Dice,
    today: Date,
    application: Application,
    months: i64,
    lot: Option<Lot>,
) -> Option<(Date, Date, Date)> {
    let this_month = today.calendar_month();
    if application == Application::Renewal {
        let passed = if lot == Some(Lot::RenewalPending) { months - 1 } else { dice.between(0, months - 1) };
        let first = shifted(this_month, -passed)?;
        let to = shifted(first, months - 1)?.last_day();
        return Some((first.first_day(), to, to));
    }
    // Applied for long enough ago to be decided by now.
    let first = shifted(this_month, -dice.between(2, months))?;
    let from = first.first_day().plus_days(dice.between(1, 14))?;
    let to = shifted(first, months)?.last_day();
    Some((from, to, to))
}

/// The period before `next`: it ends the day before, or was cut short by a change of level.
fn period_before(dice: &mut Dice, next: &Episode, application: Application, months: i64) -> Option<(Date, Date, Date)> {
    let held_to = next.from.previous_day()?;
    let cut = if next.application == Application::Change { dice.between(1, 3) } else { 0 };
    let last = shifted(held_to.calendar_month(), cut)?;
    let from = if application == Application::Renewal {
        shifted(last, 1 - months)?.first_day()
    } else {
        shifted(last, -months)?.first_day().plus_days(dice.between(1, 27))?
    };
    Some((from, last.last_day(), held_to))
}

/// Sets the days of an application: survey after about 10 days, opinion after 16, decision after 36.
fn steps(dice: &mut Dice, today: Date, of: Episode) -> Episode {
    let after = |day: Date, days: i64| day.plus_days(days).unwrap_or(day);
    let applied = match of.application {
        Application::Renewal => after(of.from, -dice.between(42, 60)),
        _ => of.from,
    };
    let survey_requested = after(applied, dice.between(0, 3));
    let surveyed = after(survey_requested, dice.between(4, 13));
    let opinion_requested = after(applied, dice.between(0, 2));
    let opinion_received = after(opinion_requested, dice.between(8, 24));
    let first_judged = after(surveyed.max(opinion_received), dice.between(0, 2));
    let (least, most) =
        dice.weighted(&[((26, 31), 25), ((32, 36), 27), ((37, 40), 22), ((41, 48), 18), ((49, 60), 8)], (36, 36));
    let decided = after(applied, dice.between(least, most)).max(after(first_judged, 1));
    let yesterday = after(today, -1);
    Episode {
        applied,
        survey_requested,
        surveyed,
        opinion_requested,
        opinion_received,
        first_judged,
        decided: decided.min(yesterday),
        ..of
    }
}

/// The renewal that was applied for in the last 60 days of a period, with the days it will have.
fn pending(dice: &mut Dice, today: Date, last: &Episode) -> Option<Episode> {
    let applied = last.to.plus_days(-dice.between(32, 58))?.min(today);
    if last.to.days_since(today) > 40 || applied <= last.decided {
        return None;
    }
    let from = last.to.next_day();
    let next = Episode::of(Application::Renewal, last.level, from, from.month_end(), from);
    let far = today.plus_days(1_000)?;
    let moved = from.days_since(applied);
    let planned = steps(dice, far, Episode { from: applied.plus_days(51)?, ..next });
    // The steps hang on the application, which lies where the drawn one is moved to.
    let by = applied.days_since(planned.applied);
    let shift = |day: Date| day.plus_days(by).unwrap_or(day);
    (moved > 0).then(|| Episode {
        applied,
        survey_requested: shift(planned.survey_requested),
        surveyed: shift(planned.surveyed),
        opinion_requested: shift(planned.opinion_requested),
        opinion_received: shift(planned.opinion_received),
        first_judged: shift(planned.first_judged),
        decided: shift(planned.decided).max(today.next_day()),
        previous: Some((last.level, last.from, last.to)),
        from,
        ..planned
    })
}

/// The month `by` months later, or earlier if negative.
pub(super) fn shifted(month: Month, by: i64) -> Option<Month> {
    let count = (i64::from(month.year()) * 12 + i64::from(month.month()) - 1).checked_add(by)?;
    Month::new(u16::try_from(count.div_euclid(12)).ok()?, u8::try_from(count.rem_euclid(12) + 1).ok()?)
}
