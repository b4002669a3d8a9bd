//! The slip by which a plan-making office tells, once a month, which office was to give how many units (給付管理票): claims
//! are held against it.

use crate::code::care_level::CareLevel as Level;
use crate::code::field_group::FieldGroup::{Card, Content, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{UNITS, sets};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{
    CareLevel, Code, Date, InsuredNumber, InsurerNumber, List, Month, OfficeNumber, ServiceKind,
};
use crate::record::form::{CodeDay, Field, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::BenefitManagement,
    fields: FIELDS,
    days: DAYS,
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/benefit-management/good.json"),
};

/// Whether the slip is the first of its month (作成区分).
static MAKING: CodeSet = CodeSet { name: "making", values: &[("1", "新規"), ("2", "修正"), ("3", "取消")] };

/// By what right an office gives the service (指定/基準該当等).
static DESIGNATION: CodeSet = CodeSet {
    name: "designation",
    values: &[("1", "指定"), ("2", "基準該当"), ("3", "相当"), ("4", "その他")],
};

static FIELDS: &[Field] = &[
    required("month", "対象年月", Month, Card),
    required("insurer_number", "保険者番号", InsurerNumber, Card),
    required("insured_number", "被保険者番号", InsuredNumber, Card),
    required("birth_date", "生年月日", Date, Card),
    required("sex", "性別", Code(&sets::SEX), Card),
    required("care_level", "要介護状態区分", CareLevel, Card),
    required("making", "作成区分", Code(&MAKING), Card),
    required("made_on", "作成年月日", Date, Card),
    required("planning", "計画作成区分", Code(&sets::PLANNING), Card),
    optional("planner_number", "居宅介護支援事業所番号", OfficeNumber, Place),
    required("limit_from", "限度額適用期間 開始", Month, Content),
    required("limit_to", "限度額適用期間 終了", Month, Content),
    required("limit_units", "区分支給限度基準額(単位)", UNITS, Content),
    required("lines", "明細", List { of: LINE, items_max: 98 }, Content),
    required("total_units", "計画単位数の合計", UNITS, Content),
];

static LINE: &[Field] = &[
    optional("office_number", "サービス事業所番号", OfficeNumber, Place),
    required("designation", "指定/基準該当等", Code(&DESIGNATION), Content),
    required("service_kind", "サービス種類", ServiceKind, Content),
    required("planned_units", "給付計画単位数", UNITS, Content),
];

static DAYS: &[CodeDay] = &[CodeDay { of: "", day: Some("month") }];

static RULES: &[Rule] = &[
    Rule { name: "some_line", expected: "at least one line, unless it is withdrawn", broken_at: some_line },
    Rule { name: "line_once", expected: "each office and service once", broken_at: line_once },
    Rule { name: "total_units", expected: "the sum of the lines, at most the limit", broken_at: total_units },
    Rule { name: "limit_in_order", expected: "an end not before the start", broken_at: limit_in_order },
    Rule { name: "month_within_limit", expected: "a month of the limit's period", broken_at: month_within_limit },
    Rule { name: "planner_named", expected: "the office, unless the person planned", broken_at: planner_named },
    Rule {
        name: "limit_of_level",
        expected: "the limit of the level, or of a heavier one, on that day",
        broken_at: limit_of_level,
    },
];

fn some_line(slip: &Fields) -> Option<String> {
    let is_bare = slip.list("lines").is_empty() && slip.text("making") != Some("3");
    is_bare.then(|| "lines".to_owned())
}

fn line_once(slip: &Fields) -> Option<String> {
    let lines = slip.list("lines");
    let of =
        |line: &Fields| (line.text("office_number").map(str::to_owned), line.text("service_kind").map(str::to_owned));
    let mut numbered = lines.iter().enumerate();
    numbered.find_map(|(at, line)| {
        let before = lines.iter().take(at).any(|other| of(other) == of(line));
        before.then(|| format!("lines[{at}].service_kind"))
    })
}

fn total_units(slip: &Fields) -> Option<String> {
    let (told, sum) = (slip.integer("total_units")?, rules::sum(slip.list("lines"), "planned_units"));
    (told != sum || told > slip.integer("limit_units")?).then(|| "total_units".to_owned())
}

fn limit_in_order(slip: &Fields) -> Option<String> {
    (slip.month("limit_to")? < slip.month("limit_from")?).then(|| "limit_to".to_owned())
}

fn month_within_limit(slip: &Fields) -> Option<String> {
    let (from, to) = (slip.month("limit_from")?, slip.month("limit_to")?);
    (!(from..=to).contains(&slip.month("month")?)).then(|| "month".to_owned())
}

fn planner_named(slip: &Fields) -> Option<String> {
    let is_unnamed = slip.text("planning") != Some("2") && slip.value("planner_number").is_none();
    is_unnamed.then(|| "planner_number".to_owned())
}

fn limit_of_level(slip: &Fields) -> Option<String> {
    let level = slip.text("care_level").and_then(Level::parse);
    rules::limit_of_level(slip, level, "limit_units", slip.month("month")?.first_day())
}
