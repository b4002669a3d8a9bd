//! `tsunagi ledger history`: whether a person's history is whole, checked against the keeper's whole ledger: each step
//! opens its leaf, and the newest daily leaf, which counted nearly all before it, has counted no more steps than are shown.

use std::collections::BTreeSet;
use std::path::Path;

use protocol::access_log::proof::{self, Proof, Whole};
use protocol::cbor;
use protocol::ledger::leaf::Leaf;
use protocol::message::{Access, Outcome};
use protocol::time::{Span, Timestamp};
use serde_json::json;

use super::receipt::{Proven, check_receipt, read_answer};
use super::{Found, Rosters, check_keeping};
use crate::line::Line;
use crate::message::{Code, Report, Trouble, moment};

/// A keeper whose newest daily leaf counted nothing younger than this, or that has none after this long, closes its days
/// no more.
const DAY_STALE: Span = Span::from_h(48);

/// Checks the history in the answer of `/v1/ask` in that file against the ledger of the node that answered.
///
/// # Errors
/// [`Code::File`] or [`Code::Malformed`] if the file is no such answer.
pub fn history(line: &Line, answer: &Path, rosters: &Rosters, step: &dyn Fn(u64, u64)) -> Result<Report, Trouble> {
    let malformed = |what: &str| Trouble::new(Code::Malformed, format!("{}: {what}", answer.display()));
    let told = read_answer(answer)?;
    let proven = match check_receipt(&told, rosters) {
        Ok(proven) => proven,
        Err(why) => return Ok(gap(&format!("受領証が成り立ちません: {why}"))),
    };
    let Outcome::History(accesses, bytes) = &proven.body.outcome else { return Err(malformed("history")) };
    let read = bytes.as_ref().and_then(|bytes| cbor::decode::<Proof>(bytes).ok());
    let begins = read.map_or(0, |proof| proof.begins);
    let own = accesses.iter().filter_map(|access| access.leaf.checked_sub(begins));
    let wanted: BTreeSet<u64> = own.chain([0, proven.leaf]).collect();
    let found = match check_keeping(line, rosters, &wanted, step) {
        Ok(found) => found,
        Err(why) => return Ok(gap(&format!("台帳が成り立ちません: {why}"))),
    };
    Ok(match whole(&found, &proven, accesses, bytes.as_ref().map(|bytes| bytes.as_slice())) {
        Err(why) => gap(&why),
        Ok(whole) => report(&found, accesses, &whole),
    })
}

fn whole(found: &Found, proven: &Proven, accesses: &[Access], bytes: Option<&[u8]>) -> Result<Whole, String> {
    if found.party != proven.body.responder {
        return Err(format!("{} の台帳ではありません / not the ledger of who answered", proven.body.responder));
    }
    if found.origin.to_string() != proven.body.origin {
        return Err(format!(
            "答えは {} のもので、今の台帳は {} です / another epoch",
            proven.body.origin, found.origin
        ));
    }
    let leaf = |at: u64| found.leaves.get(&at).copied();
    if leaf(proven.leaf).is_none_or(|own| own.to_bytes() != proven.leaf_bytes) {
        return Err("答えの葉が台帳にありません / the answer's leaf is not in the ledger".to_owned());
    }
    let whole = proof::check(accesses, bytes, proven.leaf, &leaf).map_err(|gap| gap.to_string())?;
    let read = bytes.and_then(|bytes| cbor::decode::<Proof>(bytes).ok());
    if found.notes.begins.is_some_and(|begins| read.is_none_or(|proof| proof.begins != begins)) {
        return Err(
            "この時代の始まりが日締めの葉と違います / the daily leaves say the epoch began elsewhere".to_owned()
        );
    }
    let since = whole.day.map(|day| day.until).or_else(|| leaf(0).map(|first: Leaf| first.time()));
    let is_stale = since.is_some_and(|since: Timestamp| proven.body.decided.since(since) >= DAY_STALE);
    if is_stale {
        return Err(
            "日締めの葉が2日以上ありません。新しい閲覧が伏せられていても分かりません / no daily leaf for two days"
                .to_owned(),
        );
    }
    Ok(whole)
}

fn gap(why: &str) -> Report {
    let text =
        format!("✗ この閲覧履歴は揃っていません: {why}\n  → 保険者と運営主体に、この答えを添えて知らせてください");
    Report { text, data: json!({ "ok": false, "reason": why }), good: false }
}

fn report(found: &Found, accesses: &[Access], whole: &Whole) -> Report {
    let day = match whole.day {
        None => "– 最初の日締めの前なので、最新の数件が伏せられていても分かりません。明日やり直してください".to_owned(),
        Some(day) => format!(
            "✓ {} まで(台帳の葉 {} 枚目まで)の {} 件が揃っています\n– それより後の閲覧は、次の日締めの後で確かめられます",
            moment(day.until),
            day.covers,
            day.counted
        ),
    };
    let before = accesses.len().saturating_sub(whole.opened);
    let before = match before {
        0 => String::new(),
        some => {
            format!("– 前の時代の {some} 件は、今の台帳の葉では確かめられません(前の時代の受領証と照らしてください)\n")
        }
    };
    let text = format!(
        "閲覧履歴 {} 件(台帳: {})\n✓ 番号は {} から順に続き、{} 件が台帳の葉と一致しました\n{before}{day}",
        accesses.len(),
        found.party,
        whole.newest,
        whole.opened,
    );
    let day =
        whole.day.map(|day| json!({ "until_ms": day.until.unix_ms(), "covers": day.covers, "counted": day.counted }));
    Report::good(
        text,
        json!({ "ok": true, "steps": accesses.len(), "newest": whole.newest,
        "opened": whole.opened, "day": day }),
    )
}
