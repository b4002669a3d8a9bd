//! What an insurer keeps of a person as a recipient of benefits (受給者台帳), by the groups in which a change is told to the
//! federation of health insurers (受給者異動連絡票).

use crate::code::care_level::CareLevel as Level;
use crate::code::field_group::FieldGroup::{Card, Content, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::{NAME, NUMBER, UNITS, YEN, sets};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{
    CareLevel, Code, Date, Flag, Group, InsuredNumber, InsurerNumber, Integer, List, Month, OfficeNumber,
};
use crate::record::form::{CodeDay, Field, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::RecipientEntry,
    fields: FIELDS,
    days: DAYS,
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/recipient-entry/good.json"),
};

/// What a change does to the entry (異動区分).
static CHANGE: CodeSet = CodeSet { name: "entry_change", values: &[("1", "新規"), ("2", "変更"), ("3", "終了")] };

/// What restricts the benefits (給付制限).
static RESTRICTION: CodeSet = CodeSet {
    name: "restriction",
    values: &[("1", "償還払化"), ("2", "給付率引下げ"), ("3", "支払一時差止")],
};

static FIELDS: &[Field] = &[
    required("changed_on", "異動年月日", Date, Card),
    required("change", "異動区分", Code(&CHANGE), Card),
    required("insurer_number", "証記載保険者番号", InsurerNumber, Card),
    optional("union_number", "広域連合(政令市)保険者番号", InsurerNumber, Card),
    required("insured_number", "被保険者番号", InsuredNumber, Card),
    required("name_kana", "氏名カナ", NAME, Card),
    required("birth_date", "生年月日", Date, Card),
    required("sex", "性別", Code(&sets::SEX), Card),
    required("qualified_on", "資格取得日", Date, Card),
    optional("disqualified_on", "資格喪失日", Date, Card),
    optional("certification", "認定", Group(CERTIFICATION), Content),
    optional("limit", "支給限度", Group(LIMIT), Content),
    optional("plan", "計画", Group(PLAN), Content),
    optional("lives_elsewhere", "住所地特例", Group(LIVES_ELSEWHERE), Place),
    optional("share", "利用者負担", Group(SHARE), Content),
    optional("facility_limits", "特定入所者", Group(FACILITY_LIMITS), Content),
    optional("other_insurance", "他保険", Group(OTHER_INSURANCE), Content),
    optional("restrictions", "給付制限", List { of: RESTRICTED, items_max: 10 }, Content),
    optional("public_payer_number", "公費負担者番号", NUMBER, Content),
];

static CERTIFICATION: &[Field] = &[
    required("applied_on", "申請年月日", Date, Content),
    required("application_by_law", "申請種別", Code(&sets::APPLICATION_BY_LAW), Content),
    required("care_level", "要介護状態区分", CareLevel, Content),
    required("from", "有効期間 開始", Date, Content),
    required("to", "有効期間 終了", Date, Content),
    optional("change_pending", "変更申請中", Flag, Content),
];

static LIMIT: &[Field] = &[
    required("units", "区分支給限度基準額(単位)", UNITS, Content),
    required("from", "適用期間 開始", Month, Content),
    required("to", "適用期間 終了", Month, Content),
];

static PLAN: &[Field] = &[
    required("planning", "計画作成区分", Code(&sets::PLANNING), Content),
    optional("planner_number", "居宅介護支援事業所番号", OfficeNumber, Place),
    required("from", "適用 開始", Date, Content),
    optional("to", "適用 終了", Date, Content),
];

static LIVES_ELSEWHERE: &[Field] = &[
    required("facility_insurer", "施設所在保険者番号", InsurerNumber, Place),
    required("from", "適用 開始", Date, Place),
    optional("to", "適用 終了", Date, Place),
];

static SHARE: &[Field] = &[
    required("tenths", "負担割合", Integer { min: 1, max: 3 }, Content),
    required("from", "適用 開始", Date, Content),
    required("to", "適用 終了", Date, Content),
    optional("welfare_reduction_percent", "社会福祉法人軽減率 (%)", Integer { min: 0, max: 100 }, Content),
];

static FACILITY_LIMITS: &[Field] = &[
    required("meals", "食費の負担限度額", YEN, Content),
    required("room", "居住費の負担限度額", YEN, Content),
    required("from", "適用 開始", Date, Content),
    required("to", "適用 終了", Date, Content),
];

static OTHER_INSURANCE: &[Field] = &[
    optional("late_elderly_insurer", "後期高齢者医療 保険者番号", NUMBER, Content),
    optional("late_elderly_number", "後期高齢者医療 被保険者番号", NUMBER, Content),
    optional("national_insurer", "国民健康保険 保険者番号", NUMBER, Content),
    optional("national_number", "国民健康保険 証番号", NUMBER, Content),
];

static RESTRICTED: &[Field] = &[
    required("kind", "内容", Code(&RESTRICTION), Content),
    required("from", "開始", Date, Content),
    optional("to", "終了", Date, Content),
];

static DAYS: &[CodeDay] = &[CodeDay { of: "certification", day: Some("from") }];

static RULES: &[Rule] = &[
    Rule { name: "qualified_in_order", expected: "an end not before the start", broken_at: qualified_in_order },
    Rule { name: "ended_with_a_day", expected: "the day it ended, and none before", broken_at: ended_with_a_day },
    Rule { name: "periods_in_order", expected: "an end not before the start", broken_at: periods_in_order },
    Rule { name: "certified_to_month_end", expected: "the last day of a month", broken_at: certified_to_month_end },
    Rule { name: "limit_in_order", expected: "an end not before the start", broken_at: limit_in_order },
    Rule { name: "planner_named", expected: "the office, unless the person plans", broken_at: planner_named },
    Rule { name: "elsewhere_is_elsewhere", expected: "another insurer's number", broken_at: elsewhere_is_elsewhere },
    Rule {
        name: "limit_of_level",
        expected: "the limit of the level, or of a heavier one, on that day",
        broken_at: limit_of_level,
    },
];

fn qualified_in_order(entry: &Fields) -> Option<String> {
    rules::in_order(entry, "qualified_on", "disqualified_on")
}

fn ended_with_a_day(entry: &Fields) -> Option<String> {
    let (is_ended, has_day) = (entry.text("change")? == "3", entry.date("disqualified_on").is_some());
    (is_ended != has_day).then(|| "disqualified_on".to_owned())
}

fn periods_in_order(entry: &Fields) -> Option<String> {
    let groups = ["certification", "plan", "lives_elsewhere", "share", "facility_limits"];
    let broken = groups.into_iter().find_map(|name| {
        let group = entry.group(name)?;
        rules::in_order(group, "from", "to").map(|field| format!("{name}.{field}"))
    });
    broken.or_else(|| rules::each(entry, "restrictions", |one| rules::in_order(one, "from", "to")))
}

fn certified_to_month_end(entry: &Fields) -> Option<String> {
    rules::month_end(entry.group("certification")?, "to").map(|name| format!("certification.{name}"))
}

fn limit_in_order(entry: &Fields) -> Option<String> {
    let limit = entry.group("limit")?;
    (limit.month("to")? < limit.month("from")?).then(|| "limit.to".to_owned())
}

fn planner_named(entry: &Fields) -> Option<String> {
    let plan = entry.group("plan")?;
    let is_unnamed = plan.text("planning") != Some("2") && plan.value("planner_number").is_none();
    is_unnamed.then(|| "plan.planner_number".to_owned())
}

fn elsewhere_is_elsewhere(entry: &Fields) -> Option<String> {
    let there = entry.group("lives_elsewhere")?.text("facility_insurer")?;
    (there == entry.text("insurer_number")?).then(|| "lives_elsewhere.facility_insurer".to_owned())
}

fn limit_of_level(entry: &Fields) -> Option<String> {
    let level = entry.group("certification")?.text("care_level").and_then(Level::parse);
    let limit = entry.group("limit")?;
    rules::limit_of_level(limit, level, "units", limit.month("from")?.first_day()).map(|name| format!("limit.{name}"))
}
