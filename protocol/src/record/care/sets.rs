//! Code sets that several forms of long-term care share.

use crate::record::code_set::CodeSet;

/// Sex (性別).
pub static SEX: CodeSet = CodeSet { name: "sex", values: &[("1", "男"), ("2", "女")] };

/// Application by law (申請区分・法令).
pub static APPLICATION_BY_LAW: CodeSet = CodeSet {
    name: "application_by_law",
    values: &[("1", "新規"), ("2", "更新"), ("3", "区分変更"), ("4", "職権")],
};

/// Application as it came in (申請区分・申請時).
pub static APPLICATION_AT_RECEIPT: CodeSet = CodeSet {
    name: "application_at_receipt",
    values: &[
        ("1", "新規"),
        ("2", "更新"),
        ("3", "区分変更"),
        ("4", "職権"),
        ("5", "転入"),
        ("6", "資格喪失(死亡)"),
        ("A", "新規(事前)"),
        ("B", "更新(事前)"),
    ],
};

/// Independence in daily life of the disabled elderly (障害高齢者の日常生活自立度).
pub static PHYSICAL_INDEPENDENCE: CodeSet = CodeSet {
    name: "physical_independence",
    values: &[
        ("1", "自立"),
        ("2", "J1"),
        ("3", "J2"),
        ("4", "A1"),
        ("5", "A2"),
        ("6", "B1"),
        ("7", "B2"),
        ("8", "C1"),
        ("9", "C2"),
        ("10", "記載無し"),
    ],
};

/// Independence in daily life of the elderly with dementia (認知症高齢者の日常生活自立度).
pub static DEMENTIA_INDEPENDENCE: CodeSet = CodeSet {
    name: "dementia_independence",
    values: &[
        ("1", "自立"),
        ("2", "Ⅰ"),
        ("3", "Ⅱa"),
        ("4", "Ⅱb"),
        ("5", "Ⅲa"),
        ("6", "Ⅲb"),
        ("7", "Ⅳ"),
        ("8", "M"),
        ("9", "記載無し"),
    ],
};

/// Whether there is something (有無): the survey's set A2.
pub static PRESENCE: CodeSet = CodeSet { name: "presence", values: &[("1", "ない"), ("2", "ある")] };

/// Short-term memory in the doctor's opinion (短期記憶).
pub static SHORT_TERM_MEMORY: CodeSet =
    CodeSet { name: "short_term_memory", values: &[("1", "問題なし"), ("2", "問題あり")] };

/// Ability to decide in daily life (日常の意思決定を行うための認知能力).
pub static DECISION_ABILITY: CodeSet = CodeSet {
    name: "decision_ability",
    values: &[("1", "自立"), ("2", "いくらか困難"), ("3", "見守りが必要"), ("4", "判断できない")],
};

/// Ability to make oneself understood (自分の意思の伝達能力).
pub static EXPRESSION_ABILITY: CodeSet = CodeSet {
    name: "expression_ability",
    values: &[("1", "伝えられる"), ("2", "いくらか困難"), ("3", "具体的要求に限られる"), ("4", "伝えられない")],
};

/// Eating (食事行為).
pub static EATING: CodeSet = CodeSet {
    name: "eating",
    values: &[("1", "自立ないし何とか自分で食べられる"), ("2", "全面介助")],
};

/// Whose insurance it is (被保険者区分).
pub static INSURED_CLASS: CodeSet = CodeSet {
    name: "insured_class",
    values: &[("1", "第1号"), ("2", "第2号"), ("8", "生活保護"), ("9", "その他")],
};

/// Who files for the person (申請届出代行区分).
pub static AGENT: CodeSet = CodeSet {
    name: "agent",
    values: &[("1", "本人"), ("2", "家族"), ("3", "委任"), ("4", "代行"), ("9", "その他")],
};

/// Diseases for which the second class is insured (特定疾病).
pub static SPECIFIC_DISEASE: CodeSet = CodeSet {
    name: "specific_disease",
    values: &[
        ("01", "筋萎縮性側索硬化症"),
        ("02", "後縦靭帯骨化症"),
        ("03", "骨折を伴う骨粗鬆症"),
        ("04", "多系統萎縮症"),
        ("05", "初老期における認知症"),
        ("06", "脊髄小脳変性症"),
        ("07", "脊柱管狭窄症"),
        ("08", "早老症"),
        ("09", "糖尿病性神経障害・腎症・網膜症"),
        ("10", "脳血管疾患"),
        ("11", "パーキンソン病関連疾患"),
        ("12", "閉塞性動脈硬化症"),
        ("13", "関節リウマチ"),
        ("14", "慢性閉塞性肺疾患"),
        ("15", "両膝/股関節の変形性関節症"),
        ("16", "がん(末期)"),
        ("99", "以外"),
    ],
};

/// Who makes the plan (計画作成区分).
pub static PLANNING: CodeSet = CodeSet {
    name: "planning",
    values: &[("1", "居宅介護支援事業所"), ("2", "被保険者(自己)"), ("3", "介護予防支援事業所")],
};
