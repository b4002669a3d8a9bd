//! What those who care for an invented person said when they met over a plan (サービス担当者会議の要点), and what the care manager
//! did and heard each month (支援経過).

use super::Invented;
use super::certification::month;
use super::course::{Episode, shifted};
use super::dice::Dice;
use super::json::Object;
use super::life::Care;
use super::neighbours::Draft;
use super::plan;
use super::records::Times;
use protocol::code::record_kind::RecordKind;
use protocol::code::service::ServiceKind;
use protocol::date::{Date, Month};

/// A conference for each plan, then the course of each month up to the last.
pub(super) fn drafts(person: &Invented, dice: &mut Dice) -> Vec<Draft> {
    if person.life.planner.is_none() || person.life.services.is_empty() {
        return Vec::new();
    }
    let episodes = person.course.episodes.iter().zip(1_u32..);
    let mut drafts: Vec<Draft> =
        episodes.filter_map(|(episode, number)| conference(person, episode, number, dice)).collect();
    let this = person.setting.today.calendar_month();
    for back in (1..=person.setting.months).rev() {
        drafts.extend(shifted(this, -i64::from(back)).and_then(|month| course(person, month, dice)));
    }
    drafts
}

fn conference(person: &Invented, episode: &Episode, number: u32, dice: &mut Dice) -> Option<Draft> {
    let held = plan::planned_on(person, episode);
    let made = held.plus_days(dice.between(0, 3)).filter(|day| *day < person.setting.today)?;
    let name = |dice: &mut Dice| {
        format!("{} {}", dice.word(&["架空", "仮名", "見本"]), dice.word(&["一郎", "花子", "正子", "健一"]))
    };
    let attendee = |role: &str, name: &str| Object::new().text("role", role).text("name", name);
    let mut attendees = vec![attendee("介護支援専門員", &name(dice))];
    for (_office, kind) in &person.life.services {
        let kind = ServiceKind::parse(plan::kind_under(person, episode, kind));
        attendees.push(attendee(kind.map_or("サービス事業所", ServiceKind::japanese), &name(dice)));
    }
    let record = heading(person, Object::new().date("made_on", made))?
        .date("held_on", held)
        .text("held_at", if person.life.care == Care::Facility { "施設の会議室" } else { "本人宅" })
        .text("from", dice.word(&["1000", "1330", "1500"]))
        .text("to", dice.word(&["1545", "1600"]))
        .number("number", number)
        .flag("person_present", dice.happens(9, 10))
        .list("attendees", attendees)
        .text("topics", "計画の原案と、目標、サービスの内容")
        .text("discussion", dice.word(&["歩行が不安定になっている。", "夜間の見守りが要る。", "家族の疲れが見える。"]))
        .text("conclusion", "原案のとおり進め、三か月後に見直す。");
    let times = Times { from: held, to: Some(episode.held_to.max(held)), recorded: made };
    Some((RecordKind::CareConference, times, record))
}

/// One visit, and a call before it in two of five months.
fn course(person: &Invented, of: Month, dice: &mut Dice) -> Option<Draft> {
    let (first, last) = (of.first_day(), of.last_day());
    let recorded = last.next_day();
    let episode = person.course.on(first)?;
    let is_planned = plan::planned_on(person, episode) <= first && person.life.since <= first;
    if !is_planned || recorded >= person.setting.today {
        return None;
    }
    let (call, visit) = (first.plus_days(dice.between(2, 9))?, first.plus_days(dice.between(10, 26))?);
    let entry = |on: Date, way: &str, monitoring: bool, content: &str| {
        Object::new().date("on", on).text("way", way).flag("monitoring", monitoring).text("content", content)
    };
    let mut entries = Vec::new();
    if dice.happens(2, 5) {
        entries.push(entry(
            call,
            "2",
            false,
            dice.word(&["家族から電話。体調は変わりない。", "事業所から利用日の変更の連絡。"]),
        ));
    }
    let seen = dice.word(&["変わりなく過ごしている。", "歩く力が少し落ちた。", "サービスに満足している。"]);
    entries.push(entry(visit, "1", true, seen));
    let record = heading(person, Object::new().text("month", &month(first)))?.list("entries", entries);
    Some((RecordKind::SupportCourse, Times { from: first, to: Some(last), recorded }, record))
}

/// Who made it.
fn heading(person: &Invented, record: Object) -> Option<Object> {
    let office = person.life.planner.as_ref()?;
    let name = if person.life.care == Care::Facility { "架空の里" } else { "架空ケアプラン" };
    let record = record.text("planner_name", "架空 一郎").text("office_number", office.number());
    Some(record.text("office_name", &format!("{name} {}", office.number())))
}
