//! One check-up of a small child (乳幼児健診): at 3 to 4 months, 18 months, three years, and those of the municipality's own.
//! DOMAIN §5.3; the options of the items are M.
//!
//! A person of this network is one insured for long-term care, and no child is. Until the network knows persons by another
//! number the record stands in the file of the parent to whom the handbook (母子健康手帳) was given, and says which child it
//! is of by the day of birth, the sex and the place among the siblings.

use crate::code::field_group::FieldGroup::{Card, Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::date::Date as Day;
use crate::record::care::{LINES, NAME, NARRATIVE, sets};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{Code, Date, Flag, Group, HospitalCode, Integer, List, Tenths};
use crate::record::form::{Field, FieldType, Form, Rule, optional, required};
use crate::record::neighbour::{FOUND, STRIP};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::InfantCheckup,
    fields: FIELDS,
    days: &[],
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/infant-checkup/good.json"),
};

/// Which check-up (健診の種類). The codes are ours (M).
static CHECKUP: CodeSet = CodeSet {
    name: "infant_checkup",
    values: &[("1", "3〜4か月児"), ("2", "1歳6か月児"), ("3", "3歳児"), ("9", "その他")],
};

/// Where something was looked for (所見の部位). The codes are ours (M).
static SYSTEM: CodeSet = CodeSet {
    name: "body_system",
    values: &[
        ("01", "皮膚"),
        ("02", "呼吸器"),
        ("03", "循環器"),
        ("04", "消化器"),
        ("05", "泌尿生殖器"),
        ("06", "神経・運動"),
        ("07", "目"),
        ("08", "耳"),
        ("09", "歯科"),
        ("99", "その他"),
    ],
};

/// What it came to (判定). The codes are ours (M).
static JUDGEMENT: CodeSet = CodeSet {
    name: "infant_judgement",
    values: &[("1", "異常なし"), ("2", "既医療"), ("3", "要経過観察"), ("4", "要紹介(精密)"), ("5", "要紹介(治療)")],
};

/// Centimetres.
const CENTIMETRES: FieldType = Tenths { min: 0, max: 1_500 };

static FIELDS: &[Field] = &[
    required("checked_on", "受診日", Date, Card),
    optional("fiscal_year", "受診年度", Integer { min: 1_960, max: 2_200 }, Card),
    required("checkup", "健診の種類", Code(&CHECKUP), Card),
    required("child", "児", Group(CHILD), Card),
    required("months", "月齢", Integer { min: 0, max: 95 }, Content),
    optional("height", "身長 (cm)", CENTIMETRES, Content),
    optional("weight_grams", "体重 (g)", Integer { min: 100, max: 60_000 }, Content),
    optional("chest", "胸囲 (cm)", CENTIMETRES, Content),
    optional("head", "頭囲 (cm)", CENTIMETRES, Content),
    optional("urine", "尿検査", Group(URINE), Content),
    optional("findings", "所見", List { of: FINDING, items_max: 20 }, Content),
    optional("history", "既往症", NARRATIVE, Narrative),
    optional("development", "発達", List { of: STEP, items_max: 50 }, Content),
    required("judgement", "判定", Code(&JUDGEMENT), Content),
    // The parent is not shown this: whoever judges must not think of who reads it.
    optional("family_needs_support", "子育て支援の必要性", Flag, Narrative),
    optional("hospital_code", "医療機関コード", HospitalCode, Place),
    optional("place", "実施機関", NAME, Place),
];

static CHILD: &[Field] = &[
    required("birth_date", "生年月日", Date, Card),
    required("sex", "性別", Code(&sets::SEX), Card),
    optional("birth_order", "出生順位", Integer { min: 1, max: 20 }, Card),
];

static URINE: &[Field] = &[
    optional("protein", "蛋白", Code(&STRIP), Content),
    optional("sugar", "糖", Code(&STRIP), Content),
    optional("blood", "潜血", Code(&STRIP), Content),
];

static FINDING: &[Field] = &[
    required("system", "部位", Code(&SYSTEM), Content),
    required("found", "所見の有無", Code(&FOUND), Content),
    optional("text", "所見", LINES, Narrative),
];

static STEP: &[Field] = &[required("item", "発達項目", LINES, Content), required("reached", "できる", Flag, Content)];

static RULES: &[Rule] = &[
    Rule { name: "months_of_birth", expected: "the whole months since the birth", broken_at: months_of_birth },
    Rule { name: "year_of_day", expected: "the fiscal year of the day", broken_at: year_of_day },
    Rule { name: "system_once", expected: "each part of the body once", broken_at: system_once },
    Rule { name: "finding_told", expected: "a text if something was found, and none if not", broken_at: finding_told },
];

fn months_of_birth(record: &Fields) -> Option<String> {
    let (born, on) = (record.group("child")?.date("birth_date")?, record.date("checked_on")?);
    let months = u32::try_from(record.integer("months")?).ok()?;
    let (reached, next) = (born.plus_months(months)?, born.plus_months(months.saturating_add(1))?);
    (on < reached || on >= next).then(|| "months".to_owned())
}

fn year_of_day(record: &Fields) -> Option<String> {
    let year = |day: Day| i64::from(day.year()).saturating_sub(i64::from(day.month() < 4));
    (record.integer("fiscal_year")? != year(record.date("checked_on")?)).then(|| "fiscal_year".to_owned())
}

fn system_once(record: &Fields) -> Option<String> {
    rules::unique(record, "findings", "system")
}

fn finding_told(record: &Fields) -> Option<String> {
    rules::each(record, "findings", |finding| {
        let is_found = finding.text("found") == Some("1");
        (is_found != finding.value("text").is_some()).then(|| "text".to_owned())
    })
}
