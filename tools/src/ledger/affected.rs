//! `tsunagi ledger affected`: which exchanges an organisation had, for when its key was stolen.

use std::collections::BTreeSet;

use protocol::date::Date;
use protocol::id::party::PartyId;
use protocol::time::Timestamp;
use serde_json::{Value, json};

use crate::line::Line;
use crate::message::{Code, Report, Trouble, moment};

/// `tsunagi ledger affected`: the exchanges in which `party` asked since that day, for when its key was stolen.
///
/// # Errors
/// [`Code::Refused`] if the node did not tell them.
pub fn affected(line: &Line, party: &PartyId, since: Option<Date>) -> Result<Report, Trouble> {
    let mut from = (since.map_or(0, midnight_ms), 0);
    let mut exchanges = Vec::new();
    loop {
        let told = line.affected(&party.to_string(), from.0, from.1);
        let told = told.map_err(|why| Trouble::new(Code::Refused, why))?;
        let part = told.get("exchanges").and_then(Value::as_array);
        exchanges.extend(part.ok_or_else(|| Trouble::new(Code::Malformed, "exchanges"))?.iter().cloned());
        let number = |name: &str| told.pointer(&format!("/next/{name}")).and_then(Value::as_u64);
        match (number("since_ms"), number("leaf")) {
            (Some(at), Some(leaf)) if (at, leaf) > from => from = (at, leaf),
            _ => break,
        }
    }
    let text_of = |exchange: &Value, name: &str| {
        exchange.get(name).and_then(Value::as_str).map_or_else(|| "–".to_owned(), str::to_owned)
    };
    let persons: BTreeSet<String> = exchanges.iter().map(|exchange| text_of(exchange, "person_label")).collect();
    let shown = exchanges.iter().filter(|exchange| exchange.get("refused") == Some(&Value::Null)).count();
    let mut text = format!(
        "{party} からの要求: {} 件(回答 {shown} 件、拒否・不明 {} 件)、見出しの異なる人 {} 人",
        exchanges.len(),
        exchanges.len().saturating_sub(shown),
        persons.len()
    );
    for exchange in &exchanges {
        let at = exchange.get("at_ms").and_then(Value::as_u64).unwrap_or(0);
        let leaf = exchange.get("leaf").and_then(Value::as_u64).unwrap_or(0);
        let outcome = match exchange.get("refused") {
            Some(Value::Null) => "回答".to_owned(),
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
    Ok(Report::good(text, json!({ "party": party.to_string(), "persons": persons.len(), "exchanges": exchanges })))
}

/// When a day begins in Japan, in Unix milliseconds; 0 for days before 1970.
fn midnight_ms(day: Date) -> u64 {
    let epoch = Date::from_timestamp_japan(Timestamp::from_unix_ms(0));
    let days = u64::try_from(day.days_since(epoch)).unwrap_or(0);
    days.saturating_mul(DAY_MS).saturating_sub(JAPAN_AHEAD_MS)
}

const DAY_MS: u64 = 86_400_000;
const JAPAN_AHEAD_MS: u64 = 9 * 3_600_000;
