//! One question's journey through a whole network in one process under one seed: every machine, every
//! typed exit, the same bytes twice.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

#[path = "shared/town.rs"]
mod town;

use std::sync::{Arc, Mutex};

use protocol::binding::Binding;
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::code::service::ServiceKind;
use protocol::date::Date;
use protocol::frame::{self, Frame};
use protocol::host::{Drop, Input};
use protocol::id::handle::Handle;
use protocol::id::insurer::InsurerNumber;
use protocol::id::medical::MedicalInsuranceId;
use protocol::id::party::PartyId;
use protocol::ledger::checkpoint::SignedCheckpoint;
use protocol::limits;
use protocol::machine::{Ask, AskId, Ending, Failure, Wish};
use protocol::message::{Outcome, Staff};
use protocol::primitives::{Real, Suite};
use protocol::record::disclosure::Content;
use protocol::refusal::Told;
use protocol::store::Seat;
use protocol::time::Span;
use simulations::founding::{Plan, party};
use simulations::passage::Delivery;
use simulations::world::World;
use town::{CITY, CLIENT, PLANNER, TOWN, answered, care, line, line_of, reading, record, tie};

const HELPERS: &str = "office:1470100015";
const HOSPITAL: &str = "hospital:1312300450";
const MEDICAL: &str = "39131008::12345678:";

/// The client, known to the hospital by another number, with two records and two ties.
fn client() -> String {
    line_of(
        &[tie(PLANNER, "care-planning"), tie(HELPERS, "service")],
        &[record(RecordKind::CertificationResult, "a"), record(RecordKind::CertificationSurvey, "b")],
        Some(MEDICAL),
    )
}

fn plan() -> Plan {
    let service = |code: &str| vec![ServiceKind::parse(code).unwrap()];
    Plan {
        members: [CITY, TOWN, "directory:1", "pseudonymiser:1", "pseudonymiser:2", "witness:1"].map(party).to_vec(),
        holders: vec![(party(PLANNER), service("43")), (party(HELPERS), service("11")), (party(HOSPITAL), Vec::new())],
        ..Plan::default()
    }
}

fn world(seed: u64) -> World {
    let mut world = World::new(seed, &plan(), Suite::XWing, Arc::new(Real)).unwrap();
    assert_eq!(world.import(&party(CITY), &client()), Some(Ok(2)));
    world
}

fn survey() -> Ask {
    reading(care(CLIENT), &[RecordKind::CertificationResult, RecordKind::CertificationSurvey])
}

#[test]
fn a_care_manager_reads_her_clients_records_and_both_ledgers_have_it() {
    let mut world = world(1);
    let (city, planner) = (party(CITY), party(PLANNER));
    let before = (world.ledger_size(&city), world.ledger_size(&planner));
    let answer = answered(world.ask(&planner, survey()));
    let Outcome::Records(contents) = answer.outcome else { panic!("refused") };
    assert_eq!(contents.len(), 2);
    let survey = Content::decode(&contents[1]).unwrap();
    assert_eq!((survey.kind(), survey.versions().len()), (RecordKind::CertificationSurvey, 1));
    assert_eq!((world.ledger_size(&city), world.ledger_size(&planner)), (before.0 + 1, before.1 + 1));
}

#[test]
fn a_service_office_is_refused_the_survey_and_the_refusal_has_a_receipt() {
    let mut world = world(2);
    let size = world.ledger_size(&party(CITY));
    let answer = answered(world.ask(&party(HELPERS), survey()));
    assert_eq!(answer.outcome, Outcome::Refused(Told::NotPermitted));
    assert_eq!((answer.leaf, world.ledger_size(&party(CITY))), (size, size + 1));
}

#[test]
fn unknown_and_unrelated_persons_sound_and_look_the_same() {
    let mut world = world(3);
    let known = answered(world.ask(&party(HOSPITAL), survey()));
    let unknown = answered(world.ask(
        &party(HOSPITAL),
        reading(care("131235:0000099999"), &[RecordKind::CertificationResult, RecordKind::CertificationSurvey]),
    ));
    assert_eq!(known.outcome, unknown.outcome);
    assert_eq!((known.body.len(), known.evidence.len() / 64), (unknown.body.len(), unknown.evidence.len() / 64));
}

#[test]
fn a_person_known_only_by_a_medical_number_is_found_through_the_directory() {
    let mut world = world(4);
    let medical = Handle::Medical(MedicalInsuranceId::parse(MEDICAL).unwrap());
    let missing = world.ask(&party(PLANNER), reading(medical.clone(), &[RecordKind::CertificationResult]));
    assert_eq!(missing, Some(Ending::Failed(Failure::NoHome)));
    assert_eq!(answered(world.ask(&party(CITY), registration(1))).outcome, Outcome::Registered);
    let found = answered(world.ask(&party(PLANNER), reading(medical, &[RecordKind::CertificationResult])));
    assert!(matches!(found.outcome, Outcome::Records(_)), "{:?}", found.outcome);
}

#[test]
fn a_pseudonym_takes_every_evaluator() {
    let mut world = world(17);
    let second = party("pseudonymiser:2");
    assert_eq!(answered(world.ask(&party(CITY), registration(1))).outcome, Outcome::Registered);
    let sizes = ["pseudonymiser:1", "pseudonymiser:2"].map(|who| world.ledger_size(&party(who)));
    let medical = Handle::Medical(MedicalInsuranceId::parse(MEDICAL).unwrap());
    let ask = reading(medical, &[RecordKind::CertificationResult]);
    assert!(matches!(answered(world.ask(&party(PLANNER), ask.clone())).outcome, Outcome::Records(_)));
    assert_eq!(
        ["pseudonymiser:1", "pseudonymiser:2"].map(|who| world.ledger_size(&party(who))),
        sizes.map(|size| size + 1)
    );
    // Without one of them nobody finds a home they do not know yet, and what is left of the ask ends.
    world.stop(&second);
    assert_eq!(world.ask(&party(HELPERS), ask.clone()), Some(Ending::Failed(Failure::Unreachable(second.clone()))));
    world.wait(Span::from_s(60));
    assert_eq!(world.open_asks(&party(HELPERS)), 0);
    world.start_again(&second, &party(HELPERS)).unwrap();
    assert!(!matches!(world.ask(&party(HELPERS), ask), Some(Ending::Failed(_))));
}

#[test]
fn a_municipal_officer_asks_the_same_way_and_stands_in_the_persons_history() {
    let mut world = world(5);
    let mut ask = reading(care(CLIENT), &[RecordKind::CertificationResult]);
    ask.staff = Staff { id: "officer-7".into(), job: Job::MunicipalOfficer, proof: None };
    ask.purpose = Purpose::Certification;
    assert!(matches!(answered(world.ask(&party(CITY), ask.clone())).outcome, Outcome::Records(_)));
    ask.wish = Wish::History;
    let Outcome::History(accesses, _proof) = answered(world.ask(&party(CITY), ask)).outcome else { panic!("refused") };
    let looks: Vec<_> = accesses.iter().filter(|access| !access.kinds.is_empty()).collect();
    assert!(looks.iter().any(|access| access.staff.id == "officer-7" && access.party == party(CITY)));
}

/// Frames that passed, each with whom it went to.
type Captured = Arc<Mutex<Vec<(PartyId, Vec<u8>)>>>;

/// Every request frame that passes, in order.
fn capture(world: &mut World) -> Captured {
    let captured = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&captured);
    world.tamper(Some(Box::new(move |passage| {
        if matches!(frame::parse(&passage.bytes), Ok(Frame::Request(..))) {
            sink.lock().unwrap().push((passage.to.clone(), passage.bytes.clone()));
        }
        vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }]
    })));
    captured
}

#[test]
fn a_captured_request_is_dropped_from_another_peer_answered_once_and_refused_when_old() {
    let mut world = world(6);
    let (city, planner, helpers) = (party(CITY), party(PLANNER), party(HELPERS));
    answered(world.ask(&helpers, survey()));
    let captured = capture(&mut world);
    let first = answered(world.ask(&planner, survey()));
    let request = captured.lock().unwrap().iter().find(|(to, _)| *to == city).unwrap().1.clone();
    world.tamper(None);
    let size = world.ledger_size(&city);

    let foreign = world.wire(&helpers, &city).unwrap();
    world.push_now(&city, Input::Frame { connection: foreign, bytes: request.clone() });
    world.run();
    assert!(world.drops().contains(&(city.clone(), Drop::NotAdmitted)));
    assert_eq!(world.ledger_size(&city), size);

    let own = world.wire(&planner, &city).unwrap();
    world.push_now(&city, Input::Frame { connection: own, bytes: request.clone() });
    world.run();
    assert_eq!(world.ledger_size(&city), size, "a repeat makes no leaf");

    world.wait(Span::from_s(180));
    world.push_now(&city, Input::Frame { connection: own, bytes: request });
    world.run();
    assert_eq!(world.ledger_size(&city), size + 1, "the refusal of a late repeat has a leaf of its own");
    assert!(first.leaf < size);
}

#[test]
fn one_flipped_bit_is_dropped_and_the_ask_still_ends() {
    let mut world = world(7);
    let (city, planner) = (party(CITY), party(PLANNER));
    answered(world.ask(&planner, survey()));
    let mut flipped = 0;
    world.tamper(Some(Box::new(move |passage| {
        let mut bytes = passage.bytes.clone();
        if matches!(frame::parse(&bytes), Ok(Frame::Request(..))) && flipped < 1 {
            flipped += 1;
            let last = bytes.len() - 9;
            bytes[last] ^= 1;
        }
        vec![Delivery { delay: Span::ZERO, bytes }]
    })));
    let answer = answered(world.ask(&planner, survey()));
    assert!(matches!(answer.outcome, Outcome::Records(_)));
    assert!(world.drops().iter().any(|(at, reason)| *at == city && matches!(reason, Drop::Unfit(_))));
}

#[test]
fn a_presentation_that_nobody_answers_is_made_anew() {
    for lost in [|frame: &Frame| matches!(frame, Frame::Hello(..)), |frame: &Frame| matches!(frame, Frame::Welcome(_))]
    {
        let mut world = world(9);
        let mut first = true;
        world.tamper(Some(Box::new(move |passage| {
            let is_lost = first && frame::parse(&passage.bytes).is_ok_and(|frame| lost(&frame));
            first &= !is_lost;
            if is_lost { Vec::new() } else { vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }] }
        })));
        let answer = answered(world.ask(&party(PLANNER), survey()));
        assert!(matches!(answer.outcome, Outcome::Records(_)));
    }
}

#[test]
fn a_connection_whose_other_end_dies_before_it_opens_never_opens() {
    let mut world = world(19);
    let (city, planner) = (party(CITY), party(PLANNER));
    let ask = world.begin_ask(&planner, survey());
    while world.wire(&planner, &city).is_none() {
        world.pass(Span::from_ms(1));
    }
    // In the very millisecond in which it was dialled.
    world.stop(&city);
    world.run();
    assert_eq!(world.ending(ask), Some(Ending::Failed(Failure::Unreachable(city.clone()))));
    world.wake(&city).unwrap();
    world.run();
    assert!(matches!(answered(world.ask(&planner, survey())).outcome, Outcome::Records(_)));
}

#[test]
fn a_revoked_office_gets_no_answer() {
    let mut world = world(8);
    answered(world.ask(&party(PLANNER), survey()));
    world.revoke(&[party(PLANNER)], 2);
    let size = world.ledger_size(&party(CITY));
    let ending = world.ask(&party(PLANNER), survey());
    assert!(matches!(ending, Some(Ending::Failed(Failure::NotAdmitted(_)))), "{ending:?}");
    assert_eq!(world.ledger_size(&party(CITY)), size);
}

#[test]
fn an_insurer_that_crashes_comes_back_with_every_leaf_and_the_same_head() {
    let mut world = world(9);
    let city = party(CITY);
    answered(world.ask(&party(PLANNER), survey()));
    let head = world.head(&city);
    world.crash(&city).unwrap();
    assert_eq!(world.head(&city), head);
    let answer = answered(world.ask(&party(PLANNER), survey()));
    assert!(matches!(answer.outcome, Outcome::Records(_)));
}

#[test]
fn an_answer_lost_on_the_wire_is_asked_for_again_and_has_one_leaf() {
    let mut world = world(10);
    let mut lost = 0;
    world.tamper(Some(Box::new(move |passage| {
        let is_answer = matches!(frame::parse(&passage.bytes), Ok(Frame::Answer(..)));
        if is_answer && lost < 2 {
            lost += 1;
            return Vec::new();
        }
        vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }]
    })));
    let size = world.ledger_size(&party(CITY));
    let answer = answered(world.ask(&party(PLANNER), survey()));
    assert!(matches!(answer.outcome, Outcome::Records(_)));
    assert_eq!(world.ledger_size(&party(CITY)), size + 1);
}

/// A city's wish to be known as the home of the patient whom only the medical number names.
fn registration(number: u64) -> Ask {
    let home = Binding { insurer: InsurerNumber::parse("131235").unwrap(), from: Date::parse("2025-01-01").unwrap() };
    Ask {
        staff: Staff { id: "officer-1".into(), job: Job::MunicipalOfficer, proof: None },
        purpose: Purpose::BenefitAdministration,
        person: Handle::Medical(MedicalInsuranceId::parse(MEDICAL).unwrap()),
        wish: Wish::Registration { home, number },
    }
}

/// Asks for a home whose first answer is lost, and lets the city register between that and the retry. Returns
/// the end, and how many leaves the directory made.
fn look_up_while_registering(world: &mut World, number: u64) -> (Option<Ending>, u64) {
    let (city, directory) = (party(CITY), party("directory:1"));
    let (slow, asked) = (city.clone(), directory.clone());
    let mut lost = false;
    world.tamper(Some(Box::new(move |passage| {
        let is_answer = matches!(frame::parse(&passage.bytes), Ok(Frame::Answer(..)));
        if is_answer && passage.from == asked && passage.to != slow && !lost {
            lost = true;
            return Vec::new();
        }
        let delay = if passage.from == slow { Span::from_s(1) } else { Span::ZERO };
        vec![Delivery { delay, bytes: passage.bytes.clone() }]
    })));
    let size = world.ledger_size(&directory);
    world.push_now(&city, Input::Ask(Seat::new(1), AskId(200_000 + number), registration(number)));
    let medical = Handle::Medical(MedicalInsuranceId::parse(MEDICAL).unwrap());
    let ending = world.ask(&party(PLANNER), reading(medical, &[RecordKind::CertificationResult]));
    world.tamper(None);
    (ending, world.ledger_size(&directory) - size)
}

#[test]
fn a_repeated_look_up_is_answered_as_of_its_first_moment() {
    let mut world = world(17);
    let (ending, leaves) = look_up_while_registering(&mut world, 1);
    assert_eq!(ending, Some(Ending::Failed(Failure::NoHome)), "what was registered since is not part of a repeat");
    assert_eq!(leaves, 2, "one for the look-up and its repeat, one for the registration");
    let medical = Handle::Medical(MedicalInsuranceId::parse(MEDICAL).unwrap());
    let found = answered(world.ask(&party(PLANNER), reading(medical, &[RecordKind::CertificationResult])));
    assert!(matches!(found.outcome, Outcome::Records(_)), "{:?}", found.outcome);
}

#[test]
fn a_home_replaced_meanwhile_is_not_told_again() {
    let mut world = world(18);
    assert_eq!(answered(world.ask(&party(CITY), registration(1))).outcome, Outcome::Registered);
    let (ending, leaves) = look_up_while_registering(&mut world, 2);
    assert_eq!(answered(ending).outcome, Outcome::Refused(Told::NotFresh), "ask again");
    assert_eq!(leaves, 3, "the refusal of the repeat has a leaf of its own");
    let medical = Handle::Medical(MedicalInsuranceId::parse(MEDICAL).unwrap());
    let found = answered(world.ask(&party(PLANNER), reading(medical, &[RecordKind::CertificationResult])));
    assert!(matches!(found.outcome, Outcome::Records(_)), "{:?}", found.outcome);
}

#[test]
fn a_connection_that_speaks_for_nobody_is_closed_and_one_that_does_stays() {
    let mut world = world(19);
    let (city, planner, helpers) = (party(CITY), party(PLANNER), party(HELPERS));
    answered(world.ask(&planner, survey()));
    let admitted = world.wire(&planner, &city).unwrap();
    let silent = helpers.clone();
    world.tamper(Some(Box::new(move |passage| {
        let is_hello = matches!(frame::parse(&passage.bytes), Ok(Frame::Hello(..)));
        if is_hello && passage.from == silent {
            return Vec::new();
        }
        vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }]
    })));
    world.push_now(&helpers, Input::Ask(Seat::new(1), AskId(300_000), survey()));
    world.pass(limits::STRANGER_LIMIT.minus(Span::from_ms(1)));
    let stranger = world.wire(&helpers, &city).unwrap();
    world.pass(Span::from_s(1));
    assert_ne!(world.wire(&helpers, &city), Some(stranger), "closed after its time");
    assert_eq!(world.wire(&planner, &city), Some(admitted));
}

#[test]
fn nobody_but_the_asked_may_answer() {
    let mut world = world(14);
    let (city, planner, helpers) = (party(CITY), party(PLANNER), party(HELPERS));
    answered(world.ask(&planner, survey()));
    answered(world.ask(&helpers, survey()));
    // The helpers' connection to the city carries answers, refusals and delays to questions of others.
    let foreign = world.wire(&helpers, &city).unwrap();
    for id in 1..200_u64 {
        for frame in [Frame::Answer(id, vec![1].into()), Frame::Busy(id, 30_000), Frame::Sorry(id)] {
            world.push_now(&city, Input::Frame { connection: foreign, bytes: protocol::cbor::encode(&frame) });
        }
    }
    let mut ask = survey();
    ask.staff = Staff { id: "officer-7".into(), job: Job::MunicipalOfficer, proof: None };
    ask.purpose = Purpose::Certification;
    assert!(matches!(answered(world.ask(&city, ask)).outcome, Outcome::Records(_)));
    assert!(world.drops().contains(&(city.clone(), Drop::Unasked)));
    assert_eq!(world.wire(&helpers, &city), None, "three faults end the connection");
}

#[test]
fn a_worn_out_encapsulation_is_not_used_again() {
    let mut world = world(16);
    let planner = party(PLANNER);
    answered(world.ask(&planner, survey()));
    // So many at once that the encapsulation wears out while requests under it are still being sealed.
    for number in 0..1_001 {
        world.push_now(&planner, Input::Ask(Seat::new(1), AskId(100_000 + number), survey()));
    }
    world.run();
    let answer = answered(world.ask(&planner, survey()));
    assert!(matches!(answer.outcome, Outcome::Records(_)));
}

#[test]
fn an_import_keeps_no_guess() {
    let mut world = world(15);
    let city = party(CITY);
    let bad = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value: serde_json::Value = serde_json::from_str(&client()).unwrap();
        change(&mut value);
        value.to_string()
    };
    let another = |insured: &str, medical: &str| {
        bad(&|value| {
            value["insured"] = serde_json::json!(insured);
            value["medical"] = serde_json::json!(medical);
            value["records"] = serde_json::json!([]);
        })
    };
    let refused = [
        bad(&|value| value["consents"] = serde_json::json!("yes")),
        bad(&|value| value["consents"] = serde_json::json!(vec![value["consents"][0].clone(); 3000])),
        bad(&|value| value["protction"] = serde_json::json!(null)),
        bad(&|value| value["protection"] = serde_json::json!({"from": "2025-02-01", "until": "2025-01-01"})),
        bad(&|value| value["records"][0]["number"] = serde_json::json!("2")),
        bad(&|value| value["records"][0]["number"] = serde_json::json!(0)),
        bad(&|value| value["records"][0]["number"] = serde_json::json!(u32::MAX)),
        bad(&|value| value["records"][0]["valid_from"] = serde_json::json!("2025-02-02")),
        line().replacen("\"medical\"", "\"protection\":{\"from\":\"2025-01-01\",\"until\":null},\"medical\"", 1),
        format!("{}\n{}", line(), line()),
        // Another person under the same medical insurance, and the same number of a record with two contents.
        ["0000999998", "0000999999"].map(|insured| another(insured, "39131008::87654321:")).join("\n"),
        bad(&|value| {
            let mut other = value["records"][0].clone();
            (other["id"], value["records"][1]["id"]) =
                (serde_json::json!("77".repeat(16)), serde_json::json!("77".repeat(16)));
            let kind = value["records"][1]["kind"].clone();
            other["valid_to"] = serde_json::json!("2099-12-31");
            (other["kind"], other["content"]) = (kind, value["records"][1]["content"].clone());
            (other["number"], value["records"][1]["number"]) = (serde_json::json!(1), serde_json::json!(1));
            value["records"].as_array_mut().unwrap().push(other);
        }),
        // Two certifications of one day.
        bad(&|value| {
            let mut other = value["records"][0].clone();
            (other["id"], other["valid_from"], other["valid_to"]) =
                (serde_json::json!("78".repeat(16)), serde_json::json!("2026-01-01"), serde_json::json!(null));
            value["records"].as_array_mut().unwrap().push(other);
        }),
    ];
    let mut reasons = Vec::new();
    for lines in refused {
        let told = world.import(&city, &lines);
        let Some(Err(what)) = told else { panic!("{told:?} for {lines:.300}") };
        reasons.push(what);
    }
    assert_eq!(
        reasons[10..],
        [
            "line 2: medical: another person's".to_owned(),
            "line 1: records: this number of the record is there with other content".to_owned(),
            "line 1: records: two that hold on one day, of a kind of which one only does; end, amend or replace one"
                .to_owned(),
        ]
    );
    assert_eq!(world.import(&city, &client()), Some(Ok(0)), "what is there already is not kept again");
    let silent = bad(&|value| value["relationships"] = serde_json::json!([]));
    let other = bad(&|value| value["relationships"][0]["party"] = serde_json::json!("office:1370109999"));
    for lines in [silent, other] {
        assert_eq!(world.import(&city, &lines), Some(Ok(0)));
        let told = answered(world.ask(&party(PLANNER), survey())).outcome;
        assert!(matches!(told, Outcome::Records(_)), "a line that does not name an organisation does not untie it");
    }
    let untied = bad(&|value| {
        for tie in value["relationships"].as_array_mut().unwrap() {
            tie["until"] = serde_json::json!("2025-06-30");
        }
    });
    assert_eq!(world.import(&city, &untied), Some(Ok(0)));
    assert_eq!(answered(world.ask(&party(PLANNER), survey())).outcome, Outcome::Refused(Told::NotPermitted));
}

#[test]
fn a_witness_cosigns_the_heads_of_members() {
    let mut world = world(11);
    answered(world.ask(&party(PLANNER), survey()));
    world.wait(Span::from_s(30));
    assert!(world.alarms().is_empty(), "{:?}", world.alarms());
    let cosigned = world.cosigned(&party(CITY), &party("witness:1")).unwrap();
    let note = SignedCheckpoint::parse(&cosigned).unwrap();
    assert_eq!(note.claim().unwrap().size, world.ledger_size(&party(CITY)));
    assert_eq!(note.signatures().len(), 2);
}

#[test]
fn one_seed_is_one_run() {
    let run = |seed| {
        let mut world = world(seed);
        let answer = answered(world.ask(&party(PLANNER), survey()));
        (world.head(&party(CITY)), world.head(&party(PLANNER)), answer.body, answer.evidence)
    };
    assert_eq!(run(12), run(12));
    assert_ne!(run(12), run(13));
}
