//! One check-up of a pregnant woman (妊婦健診), with the tests, the dentist's check and, once it was, the birth: DOMAIN §5.3.
//!
//! The options of most items are M: the source names the items and few of their values.

use crate::code::field_group::FieldGroup::{Card, Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{LINES, NAME, NARRATIVE, sets};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{Code, Date, Flag, Group, HospitalCode, Integer, List, Tenths, TimeOfDay};
use crate::record::form::{Field, FieldType, Form, Rule, optional, required};
use crate::record::neighbour::{FOUND, SIGN, STRIP};
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::MaternalCheckup,
    fields: FIELDS,
    days: &[],
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/maternal-checkup/good.json"),
};

/// Blood groups (ABO型).
static ABO: CodeSet = CodeSet { name: "abo", values: &[("A", "A型"), ("B", "B型"), ("O", "O型"), ("AB", "AB型")] };

/// Whole weeks of a pregnancy.
const WEEKS: FieldType = Integer { min: 0, max: 45 };
/// Days beside whole weeks.
const DAYS: FieldType = Integer { min: 0, max: 6 };
/// Kilograms.
const KILOGRAMS: FieldType = Tenths { min: 200, max: 2_500 };
/// Centimetres.
const CENTIMETRES: FieldType = Tenths { min: 0, max: 2_500 };

static FIELDS: &[Field] = &[
    required("checked_on", "受診日", Date, Card),
    // Fourteen are paid for; there may be more.
    optional("visit", "第何回", Integer { min: 1, max: 30 }, Card),
    required("weeks", "妊娠週数", WEEKS, Content),
    optional("days", "妊娠週数の端数(日)", DAYS, Content),
    optional("height", "身長 (cm)", CENTIMETRES, Content),
    optional("weight_before", "妊娠前の体重 (kg)", KILOGRAMS, Content),
    optional("weight", "今回の体重 (kg)", KILOGRAMS, Content),
    optional("fundal_height", "子宮底長 (cm)", CENTIMETRES, Content),
    optional("waist", "腹囲 (cm)", CENTIMETRES, Content),
    optional("pressure", "血圧", Group(PRESSURE), Content),
    optional("oedema", "浮腫", Code(&STRIP), Content),
    optional("urine_protein", "尿蛋白", Code(&STRIP), Content),
    optional("urine_sugar", "尿糖", Code(&STRIP), Content),
    optional("hypertension", "妊娠高血圧症候群", Code(&FOUND), Content),
    optional("diabetes", "妊娠糖尿病", Code(&FOUND), Content),
    optional("tests", "検査", Group(TESTS), Content),
    optional("teeth", "歯科健診", Group(TEETH), Content),
    optional("birth", "出産", Group(BIRTH), Content),
    optional("children", "児", List { of: CHILD, items_max: 9 }, Content),
    optional("hospital_code", "医療機関コード", HospitalCode, Place),
    optional("hospital_name", "医療機関名", NAME, Place),
];

static PRESSURE: &[Field] = &[
    required("systolic", "最高血圧 (mmHg)", Integer { min: 40, max: 300 }, Content),
    required("diastolic", "最低血圧 (mmHg)", Integer { min: 20, max: 200 }, Content),
];

static TESTS: &[Field] = &[
    optional("abo", "ABO型", Code(&ABO), Content),
    optional("rh", "Rh(D)", Code(&SIGN), Content),
    optional("irregular_antibodies", "不規則抗体", Code(&SIGN), Content),
    optional("hbs_antigen", "HBs抗原", Code(&SIGN), Content),
    optional("hcv_antibody", "HCV抗体", Code(&SIGN), Content),
    optional("rubella_antibody", "風疹抗体価", LINES, Content),
    optional("haemoglobin", "ヘモグロビン (g/dL)", Tenths { min: 0, max: 300 }, Content),
    optional("haematocrit", "ヘマトクリット (%)", Tenths { min: 0, max: 1_000 }, Content),
    optional("platelets", "血小板 (万/μL)", Tenths { min: 0, max: 2_000 }, Content),
    optional("htlv_1", "HTLV-1抗体", Code(&SIGN), Content),
    optional("cervical_cancer", "子宮頸がん検診", LINES, Content),
];

static TEETH: &[Field] = &[
    required("checked_on", "受診日", Date, Content),
    required("weeks", "妊娠週数", WEEKS, Content),
    optional("caries_to_treat", "要治療のむし歯(本)", Integer { min: 0, max: 32 }, Content),
    optional("tartar", "歯石", Code(&FOUND), Content),
    optional("gum_inflammation", "歯肉の炎症", Code(&FOUND), Content),
];

static BIRTH: &[Field] = &[
    required("born_on", "娩出日", Date, Content),
    optional("born_at", "娩出時刻", TimeOfDay, Content),
    required("weeks", "妊娠期間(週)", WEEKS, Content),
    optional("days", "妊娠期間の端数(日)", DAYS, Content),
    optional("course", "分娩の経過", NARRATIVE, Narrative),
    optional("manner", "分娩の方法", LINES, Content),
    optional("minutes", "分娩の所要時間(分)", Integer { min: 0, max: 14_400 }, Content),
    optional("blood_loss", "出血量 (mL)", Integer { min: 0, max: 20_000 }, Content),
    optional("transfused", "輸血", Flag, Content),
];

static CHILD: &[Field] = &[
    required("sex", "性別", Code(&sets::SEX), Content),
    required("weight_grams", "体重 (g)", Integer { min: 100, max: 9_999 }, Content),
    optional("height", "身長 (cm)", CENTIMETRES, Content),
];

static RULES: &[Rule] = &[
    Rule { name: "pressure_in_order", expected: "less than the systolic", broken_at: pressure_in_order },
    Rule {
        name: "birth_after_check",
        expected: "a day and a week not before the check-up",
        broken_at: birth_after_check,
    },
    Rule {
        name: "children_of_birth",
        expected: "at least one child, with the birth and not without",
        broken_at: children_of_birth,
    },
];

fn pressure_in_order(record: &Fields) -> Option<String> {
    let pressure = record.group("pressure")?;
    (pressure.integer("diastolic")? >= pressure.integer("systolic")?).then(|| "pressure.diastolic".to_owned())
}

fn birth_after_check(record: &Fields) -> Option<String> {
    let birth = record.group("birth")?;
    if birth.date("born_on")? < record.date("checked_on")? {
        return Some("birth.born_on".to_owned());
    }
    (birth.integer("weeks")? < record.integer("weeks")?).then(|| "birth.weeks".to_owned())
}

fn children_of_birth(record: &Fields) -> Option<String> {
    let is_born = record.value("birth").is_some();
    (is_born == record.list("children").is_empty()).then(|| "children".to_owned())
}
