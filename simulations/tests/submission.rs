//! What authors submit: kept once and whole, shown with its author, corrected only by whom it is to correct, through
//! lost answers and crashes, in one world under one seed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

#[path = "shared/town.rs"]
mod town;

use std::sync::Arc;

use protocol::code::act::Act;
use protocol::code::job::Job;
use protocol::code::purpose::Purpose;
use protocol::code::record_kind::RecordKind;
use protocol::code::service::ServiceKind;
use protocol::date::Date;
use protocol::frame::{self, Frame};
use protocol::id::party::PartyId;
use protocol::id::person::PersonId;
use protocol::machine::{Ask, Wish};
use protocol::message::{Flaw, Kept, Named, Outcome, Staff, Versions};
use protocol::municipality::import::VERSIONS_WITH_OTHERS_MAX;
use protocol::primitives::{Real, Suite};
use protocol::record::Record;
use protocol::record::disclosure::{Content, Shown};
use protocol::record::slip::Slip;
use protocol::record::version::{RecordId, Status};
use protocol::refusal::Told;
use protocol::time::{Span, Timestamp};
use serde_json::json;
use simulations::founding::{Plan, party};
use simulations::passage::Delivery;
use simulations::world::World;
use town::{CITY, CLIENT, PLANNER, answered, care, line_of, reading, record, tie};

const HELPERS: &str = "office:1470100015";
const HOSPITAL: &str = "hospital:1312300450";

fn world(seed: u64) -> World {
    let service = |code: &str| vec![ServiceKind::parse(code).unwrap()];
    let plan = Plan {
        members: [CITY, "directory:1", "pseudonymiser:1", "witness:1"].map(party).to_vec(),
        holders: vec![(party(PLANNER), service("43")), (party(HELPERS), service("11")), (party(HOSPITAL), Vec::new())],
        ..Plan::default()
    };
    let ties = [tie(PLANNER, "care-planning"), tie(HELPERS, "service"), tie(HOSPITAL, "opinion-order")];
    let mut world = World::new(seed, &plan, Suite::XWing, Arc::new(Real)).unwrap();
    let line = line_of(&ties, &[record(RecordKind::CertificationResult, "a")], None);
    assert_eq!(world.import(&party(CITY), &line), Some(Ok(1)));
    world
}

fn slip(kind: RecordKind, id: &str, number: u32, status: Status) -> Slip {
    let person = PersonId::parse(CLIENT).unwrap();
    let mut item = record(kind, id);
    if let Some(number) = item.pointer_mut("/content/insured_number") {
        *number = person.insured().expose().into();
    }
    Slip { number, status, ..Slip::read(&item, &person).unwrap() }
}

fn plan(id: &str, number: u32, status: Status) -> Slip {
    slip(RecordKind::CarePlan, id, number, status)
}

fn submission(slips: Vec<Slip>) -> Ask {
    let wish = Wish::Submission(slips);
    Ask { wish, ..reading(care(CLIENT), &[]) }
}

fn by(ask: Ask, job: Job, purpose: Purpose) -> Ask {
    Ask { staff: Staff { id: "s-1".into(), job, proof: None }, purpose, ..ask }
}

fn officer(ask: Ask) -> Ask {
    by(ask, Job::MunicipalOfficer, Purpose::BenefitAdministration)
}

fn submit(world: &mut World, who: &str, ask: Ask) -> Outcome {
    answered(world.ask(&party(who), ask)).outcome
}

fn kept(outcome: Outcome) -> Vec<Kept> {
    match outcome {
        Outcome::Kept(kept) => kept,
        other => panic!("not kept: {other:?}"),
    }
}

/// The one rule that is broken, and by which paper.
fn flaw(outcome: Outcome) -> (u32, String, String) {
    match outcome {
        Outcome::NotKept(flaws) => match flaws.as_slice() {
            [Flaw { paper, path, rule, .. }] => (*paper, path.clone(), rule.clone()),
            several => panic!("{several:?}"),
        },
        other => panic!("no flaw: {other:?}"),
    }
}

/// The care plans as the planner is shown them.
fn plans(world: &mut World, known_at: Option<Timestamp>, versions: Option<Versions>) -> Vec<Shown> {
    let wish = Wish::Records { kinds: vec![RecordKind::CarePlan], valid_on: None, known_at, versions };
    let Outcome::Records(contents) = submit(world, PLANNER, Ask { wish, ..reading(care(CLIENT), &[]) }) else {
        panic!("refused")
    };
    Content::decode(contents.first().unwrap()).unwrap().versions().to_vec()
}

fn said(path: &str, rule: &str) -> (u32, String, String) {
    (0, path.to_owned(), rule.to_owned())
}

#[test]
fn a_care_managers_plan_is_kept_and_shown_as_hers() {
    let mut world = world(1);
    let (city, planner) = (party(CITY), party(PLANNER));
    let before = (world.ledger_size(&city), world.ledger_size(&planner));
    let kept = kept(submit(&mut world, PLANNER, submission(vec![plan("b", 1, Status::Final)])));
    assert_eq!(kept.len(), 1);
    assert_eq!((world.ledger_size(&city), world.ledger_size(&planner)), (before.0 + 1, before.1 + 1));
    let shown = plans(&mut world, None, None);
    let network = world.gate(&city).unwrap().network();
    let [one] = shown.as_slice() else { panic!("{shown:?}") };
    assert_eq!((one.author.as_ref(), one.recorded_at), (Some(&planner), kept[0].recorded_at));
    let proven = |whose: &str| one.is_authors(RecordKind::CarePlan, &care(whose), &network, &Real);
    assert_eq!(proven(CLIENT), Some(true));
    assert_eq!(proven("131235:0000099999"), Some(false));

    let history = officer(Ask { wish: Wish::History, ..reading(care(CLIENT), &[]) });
    let Outcome::History(accesses, _proof) = submit(&mut world, CITY, history) else { panic!("refused") };
    let wrote = accesses.iter().find(|access| access.act == Some(Act::Write)).unwrap();
    assert_eq!((&wrote.party, wrote.kinds.as_slice(), wrote.refused), (&planner, &[RecordKind::CarePlan][..], false));
}

#[test]
fn an_opinion_is_taken_from_the_doctor_it_was_ordered_from() {
    let mut world = world(2);
    let opinion = || submission(vec![slip(RecordKind::DoctorsOpinion, "c", 1, Status::Final)]);
    let nurse = by(opinion(), Job::Nurse, Purpose::MedicalOpinion);
    assert_eq!(submit(&mut world, HOSPITAL, nurse), Outcome::Refused(Told::NotPermitted));
    let doctor = by(opinion(), Job::Doctor, Purpose::MedicalOpinion);
    assert_eq!(kept(submit(&mut world, HOSPITAL, doctor)).len(), 1);
}

#[test]
fn whoever_may_not_write_a_kind_is_refused_and_nothing_is_kept() {
    let mut world = world(3);
    let one = || submission(vec![plan("b", 1, Status::Final)]);
    let refused = Outcome::Refused(Told::NotPermitted);
    assert_eq!(submit(&mut world, HELPERS, one()), refused);
    assert_eq!(submit(&mut world, PLANNER, by(one(), Job::Clerk, Purpose::CarePlanning)), refused);
    assert_eq!(submit(&mut world, PLANNER, by(one(), Job::CareManager, Purpose::Emergency)), refused);
    let card = submission(vec![slip(RecordKind::InsuranceCard, "d", 1, Status::Final)]);
    assert_eq!(submit(&mut world, PLANNER, card), refused, "cards are the insurer's to write");
    let both = vec![plan("b", 1, Status::Final), slip(RecordKind::InsuranceCard, "d", 1, Status::Final)];
    assert_eq!(submit(&mut world, PLANNER, submission(both)), refused);
    assert_eq!(plans(&mut world, None, Some(Versions::All)), []);
    let unknown = Ask { person: care("131235:0000099999"), ..one() };
    assert_eq!(submit(&mut world, PLANNER, unknown), refused);
}

#[test]
fn a_correction_is_a_version_of_its_own_and_the_one_before_is_still_there_as_it_was_known() {
    let mut world = world(4);
    let first = kept(submit(&mut world, PLANNER, submission(vec![plan("b", 1, Status::Final)])));
    world.wait(Span::from_s(60));
    let mut amended = plan("b", 2, Status::Amended);
    amended.valid_to = Date::parse("2027-03-31");
    let second = kept(submit(&mut world, PLANNER, submission(vec![amended])));
    assert!(second[0].recorded_at > first[0].recorded_at);
    let numbers = |shown: Vec<Shown>| shown.iter().map(|one| one.number).collect::<Vec<_>>();
    assert_eq!(numbers(plans(&mut world, None, None)), [2]);
    assert_eq!(numbers(plans(&mut world, Some(first[0].recorded_at), None)), [1]);
    assert_eq!(numbers(plans(&mut world, None, Some(Versions::All))), [1, 2]);
    world.crash(&party(CITY)).unwrap();
    assert_eq!(numbers(plans(&mut world, None, Some(Versions::All))), [1, 2], "over a restart");
}

#[test]
fn versions_follow_one_another_and_each_error_names_its_rule() {
    let mut world = world(5);
    let mut one = |slips: Vec<Slip>| submit(&mut world, PLANNER, submission(slips));
    assert_eq!(flaw(one(vec![plan("b", 2, Status::Amended)])), said("number", "sequence"));
    assert_eq!(flaw(one(vec![plan("b", 1, Status::Cancelled)])), said("status", "sequence"));
    let replaces = |other: &str| Slip { supersedes: RecordId::parse(&other.repeat(32)), ..plan("b", 1, Status::Final) };
    assert_eq!(flaw(one(vec![replaces("e")])), said("supersedes", "known"));
    assert_eq!(flaw(one(vec![replaces("b")])), said("supersedes", "other"));
    let replacing = |other: &str, slip: Slip| Slip { supersedes: RecordId::parse(&other.repeat(32)), ..slip };
    let chain = vec![plan("1", 1, Status::Final), replacing("1", plan("2", 1, Status::Final))];
    assert_eq!(kept(one(chain)).len(), 2);
    assert_eq!(kept(one(vec![replacing("2", plan("3", 1, Status::Final))])).len(), 1);
    let circle = replacing("3", plan("1", 2, Status::Amended));
    assert_eq!(flaw(one(vec![circle])), said("supersedes", "circle"));
    assert_eq!(kept(one(vec![plan("b", 1, Status::Draft), plan("b", 2, Status::Final)])).len(), 2);
    assert_eq!(flaw(one(vec![plan("b", 3, Status::Final)])), said("status", "sequence"));
    let other = Slip { valid_to: Date::parse("2027-01-31"), ..plan("b", 2, Status::Final) };
    assert_eq!(flaw(one(vec![other])), said("number", "taken"));
    assert_eq!(kept(one(vec![plan("b", 3, Status::Cancelled)])).len(), 1);
    assert_eq!(flaw(one(vec![plan("b", 4, Status::Amended)])), said("status", "sequence"), "it is over");
}

#[test]
fn a_plan_names_the_level_that_was_certified_for_its_time() {
    let mut world = world(9);
    let mut content: serde_json::Value = record(RecordKind::CarePlan, "b")["content"].clone();
    content["care_level"] = "23".into();
    let other = Record::from_json(RecordKind::CarePlan, &content.to_string()).unwrap().encode();
    let heavier = |id: &str, status| Slip { content: other.clone(), ..plan(id, 1, status) };
    let mut one = |who: &str, ask: Ask| submit(&mut world, who, ask);
    let told = one(PLANNER, submission(vec![plan("b", 1, Status::Final), heavier("c", Status::Final)]));
    assert_eq!(flaw(told), (1, "care_level".to_owned(), "level_of_certification".to_owned()));
    assert_eq!(kept(one(PLANNER, submission(vec![heavier("c", Status::Draft)]))).len(), 1, "a draft says nothing yet");
    // Before the first certification nothing is decided that it could contradict.
    let (from, to) = (Date::parse("2024-06-01").unwrap(), Date::parse("2024-12-31"));
    let before = Slip { valid_from: from, valid_to: to, ..heavier("d", Status::Final) };
    assert_eq!(kept(one(PLANNER, submission(vec![before.clone()]))).len(), 1);
    let into = Slip { valid_to: Date::parse("2025-02-28"), ..before };
    assert_eq!(
        flaw(one(PLANNER, submission(vec![Slip { number: 2, status: Status::Amended, ..into.clone() }]))).2,
        "level_of_certification"
    );
    // One that begins before it and has no end is held against it all the same.
    let endless = Slip { valid_to: None, ..into.clone() };
    assert_eq!(
        flaw(one(PLANNER, submission(vec![Slip { number: 2, status: Status::Amended, ..endless }]))).2,
        "level_of_certification"
    );
    let gone = Slip { number: 2, status: Status::Cancelled, ..into };
    assert_eq!(kept(one(PLANNER, submission(vec![gone]))).len(), 1, "what was wrong can be taken back");
    assert_eq!(kept(one(CITY, officer(submission(vec![heavier("e", Status::Final)])))).len(), 1);
}

#[test]
fn one_certification_holds_on_a_day() {
    let mut world = world(10);
    let mut one = |slips: Vec<Slip>| submit(&mut world, CITY, officer(submission(slips)));
    let result = |id: &str, number, from: &str, to: Option<&str>| Slip {
        valid_from: Date::parse(from).unwrap(),
        valid_to: to.map(|to| Date::parse(to).unwrap()),
        ..slip(RecordKind::CertificationResult, id, number, Status::Final)
    };
    let overlap = (0, "valid_from".to_owned(), "overlap".to_owned());
    // The insurer imported one that holds since 2025-01-01 without an end.
    assert_eq!(flaw(one(vec![result("b", 1, "2026-04-01", None)])), overlap);
    assert_eq!(flaw(one(vec![result("b", 1, "2024-04-01", Some("2025-01-01"))])), overlap, "on one day");
    assert_eq!(kept(one(vec![result("b", 1, "2024-04-01", Some("2024-12-31"))])).len(), 1);
    let replaces = Slip { supersedes: RecordId::parse(&"a".repeat(32)), ..result("c", 1, "2026-04-01", None) };
    assert_eq!(kept(one(vec![replaces])).len(), 1, "it takes the other's place");
    let ended = Slip { status: Status::Amended, ..result("c", 2, "2026-04-01", Some("2026-09-30")) };
    let next = result("d", 1, "2026-10-01", None);
    let (_paper, path, rule) = flaw(one(vec![next.clone(), ended.clone()]));
    assert_eq!((path.as_str(), rule.as_str()), ("valid_from", "overlap"), "in that order both hold for a moment");
    assert_eq!(kept(one(vec![ended, next])).len(), 2);
    // What is erased cannot be amended; so it does not stand in the way.
    let again = result("e", 1, "2026-10-01", None);
    assert_eq!(flaw(submit(&mut world, CITY, officer(submission(vec![again.clone()])))), overlap);
    let named = Named { kind: RecordKind::CertificationResult, id: [0xdd; 16].into(), number: None };
    let erasure = Ask { wish: Wish::Erasure(Some(named)), ..officer(submission(Vec::new())) };
    assert_eq!(submit(&mut world, CITY, erasure), Outcome::Erased(1));
    assert_eq!(kept(submit(&mut world, CITY, officer(submission(vec![again])))).len(), 1);
}

#[test]
fn an_office_fills_no_kind_so_that_the_insurer_has_no_room_and_what_is_left_out_is_counted() {
    let mut world = world(12);
    let most = VERSIONS_WITH_OTHERS_MAX;
    let imported = (1..most).map(|n| {
        let mut item = record(RecordKind::CarePlan, "a");
        item["id"] = json!(format!("{n:032x}"));
        item
    });
    let line = line_of(&[tie(PLANNER, "care-planning")], &imported.collect::<Vec<_>>(), None);
    assert_eq!(world.import(&party(CITY), &line), Some(Ok(u64::try_from(most).unwrap() - 1)));
    assert_eq!(kept(submit(&mut world, PLANNER, submission(vec![plan("b", 1, Status::Draft)]))).len(), 1);
    let full = |world: &mut World| submit(world, PLANNER, submission(vec![plan("c", 1, Status::Draft)]));
    assert_eq!(flaw(full(&mut world)), said("", "versions"));
    assert_eq!(kept(submit(&mut world, CITY, officer(submission(vec![plan("d", 1, Status::Final)])))).len(), 1);
    for id in ["b", "d"] {
        let named = Named {
            kind: RecordKind::CarePlan,
            id: (*RecordId::parse(&id.repeat(32)).unwrap().as_bytes()).into(),
            number: None,
        };
        let erasure = Ask { wish: Wish::Erasure(Some(named)), ..officer(submission(Vec::new())) };
        assert_eq!(submit(&mut world, CITY, erasure), Outcome::Erased(1));
    }
    assert_eq!(kept(full(&mut world)).len(), 1, "what is erased takes no room");
    let wish = Wish::Records { kinds: vec![RecordKind::CarePlan], valid_on: None, known_at: None, versions: None };
    let Outcome::Records(contents) = submit(&mut world, PLANNER, Ask { wish, ..reading(care(CLIENT), &[]) }) else {
        panic!("no records");
    };
    let content = Content::decode(contents.first().unwrap()).unwrap();
    assert_eq!(content.versions().len() + usize::try_from(content.left_out()).unwrap(), most - 1);
    assert!(content.left_out() > 0 && !content.versions().is_empty());
}

#[test]
fn of_several_versions_all_are_kept_or_none() {
    let mut world = world(6);
    let mixed = vec![plan("b", 1, Status::Final), plan("c", 7, Status::Final)];
    let outcome = submit(&mut world, PLANNER, submission(mixed));
    assert_eq!(flaw(outcome), (1, "number".to_owned(), "sequence".to_owned()));
    assert_eq!(plans(&mut world, None, Some(Versions::All)), []);
}

#[test]
fn an_office_corrects_its_own_and_the_insurer_whatever_it_keeps() {
    let mut world = world(7);
    let city = officer(submission(vec![plan("b", 1, Status::Final)]));
    kept(submit(&mut world, CITY, city));
    let planners = |slip| submission(vec![slip]);
    assert_eq!(flaw(submit(&mut world, PLANNER, planners(plan("b", 2, Status::Amended)))), said("id", "author"));
    let replacing = Slip { supersedes: RecordId::parse(&"b".repeat(32)), ..plan("c", 1, Status::Final) };
    assert_eq!(flaw(submit(&mut world, PLANNER, planners(replacing))), said("supersedes", "author"));
    kept(submit(&mut world, PLANNER, planners(plan("c", 1, Status::Final))));
    kept(submit(&mut world, CITY, officer(planners(plan("c", 2, Status::Cancelled)))));
    assert_eq!(plans(&mut world, None, None).len(), 1);
}

#[test]
fn the_same_again_is_kept_once_whether_the_bytes_are_repeated_or_the_author_submits_anew() {
    let mut world = world(8);
    let city = party(CITY);
    let mut lost = 0;
    world.tamper(Some(Box::new(move |passage| {
        let is_lost = matches!(frame::parse(&passage.bytes), Ok(Frame::Answer(..))) && lost < 2;
        lost += u32::from(is_lost);
        if is_lost { Vec::new() } else { vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }] }
    })));
    let size = world.ledger_size(&city);
    let first = kept(submit(&mut world, PLANNER, submission(vec![plan("b", 1, Status::Final)])));
    assert_eq!(world.ledger_size(&city), size + 1, "three times the same bytes, one leaf");
    world.wait(Span::from_s(300));
    let again = kept(submit(&mut world, PLANNER, submission(vec![plan("b", 1, Status::Final)])));
    assert_eq!(again, first, "kept since the first time");
    assert_eq!(plans(&mut world, None, Some(Versions::All)).len(), 1);
}

#[test]
fn a_flaw_told_once_is_told_again_to_the_same_bytes_though_it_would_be_none_by_now() {
    let mut world = world(9);
    let city = party(CITY);
    let captured = Arc::new(std::sync::Mutex::new(None));
    let sink = Arc::clone(&captured);
    let to = city.clone();
    world.tamper(Some(Box::new(move |passage| {
        if passage.to == to && matches!(frame::parse(&passage.bytes), Ok(Frame::Request(..))) {
            sink.lock().unwrap().get_or_insert_with(|| passage.bytes.clone());
        }
        vec![Delivery { delay: Span::ZERO, bytes: passage.bytes.clone() }]
    })));
    let outcome = submit(&mut world, PLANNER, submission(vec![plan("b", 2, Status::Amended)]));
    assert_eq!(flaw(outcome), said("number", "sequence"));
    kept(submit(&mut world, PLANNER, submission(vec![plan("b", 1, Status::Final)])));
    let size = world.ledger_size(&city);
    let connection = world.wire(&party(PLANNER), &city).unwrap();
    let bytes = captured.lock().unwrap().clone().unwrap();
    world.push_now(&city, protocol::host::Input::Frame { connection, bytes });
    world.run();
    assert_eq!(world.ledger_size(&city), size, "the same answer with its first receipt");
    assert_eq!(plans(&mut world, None, Some(Versions::All)).len(), 1, "and nothing is kept");
}

#[test]
fn nothing_of_who_wrote_it_is_shown_where_something_is_hidden() {
    let mut world = world(10);
    kept(submit(&mut world, PLANNER, submission(vec![plan("b", 1, Status::Final)])));
    let mut line: serde_json::Value =
        serde_json::from_str(&line_of(&[tie(PLANNER, "care-planning"), tie(HELPERS, "service")], &[], None)).unwrap();
    line["consents"] = serde_json::json!([]);
    assert_eq!(world.import(&party(CITY), &line.to_string()), Some(Ok(0)));
    let shown = plans(&mut world, None, None);
    assert!(shown[0].authorship.is_none() && shown[0].author == PartyId::parse(PLANNER), "{shown:?}");
}
