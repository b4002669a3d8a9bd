//! The ledger over time: what goes on after crashes, restored backups, lost witnesses and lying insurers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "shared/town.rs"]
mod town;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use protocol::cbor;
use protocol::code::record_kind::RecordKind;
use protocol::code::service::ServiceKind;
use protocol::digest::Digest;
use protocol::frame::{self, Frame, Verdict};
use protocol::gate::Notice;
use protocol::host::Input;
use protocol::ledger::checkpoint::{Checkpoint, SIGNATURES_MAX, SignatureLine, SignedCheckpoint};
use protocol::ledger::cosignature;
use protocol::ledger::epoch::{self, Opening};
use protocol::ledger::leaf::{Contents, Leaf, LeafKind, Salt, Salts};
use protocol::limits;
use protocol::machine::{Answered, AskId, Ending, Failure, Wish};
use protocol::message::{Body, Outcome};
use protocol::primitives::{Real, Secret, Suite};
use protocol::receipts::Returned;
use protocol::refusal::Told;
use protocol::store::Seat;
use protocol::table;
use protocol::time::Span;
use protocol::witness;
use simulations::founding::{Plan, party};
use simulations::passage::Delivery;
use simulations::world::World;
use town::{CITY, PLANNER, WITNESS, answered, line, result};

const DIRECTORY: &str = "directory:1";
/// Three, of which two are a quorum.
const WITNESSES: [&str; 3] = [WITNESS, "witness:2", "witness:3"];

fn world(seed: u64) -> World {
    world_with(seed, &[WITNESS])
}

fn world_with(seed: u64, witnesses: &[&str]) -> World {
    let planner = (party(PLANNER), vec![ServiceKind::parse("43").unwrap()]);
    let members = [CITY, DIRECTORY, "pseudonymiser:1"].iter().chain(witnesses).map(|text| party(text)).collect();
    let plan = Plan { members, holders: vec![planner], ..Plan::default() };
    let mut world = World::new(seed, &plan, Suite::X25519, Arc::new(Real)).unwrap();
    assert_eq!(world.import(&party(CITY), &line()), Some(Ok(1)));
    world
}

/// Loses every frame for which `lost` says so.
fn lose(world: &mut World, lost: fn(&Frame) -> bool) {
    world.tamper(Some(Box::new(move |passage| {
        if frame::parse(&passage.bytes).is_ok_and(|frame| lost(&frame)) {
            return Vec::new();
        }
        vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }]
    })));
}

#[test]
fn an_asker_that_crashes_before_the_answer_takes_the_exchange_up_again() {
    for lost in
        [|frame: &Frame| matches!(frame, Frame::Answer(..)), |frame: &Frame| matches!(frame, Frame::Request(..))]
    {
        let mut world = world(1);
        let (city, planner) = (party(CITY), party(PLANNER));
        assert!(matches!(answered(world.ask(&planner, result())).outcome, Outcome::Records(_)));
        let before = (world.ledger_size(&city), world.ledger_size(&planner));
        lose(&mut world, lost);
        world.push_now(&planner, Input::Ask(Seat::new(1), AskId(100_000), result()));
        world.pass(Span::from_s(1));
        assert_eq!((world.open_asks(&planner), world.ledger_size(&planner)), (1, before.1));
        world.tamper(None);
        world.crash(&planner).unwrap();
        let after = (world.ledger_size(&city), world.ledger_size(&planner));
        assert_eq!(after, (before.0 + 1, before.1 + 1), "one leaf at each end");
        assert_eq!(world.open_asks(&planner), 0, "the secret is gone");
        assert!(world.alarms().is_empty(), "{:?}", world.alarms());
        assert!(matches!(answered(world.ask(&planner, result())).outcome, Outcome::Records(_)));
    }
}

#[test]
fn an_exchange_whose_lifetime_is_over_is_not_sent_again_after_a_restart() {
    let mut world = world(2);
    let (city, planner) = (party(CITY), party(PLANNER));
    lose(&mut world, |frame| matches!(frame, Frame::Request(..)));
    world.push_now(&planner, Input::Ask(Seat::new(1), AskId(100_000), result()));
    world.pass(Span::from_s(1));
    let size = world.ledger_size(&city);
    assert_eq!(world.open_asks(&planner), 1);
    world.tamper(None);
    world.crash_for(&planner, Span::from_s(121)).unwrap();
    assert_eq!((world.open_asks(&planner), world.ledger_size(&city)), (0, size));
}

/// The epoch and size of a host's newest head.
fn head(world: &World, party_text: &str) -> (u32, u64) {
    let head = claimed(&world.head(&party(party_text)).unwrap());
    (head.origin.epoch(), head.size)
}

fn claimed(note: &[u8]) -> Checkpoint {
    SignedCheckpoint::parse(note).unwrap().claim().unwrap()
}

fn epoch_of(answer: &Answered) -> String {
    let body: Body = cbor::decode(&answer.body).unwrap();
    body.origin.rsplit_once('/').unwrap().1.to_owned()
}

fn alarmed(world: &World, party_text: &str, what: &str) -> bool {
    world.alarms().iter().any(|(at, said)| *at == party(party_text) && said.contains(what))
}

#[test]
fn a_restored_insurer_begins_a_new_epoch_and_gets_the_lost_receipts_back() {
    let mut world = world(3);
    let (city, planner) = (party(CITY), party(PLANNER));
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    let image = world.image(&city).unwrap();
    let kept = head(&world, CITY);
    let lost: Vec<_> = (0..8).map(|_| answered(world.ask(&planner, result())).leaf).collect();
    world.wait(Span::from_s(30));
    let end = head(&world, CITY);
    assert_eq!(end, (1, kept.1 + 8));

    // In mid-traffic: a question is under way when the old disk comes back.
    world.push_now(&planner, Input::Ask(Seat::new(1), AskId(100_000), result()));
    world.pass(Span::from_ms(8));
    world.restore(&city, &image).unwrap();
    assert_eq!(world.unsettled(&city), None);
    assert_eq!(head(&world, CITY).0, 2, "the old tree is not continued");
    assert!(alarmed(&world, CITY, "a new epoch was begun"));
    assert!(world.rows(&party(WITNESS), table::CONTRADICTION).is_empty(), "nothing is forked");
    assert_eq!(world.open_asks(&planner), 0);
    let ending = world.ending(AskId(100_000));
    assert!(matches!(answered(ending).outcome, Outcome::Records(_)), "what was under way is answered");

    let returned: Vec<Returned> =
        world.rows(&city, table::RETURNED).iter().map(|row| cbor::decode(row).unwrap()).collect();
    let mut leaves: Vec<u64> =
        returned.iter().map(|one| protocol::receipts::read_receipt(&one.receipt).unwrap().0.index).collect();
    leaves.sort_unstable();
    assert_eq!(leaves, lost, "every receipt of the lost part is held as evidence");
    assert!(returned.iter().all(|one| one.by == planner));
    assert!(alarmed(&world, PLANNER, "lost receipts of ours"));

    let answer = answered(world.ask(&planner, result()));
    assert!(matches!(answer.outcome, Outcome::Records(_)));
    assert_eq!(epoch_of(&answer), "2");
    let before = head(&world, CITY);
    world.crash(&city).unwrap();
    assert_eq!(head(&world, CITY), before, "the new epoch goes on after a crash");
    assert_eq!(epoch_of(&answered(world.ask(&planner, result()))), "2");

    // A second time from the same backup: the epoch that was open meanwhile is not opened again.
    world.restore(&city, &image).unwrap();
    assert_eq!(head(&world, CITY).0, 3);
    assert_eq!(epoch_of(&answered(world.ask(&planner, result()))), "3");
    assert!(world.rows(&party(WITNESS), table::CONTRADICTION).is_empty());
}

#[test]
fn a_witness_that_shows_our_head_without_its_own_line_does_not_spoil_the_next_epoch() {
    let mut world = world(21);
    let city = party(CITY);
    answered(world.ask(&party(PLANNER), result()));
    world.wait(Span::from_s(30));
    let image = world.image(&city).unwrap();
    answered(world.ask(&party(PLANNER), result()));
    world.wait(Span::from_s(30));
    damage_lines(&mut world, 1);
    world.restore(&city, &image).unwrap();
    world.tamper(None);
    world.wait(Span::from_s(30));
    let answer = answered(world.ask(&party(PLANNER), result()));
    assert!(matches!(answer.outcome, Outcome::Records(_)));
    assert_eq!(epoch_of(&answer), "2");
}

#[test]
fn a_witness_whose_line_never_holds_keeps_nobody_from_going_on_with_the_tree_they_have() {
    let mut world = world(22);
    let city = party(CITY);
    answered(world.ask(&party(PLANNER), result()));
    world.wait(Span::from_s(30));
    // As of a witness whose cosigning key was replaced since.
    damage_lines(&mut world, usize::MAX);
    world.crash(&city).unwrap();
    world.wait(Span::from_s(30));
    assert_eq!(world.unsettled(&city), None);
    let answer = answered(world.ask(&party(PLANNER), result()));
    assert!(matches!(answer.outcome, Outcome::Records(_)));
    assert_eq!(epoch_of(&answer), "1");
}

/// The witness's line under the first so many notes that it says it holds is another.
fn damage_lines(world: &mut World, notes: usize) {
    let mut left = notes;
    world.tamper(Some(Box::new(move |passage| {
        let mut bytes = passage.bytes.clone();
        if let (Ok(Frame::Cosigned(number, Verdict::Stands(size, note))), 1..) = (frame::parse(&bytes), left) {
            left -= 1;
            // It is the last one, in Base64.
            let mut note = note.to_vec();
            let at = note.len() - 20;
            note[at] = if note[at] == b'A' { b'B' } else { b'A' };
            bytes = cbor::encode(&Frame::Cosigned(number, Verdict::Stands(size, note.into())));
        }
        vec![Delivery { delay: Span::ZERO, bytes }]
    })));
}

#[test]
fn an_asker_that_holds_more_than_the_witness_makes_a_restored_insurer_begin_a_new_epoch() {
    let mut world = world(4);
    let (city, planner) = (party(CITY), party(PLANNER));
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    let image = world.image(&city).unwrap();
    // No witness sees this head before the disk is lost.
    let lost = answered(world.ask(&planner, result())).leaf;
    world.restore(&city, &image).unwrap();
    assert_eq!(head(&world, CITY).0, 1);
    let answer = answered(world.ask(&planner, result()));
    assert_eq!((epoch_of(&answer).as_str(), head(&world, CITY).0), ("2", 2));
    world.run();
    let returned = world.rows(&city, table::RETURNED);
    let returned: Returned = cbor::decode(returned.first().unwrap()).unwrap();
    assert_eq!(protocol::receipts::read_receipt(&returned.receipt).unwrap().0.index, lost);
}

#[test]
fn a_ledger_that_rests_is_shown_seldom_and_one_that_grew_soon() {
    let mut world = world(31);
    let (city, planner, witness) = (party(CITY), party(PLANNER), party(WITNESS));
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    let shown = count_sent(&mut world, CITY, |frame| matches!(frame, Frame::Cosign(..)));
    world.pass(Span::from_h(5));
    let times = shown.load(Ordering::Relaxed);
    assert!((4..=6).contains(&times), "{times}");
    let leaf = answered(world.ask(&planner, result())).leaf;
    world.pass(Span::from_s(15));
    assert!(claimed(&world.cosigned(&city, &witness).unwrap()).size > leaf);
}

/// Counts what `whose` sends that `is_counted`.
fn count_sent(world: &mut World, whose: &str, is_counted: fn(&Frame) -> bool) -> Arc<AtomicUsize> {
    let sent = Arc::new(AtomicUsize::new(0));
    let (count, whose) = (Arc::clone(&sent), party(whose));
    world.tamper(Some(Box::new(move |passage| {
        if passage.from == whose && frame::parse(&passage.bytes).is_ok_and(|frame| is_counted(&frame)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }]
    })));
    sent
}

#[test]
fn a_proof_that_does_not_come_is_asked_for_more_and_more_seldom_and_taken_when_it_does() {
    let mut world = world(41);
    let (planner, witness) = (party(PLANNER), party(WITNESS));
    world.stop(&witness);
    answered(world.ask(&planner, result()));
    let asked = count_sent(&mut world, PLANNER, |frame| matches!(frame, Frame::Prove(..)));
    world.pass(Span::from_h(1));
    let times = asked.load(Ordering::Relaxed);
    assert!((8..=12).contains(&times), "{times}");
    assert_eq!(world.unwitnessed(&planner).len(), 1);
    world.wake(&witness).unwrap();
    world.pass(Span::from_s(1_300));
    assert!(world.unwitnessed(&planner).is_empty());
}

#[test]
fn statements_are_fetched_only_where_what_is_known_may_be_old() {
    let mut world = world(42);
    let (city, planner) = (party(CITY), party(PLANNER));
    let wanted = count_sent(&mut world, PLANNER, |frame| matches!(frame, Frame::Fetch(_, true)));
    answered(world.ask(&planner, result()));
    assert_eq!(wanted.load(Ordering::Relaxed), 0, "it knows whom it met");
    world.stop(&city);
    assert!(matches!(world.ask(&planner, result()), Some(Ending::Failed(Failure::Unreachable(_)))));
    world.wake(&city).unwrap();
    world.run();
    answered(world.ask(&planner, result()));
    assert!(wanted.load(Ordering::Relaxed) > 0, "whoever was not reached may be elsewhere by now");
}

#[test]
fn an_offices_ledger_is_cosigned_and_begins_a_new_epoch_after_a_restore() {
    let mut world = world(5);
    let planner = party(PLANNER);
    answered(world.ask(&planner, result()));
    let image = world.image(&planner).unwrap();
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    let cosigned = claimed(&world.cosigned(&planner, &party(WITNESS)).unwrap());
    assert_eq!(cosigned.size, world.ledger_size(&planner));
    world.restore(&planner, &image).unwrap();
    assert_eq!((world.unsettled(&planner), head(&world, PLANNER)), (None, (2, 1)));
    assert!(matches!(answered(world.ask(&planner, result())).outcome, Outcome::Records(_)));
    assert_eq!(head(&world, PLANNER), (2, 2));
}

#[test]
fn an_insurer_that_reaches_no_witness_when_it_starts_answers_nobody_and_goes_on_when_it_does() {
    let mut world = world(6);
    let (city, planner, witness) = (party(CITY), party(PLANNER), party(WITNESS));
    answered(world.ask(&planner, result()));
    let image = world.image(&witness).unwrap();
    world.stop(&witness);
    world.crash(&city).unwrap();
    let size = world.ledger_size(&city);
    assert_eq!(world.unsettled(&city), Some("the ledger is not confirmed by witnesses yet"));
    assert!(matches!(world.ask(&planner, result()), Some(Ending::Failed(Failure::Unreachable(_)))));
    assert!(matches!(world.import(&city, &line()), Some(Err(_))));
    assert_eq!(world.ledger_size(&city), size);
    world.revive(&witness, &image).unwrap();
    world.wait(Span::from_s(60));
    assert_eq!(world.unsettled(&city), None);
    assert!(matches!(answered(world.ask(&planner, result())).outcome, Outcome::Records(_)));
}

/// Puts a head signed with the city's own log key before the witness, as a lying city would.
fn submit(world: &mut World, checkpoint: &Checkpoint, from: u64) {
    let (city, witness) = (party(CITY), party(WITNESS));
    let note = checkpoint.sign(&Real, &world.founding().keys(&city).unwrap().log.first().unwrap().secret);
    let frame = Frame::Cosign(9_999, note.as_bytes().to_vec().into(), from, Vec::new(), None);
    let wire = world.wire(&city, &witness).unwrap();
    world.push_now(&witness, Input::Frame { connection: wire, bytes: cbor::encode(&frame) });
    world.run();
}

#[test]
fn a_witness_refuses_a_fork_and_a_shortened_ledger_and_holds_both_as_evidence() {
    let mut world = world(7);
    let (city, planner, witness) = (party(CITY), party(PLANNER), party(WITNESS));
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    let good = claimed(&world.cosigned(&city, &witness).unwrap());
    assert!(world.rows(&witness, table::CONTRADICTION).is_empty());
    let forked = Checkpoint { root: Digest::of(b"another history"), ..good.clone() };
    submit(&mut world, &forked, good.size);
    assert_eq!(world.rows(&witness, table::CONTRADICTION).len(), 1);
    let shortened = Checkpoint { size: good.size - 1, ..good.clone() };
    submit(&mut world, &shortened, good.size);
    let held = world.rows(&witness, table::CONTRADICTION);
    let mut sizes: Vec<_> = held.iter().map(|note| claimed(note).size).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [good.size - 1, good.size], "both notes are held, each signed by the city itself");
    assert!(alarmed(&world, WITNESS, "contradicts the head cosigned before"));
    // One of a kind is evidence enough, and no number of kinds fills the disk.
    submit(&mut world, &forked, good.size);
    assert_eq!(world.rows(&witness, table::CONTRADICTION).len(), 2);
    for history in 0..40_u8 {
        let other = Checkpoint { root: Digest::of(&[history]), ..good.clone() };
        submit(&mut world, &other, good.size);
    }
    assert_eq!(world.rows(&witness, table::CONTRADICTION).len(), 16);
    // What was cosigned stands, and the true ledger is cosigned on.
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    assert_eq!(claimed(&world.cosigned(&city, &witness).unwrap()).size, world.ledger_size(&city));
}

#[test]
fn a_receipt_is_unwitnessed_until_a_cosigned_head_follows_from_it() {
    let mut world = world(8);
    let planner = party(PLANNER);
    for _ in 0..3 {
        answered(world.ask(&planner, result()));
    }
    assert!(!world.unwitnessed(&planner).is_empty());
    world.wait(Span::from_s(60));
    assert_eq!(world.unwitnessed(&planner), []);
    assert!(world.alarms().is_empty(), "{:?}", world.alarms());
}

#[test]
fn without_witnesses_answers_are_marked_after_four_hours_and_narrowed_after_a_day() {
    let mut world = world(9);
    let planner = party(PLANNER);
    let mark = |answer: &Answered| cbor::decode::<Body>(&answer.body).unwrap().unwitnessed_since;
    assert_eq!(mark(&answered(world.ask(&planner, result()))), None);
    world.wait(Span::from_s(30));
    world.stop(&party(WITNESS));
    world.wait(Span::from_s(4 * 3600 + 60));
    let answer = answered(world.ask(&planner, result()));
    assert!(matches!(answer.outcome, Outcome::Records(_)) && mark(&answer).is_some());
    assert!(alarmed(&world, CITY, "for four hours"));
    assert!(!alarmed(&world, PLANNER, "under no cosigned head"));
    world.renew_all(2);
    world.wait(Span::from_h(20));
    world.renew_all(3);
    world.wait(Span::from_h(5));
    let refused = answered(world.ask(&planner, result()));
    assert_eq!(refused.outcome, Outcome::Refused(Told::Unwitnessed));
    let mut card = result();
    card.wish =
        Wish::Records { kinds: vec![RecordKind::InsuranceCard], valid_on: None, known_at: None, versions: None };
    assert!(matches!(answered(world.ask(&planner, card)).outcome, Outcome::Records(_)));
    assert!(alarmed(&world, CITY, "for a day") && alarmed(&world, PLANNER, "under no cosigned head after a day"));
}

#[test]
fn what_was_put_off_for_want_of_witnesses_is_answered_if_they_are_back_when_it_comes_again() {
    let mut world = world(19);
    let planner = party(PLANNER);
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    world.stop(&party(WITNESS));
    for number in [2, 3] {
        world.wait(Span::from_h(14));
        world.renew_all(number);
    }
    let (answer, size) = answered_after(&mut world, witness_is_back);
    assert!(matches!(answer.outcome, Outcome::Records(_)), "{:?}", answer.outcome);
    assert!(answer.leaf >= size, "being put off has a leaf of its own");
}

#[test]
fn a_marked_answer_that_was_lost_comes_again_as_it_was_when_the_witnesses_are_back() {
    let mut world = world(20);
    let planner = party(PLANNER);
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    world.stop(&party(WITNESS));
    world.wait(Span::from_h(5));
    let (answer, size) = answered_after(&mut world, witness_is_back);
    assert!(matches!(answer.outcome, Outcome::Records(_)), "{:?}", answer.outcome);
    assert!(cbor::decode::<Body>(&answer.body).unwrap().unwitnessed_since.is_some());
    assert_eq!(answer.leaf, size - 1, "under its first leaf");
}

#[test]
fn a_lost_answer_comes_again_as_it_was_under_another_policy_if_that_finds_the_same() {
    let mut world = world(23);
    let first = answered(world.ask(&party(PLANNER), result()));
    let policy = |answer: &Answered| cbor::decode::<Body>(&answer.body).unwrap().policy;
    let (answer, size) = answered_after(&mut world, |world| {
        world.next_roster(&|roster| roster.policy = Digest::of(b"another policy"));
        let news: Vec<_> = world.founding().rosters_since(1).collect();
        world.push_now(&party(CITY), Input::Notice(news[0].clone()));
        world.pass(Span::from_s(1));
        world.stop(&party(CITY));
        world.wake(&party(CITY)).unwrap();
        world.pass(Span::from_s(3));
    });
    assert!(matches!(answer.outcome, Outcome::Records(_)), "{:?}", answer.outcome);
    assert_eq!((policy(&answer), answer.leaf), (policy(&first), size - 1));
    let next = answered(world.ask(&party(PLANNER), result()));
    assert_eq!(policy(&next), Digest::of(b"another policy"));
}

/// The planner asks, and the answers are lost until something has happened; what came of it, and how many leaves the city
/// had after it was asked first.
fn answered_after(world: &mut World, happens: fn(&mut World)) -> (Answered, u64) {
    lose(world, |frame| matches!(frame, Frame::Answer(..)));
    let ask = world.begin_ask(&party(PLANNER), result());
    world.pass(Span::from_s(1));
    let size = world.ledger_size(&party(CITY));
    happens(world);
    world.tamper(None);
    world.run();
    (answered(world.ending(ask)), size)
}

fn witness_is_back(world: &mut World) {
    world.wake(&party(WITNESS)).unwrap();
    world.meet(&party(WITNESS), &party(CITY));
    world.pass(Span::from_s(20));
}

/// Loses what goes to some witnesses to be cosigned; with `opening`, beginnings of epochs only.
fn hide_from(world: &mut World, witnesses: &'static [&'static str], opening: bool) {
    world.tamper(Some(Box::new(move |passage| {
        let is_hidden = matches!(frame::parse(&passage.bytes), Ok(Frame::Cosign(_, _, _, _, opens))
            if opens.is_some() || !opening);
        if is_hidden && witnesses.iter().any(|witness| party(witness) == passage.to) {
            return Vec::new();
        }
        vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }]
    })));
}

/// The head of the city that a witness cosigned last, as the city keeps it.
fn cosigned(world: &mut World, witness: &str) -> (u32, u64) {
    let head = claimed(&world.cosigned(&party(CITY), &party(witness)).unwrap());
    (head.origin.epoch(), head.size)
}

#[test]
fn a_second_restore_before_a_quorum_cosigned_the_new_epoch_does_not_lock_the_ledger() {
    let mut world = world_with(10, &WITNESSES);
    let (city, planner) = (party(CITY), party(PLANNER));
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    let image = world.image(&city).unwrap();
    let lost = answered(world.ask(&planner, result())).leaf;
    world.wait(Span::from_s(30));

    // One witness of three cosigns the beginning of epoch 2; then the old disk comes back once more.
    hide_from(&mut world, &["witness:2", "witness:3"], true);
    world.restore(&city, &image).unwrap();
    assert_eq!(world.unsettled(&city), Some("a new epoch of the ledger waits for witnesses"));
    assert_eq!((head(&world, CITY), cosigned(&mut world, WITNESS)), ((2, 1), (2, 1)));
    world.tamper(None);
    world.restore(&city, &image).unwrap();
    assert_eq!(world.unsettled(&city), None);
    assert_eq!(head(&world, CITY).0, 3, "a number is used once");
    assert_eq!(epoch_of(&answered(world.ask(&planner, result()))), "3");
    world.wait(Span::from_s(30));
    for witness in WITNESSES {
        assert_eq!(cosigned(&mut world, witness), head(&world, CITY), "{witness}");
        assert!(world.rows(&party(witness), table::CONTRADICTION).is_empty(), "{witness}: nothing was left out");
    }
    assert_eq!(returned(&world), [lost], "nor was the lost receipt");
    // What was given up is named for good.
    let begun = world.gate(&planner).unwrap().opening(&city).unwrap().clone();
    assert_eq!((begun.previous.origin.epoch(), begun.before()[1].0), (2, 1));
}

#[test]
fn an_epoch_that_nobody_cosigned_is_not_settled_by_a_crash_and_goes_on_when_witnesses_do() {
    let mut world = world_with(11, &WITNESSES);
    let (city, planner) = (party(CITY), party(PLANNER));
    answered(world.ask(&planner, result()));
    let image = world.image(&city).unwrap();
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    hide_from(&mut world, &WITNESSES, true);
    world.restore(&city, &image).unwrap();
    assert_eq!((head(&world, CITY), world.unsettled(&city).is_some()), ((2, 1), true));
    world.crash(&city).unwrap();
    assert_eq!((head(&world, CITY), world.unsettled(&city).is_some()), ((2, 1), true));
    world.tamper(None);
    world.wait(Span::from_s(30));
    assert_eq!((head(&world, CITY).0, world.unsettled(&city)), (2, None));
    assert_eq!(epoch_of(&answered(world.ask(&planner, result()))), "2");
}

#[test]
fn witnesses_that_stand_at_different_heads_let_a_new_epoch_begin() {
    let mut world = world_with(12, &WITNESSES);
    let (city, planner) = (party(CITY), party(PLANNER));
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    let image = world.image(&city).unwrap();
    for hidden in [&["witness:3"][..], &["witness:2", "witness:3"]] {
        hide_from(&mut world, hidden, false);
        answered(world.ask(&planner, result()));
        world.wait(Span::from_s(30));
    }
    let stand = WITNESSES.map(|witness| cosigned(&mut world, witness));
    assert!(stand[0] > stand[1] && stand[1] > stand[2], "{stand:?}");
    world.tamper(None);
    world.restore(&city, &image).unwrap();
    assert_eq!((head(&world, CITY).0, world.unsettled(&city)), (2, None));
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    for witness in WITNESSES {
        assert_eq!(cosigned(&mut world, witness), head(&world, CITY), "{witness}");
        assert!(world.rows(&party(witness), table::CONTRADICTION).is_empty(), "{witness}");
    }
}

#[test]
fn a_witness_whose_head_a_new_epoch_leaves_out_says_so_keeps_it_and_cosigns_on() {
    let mut world = world_with(13, &WITNESSES);
    let (city, planner, third) = (party(CITY), party(PLANNER), party("witness:3"));
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    let image = world.image(&city).unwrap();
    // The third alone cosigned the end, and is away when the old disk comes back.
    hide_from(&mut world, &["witness:1", "witness:2"], false);
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    let left = cosigned(&mut world, "witness:3");
    let asleep = world.image(&third).unwrap();
    world.stop(&third);
    world.tamper(None);
    world.restore(&city, &image).unwrap();
    world.wait(Span::from_s(60));
    let answer = answered(world.ask(&planner, result()));
    assert_eq!((epoch_of(&answer).as_str(), world.unsettled(&city)), ("2", None));
    world.revive(&third, &asleep).unwrap();
    world.wait(Span::from_s(60));
    assert!(alarmed(&world, "witness:3", "left out of an epoch that a quorum let begin"));
    let held = world.rows(&third, table::CONTRADICTION);
    assert!(held.iter().map(|note| claimed(note)).any(|head| (head.origin.epoch(), head.size) == left));
    assert_eq!(cosigned(&mut world, "witness:3"), head(&world, CITY));
}

#[test]
fn an_answer_that_comes_while_the_own_ledger_is_behind_is_written_into_the_new_epoch_only() {
    let mut world = world_with(15, &WITNESSES);
    let (planner, third) = (party(PLANNER), party("witness:3"));
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    let image = world.image(&planner).unwrap();
    // The third alone sees the end. Without it the two others confirm the old disk.
    hide_from(&mut world, &["witness:1", "witness:2"], false);
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    let asleep = world.image(&third).unwrap();
    world.stop(&third);
    world.tamper(None);
    world.restore(&planner, &image).unwrap();
    assert_eq!((world.unsettled(&planner), head(&world, PLANNER).0), (None, 1));
    world.revive(&third, &asleep).unwrap();

    // A question is under way for longer than until the next round of the witnesses, in which the third shows more and
    // the others are slow to say what they hold.
    world.tamper(Some(Box::new(move |passage| {
        let delay_s = match frame::parse(&passage.bytes) {
            Ok(Frame::Cosigned(..)) if passage.from != party("witness:3") => 6,
            Ok(Frame::Answer(..)) => 11,
            _ => 0,
        };
        vec![Delivery { delay: Span::from_s(delay_s), bytes: passage.bytes.clone() }]
    })));
    let ask = world.begin_ask(&planner, result());
    world.pass(Span::from_s(12));
    assert!(world.ending(ask).is_none(), "the answer came, and is not taken");
    world.tamper(None);
    world.pass(Span::from_s(18));
    assert_eq!(world.unsettled(&planner), None);
    assert!(matches!(answered(world.ending(ask)).outcome, Outcome::Records(_)));
    // Its first leaf, and the one about the answer.
    assert_eq!(head(&world, PLANNER), (2, 2));
}

/// A beginning of the directory's second epoch, as its keeper could make one, cosigned by these witnesses.
fn beginning(world: &mut World, salt: u8, cosigned_by: &[&str]) -> Opening {
    let end = world.cosigned(&party(DIRECTORY), &party(WITNESS)).unwrap();
    beginning_after(world, &SignedCheckpoint::parse(&end).unwrap(), salt, cosigned_by)
}

/// How the directory's keeper could begin the epoch after `previous`, cosigned by these witnesses.
fn beginning_after(world: &World, previous: &SignedCheckpoint, salt: u8, cosigned_by: &[&str]) -> Opening {
    let before = previous.claim().unwrap();
    let salt = || Salt::from_bytes([salt; 32]);
    let salts = Salts { request: salt(), answer: salt(), detail: salt(), person: salt() };
    let (request, nothing) = (epoch::content(&before, 0, &[]), Digest::of(&[]));
    let contents = Contents { request, answer: nothing, detail: nothing, person: nothing };
    let leaf = Leaf::new(LeafKind::Epoch, world.now().wall, &salts, &contents);
    let next = before.origin.of_epoch(before.origin.epoch() + 1);
    let first = Checkpoint { origin: next, size: 1, root: leaf.hash() }.sign(&Real, &log_secret(world, DIRECTORY));
    Opening {
        previous: previous.as_bytes().to_vec().into(),
        kept: 0,
        salt: salts.request,
        leaf: leaf.to_bytes().into(),
        first: cosigned_by_all(world, first, cosigned_by).as_bytes().to_vec().into(),
        others: Vec::new(),
    }
}

/// The head with a line of each of these witnesses.
fn cosigned_by_all(world: &World, head: SignedCheckpoint, witnesses: &[&str]) -> SignedCheckpoint {
    witnesses.iter().map(|text| party(text)).fold(head, |head, witness| {
        let secret = &world.founding().keys(&witness).unwrap().cosigning;
        let line = cosignature::cosign(&Real, &witness::name_of(&witness).unwrap(), secret, &head, world.now().wall);
        head.with_cosignatures(&[line]).unwrap()
    })
}

#[test]
fn two_cosigned_beginnings_of_one_epoch_are_evidence_and_an_alarm_at_nodes_and_witnesses() {
    let mut world = world_with(14, &WITNESSES);
    let (city, directory, planner) = (party(CITY), party(DIRECTORY), party(PLANNER));
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    let first = beginning(&mut world, 1, &["witness:1", "witness:2"]);
    let second = beginning(&mut world, 2, &["witness:2", "witness:3"]);
    let short = beginning(&mut world, 3, &["witness:3"]);
    let notice = |opening: &Opening| Notice::Opening(cbor::encode(opening).into());
    let alarm = "two beginnings of one epoch of a ledger are cosigned";
    world.tell(std::slice::from_ref(&city), &notice(&first));
    world.tell(std::slice::from_ref(&city), &notice(&first));
    world.tell(std::slice::from_ref(&city), &notice(&short));
    assert!(!world.alarms().iter().any(|(_at, what)| *what == alarm), "no quorum, no evidence");
    world.tell(std::slice::from_ref(&city), &notice(&second));
    world.tell(std::slice::from_ref(&city), &notice(&second));
    for who in [CITY, PLANNER, "witness:1", "witness:2", "witness:3"].map(party) {
        assert_eq!(world.alarms().iter().filter(|(at, what)| *at == who && *what == alarm).count(), 1, "{who}");
        assert_eq!(world.rows(&who, table::FORK), [heard(&notice(&second))], "{who} keeps it");
        let gate = world.gate(&who).unwrap();
        assert_eq!(gate.opening(&directory).unwrap().first, claimed(&first.first), "{who}: the first stays");
    }

    // Nor does a witness that saw neither cosign another beginning than the one a quorum cosigned.
    let third = party("witness:3");
    let frame = Frame::Cosign(9_999, short.first.clone(), 0, Vec::new(), Some(cbor::encode(&short).into()));
    let wire = world.wire(&directory, &third).unwrap();
    world.push_now(&third, Input::Frame { connection: wire, bytes: cbor::encode(&frame) });
    world.run();
    assert!(alarmed(&world, "witness:3", "contradicts the beginning that a quorum cosigned"));
    assert_eq!(world.rows(&third, table::CONTRADICTION), [short.first.to_vec()]);
}

/// What a host keeps of what it heard, in a row.
fn heard(notice: &Notice) -> Vec<u8> {
    [&[0], cbor::encode(notice).as_slice()].concat()
}

/// The leaves whose receipts the city holds as evidence.
fn returned(world: &World) -> Vec<u64> {
    let rows = world.rows(&party(CITY), table::RETURNED);
    let rows = rows.iter().map(|row| cbor::decode::<Returned>(row).unwrap());
    let mut leaves: Vec<u64> =
        rows.map(|one| protocol::receipts::read_receipt(&one.receipt).unwrap().0.index).collect();
    leaves.sort_unstable();
    leaves
}

#[test]
fn a_lost_receipt_under_a_log_key_since_retired_is_held_all_the_same() {
    let mut world = world(10);
    let (city, planner) = (party(CITY), party(PLANNER));
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    let image = world.image(&city).unwrap();
    let lost: Vec<_> = (0..3).map(|_| answered(world.ask(&planner, result())).leaf).collect();
    world.wait(Span::from_s(30));
    let keys: Vec<_> = world.founding().keys(&city).unwrap().log.iter().map(|pair| pair.public).collect();
    for named in [vec![keys[0], keys[1]], vec![keys[1], keys[0]], vec![keys[1]]] {
        let now = world.now().wall;
        let notice = world.founding_mut().next_roster(now, &|roster| {
            roster.members.iter_mut().filter(|member| member.party == city).for_each(|member| {
                member.log.clone_from(&named);
            });
        });
        let everyone = [CITY, PLANNER, WITNESS].map(party);
        world.tell(&everyone, &notice);
        world.wait(Span::from_s(30));
    }
    world.restore(&city, &image).unwrap();
    world.wait(Span::from_s(90));
    assert_eq!(head(&world, CITY).0, 2);
    assert_eq!(returned(&world), lost, "signed with the key before");
    let note = SignedCheckpoint::parse(&world.head(&city).unwrap()).unwrap();
    let origin = note.claim().unwrap().origin;
    assert!(note.verify(&Real, &origin, keys[0].as_bytes()).is_err(), "the old key signs no more");
}

/// Makes the receipts that the planner holds as long as a member may make them: with lines of nobody's under the
/// head, which change nothing that it proves.
fn fatten_receipts(world: &mut World) -> usize {
    let mut fattest = 0;
    world.stage(&party(PLANNER), |batch| {
        for (leaf, kept) in protocol::receipts::from(batch, &party(CITY), 1, 0, usize::MAX).unwrap() {
            let receipt = protocol::receipts::read(batch, &kept).unwrap();
            let (mut evidence, (mut note, head)) = protocol::receipts::read_receipt(&receipt).unwrap();
            for number in 0..SIGNATURES_MAX {
                let line = format!("— {}{number} {}", "nobody/".repeat(16), "A".repeat(92));
                note = note.with_cosignatures(&[SignatureLine::parse(&line).unwrap()]).unwrap_or(note);
            }
            evidence.checkpoint = note.as_bytes().to_vec();
            let fat = cbor::encode(&evidence);
            fattest = fattest.max(fat.len());
            protocol::receipts::keep(batch, &head.origin, leaf, &fat, kept.own_leaf).unwrap();
        }
    });
    fattest
}

#[test]
fn receipts_that_are_too_fat_for_one_question_go_back_in_several() {
    let mut world = world(11);
    let (city, planner) = (party(CITY), party(PLANNER));
    answered(world.ask(&planner, result()));
    world.wait(Span::from_s(30));
    let image = world.image(&city).unwrap();
    let lost: Vec<_> =
        (0..limits::RECEIPTS_PER_QUESTION_MAX).map(|_| answered(world.ask(&planner, result())).leaf).collect();
    world.wait(Span::from_s(30));
    let fattest = fatten_receipts(&mut world);
    assert!(fattest * limits::RECEIPTS_PER_QUESTION_MAX > limits::RECEIPTS_BYTES_MAX, "{fattest} bytes are not fat");
    let longest = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&longest);
    world.tamper(Some(Box::new(move |passage| {
        if matches!(frame::parse(&passage.bytes), Ok(Frame::Request(..))) {
            seen.fetch_max(passage.bytes.len(), Ordering::Relaxed);
        }
        vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }]
    })));
    world.restore(&city, &image).unwrap();
    world.wait(Span::from_s(300));
    assert_eq!(returned(&world), lost, "none is left behind");
    let longest = longest.load(Ordering::Relaxed);
    let about = limits::RECEIPTS_BYTES_MAX + limits::HEADER_BYTES_MAX;
    assert!(longest > fattest && longest < about, "a question of {longest} bytes");
}

#[test]
fn a_quorum_that_comes_late_finds_a_beginning_that_still_has_room_for_it() {
    for rounds in [10, 16, 40] {
        let mut world = world_with(16, &WITNESSES);
        let (city, planner) = (party(CITY), party(PLANNER));
        answered(world.ask(&planner, result()));
        world.wait(Span::from_s(30));
        let image = world.image(&city).unwrap();
        answered(world.ask(&planner, result()));
        world.wait(Span::from_s(30));
        // The first alone is shown the beginning, again and again, before the others hear of it.
        let shown = AtomicUsize::new(0);
        world.tamper(Some(Box::new(move |passage| {
            let opens = matches!(frame::parse(&passage.bytes), Ok(Frame::Cosign(_, _, _, _, Some(_))));
            let is_first = passage.to == party(WITNESS);
            if opens && is_first {
                shown.fetch_add(1, Ordering::Relaxed);
            }
            if opens && !is_first && shown.load(Ordering::Relaxed) < rounds {
                return Vec::new();
            }
            vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }]
        })));
        world.restore(&city, &image).unwrap();
        world.wait(Span::from_s(120));
        assert_eq!(world.unsettled(&city), None, "after {rounds} rounds");
        assert_eq!(epoch_of(&answered(world.ask(&planner, result()))), "2");
    }
}

/// Shows a head to a witness as its keeper would.
fn show(world: &mut World, who: &str, witness: &str, note: &SignedCheckpoint, opening: Option<Vec<u8>>) {
    let wire = world.wire(&party(who), &party(witness)).unwrap();
    let frame = Frame::Cosign(9_999, note.as_bytes().to_vec().into(), 0, Vec::new(), opening.map(Into::into));
    world.push_now(&party(witness), Input::Frame { connection: wire, bytes: cbor::encode(&frame) });
    world.run();
}

fn log_secret(world: &World, who: &str) -> Secret {
    world.founding().keys(&party(who)).unwrap().log.first().unwrap().secret.clone()
}

#[test]
fn invented_epochs_without_number_do_not_fill_a_witness_s_disk() {
    for who in [CITY, PLANNER] {
        let mut world = world(17);
        answered(world.ask(&party(PLANNER), result()));
        world.wait(Span::from_s(30));
        let good = claimed(&world.head(&party(who)).unwrap());
        let log = log_secret(&world, who);
        for epoch in 2..102 {
            let head = Checkpoint { origin: good.origin.of_epoch(epoch), size: 1, root: Digest::of(b"invented") };
            show(&mut world, who, WITNESS, &head.sign(&Real, &log), Some(b"no opening at all".to_vec()));
        }
        assert_eq!(world.rows(&party(WITNESS), table::CONTRADICTION).len(), 16, "{who}");
    }
}

#[test]
fn a_head_that_an_epoch_passes_over_is_held_by_the_witness_that_cosigned_it() {
    let mut world = world_with(18, &WITNESSES);
    answered(world.ask(&party(PLANNER), result()));
    world.wait(Span::from_s(30));
    lose(&mut world, |frame| matches!(frame, Frame::Cosign(..)));
    let log = log_secret(&world, DIRECTORY);
    let begin = claimed(&world.cosigned(&party(DIRECTORY), &party(WITNESS)).unwrap());
    let fork = |size, root: &[u8]| Checkpoint { size, root: Digest::of(root), ..begin.clone() }.sign(&Real, &log);
    // The first is shown one ledger, the others another one, which the new epoch follows.
    let (alone, others) = (fork(3, b"alone"), fork(5, b"others"));
    show(&mut world, DIRECTORY, "witness:1", &alone, None);
    show(&mut world, DIRECTORY, "witness:2", &others, None);
    show(&mut world, DIRECTORY, "witness:3", &others, None);
    let cosigned = cosigned_by_all(&world, others, &["witness:2", "witness:3"]);
    let opening = beginning_after(&world, &cosigned, 9, &[]);
    let first = SignedCheckpoint::parse(&opening.first).unwrap();
    show(&mut world, DIRECTORY, "witness:1", &first, Some(cbor::encode(&opening)));
    let held = world.rows(&party("witness:1"), table::CONTRADICTION);
    assert!(held.iter().any(|note| claimed(note) == alone.claim().unwrap()), "the head that proves the fork is there");
}

#[test]
fn of_many_epochs_of_one_ledger_a_node_keeps_and_hands_out_the_newest() {
    let mut world = world(19);
    answered(world.ask(&party(PLANNER), result()));
    world.wait(Span::from_s(30));
    lose(&mut world, |frame| matches!(frame, Frame::Cosign(..)));
    let end = world.cosigned(&party(DIRECTORY), &party(WITNESS)).unwrap();
    let mut previous = SignedCheckpoint::parse(&end).unwrap();
    let mut newest = None;
    for _epoch in 2..=12 {
        let opening = beginning_after(&world, &previous, 9, &[WITNESS]);
        previous = SignedCheckpoint::parse(&opening.first).unwrap();
        let notice = Notice::Opening(cbor::encode(&opening).into());
        world.tell(&[party(CITY)], &notice);
        newest = Some(notice);
    }
    let gate = world.gate(&party(CITY)).unwrap();
    assert_eq!(gate.opening(&party(DIRECTORY)).unwrap().first.origin.epoch(), 12);
    let told = gate.beside_rosters(true);
    let mut told = told.iter().filter(|notice| matches!(notice, Notice::Opening(_)));
    assert_eq!((told.next(), told.next()), (newest.as_ref(), None));
    assert_eq!(world.rows(&party(CITY), table::OPENING), [heard(&newest.unwrap())]);
}
