//! The words of the report that are not in the data: each guarantee as a Japanese sentence, the prefectures, and what is
//! not simulated. Knows nothing of any play.

/// Each guarantee, by its name, as a sentence.
pub(super) const GUARANTEES: [(&str, &str); 23] = [
    ("every_outcome_is_the_one_foretold", "どの結果も、別に書かれた規則(神託)の予告どおり"),
    ("every_question_ends", "どの照会も必ず終わりが告げられる"),
    ("after_the_storm_every_question_is_answered", "嵐が過ぎれば、どの照会にも答えがある"),
    ("every_answer_stands_in_both_ledgers", "どの答えも、尋ねた側と答えた側の両方の台帳に載る"),
    ("no_two_answers_share_a_leaf", "二つの答えが一枚の葉を分け合うことはない"),
    ("no_request_is_answered_under_two_leaves", "一つの照会が二枚の葉で答えられることはない"),
    ("every_signed_head_is_a_beginning_of_the_ledger", "署名された台帳の頭は、どれも最後の台帳の始まりに当たる"),
    ("whoever_stopped_starts_again", "止まった機械は、必ずまた立ち上がる"),
    ("no_frame_shows_whom_it_is_about", "回線上の電文から、誰についての照会かは読めない"),
    ("whoever_is_answered_has_asked", "答えられた照会は、どれも本人の組織が送ったもの"),
    ("whoever_is_revoked_is_told_nothing", "失効した組織には何も告げられない"),
    ("whoever_has_only_a_key_is_told_nothing", "署名鍵を盗んだだけの者には、何も告げられない"),
    ("no_issuer_vouches_beyond_its_limits", "発行者が権限を越えて出した証明では、誰も入れない"),
    ("a_flood_harms_nobody_else", "要求を殺到させても、他の組織は困らない"),
    ("no_fork_is_cosigned", "分岐した台帳に、証人は署名しない"),
    ("whoever_was_set_back_begins_a_new_epoch", "古い控えから戻した台帳は、新しい期から始まる"),
    ("no_changed_history_is_believed", "書き換えられた記録から、別の歴史が信じられることはない"),
    ("no_go_between_keeps_whom_it_is_about", "所在照会・仮名化・証人の手元に、被保険者の番号は残らない"),
    ("what_was_kept_is_shown_as_its_authors", "保管を告げられた記録は、一度だけ、その作成者のものとして示される"),
    ("what_was_not_kept_is_nowhere", "断られた提出は、どこにも保管されていない"),
    ("what_was_erased_is_shown_to_nobody", "消去を告げられた記録は、だれにも示されない"),
    ("nobody_is_told_of_whoever_was_erased", "全て消去された人のことは、だれにも告げられない"),
    (
        "what_is_shown_was_in_force_as_asked",
        "示される版は、問われた日に、問われた時点で知られていた限り、効力のあるものに限る",
    ),
];

/// Each prefecture: its number, its name, its column and row on the tile map.
pub(super) const PREFECTURES: [(u64, &str, u32, u32); 47] = [
    (1, "北海道", 12, 0),
    (2, "青森", 12, 2),
    (3, "岩手", 12, 3),
    (4, "宮城", 12, 4),
    (5, "秋田", 11, 3),
    (6, "山形", 11, 4),
    (7, "福島", 11, 5),
    (8, "茨城", 12, 6),
    (9, "栃木", 11, 6),
    (10, "群馬", 10, 6),
    (11, "埼玉", 10, 7),
    (12, "千葉", 12, 7),
    (13, "東京", 11, 7),
    (14, "神奈川", 10, 8),
    (15, "新潟", 10, 5),
    (16, "富山", 9, 5),
    (17, "石川", 8, 5),
    (18, "福井", 8, 6),
    (19, "山梨", 9, 7),
    (20, "長野", 9, 6),
    (21, "岐阜", 8, 7),
    (22, "静岡", 9, 8),
    (23, "愛知", 8, 8),
    (24, "三重", 7, 8),
    (25, "滋賀", 7, 7),
    (26, "京都", 6, 7),
    (27, "大阪", 5, 8),
    (28, "兵庫", 5, 7),
    (29, "奈良", 6, 8),
    (30, "和歌山", 6, 9),
    (31, "鳥取", 4, 7),
    (32, "島根", 3, 7),
    (33, "岡山", 4, 8),
    (34, "広島", 3, 8),
    (35, "山口", 2, 7),
    (36, "徳島", 5, 10),
    (37, "香川", 5, 9),
    (38, "愛媛", 4, 9),
    (39, "高知", 4, 10),
    (40, "福岡", 1, 8),
    (41, "佐賀", 0, 8),
    (42, "長崎", 0, 9),
    (43, "熊本", 1, 9),
    (44, "大分", 2, 9),
    (45, "宮崎", 2, 10),
    (46, "鹿児島", 1, 10),
    (47, "沖縄", 0, 11),
];

/// What is not simulated, in Japanese and English, and what covers it instead.
pub(super) const UNSIMULATED: [(&str, &str, &str); 4] = [
    (
        "ノードの外殻 (libp2p、TLS、実ファイル、sled、スレッド、照会窓口)",
        "the node's shell: libp2p, TLS, real files, sled, threads, the office API",
        "node/tests/, tsunagi demo --once",
    ),
    ("速さと負荷", "speed and load: each step takes a fixed few simulated milliseconds", "tsunagi bench"),
    (
        "全国の照会者の数(全保険者は動くが、照会する側は二十分の一)",
        "the number of those who ask in the nation: all insurers play, with a twentieth of them",
        "simulations/scenarios/large/nation.toml",
    ),
    (
        "施設・福祉用具・本人・履歴・緊急時の照会",
        "questions of facilities, of equipment providers, of the persons themselves, for histories, in emergencies",
        "protocol/tests/matrix.rs, simulations/tests/journey.rs",
    ),
];

/// What can last, and whom it can befall, as a scenario's file names it, and in Japanese.
const SPELLS: [(&str, &str); 18] = [
    ("cut-off", "不通"),
    ("mute", "片方向の不通"),
    ("stopped", "停止"),
    ("clock", "時計の狂い"),
    ("set-back", "巻戻し"),
    ("revoked", "失効"),
    ("disk-full", "容量不足"),
    ("index-lost", "索引喪失"),
    ("bit-rot", "ビット化け"),
    ("misevaluates", "誤評価"),
    ("paused", "一時停止"),
    ("drift", "時計の進み遅れ"),
    ("insurer", "保険者"),
    ("office", "事業所"),
    ("hospital", "医療機関"),
    ("directory", "所在照会"),
    ("pseudonymiser", "仮名化"),
    ("witness", "証人"),
];

/// A word of a spell; itself if it has none.
pub(super) fn spell(word: &str) -> &str {
    SPELLS.iter().find(|(known, _japanese)| *known == word).map_or(word, |(_word, japanese)| japanese)
}

/// The sentence of a guarantee.
pub(super) fn guarantee(name: &str) -> &'static str {
    GUARANTEES.iter().find(|(known, _sentence)| *known == name).map_or("", |(_name, sentence)| sentence)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use simulations::guarantee::{ALL, Evidence};

    use super::*;

    #[test]
    fn every_guarantee_has_its_sentence_and_every_sentence_its_guarantee() {
        let named: BTreeSet<_> = ALL.iter().map(|guarantee| guarantee(&Evidence::default()).name).collect();
        assert_eq!(named, GUARANTEES.iter().map(|(name, _sentence)| *name).collect());
    }

    #[test]
    fn every_prefecture_has_a_place_of_its_own() {
        let places: BTreeSet<_> = PREFECTURES.iter().map(|(_number, _name, column, row)| (column, row)).collect();
        let numbers: Vec<_> = PREFECTURES.iter().map(|(number, ..)| *number).collect();
        assert_eq!((places.len(), numbers), (47, (1..=47).collect()));
    }
}
