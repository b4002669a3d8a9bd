//! The opinion of the attending doctor (主治医意見書), in the sections of the paper.

use crate::code::field_group::FieldGroup::{Content, Narrative, Place};
use crate::code::record_kind::RecordKind;
use crate::record::care::sets::{self, PRESENCE};
use crate::record::care::{ADDRESS, LINES, NAME, NARRATIVE, PHONE};
use crate::record::code_set::CodeSet;
use crate::record::form::FieldType::{Code, Codes, Date, Flag, Group, HospitalCode, List, Tenths};
use crate::record::form::{Field, Form, Rule, optional, required};
use crate::record::rules;
use crate::record::value::Fields;

/// The form.
pub static FORM: Form = Form {
    kind: RecordKind::DoctorsOpinion,
    fields: FIELDS,
    days: &[],
    rules: RULES,
    example: include_str!("../../../tests/vectors/records/doctors-opinion/good.json"),
};

static TIMES: CodeSet = CodeSet { name: "times_written", values: &[("1", "初回"), ("2", "2回目以上")] };

static DEPARTMENT: CodeSet = CodeSet {
    name: "department",
    values: &[
        ("01", "内科"),
        ("02", "精神科"),
        ("03", "外科"),
        ("04", "整形外科"),
        ("05", "脳神経外科"),
        ("06", "皮膚科"),
        ("07", "泌尿器科"),
        ("08", "婦人科"),
        ("09", "眼科"),
        ("10", "耳鼻咽喉科"),
        ("11", "リハビリテーション科"),
        ("12", "歯科"),
        ("99", "その他"),
    ],
};

static SYMPTOM_STABILITY: CodeSet =
    CodeSet { name: "symptom_stability", values: &[("1", "安定"), ("2", "不安定"), ("3", "不明")] };

static TREATMENT: CodeSet = CodeSet {
    name: "special_treatment",
    values: &[
        ("01", "点滴の管理"),
        ("02", "中心静脈栄養"),
        ("03", "透析"),
        ("04", "ストーマの処置"),
        ("05", "酸素療法"),
        ("06", "レスピレーター"),
        ("07", "気管切開の処置"),
        ("08", "疼痛の看護"),
        ("09", "経管栄養"),
        ("10", "モニター測定"),
        ("11", "褥瘡の処置"),
        ("12", "カテーテル"),
    ],
};

static BEHAVIOUR: CodeSet = CodeSet {
    name: "behavioural_symptom",
    values: &[
        ("01", "幻視・幻聴"),
        ("02", "妄想"),
        ("03", "昼夜逆転"),
        ("04", "暴言"),
        ("05", "暴行"),
        ("06", "介護への抵抗"),
        ("07", "徘徊"),
        ("08", "火の不始末"),
        ("09", "不潔行為"),
        ("10", "異食行動"),
        ("11", "性的問題行動"),
        ("99", "その他"),
    ],
};

static HAND: CodeSet = CodeSet { name: "dominant_hand", values: &[("1", "右"), ("2", "左")] };

static WEIGHT_CHANGE: CodeSet =
    CodeSet { name: "weight_change", values: &[("1", "増加"), ("2", "維持"), ("3", "減少")] };

static LIMB: CodeSet = CodeSet {
    name: "limb",
    values: &[("1", "右上肢"), ("2", "左上肢"), ("3", "右下肢"), ("4", "左下肢"), ("9", "その他")],
};

static DEGREE: CodeSet = CodeSet { name: "degree", values: &[("1", "軽"), ("2", "中"), ("3", "重")] };

static ATAXIA: CodeSet = CodeSet {
    name: "ataxia",
    values: &[
        ("1", "上肢 右"),
        ("2", "上肢 左"),
        ("3", "下肢 右"),
        ("4", "下肢 左"),
        ("5", "体幹 右"),
        ("6", "体幹 左"),
    ],
};

static WALKING: CodeSet = CodeSet {
    name: "walking_outdoors",
    values: &[("1", "自立"), ("2", "介助があればしている"), ("3", "していない")],
};

static WHEELCHAIR: CodeSet = CodeSet {
    name: "wheelchair",
    values: &[("1", "用いていない"), ("2", "主に自分で操作している"), ("3", "主に他人が操作している")],
};

static WALKING_AID: CodeSet = CodeSet {
    name: "walking_aid",
    values: &[("1", "用いていない"), ("2", "屋外で使用"), ("3", "屋内で使用")],
};

static NUTRITION: CodeSet = CodeSet { name: "nutrition", values: &[("1", "良好"), ("2", "不良")] };

static RISK: CodeSet = CodeSet {
    name: "risk",
    values: &[
        ("01", "尿失禁"),
        ("02", "転倒・骨折"),
        ("03", "移動能力の低下"),
        ("04", "褥瘡"),
        ("05", "心肺機能の低下"),
        ("06", "閉じこもり"),
        ("07", "意欲低下"),
        ("08", "徘徊"),
        ("09", "低栄養"),
        ("10", "摂食・嚥下機能低下"),
        ("11", "脱水"),
        ("12", "易感染性"),
        ("13", "がん等による疼痛"),
        ("99", "その他"),
    ],
};

static OUTLOOK: CodeSet =
    CodeSet { name: "outlook", values: &[("1", "期待できる"), ("2", "期待できない"), ("3", "不明")] };

static MANAGEMENT: CodeSet = CodeSet {
    name: "medical_management",
    values: &[
        ("01", "訪問診療"),
        ("02", "訪問看護"),
        ("03", "看護職員の訪問による相談・支援"),
        ("04", "訪問歯科診療"),
        ("05", "訪問薬剤管理指導"),
        ("06", "訪問リハビリテーション"),
        ("07", "短期入所療養介護"),
        ("08", "訪問歯科衛生指導"),
        ("09", "訪問栄養食事指導"),
        ("10", "通所リハビリテーション"),
        ("99", "その他の医療系サービス"),
    ],
};

static CAUTION: CodeSet = CodeSet {
    name: "caution",
    values: &[("1", "血圧"), ("2", "移動"), ("3", "摂食"), ("4", "運動"), ("5", "嚥下"), ("9", "その他")],
};

static INFECTION: CodeSet = CodeSet { name: "infection", values: &[("1", "無"), ("2", "有"), ("3", "不明")] };

static FIELDS: &[Field] = &[
    required("written_on", "記入日", Date, Content),
    required("doctor_agrees", "介護サービス計画への利用の同意", Flag, Content),
    required("doctor_name", "医師氏名", NAME, Place),
    optional("hospital_code", "医療機関コード", HospitalCode, Place),
    required("hospital_name", "医療機関名", NAME, Place),
    optional("hospital_address", "医療機関所在地", ADDRESS, Place),
    optional("hospital_phone", "電話", PHONE, Place),
    optional("hospital_fax", "FAX", PHONE, Place),
    required("last_seen_on", "最終診察日", Date, Content),
    required("times_written", "意見書作成回数", Code(&TIMES), Content),
    optional("other_departments", "他科受診", Codes(&DEPARTMENT), Content),
    // 1 傷病に関する意見
    required("diagnoses", "診断名", List { of: DIAGNOSIS, items_max: 3 }, Content),
    required("symptom_stability", "症状としての安定性", Code(&SYMPTOM_STABILITY), Content),
    optional("unstable_how", "不安定な場合の具体的状況", NARRATIVE, Narrative),
    optional("course", "経過及び治療内容", NARRATIVE, Narrative),
    // 2 特別な医療
    optional("treatments", "特別な医療", Codes(&TREATMENT), Content),
    // 3 心身の状態に関する意見
    required("physical_independence", "障害高齢者の日常生活自立度", Code(&sets::PHYSICAL_INDEPENDENCE), Content),
    required("dementia_independence", "認知症高齢者の日常生活自立度", Code(&sets::DEMENTIA_INDEPENDENCE), Content),
    required("short_term_memory", "短期記憶", Code(&sets::SHORT_TERM_MEMORY), Content),
    required("decision_ability", "日常の意思決定を行うための認知能力", Code(&sets::DECISION_ABILITY), Content),
    required("expression_ability", "自分の意思の伝達能力", Code(&sets::EXPRESSION_ABILITY), Content),
    optional("behavioural_symptoms", "認知症の行動・心理症状", Codes(&BEHAVIOUR), Content),
    optional("other_symptoms", "その他の精神・神経症状", LINES, Narrative),
    optional("specialist_seen", "専門医受診", Code(&PRESENCE), Content),
    optional("body", "身体の状態", Group(BODY), Content),
    // 4 生活機能とサービスに関する意見
    required("walking_outdoors", "屋外歩行", Code(&WALKING), Content),
    required("wheelchair", "車いすの使用", Code(&WHEELCHAIR), Content),
    optional("walking_aids", "歩行補助具・装具の使用", Codes(&WALKING_AID), Content),
    required("eating", "食事行為", Code(&sets::EATING), Content),
    required("nutrition", "現在の栄養状態", Code(&NUTRITION), Content),
    optional("risks", "今後発生の可能性の高い状態", Codes(&RISK), Content),
    optional("risk_measures", "対処方針", NARRATIVE, Narrative),
    required("outlook", "生活機能の維持・改善の見通し", Code(&OUTLOOK), Content),
    optional("management", "医学的管理の必要性", List { of: MANAGEMENT_NEED, items_max: 11 }, Content),
    optional("cautions", "留意事項", List { of: CAUTION_NOTE, items_max: 6 }, Narrative),
    required("infection", "感染症の有無", Code(&INFECTION), Content),
    optional("infection_name", "感染症の名称", LINES, Content),
    // 5 特記すべき事項
    optional("remarks", "特記すべき事項", NARRATIVE, Narrative),
];

static DIAGNOSIS: &[Field] =
    &[required("name", "診断名", LINES, Content), optional("began_on", "発症年月日", Date, Content)];

static BODY: &[Field] = &[
    optional("dominant_hand", "利き腕", Code(&HAND), Content),
    optional("height", "身長 (cm)", Tenths { min: 300, max: 2_500 }, Content),
    optional("weight", "体重 (kg)", Tenths { min: 50, max: 3_000 }, Content),
    optional("weight_change", "過去6か月の体重の変化", Code(&WEIGHT_CHANGE), Content),
    optional("limb_loss", "四肢欠損", LINES, Content),
    optional("paralysis", "麻痺", List { of: PARALYSIS, items_max: 5 }, Content),
    optional("weakness", "筋力の低下", List { of: BODY_PART, items_max: 10 }, Content),
    optional("contracture", "関節の拘縮", List { of: BODY_PART, items_max: 10 }, Content),
    optional("pain", "関節の痛み", List { of: BODY_PART, items_max: 10 }, Content),
    optional("ataxia", "失調・不随意運動", Codes(&ATAXIA), Content),
    optional("pressure_ulcers", "褥瘡", List { of: BODY_PART, items_max: 10 }, Content),
    optional("skin_diseases", "その他の皮膚疾患", List { of: BODY_PART, items_max: 10 }, Content),
];

static PARALYSIS: &[Field] =
    &[required("limb", "部位", Code(&LIMB), Content), required("degree", "程度", Code(&DEGREE), Content)];

static BODY_PART: &[Field] =
    &[required("part", "部位", LINES, Content), required("degree", "程度", Code(&DEGREE), Content)];

static MANAGEMENT_NEED: &[Field] =
    &[required("service", "医学的管理", Code(&MANAGEMENT), Content), required("especially", "特に必要", Flag, Content)];

static CAUTION_NOTE: &[Field] =
    &[required("topic", "項目", Code(&CAUTION), Narrative), required("text", "留意事項", LINES, Narrative)];

static RULES: &[Rule] = &[
    Rule { name: "seen_before_written", expected: "a day not before the last examination", broken_at: seen },
    Rule { name: "some_diagnosis", expected: "at least one diagnosis", broken_at: some_diagnosis },
    Rule { name: "began_before_written", expected: "a day not after the writing", broken_at: began },
    Rule { name: "unstable_explained", expected: "what makes the symptoms unstable", broken_at: unstable },
    Rule { name: "limb_once", expected: "each limb once", broken_at: limb_once },
    Rule { name: "management_once", expected: "each kind of management once", broken_at: management_once },
    Rule { name: "infection_named", expected: "a name if and only if there is an infection", broken_at: infection },
];

fn seen(opinion: &Fields) -> Option<String> {
    rules::in_order(opinion, "last_seen_on", "written_on")
}

fn some_diagnosis(opinion: &Fields) -> Option<String> {
    opinion.list("diagnoses").is_empty().then(|| "diagnoses".to_owned())
}

fn began(opinion: &Fields) -> Option<String> {
    let written = opinion.date("written_on")?;
    rules::each(opinion, "diagnoses", |item| (item.date("began_on")? > written).then(|| "began_on".to_owned()))
}

fn unstable(opinion: &Fields) -> Option<String> {
    let unstable = opinion.text("symptom_stability")? == "2";
    (unstable && opinion.value("unstable_how").is_none()).then(|| "unstable_how".to_owned())
}

fn limb_once(opinion: &Fields) -> Option<String> {
    rules::unique(opinion.group("body")?, "paralysis", "limb").map(|path| format!("body.{path}"))
}

fn management_once(opinion: &Fields) -> Option<String> {
    rules::unique(opinion, "management", "service")
}

fn infection(opinion: &Fields) -> Option<String> {
    let there = opinion.text("infection")? == "2";
    (there != opinion.value("infection_name").is_some()).then(|| "infection_name".to_owned())
}
