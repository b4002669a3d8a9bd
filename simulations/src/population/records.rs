//! All records of an invented person, in the order they were written: what each certification brought,
//! and what goes with the person beside it.

use super::course::Episode;
use super::dice::Dice;
use super::json::Object;
use super::neighbours::Draft;
use super::{
    Invented, InventedRecord, assessment, cards, certification, claim, conference, equipment, neighbours, opinion,
};
use super::{past, plan, prevention, survey, use_plan};
use protocol::code::care_level::CareLevel;
use protocol::code::record_kind::RecordKind;
use protocol::date::Date;

/// Days from 1970-01-01 to 2000-01-01.
const DAYS_TO_2000: i64 = 10_957;
/// An hour in milliseconds.
const HOUR_MS: i64 = 3_600_000;

/// How the person was at a certification; survey, opinion and result say the same of it.
pub(super) struct State {
    /// 1 for 要支援1 to 7 for 要介護5.
    pub(super) severity: u64,
    /// The code of 障害高齢者の日常生活自立度.
    pub(super) physical: &'static str,
    /// The code of 認知症高齢者の日常生活自立度.
    pub(super) dementia: &'static str,
    pub(super) short_term_memory: &'static str,
    pub(super) decision_ability: &'static str,
    pub(super) expression_ability: &'static str,
    pub(super) eating: &'static str,
}

/// When a version holds and when it was written.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) from: Date,
    pub(super) to: Option<Date>,
    pub(super) recorded: Date,
}

/// Every version of every record.
pub(super) fn all(person: &Invented) -> Vec<InventedRecord> {
    let mut dice = person.setting.dice(person.index, "records");
    let mut sheaf = Sheaf { dice: &mut dice, written: Vec::new() };
    let share = person.course.latest().map(|latest| certified(person, latest, &mut sheaf));
    if share.is_none() {
        uncertified(person, &mut sheaf);
    }
    // Dice of their own: what lies before, and what is beside long-term care, changes nothing of it.
    let Sheaf { mut written, .. } = sheaf;
    let mut dice = person.setting.dice(person.index, "past");
    let drafts = share.map_or_else(Vec::new, |share| past::drafts(person, share, &mut dice));
    let mut sheaf = Sheaf { dice: &mut dice, written: Vec::new() };
    for draft in drafts {
        let id = sheaf.add(draft.kind, draft.times, draft.content);
        if let Some((times, content)) = draft.correction {
            sheaf.add_version(draft.kind, (&id, 2), times, content);
        }
    }
    written.append(&mut sheaf.written);
    let mut dice = person.setting.dice(person.index, "neighbours");
    let mut sheaf = Sheaf { dice: &mut dice, written: Vec::new() };
    let conferences = conference::drafts(person, &mut person.setting.dice(person.index, "conference"));
    for (kind, times, content) in neighbours::all(person).into_iter().chain(conferences) {
        sheaf.add(kind, times, content);
    }
    written.append(&mut sheaf.written);
    written
}

/// What every certification brought, and what goes with the person beside it. Returns what the person pays.
fn certified(person: &Invented, latest: &Episode, sheaf: &mut Sheaf<'_>) -> Share {
    for (at, episode) in person.course.episodes.iter().enumerate() {
        let follows = person.course.episodes.get(at + 1).is_some();
        certify(person, episode, follows, sheaf);
    }
    if let Some(pending) = &person.course.pending {
        progress(person, pending, true, sheaf);
        apply(person, pending, sheaf);
    }
    let share = share_of_cost(person, sheaf);
    balance(person, sheaf);
    care(person, latest, share.tenths, sheaf);
    share
}

/// The records being written.
struct Sheaf<'a> {
    dice: &'a mut Dice,
    written: Vec<InventedRecord>,
}

impl Sheaf<'_> {
    /// A new record.
    fn add(&mut self, kind: RecordKind, times: Times, content: Object) -> String {
        let id = self.dice.hex_id();
        self.add_version(kind, (&id, 1), times, content);
        id
    }

    /// A version of a record.
    fn add_version(&mut self, kind: RecordKind, (id, number): (&str, u32), times: Times, content: Object) {
        // During office hours in Japan, later versions of one day after earlier ones.
        let hours = i64::from(number).min(7);
        let days = Date::new(2000, 1, 1).map_or(0, |day| times.recorded.days_since(day)).saturating_add(DAYS_TO_2000);
        let within = self.dice.between(0, HOUR_MS - 1);
        let ms = days.saturating_mul(24 * HOUR_MS).saturating_add(hours.saturating_mul(HOUR_MS)).saturating_add(within);
        self.written.push(InventedRecord {
            kind,
            id: id.to_owned(),
            number,
            valid_from: times.from,
            valid_to: times.to,
            recorded_at_ms: u64::try_from(ms).unwrap_or_default(),
            status: if number == 1 { "final" } else { "amended" },
            content: content.finish(),
        });
    }
}

fn uncertified(person: &Invented, sheaf: &mut Sheaf<'_>) {
    // The card comes at 65; the insurance began in 2000.
    let at_65 = person.identity.birth.plus_months(65 * 12).unwrap_or(person.setting.today);
    let began = Date::new(2000, 4, 1).unwrap_or(Date::MIN);
    let issued = at_65.max(began).min(person.setting.today.previous_day().unwrap_or(began));
    let checked = sheaf.dice.happens(2, 100).then(|| issued.plus_months(12)).flatten();
    // The checklist came in 2015.
    let checked = checked.map(|day| day.max(Date::new(2015, 4, 1).unwrap_or(day)));
    let checked = checked.filter(|day| *day < person.setting.today);
    let written = checked.unwrap_or(issued);
    let times = Times { from: written, to: None, recorded: written };
    let content = cards::uncertified(person, written, checked);
    sheaf.add(RecordKind::InsuranceCard, times, content);
}

/// What one certification brings.
fn certify(person: &Invented, episode: &Episode, follows: bool, sheaf: &mut Sheaf<'_>) {
    let state = State::draw(episode.level, sheaf.dice);
    let end = Some(if follows { episode.held_to } else { episode.to });
    let during = |from: Date| Times { from, to: end.map(|end| end.max(from)), recorded: from };
    progress(person, episode, !follows, sheaf);
    apply(person, episode, sheaf);
    let entry = certification::recipient(person, episode, sheaf.dice);
    sheaf.add(
        RecordKind::RecipientEntry,
        Times { from: episode.decided, to: end.map(|end| end.max(episode.decided)), recorded: episode.decided },
        entry,
    );
    let content = survey::content(person, episode, &state, sheaf.dice);
    sheaf.add(RecordKind::CertificationSurvey, during(episode.surveyed), content);
    if let Some(content) = opinion::content(person, episode, &state, sheaf.dice) {
        sheaf.add(RecordKind::DoctorsOpinion, during(episode.opinion_received), content);
    }
    let content = certification::result(person, episode, &state, sheaf.dice);
    let decided = Times { from: episode.from, to: end, recorded: episode.decided };
    sheaf.add(RecordKind::CertificationResult, decided, content);
    let content = cards::certified(person, episode);
    let card = Times { to: if follows { end } else { None }, ..decided };
    sheaf.add(RecordKind::InsuranceCard, card, content);
    let planned = plan::planned_on(person, episode);
    // Who needs support has a plan of another form.
    let (kind, content) = if episode.level < CareLevel::Care1 {
        (RecordKind::PreventionPlan, prevention::content(person, episode, sheaf.dice))
    } else {
        (RecordKind::CarePlan, plan::content(person, episode, sheaf.dice))
    };
    if let Some(content) = content {
        sheaf.add(kind, Times { from: planned, to: end.map(|end| end.max(planned)), recorded: planned }, content);
    }
}

/// The application itself, as it was taken in.
fn apply(person: &Invented, episode: &Episode, sheaf: &mut Sheaf<'_>) {
    if let Some(content) = certification::application(person, episode, sheaf.dice) {
        let times =
            Times { from: episode.applied, to: Some(episode.held_to.max(episode.applied)), recorded: episode.applied };
        sheaf.add(RecordKind::CertificationApplication, times, content);
    }
}

/// The last application is told step by step, of those before only how they ended.
fn progress(person: &Invented, episode: &Episode, in_steps: bool, sheaf: &mut Sheaf<'_>) {
    let today = person.setting.today;
    let id = sheaf.dice.hex_id();
    let steps = certification::steps(episode);
    let mut reached = steps.iter().filter(|(_, day)| *day < today);
    let told: Vec<_> = if in_steps { reached.collect() } else { reached.next_back().into_iter().collect() };
    for ((step, day), number) in told.into_iter().zip(1..) {
        let content = certification::progress(episode, step, *day);
        let times =
            Times { from: episode.applied, to: if in_steps { None } else { Some(episode.held_to) }, recorded: *day };
        sheaf.add_version(RecordKind::CertificationProgress, (&id, number), times, content);
    }
}

/// What the services of the latest certification assessed and do this month.
fn care(person: &Invented, latest: &Episode, tenths: u64, sheaf: &mut Sheaf<'_>) {
    let state = State::draw(latest.level, sheaf.dice);
    // Whoever has a past has a row of assessments, this one among them.
    let assessed =
        (person.setting.months == 1).then(|| assessment::latest(person, latest, &state, sheaf.dice)).flatten();
    if let Some((day, content)) = assessed {
        sheaf.add(RecordKind::LifeAssessment, Times { from: day, to: None, recorded: day }, content);
    }
    let month = person.setting.today.calendar_month();
    if let Some((made, content)) = use_plan::content(person, latest, month, sheaf.dice) {
        let times = Times { from: month.first_day(), to: Some(month.last_day()), recorded: made };
        sheaf.add(RecordKind::ServiceUsePlan, times, content);
    }
    let Some(month) = month.previous() else { return };
    if let Some((made, lines)) = use_plan::slip_lines(person, latest, month, sheaf.dice) {
        let times = Times { from: month.first_day(), to: Some(month.last_day()), recorded: made };
        sheaf.add(RecordKind::BenefitManagement, times, use_plan::slip(person, latest, (made, month), &lines));
        for (claimed, content) in claim::contents(person, latest, (month, &lines), tenths, sheaf.dice) {
            sheaf.add(RecordKind::ClaimStatement, Times { recorded: claimed, ..times }, content);
        }
    }
}

/// The year, from 8/1 to 7/31, in which a day lies, by its first.
pub(super) fn share_year(day: Date) -> u16 {
    day.year().saturating_sub(u16::from(day.month() < 8))
}

/// What a person pays of the cost, year after year.
#[derive(Clone, Copy)]
pub(super) struct Share {
    pub(super) tenths: u64,
    /// The stage of one of small income.
    stage: Option<usize>,
}

/// The cards of this year, and of the last if the person was certified then.
fn share_of_cost(person: &Invented, sheaf: &mut Sheaf<'_>) -> Share {
    let tenths = cards::tenths(person, sheaf.dice);
    let share = Share { tenths, stage: cards::stage(tenths, sheaf.dice) };
    let this_year = share_year(person.setting.today);
    for year in [this_year.saturating_sub(1), this_year] {
        for (kind, times, content) in cards_of_year(person, year, share) {
            sheaf.add(kind, times, content);
        }
    }
    share
}

/// The cards that hold from 8/1 of a year to 7/31 of the next; none if the person was not certified by then.
pub(super) fn cards_of_year(person: &Invented, year: u16, share: Share) -> Vec<Draft> {
    let days = (Date::new(year, 8, 1), Date::new(year.saturating_add(1), 7, 31), Date::new(year, 7, 20));
    let ((Some(starts), Some(ends), Some(sent)), Some(first)) = (days, person.course.episodes.first()) else {
        return Vec::new();
    };
    if first.decided > ends {
        return Vec::new();
    }
    let times = Times { from: starts.max(first.from), to: Some(ends), recorded: sent.max(first.decided) };
    let ratio = cards::burden_ratio(times.from, ends, times.recorded, share.tenths);
    let limits = share.stage.and_then(|stage| cards::burden_limit(times.from, ends, times.recorded, stage));
    let ratio = (RecordKind::BurdenRatioCard, times, ratio);
    let limits = limits.map(|limits| (RecordKind::BurdenLimitCertificate, times, limits));
    [ratio].into_iter().chain(limits).collect()
}

/// The balance is written at the first certification and anew after each work or purchase.
fn balance(person: &Invented, sheaf: &mut Sheaf<'_>) {
    let id = sheaf.dice.hex_id();
    for ((day, content), number) in equipment::balances(person, sheaf.dice).into_iter().zip(1..) {
        let times = Times { from: day, to: None, recorded: day };
        sheaf.add_version(RecordKind::EquipmentBalance, (&id, number), times, content);
    }
}

impl State {
    pub(super) fn draw(level: CareLevel, dice: &mut Dice) -> Self {
        let severity = match level {
            CareLevel::Support1 => 1,
            CareLevel::Support2 => 2,
            CareLevel::Care1 => 3,
            CareLevel::Care2 => 4,
            CareLevel::Care3 => 5,
            CareLevel::Care4 => 6,
            _ => 7,
        };
        let code = |least: u64, most: u64| {
            const CODES: [&str; 9] = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
            let code = least.clamp(1, most);
            usize::try_from(code - 1).ok().and_then(|at| CODES.get(at)).copied().unwrap_or("1")
        };
        let dementia = (severity + dice.below(3)).saturating_sub(1);
        Self {
            severity,
            physical: code(severity + dice.below(3), 9),
            dementia: code(dementia, 7),
            short_term_memory: code(if dementia >= 3 { 2 } else { 1 }, 2),
            decision_ability: code(dementia.div_ceil(2), 4),
            expression_ability: code(dementia.div_ceil(2), 4),
            eating: code(if severity == 7 && dice.happens(1, 2) { 2 } else { 1 }, 2),
        }
    }
}
