//! The duty (務め) of every member that answers, in one order that cannot be changed: replay memory →
//! freshness → finding → leaf → answer. What is found is each machine's own affair.

use crate::access_log::{self, Decision};
use crate::batch::Batch;
use crate::cbor;
use crate::code::field_group::FieldGroups;
use crate::code::purpose::Purpose;
use crate::code::record_kind::RecordKind;
use crate::digest::Digest;
use crate::exchange::{self, Decided, Seen};
use crate::gate::{Condition, Gate};
use crate::id::party::PartyId;
use crate::ledger::leaf::LeafKind;
use crate::ledger::origin::Origin;
use crate::limits;
use crate::machine::{Action, Count, Disclosure, Outbox, Route, asker_salts};
use crate::message::{Body, Outcome, Question, Request};
use crate::receipts;
use crate::refusal::Refusal;
use crate::store::{Seat, StoreError};
use crate::time::Timestamp;
use crate::vault::Label;
use crate::verify::Verified;
use crate::wall::Reliance;

/// Who answers.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Its seat.
    pub seat: Seat,
    /// Its organisation.
    pub party: PartyId,
    /// Its ledger.
    pub origin: Origin,
    /// The digest of the policy it decides under.
    pub policy: Digest,
    /// When a quorum of witnesses had last cosigned the ledger; none if that is not known.
    pub quorum_at: Option<Timestamp>,
}

/// What a machine found for a request.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Why it is refused, or what is answered.
    pub result: Result<Outcome, Refusal>,
    /// Whom it is about; [`Label::GENERAL`] for nobody.
    pub label: Label,
    /// What the ledger says beside.
    pub shown: Shown,
}

/// What was shown, for the ledger.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The kinds asked for.
    pub kinds: Vec<RecordKind>,
    /// The versions disclosed.
    pub versions: Vec<[u8; 16]>,
    /// The groups of fields disclosed.
    pub groups: FieldGroups,
    /// The policies that decided.
    pub reasons: Vec<String>,
    /// Whether the glass was broken.
    pub emergency: bool,
}

/// When a request is decided, or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The instant.
    pub at: Timestamp,
    /// Its leaf, if it was decided before. A clock can be set back; the order of leaves cannot.
    pub leaf: Option<u64>,
}

/// Finds what a request is answered, as of a moment.
pub type Find<'f> = dyn FnMut(&Verified, Moment, &mut Batch<'_>, &mut Outbox) -> Result<Finding, StoreError> + 'f;

impl Moment {
    /// Whether what came with `leaf` was there by then.
    pub fn knows(self, leaf: u64) -> bool {
        self.leaf.is_none_or(|own| leaf < own)
    }
}

impl Desk {
    /// Takes which ledger is kept, and when a quorum of witnesses had last cosigned it.
    pub fn stand(&mut self, origin: &Origin, quorum_at: Option<Timestamp>) {
        if self.origin != *origin {
            self.origin = origin.clone();
        }
        self.quorum_at = quorum_at;
    }
}

impl Finding {
    /// A refusal about somebody.
    pub const fn refused(refusal: Refusal, label: Label, kinds: Vec<RecordKind>) -> Self {
        Self { result: Err(refusal), label, shown: Shown::nothing(kinds) }
    }

    /// An answer about nobody.
    pub const fn plain(outcome: Outcome) -> Self {
        Self { result: Ok(outcome), label: Label::GENERAL, shown: Shown::nothing(Vec::new()) }
    }
}

impl Shown {
    /// Nothing was shown of these kinds.
    pub const fn nothing(kinds: Vec<RecordKind>) -> Self {
        Self { kinds, versions: Vec::new(), groups: FieldGroups::EMPTY, reasons: Vec::new(), emergency: false }
    }
}

/// Decides one verified request: `find` is asked for the finding as of a moment, and must depend on
/// nothing but the request, that moment, and what the store held by then.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub fn answer(
    desk: &Desk,
    verified: &Verified,
    route: Route,
    gate: &Gate,
    batch: &mut Batch<'_>,
    out: &mut Outbox,
    find: &mut Find<'_>,
) -> Result<(), StoreError> {
    let now = batch.now().wall;
    let request = verified.request();
    if named_size(desk, request).is_some_and(|size| size > batch.ledger_size().saturating_sub(batch.epoch_begins())) {
        out.act(Action::Alarm("an asker has verified more of our ledger than we have"));
    }
    if batch.reliance() == Reliance::Uncertain {
        return settle(desk, verified, route, refusal(Refusal::ClockUncertain), false, gate, batch, out);
    }
    // A newer roster was asked for and waited for; nothing is decided under one that is known to be old.
    if gate.condition(now) == Condition::Closed || request.roster > gate.roster().version {
        return settle(desk, verified, route, refusal(Refusal::OutOfDate), false, gate, batch, out);
    }
    if let Err(why) = gate.stands(verified.standing(), verified.signing_key(), now) {
        return settle(desk, verified, route, refusal(why), false, gate, batch, out);
    }
    match exchange::seen(batch, &request.sender, &request.exchange, &verified.digest(), request.issued)? {
        Seen::New if !is_fresh(request, now) => {
            settle(desk, verified, route, refusal(Refusal::NotFresh), false, gate, batch, out)
        }
        Seen::New if lacks_witnesses(desk, request, now) => {
            settle(desk, verified, route, refusal(Refusal::Unwitnessed), false, gate, batch, out)
        }
        Seen::New => {
            let finding = found(verified, Moment { at: now, leaf: None }, batch, out, find)?;
            settle(desk, verified, route, finding, true, gate, batch, out)
        }
        Seen::Repeated(_decided) if !is_fresh(request, now) => {
            settle(desk, verified, route, refusal(Refusal::NotFresh), false, gate, batch, out)
        }
        Seen::Repeated(decided) if decided.told.is_some() => {
            let finding = told_before(&decided)?;
            repeat(desk, verified, route, &decided, finding, gate, batch, out)
        }
        Seen::Repeated(decided) => {
            let finding = found(verified, Moment { at: decided.at, leaf: Some(decided.leaf) }, batch, out, find)?;
            repeat(desk, verified, route, &decided, finding, gate, batch, out)
        }
        Seen::Reused => {
            out.act(Action::Alarm("an exchange id came with other bytes"));
            settle(desk, verified, route, refusal(Refusal::ExchangeReused), false, gate, batch, out)
        }
        Seen::BeforeMemory => settle(desk, verified, route, refusal(Refusal::BeforeMemory), false, gate, batch, out),
    }
}

/// What was told before, of a request that is not to be done twice.
fn told_before(decided: &Decided) -> Result<Finding, StoreError> {
    let told = decided.told.as_deref().map_or(&[][..], Vec::as_slice);
    let outcome = cbor::decode_own(told).map_err(|_error| StoreError::Unreadable("replay"))?;
    Ok(Finding { result: Ok(outcome), label: decided.label, shown: Shown::nothing(Vec::new()) })
}

/// What a request is answered: receipts are held by every member alike, all else is the machine's affair.
fn found(
    verified: &Verified,
    moment: Moment,
    batch: &mut Batch<'_>,
    out: &mut Outbox,
    find: &mut Find<'_>,
) -> Result<Finding, StoreError> {
    let Question::Resubmit(list) = &verified.request().question else { return find(verified, moment, batch, out) };
    let mut held: u64 = 0;
    for receipt in list {
        held = held.saturating_add(u64::from(receipts::hold(batch, verified.standing().party(), receipt)?));
    }
    if held == 0 {
        return Ok(refusal(Refusal::NotAcceptable));
    }
    out.act(Action::Alarm("an asker submitted receipts that our ledger had lost; they are held as evidence"));
    Ok(Finding::plain(Outcome::Held(held)))
}

/// Whether a question must wait for witnesses: after a day without a quorum only cards, emergencies and a person's own
/// view are answered. Whether a question is one of those is what it says; whether it may be answered at all, the
/// policy.
fn lacks_witnesses(desk: &Desk, request: &Request, now: Timestamp) -> bool {
    let is_spared = match (&request.question, request.purpose) {
        (_, Purpose::Emergency | Purpose::Disaster | Purpose::OwnRecord) => true,
        (Question::Read(reading), _) => {
            let is_card = |kind: &RecordKind| {
                use RecordKind::{BurdenLimitCertificate, BurdenRatioCard, InsuranceCard};
                matches!(kind, InsuranceCard | BurdenRatioCard | BurdenLimitCertificate)
            };
            reading.kinds.iter().all(is_card)
        }
        (Question::History(_), _) => false,
        // Nothing is shown to anybody by keeping what they wrote, or by erasing it.
        (
            Question::LookUp(_)
            | Question::Evaluate(_)
            | Question::Register(_)
            | Question::Resubmit(_)
            | Question::Submit(_)
            | Question::Erase(_),
            _,
        ) => true,
    };
    !is_spared && desk.quorum_at.is_some_and(|at| now.since(at) >= limits::UNWITNESSED_LIMIT)
}

/// Whether a request may be decided at `now`.
fn is_fresh(request: &Request, now: Timestamp) -> bool {
    request.issued.distance(now) <= limits::SKEW && now < request.expires
}

const fn refusal(refusal: Refusal) -> Finding {
    Finding::refused(refusal, Label::GENERAL, Vec::new())
}

/// Writes the leaf, remembers the exchange if it was decided and not put off, and holds the answer until the leaf is
/// durable.
#[expect(clippy::too_many_arguments, reason = "the parts of one decision, none of which belongs to another")]
fn settle(
    desk: &Desk,
    verified: &Verified,
    route: Route,
    finding: Finding,
    remembered: bool,
    gate: &Gate,
    batch: &mut Batch<'_>,
    out: &mut Outbox,
) -> Result<(), StoreError> {
    let at = batch.now().wall;
    let said = Said { at, policy: desk.policy, unwitnessed_since: unwitnessed_since(desk, at) };
    let (finding, body) = within_bounds(desk, verified, finding, &said);
    let answer = Digest::of(&body);
    let request = verified.request();
    let decision = decision(desk, verified, &finding, gate);
    let (entry, salts) =
        access_log::enter(batch, LeafKind::Exchange, finding.label, verified.digest(), answer, decision)?;
    if remembered {
        let (leaf, label) = (entry.index(), finding.label);
        let Said { at, policy, unwitnessed_since } = said;
        let told = request.question.act().map(|_act| cbor::encode(&outcome_of(&finding)).into());
        let decided = Decided { request: verified.digest(), leaf, at, answer, policy, label, unwitnessed_since, told };
        exchange::remember(batch, &request.sender, &request.exchange, &decided)?;
    }
    out.count(refusal_of(&finding).map_or(Count::Answered, Count::Refused));
    out.answer(desk.seat, entry, disclosure(verified, body, asker_salts(&salts), desk, route));
    Ok(())
}

/// Answers a repeat with its first receipt, if the answer is still the very same.
#[expect(clippy::too_many_arguments, reason = "the parts of one decision, none of which belongs to another")]
fn repeat(
    desk: &Desk,
    verified: &Verified,
    route: Route,
    decided: &Decided,
    finding: Finding,
    gate: &Gate,
    batch: &mut Batch<'_>,
    out: &mut Outbox,
) -> Result<(), StoreError> {
    let Decided { at, policy, unwitnessed_since, .. } = *decided;
    let again = body(desk, verified, &finding, &Said { at, policy, unwitnessed_since });
    let detail = access_log::detail(batch, decided.leaf, decided.label)?;
    // A leaf of an epoch before has no receipt in the open one.
    let entry = batch.entry(decided.leaf);
    match entry.zip(detail) {
        Some((entry, detail)) if Digest::of(&again) == decided.answer => {
            out.count(Count::Repeated);
            out.answer(desk.seat, entry, disclosure(verified, again, asker_salts(&detail.salts), desk, route));
            Ok(())
        }
        _ => {
            let why = match finding.result {
                Err(Refusal::Superseded) => Refusal::Superseded,
                _ => Refusal::Narrowed,
            };
            let refused = Finding::refused(why, finding.label, finding.shown.kinds);
            settle(desk, verified, route, refused, false, gate, batch, out)
        }
    }
}

/// The finding and its body, or a refusal if the body would not fit into an answer.
fn within_bounds(desk: &Desk, verified: &Verified, finding: Finding, said: &Said) -> (Finding, Vec<u8>) {
    let told = body(desk, verified, &finding, said);
    // Salts, leaf, two proofs and a signed note are a few kilobytes; the padding may add a whole step.
    let [.., step] = limits::ANSWER_STEPS_BYTES;
    if told.len() <= limits::ANSWER_BYTES_MAX.saturating_sub(step.saturating_mul(2)) {
        return (finding, told);
    }
    let refused = Finding::refused(Refusal::TooLong, finding.label, finding.shown.kinds);
    let told = body(desk, verified, &refused, said);
    (refused, told)
}

/// What an answer says of the moment it was decided in; a repeat says the same, whatever has changed since.
struct Said {
    at: Timestamp,
    policy: Digest,
    unwitnessed_since: Option<Timestamp>,
}

/// Since when no quorum of witnesses has cosigned, if an answer has to say so.
fn unwitnessed_since(desk: &Desk, at: Timestamp) -> Option<Timestamp> {
    desk.quorum_at.filter(|since| at.since(*since) >= limits::UNWITNESSED_MARK)
}

fn body(desk: &Desk, verified: &Verified, finding: &Finding, said: &Said) -> Vec<u8> {
    let outcome = outcome_of(finding);
    let told = match &outcome {
        Outcome::Records(contents) => contents.iter().map(|content| content.len()).sum(),
        _ => 0_usize,
    };
    let body = Body {
        request: verified.digest(),
        responder: desk.party.clone(),
        origin: desk.origin.to_string(),
        decided: said.at,
        policy: said.policy,
        outcome,
        unwitnessed_since: said.unwitnessed_since,
    };
    cbor::encode_about(&body, told.saturating_add(512))
}

/// What the asker hears.
fn outcome_of(finding: &Finding) -> Outcome {
    match &finding.result {
        Ok(outcome) => outcome.clone(),
        Err(refusal) => Outcome::Refused(refusal.told()),
    }
}

/// Why it was refused, exactly; what was submitted and breaks a rule is told which.
fn refusal_of(finding: &Finding) -> Option<Refusal> {
    match &finding.result {
        Ok(Outcome::NotKept(_)) => Some(Refusal::NotAcceptable),
        Ok(_) => None,
        Err(refusal) => Some(*refusal),
    }
}

fn decision(desk: &Desk, verified: &Verified, finding: &Finding, gate: &Gate) -> Decision {
    let request = verified.request();
    let shown = &finding.shown;
    Decision {
        refusal: refusal_of(finding),
        party: request.sender.clone(),
        signing_key: verified.signing_key(),
        staff: request.staff.id.clone(),
        job: request.staff.job,
        purpose: request.purpose,
        kinds: shown.kinds.clone(),
        policy: desk.policy,
        roster: gate.roster().version,
        list: verified.standing().issuer().and_then(|issuer| gate.list(issuer)).map_or(0, |list| list.number),
        emergency: shown.emergency,
        versions: shown.versions.iter().map(|id| minicbor::bytes::ByteArray::from(*id)).collect(),
        groups: shown.groups,
        reasons: shown.reasons.clone(),
        act: request.question.act(),
    }
}

fn disclosure(
    verified: &Verified,
    body: Vec<u8>,
    salts: (crate::ledger::leaf::Salt, crate::ledger::leaf::Salt),
    desk: &Desk,
    route: Route,
) -> Disclosure {
    Disclosure {
        body,
        salts,
        request: verified.digest(),
        secret: verified.answer_secret().clone(),
        named_size: named_size(desk, verified.request()),
        route,
    }
}

/// The size of our ledger that the asker says it has verified.
fn named_size(desk: &Desk, request: &Request) -> Option<u64> {
    let seen = request.seen.as_ref()?;
    (seen.origin == desk.origin.to_string()).then_some(seen.size)
}
