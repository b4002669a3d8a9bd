//! An application for certification (要介護認定申請書) as the insurer took it in: who applies, for whom, why, and who is to
//! be asked for an opinion.

use crate::code::field_group::FieldGroup::{Card, Contact, Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{ADDRESS, LINES, NAME, NUMBER, PHONE, sets};
use crate::record::form::FieldType::{
    CareLevel, Code, Date, Flag, Group, HospitalCode, InsuredNumber, InsurerNumber, OfficeNumber, PostalCode,
};
use crate::record::form::{CodeDay, Field, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::CertificationApplication,
    fields: FIELDS,
    days: DAYS,
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/certification-application/good.json"),
};

/// How long before its end a renewal may be applied for, in days.
const RENEWAL_DAYS: i64 = 60;

static FIELDS: &[Field] = &[
    required("insurer_number", "保険者番号", InsurerNumber, Card),
    required("insured_number", "被保険者番号", InsuredNumber, Card),
    required("applied_on", "申請日", Date, Card),
    required("application_at_receipt", "申請区分", Code(&sets::APPLICATION_AT_RECEIPT), Card),
    required("insured_class", "被保険者区分", Code(&sets::INSURED_CLASS), Card),
    required("name", "氏名", NAME, Card),
    required("name_kana", "フリガナ", NAME, Card),
    required("birth_date", "生年月日", Date, Card),
    required("sex", "性別", Code(&sets::SEX), Card),
    optional("postal_code", "郵便番号", PostalCode, Contact),
    optional("address", "住所", ADDRESS, Contact),
    optional("phone", "電話番号", PHONE, Contact),
    optional("change_reason", "区分変更の申請理由", LINES, Narrative),
    optional("previous_level", "前回の要介護状態区分", CareLevel, Content),
    optional("previous_from", "前回の有効期間 開始", Date, Content),
    optional("previous_to", "前回の有効期間 終了", Date, Content),
    optional("stay", "入院・入所先", Group(STAY), Place),
    required("agent", "提出代行の区分", Code(&sets::AGENT), Content),
    optional("agent_number", "提出代行者の事業所番号", OfficeNumber, Place),
    optional("agent_name", "提出代行者の名称", NAME, Place),
    required("doctor", "主治医", Group(DOCTOR), Place),
    optional("second_class", "第2号被保険者", Group(SECOND_CLASS), Content),
    required("agrees_to_share", "情報提供への同意", Flag, Content),
    optional("contact", "連絡先", Group(CONTACT), Contact),
];

static STAY: &[Field] = &[
    required("name", "名称", NAME, Place),
    optional("address", "所在地", ADDRESS, Place),
    required("from", "期間 開始", Date, Place),
    optional("to", "期間 終了", Date, Place),
];

static DOCTOR: &[Field] = &[
    required("hospital_code", "医療機関コード", HospitalCode, Place),
    optional("hospital_name", "医療機関名", NAME, Place),
    optional("hospital_address", "所在地", ADDRESS, Place),
    optional("name", "医師氏名", NAME, Place),
    optional("last_seen_on", "最終受診日", Date, Place),
];

static SECOND_CLASS: &[Field] = &[
    required("medical_insurer", "医療保険者名", NAME, Content),
    optional("medical_insurer_number", "医療保険者番号", NUMBER, Content),
    required("specific_disease", "特定疾病", Code(&sets::SPECIFIC_DISEASE), Content),
];

static CONTACT: &[Field] = &[
    required("name", "氏名", NAME, Contact),
    optional("relation", "続柄", NAME, Contact),
    required("phone", "電話番号", PHONE, Contact),
];

static DAYS: &[CodeDay] = &[CodeDay { of: "previous_level", day: Some("previous_to") }];

static RULES: &[Rule] = &[
    Rule {
        name: "reason_of_change",
        expected: "a reason where another level is asked for",
        broken_at: reason_of_change,
    },
    Rule {
        name: "previous_known",
        expected: "the certification that is to be renewed or changed",
        broken_at: previous_known,
    },
    Rule { name: "previous_in_order", expected: "an end not before the start", broken_at: previous_in_order },
    Rule {
        name: "renewal_in_time",
        expected: "within 60 days before the end, and not after it",
        broken_at: renewal_in_time,
    },
    Rule {
        name: "class_of_age",
        expected: "第1号 from 65, 第2号 from 40 to 64 with a specific disease",
        broken_at: class_of_age,
    },
    Rule { name: "agent_named", expected: "the office that files for the person", broken_at: agent_named },
    Rule { name: "stay_in_order", expected: "an end not before the start", broken_at: stay_in_order },
    Rule { name: "seen_before", expected: "a day not after the application", broken_at: seen_before },
];

fn reason_of_change(application: &Fields) -> Option<String> {
    let is_bare =
        application.text("application_at_receipt") == Some("3") && application.value("change_reason").is_none();
    is_bare.then(|| "change_reason".to_owned())
}

fn previous_known(application: &Fields) -> Option<String> {
    if !matches!(application.text("application_at_receipt")?, "2" | "3" | "B") {
        return None;
    }
    let needed = ["previous_level", "previous_from", "previous_to"];
    needed.into_iter().find(|name| application.value(name).is_none()).map(str::to_owned)
}

fn previous_in_order(application: &Fields) -> Option<String> {
    rules::in_order(application, "previous_from", "previous_to")
}

fn renewal_in_time(application: &Fields) -> Option<String> {
    let (applied, ends) = (application.date("applied_on")?, application.date("previous_to")?);
    let is_renewal = application.text("application_at_receipt") == Some("2");
    let is_in_time = (0..=RENEWAL_DAYS).contains(&ends.days_since(applied));
    (is_renewal && !is_in_time).then(|| "applied_on".to_owned())
}

/// Who turns 65 before the decision may apply as either class.
fn class_of_age(application: &Fields) -> Option<String> {
    let age = application.date("birth_date")?.age_on(application.date("applied_on")?);
    match application.text("insured_class")? {
        "1" if age.is_none_or(|age| age < 64) => Some("insured_class".to_owned()),
        "2" if !age.is_some_and(|age| (40..65).contains(&age)) => Some("insured_class".to_owned()),
        "2" => match application.group("second_class").map(|class| class.text("specific_disease")) {
            None => Some("second_class".to_owned()),
            Some(Some("99")) => Some("second_class.specific_disease".to_owned()),
            Some(_) => None,
        },
        _ => None,
    }
}

fn agent_named(application: &Fields) -> Option<String> {
    let is_unnamed = application.text("agent") == Some("4") && application.value("agent_number").is_none();
    is_unnamed.then(|| "agent_number".to_owned())
}

fn stay_in_order(application: &Fields) -> Option<String> {
    rules::in_order(application.group("stay")?, "from", "to").map(|name| format!("stay.{name}"))
}

fn seen_before(application: &Fields) -> Option<String> {
    let seen = application.group("doctor")?.date("last_seen_on")?;
    (seen > application.date("applied_on")?).then(|| "doctor.last_seen_on".to_owned())
}
