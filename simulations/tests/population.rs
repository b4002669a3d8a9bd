//! The invented persons: always the same, in the shares of the land, with records that every form
//! takes, and with every rare case in each plan.

#![expect(clippy::unwrap_used, reason = "all of this file is a test")]

use std::collections::{BTreeMap, BTreeSet};

use protocol::code::care_level::CareLevel;
use protocol::code::record_kind::RecordKind;
use protocol::date::Date;
use protocol::digest::Digest;
use protocol::id::insurer::InsurerNumber;
use protocol::id::local_government::municipalities;
use protocol::id::medical::MedicalInsuranceId;
use protocol::id::party::{PartyId, PartyKind};
use protocol::record::Record;
use protocol::record::value::{Fields, Value};
use protocol::time::Timestamp;
use simulations::population::{Cast, Invented, Nature, Plan, persons};

fn plan(count: u64) -> Plan {
    let parties = |texts: &[&str]| texts.iter().map(|text| PartyId::parse(text).unwrap()).collect();
    Plan {
        insurer: InsurerNumber::parse("131235").unwrap(),
        persons: count,
        seed: 7,
        today: Date::parse("2026-11-22").unwrap(),
        offices: parties(&["office:1370101238", "office:1370101246"]),
        services: parties(&["office:1370201012", "office:1370201020", "office:1370201038", "office:1370201046"]),
        hospitals: parties(&["hospital:1310100018", "hospital:1310100026"]),
        records_per_person_min: 10,
        months: 1,
    }
}

fn certified(count: u64) -> Vec<Invented> {
    persons(&plan(count)).filter(|person| person.care_level().is_some()).collect()
}

fn is_share(part: usize, of: usize, per_mille: usize, tolerance: usize) {
    let share = part * 1_000 / of;
    assert!(share.abs_diff(per_mille) <= tolerance, "{share} per mille, not {per_mille} ± {tolerance}");
}

/// The names of fields that no form has.
fn unknown(fields: &Fields) -> Vec<String> {
    let inside = fields.iter().flat_map(|(name, value)| match value {
        Value::Foreign(_) => vec![name.to_owned()],
        Value::Group(inner) => unknown(inner),
        Value::List(items) => items.iter().flat_map(unknown).collect(),
        _ => Vec::new(),
    });
    inside.collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let lines = |plan: &Plan| persons(plan).map(|person| person.line()).collect::<Vec<_>>();
    let first = lines(&plan(300));
    assert_eq!(first, lines(&plan(300)));
    assert_ne!(first, lines(&Plan { seed: 8, ..plan(300) }));
    assert!(first.iter().all(|line| !line.contains('\n')));
}

#[test]
fn every_machine_gives_these_bytes() {
    let lines: String = persons(&plan(200)).map(|person| person.line() + "\n").collect();
    let pinned = "743bba13ba815255df60c27b93675fb1fae06e66ef4715fa17a6d71f46c9b6b8";
    assert_eq!(Digest::of(lines.as_bytes()).to_string(), pinned, "change it only with the generator");
}

#[test]
fn every_content_is_taken_by_its_form() {
    let mut kinds = BTreeMap::<&str, usize>::new();
    for person in persons(&plan(2_500)) {
        for record in person.records() {
            let read = Record::from_json(record.kind, &record.content);
            let read =
                read.unwrap_or_else(|fault| panic!("{:?} of {person:?}: {fault:?}\n{}", record.kind, record.content));
            assert_eq!(unknown(read.fields()), Vec::<String>::new(), "{:?}", record.kind);
            *kinds.entry(record.kind.as_str()).or_default() += 1;
        }
    }
    assert_eq!(kinds.len(), RecordKind::ALL.len(), "{kinds:?}");
}

#[test]
fn every_content_is_taken_whatever_the_day_and_the_count() {
    for (today, records_per_person_min) in
        [("2026-04-01", 1), ("2027-03-31", 40), ("2028-02-29", 20), ("2026-08-01", 10)]
    {
        let today = Date::parse(today).unwrap();
        for person in persons(&Plan { today, records_per_person_min, seed: 3, ..plan(800) }) {
            for record in person.records() {
                let read = Record::from_json(record.kind, &record.content);
                assert!(read.is_ok(), "{today} {:?}: {read:?}\n{}", record.kind, record.content);
            }
        }
    }
}

#[test]
fn the_certified_have_ten_versions_and_nothing_is_from_the_future() {
    let midnight = Timestamp::from_unix_ms(1_795_273_200_000);
    assert_eq!(Date::from_timestamp_japan(midnight), plan(1).today);
    for person in persons(&plan(3_000)) {
        let records = person.records();
        assert!(records.len() >= if person.care_level().is_some() { 10 } else { 1 }, "{}", records.len());
        let mut last = BTreeMap::new();
        for record in &records {
            assert!(Timestamp::from_unix_ms(record.recorded_at_ms) < midnight, "{:?}", record.kind);
            assert!(record.valid_to.is_none_or(|to| record.valid_from <= to), "{:?}", record.kind);
            let before = last.insert(&record.id, (record.number, record.recorded_at_ms)).unwrap_or_default();
            assert_eq!(record.number, before.0 + 1);
            assert!(record.recorded_at_ms > before.1, "{:?}", record.kind);
        }
    }
}

#[test]
fn three_years_of_months_are_written_late_and_corrected_as_they_are() {
    let (mut late, mut corrected, mut statements) = (0, 0, 0);
    let plan = Plan { months: 36, ..plan(6_000) };
    for person in persons(&plan) {
        let records = person.records();
        let mut numbers = BTreeMap::<&str, u32>::new();
        let (mut assessed, mut used) = (None, BTreeSet::new());
        for record in &records {
            let read = Record::from_json(record.kind, &record.content);
            let read = read.unwrap_or_else(|fault| panic!("{:?}: {fault:?}\n{}", record.kind, record.content));
            let fields = read.fields();
            let number = numbers.entry(&record.id).or_default();
            *number += 1;
            assert_eq!(record.number, *number);
            let recorded = Date::from_timestamp_japan(Timestamp::from_unix_ms(record.recorded_at_ms));
            assert!(recorded < plan.today, "{:?}", record.kind);
            match record.kind {
                RecordKind::ClaimStatement => {
                    statements += 1;
                    let month = record.valid_from.calendar_month();
                    late += usize::from(month.plus(1) != Some(recorded.calendar_month()) && record.number == 1);
                    corrected += usize::from(record.number > 1);
                }
                // What it says of the one before is what that one said of itself.
                RecordKind::LifeAssessment => {
                    let told = fields
                        .group("previous")
                        .map(|told| (told.date("assessed_on"), told.value("barthel_total").cloned()));
                    assert_eq!(told, assessed);
                    let total = fields.group("barthel").unwrap().value("total").cloned();
                    assessed = Some((fields.date("assessed_on"), total));
                }
                RecordKind::ServiceUsePlan => assert!(used.insert(fields.month("month").unwrap())),
                _ => {}
            }
        }
        assert!(used.len() <= 36);
    }
    assert!(statements > 20_000, "{statements}");
    is_share(late, statements, 30, 5);
    is_share(corrected, statements, 10, 4);
}

#[test]
fn card_result_and_plan_say_the_same() {
    for person in certified(4_000) {
        let level = person.care_level().unwrap().as_str();
        let records = person.records();
        let latest = |kind: RecordKind| {
            let record = records.iter().rfind(|record| record.kind == kind)?;
            Some(Record::from_json(kind, &record.content).unwrap())
        };
        let (card, result) =
            (latest(RecordKind::InsuranceCard).unwrap(), latest(RecordKind::CertificationResult).unwrap());
        let (card, result) = (card.fields(), result.fields());
        assert_eq!((card.text("care_level"), result.text("care_level")), (Some(level), Some(level)));
        for name in ["valid_from", "valid_to"] {
            assert_eq!(card.date(name), result.date(name));
        }
        let survey = latest(RecordKind::CertificationSurvey).unwrap();
        assert_eq!(survey.fields().date("surveyed_on"), result.date("surveyed_on"));
        assert!(result.date("decided_on") >= result.date("surveyed_on"));
        assert!(result.date("surveyed_on") >= result.date("application_date"));
        let opinion = latest(RecordKind::DoctorsOpinion).unwrap();
        let said = result.group("opinion").unwrap();
        assert_eq!(opinion.fields().text("dementia_independence"), said.text("dementia_independence"));
        // Who needs support has a plan of another form.
        let is_plan = |kind| matches!(kind, RecordKind::CarePlan | RecordKind::PreventionPlan);
        if let Some(plan) = records.iter().rfind(|record| is_plan(record.kind)) {
            let plan = Record::from_json(plan.kind, &plan.content).unwrap();
            assert_eq!(plan.fields().text("care_level"), Some(level));
        }
        assert!(result.date("valid_to") >= Some(person_today()), "a certification that holds today");
    }
}

fn person_today() -> Date {
    plan(1).today
}

#[test]
fn the_shares_are_those_of_the_land() {
    let (mut all, mut count, mut from_75) = (0, 0, 0);
    let (mut men, mut under_65, mut users, mut home, mut facility, mut silent, mut protected) = (0, 0, 0, 0, 0, 0, 0);
    let mut levels = BTreeMap::<CareLevel, usize>::new();
    for person in persons(&plan(20_000)) {
        all += 1;
        let age = person.birth_date().age_on(person_today()).unwrap();
        from_75 += usize::from(age >= 75);
        protected += usize::from(person.protection().is_some());
        let Some(level) = person.care_level() else { continue };
        count += 1;
        *levels.entry(level).or_default() += 1;
        men += usize::from(person.is_man());
        under_65 += usize::from(age < 65);
        users += usize::from(person.uses_services());
        home += usize::from(person.is_at_home());
        facility += usize::from(person.is_in_facility());
        silent += usize::from(person.consents().is_empty());
    }
    is_share(count, all, 197, 12);
    is_share(from_75, all, 560, 20);
    is_share(men, count, 318, 25);
    is_share(under_65, count, 19, 8);
    is_share(users, count, 840, 20);
    is_share(home, users, 690, 30);
    is_share(facility, users, 160, 20);
    is_share(silent, count, 30, 10);
    assert!((10..=40).contains(&protected), "{protected}");
    let expected = [143, 138, 209, 166, 132, 128, 84];
    for ((_, part), per_mille) in levels.iter().zip(expected) {
        is_share(*part, count, per_mille, 20);
    }
}

#[test]
fn every_plan_has_its_rare_cases() {
    for (count, seed) in [(40, 1), (100, 2), (500, 3), (2_000, 4)] {
        let all: Vec<Invented> = persons(&Plan { seed, ..plan(count) }).collect();
        let number = |fits: &dyn Fn(&&Invented) -> bool| all.iter().filter(fits).count();
        assert!(number(&|person| person.protection().is_some_and(|it| it.until.is_none())) >= 2);
        assert!(number(&|person| person.care_level().is_some() && person.consents().is_empty()) >= 3);
        assert!(number(&|person| !person.consents().is_empty() && !person.has_consented()) >= 1);
        assert!(number(&|person| person.insured().is_assistance_only() && person.medical().is_none()) >= 1);
        assert!(number(&|person| person.has_pending_application()) >= 1);
        assert!(number(&|person| person.is_in_facility()) >= 1);
        let young = |person: &&Invented| person.birth_date().age_on(person_today()).unwrap() < 65;
        assert!(number(&|person| young(person) && !person.insured().is_assistance_only()) >= 1);
        let has = |nature| number(&|person| person.relationships().iter().any(|it| it.nature == nature));
        for nature in [Nature::CarePlanning, Nature::Service, Nature::OpinionOrder, Nature::FacilityPlanning] {
            assert!(has(nature) >= 1, "{nature:?}");
        }
    }
}

#[test]
fn no_address_number_or_card_is_real_and_none_comes_twice() {
    let towns: Vec<&str> =
        include_str!("../data/towns.csv").lines().filter_map(|line| line.split_once(',')).map(|it| it.0).collect();
    let real: BTreeSet<&str> = municipalities().map(|place| place.name).collect();
    assert!(towns.iter().all(|town| !real.contains(town)));
    let (mut insured, mut medical, mut whole) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for person in persons(&plan(10_000)) {
        let town = person.address().strip_prefix("東京都江戸川区").expect("the municipality of the insurer");
        assert!(towns.iter().any(|known| town.starts_with(known)), "{town}");
        // No postal code begins with 000, and no telephone with 03-0000.
        assert!(person.postal_code().starts_with("000") && person.phone().starts_with("03-0000-"));
        assert!(insured.insert(person.insured().clone()));
        assert!(person.medical().is_none_or(|card| medical.insert(card.clone())));
        assert!(whole.insert((person.name().to_owned(), person.birth_date(), person.address().to_owned())));
        assert!(person.kana().contains(' ') && person.name().contains(' '));
    }
}

#[test]
fn numbers_occur_at_several_insurers_but_medical_cards_do_not() {
    let numbers = |insurer: &str| {
        let insurer = InsurerNumber::parse(insurer).unwrap();
        let all: Vec<_> = persons(&Plan { insurer, records_per_person_min: 0, ..plan(40_000) }).collect();
        let insured: BTreeSet<String> = all.iter().map(|person| person.insured().expose().to_owned()).collect();
        let medical: BTreeSet<MedicalInsuranceId> = all.iter().filter_map(|person| person.medical().cloned()).collect();
        (insured, medical)
    };
    let neighbour = municipalities().find(|place| place.name == "葛飾区").unwrap().code.insurer_number().to_string();
    let (here, there) = (numbers("131235"), numbers(&neighbour));
    assert!(here.0.intersection(&there.0).count() > 100);
    assert_eq!(here.1.intersection(&there.1).count(), 0);
}

#[test]
fn the_line_is_the_import_format() {
    for person in persons(&plan(200)) {
        let line: serde_json::Value = serde_json::from_str(&person.line()).unwrap();
        let names: BTreeSet<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = ["consents", "insured", "insurer", "medical", "protection", "records", "relationships"];
        assert_eq!(names, BTreeSet::from(expected));
        let medical = line["medical"].as_str();
        assert_eq!(medical, person.medical().map(MedicalInsuranceId::expose).as_deref());
        assert!(medical.is_none_or(|text| MedicalInsuranceId::parse(text).is_some_and(|card| card.expose() == text)));
        for record in line["records"].as_array().unwrap() {
            let kind = RecordKind::parse(record["kind"].as_str().unwrap()).unwrap();
            assert!(Record::from_json(kind, &record["content"].to_string()).is_ok());
            let id = record["id"].as_str().unwrap();
            assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert!(record["supersedes"].is_null() && record["recorded_at_ms"].is_u64());
        }
        for relationship in line["relationships"].as_array().unwrap() {
            let party = PartyId::parse(relationship["party"].as_str().unwrap()).unwrap();
            let hospital = relationship["nature"] == "opinion-order";
            assert_eq!(party.kind(), if hospital { PartyKind::Hospital } else { PartyKind::Office });
        }
    }
}

#[test]
fn a_cast_gives_each_part_to_another_person() {
    let mut cast = Cast::new(plan(300));
    let protected = |person: &Invented| person.protection().is_some();
    let (first, second) = (cast.first(protected).unwrap(), cast.first(protected).unwrap());
    assert_ne!(first.insured(), second.insured());
    assert!(cast.first(|person| person.birth_date() > person_today()).is_none());
}

#[test]
fn nothing_breaks_in_an_empty_or_lonely_plan() {
    assert_eq!(persons(&plan(0)).count(), 0);
    let lonely = Plan { offices: Vec::new(), services: Vec::new(), hospitals: Vec::new(), ..plan(60) };
    for person in persons(&lonely) {
        assert!(person.relationships().is_empty());
        assert!(person.records().iter().all(|record| Record::from_json(record.kind, &record.content).is_ok()));
    }
}
