//! The plan of one who needs support (介護予防サービス・支援計画書): what the person aims at, what was assessed in four fields of
//! life, the issues, and who supports what. It is the counterpart of the care plan for 要支援 and 事業対象者.
//!
//! DOMAIN §4.9 knows that it is exchanged (UPYOBO) and does not list its fields: they follow the national paper form, and
//! their names, their order and the codes of the fields of life are M.

use crate::code::care_level::CareLevel as Level;
use crate::code::field_group::FieldGroup::{Card, Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{LINES, NAME, NARRATIVE};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{CareLevel, Code, Codes, Date, Flag, List, OfficeNumber, ServiceKind};
use crate::record::form::{CodeDay, Field, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::PreventionPlan,
    fields: FIELDS,
    days: DAYS,
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/prevention-plan/good.json"),
};

/// Fields of life (アセスメント領域, M).
static FIELD_OF_LIFE: CodeSet = CodeSet {
    name: "field_of_life",
    values: &[
        ("1", "運動・移動"),
        ("2", "日常生活(家庭生活)"),
        ("3", "社会参加、対人関係・コミュニケーション"),
        ("4", "健康管理"),
    ],
};

/// What the checklist points to (必要な事業プログラム, M).
static PROGRAMME: CodeSet = CodeSet {
    name: "prevention_programme",
    values: &[
        ("1", "運動不足"),
        ("2", "栄養改善"),
        ("3", "口腔内ケア"),
        ("4", "閉じこもり予防"),
        ("5", "物忘れ予防"),
        ("6", "うつ予防"),
    ],
};

static FIELDS: &[Field] = &[
    required("made_on", "計画作成(変更)日", Date, Content),
    required("first_made_on", "初回作成日", Date, Content),
    required("care_level", "要介護状態区分", CareLevel, Card),
    optional("certified_on", "認定年月日", Date, Card),
    optional("valid_from", "認定の有効期間 開始", Date, Card),
    optional("valid_to", "認定の有効期間 終了", Date, Card),
    required("planner_name", "計画作成者氏名", NAME, Place),
    required("office_number", "計画作成事業者番号", OfficeNumber, Place),
    required("office_name", "計画作成事業者名", NAME, Place),
    optional("centre_name", "地域包括支援センター名(委託の場合)", NAME, Place),
    optional("goal_of_a_day", "目標とする生活(1日)", LINES, Narrative),
    required("goal_of_a_year", "目標とする生活(1年)", LINES, Narrative),
    required("assessed", "アセスメント領域", List { of: ASSESSED, items_max: 4 }, Content),
    required("issues", "総合的課題", List { of: ISSUE, items_max: 20 }, Content),
    optional("health", "健康状態について", NARRATIVE, Narrative),
    optional("programmes", "必要な事業プログラム", Codes(&PROGRAMME), Content),
    optional("policy", "総合的な方針", NARRATIVE, Narrative),
    optional("centre_opinion", "地域包括支援センターの意見", NARRATIVE, Narrative),
    optional("agreed_on", "本人の同意日", Date, Content),
];

static ASSESSED: &[Field] = &[
    required("field", "領域", Code(&FIELD_OF_LIFE), Content),
    required("state", "現在の状況", NARRATIVE, Narrative),
    optional("wishes", "本人・家族の意欲・意向", NARRATIVE, Narrative),
    required("has_issue", "課題の有無", Flag, Content),
    optional("background", "課題の背景・原因", NARRATIVE, Narrative),
];

static ISSUE: &[Field] = &[
    required("issue", "課題", NARRATIVE, Narrative),
    optional("proposal", "課題に対する目標と具体策の提案", NARRATIVE, Narrative),
    optional("response", "具体策についての本人・家族の意向", NARRATIVE, Narrative),
    required("goal", "目標", LINES, Narrative),
    required("supports", "支援計画", List { of: SUPPORT, items_max: 20 }, Content),
];

static SUPPORT: &[Field] = &[
    required("point", "目標についての支援のポイント", LINES, Narrative),
    optional("own_help", "本人のセルフケア、家族の支援、インフォーマルサービス", LINES, Narrative),
    optional("service", "介護保険サービスまたは地域支援事業", LINES, Narrative),
    optional("service_kind", "サービス種別", ServiceKind, Content),
    optional("office_number", "事業者番号", OfficeNumber, Place),
    optional("office_name", "事業所名", NAME, Place),
    required("from", "期間 開始", Date, Content),
    required("to", "期間 終了", Date, Content),
];

static DAYS: &[CodeDay] = &[
    CodeDay { of: "", day: Some("valid_from") },
    CodeDay { of: "", day: Some("made_on") },
    CodeDay { of: "issues.supports", day: Some("from") },
];

static RULES: &[Rule] = &[
    Rule {
        name: "level_of_support", expected: "要支援 or 事業対象者: 06, 12, 13", broken_at: level_of_support
    },
    Rule { name: "plan_in_order", expected: "a day not before the first plan", broken_at: plan_in_order },
    Rule { name: "period_in_order", expected: "an end not before the start", broken_at: period_in_order },
    Rule { name: "field_once", expected: "each field of life once", broken_at: field_once },
    Rule { name: "some_issue", expected: "issues with supports", broken_at: some_issue },
    Rule { name: "background_of_issue", expected: "no background without an issue", broken_at: background_of_issue },
    Rule { name: "support_in_order", expected: "an end not before the start", broken_at: support_in_order },
    Rule {
        name: "service_named",
        expected: "the kind of the service, if an office gives it",
        broken_at: service_named,
    },
];

fn level_of_support(plan: &Fields) -> Option<String> {
    let level = Level::parse(plan.text("care_level")?)?;
    let is_support = matches!(level, Level::ProgrammeTarget | Level::Support1 | Level::Support2);
    (!is_support).then(|| "care_level".to_owned())
}

fn plan_in_order(plan: &Fields) -> Option<String> {
    rules::in_order(plan, "first_made_on", "made_on")
}

fn period_in_order(plan: &Fields) -> Option<String> {
    rules::in_order(plan, "valid_from", "valid_to")
}

fn field_once(plan: &Fields) -> Option<String> {
    rules::unique(plan, "assessed", "field")
}

fn some_issue(plan: &Fields) -> Option<String> {
    let is_bare = |fields: &Fields, list: &str| fields.list(list).is_empty().then(|| list.to_owned());
    is_bare(plan, "issues").or_else(|| rules::each(plan, "issues", |issue| is_bare(issue, "supports")))
}

fn background_of_issue(plan: &Fields) -> Option<String> {
    rules::each(plan, "assessed", |field| {
        let is_idle = field.flag("has_issue") == Some(false) && field.value("background").is_some();
        is_idle.then(|| "background".to_owned())
    })
}

fn support_in_order(plan: &Fields) -> Option<String> {
    each_support(plan, |support| rules::in_order(support, "from", "to"))
}

fn service_named(plan: &Fields) -> Option<String> {
    each_support(plan, |support| {
        let is_unnamed = support.value("office_number").is_some() && support.value("service_kind").is_none();
        is_unnamed.then(|| "service_kind".to_owned())
    })
}

fn each_support(plan: &Fields, rule: impl Fn(&Fields) -> Option<String>) -> Option<String> {
    rules::each(plan, "issues", |issue| rules::each(issue, "supports", &rule))
}
