//! What was written of an invented person in the months before this one, as far as the plan goes back: plans of use, slips,
//! statements, assessments, and the cards of the years before. Some statements come late (月遅れ請求), some were too high
//! and come again lower (過誤).

use super::Invented;
use super::assessment::{self, Before};
use super::course::{Episode, shifted};
use super::dice::Dice;
use super::json::Object;
use super::records::{Share, State, Times, cards_of_year, share_year};
use super::{claim, use_plan};
use protocol::code::record_kind::RecordKind;
use protocol::date::{Date, Month};

/// A record, and its second version if it was corrected.
pub(super) struct Draft {
    pub(super) kind: RecordKind,
    pub(super) times: Times,
    pub(super) content: Object,
    pub(super) correction: Option<(Times, Object)>,
}

/// How many statements of a hundred come a month late.
const LATE: u64 = 3;
/// How many of a hundred were too high.
const TOO_HIGH: u64 = 1;
/// How many months later that is set right.
const SET_RIGHT_AFTER_MONTHS: u32 = 3;
/// How often somebody is assessed, in months (科学的介護推進体制加算: at least every third month).
const ASSESSED_EVERY_MONTHS: u32 = 3;

/// All of them, the oldest month first; none if the plan goes back no further than this month.
pub(super) fn drafts(person: &Invented, share: Share, dice: &mut Dice) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let months = person.setting.months;
    if months <= 1 {
        return drafts;
    }
    let this = person.setting.today.calendar_month();
    let mut before = None;
    for back in (0..months).rev() {
        let Some(month) = shifted(this, -i64::from(back)) else { continue };
        if back % ASSESSED_EVERY_MONTHS == 0 {
            drafts.extend(assessed(person, month, &mut before, dice));
        }
        if back > 0 {
            drafts.extend(used(person, month, dice));
            drafts.extend(month.previous().map_or_else(Vec::new, |month| billed(person, month, share.tenths, dice)));
        }
    }
    drafts.extend(shared(person, share));
    drafts
}

/// An assessment in a month, and how it was at the one before.
fn assessed(person: &Invented, month: Month, before: &mut Option<Before>, dice: &mut Dice) -> Option<Draft> {
    let day = month.first_day().plus_days(dice.between(0, 27))?;
    let episode = decided(person, day)?;
    let state = State::draw(episode.level, dice);
    let (content, now) = assessment::content(person, (episode, &state), day, dice)?;
    let content = match before.replace(now) {
        Some(before) => assessment::since(content, before),
        None => content,
    };
    let times = Times { from: day, to: None, recorded: day };
    Some(Draft { kind: RecordKind::LifeAssessment, times, content, correction: None })
}

/// The plan of use of a month.
fn used(person: &Invented, month: Month, dice: &mut Dice) -> Option<Draft> {
    let episode = decided(person, month.first_day())?;
    let (made, content) = use_plan::content(person, episode, month, dice)?;
    let times = Times { from: month.first_day(), to: Some(month.last_day()), recorded: made };
    Some(Draft { kind: RecordKind::ServiceUsePlan, times, content, correction: None })
}

/// The slip of a month and the statements that follow it.
fn billed(person: &Invented, month: Month, tenths: u64, dice: &mut Dice) -> Vec<Draft> {
    let episode = decided(person, month.first_day());
    let slip = episode.and_then(|episode| Some((episode, use_plan::slip_lines(person, episode, month, dice)?)));
    let Some((episode, (made, lines))) = slip else { return Vec::new() };
    let times = Times { from: month.first_day(), to: Some(month.last_day()), recorded: made };
    let content = use_plan::slip(person, episode, (made, month), &lines);
    let slip = Draft { kind: RecordKind::BenefitManagement, times, content, correction: None };
    let mut drafts = vec![slip];
    for mut bill in claim::bills(person, (month, &lines), dice) {
        if dice.happens(LATE, 100) {
            bill.day = bill.day.plus_months(1).unwrap_or(bill.day);
        }
        if bill.day >= person.setting.today {
            continue;
        }
        let content = claim::statement(person, episode, month, &bill, tenths);
        let recorded = Times { recorded: bill.day, ..times };
        let set_right = bill.day.plus_months(SET_RIGHT_AFTER_MONTHS).filter(|day| *day < person.setting.today);
        let set_right = set_right.filter(|_day| dice.happens(TOO_HIGH, 100) && bill.times > 1);
        let correction = set_right.map(|day| {
            bill.times = bill.times.saturating_sub(1);
            (Times { recorded: day, ..times }, claim::statement(person, episode, month, &bill, tenths))
        });
        drafts.push(Draft { kind: RecordKind::ClaimStatement, times: recorded, content, correction });
    }
    drafts
}

/// The cards of the years before the last: that one's and this one's are there anyway.
fn shared(person: &Invented, share: Share) -> Vec<Draft> {
    let this = share_year(person.setting.today);
    let oldest = this.saturating_sub(u16::try_from(person.setting.months.div_ceil(12)).unwrap_or(0));
    let cards = (oldest..this.saturating_sub(1)).flat_map(|year| cards_of_year(person, year, share));
    cards.map(|(kind, times, content)| Draft { kind, times, content, correction: None }).collect()
}

/// The certification that held on a day and was decided by then.
fn decided(person: &Invented, day: Date) -> Option<&Episode> {
    person.course.on(day).filter(|episode| episode.decided <= day && person.life.since <= day)
}
