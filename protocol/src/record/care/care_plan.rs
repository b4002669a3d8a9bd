//! The care plan (居宅サービス計画書): its first sheet (第1表, the whole), second (第2表, needs, goals
//! and services) and third (第3表, the week); of one who
//! lives in a facility (施設サービス計画書) the same, with the day (第4表, 日課計画表).

use crate::code::field_group::FieldGroup::{Card, Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{ADDRESS, LINES, NAME, NARRATIVE};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{CareLevel, Code, Codes, Date, Flag, Integer, List, OfficeNumber};
use crate::record::form::FieldType::{ServiceKind, TimeOfDay};
use crate::record::form::{CodeDay, Field, FieldType, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::CarePlan,
    fields: FIELDS,
    days: DAYS,
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/care-plan/good.json"),
};

static PLAN_KIND: CodeSet = CodeSet {
    name: "plan_kind",
    values: &[
        ("11", "初回"),
        ("12", "紹介"),
        ("21", "継続"),
        ("51", "初回・紹介"),
        ("52", "初回・継続"),
        ("53", "紹介・継続"),
        ("54", "初回・紹介・継続"),
    ],
};

static CERTIFICATION_STATE: CodeSet =
    CodeSet { name: "certification_state", values: &[("1", "認定済"), ("2", "申請中")] };

static HOUSEWORK_REASON: CodeSet = CodeSet {
    name: "housework_reason",
    values: &[("1", "一人暮らし"), ("2", "家族等が障害・疾病等"), ("3", "その他")],
};

static WEEKDAY: CodeSet = CodeSet {
    name: "weekday",
    values: &[("1", "月"), ("2", "火"), ("3", "水"), ("4", "木"), ("5", "金"), ("6", "土"), ("7", "日")],
};

/// The columns of the day in a facility (M).
static PART_OF_DAY: CodeSet = CodeSet {
    name: "part_of_day",
    values: &[("1", "共通サービス"), ("2", "個別サービス"), ("3", "主な日常生活上の活動")],
};

/// The number of a need, a goal or a service on the sheet.
const POSITION: FieldType = Integer { min: 1, max: 99 };

static FIELDS: &[Field] = &[
    // 第1表
    required("made_on", "作成年月日", Date, Content),
    required("planned_on", "計画作成(変更)日", Date, Content),
    required("first_planned_on", "初回作成日", Date, Content),
    required("plan_kind", "計画書区分", Code(&PLAN_KIND), Content),
    required("certification_state", "認定状況区分", Code(&CERTIFICATION_STATE), Card),
    optional("certified_on", "認定日", Date, Card),
    optional("valid_from", "認定の有効期間 開始", Date, Card),
    optional("valid_to", "認定の有効期間 終了", Date, Card),
    optional("care_level", "要介護状態区分", CareLevel, Card),
    required("planner_name", "計画作成者氏名", NAME, Place),
    required("office_number", "事業者コード", OfficeNumber, Place),
    required("office_name", "事業者名", NAME, Place),
    optional("office_address", "事業者の住所", ADDRESS, Place),
    required("wishes", "意向を踏まえた課題分析の結果", NARRATIVE, Narrative),
    optional("panel_opinion", "介護認定審査会の意見及びサービスの種類の指定", NARRATIVE, Narrative),
    required("policy", "総合的な援助の方針", NARRATIVE, Narrative),
    optional("housework_reason", "生活援助中心型の算定理由", Code(&HOUSEWORK_REASON), Content),
    optional("housework_reason_text", "その他の理由", LINES, Narrative),
    // 第2表
    required("needs", "生活全般の解決すべき課題", List { of: NEED, items_max: 30 }, Content),
    // 第3表
    optional("week", "週間サービス計画", List { of: WEEK_ENTRY, items_max: 100 }, Content),
    optional("daily_life", "主な日常生活上の活動", List { of: ACTIVITY, items_max: 50 }, Content),
    // 施設サービス計画書 第4表(日課計画表, M)
    optional("daily_schedule", "日課計画", List { of: SCHEDULED, items_max: 100 }, Content),
    optional("other_services", "週単位以外のサービス", NARRATIVE, Narrative),
];

static NEED: &[Field] = &[
    required("number", "課題NO", POSITION, Content),
    required("need", "課題", NARRATIVE, Narrative),
    required("goals", "援助目標", List { of: GOAL, items_max: 20 }, Content),
];

static GOAL: &[Field] = &[
    required("number", "援助目標NO", POSITION, Content),
    required("long_term", "長期目標", LINES, Narrative),
    required("long_from", "長期目標の期間 開始", Date, Content),
    required("long_to", "長期目標の期間 終了", Date, Content),
    required("short_term", "短期目標", LINES, Narrative),
    required("short_from", "短期目標の期間 開始", Date, Content),
    required("short_to", "短期目標の期間 終了", Date, Content),
    required("services", "援助内容", List { of: SERVICE, items_max: 30 }, Content),
];

static SERVICE: &[Field] = &[
    required("number", "援助内容NO", POSITION, Content),
    required("content", "サービス内容", LINES, Narrative),
    required("insured", "保険給付の対象", Flag, Content),
    optional("service_kind", "サービス種別", ServiceKind, Content),
    optional("office_number", "事業者コード", OfficeNumber, Place),
    optional("office_name", "事業所名", NAME, Place),
    optional("frequency", "頻度", LINES, Content),
    required("from", "実施期間 開始", Date, Content),
    required("to", "実施期間 終了", Date, Content),
];

static WEEK_ENTRY: &[Field] = &[
    required("content", "サービス内容", LINES, Narrative),
    required("weekdays", "曜日", Codes(&WEEKDAY), Content),
    required("start", "開始時刻", TimeOfDay, Content),
    required("end", "終了時刻", TimeOfDay, Content),
];

static SCHEDULED: &[Field] = &[
    required("part", "区分", Code(&PART_OF_DAY), Content),
    required("content", "内容", LINES, Narrative),
    required("start", "開始時刻", TimeOfDay, Content),
    required("end", "終了時刻", TimeOfDay, Content),
    optional("by", "担当者", LINES, Place),
];

static ACTIVITY: &[Field] = &[
    required("activity", "活動", LINES, Narrative),
    required("start", "開始時刻", TimeOfDay, Content),
    required("end", "終了時刻", TimeOfDay, Content),
];

static DAYS: &[CodeDay] = &[
    CodeDay { of: "", day: Some("valid_from") },
    CodeDay { of: "", day: Some("planned_on") },
    CodeDay { of: "needs.goals.services", day: Some("from") },
];

static RULES: &[Rule] = &[
    Rule { name: "plan_in_order", expected: "a day not before the first plan", broken_at: plan_in_order },
    Rule { name: "period_in_order", expected: "an end not before the start", broken_at: period_in_order },
    Rule { name: "period_ends_a_month", expected: "the last day of a month", broken_at: period_ends_a_month },
    Rule { name: "level_if_certified", expected: "a care level if certified", broken_at: level_if_certified },
    Rule { name: "other_reason_told", expected: "the other reason in words", broken_at: other_reason },
    Rule { name: "tree_complete", expected: "needs with goals with services", broken_at: tree_complete },
    Rule { name: "tree_numbered", expected: "a number that no other has", broken_at: tree_numbered },
    Rule {
        name: "goal_in_order",
        expected: "an end not before the start, the short term inside the long",
        broken_at: goal_in_order,
    },
    Rule { name: "service_in_order", expected: "an end not before the start", broken_at: service_in_order },
    Rule {
        name: "insured_service_kind",
        expected: "a service kind if the insurance pays",
        broken_at: insured_service_kind,
    },
    Rule { name: "some_weekday", expected: "at least one weekday", broken_at: some_weekday },
];

fn plan_in_order(plan: &Fields) -> Option<String> {
    rules::in_order(plan, "first_planned_on", "planned_on")
}

fn period_in_order(plan: &Fields) -> Option<String> {
    rules::in_order(plan, "valid_from", "valid_to")
}

fn period_ends_a_month(plan: &Fields) -> Option<String> {
    rules::month_end(plan, "valid_to")
}

fn level_if_certified(plan: &Fields) -> Option<String> {
    let certified = plan.text("certification_state")? == "1";
    (certified && plan.value("care_level").is_none()).then(|| "care_level".to_owned())
}

fn other_reason(plan: &Fields) -> Option<String> {
    let other = plan.text("housework_reason")? == "3";
    (other && plan.value("housework_reason_text").is_none()).then(|| "housework_reason_text".to_owned())
}

fn tree_complete(plan: &Fields) -> Option<String> {
    some(plan, "needs").or_else(|| {
        rules::each(plan, "needs", |need| {
            some(need, "goals").or_else(|| rules::each(need, "goals", |goal| some(goal, "services")))
        })
    })
}

fn some(fields: &Fields, list: &str) -> Option<String> {
    fields.list(list).is_empty().then(|| list.to_owned())
}

fn tree_numbered(plan: &Fields) -> Option<String> {
    rules::unique(plan, "needs", "number").or_else(|| {
        rules::each(plan, "needs", |need| {
            let goals = rules::unique(need, "goals", "number");
            goals.or_else(|| rules::each(need, "goals", |goal| rules::unique(goal, "services", "number")))
        })
    })
}

fn goal_in_order(plan: &Fields) -> Option<String> {
    rules::each(plan, "needs", |need| {
        rules::each(need, "goals", |goal| {
            rules::in_order(goal, "long_from", "long_to")
                .or_else(|| rules::in_order(goal, "short_from", "short_to"))
                .or_else(|| rules::in_order(goal, "long_from", "short_from"))
                .or_else(|| (goal.date("short_to")? > goal.date("long_to")?).then(|| "short_to".to_owned()))
        })
    })
}

fn each_service(plan: &Fields, rule: impl Fn(&Fields) -> Option<String>) -> Option<String> {
    rules::each(plan, "needs", |need| {
        rules::each(need, "goals", |goal| rules::each(goal, "services", |service| rule(service)))
    })
}

fn service_in_order(plan: &Fields) -> Option<String> {
    each_service(plan, |service| rules::in_order(service, "from", "to"))
}

fn insured_service_kind(plan: &Fields) -> Option<String> {
    each_service(plan, |service| {
        let insured = service.flag("insured")?;
        (insured && service.value("service_kind").is_none()).then(|| "service_kind".to_owned())
    })
}

fn some_weekday(plan: &Fields) -> Option<String> {
    rules::each(plan, "week", |entry| entry.codes("weekdays")?.is_empty().then(|| "weekdays".to_owned()))
}
