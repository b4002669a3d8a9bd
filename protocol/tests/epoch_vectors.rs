//! The openings of epochs in `tests/vectors/epochs/`, good and spoiled, one case a file: what a second
//! implementation must accept and refuse before it counts witnesses.
//!
//! A file has one `name: value` a line; `#` begins a remark. `expect` is `good` or the name of the
//! error. The files are written anew by
//! `cargo test -p protocol --test epoch_vectors -- --ignored`, after a change of format only.

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
use protocol::digest::Digest;
use protocol::ledger::checkpoint::Checkpoint;
use protocol::ledger::epoch::{self, Opening, Other};
use protocol::ledger::leaf::{Contents, Leaf, LeafKind, Salt, Salts};
use protocol::ledger::origin::Origin;
use protocol::primitives::{Primitives as _, Real, Secret};
use protocol::time::Timestamp;

const ORIGIN: &str = "00112233445566ff/insurer:131235/1";
/// The seeds of the member's two current log keys, and of somebody else's.
const OLD_KEY: u8 = 1;
const NEW_KEY: u8 = 2;
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

/// What a node holds when an opening comes, and what becomes of it.
struct Case {
    expect: String,
    log_keys: Vec<[u8; 32]>,
    opening: Vec<u8>,
}

impl vectors::Case for Case {
    fn expect(&self) -> &str {
        &self.expect
    }

    fn run(&self) -> String {
        let Ok(opening) = cbor::decode::<Opening>(&self.opening) else { return "Malformed".to_owned() };
        opening.check(&Real, &self.log_keys).map_or_else(|error| format!("{error:?}"), |_found| "good".to_owned())
    }

    fn write(&self, remark: &str) -> String {
        let mut out = format!("# {remark}\nexpect: {}\n", self.expect);
        for key in &self.log_keys {
            out += &format!("log key: {}\n", hex::encode(key));
        }
        out + &format!("opening: {}\n", hex::encode(&self.opening))
    }

    fn read(text: &str) -> Self {
        let values = vectors::values(text);
        Self {
            expect: values["expect"][0].to_owned(),
            log_keys: values["log key"].iter().map(|key| hex::decode(key).unwrap().try_into().unwrap()).collect(),
            opening: hex::decode(values["opening"][0]).unwrap(),
        }
    }
}

/// The epoch after 13 leaves, of which 9 are kept.
struct Begun {
    previous: Checkpoint,
    next: Origin,
    kind: LeafKind,
    kept: u64,
    size: u64,
    key: u8,
    others: Vec<(Checkpoint, u64)>,
}

impl Begun {
    fn new() -> Self {
        let origin = Origin::parse(ORIGIN).unwrap();
        let next = origin.of_epoch(2);
        let previous = Checkpoint { origin, size: 13, root: Digest::of(b"thirteen leaves") };
        Self { previous, next, kind: LeafKind::Epoch, kept: 9, size: 1, key: NEW_KEY, others: Vec::new() }
    }

    /// Epoch 3, because too few witnesses cosigned the beginning of epoch 2; one of them held 12 leaves of epoch 1.
    fn after_one_given_up() -> Self {
        let begun = Self::new();
        let other = |epoch: u32, size: u64, root: &[u8]| {
            (Checkpoint { origin: begun.next.of_epoch(epoch), size, root: Digest::of(root) }, 0)
        };
        let others = vec![(other(1, 12, b"twelve leaves").0, 9), other(2, 1, b"given up")];
        Self { next: begun.next.of_epoch(3), others, ..Self::new() }
    }

    fn opening(&self) -> Opening {
        let salt = |what: &str| Salt::from_bytes(*Digest::of(what.as_bytes()).as_bytes());
        let salts =
            Salts { request: salt("request"), answer: salt("answer"), detail: salt("detail"), person: salt("person") };
        let nothing = Digest::of(&[]);
        let contents = Contents {
            request: epoch::content(&self.previous, self.kept, &self.others),
            answer: nothing,
            detail: nothing,
            person: nothing,
        };
        let leaf = Leaf::new(self.kind, Timestamp::from_unix_ms(1_790_000_000_000), &salts, &contents);
        let first = Checkpoint { origin: self.next.clone(), size: self.size, root: leaf.hash() };
        let log = Secret::from_bytes([self.key; 32]);
        let signed = |checkpoint: &Checkpoint| checkpoint.sign(&Real, &log).as_bytes().to_vec();
        Opening {
            previous: signed(&self.previous).into(),
            kept: self.kept,
            salt: salts.request,
            leaf: leaf.to_bytes().into(),
            first: signed(&first).into(),
            others: self.others.iter().map(|(head, kept)| Other { note: signed(head).into(), kept: *kept }).collect(),
        }
    }
}

fn cases() -> Vec<(&'static str, &'static str, Case)> {
    let case = |expect: &str, opening: &Opening| Case {
        expect: expect.to_owned(),
        log_keys: [OLD_KEY, NEW_KEY].map(|key| Real.signing_public(&Secret::from_bytes([key; 32]))).to_vec(),
        opening: cbor::encode(opening),
    };
    let begun = |expect: &str, change: &dyn Fn(&mut Begun)| {
        let mut begun = Begun::new();
        change(&mut begun);
        case(expect, &begun.opening())
    };
    let spoiled = |expect: &str, spoil: &dyn Fn(&mut Opening)| {
        let mut opening = Begun::new().opening();
        spoil(&mut opening);
        case(expect, &opening)
    };
    let given_up = |expect: &str, change: &dyn Fn(&mut Begun)| {
        let mut begun = Begun::after_one_given_up();
        change(&mut begun);
        case(expect, &begun.opening())
    };
    let unnamed = {
        let mut opening = Begun::after_one_given_up().opening();
        opening.others.remove(0);
        case("Leaf", &opening)
    };
    let other = Begun { kept: 4, ..Begun::new() }.opening();
    let long = {
        let mut case = begun("Malformed", &|_| {});
        // The array's head again, in two bytes: the same value in a second spelling.
        case.opening.splice(0..1, [0x98, 0x06]);
        case
    };
    vec![
        ("good.txt", "Epoch 2 after 13 leaves of epoch 1, 9 of them kept.", begun("good", &|_| {})),
        ("good-nothing-kept.txt", "Nothing of the old epoch is kept.", begun("good", &|begun| begun.kept = 0)),
        ("good-older-key.txt", "Signed by the older of the two log keys.", begun("good", &|begun| begun.key = OLD_KEY)),
        (
            "spoiled-epoch-left-out.txt",
            "Epoch 3 after epoch 1.",
            begun("NotNext", &|begun| begun.next = begun.next.of_epoch(3)),
        ),
        ("spoiled-same-epoch.txt", "Epoch 1 again.", begun("NotNext", &|begun| begun.next = begun.next.of_epoch(1))),
        (
            "spoiled-other-party.txt",
            "The new ledger is another member's.",
            begun("NotNext", &|begun| begun.next = Origin::parse("00112233445566ff/insurer:131032/2").unwrap()),
        ),
        (
            "spoiled-other-network.txt",
            "The new ledger is of another network.",
            begun("NotNext", &|begun| begun.next = Origin::parse("10112233445566ff/insurer:131235/2").unwrap()),
        ),
        (
            "spoiled-other-log-key.txt",
            "Signed by a key that is none of the member's log keys.",
            begun("Checkpoint(Unsigned)", &|begun| begun.key = OTHER_KEY),
        ),
        (
            "spoiled-leaf-of-an-exchange.txt",
            "The first leaf is of another kind.",
            begun("Leaf", &|begun| begun.kind = LeafKind::Exchange),
        ),
        ("spoiled-not-the-first.txt", "The new checkpoint is of size 2.", begun("Leaf", &|begun| begun.size = 2)),
        (
            "spoiled-kept.txt",
            "10 leaves are said to be kept; the leaf says 9.",
            spoiled("Leaf", &|opening| opening.kept = 10),
        ),
        (
            "spoiled-leaf-of-another-opening.txt",
            "The leaf of another opening, which is not the one under the new checkpoint.",
            spoiled("Leaf", &|opening| opening.leaf = other.leaf.clone()),
        ),
        (
            "spoiled-salt.txt",
            "One bit of the salt is flipped.",
            spoiled("Leaf", &|opening| {
                let mut salt = *opening.salt.expose();
                salt[31] ^= 1;
                opening.salt = Salt::from_bytes(salt);
            }),
        ),
        (
            "spoiled-previous-grown.txt",
            "The size of the old checkpoint was changed after it was signed.",
            spoiled("Checkpoint(BrokenSignature)", &|opening| {
                let text = String::from_utf8(opening.previous.to_vec()).unwrap();
                opening.previous = text.replace("\n13\n", "\n12\n").into_bytes().into();
            }),
        ),
        (
            "spoiled-without-its-checkpoint.txt",
            "The new checkpoint is missing, as on the way to a witness.",
            spoiled("Checkpoint(Malformed)", &|opening| opening.first = Vec::new().into()),
        ),
        (
            "good-after-one-given-up.txt",
            "Epoch 3; the beginning of epoch 2, and a head of 12 leaves of epoch 1, are named.",
            given_up("good", &|_| {}),
        ),
        (
            "spoiled-given-up-and-not-named.txt",
            "Epoch 3 after epoch 1; nothing names the beginning of epoch 2.",
            given_up("NotNext", &|begun| drop(begun.others.pop())),
        ),
        ("spoiled-other-taken-out.txt", "A head that the leaf names is taken out of the opening.", unnamed),
        (
            "spoiled-others-out-of-order.txt",
            "The other heads stand in another order.",
            given_up("Malformed", &|begun| begun.others.reverse()),
        ),
        (
            "spoiled-other-is-the-previous.txt",
            "The last cosigned checkpoint is named a second time.",
            begun("Malformed", &|begun| begun.others = vec![(begun.previous.clone(), 9)]),
        ),
        (
            "spoiled-other-of-another-party.txt",
            "One of the other heads is another member's.",
            given_up("NotNext", &|begun| {
                begun.others[1].0.origin = Origin::parse("00112233445566ff/insurer:131032/2").unwrap();
            }),
        ),
        (
            "spoiled-others-too-many.txt",
            "Thirteen other heads.",
            begun("Malformed", &|begun| {
                let head = |size: u64| Checkpoint { size, ..begun.previous.clone() };
                begun.others = (0..13).map(|size| (head(size), 9)).collect();
            }),
        ),
        ("spoiled-second-spelling.txt", "The length of the array is written in two bytes.", long),
    ]
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/epochs")
}
