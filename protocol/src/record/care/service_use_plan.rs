//! The services a person uses in one month, day by day (サービス利用票・第6表), and what they come to (別表・第7表): units,
//! costs, what the insurance pays and what the person pays.

use crate::code::care_level::CareLevel as Level;
use crate::code::field_group::FieldGroup::{Card, Content, Place};
use crate::code::record_kind::RecordKind;
use crate::date::{Date as Day, Month as YearMonth};
use crate::record::care::{NAME, NUMBER, UNITS, YEN};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{
    CareLevel, Codes, Date, Flag, Integer, List, Month, OfficeNumber, ServiceKind, TimeOfDay,
};
use crate::record::form::{CodeDay, Field, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::ServiceUsePlan,
    fields: FIELDS,
    days: DAYS,
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/service-use-plan/good.json"),
};

/// The days of a month (利用日).
static DAY: CodeSet = CodeSet {
    name: "day_of_month",
    values: &[
        ("01", "1日"),
        ("02", "2日"),
        ("03", "3日"),
        ("04", "4日"),
        ("05", "5日"),
        ("06", "6日"),
        ("07", "7日"),
        ("08", "8日"),
        ("09", "9日"),
        ("10", "10日"),
        ("11", "11日"),
        ("12", "12日"),
        ("13", "13日"),
        ("14", "14日"),
        ("15", "15日"),
        ("16", "16日"),
        ("17", "17日"),
        ("18", "18日"),
        ("19", "19日"),
        ("20", "20日"),
        ("21", "21日"),
        ("22", "22日"),
        ("23", "23日"),
        ("24", "24日"),
        ("25", "25日"),
        ("26", "26日"),
        ("27", "27日"),
        ("28", "28日"),
        ("29", "29日"),
        ("30", "30日"),
        ("31", "31日"),
    ],
};

static FIELDS: &[Field] = &[
    required("month", "対象年月", Month, Card),
    required("made_on", "作成年月日", Date, Card),
    required("care_level", "要介護状態区分", CareLevel, Card),
    optional("planner_number", "居宅介護支援事業所番号", OfficeNumber, Place),
    optional("planner_name", "居宅介護支援事業所名", NAME, Place),
    required("limit_units", "区分支給限度基準額(単位)", UNITS, Content),
    optional("short_stay_days", "前月までの短期入所利用日数", Integer { min: 0, max: 2_000 }, Content),
    required("entries", "利用票(第6表)", List { of: ENTRY, items_max: 100 }, Content),
    required("totals", "利用票別表(第7表)", List { of: TOTAL, items_max: 100 }, Content),
    required("total_units", "単位数の合計", UNITS, Content),
    required("total_within", "限度内単位数の合計", UNITS, Content),
    required("total_own", "利用者負担の合計", YEN, Content),
];

static ENTRY: &[Field] = &[
    optional("office_number", "サービス事業所番号", OfficeNumber, Place),
    optional("office_name", "サービス事業所名", NAME, Place),
    required("service_kind", "サービス種類", ServiceKind, Content),
    required("service_code", "サービスコード", NUMBER, Content),
    required("from", "開始時刻", TimeOfDay, Content),
    required("to", "終了時刻", TimeOfDay, Content),
    required("planned", "予定日", Codes(&DAY), Content),
    optional("done", "実績日", Codes(&DAY), Content),
    optional("over_30_days", "30日超区分", Flag, Content),
    optional("tais_code", "TAISコード", NUMBER, Content),
];

static TOTAL: &[Field] = &[
    optional("office_number", "サービス事業所番号", OfficeNumber, Place),
    optional("office_name", "サービス事業所名", NAME, Place),
    required("service_kind", "サービス種類", ServiceKind, Content),
    required("service_code", "サービスコード", NUMBER, Content),
    required("units_each", "単位数", UNITS, Content),
    required("times", "回数", Integer { min: 1, max: 999 }, Content),
    required("units", "サービス単位", UNITS, Content),
    required("over_units", "区分支給限度基準を超える単位数", UNITS, Content),
    required("within_units", "区分支給限度基準内単位数", UNITS, Content),
    required("price_hundredths", "単位数単価(円の百分の一)", Integer { min: 1_000, max: 1_200 }, Content),
    required("cost", "費用総額(保険対象分)", YEN, Content),
    required("benefit_percent", "給付率 (%)", Integer { min: 0, max: 100 }, Content),
    required("benefit", "保険給付額", YEN, Content),
    required("own_share", "利用者負担(保険対象分)", YEN, Content),
    required("own_full", "利用者負担(全額負担分)", YEN, Content),
];

static DAYS: &[CodeDay] = &[CodeDay { of: "", day: Some("month") }];

static RULES: &[Rule] = &[
    Rule { name: "day_in_month", expected: "days that the month has", broken_at: day_in_month },
    Rule { name: "both_times", expected: "two times, or none (9999) of both", broken_at: both_times },
    Rule { name: "units_of_times", expected: "the units of one time by the times", broken_at: units_of_times },
    Rule { name: "within_and_over", expected: "what is left of the units above the limit", broken_at: within_and_over },
    Rule {
        name: "cost_of_units",
        expected: "units within the limit by the price, cut to yen",
        broken_at: cost_of_units,
    },
    Rule { name: "benefit_of_cost", expected: "the percentage of the cost, cut to yen", broken_at: benefit_of_cost },
    Rule { name: "share_is_rest", expected: "the cost less the benefit", broken_at: share_is_rest },
    Rule { name: "full_of_over", expected: "units above the limit by the price, cut to yen", broken_at: full_of_over },
    Rule { name: "total_units", expected: "the sum of the units", broken_at: total_units },
    Rule { name: "total_within", expected: "the sum within the limit, at most the limit", broken_at: total_within },
    Rule { name: "total_own", expected: "the sum of what the person pays", broken_at: total_own },
    Rule {
        name: "limit_of_level",
        expected: "the limit of the level, or of a heavier one, on that day",
        broken_at: limit_of_level,
    },
];

fn day_in_month(plan: &Fields) -> Option<String> {
    let last = plan.month("month").map(YearMonth::first_day).map(Day::month_end)?.day();
    rules::each(plan, "entries", |entry| {
        let is_after = |day: &String| day.parse::<u8>().is_ok_and(|day| day > last);
        ["planned", "done"]
            .into_iter()
            .find(|name| entry.codes(name).is_some_and(|days| days.iter().any(is_after)))
            .map(str::to_owned)
    })
}

fn both_times(plan: &Fields) -> Option<String> {
    rules::each(plan, "entries", |entry| {
        let is_none = |name| entry.text(name).map(|time| time == "9999");
        (is_none("from")? != is_none("to")?).then(|| "to".to_owned())
    })
}

fn units_of_times(plan: &Fields) -> Option<String> {
    each_is(plan, "units", |total| Some(total.integer("units_each")?.saturating_mul(total.integer("times")?)))
}

fn within_and_over(plan: &Fields) -> Option<String> {
    each_is(plan, "within_units", |total| Some(total.integer("units")?.saturating_sub(total.integer("over_units")?)))
}

fn cost_of_units(plan: &Fields) -> Option<String> {
    each_is(plan, "cost", |total| {
        Some(total.integer("within_units")?.saturating_mul(total.integer("price_hundredths")?) / 100)
    })
}

fn benefit_of_cost(plan: &Fields) -> Option<String> {
    each_is(plan, "benefit", |total| {
        Some(total.integer("cost")?.saturating_mul(total.integer("benefit_percent")?) / 100)
    })
}

fn share_is_rest(plan: &Fields) -> Option<String> {
    each_is(plan, "own_share", |total| Some(total.integer("cost")?.saturating_sub(total.integer("benefit")?)))
}

fn full_of_over(plan: &Fields) -> Option<String> {
    each_is(plan, "own_full", |total| {
        Some(total.integer("over_units")?.saturating_mul(total.integer("price_hundredths")?) / 100)
    })
}

/// The first row of the second table whose `name` is not what the others make it.
fn each_is(plan: &Fields, name: &str, right: impl Fn(&Fields) -> Option<i64>) -> Option<String> {
    rules::each(plan, "totals", |total| (total.integer(name)? != right(total)?).then(|| name.to_owned()))
}

fn total_units(plan: &Fields) -> Option<String> {
    let sum = rules::sum(plan.list("totals"), "units");
    (plan.integer("total_units")? != sum).then(|| "total_units".to_owned())
}

fn total_within(plan: &Fields) -> Option<String> {
    let (told, sum) = (plan.integer("total_within")?, rules::sum(plan.list("totals"), "within_units"));
    (told != sum || told > plan.integer("limit_units")?).then(|| "total_within".to_owned())
}

fn total_own(plan: &Fields) -> Option<String> {
    let totals = plan.list("totals");
    let sum = rules::sum(totals, "own_share").saturating_add(rules::sum(totals, "own_full"));
    (plan.integer("total_own")? != sum).then(|| "total_own".to_owned())
}

fn limit_of_level(plan: &Fields) -> Option<String> {
    let level = plan.text("care_level").and_then(Level::parse);
    rules::limit_of_level(plan, level, "limit_units", plan.month("month")?.first_day())
}
