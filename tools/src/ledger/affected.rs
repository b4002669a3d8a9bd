//! `tsunagi ledger affected`: which exchanges an organisation had, for when its key was stolen.

use std::collections::BTreeSet;

use protocol::date::Date;
use protocol::id::hospital::HospitalCode;
use protocol::id::insurer::InsurerNumber;
use protocol::id::office::{CheckDigit, OfficeNumber};
use protocol::id::party::{PartyId, PartyKind};
use protocol::time::Timestamp;
use serde_json::{Value, json};

use super::Rosters;
use crate::line::Line;
use crate::message::{Code, Report, Trouble, moment};

/// `tsunagi ledger affected`: the exchanges in which `party` asked since that day, for when its key was stolen.
///
/// # Errors
/// [`Code::Refused`] if the node did not tell them; [`Code::Usage`] if nobody knows the party and its check digit is
/// wrong. A wrong one alone refuses nothing: such numbers may have been given out.
pub fn affected(
    line: &Line,
    party: &PartyId,
    since: Option<Date>,
    rosters: Option<&Rosters>,
) -> Result<Report, Trouble> {
    let exchanges = exchanges_since(line, party, since.map_or(0, midnight_ms))?;
    // A party that asked before that day is known too.
    let has_asked = !exchanges.is_empty() || (since.is_some() && !exchanges_since(line, party, 0)?.is_empty());
    let is_named = rosters.is_some_and(|rosters| rosters.all().any(|roster| roster.member(party).is_some()));
    if !has_asked && !is_named {
        return unknown(party, rosters.is_some());
    }
    let text_of = |exchange: &Value, name: &str| {
        exchange.get(name).and_then(Value::as_str).map_or_else(|| "–".to_owned(), str::to_owned)
    };
    let persons: BTreeSet<String> = exchanges.iter().map(|exchange| text_of(exchange, "person_label")).collect();
    let shown = exchanges.iter().filter(|exchange| exchange.get("refused") == Some(&Value::Null)).count();
    let mut text = format!(
        "{party} からの照会: {} 件(答え {shown} 件、拒否・不明 {} 件)、見出しの異なる人 {} 人",
        exchanges.len(),
        exchanges.len().saturating_sub(shown),
        persons.len()
    );
    for exchange in &exchanges {
        let at = exchange.get("at_ms").and_then(Value::as_u64).unwrap_or(0);
        let leaf = exchange.get("leaf").and_then(Value::as_u64).unwrap_or(0);
        let outcome = match exchange.get("refused") {
            Some(Value::Null) => "答え".to_owned(),
            Some(why) => format!("拒否 ({})", why.as_str().unwrap_or("?")),
            None => "詳細は消去済み".to_owned(),
        };
        text.push_str(&format!(
            "\n  {} 葉 {leaf} 人 {} 職員 {} 鍵 {} {outcome}",
            moment(Timestamp::from_unix_ms(at)),
            text_of(exchange, "person_label").get(..8).unwrap_or("?"),
            text_of(exchange, "staff"),
            text_of(exchange, "signing_key").get(..8).unwrap_or("–"),
        ));
    }
    let data = json!({ "party": party.to_string(), "known": true, "persons": persons.len(), "exchanges": exchanges });
    Ok(Report::good(text, data))
}

/// Refuses a number that nobody of this kind can have: a slip of the pen must not look like a clean ledger.
///
/// # Errors
/// [`Code::Usage`].
pub fn require_a_number_of_its_kind(party: &PartyId) -> Result<(), Trouble> {
    let (is_of_its_kind, form) = match party.kind() {
        PartyKind::Insurer => (InsurerNumber::parse(party.number()).is_some(), "数字 6 桁、最後は検査数字"),
        PartyKind::Office => (OfficeNumber::parse(party.number()).is_some(), "10 桁、3 桁目は英大文字でもよい"),
        PartyKind::Hospital => (HospitalCode::parse(party.number()).is_some(), "数字 10 桁、3 桁目は点数表"),
        _ => (true, ""),
    };
    if is_of_its_kind {
        return Ok(());
    }
    let what = format!("{party}: この種類の組織の番号ではありません({form}) / not a number of this kind");
    Err(Trouble::new(Code::Usage, what))
}

/// All exchanges in which `party` asked from that instant on.
fn exchanges_since(line: &Line, party: &PartyId, since_ms: u64) -> Result<Vec<Value>, Trouble> {
    let mut from = (since_ms, 0);
    let mut exchanges = Vec::new();
    loop {
        let told = line.affected(&party.to_string(), from.0, from.1);
        let told = told.map_err(|why| Trouble::new(Code::Refused, why))?;
        let part = told.get("exchanges").and_then(Value::as_array);
        exchanges.extend(part.ok_or_else(|| Trouble::new(Code::Malformed, "exchanges"))?.iter().cloned());
        let number = |name: &str| told.pointer(&format!("/next/{name}")).and_then(Value::as_u64);
        match (number("since_ms"), number("leaf")) {
            (Some(at), Some(leaf)) if (at, leaf) > from => from = (at, leaf),
            _ => return Ok(exchanges),
        }
    }
}

/// Nobody here knows the party: likely another was meant.
fn unknown(party: &PartyId, were_rosters_given: bool) -> Result<Report, Trouble> {
    let check_digit = match party.kind() {
        PartyKind::Office => OfficeNumber::parse(party.number()).map(|number| number.check_digit()),
        PartyKind::Hospital => HospitalCode::parse(party.number()).map(|number| number.check_digit()),
        _ => None,
    };
    if check_digit == Some(CheckDigit::Bad) {
        let what =
            format!("{party}: 検査数字が合わず、この台帳にもありません / wrong check digit, and not in this ledger");
        return Err(Trouble::new(Code::Usage, what));
    }
    let where_sought =
        if were_rosters_given { "この台帳にも、渡された名簿にも" } else { "この台帳に" };
    let text = format!(
        "⚠ {party} は{where_sought}ありません。番号を確かめてください / not known here\n  照会: 0 件(ここに照会したことが\
         ないか、番号の取り違えです)"
    );
    Ok(Report::good(text, json!({ "party": party.to_string(), "known": false, "persons": 0, "exchanges": [] })))
}

/// When a day begins in Japan, in Unix milliseconds; 0 for days before 1970.
fn midnight_ms(day: Date) -> u64 {
    let epoch = Date::from_timestamp_japan(Timestamp::from_unix_ms(0));
    let days = u64::try_from(day.days_since(epoch)).unwrap_or(0);
    days.saturating_mul(DAY_MS).saturating_sub(JAPAN_AHEAD_MS)
}

const DAY_MS: u64 = 86_400_000;
const JAPAN_AHEAD_MS: u64 = 9 * 3_600_000;
