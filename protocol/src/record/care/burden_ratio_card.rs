//! The cards that say what the person pays: the share (介護保険負担割合証) and, for people of small
//! income, the most for meals and rooms (負担限度額認定証).

use crate::code::field_group::FieldGroup::Card;
use crate::code::record_kind::RecordKind;
use crate::record::care::YEN;
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{Code, Date, Flag, Group, Integer, List};
use crate::record::form::{Field, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::BurdenRatioCard,
    fields: FIELDS,
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/burden-ratio-card/good.json"),
};

/// The stage of the limit (利用者負担段階).
static STAGE: CodeSet = CodeSet {
    name: "burden_stage",
    values: &[("1", "第1段階"), ("2", "第2段階"), ("3-1", "第3段階①"), ("3-2", "第3段階②"), ("4", "第4段階(非該当)")],
};

static FIELDS: &[Field] = &[
    required("issued_on", "交付年月日", Date, Card),
    required("ratios", "利用者負担の割合", List { of: RATIO, items_max: 2 }, Card),
    optional("limit_certificate", "負担限度額認定証", Group(LIMIT_CERTIFICATE), Card),
];

static RATIO: &[Field] = &[
    required("tenths", "割合", Integer { min: 1, max: 3 }, Card),
    required("from", "適用期間 開始", Date, Card),
    required("to", "適用期間 終了", Date, Card),
];

static LIMIT_CERTIFICATE: &[Field] = &[
    required("issued_on", "交付年月日", Date, Card),
    required("from", "適用年月日", Date, Card),
    required("to", "有効期限", Date, Card),
    required("stage", "利用者負担段階", Code(&STAGE), Card),
    optional("meals_in_facility", "食費の負担限度額 施設入所", YEN, Card),
    optional("meals_on_short_stay", "食費の負担限度額 短期入所", YEN, Card),
    optional("unit_room", "居住費 ユニット型個室", YEN, Card),
    optional("unit_shared_room", "居住費 ユニット型個室的多床室", YEN, Card),
    optional("single_room_in_welfare_facility", "居住費 従来型個室(特養等)", YEN, Card),
    optional("single_room_in_health_facility", "居住費 従来型個室(老健・医療院等)", YEN, Card),
    optional("shared_room_in_welfare_facility", "居住費 多床室(特養等)", YEN, Card),
    optional("shared_room_in_health_facility", "居住費 多床室(老健・医療院等)", YEN, Card),
    optional("special_reduction", "特例減額", Flag, Card),
    optional("application_pending", "申請中", Flag, Card),
];

static RULES: &[Rule] = &[
    Rule { name: "some_ratio", expected: "at least one share", broken_at: some_ratio },
    Rule { name: "ratio_in_order", expected: "an end not before the start", broken_at: ratio_in_order },
    Rule { name: "ratio_within_year", expected: "a day from 8/1 to the next 7/31", broken_at: ratio_within_year },
    Rule { name: "ratios_follow", expected: "a start after the end of the row before", broken_at: ratios_follow },
    Rule { name: "limit_in_order", expected: "an end not before the start", broken_at: limit_in_order },
    Rule { name: "limit_within_year", expected: "a day from 8/1 to the next 7/31", broken_at: limit_within_year },
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

fn limit_in_order(card: &Fields) -> Option<String> {
    in_certificate(rules::in_order(card.group("limit_certificate")?, "from", "to"))
}

fn limit_within_year(card: &Fields) -> Option<String> {
    in_certificate(ends_in_another_year(card.group("limit_certificate")?))
}

fn in_certificate(name: Option<String>) -> Option<String> {
    name.map(|name| format!("limit_certificate.{name}"))
}

/// Shares and limits are decided for a year that begins on 8/1.
fn ends_in_another_year(period: &Fields) -> Option<String> {
    let year = |day: crate::date::Date| day.year().saturating_sub(u16::from(day.month() < 8));
    (year(period.date("from")?) != year(period.date("to")?)).then(|| "to".to_owned())
}
