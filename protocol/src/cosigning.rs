//! Going to witnesses (副署): what the keeper of a ledger does so that its heads are cosigned, and how it finds
//! out, when its process begins and whenever an asker shows more, whether its ledger is still the newest. If not,
//! it begins a new epoch. Until that is settled its seat answers and writes nothing.
//!
//! Never believes that the ledger is ahead without a head signed by its own log key.

use std::collections::BTreeMap;

use crate::access_log::{self, Decision};
use crate::batch::Batch;
use crate::cbor;
use crate::code::field_group::FieldGroups;
use crate::code::job::Job;
use crate::code::purpose::Purpose;
use crate::digest::Digest;
use crate::frame::{Frame, Verdict};
use crate::gate::{Gate, Notice};
use crate::id::exchange::ExchangeId;
use crate::id::party::PartyId;
use crate::key::{KeyUse, PublicKey};
use crate::ledger::checkpoint::{Checkpoint, SignatureLine, SignedCheckpoint};
use crate::ledger::cosignature::{self, WitnessName};
use crate::ledger::epoch::{self, Opening, Other};
use crate::ledger::leaf::LeafKind;
use crate::ledger::origin::Origin;
use crate::limits;
use crate::machine::{Action, Outbox, Route};
use crate::primitives::Primitives;
use crate::store::{Key, Seat, StoreError};
use crate::table;
use crate::time::{Span, Steady, Timestamp};
use crate::vault::Label;

/// What the keeper of a ledger does about witnesses.
#[derive(Debug)]
pub struct Cosigning {
    seat: Seat,
    party: PartyId,
    log: PublicKey,
    every: Span,
    next: Steady,
    phase: Phase,
    /// How long the open epoch was when the process began; none before the first turn.
    began: Option<u64>,
    /// Those of the roster that can be asked; none known before they were gone to once.
    witnesses: BTreeMap<PartyId, Visited>,
    has_gone: bool,
    attempts: BTreeMap<ExchangeId, (PartyId, Steady)>,
    /// How the open epoch began, if it is not the first.
    opening: Option<Opening>,
    /// The newest cosigned head of ours that was seen, over all epochs.
    newest: Option<Head>,
    quorum_at: Option<Timestamp>,
    /// The newest head that a quorum cosigned, and one on its way there.
    quorum_note: Option<SignedCheckpoint>,
    gathering: Option<SignedCheckpoint>,
    /// How long no quorum had cosigned when that was last alarmed.
    alarmed: Span,
}

/// How far it is settled that the ledger is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody confirmed it yet.
    Unshown,
    /// Somebody holds more than there is here.
    Behind { since: Steady },
    /// A new epoch is begun, and not cosigned by a quorum yet.
    Beginning { since: Steady },
    /// It is.
    Shown,
}

/// What is known of one witness.
#[derive(Debug, Default)]
struct Visited {
    /// The size of the open epoch it cosigned last.
    size: u64,
    /// Whether it has to be shown how the open epoch began.
    is_epochs_behind: bool,
    /// Whether it answered in this phase.
    answered: bool,
    /// The newest head of ours that it holds.
    held: Option<Head>,
    /// Whether the epoch being begun does not name that head, so that it will not cosign it.
    is_left_out: bool,
    /// When it last cosigned.
    at: Option<Timestamp>,
}

/// A head and its signed note.
type Head = (Checkpoint, SignedCheckpoint);

/// How often a seat goes to its witnesses while it is not settled whether its ledger is the newest.
const UNSETTLED_EVERY: Span = Span::from_s(1);
/// How often it is looked whether a ledger that rests has to be shown again.
const RESTING_EVERY: Span = Span::from_s(600);
/// How long a witness's verdict is waited for.
const ATTEMPT_LIFE: Span = Span::from_s(10);
/// The most lines under a head on its way to a quorum.
const LINES_MAX: usize = 12;
/// How long the witnesses that did not answer are waited for before a new epoch is begun without them, and those
/// that will not cosign one before another is begun.
const PATIENCE: Span = Span::from_s(30);

impl Cosigning {
    /// The ledger is signed with this key from now on.
    pub const fn follow(&mut self, log: PublicKey) {
        self.log = log;
    }

    /// Goes to every witness of the roster each `every`, if it has not cosigned this very head within
    /// [`limits::COSIGNED_LIFE`]. `log` is the public half of the ledger's key.
    pub const fn new(seat: Seat, party: PartyId, log: PublicKey, every: Span, now: Steady) -> Self {
        Self {
            seat,
            party,
            log,
            every,
            next: now,
            phase: Phase::Unshown,
            began: None,
            witnesses: BTreeMap::new(),
            has_gone: false,
            attempts: BTreeMap::new(),
            opening: None,
            newest: None,
            quorum_at: None,
            quorum_note: None,
            gathering: None,
            alarmed: Span::ZERO,
        }
    }

    /// When to go next.
    pub const fn deadline(&self) -> Steady {
        self.next
    }

    /// The ledger has more leaves than before: the witnesses are gone to within the usual time, though it rested.
    pub fn grew(&mut self, now: Steady) {
        self.next = self.next.min(now.plus(self.every));
    }

    /// Whether it is settled that the ledger is the newest: only then may anything be added to it.
    pub const fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Shown)
    }

    /// What is unsettled, in a word for operators.
    pub const fn unsettled(&self) -> Option<&'static str> {
        match self.phase {
            Phase::Shown => None,
            Phase::Unshown => Some("the ledger is not confirmed by witnesses yet"),
            Phase::Behind { .. } => Some("the ledger is older than what others hold"),
            Phase::Beginning { .. } => Some("a new epoch of the ledger waits for witnesses"),
        }
    }

    /// When a quorum of witnesses had last cosigned.
    pub const fn quorum_at(&self) -> Option<Timestamp> {
        self.quorum_at
    }

    /// Looks at what lies there, once, before anything else.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn begin(&mut self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let (None, Some(head)) = (self.began, batch.head()) else { return Ok(()) };
        self.began = Some(head.size);
        let Some(bytes) = batch.get(&opening_key(self.seat))? else { return Ok(()) };
        let opening: Opening = cbor::decode(&bytes).map_err(|_malformed| StoreError::Unreadable("epoch"))?;
        // One that is cosigned has its last field; without it the epoch is still to be made known.
        if opening.first.is_empty() {
            self.phase = Phase::Beginning { since: batch.now().steady };
            if let Some((head, note)) = read_note(&opening.previous) {
                self.note_newest(&head, &note);
            }
        }
        self.opening = Some(opening);
        Ok(())
    }

    /// Goes to the witnesses if it is time. Those served by this very process cannot be asked and do not count.
    pub fn go(&mut self, gate: &Gate, own: &dyn Fn(&PartyId) -> bool, batch: &mut Batch<'_>, out: &mut Outbox) {
        let now = batch.now();
        if now.steady < self.next {
            return;
        }
        self.attempts.retain(|_attempt, (_witness, at)| now.steady.since(*at) < ATTEMPT_LIFE);
        let asked: Vec<PartyId> = self.judges(gate).into_iter().filter(|witness| !own(witness)).collect();
        self.witnesses.retain(|witness, _visited| asked.contains(witness));
        for witness in &asked {
            self.witnesses.entry(witness.clone()).or_default();
        }
        self.has_gone = true;
        if self.quorum(gate) == 0 {
            self.quorum_at = Some(now.wall);
            if self.phase == Phase::Unshown {
                self.phase = Phase::Shown;
            }
        }
        self.publish(gate, out);
        self.alarm_of_quorum(now.wall, out);
        let waiting: Vec<PartyId> =
            asked.into_iter().filter(|witness| !self.has_lately_cosigned(witness, batch)).collect();
        self.next = now.steady.plus(match (self.is_settled(), waiting.is_empty()) {
            (false, _) => UNSETTLED_EVERY,
            (true, false) => self.every,
            (true, true) => RESTING_EVERY.max(self.every),
        });
        for witness in waiting {
            self.ask(witness, batch, out);
        }
    }

    /// Whether a witness cosigned this very head a short while ago: a ledger that rests need not be shown again and again.
    fn has_lately_cosigned(&self, witness: &PartyId, batch: &Batch<'_>) -> bool {
        let (Some(visited), Some(head)) = (self.witnesses.get(witness), batch.head()) else { return false };
        let is_same = |held: &Head| {
            (held.0.size, held.0.root) == (head.size, head.root) && batch.origin().as_ref() == Some(&held.0.origin)
        };
        // By distance, for a wall clock may have been set to before.
        let is_recent = |at: Timestamp| batch.now().wall.distance(at) < limits::COSIGNED_LIFE;
        self.is_settled() && visited.held.as_ref().is_some_and(is_same) && visited.at.is_some_and(is_recent)
    }

    /// Takes a witness's verdict. `sent` is the head it was about.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    #[expect(clippy::too_many_arguments, reason = "the parts of a verdict, and what it is judged by")]
    pub fn take(
        &mut self,
        attempt: ExchangeId,
        verdict: Verdict,
        sent: Option<&SignedCheckpoint>,
        gate: &Gate,
        primitives: &dyn Primitives,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let Some((witness, _at)) = self.attempts.remove(&attempt) else { return Ok(()) };
        match verdict {
            Verdict::Stands(size, note) => {
                if self.compare(&witness, size, &note, gate, primitives, batch, out)? {
                    self.ask(witness, batch, out);
                }
                Ok(())
            }
            Verdict::Refused => {
                out.act(Action::Alarm("a witness did not cosign our head"));
                Ok(())
            }
            Verdict::Line(line) => {
                let believed = sent.and_then(|sent| believed(&witness, &line, sent, gate, primitives));
                let Some((cosigned, signed)) = believed else {
                    out.act(Action::Alarm("a witness's cosignature does not hold"));
                    return Ok(());
                };
                out.act(Action::Heard(witness.clone(), signed));
                self.gather(&cosigned, gate, primitives);
                self.cosigned(&witness, cosigned, gate, batch, out)
            }
        }
    }

    /// An asker shows the newest head of ours that it verified.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn shown(
        &mut self,
        note: &[u8],
        gate: &Gate,
        primitives: &dyn Primitives,
        batch: &Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let is_more = |claimed: &Checkpoint| Self::is_more(claimed, batch);
        let Ok(signed) = SignedCheckpoint::parse(note) else { return Ok(()) };
        let Ok(claimed) = signed.claim() else { return Ok(()) };
        // Cheap first: only a head that says more than ours is worth a signature.
        if claimed.origin.party() == &self.party && is_more(&claimed)? && self.is_ours(&signed, gate, primitives) {
            self.fall_behind(batch.now().steady, out);
        }
        Ok(())
    }

    /// Whether it is time to begin a new epoch: somebody holds more, and the witnesses have told what they hold; or
    /// the one being begun leaves out what so many of them hold that no quorum is left.
    pub fn wants_to_begin(&self, gate: &Gate, now: Steady) -> bool {
        let (all, quorum) = (self.witnesses.len(), self.quorum(gate));
        let count = |is_so: fn(&Visited) -> bool| self.witnesses.values().filter(|visited| is_so(visited)).count();
        match self.phase {
            _ if !self.has_gone => false,
            Phase::Behind { since } => {
                let answered = count(|visited| visited.answered);
                answered == all || (answered >= quorum && now.since(since) >= PATIENCE)
            }
            Phase::Beginning { since } => {
                let left = all.saturating_sub(count(|visited| visited.is_left_out));
                left < quorum && now.since(since) >= PATIENCE
            }
            Phase::Unshown | Phase::Shown => false,
        }
    }

    /// Begins the next epoch: its first leaf names the last cosigned head of those before, and whatever else of them
    /// is known, so that everybody who cosigned something finds it named. To be called before anything else is staged
    /// for the seat.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub fn begin_epoch(&mut self, gate: &Gate, batch: &mut Batch<'_>, out: &mut Outbox) -> Result<(), StoreError> {
        let Some(head) = batch.head() else { return Ok(()) };
        let own = head.note.claim().map_err(|_foreign| StoreError::Unreadable("head"))?;
        let own = (own, SignedCheckpoint::clone(&head.note));
        let (previous, note) = self.newest.clone().unwrap_or_else(|| own.clone());
        let others = self.other_heads(&own, &previous);
        let kept = self.kept(&own.0, previous.origin.epoch());
        let epochs = others.iter().map(|(head, _note)| head.origin.epoch());
        let number = epochs.fold(previous.origin.epoch(), u32::max).saturating_add(1);
        let named: Vec<_> =
            others.iter().map(|(head, _note)| (head.clone(), self.kept(&own.0, head.origin.epoch()))).collect();
        batch.open_epoch(number)?;
        let decision = Decision {
            refusal: None,
            party: self.party.clone(),
            signing_key: self.log.id(KeyUse::Log),
            staff: String::new(),
            job: Job::System,
            purpose: Purpose::Audit,
            kinds: Vec::new(),
            policy: gate.roster().policy,
            roster: gate.roster().version,
            list: 0,
            emergency: false,
            versions: Vec::new(),
            groups: FieldGroups::EMPTY,
            reasons: vec![format!("epoch after {} {} of which {kept} are kept", previous.origin, previous.size)],
            act: None,
        };
        let content = epoch::content(&previous, kept, &named);
        let nothing = Digest::of(&[]);
        let (entry, salts) = access_log::enter(batch, LeafKind::Epoch, Label::GENERAL, content, nothing, decision)?;
        let leaf = batch.leaf(entry.index())?.0.to_bytes();
        let opening = Opening {
            previous: note.as_bytes().to_vec().into(),
            kept,
            salt: salts.request,
            leaf: leaf.into(),
            first: Vec::new().into(),
            others: others
                .iter()
                .zip(&named)
                .map(|((_head, note), (_same, kept))| Other { note: note.as_bytes().to_vec().into(), kept: *kept })
                .collect(),
        };
        batch.put(opening_key(self.seat), Some(cbor::encode(&opening)))?;
        self.opening = Some(opening);
        (self.quorum_note, self.gathering) = (None, None);
        self.began = Some(0);
        self.attempts.clear();
        self.phase = Phase::Beginning { since: batch.now().steady };
        self.next = batch.now().steady;
        for visited in self.witnesses.values_mut() {
            *visited = Visited { is_epochs_behind: true, held: visited.held.take(), ..Visited::default() };
        }
        out.act(Action::Alarm("our ledger had lost its end; a new epoch was begun"));
        Ok(())
    }

    /// The heads besides `previous` that the next epoch names, in their order: what each witness holds, the tree we
    /// had if it is of another epoch, and what a beginning that is given up named in its turn. Of too many, those that
    /// most witnesses hold.
    fn other_heads(&self, own: &Head, previous: &Checkpoint) -> Vec<Head> {
        let mut found: Vec<(usize, Head)> = Vec::new();
        let mut name = |weight: usize, head: &Head| {
            if head.0 == *previous {
                return;
            }
            match found.iter_mut().find(|(_weight, known)| known.0 == head.0) {
                Some((known, _head)) => *known = known.saturating_add(weight),
                None => found.push((weight, head.clone())),
            }
        };
        if own.0.origin != previous.origin {
            name(self.witnesses.len(), own);
        }
        self.witnesses.values().filter_map(|visited| visited.held.as_ref()).for_each(|head| name(1, head));
        self.given_up(&own.0).iter().for_each(|(head, _kept)| name(0, head));
        found.sort_by(|(a, _), (b, _)| b.cmp(a));
        let mut others: Vec<Head> =
            found.into_iter().take(limits::OTHER_HEADS_MAX).map(|(_weight, head)| head).collect();
        others.sort_by_key(|(head, _note)| epoch::order(head));
        others
    }

    /// How many leaves of an epoch there are here.
    fn kept(&self, own: &Checkpoint, epoch: u32) -> u64 {
        if epoch == own.origin.epoch() {
            return self.began.unwrap_or(0).min(own.size);
        }
        let of_it = |((head, _note), kept): (Head, u64)| (head.origin.epoch() == epoch).then_some(kept);
        self.given_up(own).into_iter().filter_map(of_it).max().unwrap_or(0)
    }

    /// What the opening of the tree we have names, if nothing was ever written under it.
    fn given_up(&self, own: &Checkpoint) -> Vec<(Head, u64)> {
        let Some(opening) = self.opening.as_ref().filter(|_opening| own.size == 1) else { return Vec::new() };
        let others = opening.others.iter().map(|other| (&other.note, other.kept));
        let named = core::iter::once((&opening.previous, opening.kept)).chain(others);
        named.filter_map(|(note, kept)| Some((read_note(note)?, kept))).collect()
    }

    /// Makes an epoch known that no witness has to cosign.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub fn conclude(
        &mut self,
        first: &SignedCheckpoint,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let (Phase::Beginning { .. }, Some(opening)) = (self.phase, &mut self.opening) else { return Ok(()) };
        opening.first = first.as_bytes().to_vec().into();
        batch.put(opening_key(self.seat), Some(cbor::encode(opening)))?;
        self.publish(gate, out);
        self.phase = Phase::Shown;
        self.quorum_at = Some(batch.now().wall);
        Ok(())
    }

    /// Makes the open epoch known, if it is cosigned and not known yet. Of those who are no members nobody asks.
    fn publish(&self, gate: &Gate, out: &mut Outbox) {
        let Some(opening) = self.opening.as_ref().filter(|opening| !opening.first.is_empty()) else { return };
        let Some(member) = gate.roster().member(&self.party) else { return };
        let first = SignedCheckpoint::parse(&opening.first).ok().and_then(|first| first.claim().ok());
        if first.is_some_and(|first| first.origin.epoch() > gate.origin(member).epoch()) {
            out.act(Action::Publish(Notice::Opening(cbor::encode(opening).into())));
        }
    }

    /// Whether a new epoch waits for no witness.
    pub fn concludes_alone(&self, gate: &Gate) -> bool {
        matches!(self.phase, Phase::Beginning { .. }) && self.has_gone && self.quorum(gate) == 0
    }

    fn ask(&mut self, to: PartyId, batch: &mut Batch<'_>, out: &mut Outbox) {
        let attempt = ExchangeId::draw(batch.now().wall, batch.dice());
        let visited = self.witnesses.entry(to.clone()).or_default();
        let is_beginning = matches!(self.phase, Phase::Beginning { .. });
        let begins = is_beginning || visited.is_epochs_behind;
        // Once a quorum let the epoch begin, the witnesses that were away are shown that it did.
        let opening = self.opening.as_ref().filter(|_opening| begins).map(|opening| {
            let first = if is_beginning { Vec::new().into() } else { opening.first.clone() };
            cbor::encode(&Opening { first, ..opening.clone() })
        });
        let from = if opening.is_some() { visited.size.min(1) } else { visited.size };
        self.attempts.insert(attempt, (to.clone(), batch.now().steady));
        out.act(Action::Cosign { seat: self.seat, to, attempt, from, opening });
    }

    /// Holds what a witness has cosigned against our ledger; whether to ask it again.
    #[expect(clippy::too_many_arguments, reason = "the parts of a verdict, and what it is judged by")]
    fn compare(
        &mut self,
        witness: &PartyId,
        size: u64,
        note: &[u8],
        gate: &Gate,
        primitives: &dyn Primitives,
        batch: &Batch<'_>,
        out: &mut Outbox,
    ) -> Result<bool, StoreError> {
        // It may have been cosigned when another log key was in use.
        let parsed = SignedCheckpoint::parse(note).ok().filter(|signed| self.was_ours(signed, gate, primitives));
        let held = parsed.and_then(|signed| Some((signed.claim().ok()?, signed)));
        let Some((claimed, signed)) = held.filter(|(claimed, _signed)| claimed.size == size) else {
            let was = self.visited(witness).size;
            self.visited(witness).size = 0;
            return Ok(size == 0 && note.is_empty() && was != 0);
        };
        let is_more = Self::is_more(&claimed, batch)?;
        let is_cosigned = cosignature::count(primitives, &signed, &gate.witnesses(&self.party)) > 0;
        // Nobody would believe an epoch that begins after a head which no witness cosigned. What is in our own tree needs
        // no line to be known, and a witness's key may be another by now.
        if is_more && !is_cosigned {
            return Ok(false);
        }
        if is_cosigned {
            self.note_newest(&claimed, &signed);
        }
        self.visited(witness).held = Some((claimed.clone(), signed.clone()));
        if is_more {
            self.fall_behind(batch.now().steady, out);
            self.visited(witness).answered = true;
            return Ok(false);
        }
        let is_same = batch.origin().as_ref() == Some(&claimed.origin);
        let names = |opening: &Opening| opening.names(&signed);
        let is_left_out = !is_same && self.opening.as_ref().is_some_and(|opening| !names(opening));
        let visited = self.visited(witness);
        visited.is_left_out = is_left_out;
        let before = (visited.size, visited.is_epochs_behind);
        (visited.size, visited.is_epochs_behind) = if is_same { (size, false) } else { (0, true) };
        Ok(before != (visited.size, visited.is_epochs_behind))
    }

    /// A witness cosigned the head we sent.
    fn cosigned(
        &mut self,
        witness: &PartyId,
        cosigned: SignedCheckpoint,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let Ok(head) = cosigned.claim() else { return Ok(()) };
        let at = batch.now().wall;
        *self.visited(witness) = Visited {
            size: head.size,
            is_epochs_behind: false,
            answered: true,
            held: Some((head.clone(), cosigned.clone())),
            is_left_out: false,
            at: Some(at),
        };
        self.note_newest(&head, &cosigned);
        batch.put(cosigned_key(self.seat, witness), Some(cosigned.as_bytes().to_vec()))?;
        let quorum = self.quorum(gate);
        match self.phase {
            Phase::Beginning { .. } => {
                let Some(opening) = &mut self.opening else { return Ok(()) };
                let first = match SignedCheckpoint::parse(&opening.first) {
                    Ok(first) => together(&first, &cosigned).unwrap_or(first),
                    Err(_none_yet) => cosigned,
                };
                opening.first = first.as_bytes().to_vec().into();
                if self.witnesses.values().filter(|visited| visited.answered).count() >= quorum {
                    self.conclude(&first, gate, batch, out)?;
                }
            }
            Phase::Unshown => {
                if self.witnesses.values().filter(|visited| visited.answered).count() >= quorum {
                    self.phase = Phase::Shown;
                }
            }
            Phase::Behind { .. } | Phase::Shown => {}
        }
        let mut times: Vec<Timestamp> = self.witnesses.values().filter_map(|visited| visited.at).collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        self.quorum_at = times.get(quorum.saturating_sub(1)).copied().or(self.quorum_at);
        Ok(())
    }

    /// Answers an asker: a head that a quorum cosigned, and how it follows from each size.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn prove(&self, route: Route, sizes: &[u64], batch: &Batch<'_>, out: &mut Outbox) -> Result<(), StoreError> {
        let Some(note) = &self.quorum_note else { return Ok(()) };
        let Ok(head) = note.claim() else { return Ok(()) };
        let mut proofs = Vec::new();
        for size in sizes.iter().take(limits::PROOFS_PER_FRAME_MAX) {
            proofs.push(batch.consistency(*size, head.size)?);
        }
        let bytes = note.as_bytes().to_vec();
        out.act(Action::Reply(route, Frame::Proven(route.id, bytes.into(), proofs)));
        Ok(())
    }

    /// Puts lines under one head together until they are a quorum's.
    fn gather(&mut self, cosigned: &SignedCheckpoint, gate: &Gate, primitives: &dyn Primitives) {
        let together = self.gathering.take().filter(|before| before.text() == cosigned.text());
        let together = together.and_then(|before| self::together(&before, cosigned));
        let together = together.unwrap_or_else(|| cosigned.clone());
        if cosignature::count(primitives, &together, &gate.witnesses(&self.party)) >= gate.quorum(&self.party) {
            self.quorum_note = Some(together.clone());
        }
        self.gathering = (together.signatures().len() < LINES_MAX).then_some(together);
    }

    /// Four hours without a quorum, and a day, are each alarmed once.
    fn alarm_of_quorum(&mut self, now: Timestamp, out: &mut Outbox) {
        let Some(missing) = self.quorum_at.map(|at| now.since(at)) else { return };
        let steps = [
            (limits::UNWITNESSED_MARK, "no quorum of witnesses for four hours: answers are marked"),
            (limits::UNWITNESSED_LIMIT, "no quorum of witnesses for a day: only cards and emergencies are answered"),
        ];
        for (step, what) in steps {
            if missing >= step && self.alarmed < step {
                out.act(Action::Alarm(what));
            }
        }
        self.alarmed = missing;
    }

    fn fall_behind(&mut self, now: Steady, out: &mut Outbox) {
        if matches!(self.phase, Phase::Behind { .. }) {
            return;
        }
        out.act(Action::Alarm("others hold more of our ledger than we do"));
        self.phase = Phase::Behind { since: now };
        self.next = now;
        self.witnesses.values_mut().for_each(|visited| visited.answered = false);
    }

    fn visited(&mut self, witness: &PartyId) -> &mut Visited {
        self.witnesses.entry(witness.clone()).or_default()
    }

    fn note_newest(&mut self, claimed: &Checkpoint, signed: &SignedCheckpoint) {
        let place = |checkpoint: &Checkpoint| (checkpoint.origin.epoch(), checkpoint.size);
        if self.newest.as_ref().is_none_or(|(known, _note)| place(known) <= place(claimed)) {
            self.newest = Some((claimed.clone(), signed.clone()));
        }
    }

    /// Whether a head says that our ledger has, or had, what is not here.
    fn is_more(claimed: &Checkpoint, batch: &Batch<'_>) -> Result<bool, StoreError> {
        let (Some(origin), Some(head)) = (batch.origin(), batch.head()) else { return Ok(false) };
        if claimed.origin.epoch() != origin.epoch() {
            return Ok(claimed.origin.epoch() > origin.epoch());
        }
        Ok(claimed.size > head.size || batch.root_at(claimed.size)? != claimed.root)
    }

    /// Whether a note is signed by our own log key, the one in use or one the roster still names.
    fn is_ours(&self, signed: &SignedCheckpoint, gate: &Gate, primitives: &dyn Primitives) -> bool {
        let Ok(claimed) = signed.claim() else { return false };
        let listed = gate.roster().member(&self.party).map(|member| member.log.clone()).unwrap_or_default();
        let logs = core::iter::once(&self.log).chain(&listed);
        self.is_under(signed, &claimed.origin, logs, gate, primitives)
    }

    /// Whether a note is of our ledger, signed with the log key in use or one that some roster named for us.
    fn was_ours(&self, signed: &SignedCheckpoint, gate: &Gate, primitives: &dyn Primitives) -> bool {
        let Ok(claimed) = signed.claim() else { return false };
        let logs = core::iter::once(&self.log).chain(gate.logs(&self.party));
        self.is_under(signed, &claimed.origin, logs, gate, primitives)
    }

    fn is_under<'k>(
        &self,
        signed: &SignedCheckpoint,
        origin: &Origin,
        mut logs: impl Iterator<Item = &'k PublicKey>,
        gate: &Gate,
        primitives: &dyn Primitives,
    ) -> bool {
        origin.party() == &self.party
            && origin.is_in(&gate.network())
            && logs.any(|log| signed.verify(primitives, origin, log.as_bytes()).is_ok())
    }

    fn judges(&self, gate: &Gate) -> Vec<PartyId> {
        let witnesses = gate.witnesses(&self.party);
        witnesses.iter().filter_map(|witness| PartyId::parse(witness.name.as_str())).collect()
    }

    /// How many of the witnesses that can be asked are enough.
    fn quorum(&self, gate: &Gate) -> usize {
        gate.quorum(&self.party).min(self.witnesses.len())
    }
}

/// One head with the lines of both notes; who cosigned it again, a second later, keeps the first line. None if they do
/// not fit.
fn together(known: &SignedCheckpoint, came: &SignedCheckpoint) -> Option<SignedCheckpoint> {
    let is_new = |line: &&SignatureLine| known.signatures().iter().all(|before| before.name() != line.name());
    let lines: Vec<SignatureLine> = came.signatures().iter().filter(is_new).cloned().collect();
    known.with_cosignatures(&lines).ok()
}

/// What a signed note says, and the note.
fn read_note(note: &[u8]) -> Option<Head> {
    let signed = SignedCheckpoint::parse(note).ok()?;
    Some((signed.claim().ok()?, signed))
}

/// The row of how the seat's own open epoch began; there is none while it is the first.
pub fn opening_key(seat: Seat) -> Key {
    Key::new(seat, table::EPOCH, &[])
}

/// The row of the newest head a witness cosigned.
pub fn cosigned_key(seat: Seat, witness: &PartyId) -> Key {
    Key::new(seat, table::COSIGNATURE, Digest::of(witness.to_string().as_bytes()).as_bytes())
}

/// The head with the witness's line under it, if the line holds under the key the roster names, and when the witness
/// says that it cosigned.
fn believed(
    party: &PartyId,
    line: &str,
    sent: &SignedCheckpoint,
    gate: &Gate,
    primitives: &dyn Primitives,
) -> Option<(SignedCheckpoint, Timestamp)> {
    let cosigned = sent.with_cosignatures(&[SignatureLine::parse(line)?]).ok()?;
    let signed = line_holds(party, &cosigned, gate, primitives)?;
    Some((cosigned, signed))
}

/// When the witness cosigned, if its line holds.
fn line_holds(
    party: &PartyId,
    cosigned: &SignedCheckpoint,
    gate: &Gate,
    primitives: &dyn Primitives,
) -> Option<Timestamp> {
    let public = gate.roster().member(party).and_then(|member| member.cosigning)?;
    let witness = cosignature::Witness { name: WitnessName::parse(&party.to_string())?, public: *public.as_bytes() };
    cosignature::verify(primitives, cosigned, &witness).ok()
}
