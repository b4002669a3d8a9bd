//! The `tsunagi` command: reads the command line, calls the verb, prints. Data goes to standard output,
//! talk to standard error.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use node::clock::Clock;
use node::dice::OsDice;
use protocol::date::Date;
use protocol::id::party::PartyKind;
use protocol::time::Span;
use simulations::scenario::Scenario;
use tools::application::Applicant;
use tools::ask::{self, Asker, Person, Question};
use tools::ledger::{self, Rosters};
use tools::line::Line;
use tools::message::{Code, Report, Trouble};
use tools::plan::{self, Plan};
use tools::population::{self, Wanted};
use tools::record::submission::{Erasure, Submission};
use tools::rotation::{self, Owner, Step, Turned};
use tools::sweep::{self, Sweep};
use tools::{authority, credential, dossier, member, network, record, simulate};

/// 繋(つなぎ)— 介護情報の連邦型基盤
#[derive(Parser)]
#[command(name = "tsunagi", version, disable_help_subcommand = true)]
struct Command {
    /// 結果を JSON で標準出力に書く
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// 網をつくる
    #[command(subcommand)]
    Network(NetworkVerb),
    /// 運営主体の仕事: 脈と名簿
    #[command(subcommand)]
    Authority(AuthorityVerb),
    /// 会員になる・会員を加える・申込を作る
    #[command(subcommand)]
    Member(MemberVerb),
    /// 資格証の発行・更新・失効
    #[command(subcommand)]
    Credential(CredentialVerb),
    /// ノードを動かす(tsunagi-node と同じもの)
    Run {
        /// 設定ファイル
        #[arg(long)]
        config: PathBuf,
        /// 設定と鍵を確かめるだけで起動しない
        #[arg(long)]
        check: bool,
    },
    /// 人ひとりについて照会し、答えを日本語で示す
    Ask(AskArgs),
    /// 台帳を確かめる
    #[command(subcommand)]
    Ledger(LedgerVerb),
    /// ノードが動けるか、動いているかを調べる
    Doctor {
        /// 設定ファイル
        #[arg(long)]
        config: PathBuf,
    },
    /// この計算機の上に本物の網を立ち上げ、十三の場面を見せる
    Demo {
        /// 物語が終わったら網も止めて終わる
        #[arg(long)]
        once: bool,
        /// 自治体ごとの架空の人の数
        #[arg(long, default_value_t = 1000)]
        persons: u64,
    },
    /// 計測する
    #[command(subcommand)]
    Bench(BenchVerb),
    /// 記録の種類・検査・表示・様式(ソフトウェアを作る方向け)
    #[command(subcommand)]
    Record(RecordVerb),
    /// 架空の人の記録を、取込の形 (NDJSON) で書き出す。同じ引数なら、どの計算機でも同じ内容
    Population {
        /// 保険者番号 (6 桁)。市区町村の番号なら、その住民になる
        #[arg(long)]
        insurer: String,
        /// 被保険者の数。およそ五人に一人が認定を受けている
        #[arg(long)]
        persons: u64,
        /// 種
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// 何日時点の記録か (YYYY-MM-DD)。なければ今日
        #[arg(long)]
        today: Option<String>,
        /// 毎月の記録(利用票、給付管理票、明細書など)を何か月分書くか
        #[arg(long, default_value_t = 36)]
        months: u32,
        /// 出力先(まだないフォルダー)
        #[arg(long)]
        out: PathBuf,
    },
    /// 網全体を一つの種で模擬し、保証が破られないかを確かめる(監査者向け)
    #[command(subcommand)]
    Simulate(SimulateVerb),
}

#[derive(Subcommand)]
enum RecordVerb {
    /// 記録の種類を挙げる
    Kinds,
    /// ファイルが正しい記録かを調べ、誤りは項目と規則で示す(値は示さない)
    Validate {
        /// 記録の種類
        #[arg(long)]
        kind: String,
        /// 記録のファイル (JSON)
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// 記録を様式の言葉で、和暦で示す
    Show {
        /// 記録の種類
        #[arg(long)]
        kind: String,
        /// 記録のファイル (JSON)
        file: PathBuf,
    },
    /// 記録を、人の保険者に提出する。ノードが署名して送り、保管されたかどうかを示す
    Submit(SubmitArgs),
    /// 記録のすべての版を、訂正・取消・置き換えられたものも含めて示す
    History {
        #[command(flatten)]
        asker: AskerArgs,
        /// 記録の種類(いくつでも)
        #[arg(long, required = true)]
        kind: Vec<String>,
        /// この日までに分かっていたこと (YYYY-MM-DD)
        #[arg(long)]
        known_on: Option<String>,
    },
    /// 記録を、または人のすべてを消去する。元に戻せない。台帳と受領証は残る(保険者だけ)
    Erase {
        #[command(flatten)]
        asker: AskerArgs,
        /// その人について保管しているすべて
        #[arg(long, conflicts_with_all = ["kind", "id", "number"])]
        everything_of_person: bool,
        /// 記録の種類
        #[arg(long)]
        kind: Option<String>,
        /// 記録の番号
        #[arg(long)]
        id: Option<String>,
        /// 何番目の版か。なければすべての版
        #[arg(long)]
        number: Option<u32>,
    },
    /// 様式の JSON Schema を示す
    Schema {
        /// 記録の種類
        #[arg(long)]
        kind: String,
    },
    /// すべての様式の JSON Schema と一覧の頁を書き出す
    Publish {
        /// 出力先
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Subcommand)]
enum SimulateVerb {
    /// 備え付けの筋書を挙げる
    List,
    /// 筋書を一つの種で上演する。同じ筋書と種は、どの計算機でも一字違わぬ同じ上演になる
    Run {
        /// 備え付けの筋書の名前、または筋書ファイル
        scenario: String,
        /// 種
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// 署名と封緘をハッシュで代用し、速く上演する
        #[arg(long)]
        fast: bool,
    },
    /// 筋書を多くの種で上演し、破られた保証を種とともに挙げる
    Sweep {
        /// 備え付けの筋書の名前、または筋書ファイル
        scenario: String,
        /// 種の範囲 (最初..最後の次)
        #[arg(long, value_parser = tools::sweep::seeds)]
        seeds: std::ops::Range<u64>,
        /// 同時に上演する数
        #[arg(long, default_value_t = 1)]
        jobs: usize,
        /// 署名と封緘をハッシュで代用し、速く上演する
        #[arg(long)]
        fast: bool,
        /// 途中経過を控えるファイル。止めた掃引は、ここから続く
        #[arg(long)]
        state: Option<PathBuf>,
    },
    /// 一つの種をもう一度上演し、一件の照会に関わる電文と出来事を順に示す
    Replay {
        /// 備え付けの筋書の名前、または筋書ファイル
        scenario: String,
        /// 種
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// 何番目の照会か (1 から)
        #[arg(long, default_value_t = 1)]
        question: usize,
        /// 署名と封緘をハッシュで代用し、速く上演する
        #[arg(long)]
        fast: bool,
    },
    /// 保証が破られる種について、なお破られる小さな筋書を探して書く
    Shrink {
        /// 備え付けの筋書の名前、または筋書ファイル
        scenario: String,
        /// 種
        #[arg(long)]
        seed: u64,
        /// 署名と封緘をハッシュで代用し、速く上演する
        #[arg(long)]
        fast: bool,
        /// 書き出すファイル
        #[arg(long)]
        out: PathBuf,
    },
    /// 筋書を上演し、監査のための報告書 (report.html と report.json) を書く
    Report {
        /// 筋書の名前かファイル。なければ備え付けのすべて
        scenarios: Vec<String>,
        /// 種の範囲 (最初..最後の次)
        #[arg(long, default_value = "1..4", value_parser = tools::sweep::seeds)]
        seeds: std::ops::Range<u64>,
        /// 署名と封緘をハッシュで代用し、速く上演する
        #[arg(long)]
        fast: bool,
        /// 植えた欠陥の表 (mutants --json の出力)
        #[arg(long)]
        mutants: Option<PathBuf>,
        /// 書き出すフォルダー
        #[arg(long, default_value = "report")]
        out: PathBuf,
    },
}

/// どのノードに話すか: --url と --token-file、または --config
#[derive(Args)]
struct DoorArgs {
    /// 照会窓口の URL (http://127.0.0.1:ポート)
    #[arg(long, required_unless_present = "config")]
    url: Option<String>,
    /// 合言葉のファイル
    #[arg(long, required_unless_present = "config")]
    token_file: Option<PathBuf>,
    /// ノードの設定ファイル
    #[arg(long)]
    config: Option<PathBuf>,
    /// 組織 (kind:number)。なければノードの最初の組織
    #[arg(long)]
    seat: Option<String>,
}

#[derive(Args)]
struct AskArgs {
    #[command(flatten)]
    asker: AskerArgs,
    /// 記録の種類(いくつでも)
    #[arg(long)]
    kind: Vec<String>,
    /// この日に有効な記録 (YYYY-MM-DD)
    #[arg(long)]
    valid_on: Option<String>,
    /// この日までに分かっていたこと (YYYY-MM-DD)
    #[arg(long)]
    known_on: Option<String>,
    /// 記録ではなく閲覧履歴を照会する
    #[arg(long, conflicts_with_all = ["kind", "valid_on", "known_on"])]
    history: bool,
}

#[derive(Args)]
struct SubmitArgs {
    #[command(flatten)]
    asker: AskerArgs,
    /// 記録の種類
    #[arg(long)]
    kind: String,
    /// 有効な最初の日 (YYYY-MM-DD)
    #[arg(long)]
    from: String,
    /// 有効な最後の日 (YYYY-MM-DD)
    #[arg(long)]
    to: Option<String>,
    /// 作成中・確定・訂正・取消 (draft, final, amended, cancelled)
    #[arg(long, default_value = "final")]
    status: String,
    /// 訂正・取消・再提出する記録の番号。なければ新しい記録
    #[arg(long)]
    id: Option<String>,
    /// 記録の何番目の版か
    #[arg(long, default_value_t = 1)]
    number: u32,
    /// この記録に置き換えられる別の記録の番号
    #[arg(long)]
    supersedes: Option<String>,
    /// 記録のファイル (JSON)
    file: PathBuf,
}

#[derive(Args)]
struct AskerArgs {
    #[command(flatten)]
    door: DoorArgs,
    /// 職員
    #[arg(long)]
    staff: String,
    /// 職種
    #[arg(long)]
    job: String,
    /// 目的
    #[arg(long)]
    purpose: String,
    /// 保険者番号
    #[arg(long, requires = "insured", conflicts_with = "medical")]
    insurer: Option<String>,
    /// 被保険者番号
    #[arg(long, requires = "insurer")]
    insured: Option<String>,
    /// 医療保険の記号・番号 (保険者番号:記号:番号:枝番)
    #[arg(long, required_unless_present = "insurer")]
    medical: Option<String>,
}

#[derive(Args)]
struct RosterArgs {
    /// 名簿のファイル。最初の版から続けてすべて
    #[arg(long, required = true, num_args = 1..)]
    roster: Vec<PathBuf>,
    /// 書面で受け取った、最初の名簿の SHA-256
    #[arg(long)]
    network: Option<String>,
}

#[derive(Subcommand)]
enum LedgerVerb {
    /// 台帳を葉から計算し直し、署名と立会を確かめる
    Verify {
        #[command(flatten)]
        door: DoorArgs,
        #[command(flatten)]
        rosters: RosterArgs,
    },
    /// 答えひとつの受領証を、ノードなしで確かめる
    Receipt {
        /// 答え (/v1/ask の JSON、tsunagi --json ask の出力)
        #[arg(long)]
        answer: PathBuf,
        #[command(flatten)]
        rosters: RosterArgs,
    },
    /// 本人に示された閲覧履歴が揃っているか、保険者の台帳と突き合わせる
    History {
        /// 閲覧履歴の答え (tsunagi --json ask --history の出力)
        #[arg(long)]
        answer: PathBuf,
        #[command(flatten)]
        door: DoorArgs,
        #[command(flatten)]
        rosters: RosterArgs,
    },
    /// 盗まれた鍵が触れたおそれのある照会を挙げる
    Affected {
        #[command(flatten)]
        door: DoorArgs,
        /// 照会した組織 (kind:number)
        #[arg(long)]
        party: String,
        /// この日から (YYYY-MM-DD)
        #[arg(long)]
        since: Option<String>,
        /// 名簿のファイル。最初の版から続けてすべて。照会のない組織が会員かどうかを確かめる
        #[arg(long, num_args = 1..)]
        roster: Vec<PathBuf>,
    },
}

#[derive(Subcommand)]
enum BenchVerb {
    /// 照会一件の速さと費用を、二つのプロセスの間で測る
    Ask {
        /// 測る秒数
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// 同時に待つ照会の数
        #[arg(long, default_value_t = 64)]
        concurrency: usize,
        /// 毎秒の照会数(開いた負荷。遅れも時間に数える)
        #[arg(long)]
        rate: Option<u64>,
        /// 暗号の組
        #[arg(long, value_enum, default_value_t = SuiteWord::Xwing)]
        suite: SuiteWord,
        /// 照会ごとに新しく鍵をカプセル化する
        #[arg(long)]
        fresh_kem: bool,
        /// 架空の人の数
        #[arg(long, default_value_t = 100_000)]
        persons: u64,
        /// 比較の基準も測る(相互 TLS と JSON のみ。署名も台帳もない)
        #[arg(long)]
        baseline: bool,
    },
    /// 記録の取込と、任意の時点で読み出す速さ、使う容量を測る
    Records {
        /// 架空の被保険者の数
        #[arg(long, default_value_t = 100_000)]
        persons: u64,
        /// 毎月の記録の月数
        #[arg(long, default_value_t = 36)]
        months: u32,
        /// 読み出す回数
        #[arg(long, default_value_t = 40_000)]
        reads: u64,
    },
    /// 比較の基準の、答える側のプロセス。bench ask --baseline が起動する
    #[command(hide = true)]
    BaselineServer {
        /// 保管庫を作るフォルダー
        #[arg(long)]
        folder: PathBuf,
        /// 架空の人の数
        #[arg(long)]
        persons: u64,
        /// 今日の日付
        #[arg(long)]
        today: String,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum SuiteWord {
    /// X25519 と ML-KEM-768
    Xwing,
    /// X25519
    X25519,
}

#[derive(Subcommand)]
enum NetworkVerb {
    /// 計画から新しい網をつくる
    Init {
        /// 出力先(まだないフォルダー)
        #[arg(long)]
        out: PathBuf,
        /// 計画ファイル (TOML)
        #[arg(long)]
        plan: PathBuf,
    },
}

#[derive(Subcommand)]
enum AuthorityVerb {
    /// 新しい脈(24時間)を作成する
    Pulse {
        /// 運営主体のフォルダー
        #[arg(long)]
        folder: PathBuf,
        /// 失効一覧を読み、脈を書くフォルダー
        #[arg(long)]
        notices: PathBuf,
    },
    /// 最新の名簿の会員を編集用 JSON で書き出す
    Members {
        /// 運営主体のフォルダー
        #[arg(long)]
        folder: PathBuf,
    },
    /// 次の版の名簿に署名する
    RosterNext {
        /// 運営主体のフォルダー
        #[arg(long)]
        folder: PathBuf,
        /// 編集した会員の JSON。なければ今の会員のまま
        #[arg(long)]
        members: Option<PathBuf>,
    },
    /// 会員の鍵の交代を一段進め、次の版の名簿に署名する
    Rotate {
        /// 運営主体のフォルダー
        #[arg(long)]
        folder: PathBuf,
        /// 会員から受け取ったファイル
        #[arg(long)]
        rotation: PathBuf,
        /// 段階。前の段階の名簿が行き渡ってから次へ進める
        #[arg(long, value_enum)]
        step: StepWord,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum StepWord {
    /// 新しい鍵を並べて載せる
    Announce,
    /// 新しい鍵を使い、古い鍵もまだ認める
    Use,
    /// 古い鍵を外す
    Retire,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum KeyWord {
    /// 署名鍵
    Signing,
    /// 台帳の鍵
    Log,
    /// 接続の鍵
    Transport,
    /// 封緘の鍵(動いているノードが作り直す)
    Sealing,
}

#[derive(Subcommand)]
enum MemberVerb {
    /// 鍵をつくり(なければ)、申込を作成する。事業所・医療機関は発行者へ、会員は運営主体へ渡す
    Join(JoinArgs),
    /// 申込者への問いを作成する(運営主体)
    Challenge {
        /// 運営主体のフォルダー
        #[arg(long)]
        folder: PathBuf,
        /// 申込ファイル
        #[arg(long)]
        application: PathBuf,
        /// 申込者に渡す問いの書き出し先
        #[arg(long)]
        out: PathBuf,
        /// 手元に残す正解の書き出し先
        #[arg(long)]
        expected: PathBuf,
    },
    /// 鍵を次の世代に替える。封緘の鍵は動いているノードが毎週自分で替えるので、急ぐときだけ
    Rotate(RotateArgs),
    /// 問いに答える(申込者)
    Answer {
        /// 鍵フォルダー
        #[arg(long)]
        keys: PathBuf,
        /// 自分の申込ファイル
        #[arg(long)]
        application: PathBuf,
        /// 受け取った問い
        #[arg(long)]
        challenge: PathBuf,
        /// 答えの書き出し先
        #[arg(long)]
        out: PathBuf,
    },
    /// 申込者を会員に加え、次の版の名簿に署名する(運営主体)
    Add {
        /// 運営主体のフォルダー
        #[arg(long)]
        folder: PathBuf,
        /// 申込ファイル
        #[arg(long)]
        application: PathBuf,
        /// 手元に残した正解
        #[arg(long)]
        expected: PathBuf,
        /// 申込者の答え
        #[arg(long)]
        answer: PathBuf,
        /// 参加日 (YYYY-MM-DD)
        #[arg(long)]
        from: String,
        /// 新しい名簿の立会の定足数(立会の過半数)。なければ今のまま
        #[arg(long)]
        witness_quorum: Option<u8>,
    },
}

#[derive(Args)]
struct JoinArgs {
    /// 組織 (kind:number)
    #[arg(long)]
    party: String,
    /// 名称
    #[arg(long)]
    name: String,
    /// サービス種類コード(事業所・医療機関)
    #[arg(long)]
    service: Vec<String>,
    /// 保険者番号(保険者)
    #[arg(long)]
    insurer: Vec<String>,
    /// 鍵フォルダー
    #[arg(long)]
    keys: PathBuf,
    /// 最初の名簿のファイル
    #[arg(long)]
    first_roster: PathBuf,
    /// 書面で受け取った、最初の名簿の SHA-256
    #[arg(long)]
    network: String,
    /// 申込の書き出し先
    #[arg(long)]
    out: PathBuf,
}

#[derive(Args)]
struct RotateArgs {
    /// どの鍵か
    #[arg(long, value_enum)]
    key: KeyWord,
    /// 鍵フォルダー(封緘の鍵のほか)
    #[arg(long, required_unless_present = "config")]
    keys: Option<PathBuf>,
    /// 会員の組織 (kind:number)。--network と --out も要る
    #[arg(long)]
    party: Option<String>,
    /// 最初の名簿の SHA-256
    #[arg(long)]
    network: Option<String>,
    /// 運営主体に渡すファイルの書き出し先(会員の署名鍵と台帳の鍵)
    #[arg(long)]
    out: Option<PathBuf>,
    /// 事業所・医療機関の鍵である(会員の --party、--network、--out の代わり)
    #[arg(long, conflicts_with_all = ["party", "network", "out", "roster"])]
    office: bool,
    /// 鍵ファイルに残る一つ前の鍵を消してよい。会員は --roster で、事業所・医療機関は資格証で、外れたことを確かめて
    #[arg(long)]
    drop_before: bool,
    /// --drop-before のとき、会員が付ける名簿。最初の版から最新まで続けてすべて
    #[arg(long, num_args = 1.., requires = "drop_before")]
    roster: Vec<PathBuf>,
    /// 動いているノードの設定ファイル(封緘の鍵)
    #[arg(long)]
    config: Option<PathBuf>,
    /// 組織 (kind:number)。なければノードの最初の組織
    #[arg(long)]
    seat: Option<String>,
}

#[derive(Subcommand)]
enum CredentialVerb {
    /// 新しい組織(または失効後に改めて登録する組織)に発行する
    Issue(IssueArgs),
    /// 登録済みの組織に発行し直す(同じ鍵か予告した次の鍵だけ)
    Renew(IssueArgs),
    /// 失効させ、新しい失効一覧に署名する
    Revoke {
        #[command(flatten)]
        issuer: IssuerArgs,
        /// 組織 (kind:number)
        #[arg(long)]
        party: String,
        /// この番号の資格証だけを失効させる。なければ組織ごと
        #[arg(long)]
        serial: Option<u64>,
        /// 失効一覧を書くフォルダー
        #[arg(long)]
        notices: PathBuf,
    },
    /// 失効一覧を新しくする(24時間ごと)
    List {
        #[command(flatten)]
        issuer: IssuerArgs,
        /// 失効一覧を書くフォルダー
        #[arg(long)]
        notices: PathBuf,
    },
}

#[derive(Args)]
struct IssuerArgs {
    /// 発行者のフォルダー
    #[arg(long)]
    issuer: PathBuf,
    /// 名簿のフォルダー。なければ発行者のフォルダーの rosters
    #[arg(long)]
    rosters: Option<PathBuf>,
}

#[derive(Args)]
struct IssueArgs {
    #[command(flatten)]
    issuer: IssuerArgs,
    /// 申込ファイル
    #[arg(long)]
    application: PathBuf,
    /// 資格証の書き出し先
    #[arg(long)]
    out: PathBuf,
    /// 有効期間(時間、24 まで)
    #[arg(long, default_value_t = 24)]
    hours: u64,
    /// 発行者のノードの設定。書き出す前に発行者の台帳に記す
    #[arg(long)]
    config: Option<PathBuf>,
    /// そのノードでの発行者 (kind:number)。なければ最初の組織
    #[arg(long, requires = "config")]
    seat: Option<String>,
}

fn main() -> ExitCode {
    let command = Command::parse();
    let outcome = match command.verb {
        Verb::Run { config, check } => return node::run(&config, check),
        Verb::Demo { once, persons } => return play(tools::demo::Choice { once, json: command.json, persons }),
        Verb::Bench(verb) => return measure(verb),
        verb => run(verb),
    };
    match tell(&outcome, command.json) {
        Ok(()) => match outcome {
            Ok(report) => ExitCode::from(u8::from(!report.good)),
            Err(trouble) => ExitCode::from(trouble.code.exit()),
        },
        Err(_closed) => ExitCode::from(Code::File.exit()),
    }
}

fn tell(outcome: &Result<Report, Trouble>, json: bool) -> std::io::Result<()> {
    match outcome {
        Ok(report) if json => writeln!(std::io::stdout(), "{}", report.data),
        Ok(report) => writeln!(std::io::stdout(), "{}", report.text),
        Err(trouble) if json => writeln!(std::io::stderr(), "{}", trouble.data()),
        Err(trouble) => writeln!(std::io::stderr(), "{trouble}"),
    }
}

fn run(verb: Verb) -> Result<Report, Trouble> {
    let now = Clock::start().now().wall;
    match verb {
        Verb::Network(NetworkVerb::Init { out, plan }) => {
            let founded = network::found(&Plan::read(&plan)?, &out, now, &mut OsDice)?;
            Ok(network::report(&founded))
        }
        Verb::Authority(verb) => match verb {
            AuthorityVerb::Pulse { folder, notices } => authority::pulse(&folder, &notices, now),
            AuthorityVerb::Members { folder } => authority::members(&folder),
            AuthorityVerb::RosterNext { folder, members } => authority::roster_next(&folder, members.as_deref(), now),
            AuthorityVerb::Rotate { folder, rotation, step } => {
                let step = match step {
                    StepWord::Announce => Step::Announce,
                    StepWord::Use => Step::Use,
                    StepWord::Retire => Step::Retire,
                };
                rotation::step(&folder, &rotation, step, now)
            }
        },
        Verb::Member(verb) => run_member(verb, now),
        Verb::Credential(verb) => run_credential(verb, now),
        Verb::Ask(args) => run_ask(args),
        Verb::Ledger(verb) => run_ledger(verb),
        Verb::Doctor { config } => Ok(tools::doctor::examine(&config, now)),
        Verb::Simulate(verb) => run_simulate(verb),
        Verb::Record(verb) => match verb {
            RecordVerb::Kinds => Ok(record::kinds()),
            RecordVerb::Validate { kind, files } => record::validate(&kind, &files),
            RecordVerb::Show { kind, file } => record::show(&kind, &file),
            RecordVerb::Submit(args) => run_submit(args),
            RecordVerb::Erase { asker, everything_of_person: person, kind, id, number } => {
                let (line, asker) = open_asker(asker)?;
                record::submission::erase(&line, &asker, &Erasure { person, kind, id, number })
            }
            RecordVerb::History { asker, kind: kinds, known_on } => {
                let (line, asker) = open_asker(asker)?;
                let question = Question { asker, kinds, valid_on: None, known_on, every_version: true, history: false };
                ask::ask(&line, &question)
            }
            RecordVerb::Schema { kind } => record::schema(&kind),
            RecordVerb::Publish { out } => record::publish(&out),
        },
        Verb::Population { insurer, persons, seed, today, months, out } => {
            let today = match today {
                Some(today) => plan::date(&today)?,
                None => Date::from_timestamp_japan(now),
            };
            let bar = indicatif::ProgressBar::new(persons);
            let wanted = Wanted { insurer, persons, seed, today, months, out };
            let report = population::write(&wanted, &mut || bar.inc(1));
            bar.finish_and_clear();
            report
        }
        Verb::Run { .. } | Verb::Demo { .. } | Verb::Bench(_) => unreachable!("taken before"),
    }
}

fn run_simulate(verb: SimulateVerb) -> Result<Report, Trouble> {
    match verb {
        SimulateVerb::List => Ok(simulate::list()),
        SimulateVerb::Run { scenario, seed, fast } => {
            simulate::run(&simulate::scenario(&scenario)?, seed, simulate::cryptography(fast))
        }
        SimulateVerb::Sweep { scenario, seeds, jobs, fast, state } => {
            let scenario = simulate::scenario(&scenario)?;
            // Draws on standard error, and only if that is a terminal.
            let bar = indicatif::ProgressBar::new(seeds.end.saturating_sub(seeds.start));
            let cryptography = simulate::cryptography(fast);
            let what = Sweep { scenario: &scenario, seeds: (seeds.start, seeds.end), cryptography };
            let report = sweep::sweep(what, jobs, state.as_deref(), &|| bar.inc(1));
            bar.finish_and_clear();
            report
        }
        SimulateVerb::Replay { scenario, seed, question, fast } => {
            simulate::retell(&simulate::scenario(&scenario)?, seed, simulate::cryptography(fast), question)
        }
        SimulateVerb::Shrink { scenario, seed, fast, out } => {
            let bar = indicatif::ProgressBar::new_spinner();
            let cryptography = simulate::cryptography(fast);
            let report = simulate::shrink(simulate::scenario(&scenario)?, seed, cryptography, &out, &|| bar.inc(1));
            bar.finish_and_clear();
            report
        }
        SimulateVerb::Report { scenarios, seeds, fast, mutants, out } => {
            let named: Result<Vec<_>, _> = scenarios.iter().map(|named| simulate::scenario(named)).collect();
            let scenarios = if scenarios.is_empty() { Scenario::shipped() } else { named? };
            let plays =
                seeds.end.saturating_sub(seeds.start).saturating_mul(u64::try_from(scenarios.len()).unwrap_or(0));
            let bar = indicatif::ProgressBar::new(plays);
            let report =
                dossier::write(scenarios, &seeds, simulate::cryptography(fast), mutants.as_deref(), &out, &|| {
                    bar.inc(1);
                });
            bar.finish_and_clear();
            report
        }
    }
}

fn run_ask(args: AskArgs) -> Result<Report, Trouble> {
    let AskArgs { asker, kind: kinds, valid_on, known_on, history } = args;
    let (line, asker) = open_asker(asker)?;
    ask::ask(&line, &Question { asker, kinds, valid_on, known_on, every_version: false, history })
}

fn run_submit(args: SubmitArgs) -> Result<Report, Trouble> {
    let SubmitArgs { asker, kind, from, to, status, id, number, supersedes, file } = args;
    let (line, asker) = open_asker(asker)?;
    let submission = Submission { kind, from, to, status, id, number, supersedes };
    record::submission::submit(&line, &asker, &submission, &file)
}

fn open_asker(args: AskerArgs) -> Result<(Line, Asker), Trouble> {
    let AskerArgs { door, staff, job, purpose, insurer, insured, medical } = args;
    let person = match (medical, insurer, insured) {
        (Some(handle), _, _) => Person::Medical(handle),
        (None, Some(insurer), Some(insured)) => Person::Care(insurer, insured),
        _ => return Err(Trouble::new(Code::Usage, "--insurer と --insured、または --medical")),
    };
    let seat = door.seat.clone();
    Ok((open(door)?, Asker { seat, staff, job, purpose, person }))
}

fn run_ledger(verb: LedgerVerb) -> Result<Report, Trouble> {
    match verb {
        LedgerVerb::Verify { door, rosters } => {
            let rosters = read_rosters(&rosters)?;
            let line = open(door)?;
            // Draws on standard error, and only if that is a terminal.
            let bar = indicatif::ProgressBar::new(0);
            let report = ledger::verify(&line, &rosters, &|done, all| {
                bar.set_length(all);
                bar.set_position(done);
            });
            bar.finish_and_clear();
            report
        }
        LedgerVerb::History { answer, door, rosters } => {
            let rosters = read_rosters(&rosters)?;
            let line = open(door)?;
            let bar = indicatif::ProgressBar::new(0);
            let report = ledger::history::history(&line, &answer, &rosters, &|done, all| {
                bar.set_length(all);
                bar.set_position(done);
            });
            bar.finish_and_clear();
            report
        }
        LedgerVerb::Receipt { answer, rosters } => ledger::receipt::receipt(&answer, &read_rosters(&rosters)?),
        LedgerVerb::Affected { door, party, since, roster } => {
            let usage = |trouble: Trouble| Trouble::new(Code::Usage, trouble.detail);
            let party = plan::party(&party).map_err(usage)?;
            ledger::affected::require_a_number_of_its_kind(&party)?;
            let since = since.map(|day| plan::date(&day)).transpose().map_err(usage)?;
            let rosters = if roster.is_empty() { None } else { Some(Rosters::read(&roster, None)?) };
            ledger::affected::affected(&open(door)?, &party, since, rosters.as_ref())
        }
    }
}

fn open(door: DoorArgs) -> Result<Line, Trouble> {
    let line = Line::open(door.url.as_deref(), door.token_file.as_deref(), door.config.as_deref())?;
    Ok(line.at_seat(door.seat))
}

fn read_rosters(args: &RosterArgs) -> Result<Rosters, Trouble> {
    let digest =
        |text: &String| protocol::digest::Digest::parse(text).ok_or_else(|| Trouble::new(Code::Usage, "--network"));
    Rosters::read(&args.roster, args.network.as_ref().map(digest).transpose()?)
}

fn play(choice: tools::demo::Choice) -> ExitCode {
    match tools::demo::play(choice) {
        Ok(is_good) => ExitCode::from(u8::from(!is_good)),
        Err(what) => {
            let _told = writeln!(std::io::stderr(), "デモを始められません: {what}");
            ExitCode::from(Code::File.exit())
        }
    }
}

fn measure(verb: BenchVerb) -> ExitCode {
    let talk = |text: &str| {
        let _told = writeln!(std::io::stderr(), "{text}");
    };
    let failed = |what: &str| {
        talk(&format!("計測できません: {what}"));
        ExitCode::from(Code::File.exit())
    };
    let told = |report: Result<serde_json::Value, String>| match report {
        Ok(report) => {
            let _told = writeln!(std::io::stdout(), "{report:#}");
            ExitCode::SUCCESS
        }
        Err(what) => failed(&what),
    };
    let (seconds, concurrency, rate, suite, fresh_kem, persons, baseline) = match verb {
        BenchVerb::Records { persons, months, reads } => {
            let choice = tools::bench::records::Choice { persons, months, reads };
            return told(tools::bench::records::measure(choice, &talk));
        }
        BenchVerb::Ask { seconds, concurrency, rate, suite, fresh_kem, persons, baseline } => {
            (seconds, concurrency, rate, suite, fresh_kem, persons, baseline)
        }
        BenchVerb::BaselineServer { folder, persons, today } => {
            let Some(today) = Date::parse(&today) else { return failed("--today") };
            return match tools::bench::baseline::server::run(&folder, persons, today) {
                Ok(()) => ExitCode::SUCCESS,
                Err(what) => failed(&what),
            };
        }
    };
    let suite = match suite {
        SuiteWord::Xwing => protocol::primitives::Suite::XWing,
        SuiteWord::X25519 => protocol::primitives::Suite::X25519,
    };
    let choice = tools::bench::Choice { seconds, concurrency, rate, suite, fresh_kem, persons, baseline };
    told(tools::bench::ask(choice, &talk))
}

fn run_member(verb: MemberVerb, now: protocol::time::Timestamp) -> Result<Report, Trouble> {
    match verb {
        MemberVerb::Join(args) => {
            let usage = |what: &str| Trouble::new(Code::Usage, what);
            let insurers = args.insurer.iter().map(|text| protocol::id::insurer::InsurerNumber::parse(text));
            let applicant = Applicant {
                party: plan::party(&args.party).map_err(|trouble| usage(&trouble.detail))?,
                name: args.name,
                services: plan::services(&args.service).map_err(|trouble| usage(&trouble.detail))?,
                insurers: insurers.collect::<Option<_>>().ok_or_else(|| usage("--insurer"))?,
            };
            let network = protocol::digest::Digest::parse(&args.network).ok_or_else(|| usage("--network"))?;
            member::join(applicant, &args.keys, &args.first_roster, network, &args.out, now, &mut OsDice)
        }
        MemberVerb::Challenge { folder, application, out, expected } => {
            member::challenge(&folder, &application, &out, &expected, now, &mut OsDice)
        }
        MemberVerb::Rotate(args) => rotate(&args, now),
        MemberVerb::Answer { keys, application, challenge, out } => {
            member::answer(&keys, &application, &challenge, &out)
        }
        MemberVerb::Add { folder, application, expected, answer, from, witness_quorum } => {
            let from = plan::date(&from).map_err(|trouble| Trouble::new(Code::Usage, trouble.detail))?;
            let terms = member::Terms { participates_from: from, witness_quorum };
            member::add(&folder, &application, &expected, &answer, terms, now)
        }
    }
}

fn rotate(args: &RotateArgs, now: protocol::time::Timestamp) -> Result<Report, Trouble> {
    let usage = |what: &str| Trouble::new(Code::Usage, what);
    let turned = match args.key {
        KeyWord::Signing => Turned::Signing,
        KeyWord::Log => Turned::Log,
        KeyWord::Transport => Turned::Transport,
        KeyWord::Sealing => {
            let line = Line::open(None, None, Some(args.config.as_ref().ok_or_else(|| usage("--config"))?))?;
            return member::rotate_sealing(&line.at_seat(args.seat.clone()));
        }
    };
    let keys = args.keys.as_ref().ok_or_else(|| usage("--keys"))?;
    rotation::turn(keys, turned, &owner_of(args, turned)?, args.drop_before, now)
}

/// Who turns its key file. Without its proof a member's new key would be known to nobody, so nothing is guessed.
fn owner_of(args: &RotateArgs, turned: Turned) -> Result<Owner, Trouble> {
    let usage = |what: &str| Trouble::new(Code::Usage, what);
    match (turned, &args.party, &args.network, &args.out) {
        (Turned::Transport, None, None, None) => Ok(Owner::Anybody),
        (Turned::Transport, ..) => Err(usage(
            "接続の鍵は名簿に載りません。--party、--network、--out を付けないでください / no roster names a transport key",
        )),
        (_, Some(party), Some(network), Some(out)) => {
            let party = plan::party(party).map_err(|trouble| usage(&trouble.detail))?;
            if matches!(party.kind(), PartyKind::Office | PartyKind::Hospital) {
                return Err(usage("事業所・医療機関は、--party、--network、--out の代わりに --office / use --office"));
            }
            let network = protocol::digest::Digest::parse(network).ok_or_else(|| usage("--network"))?;
            Ok(Owner::Member { party, network, out: out.clone(), rosters: args.roster.clone() })
        }
        (_, None, None, None) if args.office => Ok(Owner::Holder),
        _ => Err(usage(
            "会員は --party、--network、--out をすべて、事業所・医療機関は --office を付けてください。鍵は替えていません / \
             a member gives all of --party, --network and --out, an office or hospital --office; no key was replaced",
        )),
    }
}

fn run_credential(verb: CredentialVerb, now: protocol::time::Timestamp) -> Result<Report, Trouble> {
    let issue = |args: IssueArgs, entry| {
        let IssueArgs { issuer: IssuerArgs { issuer, rosters }, application, out, hours, config, seat } = args;
        let node = config.map(|config| Line::open(None, None, Some(&config))).transpose()?;
        let node = node.map(|node| node.at_seat(seat));
        let order = credential::Order { entry, life: Span::from_h(hours), out: &out, node: node.as_ref() };
        credential::issue(&issuer, rosters.as_deref(), &application, &order, now)
    };
    match verb {
        CredentialVerb::Issue(args) => issue(args, credential::Entry::Enrolment),
        CredentialVerb::Renew(args) => issue(args, credential::Entry::Renewal),
        CredentialVerb::Revoke { issuer, party, serial, notices } => {
            let party = plan::party(&party).map_err(|trouble| Trouble::new(Code::Usage, trouble.detail))?;
            let rosters = issuer.rosters.as_deref();
            credential::revoke(&issuer.issuer, rosters, Some((&party, serial)), &notices, now)
        }
        CredentialVerb::List { issuer, notices } => {
            credential::revoke(&issuer.issuer, issuer.rosters.as_deref(), None, &notices, now)
        }
    }
}
