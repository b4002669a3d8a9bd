//! A host whose wall clock is wrong: when it goes on, when it says so, when it refuses, and how it recovers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::sync::Arc;

use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::code::service::ServiceKind;
use protocol::id::handle::Handle;
use protocol::id::party::PartyId;
use protocol::id::person::PersonId;
use protocol::limits;
use protocol::machine::{Ask, Ending, Failure, Wish};
use protocol::message::{Outcome, Staff};
use protocol::primitives::{Real, Suite};
use protocol::refusal::Told;
use protocol::time::Span;
use protocol::wall::Reliance;
use simulations::founding::{Plan, party};
use simulations::world::World;

const CITY: &str = "insurer:131235";
const OFFICES: [&str; 3] = ["office:1370101238", "office:1470100015", "hospital:1312300450"];

fn world(seed: u64) -> World {
    world_with(seed, &["witness:1"])
}

fn world_with(seed: u64, witnesses: &[&str]) -> World {
    let service = |code: &str| vec![ServiceKind::parse(code).unwrap()];
    let plan = Plan {
        members: std::iter::once(&CITY).chain(witnesses).map(|text| party(text)).collect(),
        holders: vec![
            (party(OFFICES[0]), service("43")),
            (party(OFFICES[1]), service("11")),
            (party(OFFICES[2]), Vec::new()),
        ],
        ..Plan::default()
    };
    World::new(seed, &plan, Suite::X25519, Arc::new(Real)).unwrap()
}

/// What the city says to an organisation that asks about somebody.
fn told(world: &mut World, who: &PartyId) -> Told {
    let ask = Ask {
        staff: Staff { id: "s-1".into(), job: Job::CareManager, proof: None },
        purpose: Purpose::CarePlanning,
        person: Handle::Care(PersonId::parse("131235:0000012345").unwrap()),
        wish: Wish::Records { kinds: vec![RecordKind::InsuranceCard], valid_on: None, known_at: None, versions: None },
    };
    match world.ask(who, ask) {
        Some(Ending::Answered(answered)) => match answered.outcome {
            Outcome::Refused(told) => told,
            other => panic!("answered: {other:?}"),
        },
        Some(Ending::Failed(Failure::NotReady(_))) => Told::Fault,
        other => panic!("no end: {other:?}"),
    }
}

#[test]
fn a_clock_set_by_a_minute_degrades_and_one_set_by_more_than_two_refuses_until_it_is_set_back() {
    let mut world = world(1);
    let (city, office) = (party(CITY), party(OFFICES[0]));
    assert_eq!(told(&mut world, &office), Told::NotPermitted, "nobody of that number, decided as always");
    for off_s in [60, -60] {
        world.set_clock(&city, off_s);
        assert_eq!(told(&mut world, &office), Told::NotPermitted, "{off_s}");
        assert_eq!(world.reliance(&city), Some(Reliance::Stepped), "{off_s}");
    }
    let size = world.ledger_size(&city);
    for off_s in [125, -125] {
        world.set_clock(&city, off_s);
        assert_eq!(world.reliance(&city), Some(Reliance::Uncertain), "{off_s}");
    }
    world.set_clock(&city, -118);
    world.wait(Span::from_s(1));
    world.set_clock(&city, 3);
    assert_eq!(told(&mut world, &office), Told::NotPermitted);
    assert_eq!(world.ledger_size(&city), size + 1);
}

#[test]
fn a_request_that_comes_while_the_clock_is_uncertain_is_refused_as_our_fault_and_has_a_leaf() {
    let mut world = world(2);
    let (city, office) = (party(CITY), party(OFFICES[0]));
    assert_eq!(told(&mut world, &office), Told::NotPermitted);
    // Two clocks set alike, one a little further: the answer's time is plausible to the office.
    world.set_clock(&office, 100);
    world.set_clock(&city, 121);
    let size = world.ledger_size(&city);
    assert_eq!(told(&mut world, &office), Told::Fault);
    assert_eq!(world.ledger_size(&city), size + 1);
    assert_eq!(world.reliance(&office), Some(Reliance::Stepped));
}

#[test]
fn a_node_whose_own_clock_was_set_asks_nothing() {
    let mut world = world(3);
    let office = party(OFFICES[0]);
    assert_eq!(told(&mut world, &office), Told::NotPermitted);
    world.set_clock(&office, 600);
    let size = world.ledger_size(&party(CITY));
    assert_eq!(told(&mut world, &office), Told::Fault);
    assert_eq!(world.ledger_size(&party(CITY)), size, "nothing was sent");
}

/// Asks about somebody, whatever becomes of it.
fn ask(world: &mut World, who: &str) -> Option<Ending> {
    let ask = Ask {
        staff: Staff { id: "s-1".into(), job: Job::CareManager, proof: None },
        purpose: Purpose::CarePlanning,
        person: Handle::Care(PersonId::parse("131235:0000012345").unwrap()),
        wish: Wish::Records { kinds: vec![RecordKind::InsuranceCard], valid_on: None, known_at: None, versions: None },
    };
    world.ask(&party(who), ask)
}

#[test]
fn a_clock_that_three_witnesses_contradict_is_apart_and_once_put_right_is_believed() {
    let mut world = world_with(4, &["witness:1", "witness:2", "witness:3"]);
    let city = party(CITY);
    world.wait(Span::from_h(1));
    world.set_clock(&city, -400);
    // Nobody would know; but it goes to its witnesses, who say when they cosign.
    world.crash(&city).unwrap();
    assert_eq!(world.reliance(&city), Some(Reliance::Apart));
    world.set_clock(&city, 0);
    assert_eq!(world.reliance(&city), Some(Reliance::Sound), "put right, as three others say");
    for office in OFFICES {
        assert_eq!(told(&mut world, &party(office)), Told::NotPermitted);
    }
}

#[test]
fn two_witnesses_say_nothing_about_a_clock() {
    let mut world = world_with(5, &["witness:1", "witness:2"]);
    let city = party(CITY);
    world.wait(Span::from_h(1));
    world.set_clock(&city, -400);
    world.crash(&city).unwrap();
    world.wait(Span::from_s(60));
    assert_eq!(world.reliance(&city), Some(Reliance::Sound));
}

#[test]
fn offices_and_hospitals_have_no_voice_on_what_the_time_is() {
    let mut world = world(6);
    let city = party(CITY);
    for office in OFFICES {
        assert_eq!(told(&mut world, &party(office)), Told::NotPermitted);
        world.set_clock(&party(office), 400);
    }
    world.wait(limits::HEARD_EVERY);
    // Started anew, so that each believes its own clock.
    for office in OFFICES {
        world.crash(&party(office)).unwrap();
        let ending = ask(&mut world, office);
        assert!(matches!(ending, Some(Ending::Failed(Failure::NotBelieved(_)))), "{ending:?}");
    }
    assert_eq!(world.reliance(&city), Some(Reliance::Sound));
    // The city decides as always; one that was put right and started anew is answered.
    world.set_clock(&party(OFFICES[0]), 0);
    world.crash(&party(OFFICES[0])).unwrap();
    assert_eq!(told(&mut world, &party(OFFICES[0])), Told::NotPermitted);
}
