//! A screening by the municipality (自治体検診): cancers, hepatitis, bones, gums. DOMAIN §5.4, after the draft of its exchange
//! format in FHIR.
//!
//! Results and answers stand under the codes of items (JLAC10 style, 17 characters) of that format. Which values an item may
//! have is not in our source, so values are taken as they are; only an item of another screening is refused.

use crate::code::field_group::FieldGroup::{Card, Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{NAME, NUMBER};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{Code, Date, HospitalCode, List, Text};
use crate::record::form::{Field, Form, Rule, optional, required};
use crate::record::neighbour::{ATTACHMENT, badly_named};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::HealthScreening,
    fields: FIELDS,
    days: &[],
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/health-screening/good.json"),
};

/// What was screened for (報告区分).
static REPORT: CodeSet = CodeSet {
    name: "screening",
    values: &[
        ("51", "肺がん"),
        ("52", "乳がん"),
        ("53", "胃がん"),
        ("54", "子宮頸がん"),
        ("55", "大腸がん"),
        ("56", "肝炎"),
        ("57", "骨粗鬆症"),
        ("58", "歯周疾患"),
    ],
};

/// Which step it was (検診区分).
static STEP: CodeSet =
    CodeSet { name: "screening_step", values: &[("1", "一次"), ("2", "精密"), ("3", "一次・精密")] };

/// Alone or with many (受診方法).
static MANNER: CodeSet = CodeSet { name: "screening_manner", values: &[("1", "個別"), ("2", "集団")] };

/// The numbers after `9P` that items of one screening begin with, both ends included, as far as our source names them.
const ITEMS: [(&str, u16, u16); 8] = [
    ("51", 500, 509),
    ("52", 520, 525),
    ("53", 540, 549),
    ("54", 560, 565),
    ("55", 580, 585),
    ("56", 615, 616),
    ("57", 637, 638),
    ("58", 663, 691),
];

static FIELDS: &[Field] = &[
    required("screened_on", "受診日", Date, Card),
    required("report", "報告区分", Code(&REPORT), Card),
    required("step", "検診区分", Code(&STEP), Card),
    optional("manner", "受診方法", Code(&MANNER), Card),
    optional("hospital_code", "医療機関コード", HospitalCode, Place),
    required("hospital_name", "実施機関名", NAME, Place),
    required("results", "検査結果(01910)", List { of: ITEM, items_max: 100 }, Content),
    optional("answers", "問診(01920)", List { of: ITEM, items_max: 100 }, Content),
    optional("attachments", "添付(01995)", List { of: ATTACHMENT, items_max: 20 }, Content),
];

static ITEM: &[Field] = &[
    required("item", "項目コード", NUMBER, Content),
    optional("item_name", "項目名", NAME, Content),
    optional("coded", "コード値", NUMBER, Content),
    optional("measured", "測定値", NUMBER, Content),
    optional("unit", "単位", NUMBER, Content),
    optional("text", "文字列", Text { characters_max: 100 }, Narrative),
];

static RULES: &[Rule] = &[
    Rule { name: "some_result", expected: "at least one result", broken_at: some_result },
    Rule { name: "item_of_screening", expected: "an item of this screening", broken_at: item_of_screening },
    Rule { name: "item_answered", expected: "a code, a measured value or a text", broken_at: item_answered },
    Rule { name: "attached_once", expected: "each file once", broken_at: attached_once },
    Rule { name: "plain_name", expected: "a name without folders", broken_at: badly_named },
];

fn some_result(record: &Fields) -> Option<String> {
    record.list("results").is_empty().then(|| "results".to_owned())
}

fn item_of_screening(record: &Fields) -> Option<String> {
    let report = record.text("report")?;
    let is_foreign = |item: &Fields| item.text("item").and_then(screening_of).is_some_and(|of| of != report);
    in_lists(record, |item| is_foreign(item).then(|| "item".to_owned()))
}

/// The screening whose item this is; none where our source does not say.
fn screening_of(item: &str) -> Option<&'static str> {
    let number: u16 = item.strip_prefix("9P")?.get(..3)?.parse().ok()?;
    ITEMS.iter().find(|(_of, first, last)| (*first..=*last).contains(&number)).map(|(of, ..)| *of)
}

fn item_answered(record: &Fields) -> Option<String> {
    let is_bare = |item: &Fields| ["coded", "measured", "text"].iter().all(|name| item.value(name).is_none());
    in_lists(record, |item| is_bare(item).then(|| "coded".to_owned()))
}

fn attached_once(record: &Fields) -> Option<String> {
    rules::unique(record, "attachments", "digest")
}

fn in_lists(record: &Fields, rule: impl Fn(&Fields) -> Option<String>) -> Option<String> {
    ["results", "answers"].into_iter().find_map(|list| rules::each(record, list, &rule))
}
