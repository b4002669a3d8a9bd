//! What is left to the person for changes to the home (住宅改修) and for buying equipment (特定福祉用具
//! 購入), with the works and purchases that used the rest.

use crate::code::care_level::CareLevel;
use crate::code::field_group::FieldGroup::{Card, Contact, Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::code::yen_limit;
use crate::code::yen_limit::Spending;
use crate::date::Date as Day;
use crate::record::care::{ADDRESS, LINES, NAME, NUMBER, YEN};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{self, Code, Codes, Date, Group, Integer, List, OfficeNumber};
use crate::record::form::{CodeDay, Field, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::EquipmentBalance,
    fields: FIELDS,
    days: DAYS,
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/equipment-balance/good.json"),
};

/// Kinds of work (工事種別).
static WORK: CodeSet = CodeSet {
    name: "work",
    values: &[
        ("1", "手すりの取付け"),
        ("2", "段差の解消"),
        ("3", "床材の変更"),
        ("4", "扉の取替え"),
        ("5", "便器の取替え"),
        ("6", "付帯工事"),
    ],
};

/// Why the limit began anew with a work (リセット区分).
static RENEWAL: CodeSet = CodeSet { name: "renewal", values: &[("0", "なし"), ("1", "転居"), ("2", "3段階")] };

/// The code of a limit that began anew because the person moved.
const BY_MOVE: &str = "1";
/// The code of a limit that began anew because the need rose.
const BY_NEED: &str = "2";
/// By how many steps the need has to rise.
const RENEWAL_STEPS: u8 = 3;

/// Kinds of equipment (種目).
static ITEM: CodeSet = CodeSet {
    name: "equipment",
    values: &[
        ("01", "腰掛便座"),
        ("02", "自動排泄処理装置の交換可能部品"),
        ("03", "排泄予測支援機器"),
        ("04", "入浴補助用具"),
        ("05", "簡易浴槽"),
        ("06", "移動用リフトのつり具"),
        ("07", "固定用スロープ"),
        ("08", "歩行器"),
        ("09", "歩行補助つえ"),
    ],
};

static FIELDS: &[Field] = &[
    required("calculated_on", "算定日", Date, Card),
    optional("housing", "住宅改修", Group(HOUSING), Content),
    optional("equipment", "特定福祉用具購入", List { of: EQUIPMENT_YEAR, items_max: 30 }, Content),
];

static HOUSING: &[Field] = &[
    required("limit", "限度額", YEN, Content),
    required("works", "工事", List { of: HOUSING_WORK, items_max: 50 }, Content),
    required("remaining", "残額", YEN, Content),
];

static HOUSING_WORK: &[Field] = &[
    required("applied_on", "申請日(事前)", Date, Content),
    optional("started_on", "着工日", Date, Content),
    optional("completed_on", "完成日", Date, Content),
    optional("address", "住宅の所在地", ADDRESS, Contact),
    optional("owner", "住宅の所有者", NAME, Contact),
    required("kinds", "工事種別", Codes(&WORK), Content),
    required("cost", "費用額", YEN, Content),
    required("covered", "対象額", YEN, Content),
    optional("paid", "支給額", YEN, Content),
    // Added by us: that the limit began anew with the need cannot be seen without it.
    optional("care_level", "着工時の要介護状態区分", FieldType::CareLevel, Content),
    optional("reason_author", "理由書作成者", NAME, Place),
    optional("contractor", "施工業者", NAME, Place),
    required("renewal", "リセット区分", Code(&RENEWAL), Content),
];

static EQUIPMENT_YEAR: &[Field] = &[
    required("fiscal_year", "年度", Integer { min: 2000, max: 2200 }, Content),
    required("limit", "限度額", YEN, Content),
    required("purchases", "購入", List { of: PURCHASE, items_max: 50 }, Content),
    required("remaining", "残額", YEN, Content),
];

static PURCHASE: &[Field] = &[
    required("item", "種目", Code(&ITEM), Content),
    required("product", "商品名", LINES, Content),
    optional("tais_code", "TAISコード", NUMBER, Content),
    optional("office_number", "販売事業所番号", OfficeNumber, Place),
    optional("office_name", "販売事業所名", NAME, Place),
    required("purchased_on", "購入日", Date, Content),
    required("cost", "費用", YEN, Content),
    required("covered", "対象額", YEN, Content),
    optional("reason_again", "同一種目の再購入理由", LINES, Narrative),
];

static DAYS: &[CodeDay] = &[
    CodeDay { of: "housing.works", day: Some("applied_on") },
    CodeDay { of: "equipment.purchases", day: Some("purchased_on") },
];

static RULES: &[Rule] = &[
    Rule { name: "works_in_order", expected: "a day not before the step before", broken_at: works_in_order },
    Rule {
        name: "covered_within_cost",
        expected: "at most the cost, and paid at most what is covered",
        broken_at: covered,
    },
    Rule { name: "limit_of_its_day", expected: "the limit of that day by law", broken_at: limit_of_its_day },
    Rule {
        name: "renewal_by_need",
        expected: "a level three steps above that of the first work in the home, and once in each home",
        broken_at: renewal_by_need,
    },
    Rule {
        name: "housing_balance",
        expected: "the limit less what is covered since it began anew",
        broken_at: housing_balance,
    },
    Rule { name: "year_once", expected: "each fiscal year once", broken_at: year_once },
    Rule {
        name: "purchase_in_year",
        expected: "a day from 4/1 to 3/31 of the fiscal year",
        broken_at: purchase_in_year,
    },
    Rule {
        name: "equipment_balance",
        expected: "the limit less what is covered in the year",
        broken_at: equipment_balance,
    },
    Rule { name: "again_explained", expected: "a reason to buy the same kind again", broken_at: again_explained },
];

fn in_housing(balance: &Fields, rule: impl Fn(&Fields) -> Option<String>) -> Option<String> {
    rule(balance.group("housing")?).map(|path| format!("housing.{path}"))
}

fn works_in_order(balance: &Fields) -> Option<String> {
    let steps = ["applied_on", "started_on", "completed_on"];
    in_housing(balance, |housing| rules::each(housing, "works", |work| rules::all_in_order(work, &steps)))
}

fn covered(balance: &Fields) -> Option<String> {
    in_housing(balance, |housing| {
        rules::each(housing, "works", |work| {
            at_most(work, "covered", "cost").or_else(|| at_most(work, "paid", "covered"))
        })
    })
    .or_else(|| {
        rules::each(balance, "equipment", |year| {
            rules::each(year, "purchases", |purchase| at_most(purchase, "covered", "cost"))
        })
    })
}

fn at_most(fields: &Fields, smaller: &str, greater: &str) -> Option<String> {
    (fields.integer(smaller)? > fields.integer(greater)?).then(|| smaller.to_owned())
}

/// The limit for the home is that of the day of reckoning, that for equipment of the first day of its year.
fn limit_of_its_day(balance: &Fields) -> Option<String> {
    let is_other = |fields: &Fields, what, day| {
        fields.integer("limit").filter(|yen| !yen_limit::fits(*yen, what, day)).map(|_yen| "limit".to_owned())
    };
    let day = balance.date("calculated_on")?;
    in_housing(balance, |housing| is_other(housing, Spending::Housing, day)).or_else(|| {
        rules::each(balance, "equipment", |year| {
            let first = u16::try_from(year.integer("fiscal_year")?).ok().and_then(|year| Day::new(year, 4, 1))?;
            is_other(year, Spending::Equipment, first)
        })
    })
}

/// A need that rose by three steps since the first work in the home makes the limit begin anew, once (3段階リセット). DOMAIN §3.2.
fn renewal_by_need(balance: &Fields) -> Option<String> {
    in_housing(balance, |housing| {
        let works = housing.list("works");
        let mut numbered = works.iter().enumerate();
        numbered.find_map(|(at, work)| {
            if work.text("renewal") != Some(BY_NEED) {
                return None;
            }
            let moved = works.iter().take(at).rposition(|before| before.text("renewal") == Some(BY_MOVE)).unwrap_or(0);
            let mut earlier = works.get(moved..at)?.iter();
            if earlier.any(|before| before.text("renewal") == Some(BY_NEED)) {
                return Some(format!("works[{at}].renewal"));
            }
            let step = |work: &Fields| work.text("care_level").and_then(CareLevel::parse)?.housing_step();
            let (Some(first), Some(now)) = (works.get(moved).and_then(step), step(work)) else {
                let missing = if step(work).is_none() { at } else { moved };
                return Some(format!("works[{missing}].care_level"));
            };
            (now < first.saturating_add(RENEWAL_STEPS)).then(|| format!("works[{at}].care_level"))
        })
    })
}

fn housing_balance(balance: &Fields) -> Option<String> {
    in_housing(balance, |housing| {
        let works = housing.list("works");
        // The works stand in the order of time; the last that renewed the limit is the first to count.
        let renewed = works.iter().rposition(|work| work.text("renewal").is_some_and(|code| code != "0"));
        let counted = works.get(renewed.unwrap_or(0)..).unwrap_or_default();
        is_rest(housing, counted)
    })
}

fn year_once(balance: &Fields) -> Option<String> {
    rules::unique(balance, "equipment", "fiscal_year")
}

fn purchase_in_year(balance: &Fields) -> Option<String> {
    rules::each(balance, "equipment", |year| {
        let fiscal_year = year.integer("fiscal_year")?;
        rules::each(year, "purchases", |purchase| {
            let day = purchase.date("purchased_on")?;
            let bought_in = i64::from(day.year()) - i64::from(day.month() < 4);
            (bought_in != fiscal_year).then(|| "purchased_on".to_owned())
        })
    })
}

fn equipment_balance(balance: &Fields) -> Option<String> {
    rules::each(balance, "equipment", |year| is_rest(year, year.list("purchases")))
}

/// `remaining` is broken if it is not `limit` less the sum of what `items` cover.
fn is_rest(fields: &Fields, items: &[Fields]) -> Option<String> {
    let rest = fields.integer("limit")?.saturating_sub(rules::sum(items, "covered"));
    (fields.integer("remaining")? != rest).then(|| "remaining".to_owned())
}

fn again_explained(balance: &Fields) -> Option<String> {
    rules::each(balance, "equipment", |year| {
        let purchases = year.list("purchases");
        let mut numbered = purchases.iter().enumerate();
        numbered.find_map(|(at, purchase)| {
            let item = purchase.text("item")?;
            let again = purchases.iter().take(at).any(|before| before.text("item") == Some(item));
            let unexplained = again && purchase.value("reason_again").is_none();
            unexplained.then(|| format!("purchases[{at}].reason_again"))
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::record::Record;

    /// Works as [day, covered, level, renewal], and what is left.
    fn told(works: &[(&str, i64, &str, &str)], remaining: i64) -> Result<(), (String, &'static str)> {
        let work = |(day, covered, level, renewal): &(&str, i64, &str, &str)| {
            json!({
                "applied_on": day, "kinds": ["1"], "cost": covered, "covered": covered, "care_level": level,
                "renewal": renewal,
            })
        };
        let works: Vec<Value> = works.iter().map(work).collect();
        let housing = json!({ "limit": 200_000, "works": works, "remaining": remaining });
        let balance = json!({ "calculated_on": "2026-06-01", "housing": housing });
        let read = Record::from_json(RecordKind::EquipmentBalance, &balance.to_string());
        read.map(|_record| ()).map_err(|fault| (fault.path, fault.rule))
    }

    #[test]
    fn the_worked_example_of_the_home_begins_anew_once() {
        let first = ("2021-03-01", 180_000, "21", "0");
        assert_eq!(told(&[first], 20_000), Ok(()));
        assert_eq!(told(&[first, ("2026-05-01", 200_000, "24", "2")], 0), Ok(()));
        let again = [first, ("2026-05-01", 50_000, "24", "2"), ("2026-05-20", 50_000, "25", "2")];
        assert_eq!(told(&again, 150_000), Err(("housing.works[2].renewal".to_owned(), "renewal_by_need")));
    }

    #[test]
    fn two_steps_are_too_few_and_a_move_begins_to_count_anew() {
        let level = |at: usize| Err((format!("housing.works[{at}].care_level"), "renewal_by_need"));
        let first = ("2021-03-01", 180_000, "21", "0");
        assert_eq!(told(&[first, ("2026-05-01", 50_000, "23", "2")], 150_000), level(1));
        let moved = ("2023-04-01", 60_000, "23", "1");
        assert_eq!(told(&[first, moved], 140_000), Ok(()));
        assert_eq!(told(&[first, moved, ("2026-05-01", 50_000, "24", "2")], 150_000), level(2));
        // 要支援2 and 要介護1 are one step.
        assert_eq!(told(&[("2021-03-01", 1, "13", "0"), ("2026-05-01", 50_000, "24", "2")], 150_000), Ok(()));
        assert_eq!(told(&[("2021-03-01", 1, "01", "0"), ("2026-05-01", 50_000, "24", "2")], 150_000), level(0));
    }
}
