//! What was said when those who care for a person met (サービス担当者会議の要点): table 4 (第4表) of the plan at home, table 5 of
//! the plan in a facility.
//!
//! The standard exchanges no such table (DOMAIN §4.9), so its fields follow the national paper form; their names and
//! their order are M.

use crate::code::field_group::FieldGroup::{Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{LINES, NAME, NARRATIVE};
use crate::record::form::FieldType::{Date, Flag, Integer, List, OfficeNumber, TimeOfDay};
use crate::record::form::{Field, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::CareConference,
    fields: FIELDS,
    days: &[],
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/care-conference/good.json"),
};

static FIELDS: &[Field] = &[
    required("made_on", "作成年月日", Date, Content),
    required("planner_name", "計画作成者氏名", NAME, Place),
    required("office_number", "事業者番号", OfficeNumber, Place),
    required("office_name", "事業者名", NAME, Place),
    required("held_on", "開催日", Date, Content),
    required("held_at", "開催場所", NAME, Place),
    required("from", "開催時間 開始", TimeOfDay, Content),
    optional("to", "開催時間 終了", TimeOfDay, Content),
    required("number", "開催回数", Integer { min: 1, max: 999 }, Content),
    required("person_present", "本人の出席", Flag, Content),
    optional("family_present", "家族の出席(続柄)", LINES, Narrative),
    required("attendees", "会議出席者", List { of: ATTENDEE, items_max: 30 }, Content),
    optional("absentees", "欠席者とその意見の照会", List { of: ABSENTEE, items_max: 30 }, Content),
    required("topics", "検討した項目", NARRATIVE, Narrative),
    required("discussion", "検討内容", NARRATIVE, Narrative),
    required("conclusion", "結論", NARRATIVE, Narrative),
    optional("left_open", "残された課題", NARRATIVE, Narrative),
    optional("next_on", "次回の開催時期", Date, Content),
];

static ATTENDEE: &[Field] = &[required("role", "所属(職種)", LINES, Place), required("name", "氏名", NAME, Place)];

static ABSENTEE: &[Field] = &[
    required("role", "所属(職種)", LINES, Place),
    required("name", "氏名", NAME, Place),
    required("asked_on", "照会年月日", Date, Content),
    optional("opinion", "照会内容・回答", NARRATIVE, Narrative),
];

static RULES: &[Rule] = &[
    Rule { name: "made_after", expected: "a day not before the conference", broken_at: made_after },
    Rule { name: "ends_after_it_begins", expected: "a time after the start", broken_at: ends_after_it_begins },
    Rule { name: "some_attendee", expected: "at least one attendee", broken_at: some_attendee },
    Rule { name: "asked_by_then", expected: "a day not after the table was made", broken_at: asked_by_then },
    Rule { name: "next_after", expected: "a day after the conference", broken_at: next_after },
];

fn made_after(conference: &Fields) -> Option<String> {
    rules::in_order(conference, "held_on", "made_on")
}

fn ends_after_it_begins(conference: &Fields) -> Option<String> {
    const NOT_SHOWN: &str = "9999";
    let (from, to) = (conference.text("from")?, conference.text("to")?);
    (from != NOT_SHOWN && to <= from).then(|| "to".to_owned())
}

fn some_attendee(conference: &Fields) -> Option<String> {
    conference.list("attendees").is_empty().then(|| "attendees".to_owned())
}

fn asked_by_then(conference: &Fields) -> Option<String> {
    let made = conference.date("made_on")?;
    rules::each(conference, "absentees", |absentee| (absentee.date("asked_on")? > made).then(|| "asked_on".to_owned()))
}

fn next_after(conference: &Fields) -> Option<String> {
    (conference.date("next_on")? <= conference.date("held_on")?).then(|| "next_on".to_owned())
}
