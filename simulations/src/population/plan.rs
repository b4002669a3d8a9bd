//! The care plan of an invented person (居宅サービス計画書, 施設サービス計画書).

use super::Invented;
use super::course::Episode;
use super::dice::Dice;
use super::json::Object;
use super::life::Care;
use protocol::code::care_level::CareLevel;
use protocol::code::code_date;
use protocol::date::Date;

/// A kind of service in a plan: need, long goal, short goal, what is done, how often, on which days,
/// from when to when.
pub(super) struct Service {
    kinds: &'static [&'static str],
    pub(super) need: &'static str,
    pub(super) long_term: &'static str,
    pub(super) short_term: &'static str,
    pub(super) content: &'static str,
    frequency: &'static str,
    weekdays: &'static [&'static str],
    hours: (&'static str, &'static str),
}

const EVERY_DAY: &[&str] = &["1", "2", "3", "4", "5", "6", "7"];

/// The last fits every kind that no other names.
const SERVICES: [Service; 6] = [
    Service {
        kinds: &["11", "A2", "76"],
        need: "身の回りのことを続けたい。",
        long_term: "自宅で清潔な暮らしを続ける。",
        short_term: "手伝いを受けて着替えと掃除ができる。",
        content: "着替えと入浴の介助、掃除と洗濯",
        frequency: "週2回",
        weekdays: &["2", "5"],
        hours: ("1000", "1100"),
    },
    Service {
        kinds: &["13", "63"],
        need: "体の具合を保ちたい。",
        long_term: "入院せずに過ごす。",
        short_term: "薬を決まった時に飲み、体調の変わり目に気づく。",
        content: "体調の確認、服薬の管理、医師との連絡",
        frequency: "週1回",
        weekdays: &["3"],
        hours: ("1400", "1500"),
    },
    Service {
        kinds: &["15", "16", "66", "A6", "72", "74", "78"],
        need: "人と会い、体を動かしたい。",
        long_term: "一人で外出できる体力を保つ。",
        short_term: "週に二日は外で人と過ごす。",
        content: "送迎、入浴、食事、機能訓練",
        frequency: "週2回",
        weekdays: &["1", "4"],
        hours: ("0930", "1630"),
    },
    Service {
        kinds: &["17", "67"],
        need: "転ばずに動きたい。",
        long_term: "家の中を安全に移動する。",
        short_term: "手すりと歩行器を使って便所へ行く。",
        content: "歩行器、手すりの貸与",
        frequency: "毎日",
        weekdays: EVERY_DAY,
        hours: ("0000", "2359"),
    },
    Service {
        kinds: &["21", "73", "75"],
        need: "家族の疲れを減らし、長く家で暮らしたい。",
        long_term: "家族と暮らし続ける。",
        short_term: "月に数日は泊まりを使い、家族が休む。",
        content: "泊まり、通い、食事と入浴の介助",
        frequency: "月4日",
        weekdays: &["6", "7"],
        hours: ("1000", "1600"),
    },
    Service {
        kinds: &[],
        need: "安心して毎日を過ごしたい。",
        long_term: "施設で落ち着いた暮らしを続ける。",
        short_term: "決まった時に起き、食堂で食事をとる。",
        content: "食事、排せつ、入浴の介助、機能訓練",
        frequency: "毎日",
        weekdays: EVERY_DAY,
        hours: ("0600", "2100"),
    },
];

/// The day the plan for a certification was made: with its decision, or with the start of its period.
pub(super) fn planned_on(person: &Invented, episode: &Episode) -> Date {
    let yesterday = person.setting.today.previous_day().unwrap_or(person.setting.today);
    episode.from.max(episode.decided).min(yesterday)
}

/// The content of the plan for a certification; none if nobody plans or nothing is used.
pub(super) fn content(person: &Invented, episode: &Episode, dice: &mut Dice) -> Option<Object> {
    let life = &person.life;
    let office = life.planner.as_ref()?;
    let used = services(person, episode, dice);
    if used.is_empty() {
        return None;
    }
    let planned = planned_on(person, episode);
    let first = person.course.episodes.first().map_or(planned, |first| planned_on(person, first)).min(planned);
    let week = used.iter().map(|(service, ..)| {
        let (start, end) = service.hours;
        let entry = Object::new().text("content", service.content).texts("weekdays", service.weekdays);
        entry.text("start", start).text("end", end)
    });
    let week: Vec<Object> = week.collect();
    let needs = used.iter().zip(1_u8..).map(|(used, number)| need(used, number, planned, episode.to));
    let needs: Vec<Object> = needs.collect();
    let planner = format!("{} {}", dice.word(&["架空", "仮名", "見本"]), dice.word(&["一郎", "花子", "正子", "健一"]));
    let name = if life.care == Care::Facility { "架空の里" } else { "架空ケアプラン" };
    let plan = Object::new()
        .date("made_on", planned)
        .date("planned_on", planned)
        .date("first_planned_on", first)
        .text("plan_kind", if episode.previous.is_some() { "21" } else { "11" })
        .text("certification_state", "1")
        .date("certified_on", episode.decided)
        .date("valid_from", episode.from)
        .date("valid_to", episode.to)
        .text("care_level", episode.level.as_str())
        .text("planner_name", &planner)
        .text("office_number", office.number())
        .text("office_name", &format!("{name} {}", office.number()))
        .text(
            "wishes",
            dice.word(&[
                "住み慣れた家で暮らし続けたい。",
                "家族に負担をかけずに過ごしたい。",
                "もう一度、近所を歩きたい。",
            ]),
        )
        .text(
            "policy",
            dice.word(&["本人の力を生かし、家族と専門職が支える。", "転倒と入院を防ぎ、今の暮らしを保つ。"]),
        )
        .list("needs", needs)
        .list("week", week);
    Some(plan.text("other_services", dice.word(&["月1回の通院に家族が付き添う。", "月2回の訪問診療。"])))
}

/// The services used under a certification, each with office and kind, and each content once.
pub(super) fn services<'a>(
    person: &'a Invented,
    episode: &Episode,
    dice: &mut Dice,
) -> Vec<(&'static Service, Option<&'a str>, &'static str)> {
    let same = is_of_one_benefit(person, episode);
    let support = episode.level < CareLevel::Care1;
    let before = if support { dice.word(&["A2", "A6", "66"]) } else { dice.word(&["11", "15", "13"]) };
    let fitting = |kind: &'static str| if same { kind } else { before };
    let mut used: Vec<(&'static Service, Option<&str>, &'static str)> = Vec::new();
    for (office, kind) in &person.life.services {
        let kind = fitting(kind);
        let [.., last] = &SERVICES;
        let service = SERVICES.iter().find(|service| service.kinds.contains(&kind)).unwrap_or(last);
        if used.iter().all(|(known, ..)| known.content != service.content) {
            used.push((service, Some(office.number()), kind));
        }
    }
    used
}

/// What is used today fits the level of today; under a level of the other benefit it had other kinds.
fn is_of_one_benefit(person: &Invented, episode: &Episode) -> bool {
    let is_support = |level| level < CareLevel::Care1;
    person.course.latest().is_some_and(|latest| is_support(latest.level) == is_support(episode.level))
}

/// The kind of service that stood under an episode in the place of one of today.
pub(super) fn kind_under(person: &Invented, episode: &Episode, kind: &'static str) -> &'static str {
    match (is_of_one_benefit(person, episode), episode.level < CareLevel::Care1) {
        (true, _) => kind,
        (false, true) => "66",
        (false, false) => "15",
    }
}

/// What was used before there was this kind: prevention by law before the municipalities' programmes (総合事業), a ward of
/// long-term care before the integrated facility (介護医療院), help at home and day care before the kinds of 2012 and 2016.
pub(super) fn kind_of_day(kind: &'static str, day: Date) -> &'static str {
    let is_before = code_date::broken(code_date::SERVICE_KIND, kind, day).is_some();
    match kind {
        "A2" if is_before => "61",
        "A6" if is_before => "65",
        "55" if is_before => "53",
        "76" | "77" if is_before => "11",
        "78" if is_before => "15",
        other => other,
    }
}

fn need(used: &(&Service, Option<&str>, &'static str), number: u8, from: Date, to: Date) -> Object {
    let (service, office, kind) = used;
    // A plan written after its period ran out held on its last day only.
    let to = to.max(from);
    let short_to = from.plus_months(6).map_or(to, |half| half.month_end().min(to));
    let row = Object::new()
        .number("number", 1)
        .text("content", service.content)
        .flag("insured", true)
        .text("service_kind", kind_of_day(kind, from))
        .some_text("office_number", *office)
        .some_text("office_name", office.map(|office| format!("架空事業所 {office}")).as_deref())
        .text("frequency", service.frequency)
        .date("from", from)
        .date("to", short_to);
    let goal = Object::new()
        .number("number", 1)
        .text("long_term", service.long_term)
        .date("long_from", from)
        .date("long_to", to)
        .text("short_term", service.short_term)
        .date("short_from", from)
        .date("short_to", short_to)
        .list("services", vec![row]);
    Object::new().number("number", number).text("need", service.need).list("goals", vec![goal])
}
