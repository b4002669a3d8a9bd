//! What a care manager did and heard in a month (居宅介護支援経過): table 5 (第5表) of the plan at home, table 6
//! (施設介護支援経過) of the plan in a facility.
//!
//! The standard exchanges no such table (DOMAIN §4.9), so its fields follow the national paper form; their names, their
//! order and the codes of the ways are M.

use crate::code::field_group::FieldGroup::{Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{NAME, NARRATIVE};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{Code, Date, Flag, List, Month, OfficeNumber, TimeOfDay};
use crate::record::form::{Field, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::SupportCourse,
    fields: FIELDS,
    days: &[],
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/support-course/good.json"),
};

/// How it came about (項目, M).
static WAY: CodeSet = CodeSet {
    name: "way_of_support",
    values: &[
        ("1", "訪問"),
        ("2", "電話"),
        ("3", "来所"),
        ("4", "メール・FAX"),
        ("5", "サービス担当者会議"),
        ("6", "医療機関との連携"),
        ("9", "その他"),
    ],
};

static FIELDS: &[Field] = &[
    required("month", "対象年月", Month, Content),
    required("planner_name", "計画作成者氏名", NAME, Place),
    required("office_number", "事業者番号", OfficeNumber, Place),
    required("office_name", "事業者名", NAME, Place),
    required("entries", "支援経過", List { of: ENTRY, items_max: 100 }, Content),
];

static ENTRY: &[Field] = &[
    required("on", "年月日", Date, Content),
    optional("at", "時刻", TimeOfDay, Content),
    required("way", "項目", Code(&WAY), Content),
    required("monitoring", "モニタリング", Flag, Content),
    required("content", "内容", NARRATIVE, Narrative),
];

static RULES: &[Rule] = &[
    Rule { name: "some_entry", expected: "at least one entry", broken_at: some_entry },
    Rule { name: "in_the_month", expected: "a day of the month", broken_at: in_the_month },
    Rule { name: "entries_in_order", expected: "a day not before the entry above", broken_at: entries_in_order },
    Rule {
        name: "monitoring_is_a_meeting",
        expected: "a visit (1), or a call with pictures told as another way (9)",
        broken_at: monitoring_is_a_meeting,
    },
];

fn some_entry(course: &Fields) -> Option<String> {
    course.list("entries").is_empty().then(|| "entries".to_owned())
}

fn in_the_month(course: &Fields) -> Option<String> {
    let month = course.month("month")?;
    rules::each(course, "entries", |entry| (!month.contains(entry.date("on")?)).then(|| "on".to_owned()))
}

fn entries_in_order(course: &Fields) -> Option<String> {
    let days = course.list("entries").iter().map(|entry| entry.date("on"));
    let later = days.clone().skip(1);
    let at = days.zip(later).position(|(before, after)| after < before)?;
    Some(format!("entries[{}].on", at.saturating_add(1)))
}

/// The state of a person is monitored face to face (運営基準 13条14号).
fn monitoring_is_a_meeting(course: &Fields) -> Option<String> {
    rules::each(course, "entries", |entry| {
        let is_meeting = matches!(entry.text("way")?, "1" | "9");
        (entry.flag("monitoring")? && !is_meeting).then(|| "monitoring".to_owned())
    })
}
