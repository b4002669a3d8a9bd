//! The histories in `tests/vectors/histories/`, good and spoiled, one case a file: what whoever is shown a history
//! must find whole when they hold the keeper's leaves, and what not.
//!
//! A file has one `name: value` a line, a leaf of the open epoch a line among them; `#` begins a remark. `expect` is
//! `good`, the number of the newest step and how many the daily leaf counted, or the name of the gap. The files are
//! written anew by `cargo test -p protocol --test history_vectors -- --ignored`, after a change of format only.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "all of this file is a test, and reads files"
)]

#[path = "shared/vectors.rs"]
mod vectors;

use std::path::PathBuf;

use protocol::access_log::Step;
use protocol::access_log::note::Note;
use protocol::access_log::proof::{self, Counted, DayShown, Proof, StepShown};
use protocol::cbor;
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::digest::Digest;
use protocol::id::party::PartyId;
use protocol::ledger::day::{self, Branch, End, Item, LABEL_BYTES, PARTS};
use protocol::ledger::leaf::{Contents, Leaf, LeafKind, Salt, Salts};
use protocol::message::{Access, Staff};
use protocol::time::{Span, Timestamp};
use protocol::vault::Label;

const NOW: Timestamp = Timestamp::from_unix_ms(1_790_000_000_000);
/// Leaves of the keeper before its open epoch.
const BEGINS: u64 = 100;
/// The leaf of the answer, in the open epoch.
const ANSWER: u64 = 7;

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

/// A history as it was answered, and the leaves it is held against.
struct Case {
    expect: String,
    accesses: Vec<u8>,
    proof: Vec<u8>,
    leaves: Vec<Vec<u8>>,
}

impl vectors::Case for Case {
    fn expect(&self) -> &str {
        &self.expect
    }

    fn run(&self) -> String {
        let accesses: Vec<Access> = cbor::decode(&self.accesses).unwrap();
        let leaf = |at: u64| Leaf::parse(self.leaves.get(usize::try_from(at).unwrap())?).ok();
        match proof::check(&accesses, Some(&self.proof), ANSWER, &leaf) {
            Ok(whole) => {
                let counted = whole.day.map_or_else(|| "none".to_owned(), |day| day.counted.to_string());
                format!("good {} {counted}", whole.newest)
            }
            Err(gap) => format!("{gap:?}"),
        }
    }

    fn write(&self, remark: &str) -> String {
        let Self { expect, accesses, proof, leaves } = self;
        let mut out = format!("# {remark}\nexpect: {expect}\nanswer leaf: {ANSWER}\n");
        out += &format!("accesses: {}\nproof: {}\n", hex::encode(accesses), hex::encode(proof));
        out + &leaves.iter().map(|leaf| format!("leaf: {}\n", hex::encode(leaf))).collect::<String>()
    }

    fn read(text: &str) -> Self {
        let values = vectors::values(text);
        assert_eq!(values["answer leaf"], [ANSWER.to_string()]);
        Self {
            expect: values["expect"][0].to_owned(),
            accesses: hex::decode(values["accesses"][0]).unwrap(),
            proof: hex::decode(values["proof"][0]).unwrap(),
            leaves: values["leaf"].iter().map(|leaf| hex::decode(leaf).unwrap()).collect(),
        }
    }
}

fn salt(what: &str) -> Salt {
    Salt::from_bytes(*Digest::of(what.as_bytes()).as_bytes())
}

fn label(first: u8) -> [u8; LABEL_BYTES] {
    let mut label = [0x5A; LABEL_BYTES];
    label[0] = first;
    label
}

/// The person, and two others: one whose label shares the first bits, one far away.
const OWN: u8 = 0b0101_0000;
const NEAR: u8 = 0b0101_0001;
const FAR: u8 = 0b1000_0000;

/// Where the person's step of that number stands.
fn place_of(number: u64) -> u64 {
    [BEGINS - 3, BEGINS + 1, BEGINS + 3, BEGINS + 5][usize::try_from(number).unwrap() - 1]
}

/// A map in which the person has `own` steps; none if 0.
fn map(own: u64) -> (Vec<Branch>, Vec<Vec<Item>>) {
    let mut parts = vec![Vec::new(); PARTS];
    for (first, number) in [(OWN, own), (NEAR, 9), (FAR, 2)] {
        if number > 0 {
            let hidden =
                day::hide(&salt(&format!("day {first}")), number, if first == OWN { place_of(number) } else { 2 });
            parts[usize::from(first)].push(Item { label: label(first), hidden });
        }
    }
    (parts.iter().map(|items| day::branch(items, 8)).collect(), parts)
}

fn time(place: u64) -> Timestamp {
    NOW.plus(Span::from_s(place))
}

/// Eight leaves of an open epoch, which the first of them opens: steps of the person at 1, 3 and 5 (their numbers 2, 3 and 4; the first is of the
/// epoch before), a daily leaf at 4 that counted `counted`, strangers else. The answer is 7.
fn ledger(counted: u64, is_closed: bool) -> (Vec<Leaf>, Vec<Access>, Proof) {
    ledger_of(changed(&|of| (of.counted, of.is_closed) = (counted, is_closed)))
}

/// What a keeper makes of it.
struct Ledger {
    counted: u64,
    is_closed: bool,
    covers: u64,
    /// Leaves before the open epoch, as the daily leaf says it.
    claims: u64,
    kind_of_first: LeafKind,
    /// Seconds that the daily leaf and all later ones come later.
    gap: u64,
}

fn ledger_of(of: Ledger) -> (Vec<Leaf>, Vec<Access>, Proof) {
    let Ledger { counted, is_closed, covers, claims, kind_of_first, gap } = of;
    let nothing = Digest::of(&[]);
    let (branches, parts) = map(counted);
    let root = day::branch_of_parts(&branches).digest();
    let mut leaves: Vec<Leaf> = Vec::new();
    let (mut accesses, mut steps) = (vec![access(BEGINS - 3)], vec![shown(1, None, None, BEGINS - 3)]);
    let mut before = (Digest::of(b"a leaf of the epoch before"), BEGINS - 3);
    for place in 0..8_u64 {
        let mut contents = Contents { request: nothing, answer: nothing, detail: nothing, person: nothing };
        let mut kind = if place == 0 { kind_of_first } else { LeafKind::Exchange };
        let is_step = [1, 3, 5].contains(&place);
        if is_step {
            let number = u64::try_from(accesses.len()).unwrap() + 1;
            let (previous, previous_leaf) = (Some(before.0), Some(before.1));
            let step = Step { label: Label::from_bytes(label(OWN)), number, previous, previous_leaf };
            contents.person = Digest::of(&cbor::encode(&step));
            accesses.insert(0, access(BEGINS + place));
            if place > 4 {
                accesses[0].at = accesses[0].at.plus(Span::from_s(gap));
            }
            steps.insert(0, shown(number, previous, previous_leaf, BEGINS + place));
        }
        if place == 4 && is_closed {
            kind = LeafKind::Daily;
            contents.request = Note::Day(claims, covers, root).digest();
        }
        let leaf = Leaf::new(
            kind,
            if place < 4 { time(place) } else { time(place).plus(Span::from_s(gap)) },
            &salts(BEGINS + place),
            &contents,
        );
        if is_step {
            before = (leaf.hash(), BEGINS + place);
        }
        leaves.push(leaf);
    }
    let Ok(way) = day::way(&branches, &label(OWN), |part| Ok::<_, core::convert::Infallible>(parts[part].clone()));
    let counted =
        (counted > 0).then(|| Counted { number: counted, salt: salt(&format!("day {OWN}")), leaf: place_of(counted) });
    let day = DayShown { leaf: BEGINS + 4, salt: salts(BEGINS + 4).request, covers, root, way, counted };
    let label = Label::from_bytes(label(OWN));
    (leaves, accesses, Proof { begins: BEGINS, label, steps, day: is_closed.then_some(day) })
}

fn salts(place: u64) -> Salts {
    let of = |what: &str| salt(&format!("{what} {place}"));
    Salts { request: of("request"), answer: of("answer"), detail: of("detail"), person: of("person") }
}

fn shown(number: u64, previous: Option<Digest>, previous_leaf: Option<u64>, place: u64) -> StepShown {
    StepShown { number, previous, previous_leaf, salt: salts(place).person }
}

fn access(leaf: u64) -> Access {
    Access {
        at: leaf.checked_sub(BEGINS).map_or(NOW.minus(Span::from_h(1)), time),
        party: PartyId::parse("office:1370101238").unwrap(),
        staff: Staff { id: "cm-1".to_owned(), job: Job::CareManager, proof: None },
        purpose: Purpose::CarePlanning,
        kinds: vec![RecordKind::CarePlan],
        refused: false,
        leaf,
        act: None,
    }
}

/// How many leaves a keeper says it has before its open epoch, so that none of it need be opened.
const CLAIMED: u64 = 1_000_000;

fn changed(change: &dyn Fn(&mut Ledger)) -> Ledger {
    let mut of = Ledger {
        counted: 3,
        is_closed: true,
        covers: BEGINS + 4,
        claims: BEGINS,
        kind_of_first: LeafKind::Epoch,
        gap: 0,
    };
    change(&mut of);
    of
}

/// What a keeper that withholds something does to leaves, accesses and proof.
type Spoil<'s> = dyn Fn(&mut Vec<Leaf>, &mut Vec<Access>, &mut Proof) + 's;

fn cases() -> Vec<(&'static str, &'static str, Case)> {
    let case = |expect: &str, (leaves, accesses, proof): (Vec<Leaf>, Vec<Access>, Proof)| Case {
        expect: expect.to_owned(),
        accesses: cbor::encode(&accesses),
        proof: cbor::encode(&proof),
        leaves: leaves.iter().map(Leaf::to_bytes).collect(),
    };
    let spoiled = |expect: &str, counted: u64, spoil: &Spoil<'_>| {
        let (mut leaves, mut accesses, mut proof) = ledger(counted, true);
        spoil(&mut leaves, &mut accesses, &mut proof);
        case(expect, (leaves, accesses, proof))
    };
    let without = |at: usize| {
        move |_leaves: &mut Vec<Leaf>, accesses: &mut Vec<Access>, proof: &mut Proof| {
            accesses.remove(at);
            proof.steps.remove(at);
        }
    };
    let other_way = |proof: &mut Proof| {
        let (branches, parts) = map(3);
        let Ok(way) = day::way(&branches, &label(NEAR), |part| Ok::<_, core::convert::Infallible>(parts[part].clone()));
        let day = proof.day.as_mut().unwrap();
        (day.way, day.counted) = (way, None);
    };
    let of = |change: &dyn Fn(&mut Ledger)| ledger_of(changed(change));
    let without_newest = |some: usize, expect: &str, change: &dyn Fn(&mut Ledger)| {
        let (leaves, mut accesses, mut proof) = of(change);
        accesses.drain(..some);
        proof.steps.drain(..some);
        case(expect, (leaves, accesses, proof))
    };
    let late = {
        let (mut leaves, mut accesses, mut proof) = of(&|of| (of.counted, of.covers, of.gap) = (1, BEGINS + 1, 900));
        let nothing = Digest::of(&[]);
        let contents = Contents { request: nothing, answer: nothing, detail: nothing, person: nothing };
        leaves[1] = Leaf::new(LeafKind::Exchange, leaves[4].time(), &salts(BEGINS + 1), &contents);
        accesses.drain(..3);
        proof.steps.drain(..3);
        case("CoversTooLittle(101)", (leaves, accesses, proof))
    };
    let invented = |expect: &str, change: &dyn Fn(&mut Ledger)| {
        let (leaves, mut accesses, mut proof) = of(change);
        accesses.remove(0);
        proof.steps.remove(0);
        proof.begins = CLAIMED;
        proof.day.as_mut().unwrap().leaf = CLAIMED + 4;
        for (at, (access, step)) in (0..).zip(accesses.iter_mut().zip(&mut proof.steps)) {
            (access.leaf, access.at) = (500 - at, NOW.minus(Span::from_h(1000)));
            (step.previous, step.previous_leaf) = (Some(Digest::of(b"invented")), Some(499 - at));
        }
        case(expect, (leaves, accesses, proof))
    };
    let mut long = spoiled("Unproven", 3, &|_, _, _| {});
    // The array's head again, in two bytes: the same value in a second spelling.
    long.proof.splice(0..1, [0x98, 0x04]);
    vec![
        (
            "good.txt",
            "Four steps, the first of the epoch before; the day counted three.",
            case("good 4 3", ledger(3, true)),
        ),
        ("good-no-day-yet.txt", "No day is closed yet.", case("good 4 none", ledger(3, false))),
        (
            "good-not-in-the-map.txt",
            "The day did not count the person, who has no step, and shows so.",
            spoiled("good 0 0", 0, &|_, accesses, proof| {
                accesses.clear();
                proof.steps.clear();
            }),
        ),
        (
            "good-newest-not-counted-withheld.txt",
            "The newest step, which no daily leaf has counted, is left out: that cannot be seen.",
            spoiled("good 3 3", 3, &without(0)),
        ),
        (
            "spoiled-newest-withheld.txt",
            "The day counted three; the newest two are left out.",
            spoiled("NewestWithheld { counted: 3, shown: 2 }", 3, &|leaves, accesses, proof| {
                without(0)(leaves, accesses, proof);
                without(0)(leaves, accesses, proof);
            }),
        ),
        ("spoiled-step-left-out.txt", "The second of four is left out.", spoiled("StepMissing(4)", 3, &without(1))),
        ("spoiled-oldest-left-out.txt", "The oldest is left out.", spoiled("StepMissing(2)", 3, &without(3))),
        (
            "spoiled-no-step.txt",
            "No step is shown at all.",
            spoiled("NewestWithheld { counted: 3, shown: 0 }", 3, &|_, accesses, proof| {
                accesses.clear();
                proof.steps.clear();
            }),
        ),
        (
            "spoiled-number-changed.txt",
            "The newest step has another number than its leaf says.",
            spoiled("OtherLeaf(5)", 3, &|_, _, proof| proof.steps[0].number = 5),
        ),
        (
            "spoiled-time-changed.txt",
            "A step is said to be a second later than its leaf.",
            spoiled("OtherLeaf(3)", 3, &|_, accesses, _| accesses[1].at = accesses[1].at.plus(Span::from_s(1))),
        ),
        (
            "spoiled-another-label.txt",
            "The label of another person.",
            spoiled("OtherLeaf(4)", 3, &|_, _, proof| proof.label = Label::from_bytes(label(FAR))),
        ),
        (
            "spoiled-day-withheld.txt",
            "The daily leaf is not shown.",
            spoiled("DayWithheld", 3, &|_, _, proof| proof.day = None),
        ),
        (
            "spoiled-older-day.txt",
            "The ledger has a newer daily leaf than the one shown.",
            spoiled("DayWithheld", 3, &|leaves, _, _| {
                let nothing = Digest::of(&[]);
                let contents = Contents { request: nothing, answer: nothing, detail: nothing, person: nothing };
                leaves[6] = Leaf::new(LeafKind::Daily, time(6), &salts(BEGINS + 6), &contents);
            }),
        ),
        (
            "spoiled-number-of-the-day.txt",
            "The day is said to have counted two.",
            spoiled("OtherDay", 3, &|_, _, proof| {
                proof.day.as_mut().unwrap().counted.as_mut().unwrap().number = 2;
            }),
        ),
        (
            "spoiled-counted-left-out.txt",
            "The label is said not to be in the map, and the way ends at it.",
            spoiled("OtherDay", 3, &|_, _, proof| proof.day.as_mut().unwrap().counted = None),
        ),
        (
            "spoiled-way-of-another.txt",
            "The way to another label, to show that this one is not in the map.",
            spoiled("OtherDay", 3, &|_, _, proof| other_way(proof)),
        ),
        (
            "spoiled-way-to-nobody.txt",
            "The way ends at nobody, where the person is.",
            spoiled("OtherDay", 3, &|_, _, proof| {
                let day = proof.day.as_mut().unwrap();
                (day.way.end, day.counted) = (End::Nothing, None);
            }),
        ),
        (
            "spoiled-covers.txt",
            "The daily leaf commits to another number of leaves covered.",
            spoiled("OtherDay", 3, &|_, _, proof| proof.day.as_mut().unwrap().covers += 1),
        ),
        (
            "good-counted-after.txt",
            "A leaf came while the day was counted, nine minutes before the daily leaf.",
            case("good 4 3", of(&|of| (of.covers, of.gap) = (BEGINS + 3, 540))),
        ),
        (
            "spoiled-covers-too-little.txt",
            "The day truly counts the leaf before the person's newer steps only, and is written fifteen minutes later.",
            without_newest(3, "CoversTooLittle(101)", &|of| (of.counted, of.covers, of.gap) = (1, BEGINS + 1, 900)),
        ),
        (
            "spoiled-covers-one-late-leaf.txt",
            "The same, and the first leaf left out is dated as late as the daily leaf.",
            late,
        ),
        (
            "spoiled-covers-nothing.txt",
            "The day covers no leaf of the epoch, and the person is shown not to be in the map.",
            without_newest(4, "CoversTooLittle(0)", &|of| (of.counted, of.covers) = (0, 0)),
        ),
        (
            "spoiled-covers-beyond.txt",
            "The day is said to cover leaves after its own.",
            case("CoversTooLittle(105)", of(&|of| of.covers = BEGINS + 5)),
        ),
        (
            "spoiled-not-counted.txt",
            "The day covers four leaves and counted one step of the three that stand before.",
            case("NotCounted(3)", of(&|of| of.counted = 1)),
        ),
        (
            "spoiled-not-in-the-map.txt",
            "The day covers steps of the person, and the person is shown not to be in the map.",
            case("NotCounted(3)", of(&|of| of.counted = 0)),
        ),
        (
            "spoiled-begins.txt",
            "Everything is said to be older than the open epoch, and invented; the daily leaf says otherwise.",
            invented("OtherDay", &|_of| {}),
        ),
        (
            "spoiled-begins-committed.txt",
            "The same, and the daily leaf says so too, but not that the person's steps stand there.",
            invented("NotCounted(3)", &|of| {
                (of.claims, of.covers) = (CLAIMED, CLAIMED + 4);
            }),
        ),
        (
            "spoiled-begins-first-epoch.txt",
            "There are said to be leaves before the first epoch.",
            case("OtherBeginning", of(&|of| of.kind_of_first = LeafKind::Exchange)),
        ),
        ("spoiled-second-spelling.txt", "The length of the array is written in two bytes.", long),
    ]
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/histories")
}
