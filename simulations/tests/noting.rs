//! What the keeper of a ledger notes in it of its own accord: the map of each day, against which a withheld step
//! shows; the roster it acts under; the credentials it issued.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "shared/town.rs"]
mod town;

use std::sync::Arc;

use protocol::access_log::note::{Author, Note, Noted};
use protocol::access_log::proof::{self, Gap, Proof, Whole};
use protocol::access_log::{self, Decision};
use protocol::batch::Batch;
use protocol::cbor;
use protocol::code::field_group::FieldGroups;
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::code::service::ServiceKind;
use protocol::digest::Digest;
use protocol::gate::{Gate, Notice};
use protocol::id::handle::Handle;
use protocol::id::party::PartyId;
use protocol::id::person::PersonId;
use protocol::key::{KeyId, KeyUse};
use protocol::ledger::leaf::{Label as Commitment, Leaf, LeafKind};
use protocol::ledger::origin::Origin;
use protocol::limits;
use protocol::machine::{Ask, Wish};
use protocol::message::{Access, Outcome, Staff};
use protocol::noting::Noting;
use protocol::primitives::{Real, Secret, Suite};
use protocol::store::staged::Staged;
use protocol::store::{Seat, Signer, Store, StoreSecret};
use protocol::time::{Now, Span, Steady, Timestamp};
use protocol::vault::Label;
use simulations::disk::FalseDisk;
use simulations::founding::{Founding, Plan, party};
use simulations::index::FalseIndex;
use simulations::seed;
use simulations::world::World;
use town::{CITY, CLIENT, PLANNER, WITNESS, answered, line};

const ISSUER: &str = "issuer:1";
const STRANGER: &str = "131235:0000099999";
/// From when the world begins, in the afternoon, past midnight in Japan.
const PAST_MIDNIGHT: Span = Span::from_h(8);

fn world(seed: u64) -> World {
    let planner = (party(PLANNER), vec![ServiceKind::parse("43").unwrap()]);
    let plan = Plan { members: [CITY, WITNESS, ISSUER].map(party).to_vec(), holders: vec![planner], ..Plan::default() };
    let mut world = World::new(seed, &plan, Suite::X25519, Arc::new(Real)).unwrap();
    assert_eq!(world.import(&party(CITY), &line()), Some(Ok(1)));
    world
}

fn ask(person: &str, wish: Wish, job: Job, purpose: Purpose) -> Ask {
    let staff = Staff { id: "somebody".into(), job, proof: None };
    Ask { staff, purpose, person: Handle::Care(PersonId::parse(person).unwrap()), wish }
}

/// The planner asks for a record of that person.
fn look(world: &mut World, person: &str) {
    let wish =
        Wish::Records { kinds: vec![RecordKind::CertificationResult], valid_on: None, known_at: None, versions: None };
    let ending = world.ask(&party(PLANNER), ask(person, wish, Job::CareManager, Purpose::CarePlanning));
    answered(ending);
}

/// A history as the person is shown it, with the leaf of the answer and all leaves of the keeper.
struct Shown {
    accesses: Vec<Access>,
    proof: Proof,
    leaf: u64,
    leaves: Vec<Leaf>,
}

fn history(world: &mut World, person: &str) -> Shown {
    let ending = world.ask(&party(CITY), ask(person, Wish::History, Job::InsuredPerson, Purpose::OwnRecord));
    let answer = answered(ending);
    let Outcome::History(accesses, proof) = answer.outcome else { panic!("refused") };
    let proof = cbor::decode(&proof.unwrap()).unwrap();
    Shown { accesses, proof, leaf: answer.leaf, leaves: world.leaves(&party(CITY)) }
}

impl Shown {
    fn check(&self) -> Result<Whole, Gap> {
        let leaf = |at: u64| self.leaves.get(usize::try_from(at).unwrap()).copied();
        proof::check(&self.accesses, Some(&cbor::encode(&self.proof)), self.leaf, &leaf)
    }

    /// A keeper leaves one step out of what it shows.
    fn without(&self, step: usize) -> Self {
        let (mut accesses, mut proof) = (self.accesses.clone(), self.proof.clone());
        accesses.remove(step);
        proof.steps.remove(step);
        Self { accesses, proof, leaf: self.leaf, leaves: self.leaves.clone() }
    }

    fn claiming(&self, claim: impl FnOnce(&mut Proof)) -> Result<Whole, Gap> {
        let mut proof = self.proof.clone();
        claim(&mut proof);
        Self { accesses: self.accesses.clone(), proof, leaf: self.leaf, leaves: self.leaves.clone() }.check()
    }
}

#[test]
fn a_withheld_newest_step_shows_against_the_daily_leaf() {
    let mut world = world(1);
    for _ in 0..3 {
        look(&mut world, CLIENT);
    }
    let before = history(&mut world, CLIENT);
    let whole = before.check().unwrap();
    assert_eq!((whole.newest, whole.opened, whole.day), (3, 3, None));
    // Before a day is over nothing speaks for the newest step.
    assert_eq!(before.without(0).check().map(|whole| whole.newest), Ok(2));
    assert_eq!(before.without(1).check(), Err(Gap::StepMissing(3)));

    world.wait(PAST_MIDNIGHT);
    look(&mut world, CLIENT);
    let after = history(&mut world, CLIENT);
    let counted = after.check().unwrap().day.unwrap().counted;
    assert_eq!(after.check().unwrap().newest, counted + 1, "one step came after the day's leaf");
    assert_eq!(after.without(0).check().map(|whole| whole.newest), Ok(counted));
    let withheld = Gap::NewestWithheld { counted, shown: counted - 1 };
    assert_eq!(after.without(0).without(0).check(), Err(withheld));
    assert_eq!(after.without(2).check(), Err(Gap::StepMissing(counted)));

    // Nor does it help to hide or to change what the day says.
    assert_eq!(after.claiming(|proof| proof.day = None), Err(Gap::DayWithheld));
    let smaller = |proof: &mut Proof| proof.day.as_mut().unwrap().counted.as_mut().unwrap().number -= 1;
    assert_eq!(after.claiming(smaller), Err(Gap::OtherDay));
    assert_eq!(after.claiming(|proof| proof.day.as_mut().unwrap().counted = None), Err(Gap::OtherDay));
    assert_eq!(after.claiming(|proof| proof.steps[0].number += 1), Err(Gap::OtherLeaf(counted + 2)));
    assert_eq!(after.claiming(|proof| proof.steps[1].number -= 1), Err(Gap::StepMissing(counted + 1)));
    assert_eq!(after.claiming(|proof| proof.label = Label::from_bytes([7; 16])), Err(Gap::OtherLeaf(counted + 1)));
}

#[test]
fn who_was_never_looked_at_is_shown_not_to_be_in_the_map() {
    let mut world = world(2);
    look(&mut world, CLIENT);
    world.wait(PAST_MIDNIGHT);
    let never = history(&mut world, STRANGER);
    let whole = never.check().unwrap();
    assert_eq!((whole.newest, whole.day.map(|day| day.counted)), (0, Some(0)));
    // The same map does not show that the client was never looked at.
    let client = history(&mut world, CLIENT);
    let way = never.proof.day.unwrap().way;
    let claim = |proof: &mut Proof| {
        let day = proof.day.as_mut().unwrap();
        (day.way, day.counted) = (way, None);
    };
    assert_eq!(client.claiming(claim), Err(Gap::OtherDay));
}

fn daily(world: &World, who: &str) -> usize {
    world.leaves(&party(who)).iter().filter(|leaf| leaf.kind() == LeafKind::Daily).count()
}

#[test]
fn every_ledger_that_has_a_leaf_gets_one_leaf_a_day() {
    let mut world = world(3);
    look(&mut world, CLIENT);
    world.wait(Span::from_h(7));
    assert_eq!((daily(&world, CITY), daily(&world, PLANNER)), (0, 0), "the first day is not over");
    world.wait(Span::from_h(1));
    assert_eq!((daily(&world, CITY), daily(&world, PLANNER)), (1, 1));
    assert_eq!(daily(&world, WITNESS), 0, "there is nothing to close");
    world.crash(&party(CITY)).unwrap();
    world.wait(Span::from_h(12));
    assert_eq!((daily(&world, CITY), daily(&world, PLANNER)), (1, 1), "not twice on one day, restarted or not");
    world.wait(Span::from_h(12));
    assert_eq!((daily(&world, CITY), daily(&world, PLANNER)), (2, 2));
    for who in [CITY, PLANNER] {
        assert_eq!(
            world.notes(&party(who)).iter().filter(|noted| covers_enough(&world, who, noted)).count(),
            2,
            "{who}"
        );
    }
}

/// Whether it is a day that counted nearly all before its leaf.
fn covers_enough(world: &World, who: &str, noted: &Noted) -> bool {
    let leaves = world.leaves(&party(who));
    let leaf = |at: u64| leaves.get(usize::try_from(at).unwrap()).copied();
    let Note::Day(begins, covers, _root) = noted.note else { return false };
    proof::may_begin_at(begins, &leaf) && proof::covered_until(begins, covers, noted.leaf - begins, &leaf).is_some()
}

#[test]
fn a_new_epoch_gets_its_daily_leaf_at_once() {
    let mut world = world(4);
    look(&mut world, CLIENT);
    world.wait(PAST_MIDNIGHT);
    let image = world.image(&party(CITY)).unwrap();
    look(&mut world, CLIENT);
    world.wait(Span::from_s(30));
    world.restore(&party(CITY), &image).unwrap();
    assert_eq!(daily(&world, CITY), 0, "the leaves are those of the new epoch");
    world.wait(Span::from_s(90));
    assert_eq!(daily(&world, CITY), 1);
    look(&mut world, CLIENT);
    let whole = history(&mut world, CLIENT);
    // The steps of before the restore stand in the epoch that was left; the new day has counted them.
    let found = whole.check().unwrap();
    assert!(found.opened > 0 && found.opened < whole.accesses.len(), "{found:?}");
    assert!(found.day.is_some_and(|day| day.counted > 0));
}

/// Whether a note opens its leaf, which is of its kind.
fn opens(world: &World, who: &str, noted: &Noted) -> bool {
    let leaves = world.leaves(&party(who));
    let leaf = leaves[usize::try_from(noted.leaf).unwrap()];
    leaf.kind() == noted.note.kind() && leaf.opens(Commitment::Request, &noted.salt, noted.note.digest())
}

fn next_roster(world: &mut World) -> (u32, Notice) {
    let now = world.now().wall;
    let notice = world.founding_mut().next_roster(now, &|_same| {});
    (world.founding().roster().version, notice)
}

#[test]
fn each_ledger_says_which_roster_it_acts_under_from_where_on() {
    let mut world = world(5);
    look(&mut world, CLIENT);
    assert_eq!(world.notes(&party(CITY)), [], "the first roster is the network's name");
    for _ in 0..2 {
        let (version, notice) = next_roster(&mut world);
        world.tell(&[party(CITY), party(PLANNER)], &notice);
        let Notice::Roster(link) = &notice else { panic!("no roster") };
        let before = world.ledger_size(&party(CITY)) - 1;
        for who in [CITY, PLANNER] {
            let notes = world.notes(&party(who));
            let newest = notes.last().unwrap();
            assert_eq!(newest.note, Note::Roster(version, link.digest()), "{who}");
            assert!(opens(&world, who, newest), "{who}");
        }
        assert_eq!(world.notes(&party(CITY)).last().unwrap().leaf, before, "in the turn that learnt it");
        look(&mut world, CLIENT);
        world.crash(&party(CITY)).unwrap();
        look(&mut world, CLIENT);
    }
    assert_eq!(world.notes(&party(CITY)).len(), 2, "each once, whatever restarts");
    world.wait(Span::from_s(30));
    let image = world.image(&party(CITY)).unwrap();
    look(&mut world, CLIENT);
    world.wait(Span::from_s(30));
    world.restore(&party(CITY), &image).unwrap();
    look(&mut world, CLIENT);
    let leaves = world.leaves(&party(CITY));
    assert_eq!(leaves[0].kind(), LeafKind::Epoch);
    assert_eq!(leaves.iter().filter(|leaf| leaf.kind() == LeafKind::Roster).count(), 1, "a new epoch says it again");
}

#[test]
fn an_issued_credential_stands_in_the_ledger_of_its_issuer_alone() {
    let mut world = world(6);
    let (planner, now) = (party(PLANNER), world.now().wall);
    let services = [ServiceKind::parse("43").unwrap()];
    let credential = world.founding().credential(&planner, &services, now).unwrap();
    let size = world.ledger_size(&party(ISSUER));
    assert_eq!(world.issued(&party(ISSUER), credential.clone()), Some(Ok(size)));
    let notes = world.notes(&party(ISSUER));
    let serial = world.founding().serial(&planner).unwrap();
    assert_eq!(notes.last().unwrap().note, Note::Credential(planner, serial, Digest::of(&credential)));
    assert!(opens(&world, ISSUER, notes.last().unwrap()));
    // Nobody notes what another issued, or what nobody signed.
    assert!(matches!(world.issued(&party(CITY), credential.clone()), Some(Err(_))));
    let mut spoiled = credential;
    *spoiled.last_mut().unwrap() ^= 1;
    assert!(matches!(world.issued(&party(ISSUER), spoiled), Some(Err(_))));
    assert_eq!(world.ledger_size(&party(ISSUER)), size + 1);
}

// ── a day of many persons ──

const SEAT: Seat = Seat::new(1);
/// An afternoon.
const NOON: Timestamp = Timestamp::from_unix_ms(1_793_000_000_000);

/// A ledger with one step of each of so many persons.
struct Crowd {
    store: Store,
    gate: Gate,
    author: Author,
    dice: chacha20::ChaCha20Rng,
    turns: u64,
}

fn person(number: u32) -> Label {
    let digest = Digest::of(&number.to_be_bytes());
    Label::from_bytes(*digest.as_bytes().first_chunk().unwrap())
}

impl Crowd {
    fn new(persons: u32) -> Self {
        let plan = Plan { members: vec![party(CITY)], ..Plan::default() };
        let founding = Founding::new(7, &plan, Suite::X25519, Arc::new(Real), NOON);
        let origin = Origin::new(&founding.network(), &party(CITY), 1);
        let signer = Signer { seat: SEAT, origin, log_secret: Secret::from_bytes([3; 32]) };
        let secret = StoreSecret::derive(&Secret::from_bytes([9; 32]));
        let doors = (Box::new(FalseDisk::new(1 << 32)), Box::new(FalseIndex::new()));
        let (store, _opened) = Store::open(doors.0, doors.1, &secret, vec![signer], Arc::new(Real)).unwrap();
        let author = Author { party: party(CITY), key: KeyId::of(KeyUse::Signing, &[1; 32]) };
        let (gate, dice) = (founding.gate().unwrap(), seed::stream(7, "a crowd"));
        let mut crowd = Self { store, gate, author, dice, turns: 0 };
        let numbers: Vec<u32> = (0..persons).collect();
        for some in numbers.chunks(500) {
            crowd.turn(NOON, |batch, _author, _gate| {
                for number in some {
                    let nothing = Digest::of(&[]);
                    access_log::enter(batch, LeafKind::Exchange, person(*number), nothing, nothing, decision())
                        .unwrap();
                }
            });
        }
        crowd
    }

    /// One turn; how many rows it changed is bounded by what fits a turn, or this fails.
    fn turn(&mut self, wall: Timestamp, act: impl FnOnce(&mut Batch<'_>, &Author, &Gate)) {
        self.turns += 1;
        let now = Now { wall, steady: Steady::from_ms(self.turns * 60_000) };
        let mut staged = Staged::new();
        let mut batch = Batch::new(now, SEAT, &self.store, &mut staged, &mut self.dice).unwrap();
        act(&mut batch, &self.author, &self.gate);
        self.store.commit(staged).unwrap();
    }

    fn size(&self) -> u64 {
        self.store.head(SEAT).unwrap().size
    }

    /// Goes on until the day's leaf is written; after how many turns.
    fn close(&mut self, noting: &mut Noting, wall: Timestamp) -> u64 {
        let (size, began) = (self.size(), self.turns);
        while self.size() == size && self.turns - began < 10_000 {
            self.turn(wall, |batch, author, gate| noting.go(author, gate, batch).unwrap());
        }
        self.turns - began
    }

    /// What the newest daily leaf says of a person.
    fn counted(&mut self, label: Label) -> Option<u64> {
        let mut found = None;
        self.turn(NOON, |batch, _author, _gate| {
            let day = proof::prove(batch, label, &[], |_leaf| true).unwrap().day.unwrap();
            found = day.counted.map(|counted| counted.number);
        });
        found
    }
}

fn decision() -> Decision {
    Decision {
        refusal: None,
        party: PartyId::parse(PLANNER).unwrap(),
        signing_key: KeyId::of(KeyUse::Signing, &[2; 32]),
        staff: String::new(),
        job: Job::CareManager,
        purpose: Purpose::CarePlanning,
        kinds: Vec::new(),
        policy: Digest::of(b"policy"),
        roster: 1,
        list: 1,
        emergency: false,
        versions: Vec::new(),
        groups: FieldGroups::EMPTY,
        reasons: Vec::new(),
        act: None,
    }
}

#[test]
fn a_closing_that_took_too_long_is_begun_again_so_that_a_day_covers_nearly_all_before_its_leaf() {
    let mut crowd = Crowd::new(9_000);
    let mut noting = Noting::new(Steady::from_ms(0));
    let tomorrow = NOON.plus(Span::from_h(24));
    let step = |crowd: &mut Crowd, noting: &mut Noting, wall| {
        crowd.turn(wall, |batch, author, gate| noting.go(author, gate, batch).unwrap());
    };
    let enter = |crowd: &mut Crowd, wall| {
        crowd.turn(wall, |batch, _author, _gate| {
            let nothing = Digest::of(&[]);
            access_log::enter(batch, LeafKind::Exchange, person(0), nothing, nothing, decision()).unwrap();
        });
    };
    step(&mut crowd, &mut noting, tomorrow);
    enter(&mut crowd, tomorrow);
    // The process stood still for longer than a day may take to be counted.
    let later = tomorrow.plus(limits::DAY_COUNTING_MAX).plus(Span::from_s(1));
    let size = crowd.size();
    let turns = crowd.close(&mut noting, later);
    assert!((4..=6).contains(&turns), "from the beginning: {turns} turns");
    let mut covers = None;
    crowd.turn(later, |batch, _author, _gate| {
        let day = proof::prove(batch, person(0), &[], |_leaf| true).unwrap().day.unwrap();
        covers = Some((day.covers, day.leaf, day.counted.unwrap().number));
    });
    assert_eq!(covers, Some((size, size, 2)));
}

/// Closes two days of so many persons; how many turns the second took.
fn close_days_of(persons: u32) -> u64 {
    let mut crowd = Crowd::new(persons);
    let mut noting = Noting::new(Steady::from_ms(0));
    let tomorrow = NOON.plus(Span::from_h(24));
    crowd.close(&mut noting, tomorrow);
    for number in [0, persons / 2, persons - 1] {
        assert_eq!(crowd.counted(person(number)), Some(1));
    }
    assert_eq!(crowd.counted(person(persons)), None);
    // Somebody new, and a second step of somebody known, in the middle of the next closing: that is given up and
    // begun again by a process that knows nothing of it.
    let day_after = NOON.plus(Span::from_h(48));
    crowd.turn(day_after, |batch, author, gate| noting.go(author, gate, batch).unwrap());
    crowd.turn(day_after, |batch, _author, _gate| {
        for number in [0, persons] {
            let nothing = Digest::of(&[]);
            access_log::enter(batch, LeafKind::Exchange, person(number), nothing, nothing, decision()).unwrap();
        }
    });
    assert_eq!(crowd.counted(person(0)), Some(1), "the map of the day before stands until the next is whole");
    let turns = crowd.close(&mut Noting::new(Steady::from_ms(0)), day_after);
    assert_eq!((crowd.counted(person(0)), crowd.counted(person(persons))), (Some(2), Some(1)));
    turns
}

#[test]
fn a_day_of_many_persons_is_counted_piece_by_piece() {
    let turns = close_days_of(9_000);
    assert!((4..=6).contains(&turns), "{turns} turns");
}

#[test]
#[ignore = "some seconds; for measuring: time cargo test --release --test noting -- --ignored"]
fn a_day_of_a_hundred_thousand_persons_takes_some_forty_turns() {
    let turns = close_days_of(100_000);
    assert!((40..=50).contains(&turns), "{turns} turns");
}
