//! What a care office assessed of a person for the scientific care information system (科学的介護推進体制加算, LIFE), and
//! what it was the time before, so that the person and those who care for them see the change.

use crate::code::field_group::FieldGroup::{Card, Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{LINES, NARRATIVE, sets};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{
    self, CareLevel, Code, Date, Flag, Group, Integer, List, OfficeNumber, ServiceKind, Tenths,
};
use crate::record::form::{CodeDay, Field, Form, Rule, optional, required};
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::LifeAssessment,
    fields: FIELDS,
    days: DAYS,
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/life-assessment/good.json"),
};

/// The danger of low nutrition (低栄養状態のリスクレベル).
static LOW_NUTRITION: CodeSet = CodeSet { name: "low_nutrition", values: &[("1", "低"), ("2", "中"), ("3", "高")] };

/// What the person eats, by the code of the diet for those who swallow with difficulty (嚥下調整食).
static DIET: CodeSet = CodeSet {
    name: "diet",
    values: &[
        ("50", "常食"),
        ("40", "嚥下調整食 コード4"),
        ("30", "嚥下調整食 コード3"),
        ("22", "嚥下調整食 コード2-2"),
        ("21", "嚥下調整食 コード2-1"),
        ("10", "嚥下調整食 コード1j"),
        ("02", "嚥下調整食 コード0t"),
        ("01", "嚥下調整食 コード0j"),
    ],
};

/// How thick liquids are made (とろみ).
static THICKNESS: CodeSet =
    CodeSet { name: "thickness", values: &[("0", "なし"), ("1", "薄い"), ("2", "中間"), ("3", "濃い")] };

/// 0, 5, 10 … points, by how much help is needed.
const fn points(max: i64) -> FieldType {
    Integer { min: 0, max }
}

static FIELDS: &[Field] = &[
    required("assessed_on", "評価日", Date, Card),
    required("service_kind", "サービス種類", ServiceKind, Card),
    required("care_level", "要介護状態区分", CareLevel, Card),
    optional("office_number", "事業所番号", OfficeNumber, Place),
    required("physical_independence", "障害高齢者の日常生活自立度", Code(&sets::PHYSICAL_INDEPENDENCE), Content),
    required("dementia_independence", "認知症高齢者の日常生活自立度", Code(&sets::DEMENTIA_INDEPENDENCE), Content),
    optional("diagnoses", "診断名", List { of: DIAGNOSIS, items_max: 3 }, Content),
    required("barthel", "ADL(Barthel Index)", Group(BARTHEL), Content),
    optional("nutrition", "栄養", Group(NUTRITION), Content),
    optional("oral", "口腔", Group(ORAL), Content),
    optional("dementia", "認知症", Group(DEMENTIA), Content),
    optional("vitality", "意欲(Vitality Index)", Group(VITALITY), Content),
    optional("emergency_admission", "緊急入院の有無", Flag, Content),
    optional("previous", "前回の評価", Group(PREVIOUS), Content),
    optional("medication", "服薬情報", LINES, Narrative),
    optional("family", "家族の状況", LINES, Narrative),
    optional("remarks", "備考", NARRATIVE, Narrative),
];

static DIAGNOSIS: &[Field] = &[required("name", "診断名", LINES, Content)];

static BARTHEL: &[Field] = &[
    required("eating", "食事", points(10), Content),
    required("transfer", "椅子とベッド間の移乗", points(15), Content),
    required("grooming", "整容", points(5), Content),
    required("toilet", "トイレ動作", points(10), Content),
    required("bathing", "入浴", points(5), Content),
    required("walking", "平地歩行", points(15), Content),
    required("stairs", "階段昇降", points(10), Content),
    required("dressing", "更衣", points(10), Content),
    required("bowels", "排便コントロール", points(10), Content),
    required("bladder", "排尿コントロール", points(10), Content),
    required("total", "合計", points(100), Content),
];

static NUTRITION: &[Field] = &[
    required("height_cm", "身長 (cm)", Tenths { min: 500, max: 2_200 }, Content),
    required("weight_kg", "体重 (kg)", Tenths { min: 100, max: 2_500 }, Content),
    optional("bmi", "BMI", Tenths { min: 50, max: 900 }, Content),
    optional("low_nutrition", "低栄養状態のリスクレベル", Code(&LOW_NUTRITION), Content),
    optional("diet", "食事の形態", Code(&DIET), Content),
    optional("thickness", "とろみ", Code(&THICKNESS), Content),
    optional("intake_percent", "食事摂取量 (%)", Integer { min: 0, max: 100 }, Content),
    optional("albumin", "血清アルブミン値 (g/dL)", Tenths { min: 5, max: 70 }, Content),
    optional("pressure_ulcer", "褥瘡の有無", Flag, Content),
];

static ORAL: &[Field] = &[
    required("dentures", "義歯の使用", Flag, Content),
    required("chokes", "むせの有無", Flag, Content),
    optional("needs_cleaning", "口腔清掃の必要", Flag, Content),
];

static DEMENTIA: &[Field] = &[
    required("diagnosed", "診断の有無", Flag, Content),
    optional("diagnosed_on", "診断日", Date, Content),
    optional("dbd13", "DBD13", Group(DBD13), Content),
];

/// How often, from 0 (never) to 4 (always).
const OFTEN: FieldType = Integer { min: 0, max: 4 };

static DBD13: &[Field] = &[
    required("asks_again", "同じことを何度も聞く", OFTEN, Content),
    required("loses_things", "よく物をなくす・隠す", OFTEN, Content),
    required("indifferent", "日常的な物事に関心を示さない", OFTEN, Content),
    required("wakes_at_night", "特別な理由がないのに夜中に起きる", OFTEN, Content),
    required("accuses", "根拠なしに人に言いがかりをつける", OFTEN, Content),
    required("sleeps_by_day", "昼間、寝てばかりいる", OFTEN, Content),
    required("wanders", "やたらに歩き回る", OFTEN, Content),
    required("repeats_actions", "同じ動作をいつまでも繰り返す", OFTEN, Content),
    required("swears", "口汚くののしる", OFTEN, Content),
    required("unsuitable_clothes", "場違いあるいは季節に合わない服装をする", OFTEN, Content),
    required("refuses_care", "世話をされるのを拒否する", OFTEN, Content),
    required("hoards", "明らかな理由なしに物を貯め込む", OFTEN, Content),
    required("empties_drawers", "引き出しの中身を全部出してしまう", OFTEN, Content),
    required("total", "合計", Integer { min: 0, max: 52 }, Content),
];

/// From 0 (not at all) to 2 (of their own accord).
const WILL: FieldType = Integer { min: 0, max: 2 };

static VITALITY: &[Field] = &[
    required("rising", "起床", WILL, Content),
    required("communicating", "意思疎通", WILL, Content),
    required("eating", "食事", WILL, Content),
    required("excreting", "排せつ", WILL, Content),
    required("rehabilitating", "リハビリ・活動", WILL, Content),
    required("total", "合計", Integer { min: 0, max: 10 }, Content),
];

static PREVIOUS: &[Field] = &[
    required("assessed_on", "前回評価日", Date, Content),
    required("barthel_total", "前回 Barthel Index 合計", points(100), Content),
    optional("dbd13_total", "前回 DBD13 合計", Integer { min: 0, max: 52 }, Content),
    optional("vitality_total", "前回 Vitality Index 合計", Integer { min: 0, max: 10 }, Content),
    optional("weight_kg", "前回 体重 (kg)", Tenths { min: 100, max: 2_500 }, Content),
];

static DAYS: &[CodeDay] = &[CodeDay { of: "", day: Some("assessed_on") }];

static RULES: &[Rule] = &[
    Rule { name: "barthel_in_fives", expected: "a multiple of 5", broken_at: barthel_in_fives },
    Rule { name: "barthel_total", expected: "the sum of the ten items", broken_at: barthel_total },
    Rule { name: "dbd13_total", expected: "the sum of the thirteen items", broken_at: dbd13_total },
    Rule { name: "vitality_total", expected: "the sum of the five items", broken_at: vitality_total },
    Rule { name: "bmi_of_body", expected: "weight by the square of height, to a tenth", broken_at: bmi_of_body },
    Rule { name: "diagnosis_dated", expected: "no day without a diagnosis", broken_at: diagnosis_dated },
    Rule { name: "previous_before", expected: "a day before this assessment", broken_at: previous_before },
    Rule { name: "previous_in_fives", expected: "a multiple of 5", broken_at: previous_in_fives },
];

fn barthel_in_fives(assessment: &Fields) -> Option<String> {
    let barthel = assessment.group("barthel")?;
    let odd = |field: &&Field| barthel.integer(field.name).is_some_and(|points| points % 5 != 0);
    BARTHEL.iter().find(odd).map(|field| format!("barthel.{}", field.name))
}

fn barthel_total(assessment: &Fields) -> Option<String> {
    is_total(assessment.group("barthel")?, BARTHEL).map(|name| format!("barthel.{name}"))
}

fn dbd13_total(assessment: &Fields) -> Option<String> {
    let dbd13 = assessment.group("dementia")?.group("dbd13")?;
    is_total(dbd13, DBD13).map(|name| format!("dementia.dbd13.{name}"))
}

fn vitality_total(assessment: &Fields) -> Option<String> {
    is_total(assessment.group("vitality")?, VITALITY).map(|name| format!("vitality.{name}"))
}

/// The last of `of` is broken if it is not the sum of those before it.
fn is_total(fields: &Fields, of: &[Field]) -> Option<String> {
    let (total, items) = of.split_last()?;
    let sum = items.iter().filter_map(|field| fields.integer(field.name)).fold(0, i64::saturating_add);
    (fields.integer(total.name)? != sum).then(|| total.name.to_owned())
}

fn bmi_of_body(assessment: &Fields) -> Option<String> {
    let nutrition = assessment.group("nutrition")?;
    let (height, weight) = (nutrition.integer("height_cm")?, nutrition.integer("weight_kg")?);
    // In tenths: (weight / 10) / (height / 1000)² × 10.
    let bmi = weight.saturating_mul(1_000_000).checked_div(height.saturating_mul(height))?;
    let told = nutrition.integer("bmi")?;
    (told.abs_diff(bmi) > 1).then(|| "nutrition.bmi".to_owned())
}

fn diagnosis_dated(assessment: &Fields) -> Option<String> {
    let dementia = assessment.group("dementia")?;
    let is_odd = dementia.flag("diagnosed") == Some(false) && dementia.date("diagnosed_on").is_some();
    is_odd.then(|| "dementia.diagnosed_on".to_owned())
}

fn previous_before(assessment: &Fields) -> Option<String> {
    let previous = assessment.group("previous")?.date("assessed_on")?;
    (previous >= assessment.date("assessed_on")?).then(|| "previous.assessed_on".to_owned())
}

fn previous_in_fives(assessment: &Fields) -> Option<String> {
    let points = assessment.group("previous")?.integer("barthel_total")?;
    (points % 5 != 0).then(|| "previous.barthel_total".to_owned())
}
