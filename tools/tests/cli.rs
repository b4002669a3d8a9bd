//! The built command from outside: what it writes is judged by the protocol's own functions.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use node::network::{Connection, Flow, Network, NetworkConfig, NetworkEvent, PeerKey};
use protocol::cbor;
use protocol::credential::{Credential, CredentialError};
use protocol::digest::Digest;
use protocol::gate::{Gate, Notice};
use protocol::limits;
use protocol::primitives::Real;
use protocol::roster::{Chain, Link};
use protocol::time::Timestamp;
use serde_json::{Value, json};
use simulations::population::{self, Invented};
use tools::line::{Line, wait_until};

const PLAN: &str = r#"
authority = { threshold = 2, signers = 3 }
network = { suite_min = "x25519", witness_quorum = 1, host = "127.0.0.1" }
members = [
  { party = "insurer:131235", name = "見本市", insurers = ["131235"], participates_from = "2026-04-01", bootstrap = true },
  { party = "witness:w-1", name = "立会 1", participates_from = "2026-04-01" },
]
issuers = [
  { party = "issuer:tokyo", name = "東京都", kind = "office", prefixes = ["13"], services = ["43"], participates_from = "2026-04-01" },
]
holders = [{ party = "office:1370101238", name = "見本居宅介護支援事業所", services = ["43"] }]
"#;

fn tsunagi(folder: &Path, words: &str) -> Output {
    let words = words.split(' ').filter(|word| !word.is_empty());
    Command::new(env!("CARGO_BIN_EXE_tsunagi")).current_dir(folder).arg("--json").args(words).output().unwrap()
}

fn good(folder: &Path, words: &str) -> Value {
    let output = tsunagi(folder, words);
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn bad(folder: &Path, words: &str) -> (i32, String) {
    let output = tsunagi(folder, words);
    let said: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert!(output.stdout.is_empty(), "{words}");
    (output.status.code().unwrap(), said["error"]["code"].as_str().unwrap().to_owned())
}

fn founded() -> (tempfile::TempDir, Digest) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("plan.toml"), PLAN).unwrap();
    let made = good(folder.path(), "network init --out net --plan plan.toml");
    (folder, Digest::parse(made["network"].as_str().unwrap()).unwrap())
}

fn read<T: for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()>>(folder: &Path, file: &str) -> T {
    cbor::decode(&std::fs::read(folder.join(file)).unwrap()).unwrap()
}

fn now() -> Timestamp {
    node::clock::Clock::start().now().wall
}

fn gate(folder: &Path, network: Digest) -> Gate {
    let link: Link = read(folder, "net/authority/roster-000001.cbor");
    let mut gate = Gate::begin(Chain::begin(network, &link, &Real).unwrap(), vec![link.into()]);
    for file in ["pulse.cbor", "status-list-tokyo.cbor"] {
        let notice: Notice = read(folder, &format!("net/notices/{file}"));
        gate = gate.learn(&notice, now(), &Real).unwrap().unwrap();
    }
    gate
}

#[test]
fn a_founded_network_is_believed_and_its_credential_counts_until_revoked() {
    let (folder, network) = founded();
    let folder = folder.path();
    let before = gate(folder, network);
    let bytes = std::fs::read(folder.join("net/members/office-1370101238/seat.credential")).unwrap();
    let credential = Credential::verify(&bytes, &network, before.roster(), now(), &Real).unwrap();
    assert_eq!(credential.counts(before.list(&credential.issuer), now()), Ok(()));

    assert_eq!(good(folder, REVOKE)["revoked"], serde_json::json!([credential.serial]));
    good(folder, "authority pulse --folder net/authority --notices net/notices");
    let after = gate(folder, network);
    assert_eq!(credential.counts(after.list(&credential.issuer), now()), Err(CredentialError::Revoked));
}

/// An office's application for a credential for the keys of a folder.
fn join(folder: &Path, network: Digest, party: &str, keys: &str, out: &str) {
    let words = format!(
        "member join --party {party} --name 見本 --service 43 --keys {keys} \
         --first-roster net/authority/roster-000001.cbor --network {network} --out {out}"
    );
    good(folder, &words);
}

fn to_issuer(verb: &str, application: &str, out: &str) -> String {
    format!("credential {verb} --issuer net/members/issuer-tokyo --application {application} --out {out}")
}

#[test]
fn a_revoked_office_enrols_anew_with_new_keys_and_renews_with_those_only() {
    let (folder, network) = founded();
    let folder = folder.path();
    join(folder, network, "office:1370101238", OWN_KEYS, "same");
    join(folder, network, "office:1370101238", "fresh", "new");
    let to = |verb: &str, application: &str| to_issuer(verb, application, "out.credential");
    good(folder, &to("renew", "same"));
    assert_eq!(bad(folder, &to("renew", "new")), (1, "T0202".into()));
    assert_eq!(bad(folder, &to("issue", "new")), (1, "T0202".into()));
    good(folder, REVOKE);
    assert_eq!(bad(folder, &to("renew", "same")), (1, "T0202".into()));
    assert_eq!(bad(folder, &to("issue", "same")), (1, "T0202".into()));
    good(folder, &to("issue", "new"));
    assert_eq!(bad(folder, &format!("{} --hours 25", to("renew", "new"))), (1, "T0202".into()));
}

#[test]
fn an_office_goes_on_with_the_announced_key_and_never_back() {
    let (folder, network) = founded();
    let folder = folder.path();
    let own = "net/members/office-1370101238/keys";
    let renew = |out: &str| {
        let words = format!(
            "member join --party office:1370101238 --name 見本 --service 43 --keys {own} \
             --first-roster net/authority/roster-000001.cbor --network {network} --out {out}"
        );
        good(folder, &words);
        format!("credential renew --issuer net/members/issuer-tokyo --application {out} --out {out}.credential")
    };
    let credential = |out: &str| Credential::own(&std::fs::read(folder.join(format!("{out}.credential"))).unwrap());
    good(folder, &renew("first"));
    good(folder, &format!("member rotate --key signing --office --keys {own}"));
    good(folder, &renew("second"));
    let (first, second) = (credential("first").unwrap(), credential("second").unwrap());
    assert_eq!(second.signing.digest(), first.next_signing);
    assert_ne!(second.next_signing, first.next_signing);
    // The application with the key before is refused, and so is one that would announce it again.
    let back = "credential renew --issuer net/members/issuer-tokyo --application first --out x";
    assert_eq!(bad(folder, back), (1, "T0202".into()));
    // The key before stays in the file until somebody says that nothing names it any more.
    let again = format!("member rotate --key signing --office --keys {own}");
    assert_eq!(bad(folder, &again), (74, "T0402".into()));
    good(folder, &format!("{again} --drop-before"));
    good(folder, &renew("third"));
    assert_eq!(credential("third").unwrap().signing.digest(), second.next_signing);
}

#[test]
fn no_key_is_replaced_for_whoever_does_not_say_what_it_is() {
    let (folder, network) = founded();
    let folder = folder.path();
    let keys = format!("net/members/{INSURER}/keys");
    let kept = || std::fs::read(folder.join(&keys).join("seat.keys")).unwrap();
    let before = kept();
    let three = ["--party insurer:131235".to_owned(), format!("--network {network}"), "--out log.rotation".to_owned()];
    let rotate = |rest: &str| format!("member rotate --key log --keys {keys} {rest}");
    for left_out in 0..three.len() {
        let two: Vec<_> =
            three.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, words)| &**words).collect();
        assert_eq!(bad(folder, &rotate(&two.join(" "))), (2, "T0001".into()), "{two:?}");
        assert_eq!(bad(folder, &rotate(&three[left_out])), (2, "T0001".into()), "{}", three[left_out]);
    }
    assert_eq!(bad(folder, &rotate("")), (2, "T0001".into()));
    let of_an_office = three.join(" ").replace("insurer:131235", "office:1370101238");
    assert_eq!(bad(folder, &rotate(&of_an_office)), (2, "T0001".into()));
    assert_eq!(tsunagi(folder, &rotate(&format!("--office {}", three[0]))).status.code(), Some(2));
    let transport = rotate(&three.join(" ")).replace("--key log", "--key transport");
    assert_eq!(bad(folder, &transport), (2, "T0001".into()));
    assert!(kept() == before && !folder.join("log.rotation").exists());
    good(folder, &rotate(&three.join(" ")));
    assert!(kept() != before && folder.join("log.rotation").exists());
}

#[test]
fn a_member_destroys_a_key_only_when_the_newest_roster_names_it_no_more() {
    let (folder, network) = founded();
    let folder = folder.path();
    let rotate = |out: &str| {
        format!(
            "member rotate --key signing --keys net/members/{INSURER}/keys --party insurer:131235 --network {network} \
             --out {out}"
        )
    };
    good(folder, &rotate("first"));
    let kept = || std::fs::read(folder.join(format!("net/members/{INSURER}/keys/seat.keys"))).unwrap();
    let turned_once = kept();
    let rosters = |newest: u32| {
        let files = (1..=newest).map(|version| format!(" net/authority/roster-{version:06}.cbor"));
        format!("{} --drop-before --roster{}", rotate("second"), files.collect::<String>())
    };
    assert_eq!(bad(folder, &rotate("second")), (74, "T0402".into()));
    assert_eq!(bad(folder, &format!("{} --drop-before", rotate("second"))), (2, "T0001".into()));
    assert_eq!(bad(folder, &rosters(1)), (1, "T0204".into()));
    for (newest, step) in [(2, "announce"), (3, "use"), (4, "retire")] {
        assert_eq!(bad(folder, &rosters(newest - 1)), (1, "T0204".into()), "before {step}");
        good(folder, &format!("authority rotate --folder net/authority --rotation first --step {step}"));
    }
    assert_eq!(bad(folder, &rosters(3)), (1, "T0204".into()), "the newest was left out");
    assert!(kept() == turned_once && !folder.join("second").exists());
    good(folder, &rosters(4));
    assert!(kept() != turned_once && folder.join("second").exists());
}

#[test]
fn a_member_s_keys_are_replaced_while_its_node_runs() {
    let (folder, network) = founded();
    let folder = folder.path();
    let mut running = Running::default();
    // Nobody writes before a witness confirmed that their ledger is the newest.
    running.spawn(folder, WITNESS);
    let (insurer, office) = (running.start(folder, INSURER), running.start(folder, OFFICE));
    let (client, _stranger) = feed(&insurer);
    let asked = || said(folder, &question(&client)).0;
    assert!(wait_until(LIMIT, || asked() == 0));
    let mut version = 1;
    for key in ["log", "signing"] {
        good(
            folder,
            &format!(
                "member rotate --key {key} --keys net/members/{INSURER}/keys --party insurer:131235 \
                 --network {network} --out {key}.rotation"
            ),
        );
        let rotate = format!("authority rotate --folder net/authority --rotation {key}.rotation --step");
        assert_eq!(bad(folder, &format!("{rotate} use")), (1, "T0201".into()), "not announced yet");
        for step in ["announce", "use", "retire"] {
            version += 1;
            assert_eq!(good(folder, &format!("{rotate} {step}"))["version"], version);
            let link: Link = read(folder, &format!("net/authority/roster-{version:06}.cbor"));
            insurer.notice(&Notice::Roster(link)).unwrap();
            let knows = |line: &Line| line.status().unwrap()["roster_version"] == version;
            assert!(wait_until(LIMIT, || knows(&insurer) && knows(&office)), "{key} {step}");
            assert!(wait_until(LIMIT, || asked() == 0), "{key} {step}");
        }
    }
    let newest: Link = read(folder, &format!("net/authority/roster-{version:06}.cbor"));
    let roster = newest.claimed().unwrap();
    let member = roster.member(&protocol::id::party::PartyId::parse("insurer:131235").unwrap()).unwrap();
    let head = protocol::ledger::checkpoint::SignedCheckpoint::parse(insurer.checkpoint().unwrap().as_bytes()).unwrap();
    let origin = protocol::requester::origin_of_member(&network, member);
    assert_eq!(member.log.len(), 1);
    rosters_are_asked_for_by_their_numbers(folder, version);
    assert!(head.verify(&Real, &origin, member.log[0].as_bytes()).is_ok(), "signed with the new log key");

    // Sealing keys at once; what the office knew of before is sealed to the retired ones and opens.
    let sealing = format!("member rotate --key sealing --config net/members/{INSURER}/node.toml");
    assert_eq!(good(folder, &sealing)["rotated"], true);
    assert_eq!(asked(), 0);
    drop(running);
    let mut running = Running::default();
    running.spawn(folder, WITNESS);
    running.start(folder, INSURER);
    running.start(folder, OFFICE);
    assert!(wait_until(LIMIT, || asked() == 0), "with the keys as they are after a restart");
}

#[test]
fn a_member_joins_with_proof_of_each_key() {
    let (folder, network) = founded();
    let folder = folder.path();
    for keys in ["k1", "k2"] {
        good(
            folder,
            &format!(
                "member join --party insurer:131011 --name 千代田区 --insurer 131011 --keys {keys} \
             --first-roster net/authority/roster-000001.cbor --network {network} --out {keys}.app"
            ),
        );
    }
    good(folder, "member challenge --folder net/authority --application k1.app --out c1 --expected e1");
    assert_eq!(
        bad(folder, "member answer --keys k2 --application k2.app --challenge c1 --out a2"),
        (1, "T0203".into())
    );
    good(folder, "member answer --keys k2 --application k1.app --challenge c1 --out wrong");
    let add = "member add --folder net/authority --application k1.app --expected e1 --from 2027-04-01 --answer";
    assert_eq!(bad(folder, &format!("{add} wrong")), (1, "T0203".into()));
    good(folder, "member answer --keys k1 --application k1.app --challenge c1 --out a1");
    assert_eq!(good(folder, &format!("{add} a1"))["members"], 4);
    let first: Link = read(folder, "net/authority/roster-000001.cbor");
    let second: Link = read(folder, "net/authority/roster-000002.cbor");
    let chain = Chain::begin(network, &first, &Real).unwrap().extend(&second, &Real).unwrap();
    assert_eq!(chain.newest().version, 2);
    good(folder, "authority pulse --folder net/authority --notices net/notices");
    assert_eq!(read::<Notice>(folder, "net/notices/roster-000002.cbor"), Notice::Roster(second));
}

/// Words of an application with new keys, and those for its way into the roster.
fn applies(network: Digest, party: &str, name: &str) -> String {
    format!(
        "member join --party {party} --name 見本 --keys {name}.keys --first-roster net/authority/roster-000001.cbor \
         --network {network} --out {name}.app"
    )
}

fn adds(folder: &Path, name: &str) -> String {
    let files = format!("--application {name}.app --expected {name}.expected");
    good(folder, &format!("member challenge --folder net/authority {files} --out {name}.challenge"));
    let answer = format!("--keys {name}.keys --application {name}.app --challenge {name}.challenge");
    good(folder, &format!("member answer {answer} --out {name}.answer"));
    format!("member add --folder net/authority {files} --answer {name}.answer --from 2027-04-01")
}

#[test]
fn an_insurer_says_for_which_numbers_it_answers_and_nobody_else_does() {
    let (folder, network) = founded();
    let folder = folder.path();
    assert_eq!(bad(folder, &applies(network, "insurer:131011", "none")), (2, "T0001".into()));
    let witness = format!("{} --insurer 131011", applies(network, "witness:w-2", "none"));
    assert_eq!(bad(folder, &witness), (2, "T0001".into()));
    assert!(!folder.join("none.keys").exists(), "refused before anything was made");
    // An application of other software may leave them out; the authority sees it.
    good(folder, &format!("{} --insurer 131011", applies(network, "insurer:131011", "city")));
    let secrets = tools::seat::load(&folder.join("city.keys"), "seat.keys").unwrap();
    let applicant = tools::application::Applicant {
        party: protocol::id::party::PartyId::parse("insurer:131011").unwrap(),
        name: "見本".to_owned(),
        services: Vec::new(),
        insurers: Vec::new(),
    };
    let signed = tools::application::SignedApplication::make(applicant, network, &secrets, now()).unwrap();
    std::fs::write(folder.join("city.app"), cbor::encode(&signed)).unwrap();
    let add = adds(folder, "city");
    assert_eq!(bad(folder, &add), (65, "T0101".into()));
}

#[test]
fn an_issuer_hears_at_once_that_no_application_makes_it_one() {
    let (folder, network) = founded();
    let folder = folder.path();
    assert_eq!(bad(folder, &applies(network, "issuer:osaka", "osaka")), (1, "T0206".into()));
    let said = String::from_utf8(tsunagi(folder, &applies(network, "issuer:osaka", "osaka")).stderr).unwrap();
    assert!(said.contains("[[issuers]]") && !folder.join("osaka.keys").exists(), "{said}");
    // An office applies to an issuer, not to the authority.
    good(folder, &format!("{} --service 43", applies(network, "office:1370200014", "office")));
    let add = adds(folder, "office");
    assert_eq!(bad(folder, &add), (1, "T0206".into()));
}

#[test]
fn a_witness_is_added_with_a_quorum_of_more_than_half() {
    let (folder, network) = founded();
    let folder = folder.path();
    good(folder, &applies(network, "witness:w-2", "second"));
    let add = adds(folder, "second");
    assert_eq!(bad(folder, &add), (1, "T0207".into()));
    let said = String::from_utf8(tsunagi(folder, &add).stderr).unwrap();
    assert!(said.contains("--witness-quorum 2"), "{said}");
    assert_eq!(bad(folder, &format!("{add} --witness-quorum 3")), (1, "T0207".into()), "more than there are");
    assert!(!folder.join("net/authority/roster-000002.cbor").exists());
    good(folder, &format!("{add} --witness-quorum 2"));
    let second: Link = read(folder, "net/authority/roster-000002.cbor");
    assert_eq!(second.claimed().unwrap().witness_quorum, 2);
}

#[test]
fn keys_that_cannot_be_had_are_not_answered_with_the_same_command() {
    let (folder, network) = founded();
    let folder = folder.path();
    let join = format!("{} --insurer 131011", applies(network, "insurer:131011", "city"));
    // As `install -d` leaves it.
    std::fs::create_dir(folder.join("city.keys")).unwrap();
    good(folder, &join);
    std::fs::remove_file(folder.join("city.keys/tsunagi-node-key")).unwrap();
    let again = tsunagi(folder, &join);
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(
        said.contains("T0403") && said.contains("CREDENTIALS_DIRECTORY") && !said.contains("member join"),
        "{said}"
    );
    std::fs::remove_file(folder.join("city.keys/seat.keys")).unwrap();
    std::fs::write(folder.join("city.keys/note"), "").unwrap();
    let said = String::from_utf8(tsunagi(folder, &join).stderr).unwrap();
    assert!(said.contains("T0403") && said.contains("--keys") && !said.contains("member join"), "{said}");
}

#[test]
fn a_plan_that_breaks_a_rule_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (from, to) in [("prefixes = [\"13\"]", "prefixes = [\"14\"]"), ("\"131235\"", "\"131235\", \"131235\"")] {
        std::fs::write(folder.join("plan.toml"), PLAN.replace(from, to)).unwrap();
        assert_eq!(bad(folder, "network init --out net --plan plan.toml"), (65, "T0102".into()), "{to}");
        assert!(!folder.join("net").exists(), "{to}");
    }
    std::fs::write(folder.join("plan.toml"), PLAN).unwrap();
    let made = good(folder, "network init --out net --plan plan.toml");
    let parties: Vec<_> =
        made["nodes"].as_array().unwrap().iter().map(|node| node["party"].as_str().unwrap()).collect();
    assert_eq!(parties, ["insurer:131235", "witness:w-1", "office:1370101238", "issuer:tokyo"]);
    let told = text(folder, "network init --out other --plan plan.toml");
    assert!(told.contains("ノード: 4") && told.contains("witness-w-1/node.toml"), "{told}");
}

#[test]
fn spoiled_inputs_end_with_their_code() {
    let (folder, _network) = founded();
    let folder = folder.path();
    assert_eq!(bad(folder, "network init --out net --plan plan.toml"), (74, "T0402".into()));
    assert_eq!(bad(folder, "network init --out other --plan none.toml"), (74, "T0401".into()));
    std::fs::write(folder.join("bad.toml"), PLAN.replace("threshold = 2", "threshold = 9")).unwrap();
    assert_eq!(bad(folder, "network init --out other --plan bad.toml"), (65, "T0102".into()));
    std::fs::create_dir(folder.join("spoiled")).unwrap();
    std::fs::write(folder.join("list.json"), b"[{}]").unwrap();
    let next = "authority roster-next --folder net/authority --members list.json";
    assert_eq!(bad(folder, next), (65, "T0101".into()));
    let list = "credential list --issuer net/members/issuer-tokyo --notices net/notices --rosters";
    std::fs::write(folder.join("spoiled/roster-000001.cbor"), b"\xff").unwrap();
    assert_eq!(bad(folder, &format!("{list} spoiled")), (65, "T0101".into()));
    assert_eq!(tsunagi(folder, "network").status.code(), Some(2));
    assert_eq!(bad(folder, &REVOKE.replace("1370101238", "1370200014")), (1, "T0205".into()));
    assert_eq!(bad(folder, &format!("{REVOKE} --serial 99")), (1, "T0205".into()));
}

/// Processes of this test; each is ended with it.
#[derive(Default)]
struct Running(Vec<Child>);

impl Running {
    /// Starts the node of a member's folder.
    fn spawn(&mut self, folder: &Path, member: &str) {
        let home = folder.join("net/members").join(member);
        let config = home.join("node.toml");
        let log = std::fs::File::create(home.join("node.log")).unwrap();
        let mut run = Command::new(env!("CARGO_BIN_EXE_tsunagi"));
        run.args(["run", "--config"]).arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.0.push(run.spawn().unwrap());
    }

    /// Waits until the node of a member's folder says this of itself.
    fn wait(&self, folder: &Path, member: &str, is_so: fn(&Line) -> bool) -> Line {
        let home = folder.join("net/members").join(member);
        let config = home.join("node.toml");
        let opened = || Line::open(None, None, Some(&config)).ok().filter(is_so);
        let log = || std::fs::read_to_string(home.join("node.log")).unwrap();
        assert!(wait_until(LIMIT, || opened().is_some()), "{member} is not so: {}", log());
        opened().unwrap()
    }

    /// Starts the node of a member's folder and waits until it is ready.
    fn start(&mut self, folder: &Path, member: &str) -> Line {
        self.spawn(folder, member);
        self.wait(folder, member, Line::is_ready)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// What a node with a log in JSON said of its start. Every line is JSON.
fn states(folder: &Path, member: &str) -> Vec<String> {
    let log = std::fs::read_to_string(folder.join("net/members").join(member).join("node.log")).unwrap();
    // The last line may be half written.
    let lines = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let said = lines.map(|line| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        line["message"].as_str().unwrap_or_default().to_owned()
    });
    said.filter(|said| ["settling", "ready"].contains(&said.as_str())).collect()
}

const LIMIT: Duration = Duration::from_secs(40);
const OWN_KEYS: &str = "net/members/office-1370101238/keys";
const REVOKE: &str =
    "credential revoke --issuer net/members/issuer-tokyo --party office:1370101238 --notices net/notices";
const ROSTER: &str = "--roster net/authority/roster-000001.cbor";
const WITNESS: &str = "witness-w-1";
const INSURER: &str = "insurer-131235";
const OFFICE: &str = "office-1370101238";
const ISSUER: &str = "issuer-tokyo";

/// The answer or report with its exit status, whatever that is.
fn said(folder: &Path, words: &str) -> (i32, Value) {
    let output = tsunagi(folder, words);
    let told = serde_json::from_slice(&output.stdout);
    let told = told.unwrap_or_else(|_| panic!("{words}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), told)
}

fn text(folder: &Path, words: &str) -> String {
    let mut run = Command::new(env!("CARGO_BIN_EXE_tsunagi"));
    let output = run.current_dir(folder).args(words.split(' ')).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Feeds invented persons, and finds a client of the office and somebody it has nothing to do with.
fn feed(insurer: &Line) -> (Invented, Invented) {
    let party = |text: &str| protocol::id::party::PartyId::parse(text).unwrap();
    let plan = population::Plan {
        insurer: protocol::id::insurer::InsurerNumber::parse("131235").unwrap(),
        persons: 60,
        seed: 2026,
        today: protocol::date::Date::from_timestamp_japan(now()),
        offices: vec![party("office:1370101238")],
        services: vec![party("office:1370200014")],
        hospitals: vec![party("hospital:1312300450")],
        records_per_person_min: 0,
        months: 1,
    };
    for person in population::persons(&plan) {
        insurer.import(&person.line()).unwrap();
    }
    let mut cast = population::Cast::new(plan);
    let client = cast.first(|person| tools::demo::stage::is_client(person, "office:1370101238")).unwrap();
    let stranger =
        cast.first(|person| person.relationships().iter().all(|tie| tie.party.to_string() != "office:1370101238"));
    (client, stranger.unwrap())
}

fn question(person: &Invented) -> String {
    format!(
        "ask --config net/members/{OFFICE}/node.toml --staff cm-1 --job care-manager --purpose care-planning \
         --insurer 131235 --insured {} --kind certification-result",
        person.insured().expose()
    )
}

#[test]
fn a_real_network_is_asked_and_audited_from_the_command_line() {
    let (folder, _network) = founded();
    let folder = folder.path();
    let mut running = Running::default();
    running.spawn(folder, INSURER);
    running.wait(folder, INSURER, |line| {
        let status = line.status().unwrap_or_default();
        status["unready_because"].as_str().is_some_and(|why| why.contains("立会に届くまで答えません"))
    });
    running.start(folder, "witness-w-1");
    let insurer = running.wait(folder, INSURER, Line::is_ready);
    assert!(wait_until(LIMIT, || states(folder, INSURER) == ["settling", "ready"]), "{:?}", states(folder, INSURER));
    let office = running.start(folder, OFFICE);
    let (client, stranger) = feed(&insurer);

    // The first ask may come before the two have met.
    let asked = || said(folder, &question(&client));
    assert!(wait_until(LIMIT, || asked().0 == 0), "{}", asked().1);
    let (_status, answer) = asked();
    assert_eq!(answer["responder"], "insurer:131235");
    let told = text(folder, &question(&client));
    for part in ["結果: 答え", "答えた組織: insurer:131235", "■ ", "令和", "受領証: insurer:131235 の台帳の"]
    {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    let by_url = question(&client).replace(
        &format!("--config net/members/{OFFICE}/node.toml"),
        &format!("--url http://{} --token-file net/members/{OFFICE}/api-tokens", office.api()),
    );
    assert_eq!(said(folder, &by_url).0, 0);
    let (status, refused) = said(folder, &question(&stranger));
    assert_eq!((status, &refused["outcome"], &refused["told"]), (1, &json!("refused"), &json!("not-permitted")));
    let wrong_token = by_url.replace(&format!("{OFFICE}/api-tokens"), &format!("{INSURER}/api-tokens"));
    assert_eq!(bad(folder, &wrong_token), (1, "T0302".into()));
    assert_eq!(bad(folder, &question(&client).replace("care-manager", "spy")), (2, "T0001".into()));

    receipts_hold_until_spoiled(folder, &answer, &refused);
    what_a_stolen_key_touched(folder, &answer);
    ledgers_are_verified(folder, &insurer);
    a_history_is_whole(folder, &client);
    a_receipt_of_another_epoch_is_pointed_to(folder, &office, &answer);
    let doctor = format!("doctor --config net/members/{OFFICE}/node.toml");
    assert_eq!(good(folder, &doctor)["ok"], true, "{}", text(folder, &doctor));

    drop(running);
    assert_eq!(bad(folder, &question(&client)), (69, "T0301".into()));
    let (status, found) = said(folder, &doctor);
    let faults = |found: &Value| {
        let all = found["findings"].as_array().unwrap().iter();
        all.filter(|one| one["mark"] == "✗").map(|one| one["what"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((status, faults(&found)), (1, vec!["接続先".to_owned()]), "{found}");
    persons_keys_are_missed(folder);
    spoil(folder);
    let (status, found) = said(folder, &doctor);
    assert_eq!(
        (status, faults(&found)),
        (1, ["鍵", "権限", "ポート", "名簿と脈", "接続先"].map(String::from).to_vec())
    );
}

/// Hands a running node a renewed credential, as its operator's software does: the status, and what it says.
fn renew(office: &Line, folder: &Path, file: &str) -> (u16, String) {
    use std::io::{Read, Write};
    let token = std::fs::read_to_string(folder.join("net/members").join(OFFICE).join("api-tokens")).unwrap();
    let token = token.lines().find(|line| !line.starts_with('#')).unwrap().trim().to_owned();
    let bytes = std::fs::read(folder.join(file)).unwrap();
    let mut stream = std::net::TcpStream::connect(office.api()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let length = bytes.len();
    let head = format!(
        "PUT /v1/credential HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Connection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes)).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

#[test]
fn a_credential_for_other_keys_or_for_another_office_is_not_taken() {
    let (folder, network) = founded();
    let folder = folder.path();
    let mut running = Running::default();
    running.start(folder, "witness-w-1");
    running.start(folder, INSURER);
    let office = running.start(folder, OFFICE);
    join(folder, network, "office:1370101238", OWN_KEYS, "same");
    join(folder, network, "office:1370101238", "fresh", "other");
    join(folder, network, "office:1370200014", "neighbour-keys", "neighbour");
    good(folder, &to_issuer("renew", "same", "same.credential"));
    good(folder, &to_issuer("issue", "neighbour", "neighbour.credential"));
    good(folder, REVOKE);
    good(folder, &to_issuer("issue", "other", "other.credential"));
    let kept = || std::fs::read(folder.join("net/members").join(OFFICE).join("seat.credential")).unwrap();
    let before = kept();
    for (file, why) in
        [("other.credential", "other keys"), ("neighbour.credential", "another organisation"), ("other", "")]
    {
        let (status, said) = renew(&office, folder, file);
        assert_eq!(status, 422, "{file}: {said}");
        assert!(said.contains("TSG-1009") && said.contains(why), "{file}: {said}");
        assert_eq!(kept(), before, "{file}");
    }
    let (status, said) = renew(&office, folder, "same.credential");
    assert_eq!(status, 200, "{said}");
    assert_eq!(kept(), std::fs::read(folder.join("same.credential")).unwrap());
}

/// A node of nobody's, and what it hears.
fn stranger() -> (Network, mpsc::Receiver<NetworkEvent>) {
    let (hears, heard) = mpsc::channel();
    let hears = std::sync::Mutex::new(hears);
    let deliver = move |event| {
        // The test may be over.
        drop(hears.lock().unwrap().send(event));
        Flow::On
    };
    (Network::start(NetworkConfig::default(), &[9; 32], Box::new(deliver)).unwrap(), heard)
}

/// Dials until there is a connection.
fn meet(stranger: &Network, heard: &mpsc::Receiver<NetworkEvent>, addresses: &[String]) -> Connection {
    let peer = PeerKey::named_in(&addresses[0]).unwrap();
    let mut found = None;
    let is_open = wait_until(LIMIT, || {
        stranger.dial(peer, addresses);
        found = heard.iter().find_map(|event| match event {
            NetworkEvent::Opened { connection, .. } => Some(Some(connection)),
            NetworkEvent::Unreachable { .. } => Some(None),
            _ => None,
        });
        matches!(found, Some(Some(_)))
    });
    assert!(is_open, "never connected");
    found.flatten().unwrap()
}

fn hears_the_end(heard: &mpsc::Receiver<NetworkEvent>, of: Connection) {
    let end = NetworkEvent::Closed { connection: of };
    while heard.recv_timeout(LIMIT).unwrap() != end {}
}

#[test]
fn a_stranger_is_closed_in_time_and_its_nonsense_fills_no_log() {
    let (folder, _network) = founded();
    let folder = folder.path();
    let mut running = Running::default();
    running.start(folder, "witness-w-1");
    let insurer = running.start(folder, INSURER);
    let status = insurer.status().unwrap();
    let addresses: Vec<String> =
        status["listening"].as_array().unwrap().iter().map(|address| address.as_str().unwrap().to_owned()).collect();
    let (network, heard) = stranger();
    let began = std::time::Instant::now();
    let silent = meet(&network, &heard, &addresses);
    hears_the_end(&heard, silent);
    let took = began.elapsed().as_millis();
    assert!(took + 1000 >= u128::from(limits::STRANGER_LIMIT.ms()), "closed after {took} ms already");

    let log = || std::fs::read_to_string(folder.join("net/members").join(INSURER).join("node.log")).unwrap();
    let before = log().lines().count();
    let dropped = || insurer.figure("tsunagi_drops_total", "malformed").unwrap();
    let dropped_before = dropped();
    for _ in 0..20 {
        let connection = meet(&network, &heard, &addresses);
        for number in 0..100_u64 {
            let sorry = cbor::encode(&protocol::frame::Frame::Sorry(number));
            // Closed after the third fault.
            if network.send(connection, vec![0xFF; 64]).and_then(|()| network.send(connection, sorry)).is_err() {
                break;
            }
        }
        hears_the_end(&heard, connection);
    }
    assert!(dropped() >= dropped_before + 20.0, "{} of {dropped_before}", dropped());
    let lines: Vec<String> = log().lines().skip(before).map(str::to_owned).collect();
    assert!(lines.len() <= 2, "{lines:#?}");
    network.stop();
}

fn digest_of_the_first_roster(folder: &Path) -> Digest {
    read::<Link>(folder, "net/authority/roster-000001.cbor").digest()
}

fn receipts_hold_until_spoiled(folder: &Path, answer: &Value, refused: &Value) {
    let check = |value: &Value| {
        std::fs::write(folder.join("answer.json"), value.to_string()).unwrap();
        said(folder, &format!("ledger receipt --answer answer.json {ROSTER}"))
    };
    for sound in [answer, refused] {
        let (status, proven) = check(sound);
        assert_eq!((status, &proven["responder"]), (0, &json!("insurer:131235")), "{proven}");
        assert_eq!(proven["leaf"], sound["receipt"]["leaf"]);
    }
    let network = digest_of_the_first_roster(folder);
    let (_status, alone) = check(answer);
    assert_eq!((&alone["network"], &alone["network_compared"]), (&json!(network.to_string()), &json!(false)));
    let words = format!("ledger receipt --answer answer.json {ROSTER}");
    let told = text(folder, &words);
    assert!(
        told.contains(&network.to_string()) && told.contains("照合していません") && !told.contains("  ("),
        "{told}"
    );
    let compared = format!("{words} --network {network}");
    assert_eq!(good(folder, &compared)["network_compared"], true);
    assert!(!text(folder, &compared).contains("照合していません"));
    let another = Digest::of(b"another network");
    assert_eq!(bad(folder, &format!("{words} --network {another}")), (1, "T0201".into()));
    let spoilt = |path: &str, with: Value| {
        let mut value = answer.clone();
        *value.pointer_mut(path).unwrap() = with;
        let (status, found) = check(&value);
        assert_eq!((status, &found["ok"]), (1, &json!(false)), "{path} was not missed");
        found["reason"].as_str().unwrap().to_owned()
    };
    assert!(spoilt("/receipt/request", refused["receipt"]["request"].clone()).contains("another request"));
    assert!(spoilt("/receipt/evidence", refused["receipt"]["evidence"].clone()).contains("another request"));
    spoilt("/receipt/body", refused["receipt"]["body"].clone());
    assert!(spoilt("/records/0/kind", json!("care-plan")).contains("records"));
    assert!(spoilt("/responder", json!("insurer:122069")).contains("responder"));
    assert!(spoilt("/decided_at_ms", json!(1)).contains("decided_at_ms"));
    std::fs::write(folder.join("answer.json"), "{}").unwrap();
    assert_eq!(bad(folder, &format!("ledger receipt --answer answer.json {ROSTER}")), (65, "T0101".into()));
}

fn what_a_stolen_key_touched(folder: &Path, answer: &Value) {
    let affected = format!("ledger affected --config net/members/{INSURER}/node.toml --party");
    let found = good(folder, &format!("{affected} office:1370101238"));
    let exchanges = found["exchanges"].as_array().unwrap();
    let leaves: Vec<u64> = exchanges.iter().map(|exchange| exchange["leaf"].as_u64().unwrap()).collect();
    assert!(leaves.is_sorted() && leaves.contains(&answer["receipt"]["leaf"].as_u64().unwrap()), "{found}");
    assert!(exchanges.iter().all(|exchange| exchange["staff"] == "cm-1"), "{found}");
    assert!(exchanges.iter().any(|exchange| exchange["refused"] == "no relationship between organisation and person"));
    assert_eq!(found["persons"], 2);
    let since = |day: &str| good(folder, &format!("{affected} office:1370101238 --since {day}"))["exchanges"].clone();
    assert_eq!(since("2020-01-01"), found["exchanges"]);
    assert_eq!(since("2199-01-01"), json!([]));
    assert_eq!(found["known"], true);
    let later = good(folder, &format!("{affected} office:1370101238 --since 2199-01-01"));
    assert_eq!(later["known"], true, "it asked before that day");
    let never = good(folder, &format!("{affected} office:1370200014"));
    assert_eq!((&never["exchanges"], &never["known"]), (&json!([]), &json!(false)));
    assert!(text(folder, &format!("{affected} office:1370200014")).contains("この台帳にありません"));
    assert_eq!(good(folder, &format!("{affected} witness:w-1 {ROSTER}"))["known"], true, "a member that never asked");
    assert_eq!(good(folder, &format!("{affected} witness:w-9 {ROSTER}"))["known"], false);
    for slip in ["office:137010123", "office:1370101239", "insurer:131234", "insurer:13123", "hospital:1390100018"] {
        assert_eq!(bad(folder, &format!("{affected} {slip}")), (2, "T0001".into()), "{slip}");
    }
}

fn ledgers_are_verified(folder: &Path, insurer: &Line) {
    let verify =
        |member: &str| said(folder, &format!("ledger verify --config net/members/{member}/node.toml {ROSTER}"));
    let (status, own) = verify(OFFICE);
    assert_eq!((status, &own["signed"]), (0, &Value::Null), "{own}");
    assert!(wait_until(LIMIT, || verify(INSURER).0 == 0), "{}", verify(INSURER).1);
    let (_status, seen) = verify(INSURER);
    assert_eq!((&seen["signed"], &seen["size"]), (&json!(true), &json!(insurer.ledger_size().unwrap())));
    assert_eq!((&seen["quorum"], &seen["cosigned"][0]["witness"]), (&json!(1), &json!("witness:w-1")));
    assert!(seen["quorum_size"].as_u64() > Some(0));
    assert_eq!((&seen["epoch"]["number"], &seen["epoch"]["after"]), (&json!(1), &Value::Null));
    assert_eq!((&seen["notes"]["rosters"], &seen["missing_rosters"]), (&json!([]), &Value::Null));
    let (folder_of_another, _network) = founded();
    let other = folder_of_another.path().join("net/authority/roster-000001.cbor");
    let words = format!("ledger verify --config net/members/{INSURER}/node.toml --roster {}", other.display());
    assert_eq!(said(folder, &words).0, 1, "verified with another network's roster");
}

/// The ledger is signed with a key that only the newest roster names.
fn rosters_are_asked_for_by_their_numbers(folder: &Path, newest: u32) {
    let with = |versions: &mut dyn Iterator<Item = u32>| {
        let rosters: String =
            versions.map(|version| format!(" --roster net/authority/roster-{version:06}.cbor")).collect();
        format!("ledger verify --config net/members/{INSURER}/node.toml{rosters}")
    };
    let (status, found) = said(folder, &with(&mut std::iter::once(1)));
    assert_eq!((status, &found["missing_rosters"]), (1, &json!({"from": 2, "to": newest})), "{found}");
    let told = text(folder, &with(&mut std::iter::once(1)));
    assert!(told.contains("名簿が足りない") && told.contains(&format!("第 2〜{newest} 版")), "{told}");
    let gap = with(&mut (1..=newest).filter(|version| *version != 3));
    let output = tsunagi(folder, &gap);
    let said_of_gap = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said_of_gap.contains("第 3 版がありません"), "{said_of_gap}");
    let whole = with(&mut (1..=newest));
    assert!(wait_until(LIMIT, || said(folder, &whole).0 == 0), "{}", said(folder, &whole).1);
    let (_status, found) = said(folder, &whole);
    let noted: Vec<u64> =
        found["notes"]["rosters"].as_array().unwrap().iter().map(|one| one["version"].as_u64().unwrap()).collect();
    assert_eq!(noted, (2..=u64::from(newest)).collect::<Vec<_>>(), "each from the leaf on that says so");
}

/// The person is shown who looked, and holds it against the whole ledger.
fn a_history_is_whole(folder: &Path, client: &Invented) {
    let ask = format!(
        "ask --config net/members/{INSURER}/node.toml --staff desk-1 --job insured-person --purpose own-record \
         --insurer 131235 --insured {} --history",
        client.insured().expose()
    );
    let (status, answer) = said(folder, &ask);
    assert_eq!(status, 0, "{answer}");
    let check = |answer: &Value| {
        std::fs::write(folder.join("history.json"), answer.to_string()).unwrap();
        let config = format!("--config net/members/{INSURER}/node.toml");
        said(folder, &format!("ledger history --answer history.json {config} {ROSTER}"))
    };
    let (status, found) = check(&answer);
    let shown = answer["history"].as_array().unwrap().len();
    assert_eq!((status, &found["steps"], &found["opened"]), (0, &json!(shown), &json!(shown)), "{found}");
    assert_eq!(found["newest"], json!(shown), "this is the person's first day");
    let mut shortened = answer;
    shortened["history"].as_array_mut().unwrap().remove(0);
    let (status, found) = check(&shortened);
    assert_eq!((status, &found["ok"]), (1, &json!(false)), "{found}");
}

/// Reads a path of a running node's API: the status, and what it says.
fn read_path(line: &Line, folder: &Path, member: &str, path: &str) -> (u16, String) {
    use std::io::{Read, Write};
    let token = std::fs::read_to_string(folder.join("net/members").join(member).join("api-tokens")).unwrap();
    let token = token.lines().find(|line| !line.starts_with('#')).unwrap().trim().to_owned();
    let mut stream = std::net::TcpStream::connect(line.api()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

fn a_receipt_of_another_epoch_is_pointed_to(folder: &Path, office: &Line, answer: &Value) {
    let leaf = answer["receipt"]["leaf"].as_u64().unwrap();
    let path = format!("/v1/ledger/receipt?party=insurer:131235&leaf={leaf}");
    let read = |path: &str| read_path(office, folder, OFFICE, path);
    assert_eq!(read(&path).0, 200);
    let (status, told) = read(&format!("{path}&epoch=7"));
    assert_eq!(status, 404, "{told}");
    assert!(told.contains("TSG-1011") && told.contains("epoch=1"), "{told}");
    let (status, told) = read(&path.replace(&format!("leaf={leaf}"), "leaf=999999"));
    assert!(status == 404 && told.contains("TSG-1011") && told.contains("開いている時代 1"), "{told}");
}

/// The persons' keys were not put back, or an older copy was.
fn persons_keys_are_missed(folder: &Path) {
    let home = folder.join("net/members").join(INSURER);
    let file = home.join("data/store/vault.keys");
    let doctor = || {
        let (_status, found) = said(folder, &format!("doctor --config net/members/{INSURER}/node.toml"));
        let all = found["findings"].as_array().unwrap().iter();
        all.filter(|one| one["what"] == "鍵庫").map(|one| one["mark"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let check = || {
        let mut run = Command::new(env!("CARGO_BIN_EXE_tsunagi"));
        run.args(["run", "--check", "--config"]).arg(home.join("node.toml")).output().unwrap().status.code()
    };
    assert_eq!((doctor(), check()), (vec!["✓".to_owned()], Some(0)));
    let keys = std::fs::read(&file).unwrap();
    for older in [None, Some(&keys[..keys.len() / 2]), Some(&[][..])] {
        std::fs::remove_file(&file).unwrap();
        if let Some(older) = older {
            std::fs::write(&file, older).unwrap();
        }
        assert_eq!((doctor(), check()), (vec!["✗".to_owned()], Some(78)), "{older:?}");
        std::fs::write(&file, &keys).unwrap();
    }
    assert_eq!((doctor(), check()), (vec!["✓".to_owned()], Some(0)));
}

#[test]
fn a_credential_stands_in_its_issuer_s_ledger_before_it_is_handed_out() {
    let (folder, network) = founded();
    let folder = folder.path();
    join(folder, network, "office:1370101238", OWN_KEYS, "same");
    let renew = format!("{} --config net/members/{ISSUER}/node.toml", to_issuer("renew", "same", "out.credential"));
    assert_eq!(bad(folder, &renew), (69, "T0301".into()), "its node does not run");
    let mut running = Running::default();
    running.start(folder, WITNESS);
    // Not settled before it met the witness, which it hears of from the insurer.
    running.start(folder, INSURER);
    running.start(folder, ISSUER);
    let issued = good(folder, &renew);
    assert_eq!(issued["leaf"], json!(0));
    assert!(folder.join("out.credential").exists());
    assert_eq!(good(folder, &renew)["leaf"], json!(1));
    let verify = || said(folder, &format!("ledger verify --config net/members/{ISSUER}/node.toml {ROSTER}"));
    assert!(wait_until(LIMIT, || verify().0 == 0), "{}", verify().1);
    let (_status, found) = verify();
    assert_eq!((&found["notes"]["credentials"], &found["signed"]), (&json!(2), &json!(true)), "{found}");
    assert_eq!(good(folder, &to_issuer("renew", "same", "other.credential"))["leaf"], Value::Null);
}

/// Opens the keys to all, takes the port away, and leaves a roster that is not the network's.
fn spoil(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let home = folder.join("net/members").join(OFFICE);
    let open = |path: &str, mode| std::fs::set_permissions(home.join(path), PermissionsExt::from_mode(mode)).unwrap();
    open("keys/tsunagi-node-key", 0o644);
    open("api-tokens", 0o644);
    let text = std::fs::read_to_string(home.join("node.toml")).unwrap();
    let line = text.lines().find(|line| line.starts_with("roster_digest")).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let from = text.split("[metrics]\nlisten = \"").nth(1).unwrap().split('"').next().unwrap();
    let spoilt = text
        .replace(line, &format!("roster_digest = \"{}\"", Digest::of(b"another")))
        .replace(from, &taken.local_addr().unwrap().to_string());
    std::fs::write(home.join("node.toml"), spoilt).unwrap();
    // Stays taken until the test ends.
    std::mem::forget(taken);
}
