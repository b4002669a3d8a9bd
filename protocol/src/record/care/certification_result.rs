//! What the insurer decided about the need for care (要介護認定結果), with the course that led to it:
//! the fields of the national result file, in its order.

use crate::code::care_level::CareLevel;
use crate::code::field_group::FieldGroup::{Card, Contact, Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::code::validity;
use crate::record::care::{ADDRESS, LINES, NAME, NARRATIVE, NUMBER, PHONE, sets};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{Code, Date, Flag, Group, HospitalCode, InsuredNumber, InsurerNumber};
use crate::record::form::FieldType::{Integer, List, OfficeNumber, PostalCode, ServiceKind, Tenths};
use crate::record::form::{CodeDay, Field, FieldType, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::CertificationResult,
    fields: FIELDS,
    days: DAYS,
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/certification-result/good.json"),
};

static STABILITY: CodeSet = CodeSet { name: "stability", values: &[("1", "安定"), ("2", "不安定")] };

static PRESUMED_BENEFIT: CodeSet =
    CodeSet { name: "presumed_benefit", values: &[("1", "介護給付"), ("2", "予防給付")] };

static SITUATION: CodeSet = CodeSet {
    name: "situation",
    values: &[
        ("1", "居宅"),
        ("2", "介護老人福祉施設"),
        ("3", "介護老人保健施設"),
        ("4", "療養型"),
        ("5", "グループホーム"),
        ("6", "特定施設"),
        ("7", "医療療養"),
        ("8", "医療機関(他)"),
        ("9", "その他"),
    ],
};

/// Minutes of care in a day, in tenths (要介護認定等基準時間).
const MINUTES: FieldType = Tenths { min: 0, max: 14_400 };
/// A middle score of one group of items (中間評価項目得点).
const SCORE: FieldType = Tenths { min: 0, max: 1_000 };

static FIELDS: &[Field] = &[
    optional("edition", "識別コード", NUMBER, Card),
    required("insurer_number", "保険者番号", InsurerNumber, Card),
    required("insured_number", "被保険者番号", InsuredNumber, Card),
    required("application_date", "認定申請日", Date, Card),
    optional("branch", "枝番", NUMBER, Card),
    required("application_by_law", "申請区分(法令)", Code(&sets::APPLICATION_BY_LAW), Card),
    optional("application_at_receipt", "申請区分(申請時)", Code(&sets::APPLICATION_AT_RECEIPT), Card),
    optional("withdrawn", "取下区分", Flag, Card),
    required("insured_class", "被保険者区分", Code(&sets::INSURED_CLASS), Card),
    optional("agent", "申請代行区分", Code(&sets::AGENT), Content),
    required("birth_date", "生年月日", Date, Card),
    optional("age", "年齢", Integer { min: 0, max: 130 }, Card),
    required("sex", "性別", Code(&sets::SEX), Card),
    required("name_kana", "カナ氏名", NAME, Card),
    required("name", "漢字氏名", NAME, Card),
    optional("postal_code", "郵便番号", PostalCode, Contact),
    optional("address", "住所", ADDRESS, Contact),
    optional("phone", "電話", PHONE, Contact),
    optional("facility_name", "病院施設名称", NAME, Place),
    optional("facility_address", "病院施設所在地", ADDRESS, Place),
    optional("previous_level", "前回結果", FieldType::CareLevel, Card),
    optional("previous_from", "前回有効開始", Date, Card),
    optional("previous_to", "前回有効終了", Date, Card),
    optional("hospital_code", "主治医医療機関番号", HospitalCode, Place),
    optional("doctor_number", "主治医番号", NUMBER, Place),
    optional("opinion_requested_on", "意見書依頼日", Date, Content),
    optional("opinion_received_on", "意見書入手日", Date, Content),
    optional("opinion", "意見書の項目", Group(OPINION), Content),
    optional("survey_requested_on", "調査依頼日", Date, Content),
    optional("surveyed_on", "調査実施日", Date, Content),
    optional("surveying_office", "調査 居宅介護支援事業者番号", OfficeNumber, Place),
    optional("survey_delegated", "委託区分", Flag, Content),
    optional("surveyor_number", "調査員番号", NUMBER, Content),
    optional("surveyor_qualification", "調査員資格", NAME, Content),
    optional("first_judged_on", "一次判定日", Date, Content),
    optional("first_level", "一次判定結果", FieldType::CareLevel, Content),
    optional("first_level_with_dementia", "一次判定結果(認知症加算)", FieldType::CareLevel, Content),
    optional("care_minutes", "要介護認定等基準時間", Group(CARE_MINUTES), Content),
    optional("scores", "中間評価項目得点", Group(SCORES), Content),
    optional("warnings", "警告コード", LINES, Content),
    optional("stability", "状態の安定性", Code(&STABILITY), Content),
    optional("dementia_likelihood", "認知症自立度Ⅱ以上の蓋然性 (%)", Tenths { min: 0, max: 1_000 }, Content),
    optional("presumed_benefit", "推定給付区分", Code(&PRESUMED_BENEFIT), Content),
    optional("papers_made_on", "審査会資料作成日", Date, Content),
    optional("panel_planned_on", "審査会予定日", Date, Content),
    optional("panel_number", "合議体番号", NUMBER, Content),
    optional("paper_number", "資料番号", NUMBER, Content),
    required("decided_on", "二次判定日", Date, Card),
    required("care_level", "二次判定結果", FieldType::CareLevel, Card),
    optional("valid_from", "有効開始", Date, Card),
    optional("valid_to", "有効終了", Date, Card),
    optional("specific_disease", "特定疾病", Code(&sets::SPECIFIC_DISEASE), Content),
    optional("level_one_state", "要介護1の状態像", NUMBER, Content),
    optional("service_class", "現在のサービス区分", NUMBER, Content),
    optional("situation", "現在の状況", Code(&SITUATION), Place),
    optional("monthly_uses", "サービス利用回数", List { of: MONTHLY_USE, items_max: 40 }, Content),
    optional("panel_opinion", "審査会の意見", NARRATIVE, Narrative),
];

static OPINION: &[Field] = &[
    required("short_term_memory", "短期記憶", Code(&sets::SHORT_TERM_MEMORY), Content),
    required("decision_ability", "認知能力", Code(&sets::DECISION_ABILITY), Content),
    required("expression_ability", "伝達能力", Code(&sets::EXPRESSION_ABILITY), Content),
    required("eating", "食事行為", Code(&sets::EATING), Content),
    required("dementia_independence", "認知症高齢者自立度", Code(&sets::DEMENTIA_INDEPENDENCE), Content),
];

static CARE_MINUTES: &[Field] = &[
    required("total", "合計", MINUTES, Content),
    optional("meals", "食事", MINUTES, Content),
    optional("excretion", "排泄", MINUTES, Content),
    optional("moving", "移動", MINUTES, Content),
    optional("hygiene", "清潔保持", MINUTES, Content),
    optional("indirect", "間接ケア", MINUTES, Content),
    optional("behaviour", "BPSD関連", MINUTES, Content),
    optional("training", "機能訓練", MINUTES, Content),
    optional("medical", "医療関連", MINUTES, Content),
    optional("dementia", "認知症加算", MINUTES, Content),
];

static SCORES: &[Field] = &[
    required("body", "第1群", SCORE, Content),
    required("life", "第2群", SCORE, Content),
    required("cognition", "第3群", SCORE, Content),
    required("behaviour", "第4群", SCORE, Content),
    required("society", "第5群", SCORE, Content),
];

static MONTHLY_USE: &[Field] = &[
    required("service_kind", "サービス種類", ServiceKind, Content),
    required("times", "回数", Integer { min: 0, max: 999 }, Content),
];

static DAYS: &[CodeDay] = &[
    CodeDay { of: "", day: Some("valid_from") },
    CodeDay { of: "", day: Some("decided_on") },
    CodeDay { of: "previous_level", day: Some("previous_to") },
    CodeDay { of: "monthly_uses", day: Some("surveyed_on") },
    CodeDay { of: "monthly_uses", day: Some("application_date") },
];

static RULES: &[Rule] = &[
    Rule { name: "opinion_in_order", expected: "a day not before the step before", broken_at: opinion_in_order },
    Rule { name: "survey_in_order", expected: "a day not before the step before", broken_at: survey_in_order },
    Rule { name: "decided_after_application", expected: "a day not before the application", broken_at: decided },
    Rule { name: "decided_for_a_period", expected: "a period of certification", broken_at: decided_for_a_period },
    Rule { name: "period_in_order", expected: "an end not before the start", broken_at: period_in_order },
    Rule { name: "period_ends_a_month", expected: "the last day of a month", broken_at: period_ends_a_month },
    Rule {
        name: "period_starts",
        expected: "the application date, or the day after the last period",
        broken_at: starts,
    },
    Rule {
        name: "period_length",
        expected: "as many months as could be certified on the day of the decision",
        broken_at: length,
    },
    Rule {
        name: "class_by_age",
        expected: "第1号 from 65, 第2号 from 40 to 64 with a specific disease",
        broken_at: class,
    },
    Rule { name: "uses_once", expected: "each service kind once", broken_at: uses_once },
];

fn opinion_in_order(result: &Fields) -> Option<String> {
    rules::all_in_order(result, &["application_date", "opinion_requested_on", "opinion_received_on", "decided_on"])
}

fn survey_in_order(result: &Fields) -> Option<String> {
    rules::all_in_order(result, &["survey_requested_on", "surveyed_on", "first_judged_on", "decided_on"])
}

fn decided(result: &Fields) -> Option<String> {
    rules::in_order(result, "application_date", "decided_on")
}

fn is_certified(result: &Fields) -> bool {
    result.text("care_level").and_then(CareLevel::parse).is_some_and(CareLevel::is_certified)
}

fn decided_for_a_period(result: &Fields) -> Option<String> {
    let missing = ["valid_from", "valid_to"].into_iter().find(|name| result.value(name).is_none())?;
    is_certified(result).then(|| missing.to_owned())
}

fn period_in_order(result: &Fields) -> Option<String> {
    rules::in_order(result, "valid_from", "valid_to")
        .or_else(|| rules::in_order(result, "previous_from", "previous_to"))
}

fn period_ends_a_month(result: &Fields) -> Option<String> {
    rules::month_end(result, "valid_to")
}

/// New and changed certifications reach back to the application, renewals follow the last period.
/// What an insurer decides of its own accord (職権) or takes over at a move starts otherwise.
fn starts(result: &Fields) -> Option<String> {
    let from = result.date("valid_from")?;
    let right = match (result.text("application_by_law")?, result.text("application_at_receipt")) {
        (_, Some("5")) => return None,
        ("1" | "3", _) => result.date("application_date")?,
        ("2", _) => result.date("previous_to")?.next_day(),
        _ => return None,
    };
    (from != right).then(|| "valid_from".to_owned())
}

fn length(result: &Fields) -> Option<String> {
    let (from, to) = (result.date("valid_from")?, result.date("valid_to")?);
    let level = match (result.text("previous_level"), result.text("care_level")?) {
        (None, _) => validity::Level::Any,
        (Some(before), now) if before == now => validity::Level::Same,
        (Some(_), _) => validity::Level::Other,
    };
    let fits = validity::fits((from, to), result.text("application_by_law")?, level, result.date("decided_on")?);
    (!fits).then(|| "valid_to".to_owned())
}

/// Who turns 65 on the way may be of either class: the first counts at the last day that matters, the
/// second at the application.
fn class(result: &Fields) -> Option<String> {
    let birth = result.date("birth_date")?;
    let applied = result.date("application_date")?;
    let last = ["decided_on", "valid_from"].into_iter().filter_map(|name| result.date(name)).fold(applied, Ord::max);
    let disease = result.text("specific_disease").is_some_and(|code| code != "99");
    match result.text("insured_class")? {
        "1" if birth.age_on(last).is_none_or(|age| age < 65) => Some("insured_class".to_owned()),
        "2" if !birth.age_on(applied).is_some_and(|age| (40..65).contains(&age)) => Some("insured_class".to_owned()),
        "2" if is_certified(result) && !disease => Some("specific_disease".to_owned()),
        _ => None,
    }
}

fn uses_once(result: &Fields) -> Option<String> {
    rules::unique(result, "monthly_uses", "service_kind")
}
