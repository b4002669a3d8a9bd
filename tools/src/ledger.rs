//! What an auditor checks without trusting the node: that a ledger's head is that of its leaves, signed and
//! cosigned; that one answer's receipt holds; which exchanges an organisation had. Believes rosters only.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::cbor;
use protocol::date::Date;
use protocol::digest::Digest;
use protocol::id::party::{PartyId, PartyKind};
use protocol::ledger::checkpoint::SignedCheckpoint;
use protocol::ledger::cosignature;
use protocol::ledger::leaf::Leaf;
use protocol::ledger::origin::Origin;
use protocol::ledger::proof::{Evidence, VerifiedNotes};
use protocol::ledger::tree;
use protocol::limits;
use protocol::message::{Body, Outcome};
use protocol::primitives::Real;
use protocol::record::disclosure::Content;
use protocol::requester;
use protocol::roster::{Chain, Link, Member, Roster};
use protocol::time::Timestamp;
use protocol::witness;
use serde_json::{Value, json};

use crate::files;
use crate::line::Line;
use crate::message::{Code, Report, Trouble, moment};

/// The rosters of a network, oldest first, each signed as the one before it says.
#[derive(Clone, Debug)]
pub struct Rosters {
    network: Digest,
    versions: Vec<Roster>,
}

/// What a ledger was found to be.
#[derive(Clone, Debug)]
pub struct Found {
    /// Whose.
    pub party: PartyId,
    /// How many leaves.
    pub size: u64,
    /// Their root, computed here.
    pub root: Digest,
    /// Whether the head is signed by the log key in the roster; none if the organisation is not in it, as
    /// offices and hospitals are not.
    pub is_signed: Option<bool>,
    /// Heads that witnesses cosigned and that this ledger still begins with.
    pub cosigned: Vec<Cosigned>,
}

/// A head that a witness cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// Which witness.
    pub witness: PartyId,
    /// How many leaves the head covers.
    pub size: u64,
    /// Their root.
    pub root: Digest,
    /// When.
    pub at: Timestamp,
}

/// How many leaves are fetched before progress is told.
const LEAVES_PER_STEP: u64 = 4096;

impl Rosters {
    /// Walks the files in the order of their versions. Without `network` the first names the network, which is
    /// right only if it came by a way that can be trusted.
    ///
    /// # Errors
    /// [`Code::File`], [`Code::Malformed`]; [`Code::Roster`] if a link does not hold or is missing.
    pub fn read(paths: &[PathBuf], network: Option<Digest>) -> Result<Self, Trouble> {
        let refused = |error: &dyn core::fmt::Display| Trouble::new(Code::Roster, error);
        let mut links = Vec::new();
        for path in paths {
            let link: Link = files::read_cbor(path)?;
            links.push((link.claimed().map_err(|error| refused(&error))?.version, link));
        }
        links.sort_by_key(|(version, _link)| *version);
        let mut links = links.into_iter().map(|(_version, link)| link);
        let first = links.next().ok_or_else(|| refused(&"--roster"))?;
        let network = network.unwrap_or_else(|| first.digest());
        let mut chain = Chain::begin(network, &first, &Real).map_err(|error| refused(&error))?;
        let mut versions = vec![chain.newest().clone()];
        for link in links {
            chain = chain.extend(&link, &Real).map_err(|error| refused(&error))?;
            versions.push(chain.newest().clone());
        }
        Ok(Self { network, versions })
    }

    /// One roster that was verified before.
    pub fn known(network: Digest, roster: Roster) -> Self {
        Self { network, versions: vec![roster] }
    }

    fn newest(&self) -> Option<&Roster> {
        self.versions.last()
    }
}

impl Found {
    /// Up to which size at least `quorum` witnesses have cosigned; 0 if nothing has a quorum.
    pub fn quorum_size(&self, quorum: u8) -> u64 {
        let mut sizes: Vec<u64> = self.cosigned.iter().map(|head| head.size).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        match quorum.checked_sub(1) {
            None => self.size,
            Some(at) => sizes.get(usize::from(at)).copied().unwrap_or(0),
        }
    }
}

/// Computes a node's ledger anew from its leaves and holds head, signature and cosignatures against it.
/// `step` hears how many leaves of how many are done.
///
/// # Errors
/// A text saying what does not hold, or which call failed.
pub fn check(line: &Line, rosters: &Rosters, step: &dyn Fn(u64, u64)) -> Result<Found, String> {
    let cosigned = cosigned(line, rosters)?;
    let note = line.checkpoint()?;
    let signed = SignedCheckpoint::parse(note.as_bytes()).map_err(|error| error.to_string())?;
    let head = signed.claim().map_err(|error| error.to_string())?;
    if !head.origin.is_in(&rosters.network) {
        return Err("別の網の台帳です / the ledger of another network".to_owned());
    }
    let mut nodes = Nodes(Vec::new());
    let mut done = 0;
    while done < head.size {
        let leaves = line.leaves(done, head.size.min(done.saturating_add(LEAVES_PER_STEP)))?;
        for leaf in &leaves {
            nodes.append(done, leaf);
            done = done.saturating_add(1);
        }
        step(done, head.size);
    }
    if nodes.root(head.size) != head.root {
        return Err("根が葉から計算した値と違います / the root is not that of the leaves".to_owned());
    }
    for seen in &cosigned {
        if seen.size > head.size {
            return Err(format!("立会 {} が署名した大きさ {} より縮んでいます / shrunk", seen.witness, seen.size));
        }
        if nodes.root(seen.size) != seen.root {
            return Err(format!("立会 {} が署名した頭と食い違います / another history was cosigned", seen.witness));
        }
    }
    let party = head.origin.party().clone();
    let member = rosters.newest().and_then(|roster| roster.member(&party));
    let is_signed = member.map(|member| {
        let origin = origin_named(&head.origin.to_string(), rosters, member);
        let is_by = |log: &[u8; 32]| origin.as_ref().is_some_and(|origin| signed.verify(&Real, origin, log).is_ok());
        member.log.iter().any(|log| is_by(log.as_bytes()))
    });
    if is_signed.is_none() && !matches!(party.kind(), PartyKind::Office | PartyKind::Hospital) {
        return Err(format!("{party} が名簿にありません / not in the roster"));
    }
    if is_signed == Some(false) {
        return Err("頭が台帳の鍵で署名されていません / the head is not signed with the log key".to_owned());
    }
    Ok(Found { party, size: head.size, root: head.root, is_signed, cosigned })
}

/// The heads of a node's ledger that witnesses of the roster cosigned. Whether the ledger still begins with them
/// is for [`check`].
///
/// # Errors
/// A text if a cosignature does not hold, or the call failed.
pub fn cosigned(line: &Line, rosters: &Rosters) -> Result<Vec<Cosigned>, String> {
    let mut found: Vec<Cosigned> = Vec::new();
    let mut notes = Vec::new();
    for note in line.cosigned()? {
        let signed = SignedCheckpoint::parse(note.as_bytes()).map_err(|error| error.to_string())?;
        let head = signed.claim().map_err(|error| error.to_string())?;
        notes.push((signed, head));
    }
    // A witness that was not there since a new epoch began holds a head of the one before.
    let open = notes.iter().map(|(_signed, head)| head.origin.epoch()).max();
    for (signed, head) in notes.into_iter().filter(|(_signed, head)| Some(head.origin.epoch()) == open) {
        for member in rosters.newest().into_iter().flat_map(|roster| roster.of_kind(PartyKind::Witness)) {
            let (Some(name), Some(public)) = (witness::name_of(&member.party), member.cosigning) else { continue };
            let known = cosignature::Witness { name, public: *public.as_bytes() };
            match cosignature::verify(&Real, &signed, &known) {
                Ok(at) => {
                    let seen = Cosigned { witness: member.party.clone(), size: head.size, root: head.root, at };
                    found.retain(|before| before.witness != seen.witness || before.size > seen.size);
                    if !found.iter().any(|before| before.witness == seen.witness) {
                        found.push(seen);
                    }
                }
                Err(cosignature::CosignatureError::Missing) => {}
                Err(error) => return Err(format!("{}: {error}", member.party)),
            }
        }
    }
    Ok(found)
}

/// `tsunagi ledger verify`.
///
/// # Errors
/// None but those of reading; what does not hold is in the report.
pub fn verify(line: &Line, rosters: &Rosters, step: &dyn Fn(u64, u64)) -> Result<Report, Trouble> {
    let found = match check(line, rosters, step) {
        Ok(found) => found,
        Err(why) => {
            let text = format!("✗ この台帳は信じられません: {why}\n  → 運営主体と監査人に知らせてください");
            return Ok(Report { text, data: json!({ "ok": false, "reason": why }), good: false });
        }
    };
    let quorum = rosters.newest().map_or(0, |roster| roster.witness_quorum);
    let covered = found.quorum_size(quorum);
    // Of an office or hospital the roster names no key, so that a quorum is shown, not asked for.
    let has_quorum = found.is_signed.is_none() || found.size == 0 || covered > 0;
    let mut text = format!(
        "台帳: {}\n✓ 葉 {} 枚から根を計算し直し、頭と一致しました\n  根 {}\n",
        found.party, found.size, found.root
    );
    text.push_str(match found.is_signed {
        Some(_good) => "✓ 頭は名簿にある台帳の鍵で署名されています\n",
        None => "– 事業所・医療機関は名簿にないため、頭の署名はこの名簿では確かめられません\n",
    });
    for head in &found.cosigned {
        text.push_str(&format!("✓ 立会 {}: 大きさ {} に {} に署名\n", head.witness, head.size, moment(head.at)));
    }
    text.push_str(&match (found.is_signed, has_quorum) {
        (None, _) if covered == 0 => "– 立会はまだこの台帳を見ていません".to_owned(),
        (_, true) => format!(
            "✓ 定足数 {quorum}: 大きさ {covered} まで立会済み(その後の葉 {} 枚は次の立会を待っています)",
            found.size.saturating_sub(covered)
        ),
        (_, false) => format!(
            "✗ 定足数 {quorum} の立会が署名した先端は、まだ空の台帳だけです(署名した立会 {})\n  → 立会ノードが動いているか\
             確認し、数十秒後にやり直してください",
            found.cosigned.len()
        ),
    });
    let cosigned: Vec<Value> = found
        .cosigned
        .iter()
        .map(|head| json!({ "witness": head.witness.to_string(), "size": head.size, "at_ms": head.at.unix_ms() }))
        .collect();
    let data = json!({ "ok": has_quorum, "party": found.party.to_string(), "size": found.size,
        "root": found.root.to_string(), "signed": found.is_signed, "cosigned": cosigned, "quorum": quorum,
        "quorum_size": covered });
    Ok(Report { text, data, good: has_quorum })
}

/// `tsunagi ledger receipt`: one answer of `/v1/ask`, without any node.
///
/// # Errors
/// [`Code::File`] or [`Code::Malformed`] if the file is no such answer.
pub fn receipt(answer: &Path, rosters: &Rosters) -> Result<Report, Trouble> {
    let malformed =
        |what: &dyn core::fmt::Display| Trouble::new(Code::Malformed, format!("{}: {what}", answer.display()));
    let answer: Value = serde_json::from_str(&files::read_text(answer)?).map_err(|error| malformed(&error))?;
    if answer.get("receipt").is_none() {
        return Err(malformed(&"receipt"));
    }
    Ok(match check_receipt(&answer, rosters) {
        Err(why) => {
            let text = format!("✗ この受領証は成り立ちません: {why}\n  → この回答を証拠として扱わないでください");
            Report { text, data: json!({ "ok": false, "reason": why }), good: false }
        }
        Ok(proven) => {
            let text = format!(
                "✓ 受領証は成り立ちます\n  {} は {} に、要求 {} に対してこの回答を決め、\n  \
                 台帳の {} 番の葉に記しました(大きさ {} の頭に署名、名簿 {} 版)。\n  \
                 証明すること: 回答の内容、決めた時刻、葉が署名済みの台帳に含まれること。\n  \
                 証明しないこと: 記録の内容が真実であること、台帳がその後書き換えられていないこと\
                 (tsunagi ledger verify で確かめられます)、立会がこの頭を見たこと                 (未立会。今どうかは、照会した自組織のノードの /v1/ledger/receipt が知っています)。",
                proven.body.responder,
                moment(proven.body.decided),
                proven.body.request,
                proven.leaf,
                proven.size,
                proven.roster,
            );
            let data = json!({ "ok": true, "responder": proven.body.responder.to_string(),
                "decided_at_ms": proven.body.decided.unix_ms(), "request": proven.body.request.to_string(),
                "leaf": proven.leaf, "size": proven.size, "roster_version": proven.roster, "witnessed": false });
            Report::good(text, data)
        }
    })
}

/// What a receipt proves.
#[derive(Clone, Debug)]
pub struct Proven {
    /// What was answered.
    pub body: Body,
    /// Where the leaf stands.
    pub leaf: u64,
    /// How large the ledger was under the head.
    pub size: u64,
    /// The roster whose keys signed.
    pub roster: u32,
}

/// Checks a receipt with nothing but the answer and the rosters: evidence, body, and that the readable part of the
/// answer is what the body says.
///
/// # Errors
/// A text saying what does not hold.
pub fn check_receipt(answer: &Value, rosters: &Rosters) -> Result<Proven, String> {
    let text = |path: &str| answer.pointer(path).and_then(Value::as_str).ok_or_else(|| format!("{path} がありません"));
    let bytes = |path: &str| STANDARD.decode(text(path)?).map_err(|error| format!("{path}: {error}"));
    let request = Digest::parse(text("/receipt/request")?).ok_or("/receipt/request が要約値ではありません")?;
    let body_bytes = bytes("/receipt/body")?;
    let body: Body = cbor::decode(&body_bytes).map_err(|error| format!("/receipt/body: {error}"))?;
    let mut evidence: Evidence =
        cbor::decode(&bytes("/receipt/evidence")?).map_err(|error| format!("/receipt/evidence: {error}"))?;
    // It leads from a head that only the asker knew to this one; the asker's node has checked it.
    evidence.consistency.clear();
    if body.request != request {
        return Err("本体は別の要求への回答です / the body answers another request".to_owned());
    }
    says_the_same(answer, &body)?;
    let mut last = "回答者が名簿にありません / the responder is not in the rosters".to_owned();
    let mut successor: Option<Timestamp> = None;
    for roster in rosters.versions.iter().rev().filter(|roster| roster.issued <= body.decided) {
        // A key that a roster dropped counts no longer than a node may go on without hearing of that roster.
        let heard_by = |issued: Timestamp| issued.plus(limits::PULSE_LIFE).plus(limits::PULSE_GRACE);
        if successor.is_some_and(|issued| heard_by(issued) <= body.decided) {
            break;
        }
        successor = Some(roster.issued);
        let Some(member) = roster.member(&body.responder) else { continue };
        let Some(origin) = origin_named(&body.origin, rosters, member) else {
            last = "本体が別の台帳を名乗っています / the body names another ledger".to_owned();
            continue;
        };
        let logs: Vec<_> = member.log.iter().map(|key| *key.as_bytes()).collect();
        let notes = VerifiedNotes::new(1);
        match evidence.check(&Real, &notes, &origin, &logs, None, request, Digest::of(&body_bytes)) {
            Ok(head) => return Ok(Proven { body, leaf: evidence.index, size: head.size, roster: roster.version }),
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

/// The ledger of that name, if it can be this member's: of its first epoch or a later one.
fn origin_named(text: &str, rosters: &Rosters, member: &Member) -> Option<Origin> {
    let first = requester::origin_of_member(&rosters.network, member);
    Origin::parse(text).filter(|origin| first.of_epoch(origin.epoch()) == *origin && origin.epoch() >= first.epoch())
}

/// The readable part of an answer is not covered by the receipt; it must be what the body says.
fn says_the_same(answer: &Value, body: &Body) -> Result<(), String> {
    let differs = |what: &str| Err(format!("{what} が本体と違います / differs from the body"));
    let is = |name: &str, value: Value| answer.get(name) == Some(&value);
    if !is("responder", json!(body.responder.to_string())) || !is("decided_at_ms", json!(body.decided.unix_ms())) {
        return differs("responder, decided_at_ms");
    }
    match &body.outcome {
        Outcome::Refused(told) if !is("outcome", json!("refused")) || !is("told", json!(told.as_str())) => {
            differs("outcome")
        }
        Outcome::Records(contents) => {
            let contents: Result<Vec<_>, _> = contents.iter().map(|bytes| Content::decode(bytes)).collect();
            let contents = contents.map_err(|_fault| "本体の記録を読めません / unreadable records".to_owned())?;
            let records: Value = contents.iter().map(Content::to_json).collect();
            if is("outcome", json!("answered")) && is("records", records) { Ok(()) } else { differs("records") }
        }
        Outcome::History(looks, _proof) => {
            let told = answer.get("history").and_then(Value::as_array);
            let same = told.is_some_and(|told| {
                told.len() == looks.len()
                    && told.iter().zip(looks).all(|(told, look)| {
                        told.get("at_ms") == Some(&json!(look.at.unix_ms()))
                            && told.get("party") == Some(&json!(look.party.to_string()))
                            && told.get("staff") == Some(&json!(look.staff.id))
                            && told.get("leaf") == Some(&json!(look.leaf))
                    })
            });
            if same { Ok(()) } else { differs("history") }
        }
        _ => Ok(()),
    }
}

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
    let persons: std::collections::BTreeSet<String> =
        exchanges.iter().map(|exchange| text_of(exchange, "person_label")).collect();
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

/// Hashes of the tree in stored order.
struct Nodes(Vec<Digest>);

impl Nodes {
    fn append(&mut self, index: u64, leaf: &Leaf) {
        let Ok(new) = tree::nodes_of_leaf(index, leaf.hash(), self);
        self.0.extend(new);
    }

    fn root(&self, size: u64) -> Digest {
        let Ok(root) = tree::root(size, self);
        root
    }
}

impl tree::Nodes for Nodes {
    type Error = core::convert::Infallible;

    fn node(&self, index: u64) -> Result<Digest, Self::Error> {
        let at = usize::try_from(index).ok().and_then(|at| self.0.get(at));
        Ok(at.copied().unwrap_or(Digest::from_bytes([0; 32])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_reaches_as_far_as_enough_witnesses_went() {
        let seen = |name: &str, size| Cosigned {
            witness: PartyId::parse(name).unwrap(),
            size,
            root: Digest::of(b""),
            at: Timestamp::from_unix_ms(0),
        };
        let cosigned = vec![seen("witness:a", 5), seen("witness:b", 9), seen("witness:c", 7)];
        let party = PartyId::parse("insurer:131235").unwrap();
        let found = Found { party, size: 10, root: Digest::of(b""), is_signed: Some(true), cosigned };
        assert_eq!([0, 1, 2, 3, 4].map(|quorum| found.quorum_size(quorum)), [10, 9, 7, 5, 0]);
    }
}
