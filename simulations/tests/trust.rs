//! Trust over time, through the network: rosters and lists that some have and others not yet.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "shared/town.rs"]
mod town;

use std::sync::{Arc, Mutex};

use protocol::cbor;
use protocol::code::record_kind::RecordKind;
use protocol::code::service::ServiceKind;
use protocol::credential::{Credential, CredentialError};
use protocol::digest::Digest;
use protocol::envelope::Envelope;
use protocol::frame::{self, Frame};
use protocol::gate::{NotAdmitted, Notice, Presentation};
use protocol::host::{Drop, Input};
use protocol::id::insurer::InsurerNumber;
use protocol::key::{KeyId, PublicKey};
use protocol::ledger::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use protocol::ledger::leaf::LeafKind;
use protocol::ledger::origin::Origin;
use protocol::ledger::proof::EvidenceError;
use protocol::limits;
use protocol::machine::{AnswerError, Answered, AskId, Ending, Failure};
use protocol::message::Outcome;
use protocol::primitives::{Primitives as _, Real, Secret, Suite};
use protocol::refusal::Told;
use protocol::roster::Member;
use protocol::statement::{SealingPublic, Statement};
use protocol::time::Span;
use simulations::founding::{Plan, party};
use simulations::passage::Delivery;
use simulations::world::World;
use town::{CITY, PLANNER, TOWN, WITNESS, answered, care, line, reading, result};

fn world(seed: u64) -> World {
    let plan = Plan {
        members: [CITY, TOWN, "directory:1", "pseudonymiser:1", "pseudonymiser:2", WITNESS].map(party).to_vec(),
        holders: vec![(party(PLANNER), vec![ServiceKind::parse("43").unwrap()])],
        ..Plan::default()
    };
    let mut world = World::new(seed, &plan, Suite::X25519, Arc::new(Real)).unwrap();
    assert_eq!(world.import(&party(CITY), &line()), Some(Ok(1)));
    world
}

/// The planner asks and is shown the record.
#[track_caller]
fn shown(world: &mut World) -> Answered {
    let answer = answered(world.ask(&party(PLANNER), result()));
    assert!(matches!(answer.outcome, Outcome::Records(_)), "{:?}", answer.outcome);
    answer
}

fn version(world: &World, who: &str) -> u32 {
    world.gate(&party(who)).unwrap().roster().version
}

fn next_roster(world: &mut World) -> Notice {
    let now = world.now().wall;
    world.founding_mut().next_roster(now, &|_roster| {})
}

/// No rosters pass between hosts.
fn without_rosters(world: &mut World) {
    world.tamper(Some(Box::new(|passage| {
        let is_roster = matches!(frame::parse(&passage.bytes), Ok(Frame::Notice(Notice::Roster(_))));
        if is_roster { Vec::new() } else { vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }] }
    })));
}

/// How many exchanges a host decided in its open epoch.
fn exchanges(world: &World, who: &str) -> usize {
    world.leaves(&party(who)).iter().filter(|leaf| leaf.kind() == LeafKind::Exchange).count()
}

#[test]
fn who_has_the_older_roster_fetches_before_it_decides() {
    let mut world = world(21);
    shown(&mut world);
    let second = next_roster(&mut world);
    // The planner alone hears of it, and nothing is passed on by itself.
    without_rosters(&mut world);
    world.tell(&[party(PLANNER)], &second);
    world.tamper(None);
    assert_eq!((version(&world, PLANNER), version(&world, CITY)), (2, 1));
    let size = exchanges(&world, CITY);
    shown(&mut world);
    assert_eq!(version(&world, CITY), 2);
    assert_eq!(exchanges(&world, CITY), size + 1, "waiting leaves no leaf");
}

#[test]
fn an_asker_behind_is_told_the_newer_roster() {
    let mut world = world(22);
    shown(&mut world);
    let second = next_roster(&mut world);
    without_rosters(&mut world);
    world.tell(&[party(CITY)], &second);
    world.tamper(None);
    assert_eq!((version(&world, PLANNER), version(&world, CITY)), (1, 2));
    shown(&mut world);
    assert_eq!(version(&world, PLANNER), 2);
}

#[test]
fn a_roster_that_is_named_and_never_shown_ends_the_question_with_a_receipt() {
    let mut world = world(23);
    shown(&mut world);
    let second = next_roster(&mut world);
    without_rosters(&mut world);
    world.tell(&[party(PLANNER)], &second);
    let size = world.ledger_size(&party(CITY));
    let began = world.now().steady;
    let answer = answered(world.ask(&party(PLANNER), result()));
    assert_eq!(answer.outcome, Outcome::Refused(Told::Fault));
    assert_eq!((answer.leaf, version(&world, CITY)), (size, 1));
    let took = world.now().steady.since(began);
    assert!(took >= limits::FETCH_WAIT && took < limits::ATTEMPT_LIMIT.max(Span::from_s(8)), "{took:?}");
}

/// The pulse and lists of the authority and its issuers now: the planner's credential is revoked in list 2.
fn revocation(world: &World) -> (Notice, Vec<Notice>) {
    let serial = world.founding().serial(&party(PLANNER)).unwrap();
    let notices = world.founding().notices(world.now().wall, &[serial], 2);
    let (pulse, lists) = notices.split_first().unwrap();
    (pulse.clone(), lists.to_vec())
}

#[test]
fn a_list_that_the_pulse_names_is_fetched_from_whoever_has_it() {
    let mut world = world(24);
    shown(&mut world);
    world.wait(Span::from_s(30));
    let (pulse, lists) = revocation(&world);
    // The witness has the new lists and keeps them to itself; the city hears the pulse only.
    world.tamper(Some(Box::new(|passage| {
        let is_list = matches!(frame::parse(&passage.bytes), Ok(Frame::Notice(Notice::StatusList(_))));
        if is_list { Vec::new() } else { vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }] }
    })));
    for list in &lists {
        world.tell(&[party(WITNESS)], list);
    }
    world.tamper(None);
    shown(&mut world);
    world.tell(&[party(CITY)], &pulse);
    world.wait(Span::from_s(5));
    let gate = world.gate(&party(CITY)).unwrap();
    assert!(!gate.behind().is_any(), "the city fetched what the pulse names");
    let ending = world.ask(&party(PLANNER), result());
    assert!(matches!(ending, Some(Ending::Failed(Failure::NotAdmitted(_)))), "{ending:?}");
}

#[test]
fn a_status_list_longer_than_a_row_stops_nobody_and_is_known_after_a_crash() {
    let mut world = world(26);
    shown(&mut world);
    let revoked: Vec<u64> = (0..30_000).map(|serial| 1_000_000 + serial).collect();
    for notice in world.founding().notices(world.founding().began(), &revoked, 7) {
        let is_long = matches!(&notice, Notice::StatusList(list) if list.len() > limits::ROW_BYTES_MAX);
        assert!(is_long || matches!(notice, Notice::Pulse(_)));
        world.tell(&[party(CITY)], &notice);
    }
    world.wait(Span::from_s(5));
    world.crash(&party(CITY)).unwrap();
    let gate = world.gate(&party(CITY)).unwrap();
    let numbers = gate.list(&party("issuer:1")).map(|list| list.number);
    assert_eq!(numbers, Some(7));
    shown(&mut world);
}

#[test]
fn a_list_that_cannot_be_had_counts_for_a_minute_and_then_fails_closed() {
    let mut world = world(25);
    shown(&mut world);
    let (pulse, lists) = revocation(&world);
    world.tell(&[party(CITY)], &pulse);
    world.wait(Span::from_s(30));
    shown(&mut world);
    world.wait(limits::CATCH_UP);
    let answer = answered(world.ask(&party(PLANNER), result()));
    assert_eq!(answer.outcome, Outcome::Refused(Told::Fault), "it is our list that is missing");
    // Nor is anybody newly admitted by it.
    let wire = world.wire(&party(PLANNER), &party(CITY)).unwrap();
    world.cut(wire);
    let ending = world.ask(&party(PLANNER), result());
    assert!(matches!(ending, Some(Ending::Failed(Failure::NotAdmitted(_)))), "{ending:?}");
    for list in &lists {
        world.tell(&[party(CITY)], list);
    }
    assert!(!world.gate(&party(CITY)).unwrap().behind().is_any());
}

#[test]
fn a_roster_that_the_pulse_names_and_nobody_has_closes_the_node() {
    let mut world = world(26);
    shown(&mut world);
    let second = next_roster(&mut world);
    let pulse = world.founding().notices(world.now().wall, &[], 1).swap_remove(0);
    world.tell(&[party(CITY)], &pulse);
    shown(&mut world);
    world.wait(limits::CATCH_UP);
    // The planner heard the pulse from the city and asks no more; the city would refuse.
    let ending = world.ask(&party(PLANNER), result());
    assert!(matches!(ending, Some(Ending::Failed(Failure::NotReady(_)))), "{ending:?}");
    let condition = world.gate(&party(CITY)).unwrap().condition(world.now().wall);
    assert_eq!(condition, protocol::gate::Condition::Closed);
    world.tell(&[party(CITY)], &second);
    shown(&mut world);
}

#[test]
fn two_rosters_of_one_version_raise_an_alarm_everywhere() {
    let mut world = world(27);
    shown(&mut world);
    let now = world.now().wall;
    let hidden = world.founding().hidden_roster(now, &|roster| roster.witness_quorum = 9);
    let second = next_roster(&mut world);
    world.tell(&[party(CITY)], &second);
    let everyone = [CITY, WITNESS, PLANNER];
    let alarm = "two rosters of one version are signed";
    assert!(world.alarms().is_empty(), "{:?}", world.alarms());
    // An unsigned or half-signed second roster is no evidence.
    let roster = world.founding().roster().clone();
    let forged = protocol::roster::Link::sign(&protocol::roster::Roster { witness_quorum: 9, ..roster }, &Real, &[]);
    world.tell(&[party(CITY)], &Notice::Roster(forged));
    assert!(world.alarms().is_empty(), "{:?}", world.alarms());
    world.tell(&[party(CITY)], &hidden);
    for who in everyone.map(party).iter().filter(|who| world.wire(who, &party(CITY)).is_some() || **who == party(CITY))
    {
        assert_eq!(world.alarms().iter().filter(|(at, what)| at == who && *what == alarm).count(), 1, "{who}");
    }
    shown(&mut world);
    // Ours stays the one that came first.
    assert_eq!(world.gate(&party(CITY)).unwrap().roster().witness_quorum, 1);
}

// ── rotation ──

/// Questions under way: two of the planner, who is shown the record, and two of the town, which is refused it.
struct Traffic(Vec<(AskId, bool)>);

impl Traffic {
    fn begin(world: &mut World) -> Self {
        let mut asks = Vec::new();
        for (who, is_shown) in [(PLANNER, true), (TOWN, false), (PLANNER, true), (TOWN, false)] {
            asks.push((world.begin_ask(&party(who), result()), is_shown));
            world.pass(Span::from_ms(7));
        }
        Self(asks)
    }

    /// Every question ended with an answer and its receipt.
    #[track_caller]
    fn ends_well(self, world: &mut World) {
        world.run();
        for (ask, is_shown) in self.0 {
            let ending = world.ending(ask);
            let outcome = answered(ending).outcome;
            let is_right = if is_shown {
                matches!(outcome, Outcome::Records(_))
            } else {
                outcome == Outcome::Refused(Told::NotPermitted)
            };
            assert!(is_right, "{outcome:?}");
        }
    }
}

/// The next roster says of a member what `edit` makes of it.
fn roster_with(world: &mut World, who: &str, edit: &dyn Fn(&mut Member)) -> Notice {
    let (who, now) = (party(who), world.now().wall);
    world.founding_mut().next_roster(now, &|roster| {
        roster.members.iter_mut().filter(|member| member.party == who).for_each(edit);
    })
}

fn log_key(world: &World, generation: usize) -> PublicKey {
    world.founding().keys(&party(CITY)).unwrap().log[generation].public
}

/// The steps of a rotation: announced, in use with the old one still accepted, alone.
const STEPS: [&[usize]; 3] = [&[0, 1], &[1, 0], &[1]];

#[test]
fn a_member_s_signing_key_is_replaced_in_the_middle_of_traffic() {
    let mut world = world(31);
    for who in [CITY, TOWN] {
        for step in STEPS {
            let traffic = Traffic::begin(&mut world);
            let pairs = world.founding().keys(&party(who)).unwrap().signing.clone();
            let named: Vec<_> = step.iter().map(|generation| pairs[*generation].public).collect();
            let roster = roster_with(&mut world, who, &|member| member.signing.clone_from(&named));
            world.tell(&[party(who)], &roster);
            world.renew(&party(who));
            traffic.ends_well(&mut world);
            shown(&mut world);
        }
        let pairs = world.founding().keys(&party(who)).unwrap().signing.clone();
        assert_eq!(world.signs_with(&party(who)), Some(pairs[1].public));
    }
}

#[test]
fn a_log_key_is_replaced_in_the_middle_of_traffic() {
    let mut world = world(32);
    shown(&mut world);
    for step in STEPS {
        let traffic = Traffic::begin(&mut world);
        let named: Vec<_> = step.iter().map(|generation| log_key(&world, *generation)).collect();
        let roster = roster_with(&mut world, CITY, &|member| member.log.clone_from(&named));
        world.tell(&[party(CITY)], &roster);
        traffic.ends_well(&mut world);
        shown(&mut world);
    }
    let origin = Origin::new(&world.founding().network(), &party(CITY), 1);
    let head = SignedCheckpoint::parse(&world.head(&party(CITY)).unwrap()).unwrap();
    let under = |key: PublicKey| head.verify(&Real, &origin, key.as_bytes()).map(|head| head.size);
    assert_eq!(under(log_key(&world, 1)), Ok(world.ledger_size(&party(CITY))));
    assert_eq!(under(log_key(&world, 0)), Err(CheckpointError::Unsigned));
    world.wait(Span::from_s(30));
    assert!(world.alarms().is_empty(), "the witness follows: {:?}", world.alarms());
}

#[test]
fn a_head_cosigned_under_a_log_key_since_retired_is_followed_by_the_next_after_a_restart() {
    let mut world = world(48);
    shown(&mut world);
    world.wait(Span::from_s(30));
    // The ledger grows, and the key is another before the witness is gone to again.
    shown(&mut world);
    for step in STEPS {
        let named: Vec<_> = step.iter().map(|generation| log_key(&world, *generation)).collect();
        let roster = roster_with(&mut world, CITY, &|member| member.log.clone_from(&named));
        world.tell(&[CITY, PLANNER, WITNESS].map(party), &roster);
    }
    world.crash(&party(CITY)).unwrap();
    world.wait(Span::from_s(30));
    shown(&mut world);
    world.wait(Span::from_s(30));
    let cosigned = SignedCheckpoint::parse(&world.cosigned(&party(CITY), &party(WITNESS)).unwrap()).unwrap();
    assert_eq!(cosigned.claim().unwrap().size, world.ledger_size(&party(CITY)));
    assert!(cosigned.verify(&Real, &cosigned.claim().unwrap().origin, log_key(&world, 1).as_bytes()).is_ok());
}

#[test]
fn an_epoch_begun_under_a_log_key_since_retired_is_known_after_a_restart() {
    let mut world = world(45);
    shown(&mut world);
    world.wait(Span::from_s(30));
    let image = world.image(&party(CITY)).unwrap();
    shown(&mut world);
    world.wait(Span::from_s(30));
    world.restore(&party(CITY), &image).unwrap();
    shown(&mut world);
    for step in STEPS {
        let named: Vec<_> = step.iter().map(|generation| log_key(&world, *generation)).collect();
        let roster = roster_with(&mut world, CITY, &|member| member.log.clone_from(&named));
        world.tell(&[party(CITY), party(PLANNER)], &roster);
        shown(&mut world);
    }
    world.crash(&party(PLANNER)).unwrap();
    let member = party(CITY);
    assert!(world.gate(&party(PLANNER)).unwrap().opening(&member).is_some(), "the planner forgot the epoch");
    shown(&mut world);
}

#[test]
fn a_receipt_under_a_retired_log_key_counts_only_as_the_roster_says() {
    let mut world = world(33);
    shown(&mut world);
    let (old, new) = (log_key(&world, 0), log_key(&world, 1));
    // The planner has the roster in which only the new key is left; the city never hears of it.
    let both = roster_with(&mut world, CITY, &|member| member.log = vec![old, new]);
    world.tell(&[party(CITY), party(PLANNER)], &both);
    shown(&mut world);
    let alone = roster_with(&mut world, CITY, &|member| member.log = vec![new]);
    without_rosters(&mut world);
    world.tell(&[party(PLANNER)], &alone);
    let ending = world.ask(&party(PLANNER), result());
    let unsigned = AnswerError::Receipt(EvidenceError::Checkpoint(CheckpointError::Unsigned));
    assert_eq!(ending, Some(Ending::Failed(Failure::NotBelieved(unsigned))));
    world.tamper(None);
    world.tell(&[party(CITY)], &alone);
    shown(&mut world);
}

#[test]
fn an_answer_signed_just_before_its_key_retired_is_asked_for_again() {
    let mut world = world(38);
    shown(&mut world);
    let size = exchanges(&world, CITY);
    let (old, new) = (log_key(&world, 0), log_key(&world, 1));
    let both = roster_with(&mut world, CITY, &|member| member.log = vec![old, new]);
    let alone = roster_with(&mut world, CITY, &|member| member.log = vec![new]);
    let ask = world.begin_ask(&party(PLANNER), result());
    world.pass(Span::from_ms(12));
    assert_eq!(exchanges(&world, CITY), size + 1, "decided, and the answer is under way");
    for notice in [both, alone] {
        world.push_now(&party(PLANNER), Input::Notice(notice));
    }
    world.run();
    assert!(matches!(answered(world.ending(ask)).outcome, Outcome::Records(_)));
    assert_eq!(exchanges(&world, CITY), size + 1, "the same leaf under a head of the new key");
}

#[test]
fn a_transport_key_is_replaced_and_the_member_is_found_again() {
    let mut world = world(34);
    shown(&mut world);
    world.founding_mut().announce_transport(&party(CITY));
    world.pass(Span::from_s(1));
    world.renew(&party(CITY));
    let traffic = Traffic::begin(&mut world);
    world.pass(Span::from_ms(3));
    world.stop(&party(CITY));
    world.founding_mut().swap_transport(&party(CITY));
    world.start_again(&party(CITY), &party(WITNESS)).unwrap();
    world.renew(&party(CITY));
    traffic.ends_well(&mut world);
    shown(&mut world);
}

/// Request frames to the city, and the sealing key each names.
type Captured = Arc<Mutex<Vec<(Vec<u8>, KeyId)>>>;

fn capture(world: &mut World) -> Captured {
    let captured = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&captured);
    world.tamper(Some(Box::new(move |passage| {
        if let (true, Ok(Frame::Request(_, envelope))) = (passage.to == party(CITY), frame::parse(&passage.bytes)) {
            let key = Envelope::parse(&envelope).unwrap().header().sealing_key;
            sink.lock().unwrap().push((passage.bytes.clone(), key));
        }
        vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }]
    })));
    captured
}

/// Fresh pulse and lists for all, and what each says of itself.
fn renew_everything(world: &mut World, number: u64) {
    world.revoke(&[], number);
    for who in [CITY, TOWN, WITNESS, "directory:1", "pseudonymiser:1", "pseudonymiser:2", PLANNER] {
        world.renew(&party(who));
    }
    world.run();
}

#[test]
fn a_sealing_key_is_replaced_in_traffic_and_destroyed_with_its_last_statement() {
    let mut world = world(35);
    shown(&mut world);
    world.pass(Span::from_s(1));
    let captured = capture(&mut world);
    let traffic = Traffic::begin(&mut world);
    world.rotate_sealing(&party(CITY));
    traffic.ends_well(&mut world);
    shown(&mut world);
    let frames = captured.lock().unwrap().clone();
    let ((old_frame, old), (_, new)) = (frames.first().unwrap().clone(), frames.last().unwrap().clone());
    assert_ne!(old, new, "the next question is sealed to the new key");
    assert!(world.destroyed().is_empty(), "a live statement names it");

    world.sleep(Span::from_h(20));
    renew_everything(&mut world, 2);
    shown(&mut world);
    assert!(world.destroyed().is_empty());
    world.sleep(Span::from_h(5));
    let wire = world.wire(&party(PLANNER), &party(CITY)).unwrap();
    let size = world.ledger_size(&party(CITY));
    world.push_now(&party(CITY), Input::Frame { connection: wire, bytes: old_frame });
    world.run();
    assert_eq!(world.destroyed(), [(party(CITY), old)]);
    assert!(world.drops().contains(&(party(CITY), Drop::UnknownKey)), "{:?}", world.drops());
    assert_eq!(world.ledger_size(&party(CITY)), size);
    shown(&mut world);
}

#[test]
fn an_office_s_signing_key_follows_as_announced_and_no_other_does() {
    let mut world = world(36);
    let planner = party(PLANNER);
    shown(&mut world);
    let traffic = Traffic::begin(&mut world);
    world.founding_mut().turn_signing(&planner, 1);
    world.renew(&planner);
    traffic.ends_well(&mut world);
    shown(&mut world);
    assert!(world.drops().is_empty(), "{:?}", world.drops());

    // Whoever talks the issuer into another key than the announced one gains nothing while the last one holds,
    // not even after the city was restarted.
    let last = world.founding().serial(&planner).unwrap();
    world.pass(Span::from_s(1));
    world.founding_mut().turn_signing(&planner, 2);
    world.renew(&planner);
    world.run();
    world.crash(&party(CITY)).unwrap();
    let ending = world.ask(&planner, result());
    assert!(matches!(ending, Some(Ending::Failed(Failure::NotAdmitted(_)))), "{ending:?}");
    let reason = Drop::NotBelieved(NotAdmitted::Credential(CredentialError::NotAnnounced));
    assert!(world.drops().contains(&(party(CITY), reason)), "{:?}", world.drops());

    // Revoked and enrolled anew.
    for notice in world.founding().notices(world.now().wall, &[last], 2) {
        world.tell(&[party(CITY), planner.clone()], &notice);
    }
    shown(&mut world);
}

#[test]
fn a_node_that_slept_for_a_year_walks_the_rosters_forward() {
    let mut world = world(37);
    shown(&mut world);
    world.stop(&party(CITY));
    let awake = [TOWN, WITNESS, PLANNER, "directory:1", "pseudonymiser:1"].map(party);
    for _month in 0..20 {
        world.sleep(Span::from_h(18 * 24));
        let next = next_roster(&mut world);
        world.tell(&awake, &next);
    }
    world.revoke(&[], 2);
    for who in &awake {
        world.renew(who);
    }
    world.run();
    world.start_again(&party(CITY), &party(WITNESS)).unwrap();
    assert_eq!(version(&world, CITY), 21, "more links than one portion holds");
    let peer = world.founding().keys(&party(CITY)).unwrap().transport[0];
    world.push_now(&party(PLANNER), Input::Meet { peer, addresses: Vec::new() });
    world.renew(&party(CITY));
    world.run();
    shown(&mut world);
}

// ── what a stolen key gives (SECURITY.md) ──

#[test]
fn a_member_s_statement_beyond_its_bounds_is_not_believed() {
    let mut world = world(46);
    shown(&mut world);
    let (city, planner) = (party(CITY), party(PLANNER));
    let keys = world.founding().keys(&city).unwrap();
    let statement = Statement {
        network: world.founding().network(),
        party: city.clone(),
        number: u64::MAX,
        issued: world.now().wall,
        expires: world.now().wall.plus(limits::STATEMENT_LIFE),
        sealing: vec![SealingPublic { suite: Suite::X25519, public: vec![7; limits::SEALING_PUBLIC_BYTES_MAX + 1] }],
        transport: keys.transport.clone(),
        addresses: Vec::new(),
    };
    let signed = statement.sign(&Real, &keys.signing[0].public, &keys.signing[0].secret);
    world.tell(std::slice::from_ref(&planner), &Notice::Statement(signed.into()));
    assert!(world.drops().contains(&(planner, Drop::NoticeNotBelieved)), "{:?}", world.drops());
    shown(&mut world);
}

#[test]
fn a_member_s_stolen_signing_key_draws_questions_and_answers_none() {
    let mut world = world(41);
    shown(&mut world);
    let (city, town, planner) = (party(CITY), party(TOWN), party(PLANNER));
    let thief = Real.sealing_key(Suite::X25519, &Secret::from_bytes([9; 32])).unwrap();
    let now = world.now().wall;
    let stolen = world.founding().keys(&city).unwrap().signing[0].clone();
    let statement = Statement {
        network: world.founding().network(),
        party: city.clone(),
        number: u64::MAX,
        issued: now,
        expires: now.plus(limits::STATEMENT_LIFE),
        sealing: vec![SealingPublic { suite: Suite::X25519, public: thief.public() }],
        transport: world.founding().keys(&town).unwrap().transport.clone(),
        addresses: vec!["/simulated/thief".into()],
    };
    let signed = statement.sign(&Real, &stolen.public, &stolen.secret);
    let size = world.ledger_size(&city);
    world.tell(std::slice::from_ref(&planner), &Notice::Statement(signed.into()));
    // The question goes to whoever holds the transport key named, which is not the city; nobody can answer it.
    let ending = world.ask(&planner, result());
    assert_eq!(ending, Some(Ending::Failed(Failure::Unreachable(city.clone()))));
    assert!(world.drops().contains(&(town, Drop::NobodyHere)), "{:?}", world.drops());
    assert_eq!(world.ledger_size(&city), size);

    // The remedy: once the roster drops the key, what it signed counts no more, whatever its number.
    let pairs = world.founding().keys(&city).unwrap().signing.clone();
    for step in STEPS {
        let named: Vec<_> = step.iter().map(|generation| pairs[*generation].public).collect();
        let roster = roster_with(&mut world, CITY, &|member| member.signing.clone_from(&named));
        world.tell(&[city.clone(), planner.clone()], &roster);
    }
    world.renew(&city);
    let peer = world.founding().keys(&city).unwrap().transport[0];
    world.push_now(&planner, Input::Meet { peer, addresses: Vec::new() });
    world.run();
    shown(&mut world);
}

#[test]
fn an_issuer_s_stolen_key_issues_nothing_beyond_its_limits() {
    let mut world = world(42);
    shown(&mut world);
    let hospital = party("hospital:1312300450");
    let issuer = world.founding().keys(&party("issuer:1")).unwrap().signing[0].clone();
    let now = world.now().wall;
    let peer = world.founding().keys(&party(PLANNER)).unwrap().transport.clone();
    let credential = Credential {
        network: world.founding().network(),
        party: hospital.clone(),
        name: "thief".into(),
        services: Vec::new(),
        signing: PublicKey::from_bytes([7; 32]),
        next_signing: PublicKey::from_bytes([8; 32]).digest(),
        transport: peer,
        log: PublicKey::from_bytes([9; 32]),
        issuer: party("issuer:1"),
        serial: 1_000_000,
        issued: now,
        expires: now.plus(limits::CREDENTIAL_LIFE),
    };
    let hello = Presentation {
        network: world.founding().network(),
        party: hospital,
        statement: None,
        credential: Some(credential.sign(&Real, &issuer.public, &issuer.secret).into()),
        roster: 1,
    };
    let wire = world.wire(&party(PLANNER), &party(CITY)).unwrap();
    let frame = Frame::Hello(9_999, cbor::encode(&hello).into());
    world.push_now(&party(CITY), Input::Frame { connection: wire, bytes: cbor::encode(&frame) });
    world.run();
    let reason = Drop::NotBelieved(NotAdmitted::Credential(CredentialError::BeyondLimits));
    assert!(world.drops().contains(&(party(CITY), reason)), "{:?}", world.drops());
}

#[test]
fn a_stolen_log_key_does_not_get_a_fork_cosigned() {
    let mut world = world(43);
    shown(&mut world);
    world.wait(Span::from_s(30));
    assert!(world.alarms().is_empty(), "{:?}", world.alarms());
    let (city, witness) = (party(CITY), party(WITNESS));
    let cosigned = SignedCheckpoint::parse(&world.cosigned(&city, &witness).unwrap()).unwrap().claim().unwrap();
    let stolen = world.founding().keys(&city).unwrap().log[0].secret.clone();
    let wire = world.wire(&city, &witness).unwrap();
    for fork in [
        Checkpoint { root: Digest::of(b"another history"), ..cosigned.clone() },
        Checkpoint { root: Digest::of(b"another history"), size: cosigned.size + 1, ..cosigned.clone() },
    ] {
        let note = fork.sign(&Real, &stolen).as_bytes().to_vec();
        let frame = Frame::Cosign(9_999, note.into(), cosigned.size, Vec::new(), None);
        world.push_now(&witness, Input::Frame { connection: wire, bytes: cbor::encode(&frame) });
        world.run();
    }
    let alarm = "a ledger contradicts the head cosigned before";
    assert_eq!(world.alarms().iter().filter(|(at, what)| *at == witness && *what == alarm).count(), 2);
    let after = SignedCheckpoint::parse(&world.cosigned(&city, &witness).unwrap()).unwrap().claim().unwrap();
    assert_eq!(after, cosigned);
}

#[test]
fn an_admitted_peer_that_fetches_or_brings_news_without_end_is_cut_off_and_counted() {
    let mut world = world(44);
    shown(&mut world);
    let (city, planner) = (party(CITY), party(PLANNER));
    let statement = world.founding().statement(&city, world.now().wall).unwrap();
    let floods = [
        (Frame::Fetch(1, true), limits::FETCHES_PER_PEER_MAX),
        (Frame::Notice(Notice::Statement(statement.into())), limits::NOTICES_PER_PEER_MAX),
    ];
    for (frame, most) in floods {
        world.wait(limits::COST_WINDOW);
        shown(&mut world);
        let before = world.drops().len();
        let wire = world.wire(&planner, &city).unwrap();
        for _ in 0..most + 10 {
            world.push_now(&city, Input::Frame { connection: wire, bytes: cbor::encode(&frame) });
        }
        world.run();
        let dropped = |world: &World| world.drops().iter().skip(before).filter(|drop| drop.1 == Drop::TooMuch).count();
        assert_eq!(dropped(&world), 10, "{most}");
        assert_eq!(world.wire(&planner, &city), None, "three faults end the connection");
        // A new connection is no new peer.
        let peer = world.founding().keys(&city).unwrap().transport[0];
        world.push_now(&planner, Input::Meet { peer, addresses: Vec::new() });
        world.run();
        let (wire, before) = (world.wire(&planner, &city).unwrap(), dropped(&world));
        world.push_now(&city, Input::Frame { connection: wire, bytes: cbor::encode(&frame) });
        world.run();
        assert_eq!(dropped(&world), before + 1, "{most}");
        // Others are served all the while, and this one again after a minute.
        assert_eq!(answered(world.ask(&party(TOWN), result())).outcome, Outcome::Refused(Told::NotPermitted));
    }
    world.wait(limits::COST_WINDOW);
    shown(&mut world);
}

#[test]
fn an_insurer_number_that_moves_to_a_member_is_answered_for_without_a_restart() {
    let mut world = world(31);
    let moved = line().replace("\"131235\"", "\"131276\"");
    let refused = world.import(&party(CITY), &moved).unwrap();
    assert_eq!(refused, Err("line 1: insurer: not one of this member's".to_owned()));
    let number = InsurerNumber::parse("131276").unwrap();
    let notice = roster_with(&mut world, CITY, &|member| member.insurers.push(number));
    world.tell(&[CITY, PLANNER].map(party), &notice);
    world.wait(Span::from_s(30));
    assert_eq!(world.import(&party(CITY), &moved), Some(Ok(1)));
    let client = care("131276:0000012345");
    let found = answered(world.ask(&party(PLANNER), reading(client, &[RecordKind::CertificationResult])));
    assert!(matches!(found.outcome, Outcome::Records(_)));
}

#[test]
fn who_starts_before_its_roster_names_it_keeps_the_ledger_it_will_be_named_with() {
    let world = world(32);
    let gate = world.gate(&party(CITY)).unwrap();
    let newcomer = party("insurer:131276");
    assert!(gate.roster().member(&newcomer).is_none());
    assert_eq!(gate.ledger_of(&newcomer).epoch(), gate.roster().member(&party(CITY)).unwrap().epoch);
    assert_eq!(gate.ledger_of(&party(PLANNER)).epoch(), 1);
    assert_eq!(gate.ledger_of(&party(CITY)), gate.origin(gate.roster().member(&party(CITY)).unwrap()));
}

#[test]
fn what_is_new_is_handed_out_in_portions_and_whole() {
    let members = (1..=140).map(|number| party(&format!("issuer:{number}"))).chain([party(CITY)]);
    let planner = (party(PLANNER), vec![ServiceKind::parse("43").unwrap()]);
    let plan = Plan { members: members.collect(), holders: vec![planner], ..Plan::default() };
    let mut world = World::new(33, &plan, Suite::X25519, Arc::new(Real)).unwrap();
    assert!(world.ask(&party(PLANNER), result()).is_some(), "so that they are connected");
    world.wait(Span::from_s(10));
    let all = world.gate(&party(CITY)).unwrap().beside_rosters(true).len();
    assert!(all > limits::NOTICES_PER_PORTION_MAX, "{all}");

    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    world.tamper(Some(Box::new(move |passage| {
        let is_news = matches!(frame::parse(&passage.bytes), Ok(Frame::Notice(_)));
        if is_news && passage.from == party(CITY) && passage.to == party(PLANNER) {
            sink.lock().unwrap().push(());
        }
        vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }]
    })));
    let wire = world.wire(&party(PLANNER), &party(CITY)).unwrap();
    let fetch = cbor::encode(&Frame::Fetch(1, true));
    world.push_now(&party(CITY), Input::Frame { connection: wire, bytes: fetch });
    world.run();
    assert_eq!(told.lock().unwrap().len(), limits::NOTICES_PER_PORTION_MAX, "the first portion and no more");
    world.wait(Span::from_s(5));
    assert_eq!(told.lock().unwrap().len(), all);
}
