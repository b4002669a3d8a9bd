//! One vaccination (予防接種): DOMAIN §5.2, with the dates that the Japanese profile of `Immunization` adds.
//!
//! A mistake is a record too: a vaccine past its day, or given before its time, is not refused here.

use crate::code::field_group::FieldGroup::{Card, Content, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{LINES, NAME, NUMBER, YEN};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{Code, Date, Flag, Group, HospitalCode, Integer};
use crate::record::form::{CodeDay, Field, Form, Rule, optional, required};
use crate::record::neighbour::only_with;
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::Vaccination,
    fields: FIELDS,
    days: DAYS,
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/vaccination/good.json"),
};

/// By what right it is given (予防接種種別). The codes are ours (M).
static PROGRAMME: CodeSet = CodeSet { name: "programme", values: &[("1", "A類"), ("2", "B類"), ("3", "任意")] };

/// Against what: the vaccinations of the routine schedule (定期接種, M). Those that are no longer, or not yet, in the schedule
/// are 99; the codes are ours.
static AGAINST: CodeSet = CodeSet {
    name: "vaccination",
    values: &[
        ("01", "B型肝炎"),
        ("02", "ロタウイルス"),
        ("03", "小児の肺炎球菌"),
        ("04", "五種混合"),
        ("05", "BCG"),
        ("06", "MR(麻しん・風しん)"),
        ("07", "水痘"),
        ("08", "日本脳炎"),
        ("09", "DT(二種混合)"),
        ("10", "HPV"),
        ("51", "インフルエンザ"),
        ("52", "高齢者の肺炎球菌"),
        ("53", "新型コロナ"),
        ("54", "帯状疱疹"),
        ("99", "その他"),
    ],
};

/// Whether it came to the vaccination (接種区分). The codes are ours (M).
static OUTCOME: CodeSet =
    CodeSet { name: "vaccination_outcome", values: &[("1", "実施"), ("2", "不能(予診のみ)")] };

/// How it was given (接種経路). The codes are ours (M).
static ROUTE: CodeSet = CodeSet {
    name: "vaccination_route",
    values: &[("1", "皮下"), ("2", "筋肉内"), ("3", "経皮"), ("4", "経口")],
};

static FIELDS: &[Field] = &[
    required("vaccinated_on", "接種日(予診日)", Date, Card),
    required("outcome", "接種区分", Code(&OUTCOME), Card),
    required("programme", "予防接種種別", Code(&PROGRAMME), Card),
    required("against", "予防接種の種類", Code(&AGAINST), Content),
    optional("vaccine", "ワクチン", Group(VACCINE), Content),
    optional("period", "期", Integer { min: 1, max: 9 }, Content),
    optional("dose", "回数(何回目)", Integer { min: 1, max: 99 }, Content),
    optional("volume_hundredths", "接種量(mLの百分の一)", Integer { min: 1, max: 1_000 }, Content),
    optional("site", "接種部位", LINES, Content),
    optional("route", "接種経路", Code(&ROUTE), Content),
    optional("hospital_code", "医療機関コード", HospitalCode, Place),
    required("hospital_name", "医療機関名", NAME, Place),
    optional("doctor_name", "医師名", NAME, Place),
    optional("by_request", "依頼・広域(他の市町村)での接種", Flag, Place),
    optional("own_share", "自己負担額", YEN, Content),
    optional("adverse_reaction_reported", "副反応疑い報告", Flag, Content),
    optional("next_due_on", "次回の接種予定日", Date, Content),
    optional("certified_on", "接種証明日", Date, Content),
    required("registered_on", "登録日", Date, Card),
];

static VACCINE: &[Field] = &[
    required("name", "ワクチン名", NAME, Content),
    optional("code", "ワクチンコード", NUMBER, Content),
    optional("maker", "メーカー", NAME, Content),
    optional("lot_number", "ロット番号", NUMBER, Content),
    optional("manufactured_on", "製造日", Date, Content),
    optional("expires_on", "有効期限", Date, Content),
];

static DAYS: &[CodeDay] = &[CodeDay { of: "", day: Some("vaccinated_on") }];

static RULES: &[Rule] = &[
    Rule { name: "vaccine_told", expected: "the vaccine, if it was given", broken_at: vaccine_told },
    Rule { name: "nothing_given", expected: "no value, if nothing was given", broken_at: nothing_given },
    Rule {
        name: "programme_of_vaccination",
        expected: "the programme of the vaccination, or one by choice",
        broken_at: programme_of_vaccination,
    },
    Rule { name: "vaccine_in_order", expected: "a day not before it was made", broken_at: vaccine_in_order },
    Rule { name: "days_in_order", expected: "a day not before the vaccination", broken_at: days_in_order },
];

fn is_given(record: &Fields) -> bool {
    record.text("outcome") == Some("1")
}

fn vaccine_told(record: &Fields) -> Option<String> {
    let missing = ["vaccine", "dose"].into_iter().find(|name| record.value(name).is_none());
    missing.filter(|_name| is_given(record)).map(str::to_owned)
}

fn nothing_given(record: &Fields) -> Option<String> {
    let given = ["dose", "volume_hundredths", "site", "route", "adverse_reaction_reported", "certified_on"];
    only_with(record, is_given(record), &given)
}

/// The first ten are A, the next four B; whoever is outside the ages of the schedule is vaccinated by choice.
fn programme_of_vaccination(record: &Fields) -> Option<String> {
    let (against, programme) = (record.text("against")?, record.text("programme")?);
    let own = match against {
        "99" => return None,
        "51" | "52" | "53" | "54" => "2",
        _ => "1",
    };
    (programme != own && programme != "3").then(|| "programme".to_owned())
}

fn vaccine_in_order(record: &Fields) -> Option<String> {
    rules::in_order(record.group("vaccine")?, "manufactured_on", "expires_on").map(|name| format!("vaccine.{name}"))
}

fn days_in_order(record: &Fields) -> Option<String> {
    let later = ["next_due_on", "certified_on", "registered_on"];
    later.into_iter().find_map(|name| rules::in_order(record, "vaccinated_on", name))
}
