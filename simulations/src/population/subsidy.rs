//! Whom public funds pay for at the doctor's (公費負担医療・地方単独医療費助成): a few of the certified, for this year.

use super::Invented;
use super::dice::Dice;
use super::json::Object;
use super::neighbours::Draft;
use super::records::Times;
use protocol::code::record_kind::RecordKind;
use protocol::date::Date;
use protocol::id::payer::PayerNumber;

/// By which law or scheme, what the certificate is called, the most a month, and how many of a thousand have it: estimates.
const SCHEMES: [(u8, &str, u32, u64); 3] = [
    (54, "特定医療費(指定難病)受給者証", 10_000, 35),
    (21, "自立支援医療受給者証(精神通院)", 5_000, 25),
    (81, "重度心身障害者医療費受給者証(架空)", 1_000, 60),
];

/// The certificates of the year that runs from 10/1 to 9/30.
pub(super) fn drafts(person: &Invented, dice: &mut Dice) -> Vec<Draft> {
    let today = person.setting.today;
    let started = today.year().saturating_sub(u16::from(today.month() < 10 || (today.month(), today.day()) == (10, 1)));
    let days = (Date::new(started, 10, 1), Date::new(started.saturating_add(1), 9, 30), Date::new(started, 9, 20));
    let (Some(from), Some(to), Some(recorded)) = days else { return Vec::new() };
    let mut drafts = Vec::new();
    for (law, name, most, share) in SCHEMES {
        let has_it = dice.happens(share, 1_000) && person.identity.certified && !person.identity.assisted;
        let payer = payer_number(&person.setting.prefecture, law).filter(|_number| has_it);
        let Some(payer) = payer else { continue };
        let identity = &person.identity;
        let limit = Object::new().text("care", "2").text("every", "3").number("yen", most);
        let record = Object::new()
            .text("certificate_type", &format!("{law}-01"))
            .text("certificate_name", name)
            .text("payer_number", &payer)
            .text("recipient_number", &format!("{:07}", dice.below(10_000_000)))
            .text("name", &identity.name)
            .text("name_kana", &identity.kana)
            .text("address", &identity.address)
            .date("birth_date", identity.birth)
            .text("sex", identity.sex())
            .date("valid_from", from)
            .date("valid_to", to)
            .flag("always_reimbursed", false)
            .list("most", vec![limit]);
        drafts.push((RecordKind::MedicalSubsidy, Times { from, to: Some(to), recorded }, record));
    }
    drafts
}

/// The number of an invented payer of a prefecture by a law.
pub(super) fn payer_number(prefecture: &str, law: u8) -> Option<String> {
    // The check digit that fits.
    (0..10).map(|check| format!("{law:02}{prefecture}999{check}")).find(|number| PayerNumber::parse(number).is_some())
}
