//! The survey for certification (認定調査票): general survey (概況調査), the 74 items of the basic survey
//! (基本調査) with their option sets, and the notes (特記事項).

use crate::code::field_group::FieldGroup::{Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::sets::{self, PRESENCE};
use crate::record::care::{NAME, NARRATIVE, NUMBER};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{
    CareLevel, Code, Date, Group, Integer, List, OfficeNumber, ServiceKind, TimeOfDay,
};
use crate::record::form::{CodeDay, Field, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::CertificationSurvey,
    fields: FIELDS,
    days: DAYS,
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/certification-survey/good.json"),
};

static WHERE: CodeSet = CodeSet { name: "survey_place", values: &[("1", "自宅内"), ("2", "自宅外")] };

static NOTE_GROUP: CodeSet = CodeSet {
    name: "note_group",
    values: &[
        ("1", "身体機能・起居動作"),
        ("2", "生活機能"),
        ("3", "認知機能"),
        ("4", "精神・行動障害"),
        ("5", "社会生活への適応"),
        ("6", "特別な医療"),
        ("7", "日常生活自立度"),
    ],
};

static STEADY: CodeSet = CodeSet {
    name: "steadiness",
    values: &[("1", "つかまらないでできる"), ("2", "何かにつかまればできる"), ("3", "できない")],
};

static SUPPORT: CodeSet = CodeSet {
    name: "support",
    values: &[("1", "支えなしでできる"), ("2", "何か支えがあればできる"), ("3", "できない")],
};

static SITTING: CodeSet = CodeSet {
    name: "sitting",
    values: &[("1", "できる"), ("2", "自分の手で支えればできる"), ("3", "支えてもらえればできる"), ("4", "できない")],
};

static WASHING: CodeSet = CodeSet {
    name: "washing",
    values: &[("1", "介助されていない"), ("2", "一部介助"), ("3", "全介助"), ("4", "行っていない")],
};

static HELP: CodeSet =
    CodeSet { name: "help", values: &[("1", "介助されていない"), ("2", "一部介助"), ("3", "全介助")] };

static HELP_OR_WATCH: CodeSet = CodeSet {
    name: "help_or_watch",
    values: &[("1", "介助されていない"), ("2", "見守り等"), ("3", "一部介助"), ("4", "全介助")],
};

static SWALLOWING: CodeSet =
    CodeSet { name: "swallowing", values: &[("1", "できる"), ("2", "見守り等"), ("3", "できない")] };

static SIGHT: CodeSet = CodeSet {
    name: "sight",
    values: &[
        ("1", "普通"),
        ("2", "約1mの図が見える"),
        ("3", "目の前の図が見える"),
        ("4", "ほとんど見えない"),
        ("5", "判断不能"),
    ],
};

static HEARING: CodeSet = CodeSet {
    name: "hearing",
    values: &[
        ("1", "普通"),
        ("2", "普通の声がやっと"),
        ("3", "かなり大きな声"),
        ("4", "ほとんど聞こえない"),
        ("5", "判断不能"),
    ],
};

static OUTINGS: CodeSet =
    CodeSet { name: "outings", values: &[("1", "週1回以上"), ("2", "月1回以上"), ("3", "月1回未満")] };

static TELLING: CodeSet = CodeSet {
    name: "telling",
    values: &[("1", "伝達できる"), ("2", "ときどき"), ("3", "ほとんどできない"), ("4", "できない")],
};

static UNDERSTANDING: CodeSet = CodeSet { name: "understanding", values: &[("1", "できる"), ("2", "できない")] };

static FREQUENCY: CodeSet =
    CodeSet { name: "frequency", values: &[("1", "ない"), ("2", "ときどきある"), ("3", "ある")] };

static DECIDING: CodeSet = CodeSet {
    name: "deciding",
    values: &[
        ("1", "できる(特別な場合も)"),
        ("2", "特別な場合を除いてできる"),
        ("3", "日常的に困難"),
        ("4", "できない"),
    ],
};

static FIELDS: &[Field] = &[
    required("surveyed_on", "実施日", Date, Content),
    optional("surveyed_at", "実施時刻", TimeOfDay, Content),
    required("place", "実施場所", Code(&WHERE), Place),
    optional("place_name", "実施場所の名称", NAME, Place),
    optional("surveyor_number", "調査員番号", NUMBER, Content),
    optional("surveyor_qualification", "調査員資格", NAME, Content),
    optional("surveying_office", "調査員の所属事業所番号", OfficeNumber, Place),
    required("certified_before", "過去の認定", Code(&PRESENCE), Content),
    optional("previous_level", "前回認定結果", CareLevel, Content),
    optional("monthly_uses", "現在のサービス利用回数", List { of: MONTHLY_USE, items_max: 40 }, Content),
    optional("facility_name", "利用施設の名称", NAME, Place),
    optional("surroundings", "置かれている環境", NARRATIVE, Narrative),
    required("body", "1群 身体機能・起居動作", Group(BODY), Content),
    required("life", "2群 生活機能", Group(LIFE), Content),
    required("cognition", "3群 認知機能", Group(COGNITION), Content),
    required("behaviour", "4群 精神・行動障害", Group(BEHAVIOUR), Content),
    required("society", "5群 社会生活への適応", Group(SOCIETY), Content),
    required("treatment", "6 特別な医療(過去14日間)", Group(TREATMENT), Content),
    required("physical_independence", "障害高齢者の日常生活自立度", Code(&sets::PHYSICAL_INDEPENDENCE), Content),
    required("dementia_independence", "認知症高齢者の日常生活自立度", Code(&sets::DEMENTIA_INDEPENDENCE), Content),
    optional("notes", "特記事項", List { of: NOTE, items_max: 7 }, Narrative),
];

static MONTHLY_USE: &[Field] = &[
    required("service_kind", "サービス種類", ServiceKind, Content),
    required("times", "回数", Integer { min: 0, max: 999 }, Content),
];

static BODY: &[Field] = &[
    required("paralysis_left_arm", "1-1 麻痺 左上肢", Code(&PRESENCE), Content),
    required("paralysis_right_arm", "1-1 麻痺 右上肢", Code(&PRESENCE), Content),
    required("paralysis_left_leg", "1-1 麻痺 左下肢", Code(&PRESENCE), Content),
    required("paralysis_right_leg", "1-1 麻痺 右下肢", Code(&PRESENCE), Content),
    required("paralysis_other", "1-1 麻痺 その他", Code(&PRESENCE), Content),
    required("contracture_shoulder", "1-2 拘縮 肩関節", Code(&PRESENCE), Content),
    required("contracture_hip", "1-2 拘縮 股関節", Code(&PRESENCE), Content),
    required("contracture_knee", "1-2 拘縮 膝関節", Code(&PRESENCE), Content),
    required("contracture_other", "1-2 拘縮 その他", Code(&PRESENCE), Content),
    required("turning_over", "1-3 寝返り", Code(&STEADY), Content),
    required("getting_up", "1-4 起き上がり", Code(&STEADY), Content),
    required("sitting", "1-5 座位保持", Code(&SITTING), Content),
    required("standing_on_both_feet", "1-6 両足での立位保持", Code(&SUPPORT), Content),
    required("walking", "1-7 歩行", Code(&STEADY), Content),
    required("standing_up", "1-8 立ち上がり", Code(&STEADY), Content),
    required("standing_on_one_foot", "1-9 片足での立位", Code(&SUPPORT), Content),
    required("washing_body", "1-10 洗身", Code(&WASHING), Content),
    required("cutting_nails", "1-11 つめ切り", Code(&HELP), Content),
    required("sight", "1-12 視力", Code(&SIGHT), Content),
    required("hearing", "1-13 聴力", Code(&HEARING), Content),
];

static LIFE: &[Field] = &[
    required("transfer", "2-1 移乗", Code(&HELP_OR_WATCH), Content),
    required("moving", "2-2 移動", Code(&HELP_OR_WATCH), Content),
    required("swallowing", "2-3 えん下", Code(&SWALLOWING), Content),
    required("eating", "2-4 食事摂取", Code(&HELP_OR_WATCH), Content),
    required("urination", "2-5 排尿", Code(&HELP_OR_WATCH), Content),
    required("defecation", "2-6 排便", Code(&HELP_OR_WATCH), Content),
    required("mouth_care", "2-7 口腔清潔", Code(&HELP), Content),
    required("washing_face", "2-8 洗顔", Code(&HELP), Content),
    required("hair_care", "2-9 整髪", Code(&HELP), Content),
    required("upper_clothes", "2-10 上衣の着脱", Code(&HELP_OR_WATCH), Content),
    required("lower_clothes", "2-11 ズボン等の着脱", Code(&HELP_OR_WATCH), Content),
    required("outings", "2-12 外出頻度", Code(&OUTINGS), Content),
];

static COGNITION: &[Field] = &[
    required("telling_wishes", "3-1 意思の伝達", Code(&TELLING), Content),
    required("daily_routine", "3-2 毎日の日課を理解", Code(&UNDERSTANDING), Content),
    required("own_birth_date", "3-3 生年月日を言う", Code(&UNDERSTANDING), Content),
    required("short_term_memory", "3-4 短期記憶", Code(&UNDERSTANDING), Content),
    required("own_name", "3-5 自分の名前を言う", Code(&UNDERSTANDING), Content),
    required("present_season", "3-6 今の季節を理解", Code(&UNDERSTANDING), Content),
    required("present_place", "3-7 場所の理解", Code(&UNDERSTANDING), Content),
    required("wandering", "3-8 徘徊", Code(&FREQUENCY), Content),
    required("losing_the_way", "3-9 外出して戻れない", Code(&FREQUENCY), Content),
];

static BEHAVIOUR: &[Field] = &[
    required("feeling_harmed", "4-1 被害的", Code(&FREQUENCY), Content),
    required("made_up_stories", "4-2 作話", Code(&FREQUENCY), Content),
    required("unstable_feelings", "4-3 感情が不安定", Code(&FREQUENCY), Content),
    required("day_and_night_reversed", "4-4 昼夜逆転", Code(&FREQUENCY), Content),
    required("repeating_talk", "4-5 同じ話をする", Code(&FREQUENCY), Content),
    required("shouting", "4-6 大声を出す", Code(&FREQUENCY), Content),
    required("resisting_care", "4-7 介護に抵抗", Code(&FREQUENCY), Content),
    required("restlessness", "4-8 落ち着きなし", Code(&FREQUENCY), Content),
    required("going_out_alone", "4-9 一人で出たがる", Code(&FREQUENCY), Content),
    required("hoarding", "4-10 収集癖", Code(&FREQUENCY), Content),
    required("breaking_things", "4-11 物や衣類を壊す", Code(&FREQUENCY), Content),
    required("severe_forgetfulness", "4-12 ひどい物忘れ", Code(&FREQUENCY), Content),
    required("talking_to_oneself", "4-13 独り言・独り笑い", Code(&FREQUENCY), Content),
    required("selfish_acts", "4-14 自分勝手に行動する", Code(&FREQUENCY), Content),
    required("incoherent_talk", "4-15 話がまとまらない", Code(&FREQUENCY), Content),
];

static SOCIETY: &[Field] = &[
    required("taking_medicine", "5-1 薬の内服", Code(&HELP), Content),
    required("handling_money", "5-2 金銭の管理", Code(&HELP), Content),
    required("daily_decisions", "5-3 日常の意思決定", Code(&DECIDING), Content),
    required("unfit_for_groups", "5-4 集団への不適応", Code(&FREQUENCY), Content),
    required("shopping", "5-5 買い物", Code(&HELP_OR_WATCH), Content),
    required("simple_cooking", "5-6 簡単な調理", Code(&HELP_OR_WATCH), Content),
];

static TREATMENT: &[Field] = &[
    required("drip", "点滴の管理", Code(&PRESENCE), Content),
    required("central_venous_nutrition", "中心静脈栄養", Code(&PRESENCE), Content),
    required("dialysis", "透析", Code(&PRESENCE), Content),
    required("stoma_care", "ストーマの処置", Code(&PRESENCE), Content),
    required("oxygen", "酸素療法", Code(&PRESENCE), Content),
    required("respirator", "レスピレーター", Code(&PRESENCE), Content),
    required("tracheostomy_care", "気管切開の処置", Code(&PRESENCE), Content),
    required("pain_nursing", "疼痛の看護", Code(&PRESENCE), Content),
    required("tube_feeding", "経管栄養", Code(&PRESENCE), Content),
    required("monitoring", "モニター測定", Code(&PRESENCE), Content),
    required("pressure_ulcer_care", "じょくそうの処置", Code(&PRESENCE), Content),
    required("catheter", "カテーテル", Code(&PRESENCE), Content),
];

static NOTE: &[Field] =
    &[required("group", "項目群", Code(&NOTE_GROUP), Narrative), required("text", "特記事項", NARRATIVE, Narrative)];

static DAYS: &[CodeDay] = &[
    CodeDay { of: "", day: Some("surveyed_on") },
    // Until when that was the level is not told.
    CodeDay { of: "previous_level", day: None },
];

static RULES: &[Rule] = &[
    Rule {
        name: "previous_level_if_certified",
        expected: "no earlier level without an earlier certification",
        broken_at: previous,
    },
    Rule { name: "place_named", expected: "the name of a place that is not the home", broken_at: place_named },
    Rule { name: "uses_once", expected: "each service kind once", broken_at: uses_once },
    Rule { name: "notes_once", expected: "one text for each group of items", broken_at: notes_once },
];

fn previous(survey: &Fields) -> Option<String> {
    let never = survey.text("certified_before")? == "1";
    (never && survey.value("previous_level").is_some()).then(|| "previous_level".to_owned())
}

fn place_named(survey: &Fields) -> Option<String> {
    let elsewhere = survey.text("place")? == "2";
    (elsewhere && survey.value("place_name").is_none()).then(|| "place_name".to_owned())
}

fn uses_once(survey: &Fields) -> Option<String> {
    rules::unique(survey, "monthly_uses", "service_kind")
}

fn notes_once(survey: &Fields) -> Option<String> {
    rules::unique(survey, "notes", "group")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_basic_survey_has_its_74_items() {
        let groups = [BODY, LIFE, COGNITION, BEHAVIOUR, SOCIETY, TREATMENT];
        assert_eq!(groups.map(<[Field]>::len), [20, 12, 9, 15, 6, 12]);
        assert!(groups.iter().all(|group| group.iter().all(|item| item.required)));
    }
}
