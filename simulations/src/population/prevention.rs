//! The plan of an invented person who needs support (介護予防サービス・支援計画), with the services they use.

use super::Invented;
use super::course::Episode;
use super::dice::Dice;
use super::json::Object;
use super::plan::{self, Service};
use protocol::date::Date;

/// The fields of life: code, how it is, and why where that is an issue.
const FIELDS_OF_LIFE: [(&str, &str, &str); 4] = [
    ("1", "家の中は一人で歩く。", "足の力が落ち、外出が減った。"),
    ("2", "調理と洗濯は自分でする。", "掃除と買い物で疲れる。"),
    ("3", "近所と挨拶を交わす。", "友人の集まりから遠のいた。"),
    ("4", "通院と服薬を続けている。", "薬を飲み忘れることがある。"),
];

/// The content of the plan for a certification; none if nobody plans or nothing is used.
pub(super) fn content(person: &Invented, episode: &Episode, dice: &mut Dice) -> Option<Object> {
    let office = person.life.planner.as_ref()?;
    let used = plan::services(person, episode, dice);
    if used.is_empty() {
        return None;
    }
    let made = plan::planned_on(person, episode);
    let first = person.course.episodes.first().map_or(made, |first| plan::planned_on(person, first)).min(made);
    // The first field is an issue of all who use something.
    let assessed = FIELDS_OF_LIFE.iter().map(|(code, state, background)| {
        let has_issue = *code == "1" || dice.happens(1, 3);
        let field = Object::new().text("field", code).text("state", state).flag("has_issue", has_issue);
        field.some_text("background", has_issue.then_some(*background))
    });
    let assessed: Vec<Object> = assessed.collect();
    let issues = used.iter().map(|used| issue(used, made, episode.to)).collect();
    let planner = format!("{} {}", dice.word(&["架空", "仮名", "見本"]), dice.word(&["一郎", "花子", "正子", "健一"]));
    let plan = Object::new()
        .date("made_on", made)
        .date("first_made_on", first)
        .text("care_level", episode.level.as_str())
        .date("certified_on", episode.decided)
        .date("valid_from", episode.from)
        .date("valid_to", episode.to)
        .text("planner_name", &planner)
        .text("office_number", office.number())
        .text("office_name", &format!("架空地域包括支援センター {}", office.number()))
        .text("goal_of_a_day", dice.word(&["朝の散歩に出る。", "庭の手入れをする。", "自分で夕食を作る。"]))
        .text("goal_of_a_year", dice.word(&["電車で孫に会いに行く。", "友人と旅行に行く。", "畑仕事を続ける。"]))
        .list("assessed", assessed)
        .list("issues", issues)
        .texts("programmes", dice.pick(&[&["1"][..], &["1", "4"], &["1", "2"], &["3"]]).copied().unwrap_or_default());
    Some(plan.text("policy", "できることを続け、外出の機会を増やす。").date("agreed_on", made))
}

fn issue(used: &(&Service, Option<&str>, &'static str), from: Date, to: Date) -> Object {
    let (service, office, kind) = used;
    // A plan written after its period ran out held on its last day only.
    let to = to.max(from);
    let support = Object::new()
        .text("point", service.short_term)
        .text("service", service.content)
        .text("service_kind", plan::kind_of_day(kind, from))
        .some_text("office_number", *office)
        .some_text("office_name", office.map(|office| format!("架空事業所 {office}")).as_deref())
        .date("from", from)
        .date("to", from.plus_months(6).map_or(to, |half| half.month_end().min(to)));
    let issue = Object::new().text("issue", service.need).text("goal", service.long_term);
    issue.list("supports", vec![support])
}
