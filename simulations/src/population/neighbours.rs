//! The records of an invented person that other services than long-term care keep. Each draws from dice of its own.

use super::Invented;
use super::dice::Dice;
use super::json::Object;
use super::records::Times;
use super::{document, infection, motherhood, screening, subsidy, vaccination};
use protocol::code::record_kind::RecordKind;
use protocol::date::Date;

/// A record that is to be written.
pub(super) type Draft = (RecordKind, Times, Object);

/// All of them, each kind in the order of time.
pub(super) fn all(person: &Invented) -> Vec<Draft> {
    let with = |purpose: &str, draw: fn(&Invented, &mut Dice) -> Vec<Draft>| {
        draw(person, &mut person.setting.dice(person.index, purpose))
    };
    let all = [
        with("vaccination", vaccination::drafts),
        with("screening", screening::drafts),
        with("motherhood", motherhood::drafts),
        with("subsidy", subsidy::drafts),
        with("infection", infection::drafts),
        with("document", document::drafts),
    ];
    all.into_iter().flatten().collect()
}

/// What was done on a day and holds from it on, written down some days later; none if that day has not come.
pub(super) fn done(person: &Invented, on: Date, days: i64) -> Option<Times> {
    let recorded = on.plus_days(days)?;
    (recorded < person.setting.today).then_some(Times { from: on, to: None, recorded })
}

/// A hospital near the person: name, and code if there is one.
pub(super) fn hospital(person: &Invented, dice: &mut Dice, content: Object) -> Object {
    let hospital = dice.pick(&person.setting.hospitals);
    let content = content.some_text("hospital_code", hospital.map(protocol::id::party::PartyId::number));
    content.text("hospital_name", "架空医院")
}

/// How old the person was on a day; none before birth.
pub(super) fn age(person: &Invented, on: Date) -> Option<u16> {
    person.identity.birth.age_on(on)
}
