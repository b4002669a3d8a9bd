//! The report of a doctor who found an infectious disease (感染症発生届): DOMAIN §5.5; its fields are those of the paper.
//!
//! It goes to a health centre (保健所), of a prefecture or a large city, and not to an insurer: `receiver` says to which. No
//! health centre is a member of this network yet, so the record lies with the insurer that keeps the person's file, as its
//! copy, and only that insurer's officer reads it. Nobody is sent it by asking: it is no substitute for the report itself.
//!
//! How soon it was due (at once, or within seven days) is not checked: what comes late has come.

use crate::code::field_group::FieldGroup::{Card, Contact, Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{ADDRESS, LINES, NAME, NARRATIVE, NUMBER, PHONE, sets};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{Code, Date, Group, HospitalCode, Integer, List};
use crate::record::form::{Field, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::InfectiousDiseaseReport,
    fields: FIELDS,
    days: &[],
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/infectious-disease-report/good.json"),
};

/// How the person was found (診断した者の類型). The codes are ours (M).
static FOUND_AS: CodeSet = CodeSet {
    name: "found_as",
    values: &[
        ("1", "患者(確定例)"),
        ("2", "無症状病原体保有者"),
        ("3", "疑似症患者"),
        ("4", "感染症死亡者の死体"),
        ("5", "感染症死亡疑い者の死体"),
    ],
};

/// The class of the disease (感染症の類型). The codes are ours (M).
static CLASS: CodeSet = CodeSet {
    name: "disease_class",
    values: &[
        ("1", "一類"),
        ("2", "二類"),
        ("3", "三類"),
        ("4", "四類"),
        ("5", "五類"),
        ("6", "新型インフルエンザ等"),
        ("9", "その他"),
    ],
};

static FIELDS: &[Field] = &[
    required("reported_on", "届出日", Date, Card),
    required("receiver", "届出先(保健所)", Group(RECEIVER), Place),
    required("doctor", "届出医師", Group(DOCTOR), Place),
    required("found_as", "診断(検案)した者の類型", Code(&FOUND_AS), Content),
    required("patient", "当該者", Group(PATIENT), Card),
    required("class", "感染症の類型", Code(&CLASS), Content),
    required("disease", "疾病名", NAME, Content),
    optional("disease_form", "病型", NAME, Content),
    optional("symptoms", "症状", List { of: SYMPTOM, items_max: 50 }, Content),
    optional("tests", "診断方法", List { of: TEST, items_max: 20 }, Content),
    optional("infected_on", "感染したと推定される年月日", Date, Content),
    optional("onset_on", "発病年月日", Date, Content),
    optional("first_seen_on", "初診年月日", Date, Content),
    required("diagnosed_on", "診断(検案)年月日", Date, Content),
    optional("died_on", "死亡年月日", Date, Content),
    optional("infection", "感染原因・感染経路・感染地域", Group(INFECTION), Content),
    optional("vaccinations", "ワクチン接種歴", LINES, Narrative),
];

static RECEIVER: &[Field] =
    &[required("name", "保健所名", NAME, Place), optional("code", "保健所コード", NUMBER, Place)];

static DOCTOR: &[Field] = &[
    required("name", "医師の氏名", NAME, Place),
    optional("hospital_code", "医療機関コード", HospitalCode, Place),
    required("hospital_name", "病院・診療所の名称", NAME, Place),
    optional("address", "所在地", ADDRESS, Place),
    optional("phone", "電話番号", PHONE, Place),
];

static PATIENT: &[Field] = &[
    required("name", "氏名", NAME, Card),
    required("sex", "性別", Code(&sets::SEX), Card),
    required("birth_date", "生年月日", Date, Card),
    optional("age", "診断時の年齢", Integer { min: 0, max: 150 }, Card),
    optional("occupation", "職業", NAME, Content),
    optional("address", "住所", ADDRESS, Contact),
    optional("phone", "電話番号", PHONE, Contact),
    optional("whereabouts", "所在地", ADDRESS, Contact),
    optional("guardian", "保護者の氏名", NAME, Contact),
];

static SYMPTOM: &[Field] = &[required("symptom", "症状", LINES, Content)];

static TEST: &[Field] = &[
    required("method", "検査方法", LINES, Content),
    optional("specimen", "検体", NAME, Content),
    optional("collected_on", "検体採取日", Date, Content),
    optional("result", "結果", LINES, Content),
    optional("pathogen_type", "型", NAME, Content),
];

static INFECTION: &[Field] = &[
    optional("cause", "感染原因", NARRATIVE, Narrative),
    optional("route", "感染経路", LINES, Narrative),
    optional("region", "感染地域", LINES, Place),
    optional("travel", "渡航歴", LINES, Narrative),
];

static RULES: &[Rule] = &[
    Rule { name: "days_in_order", expected: "a day not before the step before", broken_at: days_in_order },
    Rule { name: "seen_in_order", expected: "a day not before the person was first seen", broken_at: seen_in_order },
    Rule { name: "age_of_birth", expected: "the age on the day of the diagnosis", broken_at: age_of_birth },
    Rule { name: "death_told", expected: "the day of death of one found dead", broken_at: death_told },
];

fn days_in_order(report: &Fields) -> Option<String> {
    rules::all_in_order(report, &["infected_on", "onset_on", "diagnosed_on", "reported_on"])
}

fn seen_in_order(report: &Fields) -> Option<String> {
    rules::in_order(report, "first_seen_on", "diagnosed_on")
}

fn age_of_birth(report: &Fields) -> Option<String> {
    let patient = report.group("patient")?;
    let age = patient.date("birth_date")?.age_on(report.date("diagnosed_on")?);
    (age.map(i64::from) != Some(patient.integer("age")?)).then(|| "patient.age".to_owned())
}

fn death_told(report: &Fields) -> Option<String> {
    let is_dead = matches!(report.text("found_as")?, "4" | "5");
    (is_dead && report.value("died_on").is_none()).then(|| "died_on".to_owned())
}
