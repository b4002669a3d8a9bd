//! The survey of an invented person (認定調査票): 74 items whose answers grow heavier with the level.

use super::Invented;
use super::course::Episode;
use super::dice::Dice;
use super::json::Object;
use super::life::Care;
use super::records::State;

/// Items of the survey, each with how many answers it has; the first is the lightest.
type Items = &'static [(&'static str, u64)];

/// The groups of items, and how much heavier than the rest a person has to be to be touched by them.
const GROUPS: [(&str, u64, Items); 6] = [
    ("body", 35, BODY),
    ("life", 30, LIFE),
    ("cognition", 50, COGNITION),
    ("behaviour", 70, BEHAVIOUR),
    ("society", 5, SOCIETY),
    ("treatment", 65, TREATMENT),
];

const BODY: Items = &[
    ("paralysis_left_arm", 2),
    ("paralysis_right_arm", 2),
    ("paralysis_left_leg", 2),
    ("paralysis_right_leg", 2),
    ("paralysis_other", 2),
    ("contracture_shoulder", 2),
    ("contracture_hip", 2),
    ("contracture_knee", 2),
    ("contracture_other", 2),
    ("turning_over", 3),
    ("getting_up", 3),
    ("sitting", 4),
    ("standing_on_both_feet", 3),
    ("walking", 3),
    ("standing_up", 3),
    ("standing_on_one_foot", 3),
    ("washing_body", 4),
    ("cutting_nails", 3),
    ("sight", 5),
    ("hearing", 5),
];

const LIFE: Items = &[
    ("transfer", 4),
    ("moving", 4),
    ("swallowing", 3),
    ("eating", 4),
    ("urination", 4),
    ("defecation", 4),
    ("mouth_care", 3),
    ("washing_face", 3),
    ("hair_care", 3),
    ("upper_clothes", 4),
    ("lower_clothes", 4),
    ("outings", 3),
];

const COGNITION: Items = &[
    ("telling_wishes", 4),
    ("daily_routine", 2),
    ("own_birth_date", 2),
    ("short_term_memory", 2),
    ("own_name", 2),
    ("present_season", 2),
    ("present_place", 2),
    ("wandering", 3),
    ("losing_the_way", 3),
];

const BEHAVIOUR: Items = &[
    ("feeling_harmed", 3),
    ("made_up_stories", 3),
    ("unstable_feelings", 3),
    ("day_and_night_reversed", 3),
    ("repeating_talk", 3),
    ("shouting", 3),
    ("resisting_care", 3),
    ("restlessness", 3),
    ("going_out_alone", 3),
    ("hoarding", 3),
    ("breaking_things", 3),
    ("severe_forgetfulness", 3),
    ("talking_to_oneself", 3),
    ("selfish_acts", 3),
    ("incoherent_talk", 3),
];

const SOCIETY: Items = &[
    ("taking_medicine", 3),
    ("handling_money", 3),
    ("daily_decisions", 4),
    ("unfit_for_groups", 3),
    ("shopping", 4),
    ("simple_cooking", 4),
];

const TREATMENT: Items = &[
    ("drip", 2),
    ("central_venous_nutrition", 2),
    ("dialysis", 2),
    ("stoma_care", 2),
    ("oxygen", 2),
    ("respirator", 2),
    ("tracheostomy_care", 2),
    ("pain_nursing", 2),
    ("tube_feeding", 2),
    ("monitoring", 2),
    ("pressure_ulcer_care", 2),
    ("catheter", 2),
];

/// The content of the survey for a certification.
pub(super) fn content(person: &Invented, episode: &Episode, state: &State, dice: &mut Dice) -> Object {
    let in_facility = person.life.care == Care::Facility;
    let mut survey = Object::new()
        .date("surveyed_on", episode.surveyed)
        .text("surveyed_at", dice.word(&["0930", "1030", "1330", "1430", "1530"]))
        .text("place", if in_facility { "2" } else { "1" })
        .some_text("place_name", in_facility.then_some("入所中の施設"))
        .text("surveyor_number", &format!("{:05}", dice.between(1, 99_999)))
        .text("surveyor_qualification", dice.word(&["介護支援専門員", "保健師", "社会福祉士"]))
        .text("certified_before", if episode.previous.is_some() { "2" } else { "1" })
        .some_text("previous_level", episode.previous.map(|(level, ..)| level.as_str()))
        .text(
            "surroundings",
            dice.word(&[
                "夫婦二人で暮らす。近くに子がいる。",
                "一人で暮らす。週末に子が訪ねる。",
                "子の家族と暮らす。日中は一人になる。",
            ]),
        );
    for (group, threshold, items) in GROUPS {
        let group_of = items.iter().fold(Object::new(), |object, (name, answers)| {
            object.text(name, &answer(dice, state.severity, threshold, *answers).to_string())
        });
        survey = survey.object(group, group_of);
    }
    survey
        .text("physical_independence", state.physical)
        .text("dementia_independence", state.dementia)
        .list("notes", notes(dice))
}

/// The answer, from 1: the heavier the need (1 to 7) and the lower the threshold, the later.
fn answer(dice: &mut Dice, severity: u64, threshold: u64, answers: u64) -> u64 {
    // Where there is only yes and no, most say no.
    let threshold = if answers == 2 { threshold + 30 } else { threshold };
    let weight = (severity * 16 + dice.below(50)).saturating_sub(threshold).min(119);
    1 + weight * answers / 120
}

fn notes(dice: &mut Dice) -> Vec<Object> {
    let body = [
        "立ち上がりは手すりにつかまって行う。",
        "歩行は杖を使い、屋外では付き添う。",
        "寝返りと起き上がりに時間がかかる。",
    ];
    let life =
        ["衣服の着脱は一部を手伝う。", "食事は自分でとる。準備は家族が行う。", "排せつ後の始末を手伝うことがある。"];
    let note = |group: &str, text: &str| Object::new().text("group", group).text("text", text);
    vec![note("1", dice.word(&body)), note("2", dice.word(&life))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heavier_need_has_the_heavier_answers() {
        let sum = |severity| {
            let mut dice = Dice::new(&[b"survey"]);
            (0..2_000).map(|_| answer(&mut dice, severity, 30, 4)).sum::<u64>()
        };
        assert!((1..7).all(|severity| sum(severity) < sum(severity + 1)));
        assert_eq!(GROUPS.map(|(_, _, items)| items.len()), [20, 12, 9, 15, 6, 12]);
    }
}
