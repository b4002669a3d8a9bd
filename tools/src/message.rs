//! What the command says: every failure with its stable code, Japanese first, and the report of a
//! success. Prints nothing itself.

use protocol::date::Date;
use protocol::time::Timestamp;
use serde_json::{Value, json};

/// Why a command did not do what was asked. The code of each never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// Arguments that cannot go together.
    Usage,
    /// A file or answer is not of the form expected.
    Malformed,
    /// The plan breaks a rule.
    Plan,
    /// A scenario breaks a rule.
    Scenario,
    /// A roster is not the next of the chain, or not signed by enough.
    Roster,
    /// The issuer may not or will not issue this.
    Issue,
    /// A proof of possession does not hold.
    Possession,
    /// The roster still names a key that was to be destroyed.
    Named,
    /// Nothing was issued to this organisation.
    Unissued,
    /// An organisation of a kind that does not join so.
    Kind,
    /// The witnesses of a quorum would be half of them or fewer, or more than there are.
    Quorum,
    /// The node cannot be reached.
    Unreachable,
    /// The node answered with a refusal.
    Refused,
    /// Reading or writing a file failed.
    File,
    /// A file that would be overwritten.
    Exists,
    /// Keys that cannot be had or kept.
    Keys,
    /// The node's configuration.
    Config,
    /// Not part of this build.
    Absent,
}

/// A failure, its code and what exactly it is about. Holds no secret and nothing personal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which failure.
    pub code: Code,
    /// What it is about.
    pub detail: String,
}

/// What a command found or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// For people.
    pub text: String,
    /// For machines.
    pub data: Value,
    /// Whether what was checked is good; if not the command ends with 1.
    pub good: bool,
}

impl Code {
    /// The stable code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "T0001",
            Self::Malformed => "T0101",
            Self::Plan => "T0102",
            Self::Scenario => "T0103",
            Self::Roster => "T0201",
            Self::Issue => "T0202",
            Self::Possession => "T0203",
            Self::Named => "T0204",
            Self::Unissued => "T0205",
            Self::Kind => "T0206",
            Self::Quorum => "T0207",
            Self::Unreachable => "T0301",
            Self::Refused => "T0302",
            Self::File => "T0401",
            Self::Exists => "T0402",
            Self::Keys => "T0403",
            Self::Config => "T0501",
            Self::Absent => "T0502",
        }
    }

    /// The exit status, after sysexits.h.
    pub const fn exit(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Roster | Self::Issue | Self::Possession | Self::Refused => 1,
            Self::Named | Self::Unissued | Self::Kind | Self::Quorum => 1,
            Self::Malformed | Self::Plan | Self::Scenario => 65,
            Self::Unreachable | Self::Absent => 69,
            Self::File | Self::Exists | Self::Keys => 74,
            Self::Config => 78,
        }
    }

    /// What happened, and what to do about it.
    pub const fn japanese(self) -> (&'static str, &'static str) {
        match self {
            Self::Usage => ("引数の組み合わせが正しくありません", "--help を確認してください"),
            Self::Malformed => ("データの形式が正しくありません", "ファイルの取り違えや破損がないか確認してください"),
            Self::Plan => ("計画ファイルに誤りがあります", "該当箇所を直してください"),
            Self::Scenario => ("筋書に誤りがあります", "示された行を直してください"),
            Self::Roster => ("名簿が正しい連鎖になっていません", "運営主体に確認してください"),
            Self::Issue => ("資格証を発行できません", "発行者の権限と登録状況を確認してください"),
            Self::Possession => ("鍵の所持を確認できません", "申込者に作り直しを依頼してください"),
            Self::Named => (
                "名簿がまだその鍵を認めています",
                "運営主体に authority rotate --step retire を依頼し、その後の名簿まで --roster にすべて渡してください",
            ),
            Self::Unissued => (
                "発行済みの資格証の中にありません",
                "組織の番号と、どの発行者が発行したかを確認してください。失効一覧は変わっていません",
            ),
            Self::Kind => ("この種類の組織は申込では加われません", "deploy/README.md の「参加する」を確認してください"),
            Self::Quorum => (
                "立会の定足数が立会の過半数になりません",
                "member add に --witness-quorum N を付けて、新しい名簿の定足数も改めてください",
            ),
            Self::Unreachable => ("ノードに接続できません", "ノードが動いているか、URL が正しいか確認してください"),
            Self::Refused => ("ノードが受け付けませんでした", "合言葉と内容を確認してください"),
            Self::File => ("ファイルを読み書きできません", "場所、権限、空き容量を確認してください"),
            Self::Exists => ("既にあるため上書きしません", "別の出力先を指定してください"),
            Self::Keys => ("鍵を扱えません", "鍵フォルダーの場所と権限を確認してください"),
            Self::Config => ("設定ファイルに誤りがあります", "tsunagi doctor --config で確認してください"),
            Self::Absent => ("この版には含まれていません", "新しい版を使ってください"),
        }
    }
}

impl Trouble {
    /// A failure of that kind.
    pub fn new(code: Code, detail: impl core::fmt::Display) -> Self {
        Self { code, detail: detail.to_string() }
    }

    /// For machines.
    pub fn data(&self) -> Value {
        let (what, advice) = self.code.japanese();
        json!({ "error": { "code": self.code.as_str(), "message": what, "detail": self.detail, "advice": advice } })
    }
}

impl core::fmt::Display for Trouble {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (what, advice) = self.code.japanese();
        write!(f, "{} {what}: {}\n  → {advice}", self.code.as_str(), self.detail)
    }
}

impl core::error::Error for Trouble {}

impl Report {
    /// Something done or found good.
    pub fn good(text: impl Into<String>, data: Value) -> Self {
        Self { text: text.into(), data, good: true }
    }
}

/// An instant as people in Japan write it: the day by era, then the time in Japan.
pub fn moment(at: Timestamp) -> String {
    let of_day_s = (at.unix_ms() / 1000).saturating_add(JAPAN_AHEAD_S) % DAY_S;
    let (hours, minutes, seconds) = (of_day_s / 3600, of_day_s / 60 % 60, of_day_s % 60);
    format!("{} {hours:02}:{minutes:02}:{seconds:02}", Date::from_timestamp_japan(at).to_japanese())
}

const DAY_S: u64 = 86_400;
const JAPAN_AHEAD_S: u64 = 9 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_told_in_japan_by_era() {
        // 2019-04-30T15:00:01Z, one second into Reiwa in Japan.
        assert_eq!(moment(Timestamp::from_unix_ms(1_556_636_401_000)), "令和元年5月1日 00:00:01");
    }

    const ALL: [Code; 18] = [
        Code::Usage,
        Code::Malformed,
        Code::Plan,
        Code::Scenario,
        Code::Roster,
        Code::Issue,
        Code::Possession,
        Code::Named,
        Code::Unissued,
        Code::Kind,
        Code::Quorum,
        Code::Unreachable,
        Code::Refused,
        Code::File,
        Code::Exists,
        Code::Keys,
        Code::Config,
        Code::Absent,
    ];

    #[test]
    fn no_two_failures_share_a_code_and_every_status_is_one_of_the_seven() {
        let codes: std::collections::BTreeSet<_> = ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), ALL.len());
        assert!(ALL.iter().all(|code| [1, 2, 65, 69, 74, 78].contains(&code.exit())));
    }

    #[test]
    fn a_failure_says_its_code_what_and_what_to_do() {
        let text = Trouble::new(Code::Config, "node.toml:3").to_string();
        assert!(text.starts_with("T0501 ") && text.contains("node.toml:3") && text.contains("→ "), "{text}");
    }
}
