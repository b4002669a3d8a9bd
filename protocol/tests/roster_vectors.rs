//! The rosters in `tests/vectors/rosters/`, good and spoiled, one case a file: what a second implementation must
//! accept and refuse as the first link of a chain, or as the one behind it.
//!
//! A file has one `name: value` a line; `#` begins a remark. `expect` is `good` or the name of the
//! error. The files are written anew by
//! `cargo test -p protocol --test roster_vectors -- --ignored`, after a change of format only.

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
use protocol::key::PublicKey;
use protocol::primitives::{Primitives as _, Real, Secret, Suite};
use protocol::roster::{Chain, Link, Member, Roster, RosterError, Signers};
use protocol::time::{Span, Timestamp};

/// The seeds of the authority's keys, two of which must sign.
const SIGNERS: [u8; 3] = [1, 2, 3];

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

/// The links of a chain in their order, the network's name, and what becomes of them.
struct Case {
    expect: String,
    network: Digest,
    links: Vec<Vec<u8>>,
}

impl vectors::Case for Case {
    fn expect(&self) -> &str {
        &self.expect
    }

    fn run(&self) -> String {
        let walk = || -> Result<(), RosterError> {
            let mut chain: Option<Chain> = None;
            for bytes in &self.links {
                let link: Link = cbor::decode(bytes).map_err(|_malformed| RosterError::Malformed)?;
                chain = Some(match chain {
                    None => Chain::begin(self.network, &link, &Real)?,
                    Some(chain) => chain.extend(&link, &Real)?,
                });
            }
            Ok(())
        };
        walk().map_or_else(|error| format!("{error:?}"), |()| "good".to_owned())
    }

    fn write(&self, remark: &str) -> String {
        let mut out = format!("# {remark}\nexpect: {}\nnetwork: {}\n", self.expect, self.network);
        for link in &self.links {
            out += &format!("link: {}\n", hex::encode(link));
        }
        out
    }

    fn read(text: &str) -> Self {
        let values = vectors::values(text);
        let network: [u8; 32] = hex::decode(values["network"][0]).unwrap().try_into().unwrap();
        Self {
            expect: values["expect"][0].to_owned(),
            network: Digest::from_bytes(network),
            links: values["link"].iter().map(|link| hex::decode(link).unwrap()).collect(),
        }
    }
}

fn public(seed: u8) -> PublicKey {
    PublicKey::from_bytes(Real.signing_public(&Secret::from_bytes([seed; 32])))
}

/// The first roster of a network with so many witnesses, so many of which make a quorum.
fn first(witnesses: u8, quorum: u8) -> Roster {
    let issued = Timestamp::from_unix_ms(1_790_000_000_000);
    let set = Signers { threshold: 2, keys: SIGNERS.map(public).to_vec() };
    // The first nine have the seeds of the vectors written first.
    let key = |what: u8, number: u8| public(if number < 10 { 10 * what + number } else { 60 + 3 * number + what });
    let witness = |number: u8| Member {
        party: PartyId::parse(&format!("witness:{number}")).unwrap(),
        name: format!("立会 {number}"),
        signing: vec![key(1, number)],
        log: vec![key(2, number)],
        epoch: 1,
        insurers: Vec::new(),
        participates_from: Date::MIN,
        issues: None,
        oblivious: None,
        cosigning: Some(key(3, number)),
    };
    let mut members: Vec<Member> = (1..=witnesses).map(witness).collect();
    members.sort_by(|a, b| a.party.cmp(&b.party));
    Roster {
        network: None,
        version: 1,
        issued,
        expires: issued.plus(Span::from_h(24)),
        signers: set.clone(),
        next_signers: set,
        pulse: public(9),
        suite_min: Suite::X25519,
        policy: Digest::of(b"policy"),
        witness_quorum: quorum,
        members,
    }
}

fn sign(roster: &Roster, seeds: &[u8]) -> Link {
    let secrets: Vec<_> = seeds.iter().map(|seed| (public(*seed), Secret::from_bytes([*seed; 32]))).collect();
    let borrowed: Vec<_> = secrets.iter().map(|(public, secret)| (*public, secret)).collect();
    Link::sign(roster, &Real, &borrowed)
}

fn cases() -> Vec<(&'static str, &'static str, Case)> {
    let alone = |expect: &str, witnesses: u8, quorum: u8| {
        let link = sign(&first(witnesses, quorum), &[1, 2]);
        Case { expect: expect.to_owned(), network: link.digest(), links: vec![cbor::encode(&link)] }
    };
    let followed = |expect: &str, seeds: &[u8], edit: &dyn Fn(&mut Roster)| {
        let begun = sign(&first(3, 2), &[1, 2]);
        let mut second = Roster { network: Some(begun.digest()), version: 2, ..first(3, 2) };
        edit(&mut second);
        let links = vec![cbor::encode(&begun), cbor::encode(&sign(&second, seeds))];
        Case { expect: expect.to_owned(), network: begun.digest(), links }
    };
    let other = Case { network: Digest::of(b"another network"), ..alone("OtherNetwork", 1, 1) };
    vec![
        ("good.txt", "Three witnesses, of which two are a quorum.", alone("good", 3, 2)),
        ("good-one-witness.txt", "One witness is a quorum of one.", alone("good", 1, 1)),
        ("good-no-witness.txt", "Without witnesses the number says nothing.", alone("good", 0, 0)),
        ("good-second.txt", "A second roster, signed by old and new signers.", followed("good", &[2, 3], &|_| {})),
        ("spoiled-quorum-of-half.txt", "One of two witnesses is no majority.", alone("MinorityQuorum", 2, 1)),
        ("spoiled-quorum-of-nobody.txt", "A witness whom nobody has to ask.", alone("MinorityQuorum", 1, 0)),
        ("good-twenty-one-witnesses.txt", "As many as may be.", alone("good", 21, 11)),
        ("spoiled-twenty-two-witnesses.txt", "Their lines would not fit under one head.", alone("Malformed", 22, 12)),
        (
            "spoiled-quorum-lowered.txt",
            "The second roster lets one of three witnesses be a quorum.",
            followed("MinorityQuorum", &[1, 2], &|roster| roster.witness_quorum = 1),
        ),
        (
            "spoiled-witness-more.txt",
            "The second roster has a fourth witness and leaves the quorum at two.",
            followed("MinorityQuorum", &[1, 2], &|roster| roster.members = first(4, 2).members),
        ),
        ("spoiled-one-signature.txt", "One of two signers signed.", followed("TooFewSignatures", &[1], &|_| {})),
        (
            "spoiled-one-signer-twice.txt",
            "One of two signers signed twice.",
            followed("TooFewSignatures", &[1, 1], &|_| {}),
        ),
        (
            "spoiled-version-left-out.txt",
            "Version 3 behind version 1.",
            followed("NotNext", &[1, 2], &|roster| roster.version = 3),
        ),
        ("spoiled-another-network.txt", "The first roster is not the one that was named.", other),
    ]
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/rosters")
}
