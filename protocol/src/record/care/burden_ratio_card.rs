//! The card that says which share of the costs the person pays (介護保険負担割合証). The most for meals and rooms has a card of its
//! own (負担限度額認定証).

use crate::code::field_group::FieldGroup::Card;
use crate::code::record_kind::RecordKind;
use crate::record::form::FieldType::{Date, Integer, List};
use crate::record::form::{Field, Form, Rule, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::BurdenRatioCard,
    fields: FIELDS,
    days: &[],
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/burden-ratio-card/good.json"),
};

static FIELDS: &[Field] = &[
    required("issued_on", "交付年月日", Date, Card),
    required("ratios", "利用者負担の割合", List { of: RATIO, items_max: 2 }, Card),
];

static RATIO: &[Field] = &[
    required("tenths", "割合", Integer { min: 1, max: 3 }, Card),
    required("from", "適用期間 開始", Date, Card),
    required("to", "適用期間 終了", Date, Card),
];

static RULES: &[Rule] = &[
    Rule { name: "some_ratio", expected: "at least one share", broken_at: some_ratio },
    Rule { name: "ratio_in_order", expected: "an end not before the start", broken_at: ratio_in_order },
    Rule { name: "ratio_within_year", expected: "a day from 8/1 to the next 7/31", broken_at: ratio_within_year },
    Rule { name: "ratios_follow", expected: "a start after the end of the row before", broken_at: ratios_follow },
];

fn some_ratio(card: &Fields) -> Option<String> {
    card.list("ratios").is_empty().then(|| "ratios".to_owned())
}

fn ratio_in_order(card: &Fields) -> Option<String> {
    rules::each(card, "ratios", |row| rules::in_order(row, "from", "to"))
}

fn ratio_within_year(card: &Fields) -> Option<String> {
    rules::each(card, "ratios", ends_in_another_year)
}

fn ratios_follow(card: &Fields) -> Option<String> {
    let [first, second] = card.list("ratios") else { return None };
    (second.date("from")? <= first.date("to")?).then(|| "ratios[1].from".to_owned())
}

/// Shares are decided for a year that begins on 8/1.
fn ends_in_another_year(period: &Fields) -> Option<String> {
    let year = |day: crate::date::Date| day.year().saturating_sub(u16::from(day.month() < 8));
    (year(period.date("from")?) != year(period.date("to")?)).then(|| "to".to_owned())
}
