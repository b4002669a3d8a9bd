//! The reports of infectious diseases of invented persons (感染症発生届): COVID-19 while every case from 65 on was reported, and
//! tuberculosis now and then. How many are estimates.

use super::Invented;
use super::dice::Dice;
use super::json::Object;
use super::neighbours::{self, Draft};
use protocol::code::record_kind::RecordKind;
use protocol::date::Date;
use protocol::id::party::PartyId;

/// What is reported: class, name, how it was found.
struct Disease {
    class: &'static str,
    name: &'static str,
    method: &'static str,
    specimen: &'static str,
}

const COVID_19: Disease =
    Disease {
        class: "6", name: "新型コロナウイルス感染症", method: "抗原定性検査", specimen: "鼻腔拭い液"
    };
const TUBERCULOSIS: Disease = Disease { class: "2", name: "結核", method: "核酸増幅法", specimen: "喀痰" };

/// All reports.
pub(super) fn drafts(person: &Invented, dice: &mut Dice) -> Vec<Draft> {
    let mut drafts = Vec::new();
    // From the day the law took the disease in (2021-02-13) to the day it became one of the fifth class (2023-05-08): M.
    let covid = Date::new(2021, 2, 13).and_then(|first| first.plus_days(dice.between(0, 813)));
    if dice.happens(1, 20) {
        drafts.extend(covid.and_then(|day| draft(person, day, COVID_19, dice)));
    }
    let tuberculosis = person.setting.today.plus_days(-dice.between(20, 1_800));
    if dice.happens(1, 400) {
        drafts.extend(tuberculosis.and_then(|day| draft(person, day, TUBERCULOSIS, dice)));
    }
    drafts
}

fn draft(person: &Invented, day: Date, disease: Disease, dice: &mut Dice) -> Option<Draft> {
    let identity = &person.identity;
    let age = neighbours::age(person, day).filter(|age| *age >= 65)?;
    let times = neighbours::done(person, day, 0)?;
    let hospital = dice.pick(&person.setting.hospitals);
    let doctor = Object::new()
        .text("name", "架空 一郎")
        .some_text("hospital_code", hospital.map(PartyId::number))
        .text("hospital_name", "架空医院");
    let patient = Object::new()
        .text("name", &identity.name)
        .text("sex", identity.sex())
        .date("birth_date", identity.birth)
        .number("age", age)
        .text("address", &identity.address)
        .text("phone", &identity.phone);
    let Disease { class, name, method, specimen } = disease;
    let test = Object::new().text("method", method).text("specimen", specimen).date("collected_on", day);
    let report = Object::new()
        .date("reported_on", day)
        .object("receiver", Object::new().text("name", "架空保健所"))
        .object("doctor", doctor)
        .text("found_as", "1")
        .object("patient", patient)
        .text("class", class)
        .text("disease", name)
        .list("symptoms", ["発熱", "せき"].map(|symptom| Object::new().text("symptom", symptom)).into())
        .list("tests", vec![test.text("result", "陽性")])
        .date("onset_on", day.plus_days(-dice.between(1, 5)).unwrap_or(day))
        .date("first_seen_on", day)
        .date("diagnosed_on", day);
    Some((RecordKind::InfectiousDiseaseReport, times, report))
}
