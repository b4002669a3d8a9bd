//! The built command from outside: what it writes is judged by the protocol's own functions.

use std::path::Path;
use std::process::{Command, Output};

use protocol::cbor;
use protocol::credential::{Credential, CredentialError};
use protocol::digest::Digest;
use protocol::gate::{Gate, Notice};
use protocol::primitives::Real;
use protocol::roster::{Chain, Link};
use protocol::time::Timestamp;
use serde_json::Value;

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
    let link: Link = read(folder, "net/authority/roster-1.cbor");
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

    let revoke = "credential revoke --issuer net/members/issuer-tokyo --party office:1370101238 --notices net/notices";
    assert_eq!(good(folder, revoke)["revoked"], serde_json::json!([credential.serial]));
    good(folder, "authority pulse --folder net/authority --notices net/notices");
    let after = gate(folder, network);
    assert_eq!(credential.counts(after.list(&credential.issuer), now()), Err(CredentialError::Revoked));
}

#[test]
fn a_revoked_office_enrols_anew_with_new_keys_and_renews_with_those_only() {
    let (folder, network) = founded();
    let folder = folder.path();
    let join = |keys: &str, out: &str| {
        let words = format!(
            "member join --party office:1370101238 --name 見本 --service 43 --keys {keys} \
             --first-roster net/authority/roster-1.cbor --network {network} --out {out}"
        );
        good(folder, &words);
    };
    let own = "net/members/office-1370101238/keys";
    join(own, "same");
    join("fresh", "new");
    let to = |verb: &str, application: &str| {
        format!("credential {verb} --issuer net/members/issuer-tokyo --application {application} --out out.credential")
    };
    good(folder, &to("renew", "same"));
    assert_eq!(bad(folder, &to("renew", "new")), (1, "T0202".into()));
    assert_eq!(bad(folder, &to("issue", "new")), (1, "T0202".into()));
    good(folder, "credential revoke --issuer net/members/issuer-tokyo --party office:1370101238 --notices net/notices");
    assert_eq!(bad(folder, &to("renew", "same")), (1, "T0202".into()));
    assert_eq!(bad(folder, &to("issue", "same")), (1, "T0202".into()));
    good(folder, &to("issue", "new"));
    assert_eq!(bad(folder, &format!("{} --hours 25", to("renew", "new"))), (1, "T0202".into()));
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
             --first-roster net/authority/roster-1.cbor --network {network} --out {keys}.app"
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
    let first: Link = read(folder, "net/authority/roster-1.cbor");
    let second: Link = read(folder, "net/authority/roster-2.cbor");
    let chain = Chain::begin(network, &first, &Real).unwrap().extend(&second, &Real).unwrap();
    assert_eq!(chain.newest().version, 2);
    good(folder, "authority pulse --folder net/authority --notices net/notices");
    assert_eq!(read::<Notice>(folder, "net/notices/roster-000002.cbor"), Notice::Roster(second));
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
    std::fs::write(folder.join("spoiled/roster-1.cbor"), b"\xff").unwrap();
    assert_eq!(bad(folder, &format!("{list} spoiled")), (65, "T0101".into()));
    assert_eq!(tsunagi(folder, "network").status.code(), Some(2));
}
