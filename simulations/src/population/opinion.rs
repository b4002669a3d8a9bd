//! The opinion of an invented person's doctor (主治医意見書).

use super::Invented;
use super::course::Episode;
use super::dice::Dice;
use super::json::Object;
use super::records::State;

/// Diagnoses of the old, and how often.
const DIAGNOSES: &[(&str, u64)] = &[
    ("アルツハイマー型認知症", 20),
    ("脳梗塞後遺症", 16),
    ("大腿骨頸部骨折", 12),
    ("変形性膝関節症", 12),
    ("慢性心不全", 9),
    ("腰部脊柱管狭窄症", 8),
    ("パーキンソン病", 5),
    ("骨粗鬆症", 6),
    ("慢性閉塞性肺疾患", 4),
    ("関節リウマチ", 4),
    ("廃用症候群", 4),
];

/// What a person can do, and what the doctor expects and advises, in codes of the form.
struct Abilities {
    walking: &'static str,
    wheelchair: &'static str,
    aids: &'static [&'static str],
    risks: &'static [&'static str],
    management: &'static str,
}

const LIGHT: Abilities =
    Abilities { walking: "1", wheelchair: "1", aids: &["2"], risks: &["02", "06"], management: "10" };
const MIDDLE: Abilities =
    Abilities { walking: "2", wheelchair: "1", aids: &["2", "3"], risks: &["02", "03", "07"], management: "02" };
const HEAVY: Abilities =
    Abilities { walking: "3", wheelchair: "3", aids: &["1"], risks: &["01", "04", "10", "11"], management: "01" };

/// The content of the opinion for a certification; none if there is no hospital.
pub(super) fn content(person: &Invented, episode: &Episode, state: &State, dice: &mut Dice) -> Option<Object> {
    let hospital = person.life.hospital.as_ref()?;
    let written = episode.opinion_received.plus_days(-1)?.max(episode.opinion_requested);
    let first = dice.weighted(DIAGNOSES, "廃用症候群");
    let began = written.plus_days(-dice.between(200, 3_000))?;
    let doctor = ["林", "森", "原", "谷", "沢"];
    let given = ["一郎", "京子", "健", "恵子"];
    let unstable = dice.happens(12, 100);
    let opinion = Object::new()
        .date("written_on", written)
        .flag("doctor_agrees", dice.happens(95, 100))
        .text("doctor_name", &format!("{} {}", dice.word(&doctor), dice.word(&given)))
        .text("hospital_code", hospital.number())
        .text("hospital_name", &format!("架空病院 {}", hospital.number()))
        .date("last_seen_on", written.plus_days(-dice.between(0, 20))?)
        .text("times_written", if episode.previous.is_some() { "2" } else { "1" })
        .list("diagnoses", diagnoses(first, began, dice))
        .text("symptom_stability", if unstable { "2" } else { "1" })
        .some_text("unstable_how", unstable.then_some("日により痛みと意欲に波がある。"))
        .text(
            "course",
            dice.word(&["内服治療を続けている。経過は落ち着いている。", "退院後、通院と運動療法を続けている。"]),
        )
        .text("physical_independence", state.physical)
        .text("dementia_independence", state.dementia)
        .text("short_term_memory", state.short_term_memory)
        .text("decision_ability", state.decision_ability)
        .text("expression_ability", state.expression_ability)
        .object("body", body(person, dice));
    Some(abilities(opinion, state, dice))
}

fn diagnoses(first: &str, began: protocol::date::Date, dice: &mut Dice) -> Vec<Object> {
    let second = dice.word(&["高血圧症", "2型糖尿病", "白内障", "脂質異常症"]);
    vec![Object::new().text("name", first).date("began_on", began), Object::new().text("name", second)]
}

fn body(person: &Invented, dice: &mut Dice) -> Object {
    let (height, weight) = if person.identity.is_man { (1_610, 580) } else { (1_480, 480) };
    let around = |dice: &mut Dice, middle: i64, by: i64| dice.between(middle - by, middle + by).unsigned_abs();
    Object::new()
        .text("dominant_hand", if dice.happens(94, 100) { "1" } else { "2" })
        .tenths("height", around(dice, height, 120))
        .tenths("weight", around(dice, weight, 130))
        .text("weight_change", dice.word(&["1", "2", "2", "2", "3"]))
}

fn abilities(opinion: Object, state: &State, dice: &mut Dice) -> Object {
    let of: &Abilities = match state.severity {
        1..=2 => &LIGHT,
        3..=5 => &MIDDLE,
        _ => &HEAVY,
    };
    let needed = Object::new().text("service", of.management).flag("especially", dice.happens(1, 5));
    opinion
        .text("walking_outdoors", of.walking)
        .text("wheelchair", of.wheelchair)
        .texts("walking_aids", of.aids)
        .text("eating", state.eating)
        .text("nutrition", if dice.happens(85, 100) { "1" } else { "2" })
        .texts("risks", of.risks)
        .text("risk_measures", "定期の受診と、住まいの見直し、運動の継続で備える。")
        .text("outlook", dice.word(&["1", "1", "2", "3"]))
        .list("management", vec![needed])
        .text("infection", "1")
}
