//! The papers in `tests/vectors/papers/`, good and spoiled, one case a file: which signed version of a record an insurer
//! must take from its author, and which not.
//!
//! A file has one `name: value` a line; `#` begins a remark. `expect` is `good` or the rule that is
//! broken. The files are written anew by
//! `cargo test --release --workspace --test paper_vectors -- --ignored`, after a change of format only.

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
use protocol::code::record_kind::RecordKind;
use protocol::date::Date;
use protocol::digest::Digest;
use protocol::id::handle::Handle;
use protocol::id::party::PartyId;
use protocol::key::PublicKey;
use protocol::primitives::{self, Primitives as _, Real, Secret};
use protocol::record::Record;
use protocol::record::forms::form;
use protocol::record::paper::{Author, Paper};
use protocol::record::slip::Slip;
use protocol::record::version::{RecordId, Status};

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

/// The network, who submits with which key, about whom, the paper, and what becomes of it.
struct Case {
    expect: String,
    network: Digest,
    author: PartyId,
    key: PublicKey,
    person: Handle,
    paper: Vec<u8>,
}

impl vectors::Case for Case {
    fn expect(&self) -> &str {
        &self.expect
    }

    fn run(&self) -> String {
        let author = Author { party: &self.author, key: &self.key, credential: None };
        let found = Paper::examine(&self.paper, 0, &self.person, &author, &self.network, &Real);
        found.map_or_else(|flaw| flaw.rule, |_vouched| "good".to_owned())
    }

    fn write(&self, remark: &str) -> String {
        let Self { expect, network, author, key, person, paper } = self;
        let (network, key) = (hex::encode(network.as_bytes()), hex::encode(key.as_bytes()));
        let (person, paper) = (person.expose(), hex::encode(paper));
        format!(
            "# {remark}\nexpect: {expect}\nnetwork: {network}\nauthor: {author}\nkey: {key}\nperson: {person}\npaper: {paper}\n"
        )
    }

    fn read(text: &str) -> Self {
        let values = vectors::values(text);
        let bytes = |name: &str| <[u8; 32]>::try_from(hex::decode(values[name][0]).unwrap()).unwrap();
        Self {
            expect: values["expect"][0].to_owned(),
            network: Digest::from_bytes(bytes("network")),
            author: PartyId::parse(values["author"][0]).unwrap(),
            key: PublicKey::from_bytes(bytes("key")),
            person: Handle::parse(values["person"][0]).unwrap(),
            paper: hex::decode(values["paper"][0]).unwrap(),
        }
    }
}

const OFFICE: &str = "office:1370101238";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/papers")
}

fn secret(name: &str) -> Secret {
    Secret::from_bytes(*Digest::of(name.as_bytes()).as_bytes())
}

fn person(insured: &str) -> Handle {
    Handle::parse(&format!("ltc:131235:{insured}")).unwrap()
}

fn slip(kind: RecordKind) -> Slip {
    Slip {
        id: RecordId::from_bytes([7; 16]),
        kind,
        number: 2,
        valid_from: Date::parse("2026-06-01").unwrap(),
        valid_to: Date::parse("2026-10-31"),
        status: Status::Amended,
        supersedes: Some(RecordId::from_bytes([6; 16])),
        content: Record::from_json(kind, form(kind).example).unwrap().encode(),
    }
}

/// A paper about the person of the case, by its author, in its network.
fn paper(slip: &Slip) -> Paper {
    signed(slip, &person("0000123456"), OFFICE, "signing", "network")
}

fn signed(slip: &Slip, whose: &Handle, author: &str, key: &str, network: &str) -> Paper {
    let mut dice = primitives::seeded(&secret("salt"), &Digest::of(b"salt"));
    let author = PartyId::parse(author).unwrap();
    let signing = Real.signing_key(&secret(key));
    Paper::sign(slip, whose, &author, &Digest::of(network.as_bytes()), signing.as_ref(), &mut dice)
}

fn case(expect: &str, paper: &Paper) -> Case {
    bytes(expect, cbor::encode(paper))
}

fn bytes(expect: &str, paper: Vec<u8>) -> Case {
    Case {
        expect: expect.to_owned(),
        network: Digest::of(b"network"),
        author: PartyId::parse(OFFICE).unwrap(),
        key: PublicKey::from_bytes(Real.signing_public(&secret("signing"))),
        person: person("0000123456"),
        paper,
    }
}

fn cases() -> Vec<vectors::Named<Case>> {
    let good = || slip(RecordKind::LifeAssessment);
    let whose = person("0000123456");
    let whole = cbor::encode(&paper(&good()));
    let mut longer = whole.clone();
    longer.push(0);
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let over = Slip { valid_to: Date::parse("2026-05-31"), ..good() };
    let formless = Slip { content: vec![0xa0], ..good() };
    let mut renamed = slip(RecordKind::InsuranceCard);
    renamed.content = Record::from_json(RecordKind::InsuranceCard, &card("0000999999")).unwrap().encode();
    vec![
        ("good.txt", "An amendment of a life assessment, replacing another record.", bytes("good", whole)),
        (
            "good-open.txt",
            "Without an end, replacing nothing.",
            case("good", &paper(&Slip { valid_to: None, supersedes: None, ..good() })),
        ),
        ("spoiled-longer.txt", "A byte behind the paper.", bytes("encoding", longer)),
        ("spoiled-content.txt", "The last bit of the content is flipped.", bytes("covers", flipped)),
        (
            "spoiled-another-person.txt",
            "Signed about somebody else.",
            case("covers", &signed(&good(), &person("0000123457"), OFFICE, "signing", "network")),
        ),
        (
            "spoiled-another-author.txt",
            "Names another office as its author.",
            case("signature", &signed(&good(), &whose, "office:1370101246", "signing", "network")),
        ),
        (
            "spoiled-another-key.txt",
            "Signed with another key than the message.",
            case("signature", &signed(&good(), &whose, OFFICE, "other", "network")),
        ),
        (
            "spoiled-another-network.txt",
            "Signed for another network.",
            case("signature", &signed(&good(), &whose, OFFICE, "signing", "other")),
        ),
        ("spoiled-period.txt", "Ends before it begins.", case("period", &paper(&over))),
        ("spoiled-form.txt", "A record without any field.", case("required", &paper(&formless))),
        ("spoiled-number-inside.txt", "A card that bears somebody else's number.", case("person", &paper(&renamed))),
    ]
}

/// A card with that insured number.
fn card(insured: &str) -> String {
    let mut card: serde_json::Value = serde_json::from_str(form(RecordKind::InsuranceCard).example).unwrap();
    card["insured_number"] = insured.into();
    card.to_string()
}
