//! The requester (照会者): asks on behalf of local software and ends every ask — with an answer whose receipt
//! was checked, or with the reason there is none.
//!
//! Finds the home, makes the request, keeps its bytes before sending and resends only those, checks the
//! receipt, writes its own leaf. Deadlines and retries are here and nowhere else. Never sees another
//! seat's keys.

mod answers;
mod over_time;
mod resume;
mod sending;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::batch::Batch;
use crate::code::job::Job;
use crate::code::purpose::Purpose;
use crate::digest::Digest;
use crate::gate::{Condition, Gate};
use crate::id::exchange::ExchangeId;
use crate::id::handle::Handle;
use crate::id::insurer::InsurerNumber;
use crate::id::party::{PartyId, PartyKind};
use crate::key::{KeyId, PublicKey};
use crate::ledger::origin::Origin;
use crate::ledger::proof::VerifiedNotes;
use crate::limits;
use crate::machine::{
    Action, AnswerError, Ask, AskId, Count, Ending, Event, Failure, KnownNote, Outbox, Pending, Reuse, Signing, Wish,
    Work,
};
use crate::message::{Erasure, Points, Question, Reading, Request, Staff, Submission};
use crate::open_ask;
use crate::primitives::{Blinds, OUTPUT_BYTES, Secret, SigningKey, Suite};
use crate::pseudonym::{self, Pseudonym};
use crate::roster::Member;
use crate::store::{Key, Seat, StoreError};
use crate::table;
use crate::time::{Span, Steady};
use crate::wall::Reliance;

/// What a requester needs to know of itself.
#[derive(Debug)]
pub struct Identity {
    /// Its seat.
    pub seat: Seat,
    /// Its organisation.
    pub party: PartyId,
    /// Its signing key.
    pub signing: Arc<dyn SigningKey>,
    /// The public half.
    pub signing_public: PublicKey,
    /// Its credential, unless it is a member.
    pub credential: Option<Vec<u8>>,
    /// Hides persons in its index.
    pub label: Secret,
    /// The suite it prefers.
    pub suite: Suite,
    /// Whether every message gets an encapsulation of its own.
    pub fresh_encapsulations: bool,
    /// How long its requests live; at most [`limits::REQUEST_LIFE`].
    pub life: Span,
}

/// The machine.
#[derive(Debug)]
pub struct Requester {
    identity: Identity,
    asks: BTreeMap<AskId, OpenAsk>,
    exchanges: BTreeMap<ExchangeId, OpenExchange>,
    heads: BTreeMap<PartyId, Arc<KnownNote>>,
    notes: BTreeMap<PartyId, Arc<VerifiedNotes>>,
    channels: BTreeMap<PartyId, Channel>,
    homes: BTreeMap<Digest, (InsurerNumber, Steady)>,
    /// Nothing is due before; at times something that is over by then was.
    due: Option<Steady>,
    over_time: over_time::OverTime,
    /// When the key of the rows on the disk is replaced.
    renewal: Option<Steady>,
}

/// For whom an exchange is begun.
#[derive(Debug)]
struct Caller {
    ask: AskId,
    staff: Staff,
    purpose: Purpose,
    /// When it is over, if no ask ends it.
    ends: Option<Steady>,
}

#[derive(Debug)]
struct OpenAsk {
    ask: Ask,
    ends: Steady,
    /// What uncovers each evaluator's answer, until it is there.
    hidden: BTreeMap<PartyId, Blinds>,
    /// How many evaluators were asked.
    evaluators: usize,
    /// What each of them made of the handle.
    outputs: BTreeMap<PartyId, Box<[u8; OUTPUT_BYTES]>>,
    pseudonym: Option<Pseudonym>,
}

#[derive(Debug)]
struct OpenExchange {
    ask: AskId,
    to: PartyId,
    question: Question,
    request: Request,
    named: Option<Arc<KnownNote>>,
    /// The sealing key it is sealed to, and our key that signs it: an encapsulation belongs to both.
    /// None if it was sealed before a restart.
    keys: Option<(KeyId, PublicKey)>,
    sent: Option<Sent>,
    /// The roster under which an answer came whose log key is none of it.
    unsigned: Option<u32>,
    again: Steady,
    /// When it is over, if no ask ends it: it was taken up again after a restart.
    ends: Option<Steady>,
}

#[derive(Debug)]
struct Sent {
    bytes: Vec<u8>,
    pending: Arc<Pending>,
}

#[derive(Debug)]
struct Channel {
    reuse: Reuse,
    keys: (KeyId, PublicKey),
    since: Steady,
    messages: u32,
}

impl Requester {
    /// A requester with nothing open.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            asks: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            heads: BTreeMap::new(),
            notes: BTreeMap::new(),
            channels: BTreeMap::new(),
            homes: BTreeMap::new(),
            due: None,
            over_time: over_time::OverTime::default(),
            renewal: None,
        }
    }

    /// Whether an ask has not ended yet.
    pub fn waits(&self) -> bool {
        !self.asks.is_empty() || self.over_time.waits() || self.exchanges.values().any(|open| open.ends.is_some())
    }

    /// Who it asks for.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Changes what it knows of itself.
    pub fn adjust(&mut self, adjust: &dyn Fn(&mut Identity)) {
        adjust(&mut self.identity);
    }

    /// Takes a renewed credential.
    pub fn renew(&mut self, credential: Vec<u8>) {
        self.identity.credential = Some(credential);
    }

    /// Signs with this key from now on.
    pub fn sign_with(&mut self, key: Arc<dyn SigningKey>) {
        self.identity.signing_public = PublicKey::from_bytes(key.public());
        self.identity.signing = key;
    }

    /// The newest verified heads of others' ledgers that are at hand.
    pub fn heads(&self) -> impl Iterator<Item = (&PartyId, &[u8])> {
        self.heads.iter().map(|(party, note)| (party, note.bytes.as_slice()))
    }

    /// What opens the answer of an exchange, for a worker. Its receipt counts under the log keys that the roster
    /// names now, whatever it named when the question was asked. If the member began a new epoch since it was asked,
    /// the answer must be of that: what was named of the one before says nothing of it.
    pub fn pending(&mut self, exchange: &ExchangeId, gate: &Gate) -> Option<Arc<Pending>> {
        let open = self.exchanges.get_mut(exchange)?;
        let sent = open.sent.as_mut()?;
        let member = gate.roster().member(&open.to)?;
        if sent.pending.logs != member.log {
            Arc::make_mut(&mut sent.pending).logs.clone_from(&member.log);
        }
        let origin = gate.origin(member);
        if sent.pending.origin == origin {
            return Some(Arc::clone(&sent.pending));
        }
        Some(Arc::new(Pending { origin, named: None, ..sent.pending.as_ref().clone() }))
    }

    /// Takes events that concern asks of our own; hands back those that do not.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub fn handle(
        &mut self,
        event: Event,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<Option<Event>, StoreError> {
        match event {
            Event::Ask(id, ask) => self.ask(id, ask, gate, batch, out)?,
            Event::Sealed(exchange, drafted) => self.sealed(exchange, *drafted, gate, batch, out)?,
            Event::Answered(exchange, Ok(accepted)) => self.answered(exchange, *accepted, gate, batch, out)?,
            Event::Answered(exchange, Err(error)) => {
                if !self.asks_again(exchange, error, gate, batch) {
                    self.end_exchange(exchange, Failure::NotBelieved(error), batch, out)?;
                }
            }
            Event::Busy(exchange, span) => self.wait(exchange, span, batch),
            Event::Lost(exchange) => self.wait(exchange, LOST_AGAIN, batch),
            Event::Declined(exchange) => {
                let to = self.exchanges.get(&exchange).map(|open| open.to.clone());
                let failure = Failure::NotAdmitted(to.unwrap_or_else(|| self.identity.party.clone()));
                self.end_exchange(exchange, failure, batch, out)?;
            }
            Event::Blinded(id, hidden) => self.blinded(id, hidden, gate, batch, out)?,
            Event::Signed(id, papers) => self.signed(id, papers, gate, batch, out)?,
            Event::Unblinded(id, output) => self.unblinded(id, output, gate, batch, out)?,
            Event::Deadline => {
                self.catch_up(batch, out)?;
                self.follow_up(gate, batch, out)?;
                if self.renewal.is_some_and(|at| at <= batch.now().steady) {
                    self.renewal = None;
                    open_ask::renew_key(batch)?;
                }
                return Ok(Some(Event::Deadline));
            }
            other @ (Event::Request(..)
            | Event::Evaluated(..)
            | Event::Examined(..)
            | Event::Import(..)
            | Event::Fed(..)
            | Event::Cosign { .. }
            | Event::Shown(_)
            | Event::Prove { .. }
            | Event::Proven(..)
            | Event::Issued(..)
            | Event::Cosigned(..)) => return Ok(Some(other)),
        }
        if self.asks.is_empty() && self.exchanges.is_empty() {
            self.due = None;
        }
        Ok(None)
    }

    /// When the next attempt or end is due.
    pub fn deadline(&self) -> Option<(Steady, &'static str)> {
        let due = self.due.map(|due| (due, "an attempt or an ask is over"));
        let later = self.over_time.deadline().map(|at| (at, "receipts are followed up"));
        let renewal = self.renewal.map(|at| (at, "the key of ended asks is destroyed"));
        due.into_iter().chain(later).chain(renewal).min()
    }

    fn ask(
        &mut self,
        id: AskId,
        ask: Ask,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        if self.asks.len() >= limits::OPEN_ASKS_MAX {
            tell(out, id, Ending::Failed(Failure::TooMany));
            return Ok(());
        }
        if gate.condition(batch.now().wall) == Condition::Closed {
            tell(out, id, Ending::Failed(Failure::NotReady("no current roster or pulse")));
            return Ok(());
        }
        if batch.reliance() == Reliance::Uncertain {
            tell(out, id, Ending::Failed(Failure::NotReady("the wall clock was set")));
            return Ok(());
        }
        let ends = batch.now().steady.plus(limits::ASK_LIMIT);
        let person = ask.person.clone();
        let is_registration = matches!(ask.wish, Wish::Registration { .. });
        self.asks.insert(
            id,
            OpenAsk { ask, ends, hidden: BTreeMap::new(), evaluators: 0, outputs: BTreeMap::new(), pseudonym: None },
        );
        self.expect(ends);
        match self.known_home(&person, batch.now().steady) {
            Some(insurer) if !is_registration => self.read_from(id, &insurer, gate, batch, out),
            _ => {
                let evaluators = gate.roster().of_kind(PartyKind::Pseudonymiser).count();
                self.hide(id, &person, evaluators, out);
                Ok(())
            }
        }
    }

    /// Hands the handle to a worker, to be hidden from so many evaluators.
    fn hide(&mut self, id: AskId, person: &Handle, evaluators: usize, out: &mut Outbox) {
        if evaluators == 0 {
            return self.fail(id, Failure::NotReady("no pseudonymiser in the roster"), out);
        }
        let hide = Work::Blind(id, pseudonym::input(person), evaluators);
        out.act(Action::Work(self.identity.seat, Box::new(hide)));
    }

    /// The insurer on the card, or one found in the directory not long ago.
    fn known_home(&self, person: &Handle, now: Steady) -> Option<InsurerNumber> {
        match person {
            Handle::Care(person) => Some(person.insurer()),
            Handle::Medical(_) => {
                let (insurer, since) = self.homes.get(&Digest::of(person.expose().as_bytes()))?;
                (now.since(*since) < limits::HOME_LIFE).then_some(*insurer)
            }
        }
    }

    fn blinded(
        &mut self,
        id: AskId,
        hidden: Vec<(Blinds, [u8; 32])>,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let Some(open) = self.asks.get_mut(&id) else { return Ok(()) };
        let evaluators = gate.roster().of_kind(PartyKind::Pseudonymiser).map(|member| member.party.clone());
        let evaluators: Vec<_> = evaluators.collect();
        if evaluators.len() != hidden.len() {
            // The roster is another by now, and with it the pseudonym.
            let person = open.ask.person.clone();
            self.hide(id, &person, evaluators.len(), out);
            return Ok(());
        }
        open.evaluators = evaluators.len();
        let mut questions = Vec::new();
        for (evaluator, (blinds, point)) in evaluators.into_iter().zip(hidden) {
            open.hidden.insert(evaluator.clone(), blinds);
            questions.push((evaluator, Points { version: KEY_VERSION, points: vec![point.into()] }));
        }
        for (evaluator, points) in questions {
            self.begin(id, &evaluator, Question::Evaluate(points), gate, batch, out)?;
        }
        Ok(())
    }

    fn unblinded(
        &mut self,
        id: AskId,
        output: Option<(PartyId, Box<[u8; OUTPUT_BYTES]>)>,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let Some(open) = self.asks.get_mut(&id) else { return Ok(()) };
        let Some((evaluator, output)) = output else {
            self.fail(id, Failure::NotBelieved(AnswerError::Evaluation), out);
            return Ok(());
        };
        open.outputs.insert(evaluator, output);
        if open.outputs.len() < open.evaluators {
            return Ok(());
        }
        let pseudonym = Pseudonym::new(&open.outputs, KEY_VERSION);
        let question = match &open.ask.wish {
            Wish::Registration { home, number } => Question::Register(vec![home.register(&pseudonym, *number)]),
            Wish::Records { .. } | Wish::History | Wish::Submission(_) | Wish::Erasure(_) => {
                Question::LookUp(pseudonym.tag())
            }
        };
        open.pseudonym = Some(pseudonym);
        self.ask_directory(id, question, gate, batch, out)
    }

    fn ask_directory(
        &mut self,
        id: AskId,
        question: Question,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let Some(directory) = gate.roster().of_kind(PartyKind::Directory).next() else {
            self.fail(id, Failure::NotReady("no directory in the roster"), out);
            return Ok(());
        };
        self.begin(id, &directory.party.clone(), question, gate, batch, out)
    }

    fn read_from(
        &mut self,
        id: AskId,
        insurer: &InsurerNumber,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let Some(open) = self.asks.get(&id) else { return Ok(()) };
        let Some(member) = gate.roster().insurer(insurer) else {
            self.fail(id, Failure::NoSuchInsurer, out);
            return Ok(());
        };
        let today = crate::date::Date::from_timestamp_japan(batch.now().wall);
        if member.participates_from > today {
            self.fail(id, Failure::NotParticipating(member.participates_from), out);
            return Ok(());
        }
        let person = open.ask.person.clone();
        let question = match &open.ask.wish {
            Wish::Submission(slips) => {
                let signing = Signing {
                    slips: slips.clone(),
                    person,
                    author: self.identity.party.clone(),
                    network: gate.network(),
                    signing: Arc::clone(&self.identity.signing),
                };
                out.act(Action::Work(self.identity.seat, Box::new(Work::Sign(id, Box::new(signing)))));
                return Ok(());
            }
            Wish::Records { kinds, valid_on, known_at, versions } => Question::Read(Reading {
                person,
                kinds: kinds.clone(),
                valid_on: *valid_on,
                known_at: *known_at,
                versions: *versions,
            }),
            Wish::History => Question::History(person),
            Wish::Erasure(record) => Question::Erase(Erasure { person, record: *record }),
            Wish::Registration { .. } => return Ok(()),
        };
        self.begin(id, &member.party.clone(), question, gate, batch, out)
    }

    /// What is to be submitted is signed: it goes to the insurer on the card.
    fn signed(
        &mut self,
        id: AskId,
        papers: Vec<minicbor::bytes::ByteVec>,
        gate: &Gate,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        let Some(open) = self.asks.get(&id) else { return Ok(()) };
        let person = open.ask.person.clone();
        let Handle::Care(card) = &person else {
            self.fail(id, Failure::Malformed, out);
            return Ok(());
        };
        let Some(member) = gate.roster().insurer(&card.insurer()) else {
            self.fail(id, Failure::NoSuchInsurer, out);
            return Ok(());
        };
        let question = Question::Submit(Submission { person, papers });
        self.begin(id, &member.party.clone(), question, gate, batch, out)
    }

    /// Something becomes due then.
    fn expect(&mut self, at: Steady) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    fn wait(&mut self, exchange: ExchangeId, span: Span, batch: &Batch<'_>) {
        if let Some(open) = self.exchanges.get_mut(&exchange) {
            let again = batch.now().steady.plus(span);
            open.again = again;
            self.expect(again);
        }
    }

    /// Sends again what got no answer in time, and ends what has run out of time.
    fn catch_up(&mut self, batch: &mut Batch<'_>, out: &mut Outbox) -> Result<(), StoreError> {
        let now = batch.now();
        if self.due.is_none_or(|due| due > now.steady) {
            return Ok(());
        }
        let over: Vec<_> =
            self.asks.iter().filter(|(_id, open)| open.ends <= now.steady).map(|(id, _open)| *id).collect();
        for id in over {
            let waiting: Vec<_> = self
                .exchanges
                .iter()
                .filter(|(_exchange, open)| open.ask == id)
                .map(|(exchange, _open)| *exchange)
                .collect();
            let to = waiting.first().and_then(|exchange| self.exchanges.get(exchange)).map(|open| open.to.clone());
            for exchange in waiting {
                self.exchanges.remove(&exchange);
                self.forget_row(&exchange, batch)?;
            }
            let to = to.unwrap_or_else(|| self.identity.party.clone());
            self.fail(id, Failure::Unreachable(to), out);
        }
        let is_over = |open: &OpenExchange| open.ends.is_some_and(|ends| ends <= now.steady);
        let over: Vec<_> = self.exchanges.iter().filter(|(_id, open)| is_over(open)).map(|(id, _open)| *id).collect();
        for exchange in over {
            self.exchanges.remove(&exchange);
            self.forget_row(&exchange, batch)?;
            out.count(Count::AskFailed);
        }
        for (exchange, open) in &mut self.exchanges {
            if open.again > now.steady {
                continue;
            }
            open.again = now.steady.plus(limits::ATTEMPT_LIMIT);
            if let Some(sent) = &open.sent {
                let bytes = sent.bytes.clone();
                out.act(Action::Transmit { seat: self.identity.seat, to: open.to.clone(), exchange: *exchange, bytes });
            }
        }
        let again = self.exchanges.values().flat_map(|open| [Some(open.again), open.ends]).flatten();
        self.due = again.chain(self.asks.values().map(|open| open.ends)).min();
        Ok(())
    }

    fn end_exchange(
        &mut self,
        exchange: ExchangeId,
        failure: Failure,
        batch: &mut Batch<'_>,
        out: &mut Outbox,
    ) -> Result<(), StoreError> {
        if let Some(open) = self.exchanges.remove(&exchange) {
            self.forget_row(&exchange, batch)?;
            self.fail(open.ask, failure, out);
        }
        Ok(())
    }

    /// An exchange has ended: its row goes now, and what older copies of it are sealed under goes later.
    fn forget_row(&mut self, exchange: &ExchangeId, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let at = batch.now().steady.plus(limits::ASK_KEY_LIFE);
        self.renewal.get_or_insert(at);
        open_ask::remove(exchange, batch)
    }

    fn fail(&mut self, id: AskId, failure: Failure, out: &mut Outbox) {
        if let Some(open) = self.asks.remove(&id) {
            // What else it has asked nobody waits for: it ends with its answer, or in time.
            let left = self.exchanges.values_mut().filter(|exchange| exchange.ask == id);
            left.for_each(|exchange| exchange.ends = Some(open.ends));
            out.count(Count::AskFailed);
            tell(out, id, Ending::Failed(failure));
        }
    }
}

/// How many checkpoints of one ledger are remembered as verified.
const NOTES_MAX: usize = 16;
/// The one key version of the oblivious function.
const KEY_VERSION: u32 = 1;
/// How long to wait before a lost exchange is sent again.
const LOST_AGAIN: Span = Span::from_ms(250);

/// The origin of a member's first epoch, for whoever has no gate.
pub fn origin_of_member(network: &Digest, member: &Member) -> Origin {
    Origin::new(network, &member.party, member.epoch)
}

/// Directory and pseudonymiser decide by organisation: who of its staff asks is none of theirs.
fn staff_for(question: &Question, staff: &Staff) -> Staff {
    match question {
        Question::Read(_) | Question::History(_) | Question::Submit(_) | Question::Erase(_) => staff.clone(),
        Question::LookUp(_) | Question::Evaluate(_) | Question::Register(_) | Question::Resubmit(_) => {
            Staff { id: String::new(), job: Job::System, proof: None }
        }
    }
}

fn tell(out: &mut Outbox, id: AskId, ending: Ending) {
    out.act(Action::Tell(id, Box::new(ending)));
}

fn head_key(seat: Seat, party: &PartyId) -> Key {
    Key::new(seat, table::HEAD, Digest::of(party.to_string().as_bytes()).as_bytes())
}
