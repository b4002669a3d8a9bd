//! How far an application for certification has come (要介護認定申請の進捗).

use crate::code::field_group::FieldGroup::{Card, Content, Narrative};
use crate::code::record_kind::RecordKind;
use crate::record::care::{LINES, sets};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{CareLevel, Code, Date, Integer};
use crate::record::form::{CodeDay, Field, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::CertificationProgress,
    fields: FIELDS,
    days: DAYS,
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/certification-progress/good.json"),
};

static STEP: CodeSet = CodeSet {
    name: "progress_step",
    values: &[
        ("received", "受付"),
        ("survey_requested", "調査依頼"),
        ("survey_done", "調査済"),
        ("opinion_requested", "意見書依頼"),
        ("opinion_received", "意見書入手"),
        ("first_judged", "一次判定済"),
        ("panel_scheduled", "審査会予定"),
        ("decided", "認定"),
        ("notified", "通知"),
        ("withdrawn", "取下"),
        ("rejected", "却下"),
        ("delayed", "延期通知"),
        ("cancelled", "取消"),
    ],
};

static FIELDS: &[Field] = &[
    required("application_date", "申請日", Date, Card),
    required("application_at_receipt", "申請区分", Code(&sets::APPLICATION_AT_RECEIPT), Card),
    required("step", "進捗", Code(&STEP), Card),
    optional("survey_requested_on", "訪問調査依頼日", Date, Content),
    optional("surveyed_on", "訪問調査日", Date, Content),
    optional("opinion_requested_on", "意見書依頼日", Date, Content),
    optional("opinion_received_on", "意見書入手日", Date, Content),
    optional("first_judged_on", "一次判定日", Date, Content),
    optional("panel_on", "二次審査(予定)日", Date, Content),
    optional("delay_notified_on", "延期通知日", Date, Content),
    optional("delay_reason", "延期の理由", LINES, Narrative),
    optional("decided_on", "認定日", Date, Card),
    optional("care_level", "結果", CareLevel, Card),
    optional("valid_months", "有効月数", Integer { min: 3, max: 48 }, Card),
    optional("valid_from", "有効開始日", Date, Card),
    optional("valid_to", "有効終了日", Date, Card),
];

static DAYS: &[CodeDay] = &[CodeDay { of: "", day: Some("valid_from") }, CodeDay { of: "", day: Some("decided_on") }];

static RULES: &[Rule] = &[
    Rule { name: "survey_in_order", expected: "a day not before the step before", broken_at: survey_in_order },
    Rule { name: "opinion_in_order", expected: "a day not before the step before", broken_at: opinion_in_order },
    Rule { name: "step_has_its_day", expected: "the day of the step that is reached", broken_at: step_has_its_day },
    Rule { name: "result_when_decided", expected: "no result before the decision", broken_at: result_when_decided },
    Rule { name: "period_in_order", expected: "an end not before the start", broken_at: period_in_order },
    Rule { name: "period_ends_a_month", expected: "the last day of a month", broken_at: period_ends_a_month },
];

fn survey_in_order(progress: &Fields) -> Option<String> {
    let steps = ["application_date", "survey_requested_on", "surveyed_on", "first_judged_on", "decided_on"];
    rules::all_in_order(progress, &steps)
}

fn opinion_in_order(progress: &Fields) -> Option<String> {
    let steps = ["application_date", "opinion_requested_on", "opinion_received_on", "decided_on"];
    rules::all_in_order(progress, &steps)
}

fn step_has_its_day(progress: &Fields) -> Option<String> {
    let names: &[&str] = match progress.text("step")? {
        "survey_requested" => &["survey_requested_on"],
        "survey_done" => &["surveyed_on"],
        "opinion_requested" => &["opinion_requested_on"],
        "opinion_received" => &["opinion_received_on"],
        "first_judged" => &["first_judged_on"],
        "panel_scheduled" => &["panel_on"],
        "delayed" => &["delay_notified_on"],
        "decided" | "notified" => &["decided_on", "care_level"],
        _ => &[],
    };
    names.iter().find(|name| progress.value(name).is_none()).map(|name| (*name).to_owned())
}

fn result_when_decided(progress: &Fields) -> Option<String> {
    if ["decided", "notified", "cancelled"].contains(&progress.text("step")?) {
        return None;
    }
    let result = ["decided_on", "care_level", "valid_months", "valid_from", "valid_to"];
    result.into_iter().find(|name| progress.value(name).is_some()).map(str::to_owned)
}

fn period_in_order(progress: &Fields) -> Option<String> {
    rules::in_order(progress, "valid_from", "valid_to")
}

fn period_ends_a_month(progress: &Fields) -> Option<String> {
    rules::month_end(progress, "valid_to")
}
