//! The insurance card of long-term care (介護保険被保険者証).

use crate::code::care_level::CareLevel;
use crate::code::field_group::FieldGroup::{Card, Contact, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{ADDRESS, LINES, NAME, NARRATIVE, UNITS, sets};
use crate::record::form::FieldType::{self, Code, Date, InsuredNumber, InsurerNumber, List, OfficeNumber};
use crate::record::form::FieldType::{PostalCode, ServiceKind};
use crate::record::form::{CodeDay, Field, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::InsuranceCard,
    fields: FIELDS,
    days: DAYS,
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/insurance-card/good.json"),
};

static FIELDS: &[Field] = &[
    required("insured_number", "被保険者番号", InsuredNumber, Card),
    required("insurer_number", "保険者番号", InsurerNumber, Card),
    required("insurer_name", "保険者名称", NAME, Card),
    required("name", "氏名", NAME, Card),
    required("name_kana", "フリガナ", NAME, Card),
    optional("postal_code", "郵便番号", PostalCode, Contact),
    required("address", "住所", ADDRESS, Contact),
    required("birth_date", "生年月日", Date, Card),
    required("sex", "性別", Code(&sets::SEX), Card),
    required("issued_on", "交付年月日", Date, Card),
    optional("care_level", "要介護状態区分等", FieldType::CareLevel, Card),
    optional("certified_on", "認定年月日", Date, Card),
    optional("valid_from", "認定の有効期間 開始", Date, Card),
    optional("valid_to", "認定の有効期間 終了", Date, Card),
    optional("limit_units", "区分支給限度基準額", UNITS, Card),
    optional("limit_from", "区分支給限度基準額 適用開始", Date, Card),
    optional("limit_to", "区分支給限度基準額 適用終了", Date, Card),
    optional("kind_limits", "うち種類支給限度基準額", List { of: KIND_LIMIT, items_max: 20 }, Card),
    optional("panel_opinion", "認定審査会の意見及びサービスの種類の指定", NARRATIVE, Narrative),
    optional("restrictions", "給付制限", List { of: RESTRICTION, items_max: 10 }, Card),
    optional("care_managements", "居宅介護支援事業者等", List { of: CARE_MANAGEMENT, items_max: 3 }, Card),
    optional("facilities", "介護保険施設等", List { of: FACILITY, items_max: 10 }, Place),
];

static KIND_LIMIT: &[Field] =
    &[required("service_kind", "サービスの種類", ServiceKind, Card), required("units", "限度額", UNITS, Card)];

static RESTRICTION: &[Field] = &[
    required("content", "内容", LINES, Card),
    required("from", "開始年月日", Date, Card),
    optional("to", "終了年月日", Date, Card),
];

static CARE_MANAGEMENT: &[Field] = &[
    required("office_number", "事業所番号", OfficeNumber, Place),
    optional("office_name", "事業者の名称", NAME, Place),
    required("notified_on", "届出年月日", Date, Card),
];

static FACILITY: &[Field] = &[
    required("service_kind", "種類", ServiceKind, Place),
    required("name", "名称", NAME, Place),
    required("entered_on", "入所・入院年月日", Date, Place),
    optional("left_on", "退所・退院年月日", Date, Place),
];

static DAYS: &[CodeDay] = &[
    CodeDay { of: "", day: Some("valid_from") },
    CodeDay { of: "", day: Some("issued_on") },
    // A stay may have begun when the facility was of another kind: the last day of it counts.
    CodeDay { of: "facilities", day: Some("left_on") },
    CodeDay { of: "facilities", day: Some("issued_on") },
];

static RULES: &[Rule] = &[
    Rule { name: "issued_after_birth", expected: "a day not before the birth", broken_at: issued_after_birth },
    Rule { name: "level_on_card", expected: "one of 01, 06, 12, 13, 21, 22, 23, 24, 25", broken_at: level_on_card },
    Rule { name: "certified_for_a_period", expected: "a period of certification", broken_at: certified_for_a_period },
    Rule { name: "period_in_order", expected: "an end not before the start", broken_at: period_in_order },
    Rule { name: "period_ends_a_month", expected: "the last day of a month", broken_at: period_ends_a_month },
    Rule {
        name: "kind_limit_within_limit",
        expected: "one limit for each kind, at most the whole limit",
        broken_at: kind_limits,
    },
    Rule { name: "restriction_in_order", expected: "an end not before the start", broken_at: restrictions },
    Rule { name: "stay_in_order", expected: "an end not before the start", broken_at: stays },
    Rule {
        name: "limit_of_level",
        expected: "the limit of the level, or of a heavier one, on that day",
        broken_at: limit_of_level,
    },
];

fn issued_after_birth(card: &Fields) -> Option<String> {
    rules::in_order(card, "birth_date", "issued_on")
}

fn level_on_card(card: &Fields) -> Option<String> {
    let on_card = CareLevel::parse(card.text("care_level")?).is_some_and(CareLevel::is_on_card);
    (!on_card).then(|| "care_level".to_owned())
}

fn certified_for_a_period(card: &Fields) -> Option<String> {
    let certified = CareLevel::parse(card.text("care_level")?).is_some_and(CareLevel::is_certified);
    let missing = ["certified_on", "valid_from", "valid_to"].into_iter().find(|name| card.value(name).is_none())?;
    certified.then(|| missing.to_owned())
}

fn period_in_order(card: &Fields) -> Option<String> {
    rules::in_order(card, "valid_from", "valid_to").or_else(|| rules::in_order(card, "limit_from", "limit_to"))
}

fn period_ends_a_month(card: &Fields) -> Option<String> {
    rules::month_end(card, "valid_to")
}

fn kind_limits(card: &Fields) -> Option<String> {
    let whole = card.integer("limit_units");
    rules::unique(card, "kind_limits", "service_kind").or_else(|| {
        rules::each(card, "kind_limits", |item| (item.integer("units")? > whole?).then(|| "units".to_owned()))
    })
}

fn restrictions(card: &Fields) -> Option<String> {
    rules::each(card, "restrictions", |item| rules::in_order(item, "from", "to"))
}

fn stays(card: &Fields) -> Option<String> {
    rules::each(card, "facilities", |item| rules::in_order(item, "entered_on", "left_on"))
}

fn limit_of_level(card: &Fields) -> Option<String> {
    let level = card.text("care_level").and_then(CareLevel::parse);
    rules::limit_of_level(card, level, "limit_units", card.date("limit_from").or_else(|| card.date("valid_from"))?)
}
