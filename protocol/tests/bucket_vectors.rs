//! What mirrors show of a directory, in `tests/vectors/buckets/`, good and spoiled, one case a file: what a second
//! implementation must take as proof of what stands under a tag, and what it must refuse.
//!
//! A file has one `name: value` a line; `#` begins a remark. `expect` is `good` or the name of the error; `stands` is an
//! entry under the tag, as number and sealed value. The files are written anew by
//! `cargo test --test bucket_vectors -- --ignored`, after a change of format only.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "all of this file is a test, and reads files"
)]

#[path = "shared/vectors.rs"]
mod vectors;

use std::path::PathBuf;

use protocol::bucket::delta::Delta;
use protocol::bucket::prefix::{Bits, Prefix};
use protocol::bucket::shown::Shown;
use protocol::bucket::tree::{Digests, Root, leaf};
use protocol::bucket::{Bucket, SealedEntry};
use protocol::cbor;
use protocol::digest::Digest;
use protocol::message::Tag;

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

/// What an asker holds, and what must become of it.
struct Case {
    expect: String,
    /// The bytes of the root, which the asker has from the directory's ledger.
    root: Vec<u8>,
    tag: Tag,
    shown: Shown,
    stands: Vec<(u64, Vec<u8>)>,
}

impl vectors::Case for Case {
    fn expect(&self) -> &str {
        &self.expect
    }

    fn run(&self) -> String {
        let Ok(root) = cbor::decode::<Root>(&self.root) else { return "Malformed".to_owned() };
        match self.shown.verify(&root, &self.tag) {
            Err(error) => format!("{error:?}"),
            Ok(found) => {
                assert!(found.iter().all(|entry| entry.tag == self.tag));
                let found: Vec<_> = found.into_iter().map(|entry| (entry.number, entry.sealed)).collect();
                if found == self.stands { "good".to_owned() } else { format!("{found:?} stands") }
            }
        }
    }

    fn write(&self, remark: &str) -> String {
        let mut out = format!("# {remark}\nexpect: {}\n", self.expect);
        out += &format!("root: {}\ntag: {}\n", hex::encode(&self.root), hex::encode(self.tag.0));
        out += &format!("bucket: {}\ndelta: {}\n", hex::encode(&*self.shown.base), hex::encode(&*self.shown.delta));
        for digest in &self.shown.path {
            out += &format!("path: {digest}\n");
        }
        for (number, sealed) in &self.stands {
            out += &format!("stands: {number} {}\n", hex::encode(sealed));
        }
        out
    }

    fn read(text: &str) -> Self {
        let values = vectors::values(text);
        let all = |name: &str| values.get(name).cloned().unwrap_or_default();
        let bytes = |name: &str| hex::decode(values[name][0]).unwrap();
        let path = all("path").iter().map(|digest| Digest::parse(digest).unwrap()).collect();
        let stands = all("stands").into_iter().map(|line| {
            let (number, sealed) = line.split_once(' ').unwrap();
            (number.parse().unwrap(), hex::decode(sealed).unwrap())
        });
        Self {
            expect: values["expect"][0].to_owned(),
            root: bytes("root"),
            tag: Tag(bytes("tag").try_into().unwrap()),
            shown: Shown { base: bytes("bucket").into(), delta: bytes("delta").into(), path },
            stands: stands.collect(),
        }
    }
}

/// A directory of two bits: three entries lie under the third prefix, two of them of one tag, and none under the fourth.
#[derive(Clone)]
struct Directory {
    bits: Bits,
    buckets: Vec<Vec<u8>>,
    deltas: Vec<Vec<u8>>,
}

/// The place of what most cases are about.
const THIRD: usize = 2;

impl Directory {
    fn new() -> Self {
        let bits = Bits::new(2).unwrap();
        let bucket = |prefix: Prefix| match prefix.value() {
            2 => Bucket::new(prefix, three()),
            3 => Bucket::new(prefix, Vec::new()),
            n => Bucket::new(prefix, vec![entry(u8::try_from(n << 6).unwrap(), 1)]),
        };
        Self {
            bits,
            buckets: bits.prefixes().map(|prefix| bucket(prefix).unwrap().encode()).collect(),
            deltas: bits.prefixes().map(|prefix| Delta::none(prefix).encode()).collect(),
        }
    }

    /// With one bucket that holds everything.
    fn of_no_bits() -> Self {
        let bits = Bits::new(0).unwrap();
        let prefix = Prefix::new(bits, 0).unwrap();
        Self {
            bits,
            buckets: vec![Bucket::new(prefix, three()).unwrap().encode()],
            deltas: vec![Delta::none(prefix).encode()],
        }
    }

    /// With these bytes in the place of the third bucket.
    fn with_bucket(bytes: Vec<u8>) -> Self {
        let mut directory = Self::new();
        directory.buckets[THIRD] = bytes;
        directory
    }

    /// With these bytes in the place of the third delta.
    fn with_delta(bytes: Vec<u8>) -> Self {
        let mut directory = Self::new();
        directory.deltas[THIRD] = bytes;
        directory
    }

    /// One entry was replaced, one withdrawn and one is new since the book was made.
    fn changed() -> Self {
        let now = Bucket::new(third(), vec![entry(0x80, 5), entry(0x90, 2), entry(0xa0, 7)]).unwrap();
        Self::with_delta(Delta::between(&Bucket::new(third(), three()).unwrap(), &now).unwrap().encode())
    }

    fn tree(&self) -> Digests {
        let leaves = self.buckets.iter().zip(&self.deltas);
        let leaves = leaves.map(|(bucket, delta)| (leaf(Digest::of(bucket), Digest::of(delta)), 1));
        Digests::new(self.bits, leaves).unwrap()
    }

    fn root(&self) -> Vec<u8> {
        self.tree().root().encode()
    }

    fn shown(&self, place: usize) -> Shown {
        let prefix = Prefix::new(self.bits, u32::try_from(place).unwrap()).unwrap();
        Shown {
            base: self.buckets[place].clone().into(),
            delta: self.deltas[place].clone().into(),
            path: self.tree().path(prefix),
        }
    }
}

fn third() -> Prefix {
    Prefix::new(Bits::new(2).unwrap(), 2).unwrap()
}

fn three() -> Vec<SealedEntry> {
    vec![entry(0x80, 3), entry(0x90, 1), entry(0x90, 2)]
}

fn entry(first: u8, number: u64) -> SealedEntry {
    SealedEntry { tag: tag(first), number, sealed: format!("sealed {number}").into_bytes() }
}

fn tag(first: u8) -> Tag {
    let mut tag = [0x11; 32];
    tag[0] = first;
    Tag(tag)
}

#[expect(clippy::too_many_lines, reason = "a list")]
fn cases() -> Vec<(&'static str, &'static str, Case)> {
    let case = |expect: &str, directory: &Directory, place: usize, first: u8, numbers: &[u64]| Case {
        expect: expect.to_owned(),
        root: directory.root(),
        tag: tag(first),
        shown: directory.shown(place),
        stands: numbers.iter().map(|number| (*number, entry(first, *number).sealed)).collect(),
    };
    let good = |directory: &Directory, place, first, numbers: &[u64]| case("good", directory, place, first, numbers);
    let spoiled = |expect: &str, directory: &Directory| case(expect, directory, THIRD, 0x90, &[]);
    // What is shown of the changed directory, with one thing other than it should be.
    let other = |change: &dyn Fn(&mut Case)| {
        let mut case = spoiled("Uncommitted", &Directory::changed());
        change(&mut case);
        case
    };
    let bucket = |prefix: Prefix, entries: Vec<SealedEntry>| Directory::with_bucket(cbor::encode(&(prefix, entries)));
    let delta =
        |removed: Vec<u16>, added: Vec<SealedEntry>| Directory::with_delta(cbor::encode(&(third(), removed, added)));
    let bits = |n| Bits::new(n).unwrap();
    let of_bits = |n: u8| {
        let root = Directory::changed().tree().root();
        Root { bits: bits(n), ..root }.encode()
    };
    let mut trailing = Directory::new().buckets[THIRD].clone();
    trailing.push(0);
    let mut indefinite = Directory::new().buckets[3].clone();
    *indefinite.last_mut().unwrap() = 0x9f;
    indefinite.push(0xff);
    let long = SealedEntry { sealed: vec![0; 257], ..entry(0x90, 1) };
    vec![
        ("good.txt", "two claims to one tag, unchanged since the book", good(&Directory::new(), 2, 0x90, &[1, 2])),
        ("good-absent.txt", "nothing stands under the tag", good(&Directory::new(), 2, 0x91, &[])),
        ("good-empty-bucket.txt", "nothing stands under the prefix", good(&Directory::new(), 3, 0xff, &[])),
        ("good-replaced.txt", "the entry was replaced since the book", good(&Directory::changed(), 2, 0x80, &[5])),
        ("good-withdrawn.txt", "one of two claims was withdrawn since", good(&Directory::changed(), 2, 0x90, &[2])),
        ("good-new.txt", "the entry is newer than the book", good(&Directory::changed(), 2, 0xa0, &[7])),
        ("good-neighbour.txt", "another bucket, beside changed ones", good(&Directory::changed(), 0, 0x00, &[1])),
        ("good-no-bits.txt", "one bucket for everything, and no path", good(&Directory::of_no_bits(), 0, 0x80, &[3])),
        ("spoiled-flipped-bucket.txt", "one bit of the bucket is another", other(&|case| case.shown.base[20] ^= 1)),
        (
            "spoiled-delta-left-out.txt",
            "the changes since the book are kept back",
            other(&|case| case.shown.delta = Directory::new().deltas[THIRD].clone().into()),
        ),
        (
            "spoiled-bucket-and-delta-exchanged.txt",
            "the delta is shown as the bucket, the bucket as the delta",
            other(&|case| core::mem::swap(&mut case.shown.base, &mut case.shown.delta)),
        ),
        (
            "spoiled-another-bucket.txt",
            "bucket, delta and path of another prefix than the tag's",
            other(&|case| case.shown = Directory::changed().shown(1)),
        ),
        ("spoiled-path-cut-short.txt", "the last digest is missing", other(&|case| case.shown.path.truncate(1))),
        (
            "spoiled-path-too-long.txt",
            "a digest too many",
            other(&|case| case.shown.path.push(Digest::of(b"one too many"))),
        ),
        ("spoiled-path-turned.txt", "the path from the root down", other(&|case| case.shown.path.reverse())),
        ("spoiled-fewer-bits.txt", "the root says one bit fewer", other(&|case| case.root = of_bits(1))),
        ("spoiled-more-bits.txt", "the root says one bit more", other(&|case| case.root = of_bits(3))),
        (
            "spoiled-older-root.txt",
            "the root of before the changes",
            other(&|case| case.root = Directory::new().root()),
        ),
        (
            "spoiled-root-of-too-many-bits.txt",
            "25 bits",
            other(&|case| {
                case.expect = "Malformed".to_owned();
                case.root = cbor::encode(&(25_u8, 3_u64, Digest::of(b"root")));
            }),
        ),
        (
            "spoiled-out-of-order.txt",
            "committed, but the entries are not in order",
            spoiled("Unsorted", &bucket(third(), vec![entry(0x90, 1), entry(0x80, 3)])),
        ),
        (
            "spoiled-doubled.txt",
            "committed, but an entry stands twice",
            spoiled("Unsorted", &bucket(third(), vec![entry(0x90, 1), entry(0x90, 1)])),
        ),
        (
            "spoiled-foreign-entry.txt",
            "committed, but an entry belongs under another prefix",
            spoiled("Foreign", &bucket(third(), vec![entry(0x90, 1), entry(0xc0, 1)])),
        ),
        (
            "spoiled-foreign-bucket.txt",
            "committed, but in the place of another prefix",
            spoiled("Foreign", &Directory::with_bucket(Directory::new().buckets[1].clone())),
        ),
        (
            "spoiled-foreign-delta.txt",
            "committed, but the delta is of another prefix",
            spoiled("Foreign", &Directory::with_delta(Directory::new().deltas[1].clone())),
        ),
        (
            "spoiled-long-value.txt",
            "committed, but a sealed value has 257 bytes",
            spoiled("TooLong", &bucket(third(), vec![long])),
        ),
        (
            "spoiled-trailing.txt",
            "committed, but with a byte behind the bucket",
            spoiled("Malformed", &Directory::with_bucket(trailing)),
        ),
        (
            "spoiled-second-spelling.txt",
            "committed, but with a list of indefinite length",
            spoiled("Malformed", &Directory::with_bucket(indefinite)),
        ),
        (
            "spoiled-prefix-beyond-its-bits.txt",
            "committed, but two bits are said to be four",
            spoiled("Malformed", &Directory::with_bucket(cbor::encode(&((2_u8, 4_u32), three())))),
        ),
        (
            "spoiled-removed-beyond.txt",
            "committed, but the delta takes out a fourth of three",
            spoiled("Unfitting", &delta(vec![3], Vec::new())),
        ),
        (
            "spoiled-added-again.txt",
            "committed, but the delta puts in what stands in the bucket",
            spoiled("Unfitting", &delta(Vec::new(), vec![entry(0x90, 1)])),
        ),
        (
            "spoiled-removed-and-added.txt",
            "committed, but the delta puts in what it takes out",
            spoiled("Unfitting", &delta(vec![1], vec![entry(0x90, 1)])),
        ),
        (
            "spoiled-removed-out-of-order.txt",
            "committed, but the places do not ascend",
            spoiled("Unsorted", &delta(vec![1, 0], Vec::new())),
        ),
        (
            "spoiled-removed-twice.txt",
            "committed, but a place is named twice",
            spoiled("Unsorted", &delta(vec![1, 1], Vec::new())),
        ),
    ]
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/buckets")
}
