//! What an office claims for the services it gave a person in one month (介護給付費明細書): the statement for services at home
//! (様式第二), by its parts 01, 02 and 10 of the interface of the federation of health insurers. DOMAIN §4.10.
//!
//! Statements of facilities, of short stays and of care management are other forms and are not here. A claim that was
//! withdrawn is a cancelled version (過誤).

use crate::code::care_level::CareLevel as Level;
use crate::code::field_group::FieldGroup::{Card, Content, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{NAME, NUMBER, UNITS, YEN, sets};
use crate::record::form::FieldType::{
    CareLevel, Code, Date, InsuredNumber, InsurerNumber, Integer, List, Month, OfficeNumber, PayerNumber, ServiceKind,
};
use crate::record::form::{CodeDay, Field, FieldType, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::ClaimStatement,
    fields: FIELDS,
    days: DAYS,
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/claim-statement/good.json"),
};

/// Parts of a hundred.
const PERCENT: FieldType = Integer { min: 0, max: 100 };

/// The law under which one on public assistance (生活保護) is paid for (法別番号 12).
const PUBLIC_ASSISTANCE: &str = "12";

static FIELDS: &[Field] = &[
    // 01 基本
    required("month", "サービス提供年月", Month, Card),
    required("insurer_number", "証記載保険者番号", InsurerNumber, Card),
    required("insured_number", "被保険者番号", InsuredNumber, Card),
    required("birth_date", "生年月日", Date, Card),
    required("sex", "性別", Code(&sets::SEX), Card),
    required("care_level", "要介護状態区分", CareLevel, Card),
    required("valid_from", "認定の有効期間 開始", Date, Card),
    required("valid_to", "認定の有効期間 終了", Date, Card),
    required("office_number", "請求事業所番号", OfficeNumber, Place),
    optional("office_name", "請求事業所名", NAME, Place),
    required("planning", "居宅サービス計画作成区分", Code(&sets::PLANNING), Content),
    optional("planner_number", "居宅介護支援事業所番号", OfficeNumber, Place),
    optional("started_on", "開始年月日", Date, Content),
    optional("ended_on", "中止年月日", Date, Content),
    // The codes of the reason are not in our source.
    optional("end_reason", "中止理由", NUMBER, Content),
    optional("benefit_percent", "保険給付率 (%)", PERCENT, Content),
    optional("payers", "公費", List { of: PAYER, items_max: 3 }, Content),
    // 02 明細
    required("lines", "給付費明細欄", List { of: LINE, items_max: 200 }, Content),
    // 10 集計
    required("totals", "請求額集計欄", List { of: TOTAL, items_max: 20 }, Content),
    required("total_insurance", "保険請求額の合計", YEN, Content),
    required("total_public", "公費請求額の合計", YEN, Content),
    required("total_own", "利用者負担額の合計", YEN, Content),
];

static PAYER: &[Field] = &[
    required("payer_number", "公費負担者番号", PayerNumber, Content),
    required("recipient_number", "公費受給者番号", NUMBER, Content),
    required("percent", "公費給付率 (%)", PERCENT, Content),
];

static LINE: &[Field] = &[
    required("service_kind", "サービス種類", ServiceKind, Content),
    required("service_code", "サービスコード", NUMBER, Content),
    // An addition that is a share of the others has units and neither of these two.
    optional("units_each", "単位数", UNITS, Content),
    optional("times", "日数・回数", Integer { min: 1, max: 999 }, Content),
    required("units", "サービス単位数", UNITS, Content),
    optional("public_units", "公費対象単位数", UNITS, Content),
];

static TOTAL: &[Field] = &[
    required("service_kind", "サービス種類", ServiceKind, Content),
    required("days", "サービス実日数", Integer { min: 0, max: 31 }, Content),
    required("planned_units", "計画単位数", UNITS, Content),
    required("limited_units", "限度額管理対象単位数", UNITS, Content),
    required("free_units", "限度額管理対象外単位数", UNITS, Content),
    required("benefit_units", "給付単位数", UNITS, Content),
    required("price_hundredths", "単位数単価(円の百分の一)", Integer { min: 1_000, max: 1_200 }, Content),
    required("insurance", "保険請求額", YEN, Content),
    required("public", "公費請求額", YEN, Content),
    required("own", "利用者負担額", YEN, Content),
];

static DAYS: &[CodeDay] = &[CodeDay { of: "", day: Some("month") }];

static RULES: &[Rule] = &[
    Rule { name: "period_in_order", expected: "an end not before the start", broken_at: period_in_order },
    Rule { name: "month_within_period", expected: "a month of the certification", broken_at: month_within_period },
    Rule { name: "claimed_level", expected: "a level that has benefits", broken_at: claimed_level },
    Rule { name: "planner_named", expected: "the office, unless the person planned", broken_at: planner_named },
    Rule { name: "units_of_times", expected: "the units of one time by the times", broken_at: units_of_times },
    Rule { name: "public_within", expected: "at most the units of the line", broken_at: public_within },
    Rule { name: "total_once", expected: "each kind of service once", broken_at: total_once },
    Rule { name: "units_of_lines", expected: "the units of the lines of the kind", broken_at: units_of_lines },
    Rule {
        name: "benefit_units",
        expected: "the lesser of planned and limited units, and those without a limit",
        broken_at: benefit_units,
    },
    Rule {
        name: "shares_of_cost",
        expected: "with the others the benefit units by the price, cut to yen",
        broken_at: shares_of_cost,
    },
    Rule {
        name: "insurance_of_cost",
        expected: "the percentage of the cost, cut to yen",
        broken_at: insurance_of_cost,
    },
    Rule { name: "sums_of_totals", expected: "the sum over the kinds of service", broken_at: sums_of_totals },
    Rule { name: "public_needs_payer", expected: "a payer, if public funds pay", broken_at: public_needs_payer },
    Rule {
        name: "assisted_paid_in_full",
        expected: "public assistance (12) as payer and no share of the insurance, for a number with H",
        broken_at: assisted_paid_in_full,
    },
];

fn period_in_order(claim: &Fields) -> Option<String> {
    rules::in_order(claim, "valid_from", "valid_to").or_else(|| rules::in_order(claim, "started_on", "ended_on"))
}

fn month_within_period(claim: &Fields) -> Option<String> {
    let (from, to) = (claim.date("valid_from")?.calendar_month(), claim.date("valid_to")?.calendar_month());
    (!(from..=to).contains(&claim.month("month")?)).then(|| "month".to_owned())
}

fn claimed_level(claim: &Fields) -> Option<String> {
    let level = Level::parse(claim.text("care_level")?)?;
    let is_without = matches!(level, Level::NotEligible | Level::Resurvey | Level::Revoked | Level::None);
    is_without.then(|| "care_level".to_owned())
}

fn planner_named(claim: &Fields) -> Option<String> {
    let is_unnamed = claim.text("planning") != Some("2") && claim.value("planner_number").is_none();
    is_unnamed.then(|| "planner_number".to_owned())
}

fn units_of_times(claim: &Fields) -> Option<String> {
    rules::each(claim, "lines", |line| {
        let product = line.integer("units_each")?.saturating_mul(line.integer("times")?);
        (line.integer("units")? != product).then(|| "units".to_owned())
    })
}

fn public_within(claim: &Fields) -> Option<String> {
    rules::each(claim, "lines", |line| {
        (line.integer("public_units")? > line.integer("units")?).then(|| "public_units".to_owned())
    })
}

fn total_once(claim: &Fields) -> Option<String> {
    rules::unique(claim, "totals", "service_kind")
}

fn units_of_lines(claim: &Fields) -> Option<String> {
    let claimed = |kind: &str| {
        let of_kind = claim.list("lines").iter().filter(|line| line.text("service_kind") == Some(kind));
        of_kind.filter_map(|line| line.integer("units")).fold(0, i64::saturating_add)
    };
    let untotalled = rules::each(claim, "lines", |line| {
        let kind = line.text("service_kind");
        let is_there = claim.list("totals").iter().any(|total| total.text("service_kind") == kind);
        (!is_there).then(|| "service_kind".to_owned())
    });
    untotalled.or_else(|| {
        rules::each(claim, "totals", |total| {
            let sum = total.integer("limited_units")?.saturating_add(total.integer("free_units")?);
            (sum != claimed(total.text("service_kind")?)).then(|| "limited_units".to_owned())
        })
    })
}

fn benefit_units(claim: &Fields) -> Option<String> {
    rules::each(claim, "totals", |total| {
        let limited = total.integer("planned_units")?.min(total.integer("limited_units")?);
        let units = limited.saturating_add(total.integer("free_units")?);
        (total.integer("benefit_units")? != units).then(|| "benefit_units".to_owned())
    })
}

/// What the units of a kind of service cost, cut to yen.
fn cost(total: &Fields) -> Option<i64> {
    Some(total.integer("benefit_units")?.saturating_mul(total.integer("price_hundredths")?) / 100)
}

fn shares_of_cost(claim: &Fields) -> Option<String> {
    rules::each(claim, "totals", |total| {
        let shares = ["insurance", "public", "own"].iter().filter_map(|name| total.integer(name));
        (shares.fold(0, i64::saturating_add) != cost(total)?).then(|| "own".to_owned())
    })
}

fn insurance_of_cost(claim: &Fields) -> Option<String> {
    let percent = claim.integer("benefit_percent").unwrap_or_default();
    rules::each(claim, "totals", |total| {
        let share = cost(total)?.saturating_mul(percent) / 100;
        (total.integer("insurance")? != share).then(|| "insurance".to_owned())
    })
}

fn sums_of_totals(claim: &Fields) -> Option<String> {
    let sums = [("total_insurance", "insurance"), ("total_public", "public"), ("total_own", "own")];
    let broken = sums.into_iter().find(|(told, of)| claim.integer(told) != Some(rules::sum(claim.list("totals"), of)));
    broken.map(|(told, _of)| told.to_owned())
}

fn public_needs_payer(claim: &Fields) -> Option<String> {
    (claim.integer("total_public")? > 0 && claim.list("payers").is_empty()).then(|| "payers".to_owned())
}

fn assisted_paid_in_full(claim: &Fields) -> Option<String> {
    if !claim.text("insured_number")?.starts_with('H') {
        return None;
    }
    let is_assisted = |payer: &Fields| payer.text("payer_number").is_some_and(|it| it.starts_with(PUBLIC_ASSISTANCE));
    if !claim.list("payers").iter().any(is_assisted) {
        return Some("payers".to_owned());
    }
    claim.value("benefit_percent").map(|_percent| "benefit_percent".to_owned())
}
