//! That a person is paid for by public funds at the doctor's (公費負担医療・地方単独医療費助成): the certificate of a recipient, by the
//! fields in which municipalities register it with the Public Medical Hub (PMH). DOMAIN §5.1.
//!
//! Three fields of that interface are not here. The person is named by the number of their card, never by the one the state
//! gave them (個人番号); whether their whereabouts are hidden (isNotDisclosed) is a fact about the person, not of one
//! record (支援措置); and what is deleted there is a cancelled version here (isDeleted).

use crate::code::field_group::FieldGroup::{Card, Contact, Content, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{ADDRESS, LINES, NAME, YEN, sets};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{Code, Date, Flag, List, PayerNumber, Text};
use crate::record::form::{Field, FieldType, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::MedicalSubsidy,
    fields: FIELDS,
    days: &[],
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/medical-subsidy/good.json"),
};

/// Whether the person stays in the hospital (入院・外来). The codes are ours (M).
static CARE: CodeSet = CodeSet { name: "care", values: &[("1", "入院"), ("2", "外来")] };

/// How often the most is paid (上限額の単位). The codes are ours (M).
static EVERY: CodeSet = CodeSet { name: "every", values: &[("1", "1回"), ("2", "1日"), ("3", "1月")] };

/// A word or key of the municipality that issued the certificate.
const KEY: FieldType = Text { characters_max: 50 };

static FIELDS: &[Field] = &[
    required("certificate_type", "受給者証の種類", KEY, Card),
    required("certificate_name", "受給者証の名称", NAME, Card),
    optional("certificate_sub_key", "受給者証の枝番", KEY, Card),
    optional("payer_number", "公費負担者番号", PayerNumber, Card),
    optional("recipient_number", "公費受給者番号", Text { characters_max: 30 }, Card),
    required("name", "氏名", NAME, Card),
    optional("name_kana", "氏名カナ", NAME, Card),
    optional("address", "住所", ADDRESS, Contact),
    required("birth_date", "生年月日", Date, Card),
    required("sex", "性別", Code(&sets::SEX), Card),
    required("valid_from", "有効期間 開始", Date, Card),
    required("valid_to", "有効期間 終了", Date, Card),
    optional("segment", "区分", KEY, Content),
    optional("income_segment", "所得区分", KEY, Content),
    optional("conditions", "付加条件", List { of: CONDITION, items_max: 50 }, Content),
    optional("institutions", "指定医療機関", LINES, Place),
    required("always_reimbursed", "償還払いのみ", Flag, Card),
    optional("most", "自己負担上限額", List { of: MOST, items_max: 6 }, Content),
    optional("history_key", "履歴の番号", KEY, Content),
];

static CONDITION: &[Field] =
    &[required("item", "条件の項目", KEY, Content), required("code", "条件のコード", KEY, Content)];

/// The most the person pays (自己負担上限額, M).
static MOST: &[Field] = &[
    required("care", "入院・外来", Code(&CARE), Content),
    required("every", "単位", Code(&EVERY), Content),
    required("yen", "上限額", YEN, Content),
];

static RULES: &[Rule] = &[
    Rule { name: "valid_in_order", expected: "an end not before the start", broken_at: valid_in_order },
    Rule { name: "valid_after_birth", expected: "a day not before the birth", broken_at: valid_after_birth },
    Rule { name: "most_once", expected: "each care and each time once", broken_at: most_once },
];

fn valid_in_order(record: &Fields) -> Option<String> {
    rules::in_order(record, "valid_from", "valid_to")
}

fn valid_after_birth(record: &Fields) -> Option<String> {
    rules::in_order(record, "birth_date", "valid_from")
}

fn most_once(record: &Fields) -> Option<String> {
    let most = record.list("most");
    let of = |one: &Fields| (one.text("care").map(str::to_owned), one.text("every").map(str::to_owned));
    let mut numbered = most.iter().enumerate();
    numbered.find_map(|(at, one)| {
        let before = most.iter().take(at).any(|other| of(other) == of(one));
        before.then(|| format!("most[{at}].every"))
    })
}
