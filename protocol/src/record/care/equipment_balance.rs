//! What is left to the person for changes to the home (住宅改修) and for buying equipment (特定福祉用具
//! 購入), with the works and purchases that used the rest.

use crate::code::field_group::FieldGroup::{Card, Contact, Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{ADDRESS, LINES, NAME, NUMBER, YEN};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{Code, Codes, Date, Group, Integer, List, OfficeNumber};
use crate::record::form::{Field, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::EquipmentBalance,
    fields: FIELDS,
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

static RULES: &[Rule] = &[
    Rule { name: "works_in_order", expected: "a day not before the step before", broken_at: works_in_order },
    Rule {
        name: "covered_within_cost",
        expected: "at most the cost, and paid at most what is covered",
        broken_at: covered,
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
