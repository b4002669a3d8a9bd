//! The statements in `tests/vectors/statements/`, good and spoiled, one case a file: what a second implementation
//! must believe of a member, and what not.
//!
//! A file has one `name: value` a line; `#` begins a remark. `expect` is `good` or the name of the
//! error. The files are written anew by
//! `cargo test -p protocol --test statement_vectors -- --ignored`, after a change of format only.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "all of this file is a test, and reads files"
)]

#[path = "shared/vectors.rs"]
mod vectors;

use std::path::PathBuf;

use protocol::cbor;
use protocol::date::Date;
use protocol::digest::Digest;
use protocol::id::party::PartyId;
use protocol::key::{KeyUse, PublicKey};
use protocol::limits;
use protocol::primitives::{Primitives as _, Real, Secret, Suite};
use protocol::roster::{Link, Member, Roster, Signers};
use protocol::sign1::{self, Label};
use protocol::statement::{SealingPublic, Statement};
use protocol::time::{Span, Timestamp};

const NOW: Timestamp = Timestamp::from_unix_ms(1_790_000_000_000);

#[test]
fn every_vector_ends_as_its_file_says() {
    vectors::end_as_their_files_say(&folder(), &cases());
}

#[test]
fn the_files_are_the_ones_this_program_writes() {
    vectors::are_the_ones_written_here(&folder(), &cases());
}

#[test]
#[ignore = "writes the vectors anew; for a change of format"]
fn write_the_vectors() {
    vectors::write_anew(&folder(), &cases());
}

/// The roster a node believes, its clock, a statement, and what becomes of it.
struct Case {
    expect: String,
    now: u64,
    link: Vec<u8>,
    statement: Vec<u8>,
}

impl vectors::Case for Case {
    fn expect(&self) -> &str {
        &self.expect
    }

    fn run(&self) -> String {
        let link: Link = cbor::decode(&self.link).unwrap();
        let roster = link.claimed().unwrap();
        let now = Timestamp::from_unix_ms(self.now);
        let found = Statement::verify(&self.statement, &link.digest(), &roster, now, &Real);
        found.map_or_else(|error| format!("{error:?}"), |_found| "good".to_owned())
    }

    fn write(&self, remark: &str) -> String {
        let Self { expect, now, link, statement } = self;
        let (link, statement) = (hex::encode(link), hex::encode(statement));
        format!("# {remark}\nexpect: {expect}\nnow: {now}\nfirst roster: {link}\nstatement: {statement}\n")
    }

    fn read(text: &str) -> Self {
        let values = vectors::values(text);
        Self {
            expect: values["expect"][0].to_owned(),
            now: values["now"][0].parse().unwrap(),
            link: hex::decode(values["first roster"][0]).unwrap(),
            statement: hex::decode(values["statement"][0]).unwrap(),
        }
    }
}

fn secret(name: &str) -> Secret {
    Secret::from_bytes(*Digest::of(name.as_bytes()).as_bytes())
}

fn public(name: &str) -> PublicKey {
    PublicKey::from_bytes(Real.signing_public(&secret(name)))
}

fn link() -> Link {
    let member = Member {
        party: PartyId::parse("insurer:131235").unwrap(),
        name: "見本市".to_owned(),
        signing: vec![public("signing")],
        log: vec![public("log")],
        epoch: 1,
        insurers: Vec::new(),
        participates_from: Date::parse("2026-04-01").unwrap(),
        issues: None,
        oblivious: None,
        cosigning: None,
    };
    let signers = Signers { threshold: 1, keys: vec![public("authority")] };
    let roster = Roster {
        network: None,
        version: 1,
        issued: NOW,
        expires: NOW.plus(limits::ROSTER_LIFE),
        signers: signers.clone(),
        next_signers: signers,
        pulse: public("pulse"),
        suite_min: Suite::X25519,
        policy: Digest::of(b"policy"),
        witness_quorum: 1,
        members: vec![member],
    };
    Link::sign(&roster, &Real, &[(public("authority"), &secret("authority"))])
}

fn statement() -> Statement {
    Statement {
        network: link().digest(),
        party: PartyId::parse("insurer:131235").unwrap(),
        number: 7,
        issued: NOW,
        expires: NOW.plus(limits::STATEMENT_LIFE),
        sealing: vec![SealingPublic { suite: Suite::X25519, public: public("sealing").as_bytes().to_vec() }],
        transport: vec![public("transport")],
        addresses: vec!["/dns4/node.example.jp/tcp/4001".to_owned()],
    }
}

fn signed(statement: &Statement) -> Vec<u8> {
    statement.sign(&Real, &public("signing"), &secret("signing"))
}

fn case(expect: &str, statement: Vec<u8>) -> Case {
    Case { expect: expect.to_owned(), now: NOW.unix_ms(), link: cbor::encode(&link()), statement }
}

/// A sealing key of so many bytes.
fn sealing(bytes: usize) -> SealingPublic {
    SealingPublic { suite: Suite::XWing, public: vec![7; bytes] }
}

fn cases() -> Vec<(&'static str, &'static str, Case)> {
    let said = |expect: &str, change: &dyn Fn(&mut Statement)| {
        let mut statement = statement();
        change(&mut statement);
        case(expect, signed(&statement))
    };
    let at = |expect: &str, now: Timestamp| Case { now: now.unix_ms(), ..said(expect, &|_| {}) };
    let other_label = {
        let id = public("signing").id(KeyUse::Signing);
        sign1::sign(&Real, &secret("signing"), id, Label::Credential, &[], &cbor::encode(&statement()))
    };
    let mut flipped = signed(&statement());
    *flipped.last_mut().unwrap() ^= 1;
    let most = limits::SEALING_PUBLIC_BYTES_MAX;
    let ms = Span::from_ms(1);
    vec![
        ("good.txt", "A statement of a member.", said("good", &|_| {})),
        (
            "good-longest-sealing-key.txt",
            "A sealing key of 2,048 bytes, the most there may be.",
            said("good", &move |said| said.sealing = vec![sealing(most)]),
        ),
        (
            "spoiled-sealing-key-too-long.txt",
            "A sealing key of 2,049 bytes.",
            said("Malformed", &move |said| said.sealing = vec![sealing(most + 1)]),
        ),
        (
            "spoiled-second-sealing-key-too-long.txt",
            "The second of two sealing keys has 2,049 bytes.",
            said("Malformed", &move |said| said.sealing.push(sealing(most + 1))),
        ),
        (
            "spoiled-too-many-sealing-keys.txt",
            "Five sealing keys.",
            said("Malformed", &|said| said.sealing = vec![sealing(32); 5]),
        ),
        (
            "spoiled-too-many-transport-keys.txt",
            "Five transport keys.",
            said("Malformed", &|said| said.transport = vec![public("transport"); 5]),
        ),
        (
            "spoiled-too-many-addresses.txt",
            "Seventeen addresses.",
            said("Malformed", &|said| said.addresses = vec!["/ip4/192.0.2.1/tcp/1".to_owned(); 17]),
        ),
        (
            "spoiled-address-too-long.txt",
            "An address of 257 bytes.",
            said("Malformed", &|said| said.addresses = vec!["a".repeat(257)]),
        ),
        (
            "spoiled-lives-too-long.txt",
            "Valid for a millisecond more than 14 days.",
            said("Malformed", &move |said| said.expires = said.expires.plus(ms)),
        ),
        (
            "spoiled-another-network.txt",
            "Of another network.",
            said("Malformed", &|said| said.network = Digest::of(b"another")),
        ),
        (
            "spoiled-not-a-member.txt",
            "Of a party that is not in the roster.",
            said("NotAMember", &|said| said.party = PartyId::parse("insurer:131032").unwrap()),
        ),
        (
            "spoiled-another-key.txt",
            "Signed with a key that the roster does not name.",
            case("Forged", statement().sign(&Real, &public("log"), &secret("log"))),
        ),
        ("spoiled-another-label.txt", "Signed under the label of a credential.", case("Forged", other_label)),
        ("spoiled-flipped-signature.txt", "One bit of the signature is flipped.", case("Forged", flipped)),
        (
            "spoiled-from-the-future.txt",
            "Issued 120,001 ms from now.",
            at("NotCurrent", NOW.minus(limits::SKEW).minus(ms)),
        ),
        ("spoiled-over.txt", "It has just ended.", at("NotCurrent", NOW.plus(limits::STATEMENT_LIFE))),
        ("good-last-moment.txt", "Its last millisecond.", at("good", NOW.plus(limits::STATEMENT_LIFE).minus(ms))),
    ]
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/statements")
}
