//! The documents that doctors wrote for the municipality about an invented person (診断書等): one in twelve of the certified has
//! one for a handbook of the disabled. Its file does not exist; its digest is that of a few invented words.

use super::Invented;
use super::dice::Dice;
use super::json::Object;
use super::neighbours::{self, Draft};
use protocol::code::record_kind::RecordKind;
use protocol::digest::Digest;

/// All documents.
pub(super) fn drafts(person: &Invented, dice: &mut Dice) -> Vec<Draft> {
    draft(person, dice).into_iter().collect()
}

fn draft(person: &Invented, dice: &mut Dice) -> Option<Draft> {
    let first = person.course.episodes.first()?;
    let days = person.setting.today.days_since(first.decided);
    let written = first.decided.plus_days(dice.between(1, days))?;
    let times = neighbours::done(person, written, dice.between(3, 14))?;
    let (title, disease) = *dice.pick(&[
        ("身体障害者診断書・意見書(肢体不自由)", "脳梗塞後遺症による半身麻痺"),
        ("身体障害者診断書・意見書(聴覚障害)", "感音難聴"),
        ("身体障害者診断書・意見書(心臓機能障害)", "慢性心不全"),
    ])?;
    let words = Digest::of_parts(&[b"invented certificate", person.identity.insured.expose().as_bytes()]);
    let file = Object::new()
        .text("name", "診断書.pdf")
        .text("media_type", "application/pdf")
        .number("bytes", dice.between(80_000, 900_000))
        .text("digest", &words.to_string());
    let document = Object::new()
        .text("document", "03")
        .text("title", title)
        .date("written_on", written)
        .date("submitted_on", times.recorded)
        .text("addressee", &format!("{} 障害福祉担当", person.setting.insurer_name))
        .text("doctor_name", "架空 一郎")
        .text("disease", disease);
    let document = neighbours::hospital(person, dice, document).list("attachments", vec![file]);
    dice.happens(1, 12).then_some((RecordKind::CertificateDocument, times, document))
}
