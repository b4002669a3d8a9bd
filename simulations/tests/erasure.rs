//! What is erased, by an officer or because it has been over for long enough: it can never be read again, everything
//! else goes on, and every ledger and receipt stays as it was.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

#[path = "shared/town.rs"]
mod town;

use std::sync::Arc;

use protocol::binding::Binding;
use protocol::code::act::Act;
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::code::service::ServiceKind;
use protocol::date::Date;
use protocol::id::handle::Handle;
use protocol::id::insurer::InsurerNumber;
use protocol::id::medical::MedicalInsuranceId;
use protocol::id::person::PersonId;
use protocol::machine::{Ask, Wish};
use protocol::message::{Access, Flaw, Named, Outcome, Staff, Versions};
use protocol::primitives::{Real, Suite};
use protocol::record::disclosure::Content;
use protocol::record::slip::Slip;
use protocol::record::version::{RecordId, Status};
use protocol::refusal::Told;
use protocol::time::Span;
use protocol::vault::Label;
use serde_json::json;
use simulations::founding::{Plan, party};
use simulations::world::World;
use town::{CITY, CLIENT, PLANNER, answered, care, line_of, reading, record, tie};

const OTHER: &str = "39131008::87654321:";
const MEDICAL: &str = "39131008::12345678:";

fn line() -> String {
    let mut second = record(RecordKind::CarePlan, "b");
    second["number"] = json!(2);
    second["status"] = json!("amended");
    let records = [record(RecordKind::CertificationResult, "a"), record(RecordKind::CarePlan, "b"), second];
    line_of(&[tie(PLANNER, "care-planning")], &records, Some(MEDICAL))
}

fn world(seed: u64) -> World {
    let plan = Plan {
        members: [CITY, "directory:1", "pseudonymiser:1", "witness:1"].map(party).to_vec(),
        holders: vec![(party(PLANNER), vec![ServiceKind::parse("43").unwrap()])],
        ..Plan::default()
    };
    let mut world = World::new(seed, &plan, Suite::XWing, Arc::new(Real)).unwrap();
    assert_eq!(world.import(&party(CITY), &line()), Some(Ok(3)));
    world
}

fn erasure(record: Option<(RecordKind, &str, Option<u32>)>) -> Ask {
    let named = record.map(|(kind, id, number)| {
        let id = RecordId::parse(&id.repeat(32)).unwrap();
        Named { kind, id: (*id.as_bytes()).into(), number }
    });
    officer(Wish::Erasure(named))
}

fn officer(wish: Wish) -> Ask {
    Ask {
        staff: Staff { id: "officer-1".into(), job: Job::MunicipalOfficer, proof: None },
        purpose: Purpose::BenefitAdministration,
        person: care(CLIENT),
        wish,
    }
}

fn told(world: &mut World, who: &str, ask: Ask) -> Outcome {
    answered(world.ask(&party(who), ask)).outcome
}

/// The numbers of the care plans the planner is shown, and how many are withheld.
fn plans(world: &mut World, versions: Option<Versions>) -> (Vec<u32>, u32) {
    let wish = Wish::Records { kinds: vec![RecordKind::CarePlan], valid_on: None, known_at: None, versions };
    let outcome = told(world, PLANNER, Ask { wish, ..reading(care(CLIENT), &[]) });
    let Outcome::Records(contents) = outcome else { panic!("{outcome:?}") };
    let content = Content::decode(contents.first().unwrap()).unwrap();
    (content.versions().iter().map(|shown| shown.number).collect(), content.withheld())
}

fn history(world: &mut World) -> Vec<Access> {
    match told(world, CITY, officer(Wish::History)) {
        Outcome::History(accesses, _proof) => accesses,
        other => panic!("{other:?}"),
    }
}

/// What in the city's file of keys is about the asks of its own seats.
fn ask_key(world: &World) -> Option<Vec<u8>> {
    let keys = world.image(&party(CITY)).unwrap().keys();
    let label = Label::ASKS.as_bytes();
    let at = keys.windows(label.len()).position(|window| window == label)?;
    Some(keys[at..at + 72].to_vec())
}

const REFUSED: Outcome = Outcome::Refused(Told::NotPermitted);

#[test]
fn an_erased_version_is_withheld_and_what_stands_beside_it_is_not() {
    let mut world = world(1);
    assert_eq!(plans(&mut world, Some(Versions::All)), (vec![1, 2], 0));
    let outcome = told(&mut world, CITY, erasure(Some((RecordKind::CarePlan, "b", Some(2)))));
    assert_eq!(outcome, Outcome::Erased(1));
    assert_eq!(plans(&mut world, Some(Versions::All)), (vec![1], 1));
    assert_eq!(plans(&mut world, None), (vec![], 1), "what it replaced does not come back");
    world.crash(&party(CITY)).unwrap();
    assert_eq!(plans(&mut world, Some(Versions::All)), (vec![1], 1), "over a restart");
    let again = told(&mut world, CITY, erasure(Some((RecordKind::CarePlan, "b", Some(2)))));
    assert_eq!(again, Outcome::Refused(Told::NotAcceptable), "there is nothing more to erase");
    assert!(matches!(told(&mut world, PLANNER, town::result()), Outcome::Records(_)));
}

#[test]
fn nobody_corrects_what_is_erased() {
    let mut world = world(2);
    assert_eq!(told(&mut world, CITY, erasure(Some((RecordKind::CarePlan, "b", None)))), Outcome::Erased(2));
    let item = record(RecordKind::CarePlan, "b");
    let slip = Slip::read(&item, &PersonId::parse(CLIENT).unwrap()).unwrap();
    let slip = Slip { number: 3, status: Status::Amended, ..slip };
    let Outcome::NotKept(flaws) = told(&mut world, CITY, officer(Wish::Submission(vec![slip]))) else { panic!("kept") };
    let [Flaw { path, rule, .. }] = flaws.as_slice() else { panic!("{flaws:?}") };
    assert_eq!((path.as_str(), rule.as_str()), ("id", "erased"));
}

#[test]
fn what_an_officer_submitted_is_sealed_under_a_key_that_an_erasure_destroys() {
    let mut world = world(8);
    let slip = Slip::read(&record(RecordKind::CarePlan, "e"), &PersonId::parse(CLIENT).unwrap()).unwrap();
    let submission = officer(Wish::Submission(vec![slip]));
    assert!(matches!(told(&mut world, CITY, submission), Outcome::Kept(_)));
    let before = ask_key(&world).unwrap();
    assert_eq!(told(&mut world, CITY, erasure(Some((RecordKind::CarePlan, "e", None)))), Outcome::Erased(1));
    let after = ask_key(&world).unwrap();
    assert_ne!(before, after);
    // The ask to erase names the person too.
    world.wait(Span::from_h(25));
    assert_eq!(ask_key(&world), None);
}

#[test]
fn what_an_ask_that_has_ended_is_sealed_under_is_destroyed_within_a_day_or_at_the_next_start() {
    let mut world = world(9);
    for _again in 0..2 {
        assert!(matches!(told(&mut world, CITY, officer(Wish::History)), Outcome::History(..)));
        assert!(ask_key(&world).is_some());
        world.crash(&party(CITY)).unwrap();
        assert_eq!(ask_key(&world), None);
    }
    assert!(matches!(told(&mut world, CITY, officer(Wish::History)), Outcome::History(..)));
    world.wait(Span::from_h(23));
    assert!(ask_key(&world).is_some());
    world.wait(Span::from_h(2));
    assert_eq!(ask_key(&world), None);
}

#[test]
fn only_an_officer_who_administers_benefits_erases() {
    let mut world = world(3);
    let planner = Ask { wish: Wish::Erasure(None), ..reading(care(CLIENT), &[]) };
    assert_eq!(told(&mut world, PLANNER, planner), REFUSED);
    let certifying = Ask { purpose: Purpose::Certification, ..erasure(None) };
    assert_eq!(told(&mut world, CITY, certifying), REFUSED);
    let themself = Staff { id: "p".into(), job: Job::InsuredPerson, proof: None };
    assert_eq!(told(&mut world, CITY, Ask { staff: themself, ..erasure(None) }), REFUSED);
    assert_eq!(plans(&mut world, Some(Versions::All)), (vec![1, 2], 0));
}

#[test]
fn an_erased_person_is_unknown_and_every_ledger_goes_on() {
    let mut world = world(4);
    let city = party(CITY);
    assert!(matches!(told(&mut world, PLANNER, town::result()), Outcome::Records(_)));
    assert!(history(&mut world).iter().any(|access| access.party == party(PLANNER)));
    let size = world.ledger_size(&city);
    assert_eq!(told(&mut world, CITY, erasure(None)), Outcome::Erased(3));
    assert_eq!(world.ledger_size(&city), size + 2, "its own leaf, and the asking seat's of the same ledger");
    for _again in 0..2 {
        assert_eq!(told(&mut world, PLANNER, town::result()), REFUSED, "like any unknown number");
        assert_eq!(told(&mut world, CITY, erasure(None)), REFUSED);
        assert!(!history(&mut world).iter().any(|access| access.party == party(PLANNER) && !access.refused));
        world.crash(&city).unwrap();
    }
    let head = world.head(&city);
    world.crash(&city).unwrap();
    assert_eq!(world.head(&city), head);
}

#[test]
fn a_person_who_is_known_again_begins_anew() {
    let mut world = world(5);
    assert!(matches!(told(&mut world, PLANNER, town::result()), Outcome::Records(_)));
    assert_eq!(told(&mut world, CITY, erasure(None)), Outcome::Erased(3));
    assert_eq!(world.import(&party(CITY), &line()), Some(Ok(3)));
    assert_eq!(plans(&mut world, Some(Versions::All)), (vec![1, 2], 0));
    let accesses = history(&mut world);
    let looks = accesses.iter().filter(|access| access.party == party(PLANNER)).count();
    assert_eq!(looks, 1, "what came before can be read by nobody: {accesses:?}");
    assert!(accesses.iter().all(|access| access.act != Some(Act::Erase)), "and who was erased stands nowhere");
}

#[test]
fn nobody_is_found_by_a_medical_number_that_was_given_up_or_is_erased() {
    let mut world = world(7);
    let by = |number: &str| {
        let medical = Handle::Medical(MedicalInsuranceId::parse(number).unwrap());
        Ask {
            person: medical,
            ..officer(Wish::Records {
                kinds: vec![RecordKind::CarePlan],
                valid_on: None,
                known_at: None,
                versions: None,
            })
        }
    };
    let home = |number: &str| Ask {
        wish: Wish::Registration {
            home: Binding { insurer: InsurerNumber::parse("131235").unwrap(), from: Date::MIN },
            number: 1,
        },
        ..by(number)
    };
    for number in [MEDICAL, OTHER] {
        assert_eq!(told(&mut world, CITY, home(number)), Outcome::Registered);
    }
    assert!(matches!(told(&mut world, CITY, by(MEDICAL)), Outcome::Records(_)));
    let line = line_of(&[tie(PLANNER, "care-planning")], &[], Some(OTHER));
    assert_eq!(world.import(&party(CITY), &line), Some(Ok(0)));
    assert_eq!(told(&mut world, CITY, by(MEDICAL)), REFUSED);
    assert!(matches!(told(&mut world, CITY, by(OTHER)), Outcome::Records(_)));
    assert_eq!(told(&mut world, CITY, erasure(None)), Outcome::Erased(3));
    assert_eq!(told(&mut world, CITY, by(OTHER)), REFUSED);
}

#[test]
fn what_has_been_over_for_as_long_as_it_is_kept_goes_by_itself() {
    let mut world = world(6);
    let mut old = record(RecordKind::CarePlan, "c");
    (old["valid_from"], old["valid_to"]) = (json!("2015-01-01"), json!("2015-12-31"));
    let mut recent = record(RecordKind::CarePlan, "d");
    (recent["valid_from"], recent["valid_to"]) = (json!("2025-01-01"), json!("2025-12-31"));
    let mut told_late = old.clone();
    told_late["id"] = json!("e".repeat(32));
    (old["recorded_at_ms"], recent["recorded_at_ms"]) = (json!(1_420_070_400_000_u64), json!(1_735_689_600_000_u64));
    let line = line_of(&[tie(PLANNER, "care-planning")], &[old, recent, told_late], Some(MEDICAL));
    assert_eq!(world.import(&party(CITY), &line), Some(Ok(3)));
    let size = world.ledger_size(&party(CITY));
    world.wait(Span::from_s(300));
    let (numbers, withheld) = plans(&mut world, Some(Versions::All));
    assert_eq!((numbers.len(), withheld), (4, 1), "what was recorded a moment ago is not over");
    assert!(world.ledger_size(&party(CITY)) > size, "the ledger says so");
}
