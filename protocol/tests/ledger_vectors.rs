//! The receipts in `tests/vectors/ledger/`, good and spoiled, one case a file: what a second
//! implementation must accept and refuse. And the tree beside another implementation's.
//!
//! A file has one `name: value` a line; `#` begins a remark. `expect` is `good` or the name of the
//! error. The files are written anew by
//! `cargo test -p protocol --test ledger_vectors -- --ignored`, after a change of format only.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "all of this file is a test, and reads files"
)]

#[path = "shared/vectors.rs"]
mod vectors;

use std::path::PathBuf;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use protocol::cbor;
use protocol::digest::Digest;
use protocol::ledger::checkpoint::Checkpoint;
use protocol::ledger::leaf::{Contents, LEAF_BYTES, Leaf, LeafKind, Salt, Salts};
use protocol::ledger::origin::Origin;
use protocol::ledger::proof::{Evidence, VerifiedNotes};
use protocol::ledger::tree::{self, Nodes};
use protocol::primitives::{Primitives as _, Real, Secret};
use protocol::time::Timestamp;

const ORIGIN: &str = "00112233445566ff/insurer:131235/0";
const ELSEWHERE: &str = "00112233445566ff/insurer:131032/0";
const NEXT_EPOCH: &str = "00112233445566ff/insurer:131235/1";
/// The seeds of the member's two current log keys.
const OLD_KEY: u8 = 1;
const NEW_KEY: u8 = 2;
/// The seed of somebody else's key.
const OTHER_KEY: u8 = 3;

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

/// Everything an asker holds when a receipt comes, and what becomes of it.
#[derive(Clone)]
struct Case {
    expect: String,
    origin: Origin,
    log_keys: Vec<[u8; 32]>,
    named: Option<Checkpoint>,
    request: Digest,
    answer: Digest,
    evidence: Vec<u8>,
}

impl vectors::Case for Case {
    fn expect(&self) -> &str {
        &self.expect
    }

    fn run(&self) -> String {
        let Ok(evidence) = cbor::decode::<Evidence>(&self.evidence) else { return "Malformed".to_owned() };
        let notes = &VerifiedNotes::new(1);
        let check = || {
            let named = self.named.as_ref();
            evidence.check(&Real, notes, &self.origin, &self.log_keys, named, self.request, self.answer)
        };
        let first = check();
        assert_eq!(first, check(), "a remembered note must not change the outcome");
        first.map_or_else(|error| format!("{error:?}"), |_checkpoint| "good".to_owned())
    }

    fn write(&self, remark: &str) -> String {
        let mut out = format!("# {remark}\nexpect: {}\norigin: {}\n", self.expect, self.origin);
        for key in &self.log_keys {
            out += &format!("log key: {}\n", hex::encode(key));
        }
        if let Some(named) = &self.named {
            out += &format!("named origin: {}\nnamed size: {}\nnamed root: {}\n", named.origin, named.size, named.root);
        }
        out += &format!("request: {}\nanswer: {}\n", self.request, self.answer);
        out + &format!("evidence: {}\n", hex::encode(&self.evidence))
    }

    fn read(text: &str) -> Self {
        let values = vectors::values(text);
        let one = |name: &str| values[name][0];
        let named = values.contains_key("named size").then(|| Checkpoint {
            origin: Origin::parse(one("named origin")).unwrap(),
            size: one("named size").parse().unwrap(),
            root: Digest::parse(one("named root")).unwrap(),
        });
        Self {
            expect: one("expect").to_owned(),
            origin: Origin::parse(one("origin")).unwrap(),
            log_keys: values["log key"].iter().map(|key| hex::decode(key).unwrap().try_into().unwrap()).collect(),
            named,
            request: Digest::parse(one("request")).unwrap(),
            answer: Digest::parse(one("answer")).unwrap(),
            evidence: hex::decode(one("evidence")).unwrap(),
        }
    }
}

/// A ledger in memory whose salts, contents and keys follow from its name.
struct Ledger {
    origin: Origin,
    entries: Vec<(Leaf, Salts)>,
    nodes: Memory,
}

struct Memory(Vec<Digest>);

impl Nodes for Memory {
    type Error = u64;
    fn node(&self, index: u64) -> Result<Digest, u64> {
        self.0.get(usize::try_from(index).unwrap()).copied().ok_or(index)
    }
}

impl Ledger {
    fn new(origin: &str, kinds: &[LeafKind]) -> Self {
        let mut ledger =
            Self { origin: Origin::parse(origin).unwrap(), entries: Vec::new(), nodes: Memory(Vec::new()) };
        for (index, kind) in (0..).zip(kinds) {
            let salt = |what: &str| Salt::from_bytes(*content(what, origin, index).as_bytes());
            let salts = Salts {
                request: salt("request salt"),
                answer: salt("answer salt"),
                detail: salt("detail salt"),
                person: salt("person salt"),
            };
            let contents = Contents {
                request: content("request", origin, index),
                answer: content("answer", origin, index),
                detail: content("detail", origin, index),
                person: content("person", origin, index),
            };
            let time = Timestamp::from_unix_ms(1_790_000_000_000 + index);
            let leaf = Leaf::new(*kind, time, &salts, &contents);
            let appended = tree::nodes_of_leaf(index, leaf.hash(), &ledger.nodes).unwrap();
            ledger.nodes.0.extend(appended);
            ledger.entries.push((leaf, salts));
        }
        ledger
    }

    fn checkpoint(&self, size: u64) -> Checkpoint {
        Checkpoint { origin: self.origin.clone(), size, root: tree::root(size, &self.nodes).unwrap() }
    }

    fn evidence(&self, key: u8, index: u64, named: u64, size: u64) -> Evidence {
        let (leaf, salts) = self.entries[usize::try_from(index).unwrap()].clone();
        Evidence {
            request_salt: salts.request,
            answer_salt: salts.answer,
            leaf: leaf.to_bytes(),
            index,
            inclusion: tree::inclusion(index, size, &self.nodes).unwrap(),
            checkpoint: self.checkpoint(size).sign(&Real, &Secret::from_bytes([key; 32])).as_bytes().to_vec(),
            consistency: tree::consistency(named, size, &self.nodes).unwrap(),
        }
    }
}

/// Leaf 5 of 13, the asker having named the checkpoint of size 4: file, remark, case.
fn cases() -> Vec<(&'static str, &'static str, Case)> {
    let exchanges = [LeafKind::Exchange; 13];
    let ledger = Ledger::new(ORIGIN, &exchanges);
    let elsewhere = Ledger::new(ELSEWHERE, &exchanges);
    let imports = Ledger::new(ORIGIN, &[LeafKind::Local; 13]);
    let case = |expect: &str, named: Option<Checkpoint>, evidence: &Evidence| Case {
        expect: expect.to_owned(),
        origin: ledger.origin.clone(),
        log_keys: [OLD_KEY, NEW_KEY].map(|key| Real.signing_public(&Secret::from_bytes([key; 32]))).to_vec(),
        named,
        request: content("request", ORIGIN, 5),
        answer: content("answer", ORIGIN, 5),
        evidence: cbor::encode(evidence),
    };
    let usual = ledger.evidence(NEW_KEY, 5, 4, 13);
    let spoiled = |expect: &str, spoil: &dyn Fn(&mut Evidence)| {
        let mut evidence = usual.clone();
        spoil(&mut evidence);
        case(expect, Some(ledger.checkpoint(4)), &evidence)
    };
    let from = |named: u64, size: u64| {
        let evidence = ledger.evidence(NEW_KEY, 5, named, size);
        case("good", (named > 0).then(|| ledger.checkpoint(named)), &evidence)
    };
    let text = |evidence: &Evidence| String::from_utf8(evidence.checkpoint.clone()).unwrap();
    let long = |mut case: Case| {
        // The array's head again, in two bytes: the same value in a second spelling.
        case.evidence.splice(0..1, [0x98, 0x07]);
        Case { expect: "Malformed".to_owned(), ..case }
    };
    let epoch_asked =
        Case { origin: Origin::parse(NEXT_EPOCH).unwrap(), ..spoiled("Checkpoint(OtherOrigin)", &|_| {}) };

    vec![
        ("good-first-receipt.txt", "The asker names no checkpoint, so nothing is to be consistent with.", from(0, 13)),
        ("good-grown.txt", "From 4 leaves to 13.", from(4, 13)),
        ("good-grown-unevenly.txt", "From 7 leaves to 13: the proof tells the old tree's pieces.", from(7, 13)),
        ("good-same-size.txt", "The ledger stands where the asker knew it; the proof is empty.", from(13, 13)),
        (
            "good-older-key.txt",
            "Signed by the older of the two current log keys.",
            case("good", Some(ledger.checkpoint(4)), &ledger.evidence(OLD_KEY, 5, 4, 13)),
        ),
        (
            "spoiled-flipped-leaf.txt",
            "One bit of the detail's commitment is flipped.",
            spoiled("NotIncluded", &|evidence| evidence.leaf[LEAF_BYTES - 40] ^= 1),
        ),
        (
            "spoiled-flipped-commitment.txt",
            "One bit of the request's commitment is flipped.",
            spoiled("OtherRequest", &|evidence| evidence.leaf[20] ^= 1),
        ),
        (
            "spoiled-leaf-cut-short.txt",
            "The last byte of the leaf is missing.",
            spoiled("Leaf", &|evidence| evidence.leaf.truncate(LEAF_BYTES - 1)),
        ),
        (
            "spoiled-leaf-of-an-import.txt",
            "All is in order, but the leaf is not one of an exchange.",
            case("Leaf", None, &imports.evidence(NEW_KEY, 5, 0, 13)),
        ),
        (
            "spoiled-leaf-of-another-request.txt",
            "A good receipt of another exchange in the same ledger.",
            case("OtherRequest", Some(ledger.checkpoint(4)), &ledger.evidence(NEW_KEY, 6, 4, 13)),
        ),
        (
            "spoiled-leaf-of-another-answer.txt",
            "The body that came is not the one in the ledger.",
            Case { answer: content("answer", ORIGIN, 6), ..spoiled("OtherAnswer", &|_| {}) },
        ),
        (
            "spoiled-salt.txt",
            "One bit of the answer's salt is flipped.",
            spoiled("OtherAnswer", &|evidence| {
                let mut salt = *evidence.answer_salt.expose();
                salt[31] ^= 1;
                evidence.answer_salt = Salt::from_bytes(salt);
            }),
        ),
        ("spoiled-wrong-index.txt", "4 in place of 5.", spoiled("NotIncluded", &|evidence| evidence.index = 4)),
        (
            "spoiled-index-beyond-the-end.txt",
            "13, of 13 leaves.",
            spoiled("NotIncluded", &|evidence| evidence.index = 13),
        ),
        (
            "spoiled-inclusion-cut-short.txt",
            "The last hash of the inclusion proof is missing.",
            spoiled("NotIncluded", &|evidence| evidence.inclusion.truncate(3)),
        ),
        (
            "spoiled-inclusion-with-a-hash-too-many.txt",
            "A hash behind the inclusion proof.",
            spoiled("NotIncluded", &|evidence| evidence.inclusion.push(Digest::of(b"more"))),
        ),
        (
            "spoiled-inclusion-without-bound.txt",
            "65 hashes in the inclusion proof.",
            spoiled("Malformed", &|evidence| evidence.inclusion = vec![Digest::of(b"more"); 65]),
        ),
        (
            "spoiled-consistency-cut-short.txt",
            "The last hash of the consistency proof is missing.",
            spoiled("NotConsistent", &|evidence| evidence.consistency.truncate(1)),
        ),
        (
            "spoiled-consistency-missing.txt",
            "No consistency proof although the asker named a checkpoint.",
            spoiled("NotConsistent", &|evidence| evidence.consistency.clear()),
        ),
        (
            "spoiled-consistency-unasked.txt",
            "A consistency proof although the asker named no checkpoint.",
            Case { named: None, ..spoiled("NotConsistent", &|_| {}) },
        ),
        (
            "spoiled-forked.txt",
            "The asker knew another root for the same size.",
            case("NotConsistent", Some(imports.checkpoint(13)), &ledger.evidence(NEW_KEY, 5, 13, 13)),
        ),
        (
            "spoiled-shrunk-size.txt",
            "9 leaves, when the asker knew 13.",
            case("Shrunk", Some(ledger.checkpoint(13)), &ledger.evidence(NEW_KEY, 5, 9, 9)),
        ),
        (
            "spoiled-named-of-another-ledger.txt",
            "The checkpoint named is of another ledger.",
            case("OtherNamed", Some(elsewhere.checkpoint(4)), &usual),
        ),
        (
            "spoiled-receipt-of-another-ledger.txt",
            "A receipt of this very exchange, in the ledger of a member that was not addressed.",
            Case {
                request: content("request", ELSEWHERE, 5),
                answer: content("answer", ELSEWHERE, 5),
                ..case("Checkpoint(OtherOrigin)", None, &elsewhere.evidence(NEW_KEY, 5, 0, 13))
            },
        ),
        ("spoiled-other-origin.txt", "A receipt of epoch 0, when epoch 1 was addressed.", epoch_asked),
        (
            "spoiled-other-log-key.txt",
            "Signed by a key that is none of the member's log keys.",
            case("Checkpoint(Unsigned)", Some(ledger.checkpoint(4)), &ledger.evidence(OTHER_KEY, 5, 4, 13)),
        ),
        (
            "spoiled-grown-text.txt",
            "The size in the checkpoint was changed after it was signed.",
            spoiled("Checkpoint(BrokenSignature)", &|evidence| {
                evidence.checkpoint = text(evidence).replace("\n13\n", "\n14\n").into_bytes();
            }),
        ),
        (
            "spoiled-extension-line.txt",
            "A fourth line in the checkpoint.",
            spoiled("Checkpoint(Malformed)", &|evidence| {
                evidence.checkpoint = text(evidence).replace("\n\n", "\nmore\n\n").into_bytes();
            }),
        ),
        (
            "spoiled-unsigned.txt",
            "A checkpoint without a signature.",
            spoiled("Checkpoint(Malformed)", &|evidence| {
                evidence.checkpoint = text(evidence).split_once('—').unwrap().0.as_bytes().to_vec();
            }),
        ),
        ("spoiled-second-spelling.txt", "The length of the array is written in two bytes.", long(from(4, 13))),
    ]
}

fn content(what: &str, origin: &str, index: u64) -> Digest {
    Digest::of(format!("{what} {index} of {origin}").as_bytes())
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/ledger")
}

fn grow(contents: &[Vec<u8>]) -> Memory {
    let mut nodes = Memory(Vec::new());
    for (index, bytes) in (0..).zip(contents) {
        let appended = tree::nodes_of_leaf(index, tree::leaf_hash(bytes), &nodes).unwrap();
        nodes.0.extend(appended);
    }
    nodes
}

fn hex_of(proof: &[Digest]) -> String {
    proof.iter().map(Digest::to_string).collect()
}

/// The proofs that `transparency-dev/merkle` publishes for the eight reference leaves
/// (`testonly/reference_test.go`).
#[test]
fn the_reference_proofs_of_certificate_transparency_are_made_and_accepted() {
    let contents = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
        .map(|text| hex::decode(text).unwrap());
    let nodes = grow(&contents);
    let n0 = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    let n1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
    let n4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
    let n01 = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125";
    let n23 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    let n45 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
    let n67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
    let n0123 = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7";
    let n4567 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
    let inclusions: [(u64, u64, &[&str]); 7] = [
        (0, 1, &[]),
        (0, 2, &[n1]),
        (1, 2, &[n0]),
        (2, 3, &[n01]),
        (1, 5, &[n0, n23, n4]),
        (0, 8, &[n1, n23, n4567]),
        (5, 8, &[n4, n67, n0123]),
    ];
    for (index, size, expected) in inclusions {
        let proof = tree::inclusion(index, size, &nodes).unwrap();
        assert_eq!(hex_of(&proof), expected.concat(), "leaf {index} of {size}");
        let leaf = tree::leaf_hash(&contents[usize::try_from(index).unwrap()]);
        let root = tree::root(size, &nodes).unwrap();
        assert!(tree::check_inclusion(leaf, index, size, root, &proof), "leaf {index} of {size}");
    }
    let consistencies: [(u64, u64, &[&str]); 4] =
        [(1, 1, &[]), (1, 8, &[n1, n23, n4567]), (2, 5, &[n23, n4]), (6, 8, &[n45, n67, n0123])];
    for (from, to, expected) in consistencies {
        let proof = tree::consistency(from, to, &nodes).unwrap();
        assert_eq!(hex_of(&proof), expected.concat(), "from {from} to {to}");
        let [old, new] = [from, to].map(|size| (size, tree::root(size, &nodes).unwrap()));
        assert!(tree::check_consistency(old, new, &proof), "from {from} to {to}");
    }
}

proptest! {
    #[test]
    fn the_tree_agrees_with_another_implementation(
        size in 1_u64..400, index in 0_u64..400, from in 1_u64..400,
    ) {
        let (index, from) = (index % size, 1 + from % size);
        let contents: Vec<_> = (0..size).map(|n| n.to_be_bytes().to_vec()).collect();
        let nodes = grow(&contents);
        let mut other = MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
        contents.iter().for_each(|bytes| other.push(bytes.clone()));

        let root = tree::root(size, &nodes).unwrap();
        prop_assert_eq!(root.to_string(), hex::encode(other.root().as_bytes()));
        let proof = tree::inclusion(index, size, &nodes).unwrap();
        let theirs = other.prove_inclusion(usize::try_from(index).unwrap());
        prop_assert_eq!(hex_of(&proof), hex::encode(theirs.as_bytes()));
        let proof = tree::consistency(from, size, &nodes).unwrap();
        let theirs = other.prove_consistency(usize::try_from(size - from).unwrap());
        prop_assert_eq!(hex_of(&proof), hex::encode(theirs.as_bytes()));
    }
}
