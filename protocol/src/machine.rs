//! The machine's alphabet: what comes in, what goes out, and what a worker does in between.
//!
//! A machine decides on one thread, one event after another, and gives nothing out: everything it wants
//! done waits in the [`Outbox`] until the commit that makes it durable. Work is pure and carries all
//! it needs. Knows no particular machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::batch::Batch;
use crate::binding::Binding;
use crate::cbor;
use crate::code::record_kind::RecordKind;
use crate::date::Date;
use crate::digest::Digest;
use crate::envelope::{self, Header, Outgoing, SealedAnswer};
use crate::feed::{Fed, Feed};
use crate::frame::{Frame, Verdict};
use crate::gate::{Gate, NotAdmitted, Notice, Standing};
use crate::id::exchange::ExchangeId;
use crate::id::handle::Handle;
use crate::id::party::PartyId;
use crate::key::PublicKey;
use crate::ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::ledger::leaf::{Salt, Salts};
use crate::ledger::origin::Origin;
use crate::ledger::proof::{Evidence, EvidenceError, VerifiedNotes};
use crate::message::{Body, Flaw, Named, Outcome, Points, Question, Staff, Versions};
use crate::primitives::{self, Blinds, Channel, OUTPUT_BYTES, Primitives, Secret, SigningKey};
use crate::record::paper::{Author, Paper, Vouched};
use crate::record::slip::Slip;
use crate::store::{Committed, Entry, Receipt, Seat, Store, StoreError};
use crate::time::{Now, Steady, Timestamp};
use crate::verify::{Opened, Sealed, Unfit, Verified};

/// Where an answer goes: a connection, and the number its frame had there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The connection; [`Route::OWN`] if asker and asked are served by one process.
    pub connection: u64,
    /// The frame's number.
    pub id: u64,
}

/// The name of an ask within its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AskId(pub u64);

impl AskId {
    /// The ask of an exchange for which nobody waits any more; never given to another.
    pub const NOBODY: Self = Self(0);
}

/// What local software wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which member of staff.
    pub staff: Staff,
    /// What for.
    pub purpose: crate::code::purpose::Purpose,
    /// About whom.
    pub person: Handle,
    /// What of them.
    pub wish: Wish,
}

/// What is wanted of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Records.
    Records {
        /// Of these kinds.
        kinds: Vec<RecordKind>,
        /// As they stood on this day; today if absent.
        valid_on: Option<Date>,
        /// As known at this instant; now if absent.
        known_at: Option<Timestamp>,
        /// Which versions; those in force if absent.
        versions: Option<Versions>,
    },
    /// Who looked at them.
    History,
    /// Erase a record, or everything that is kept of the person; their insurer's own officers wish it.
    Erasure(Option<Named>),
    /// Submit versions of records; their insurer keeps them all or none.
    Submission(Vec<Slip>),
    /// Register in the directory that this home is theirs; an insurer's own staff wish it.
    Registration {
        /// The home.
        home: Binding,
        /// The registrant's number for it, above its last.
        number: u64,
    },
}

/// How an ask ended. Every ask ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The member answered or refused, with a receipt.
    Answered(Box<Answered>),
    /// There is no answer.
    Failed(Failure),
}

/// An answer whose receipt was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The exchange.
    pub exchange: ExchangeId,
    /// SHA-256 of the request's envelope.
    pub request: Digest,
    /// The answer's body as received.
    pub body: Vec<u8>,
    /// What the body says.
    pub outcome: Outcome,
    /// Who answered.
    pub responder: PartyId,
    /// The proof that it stands in the responder's ledger.
    pub evidence: Vec<u8>,
    /// Its place there.
    pub leaf: u64,
    /// The place of our own leaf about it, counted through all epochs of our ledger.
    pub own_leaf: u64,
    /// Whether no quorum of witnesses has cosigned a head yet that follows from the one it was proven under.
    pub is_unwitnessed: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No attempt was answered in time.
    #[error("unreachable: {0}")]
    Unreachable(PartyId),
    /// The member does not admit this organisation: its credential is revoked, over, or unknown there.
    #[error("not admitted by {0}")]
    NotAdmitted(PartyId),
    /// The insurer is known but does not take part before that day.
    #[error("takes part from {0}")]
    NotParticipating(Date),
    /// Nobody in the roster answers for that insurer number.
    #[error("no member answers for that insurer")]
    NoSuchInsurer,
    /// No directory entry under that handle.
    #[error("no home is registered")]
    NoHome,
    /// What came back was not to be believed: no receipt, a wrong receipt, a forged proof.
    #[error("not to be believed: {0}")]
    NotBelieved(#[from] AnswerError),
    /// Too many asks are open.
    #[error("too many asks are open")]
    TooMany,
    /// This node may not ask at the moment: no current roster or credential.
    #[error("this node cannot ask: {0}")]
    NotReady(&'static str),
    /// The asked member is busy and the ask's time is over.
    #[error("busy")]
    Busy,
    /// The ask breaks a bound.
    #[error("the ask is malformed")]
    Malformed,
}

/// Why an answer was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It does not open.
    #[error("it does not open")]
    DoesNotOpen,
    /// It is not of the one encoding.
    #[error("it is malformed")]
    Malformed,
    /// It names another request, responder or ledger.
    #[error("it is the answer to something else")]
    Misdirected,
    /// Its instant is not plausible.
    #[error("its time is not plausible")]
    Implausible,
    /// Its receipt does not prove it.
    #[error("its receipt does not prove it: {0}")]
    Receipt(#[from] EvidenceError),
    /// The proof of an evaluation does not hold.
    #[error("the proof of the evaluation does not hold")]
    Evaluation,
}

/// Evaluated points, and one proof for all of them.
pub type Evaluation = (Vec<[u8; 32]>, [u8; 64]);

/// What was submitted, each version vouched for by its author, or everything that is wrong with it.
pub type Examined = Result<Vec<Vouched>, Vec<Flaw>>;

/// What a machine is told.
#[derive(Debug)]
pub enum Event {
    /// A request of a peer, verified.
    Request(Box<Verified>, Route),
    /// Local software asks.
    Ask(AskId, Ask),
    /// A request of our own is signed and sealed.
    Sealed(ExchangeId, Box<Drafted>),
    /// An answer was opened, or is not to be believed.
    Answered(ExchangeId, Result<Box<Accepted>, AnswerError>),
    /// The asked member is busy.
    Busy(ExchangeId, crate::time::Span),
    /// The connection on which an exchange waited is gone, or could not be made.
    Lost(ExchangeId),
    /// The asked member does not admit us.
    Declined(ExchangeId),
    /// A handle is hidden, once for each evaluator: no two see the same point.
    Blinded(AskId, Vec<(Blinds, [u8; 32])>),
    /// An evaluator's output is uncovered; none if its proof does not hold.
    Unblinded(AskId, Option<(PartyId, Box<[u8; OUTPUT_BYTES]>)>),
    /// Points are evaluated.
    Evaluated(Box<Verified>, Route, Option<Box<Evaluation>>),
    /// Versions to be submitted are signed.
    Signed(AskId, Vec<minicbor::bytes::ByteVec>),
    /// What was submitted was examined.
    Examined(Box<Verified>, Route, Examined),
    /// The municipality's own systems feed it.
    Import(AskId, Vec<u8>),
    /// What they fed was read.
    Fed(AskId, Box<Fed>),
    /// The seat, an issuer, issued a credential: it is to stand in its ledger.
    Issued(AskId, Vec<u8>),
    /// A ledger's owner wants its checkpoint cosigned.
    Cosign {
        /// Where the verdict goes.
        route: Route,
        /// Who was admitted on the connection.
        standings: Vec<Arc<Standing>>,
        /// The signed checkpoint.
        note: Vec<u8>,
        /// The size the proof begins at.
        from: u64,
        /// The proof.
        proof: Vec<Digest>,
        /// How the epoch began, if the checkpoint is its first.
        opening: Option<minicbor::bytes::ByteVec>,
    },
    /// An asker shows a head of the seat's ledger that it verified.
    Shown(Vec<u8>),
    /// An asker wants to see a cosigned head of the seat's ledger, and how it follows from these sizes.
    Prove {
        /// Where the answer goes.
        route: Route,
        /// The sizes.
        sizes: Vec<u64>,
    },
    /// A member shows a cosigned head of its ledger, and how it follows from the sizes asked for.
    Proven(ExchangeId, Vec<u8>, Vec<Vec<Digest>>),
    /// A witness's verdict, and the head it is about.
    Cosigned(ExchangeId, Verdict, Option<Arc<SignedCheckpoint>>),
    /// The moment named by `deadline` came.
    Deadline,
}

/// What a machine wants done once the commit is durable.
#[derive(Debug)]
pub enum Action {
    /// Give this to a worker.
    Work(Seat, Box<Work>),
    /// Send a request to a member.
    Transmit {
        /// From which seat.
        seat: Seat,
        /// To whom.
        to: PartyId,
        /// The exchange, to hear of its loss.
        exchange: ExchangeId,
        /// The envelope.
        bytes: Vec<u8>,
    },
    /// Send a frame on a connection.
    Reply(Route, Frame),
    /// Ask a witness to cosign our newest head.
    Cosign {
        /// From which seat.
        seat: Seat,
        /// Which witness.
        to: PartyId,
        /// The name of this attempt.
        attempt: ExchangeId,
        /// The size it cosigned last.
        from: u64,
        /// How the open epoch began, to have its first head cosigned instead of the newest.
        opening: Option<Vec<u8>>,
    },
    /// Ask a member for a cosigned head of its ledger.
    Prove {
        /// From which seat.
        seat: Seat,
        /// Which member.
        to: PartyId,
        /// The name of this attempt.
        attempt: ExchangeId,
        /// The sizes it is to follow from.
        sizes: Vec<u64>,
    },
    /// Make something known to everybody.
    Publish(Notice),
    /// Tell local software how its ask ended.
    Tell(AskId, Box<Ending>),
    /// Tell local software what an import did.
    Imported(AskId, Result<u64, String>),
    /// Somebody signed this instant a moment ago.
    Heard(PartyId, Timestamp),
    /// Something an operator must see.
    Alarm(&'static str),
}

/// What a worker does: pure, on any thread.
pub enum Work {
    /// Verify a presentation.
    Admit {
        /// On which connection.
        connection: u64,
        /// The number of its frame.
        number: u64,
        /// The transport key its other end proved.
        peer: PublicKey,
        /// The presentation.
        bytes: Vec<u8>,
        /// Whom we believe.
        gate: Arc<Gate>,
    },
    /// Open and verify a request.
    Open {
        /// What to open, and with what.
        sealed: Box<Sealed>,
        /// Where its answer goes.
        route: Route,
    },
    /// Sign and seal a request of our own.
    SealRequest(Box<Draft>),
    /// Seal answers, at most [`ANSWERS_PER_PIECE_MAX`] at once.
    SealAnswers(Vec<Released>),
    /// Open an answer and check its receipt.
    OpenAnswer {
        /// What opens it.
        pending: Arc<Pending>,
        /// The answer.
        bytes: Vec<u8>,
    },
    /// Hide a handle, so many times.
    Blind(AskId, Vec<u8>, usize),
    /// Uncover an output.
    Unblind(AskId, Box<Unblinding>),
    /// Evaluate hidden points.
    Evaluate(Box<Verified>, Route, Points, Secret),
    /// Sign versions of a person's records as their author.
    Sign(AskId, Box<Signing>),
    /// Examine what was submitted: signatures and forms.
    Examine(Box<Verified>, Route, Digest),
    /// Read what an insurer's own systems fed.
    ReadFeed(AskId, Box<Feed>),
    /// Nothing to evaluate: comes back to be refused.
    Decline(Box<Verified>, Route),
}

/// What a worker hands back.
#[derive(Debug)]
pub enum Done {
    /// An event for the machine of that seat.
    Event(Seat, Event),
    /// Sealed answers, each for its connection.
    Answers(Vec<(Route, Vec<u8>)>),
    /// A request was opened; the channel is worth remembering.
    Opened(Seat, Box<Opened>, Route),
    /// A request of that sender was dropped.
    Dropped(Route, PartyId, Unfit),
    /// A presentation was verified: connection, number of its frame, result.
    Admitted(u64, u64, Result<Arc<Standing>, NotAdmitted>),
}

/// All that signing versions takes.
#[derive(Debug)]
pub struct Signing {
    /// The versions.
    pub slips: Vec<Slip>,
    /// Whose records.
    pub person: Handle,
    /// Who wrote them.
    pub author: PartyId,
    /// The network the signatures count in.
    pub network: Digest,
    /// The author's signing key.
    pub signing: Arc<dyn SigningKey>,
}

/// A request of our own before it is signed.
#[derive(Debug)]
pub struct Draft {
    /// The exchange.
    pub exchange: ExchangeId,
    /// The request to sign, encoded.
    pub request: Vec<u8>,
    /// The header, complete but for `enc` and nonce.
    pub header: Header,
    /// The recipient's sealing key.
    pub sealing: Vec<u8>,
    /// Our signing key.
    pub signing: Arc<dyn SigningKey>,
    /// An encapsulation to use again.
    pub reuse: Option<Reuse>,
}

/// An encapsulation that may be used for several messages.
#[derive(Clone)]
pub struct Reuse {
    /// The encapsulation.
    pub enc: Vec<u8>,
    /// Its channel.
    pub channel: Arc<dyn Channel>,
}

/// A request of our own, sealed.
#[derive(Debug)]
pub struct Drafted {
    /// What to send and what opens the answer.
    pub outgoing: Outgoing,
    /// The encapsulation it used.
    pub reuse: Reuse,
    /// Whether that was made for this request, so that others may follow under it.
    pub is_fresh: bool,
}

/// All that opening one answer takes.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The exchange.
    pub exchange: ExchangeId,
    /// SHA-256 of our envelope.
    pub request: Digest,
    /// Whom we asked.
    pub responder: PartyId,
    /// Its ledger.
    pub origin: Origin,
    /// Its log keys.
    pub logs: Vec<PublicKey>,
    /// The checkpoint we named.
    pub named: Option<Checkpoint>,
    /// The checkpoints of that ledger that were verified before.
    pub notes: Arc<VerifiedNotes>,
    /// Opens the answer.
    pub secret: Secret,
    /// When we asked.
    pub asked: Timestamp,
}

/// A checkpoint whose signature was verified, with the bytes it came as.
#[derive(Debug)]
pub struct KnownNote {
    /// The signed note.
    pub bytes: Vec<u8>,
    /// What it says.
    pub checkpoint: Checkpoint,
}

/// An answer that was believed.
#[derive(Debug)]
pub struct Accepted {
    /// What it says.
    pub body: Body,
    /// Its bytes.
    pub body_bytes: Vec<u8>,
    /// Its receipt, encoded.
    pub evidence: Vec<u8>,
    /// Its place in the responder's ledger.
    pub leaf: u64,
    /// The checkpoint it was proven under.
    pub note: Arc<KnownNote>,
}

/// All that uncovering an output takes.
#[derive(Debug)]
pub struct Unblinding {
    /// The evaluator.
    pub evaluator: PartyId,
    /// The evaluator's public key.
    pub public: PublicKey,
    /// The handle.
    pub input: Vec<u8>,
    /// What was kept when hiding it.
    pub blinds: Blinds,
    /// The evaluated point.
    pub evaluated: [u8; 32],
    /// The proof.
    pub proof: [u8; 64],
}

/// An answer as it travels inside its seal: the body and the receipt that is its signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Answer {
    /// The body's bytes.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub body: Vec<u8>,
    /// The receipt.
    #[n(1)]
    pub evidence: Evidence,
}

/// What a request will be told once its leaf is durable. Yields nothing without its own receipt.
#[derive(Debug)]
pub struct Disclosure {
    /// The body, encoded.
    pub body: Vec<u8>,
    /// The salts the asker gets.
    pub salts: (Salt, Salt),
    /// SHA-256 of the request's envelope.
    pub request: Digest,
    /// Seals the answer.
    pub secret: Secret,
    /// The size of our ledger the asker has verified.
    pub named_size: Option<u64>,
    /// Where it goes.
    pub route: Route,
}

/// An answer with its receipt, ready to be sealed.
#[derive(Debug)]
pub struct Released {
    answer: Vec<u8>,
    request: Digest,
    secret: Secret,
    route: Route,
}

/// Everything held until the commit: no other way from a decision to the outside.
#[derive(Debug, Default)]
pub struct Outbox {
    actions: Vec<Action>,
    answers: Vec<(Seat, Entry, Disclosure)>,
    counts: Vec<Count>,
}

/// How many answers one piece of work seals: they left one commit together and travel on together.
pub const ANSWERS_PER_PIECE_MAX: usize = 16;

/// What happened, for the metrics: no ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    /// A request was answered.
    Answered,
    /// A request was refused.
    Refused(crate::refusal::Refusal),
    /// A request was answered again with its first receipt.
    Repeated,
    /// A ruling came from the policy's memory.
    RulingRemembered,
    /// A ruling was made.
    RulingMade,
    /// An ask of our own ended with an answer.
    AskAnswered,
    /// An ask of our own ended without.
    AskFailed,
}

/// One organisation's decisions.
pub trait Machine: Send {
    /// Decides. An error is a fault of this node's store and stops the process.
    fn handle(&mut self, event: Event, gate: &Gate, batch: &mut Batch<'_>, out: &mut Outbox) -> Result<(), StoreError>;

    /// When to send [`Event::Deadline`], and what for.
    fn deadline(&self) -> Option<(Steady, &'static str)>;

    /// Takes which ledger the seat keeps, and when a quorum of witnesses had last cosigned it.
    fn stand(&mut self, origin: &Origin, quorum_at: Option<Timestamp>);
}

impl Route {
    /// The connection number of a process to itself.
    pub const OWN: u64 = 0;
}

impl Outbox {
    /// Holds an action.
    pub fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Holds an answer; it leaves with the receipt of `entry`.
    pub fn answer(&mut self, seat: Seat, entry: Entry, disclosure: Disclosure) {
        self.answers.push((seat, entry, disclosure));
    }

    /// Counts something.
    pub fn count(&mut self, count: Count) {
        self.counts.push(count);
    }

    /// What was counted.
    pub fn take_counts(&mut self) -> Vec<Count> {
        std::mem::take(&mut self.counts)
    }

    /// Lets everything go, each answer against its own receipt.
    ///
    /// # Errors
    /// [`StoreError`] if a receipt cannot be made from what is on the disk.
    pub fn release(self, store: &Store, committed: &Committed) -> Result<Vec<Action>, StoreError> {
        let mut actions = self.actions;
        let mut pieces: BTreeMap<Seat, Vec<Released>> = BTreeMap::new();
        let seal = |seat, piece| Action::Work(seat, Box::new(Work::SealAnswers(piece)));
        for (seat, entry, disclosure) in self.answers {
            let receipt = committed.receipt(store, &entry, disclosure.named_size)?;
            let piece = pieces.entry(seat).or_default();
            piece.push(disclosure.reveal(&receipt));
            if piece.len() >= ANSWERS_PER_PIECE_MAX {
                actions.push(seal(seat, std::mem::take(piece)));
            }
        }
        let rest = pieces.into_iter().filter(|(_seat, piece)| !piece.is_empty());
        actions.extend(rest.map(|(seat, piece)| seal(seat, piece)));
        Ok(actions)
    }
}

impl Disclosure {
    /// Puts body and receipt together.
    fn reveal(self, receipt: &Receipt) -> Released {
        let (request_salt, answer_salt) = self.salts;
        let evidence = Evidence {
            request_salt,
            answer_salt,
            leaf: receipt.leaf().to_vec(),
            index: receipt.index(),
            inclusion: receipt.inclusion().to_vec(),
            checkpoint: receipt.checkpoint().as_bytes().to_vec(),
            consistency: receipt.consistency().to_vec(),
        };
        // Proofs, leaf and note are two kilobytes at most times.
        let about = self.body.len().saturating_add(2048);
        let answer = cbor::encode_about(&Answer { body: self.body, evidence }, about);
        Released { answer, request: self.request, secret: self.secret, route: self.route }
    }
}

impl Work {
    /// Does it. `seat` is whose work it is.
    pub fn perform(self, seat: Seat, now: Now, dice: &mut dyn CryptoRng, primitives: &dyn Primitives) -> Done {
        match self {
            Self::Admit { connection, number, peer, bytes, gate } => {
                Done::Admitted(connection, number, gate.admit(&bytes, &peer, now.wall, primitives).map(Arc::new))
            }
            Self::Open { sealed, route } => {
                let sender = sealed.standing.party().clone();
                match sealed.verify(primitives) {
                    Ok(opened) => Done::Opened(seat, Box::new(opened), route),
                    Err(unfit) => Done::Dropped(route, sender, unfit),
                }
            }
            Self::SealRequest(draft) => seal_request(seat, *draft, dice, primitives),
            Self::SealAnswers(answers) => {
                let mut seal = |released: Released| {
                    let sealed = SealedAnswer::seal(&released.answer, &released.secret, &released.request, dice);
                    (released.route, cbor::encode_about(&sealed, sealed.sealed_len().saturating_add(64)))
                };
                Done::Answers(answers.into_iter().map(&mut seal).collect())
            }
            Self::OpenAnswer { pending, bytes } => {
                let exchange = pending.exchange;
                let accepted = pending.accept(&bytes, now.wall, primitives).map(Box::new);
                Done::Event(seat, Event::Answered(exchange, accepted))
            }
            Self::Blind(ask, input, times) => {
                let hidden = core::iter::repeat_with(|| hide(&input, primitives, dice)).take(times);
                match hidden.collect() {
                    Some(hidden) => Done::Event(seat, Event::Blinded(ask, hidden)),
                    None => Done::Event(seat, Event::Unblinded(ask, None)),
                }
            }
            Self::Unblind(ask, unblinding) => {
                let output = unblinding.uncover(primitives).map(Box::new);
                Done::Event(seat, Event::Unblinded(ask, output.map(|output| (unblinding.evaluator, output))))
            }
            Self::Sign(ask, signing) => {
                let Signing { slips, person, author, network, signing } = *signing;
                let mut sign = |slip: &Slip| {
                    let paper = Paper::sign(slip, &person, &author, &network, signing.as_ref(), dice);
                    cbor::encode_about(&paper, slip.content.len().saturating_add(512)).into()
                };
                Done::Event(seat, Event::Signed(ask, slips.iter().map(&mut sign).collect()))
            }
            Self::Examine(verified, route, network) => {
                let examined = examine(&verified, &network, primitives);
                Done::Event(seat, Event::Examined(verified, route, examined))
            }
            Self::ReadFeed(id, feed) => Done::Event(seat, Event::Fed(id, Box::new(feed.read(now.wall)))),
            Self::Decline(verified, route) => Done::Event(seat, Event::Evaluated(verified, route, None)),
            Self::Evaluate(verified, route, points, secret) => {
                let points: Vec<[u8; 32]> = points.points.iter().map(|point| **point).collect();
                let mut dice = primitives::seeded(&secret, &verified.digest());
                let evaluated = primitives.evaluate(&secret, &points, &mut dice).ok().map(Box::new);
                Done::Event(seat, Event::Evaluated(verified, route, evaluated))
            }
        }
    }
}

/// Examines each paper of a submission; of all that are wrong the first flaw.
fn examine(verified: &Verified, network: &Digest, primitives: &dyn Primitives) -> Examined {
    let Question::Submit(submission) = &verified.request().question else { return Err(Vec::new()) };
    let standing = verified.standing();
    let Some(key) = standing.signing_key(verified.signing_key()) else { return Err(Vec::new()) };
    let author = Author { party: standing.party(), key, credential: standing.credential() };
    let (mut vouched, mut flaws) = (Vec::new(), Vec::new());
    for (place, paper) in (0_u32..).zip(&submission.papers) {
        match Paper::examine(paper, place, &submission.person, &author, network, primitives) {
            Ok(one) => vouched.push(one),
            Err(flaw) => flaws.push(flaw),
        }
    }
    if flaws.is_empty() { Ok(vouched) } else { Err(flaws) }
}

fn seal_request(seat: Seat, draft: Draft, dice: &mut dyn CryptoRng, primitives: &dyn Primitives) -> Done {
    let Draft { exchange, request, mut header, sealing, signing, reuse } = draft;
    dice.fill_bytes(&mut header.nonce);
    let is_fresh = reuse.is_none();
    let reuse = match reuse {
        Some(reuse) => reuse,
        None => match primitives.encapsulate(header.suite, &sealing, &header.info(), dice) {
            Ok((enc, channel)) => Reuse { enc, channel: channel.into() },
            Err(_broken) => return Done::Event(seat, Event::Lost(exchange)),
        },
    };
    header.enc.clone_from(&reuse.enc);
    let outgoing = envelope::seal(&header, reuse.channel.as_ref(), &request, signing.as_ref());
    Done::Event(seat, Event::Sealed(exchange, Box::new(Drafted { outgoing, reuse, is_fresh })))
}

impl Pending {
    /// Opens an answer and believes it only if its receipt proves it.
    fn accept(&self, bytes: &[u8], now: Timestamp, primitives: &dyn Primitives) -> Result<Accepted, AnswerError> {
        let sealed: SealedAnswer = cbor::decode(bytes).map_err(|_error| AnswerError::Malformed)?;
        let opened = sealed.open(&self.secret, &self.request).map_err(|_error| AnswerError::DoesNotOpen)?;
        let answer: Answer = cbor::decode(&opened).map_err(|_error| AnswerError::Malformed)?;
        let body: Body = cbor::decode(&answer.body).map_err(|_error| AnswerError::Malformed)?;
        if body.request != self.request || body.responder != self.responder || body.origin != self.origin.to_string() {
            return Err(AnswerError::Misdirected);
        }
        let earliest = self.asked.minus(crate::limits::SKEW);
        if body.decided < earliest || body.decided > now.plus(crate::limits::SKEW) {
            return Err(AnswerError::Implausible);
        }
        let logs: Vec<[u8; 32]> = self.logs.iter().map(|key| *key.as_bytes()).collect();
        let digest = Digest::of(&answer.body);
        let named = self.named.as_ref();
        let checkpoint =
            answer.evidence.check(primitives, &self.notes, &self.origin, &logs, named, self.request, digest)?;
        let note = Arc::new(KnownNote { bytes: answer.evidence.checkpoint.clone(), checkpoint });
        let leaf = answer.evidence.index;
        Ok(Accepted { body, body_bytes: answer.body, evidence: cbor::encode(&answer.evidence), leaf, note })
    }
}

impl KnownNote {
    /// Reads back a note that this node verified and kept itself.
    pub fn from_own_store(bytes: &[u8]) -> Option<Self> {
        let checkpoint = SignedCheckpoint::parse(bytes).ok()?.claim().ok()?;
        Some(Self { bytes: bytes.to_vec(), checkpoint })
    }
}

fn hide(input: &[u8], primitives: &dyn Primitives, dice: &mut dyn CryptoRng) -> Option<(Blinds, [u8; 32])> {
    let (blinds, points) = primitives.blind(&[input.to_vec()], dice).ok()?;
    Some((blinds, *points.first()?))
}

impl Unblinding {
    fn uncover(&self, primitives: &dyn Primitives) -> Option<[u8; OUTPUT_BYTES]> {
        let inputs = [self.input.clone()];
        let evaluated = [self.evaluated];
        let outputs =
            primitives.unblind(self.public.as_bytes(), &inputs, &self.blinds, &evaluated, &self.proof).ok()?;
        outputs.first().copied()
    }
}

/// The two salts of a leaf that its asker gets.
pub fn asker_salts(salts: &Salts) -> (Salt, Salt) {
    (salts.request.clone(), salts.answer.clone())
}

impl core::fmt::Debug for Work {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Admit { .. } => "Admit",
            Self::Open { .. } => "Open",
            Self::SealRequest(_) => "SealRequest",
            Self::SealAnswers(_) => "SealAnswers",
            Self::OpenAnswer { .. } => "OpenAnswer",
            Self::Blind(..) => "Blind",
            Self::Unblind(..) => "Unblind",
            Self::Evaluate(..) => "Evaluate",
            Self::Sign(..) => "Sign",
            Self::Examine(..) => "Examine",
            Self::ReadFeed(..) => "ReadFeed",
            Self::Decline(..) => "Decline",
        })
    }
}

impl core::fmt::Debug for Reuse {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}
