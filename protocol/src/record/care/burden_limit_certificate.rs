//! The certificate of a person of small income with the most they pay a day for meals and for the room in a facility or on a
//! short stay (介護保険負担限度額認定証): DOMAIN §4.3, the stages §3.6.
//!
//! The limits are held against the table of their day (`data/burden_limits.csv`), but only where a line of it is sure. Today
//! none is: all are shown on the page of records, and none refuses another.

use crate::code::burden_limit;
use crate::code::field_group::FieldGroup::Card;
use crate::code::record_kind::RecordKind;
use crate::date::Date as Day;
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{Code, Date, Flag, Group, Integer};
use crate::record::form::{Field, FieldType, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::{Fields, Value};

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::BurdenLimitCertificate,
    fields: FIELDS,
    days: &[],
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/burden-limit-certificate/good.json"),
};

/// The stage of the limit (利用者負担段階). The codes are ours; that the fourth is for those without a limit is M.
static STAGE: CodeSet = CodeSet {
    name: "burden_stage",
    values: &[("1", "第1段階"), ("2", "第2段階"), ("3-1", "第3段階①"), ("3-2", "第3段階②"), ("4", "第4段階(非該当)")],
};

/// An amount in yen of one day.
const YEN_A_DAY: FieldType = Integer { min: 0, max: 99_999 };

static FIELDS: &[Field] = &[
    required("issued_on", "交付年月日", Date, Card),
    required("from", "適用年月日", Date, Card),
    required("to", "有効期限", Date, Card),
    required("stage", "利用者負担段階", Code(&STAGE), Card),
    optional("meals", "食費の負担限度額", Group(MEALS), Card),
    optional("rooms", "居住費の負担限度額", Group(ROOMS), Card),
    optional("special_reduction", "特例減額", Flag, Card),
    optional("application_pending", "申請中", Flag, Card),
];

static MEALS: &[Field] =
    &[required("in_facility", "施設入所", YEN_A_DAY, Card), required("on_short_stay", "短期入所", YEN_A_DAY, Card)];

static ROOMS: &[Field] = &[
    optional("unit", "ユニット型個室", YEN_A_DAY, Card),
    optional("shared_unit", "ユニット型個室的多床室", YEN_A_DAY, Card),
    optional("single_in_welfare_facility", "従来型個室(特養等)", YEN_A_DAY, Card),
    optional("single_in_health_facility", "従来型個室(老健・医療院等)", YEN_A_DAY, Card),
    optional("shared_in_welfare_facility", "多床室(特養等)", YEN_A_DAY, Card),
    optional("shared_in_health_facility", "多床室(老健・医療院等)", YEN_A_DAY, Card),
];

static RULES: &[Rule] = &[
    Rule { name: "limit_in_order", expected: "an end not before the start", broken_at: limit_in_order },
    Rule { name: "limit_within_year", expected: "a day from 8/1 to the next 7/31", broken_at: limit_within_year },
    Rule { name: "limits_told", expected: "the limits, unless they are applied for", broken_at: limits_told },
    Rule { name: "limit_of_stage", expected: "the limit of the stage on the first day", broken_at: limit_of_stage },
];

fn limit_in_order(certificate: &Fields) -> Option<String> {
    rules::in_order(certificate, "from", "to")
}

/// Limits are decided for a year that begins on 8/1.
fn limit_within_year(certificate: &Fields) -> Option<String> {
    let year = |day: Day| day.year().saturating_sub(u16::from(day.month() < 8));
    (year(certificate.date("from")?) != year(certificate.date("to")?)).then(|| "to".to_owned())
}

fn limits_told(certificate: &Fields) -> Option<String> {
    let is_pending = certificate.flag("application_pending") == Some(true);
    let missing = ["meals", "rooms"].into_iter().find(|name| certificate.value(name).is_none());
    missing.filter(|_name| !is_pending).map(str::to_owned)
}

fn limit_of_stage(certificate: &Fields) -> Option<String> {
    let (stage, day) = (certificate.text("stage")?, certificate.date("from")?);
    // Who has no limit, or a lowered one, has no value of the table.
    if stage == "4" || certificate.flag("special_reduction") == Some(true) {
        return None;
    }
    ["meals", "rooms"].into_iter().find_map(|group| {
        let mut limits = certificate.group(group)?.iter().filter_map(|(name, held)| match held {
            Value::Integer(yen) => Some((format!("{group}.{name}"), *yen)),
            _ => None,
        });
        limits.find(|(what, yen)| !burden_limit::fits(*yen, what, stage, day)).map(|(what, _yen)| what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_names_a_field_and_a_stage() {
        let fields =
            |group: &str| FIELDS.iter().find(|field| field.name == group).map(Field::inner).unwrap_or_default();
        for line in burden_limit::lines() {
            let (group, name) = line.what.split_once('.').unwrap_or_default();
            assert!(fields(group).iter().any(|field| field.name == name) && STAGE.contains(line.stage), "{line:?}");
        }
    }
}
