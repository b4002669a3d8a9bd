//! An asker in the hands of the story: a whole host on a memory disk with a real connection, that keeps
//! copies of what it sends and can send them again, spoiled or late. Serves nobody else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use node::clock::Clock;
use node::dice::OsDice;
use node::network::{Connection, Flow, Network, NetworkConfig, NetworkEvent, PeerKey};
use protocol::cbor;
use protocol::frame::{self, Frame};
use protocol::gate::{Gate, Notice};
use protocol::host::{Effect, Host, Input, Office};
use protocol::key::PublicKey;
use protocol::ledger::origin::Origin;
use protocol::limits;
use protocol::machine::{Accepted, AnswerError, Ask, AskId, Done, Ending, Event, Pending, Work};
use protocol::primitives::{Real, Secret, Suite};
use protocol::requester::{Identity, Requester};
use protocol::store::{Seat, Signer, Store, StoreSecret};
use protocol::time::Span;
use simulations::disk::FalseDisk;
use simulations::index::FalseIndex;

/// What a laptop is given.
#[derive(Debug)]
pub struct Papers {
    /// Whom it believes at first.
    pub gate: Gate,
    /// Whom it is.
    pub party: protocol::id::party::PartyId,
    /// Its credential.
    pub credential: Vec<u8>,
    /// Its keys.
    pub transport: Secret,
    /// See above.
    pub signing: Secret,
    /// See above.
    pub log: Secret,
    /// Whom to meet first: transport key and addresses.
    pub meets: (PublicKey, Vec<String>),
}

/// The laptop.
#[derive(Debug)]
pub struct Laptop {
    host: Host,
    store: Store,
    network: Network,
    events: Receiver<NetworkEvent>,
    connections: BTreeMap<u64, Connection>,
    numbers: BTreeMap<Connection, u64>,
    clock: Clock,
    endings: BTreeMap<AskId, Ending>,
    next: u64,
    sent: Vec<(u64, Vec<u8>)>,
    pending: Option<Arc<Pending>>,
    raw: Vec<Frame>,
}

const SEAT: Seat = Seat::new(1);
const MEMORY_BYTES: u64 = 64 << 20;
/// How long its requests live: short, so that the story can wait for their end.
pub const LIFE: Span = Span::from_s(3);

impl Laptop {
    /// Starts it and meets the first member.
    ///
    /// # Errors
    /// A text saying which part did not start.
    pub fn start(papers: Papers) -> Result<Self, String> {
        let (deliver, events) = channel();
        let network = start_network(&papers.transport, move |event| deliver.send(event).is_ok())?;
        let clock = Clock::start();
        let origin = Origin::new(&papers.gate.network(), &papers.party, 1);
        let signer = Signer { seat: SEAT, origin, log_secret: papers.log.clone() };
        let doors = (Box::new(FalseDisk::new(MEMORY_BYTES)), Box::new(FalseIndex::new()));
        let secret = StoreSecret::derive(&Secret::random(&mut OsDice));
        let opened = Store::open(doors.0, doors.1, &secret, vec![signer], Arc::new(Real));
        let (store, _report) = opened.map_err(|error| error.to_string())?;
        let signing_public =
            PublicKey::from_bytes(protocol::primitives::Primitives::signing_public(&Real, &papers.signing));
        let identity = Identity {
            seat: SEAT,
            party: papers.party,
            signing: protocol::primitives::Primitives::signing_key(&Real, &papers.signing).into(),
            signing_public,
            credential: Some(papers.credential),
            label: Secret::random(&mut OsDice),
            suite: Suite::XWing,
            fresh_encapsulations: true,
            life: LIFE,
        };
        let office = Office {
            requester: Requester::new(identity),
            machine: None,
            keys: protocol::keyring::Keyring::default(),
            statement: None,
            cosigning: None,
            noting: protocol::noting::Noting::new(clock.now().steady),
        };
        let host = Host::new(papers.gate, Arc::new(Real), BTreeMap::from([(SEAT, office)]));
        let mut laptop = Self {
            host,
            store,
            network,
            events,
            connections: BTreeMap::new(),
            numbers: BTreeMap::new(),
            clock,
            endings: BTreeMap::new(),
            next: 1,
            sent: Vec::new(),
            pending: None,
            raw: Vec::new(),
        };
        let (peer, addresses) = papers.meets;
        laptop.take(Input::Meet { peer, addresses })?;
        Ok(laptop)
    }

    /// Hands it a signed object.
    ///
    /// # Errors
    /// A text if its store failed.
    pub fn learn(&mut self, notice: Notice) -> Result<(), String> {
        self.take(Input::Notice(notice))
    }

    /// Whether it knows how to seal to a member by now.
    pub fn knows(&mut self, party: &protocol::id::party::PartyId, limit: Duration) -> Result<bool, String> {
        let now = self.clock.now().wall;
        let host = party.clone();
        self.until(limit, move |laptop| laptop.host.gate().statement(&host, now).is_some())
    }

    /// Asks and waits for the end.
    ///
    /// # Errors
    /// A text if there is none.
    pub fn ask(&mut self, ask: Ask) -> Result<Ending, String> {
        self.next = self.next.saturating_add(1);
        let id = AskId(self.next);
        self.sent.clear();
        self.take(Input::Ask(SEAT, id, ask))?;
        let limit = Duration::from_millis(limits::ASK_LIMIT.ms());
        self.until(limit, move |laptop| laptop.endings.contains_key(&id))?;
        self.endings.remove(&id).ok_or_else(|| "the ask did not end".to_owned())
    }

    /// The last request it sent: its frame.
    pub fn captured(&self) -> Option<Vec<u8>> {
        self.sent.last().map(|(_connection, bytes)| bytes.clone())
    }

    /// Sends a frame again on the connection it went by, and opens what comes back with the secret of its
    /// first answer: `None` if nothing comes within `limit`.
    ///
    /// # Errors
    /// A text if there is nothing to send again.
    pub fn send_again(
        &mut self,
        frame: &[u8],
        limit: Duration,
    ) -> Result<Option<Result<Accepted, AnswerError>>, String> {
        let (number, _bytes) = self.sent.last().ok_or("nothing was sent")?;
        let connection = self.connections.get(number).ok_or("the connection is gone")?;
        self.raw.clear();
        self.network.send(*connection, frame.to_vec()).map_err(|error| error.to_string())?;
        let is_end = |frame: &Frame| matches!(frame, Frame::Answer(..) | Frame::Sorry(_) | Frame::Busy(..));
        self.until(limit, move |laptop| laptop.raw.iter().any(is_end))?;
        let answer = self.raw.iter().find_map(|frame| match frame {
            Frame::Answer(_id, bytes) => Some(bytes.to_vec()),
            _ => None,
        });
        let (Some(bytes), Some(pending)) = (answer, self.pending.clone()) else { return Ok(None) };
        let open = Work::OpenAnswer { pending, bytes };
        match open.perform(SEAT, self.clock.now(), &mut OsDice, &Real) {
            Done::Event(_seat, Event::Answered(_exchange, result)) => Ok(Some(result.map(|accepted| *accepted))),
            _ => Err("opening an answer gave something else".to_owned()),
        }
    }

    /// Runs until `done` or the limit; says which.
    fn until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> Result<bool, String> {
        let end = Instant::now() + limit;
        loop {
            if done(self) {
                return Ok(true);
            }
            let now = Instant::now();
            if now >= end {
                return Ok(false);
            }
            match self.events.recv_timeout((end - now).min(Duration::from_millis(50))) {
                Ok(event) => self.event(event)?,
                Err(RecvTimeoutError::Timeout) => self.turn(Vec::new())?,
                Err(RecvTimeoutError::Disconnected) => return Err("the network stopped".to_owned()),
            }
        }
    }

    fn event(&mut self, event: NetworkEvent) -> Result<(), String> {
        let input = match event {
            NetworkEvent::Opened { connection, peer, outbound } => {
                self.next = self.next.saturating_add(1);
                self.connections.insert(self.next, connection);
                self.numbers.insert(connection, self.next);
                Input::Opened { connection: self.next, peer: PublicKey::from_bytes(peer.0), outbound }
            }
            NetworkEvent::Frame { connection, bytes } => {
                let Some(number) = self.numbers.get(&connection).copied() else { return Ok(()) };
                self.raw.extend(frame::parse(&bytes));
                Input::Frame { connection: number, bytes }
            }
            NetworkEvent::Closed { connection } => {
                let Some(number) = self.numbers.remove(&connection) else { return Ok(()) };
                self.connections.remove(&number);
                Input::Closed { connection: number }
            }
            NetworkEvent::Unreachable { peer } => Input::Unreachable { peer: PublicKey::from_bytes(peer.0) },
        };
        self.take(input)
    }

    fn take(&mut self, input: Input) -> Result<(), String> {
        let mut effects = Vec::new();
        let event = self.host.receive(input, self.clock.now(), &mut effects);
        self.perform(effects)?;
        self.turn(event.into_iter().collect())
    }

    fn turn(&mut self, events: Vec<(Seat, Event)>) -> Result<(), String> {
        let now = self.clock.now();
        let effects = self.host.turn(events, &mut self.store, now, &mut OsDice).map_err(|error| error.to_string())?;
        self.perform(effects)
    }

    fn perform(&mut self, effects: Vec<Effect>) -> Result<(), String> {
        for effect in effects {
            match effect {
                Effect::Work(seat, work) => {
                    if let Work::OpenAnswer { pending, .. } = work.as_ref() {
                        self.pending = Some(Arc::clone(pending));
                    }
                    let done = work.perform(seat, self.clock.now(), &mut OsDice, &Real);
                    self.take(Input::Done(done))?;
                }
                Effect::Send { connection, bytes } => {
                    if matches!(frame::parse(&bytes), Ok(Frame::Request(..))) {
                        self.sent.push((connection, bytes.clone()));
                    }
                    if let Some(link) = self.connections.get(&connection) {
                        // A full queue is a lost frame: the requester sends again.
                        self.network.send(*link, bytes).ok();
                    }
                }
                Effect::Dial { peer, addresses } => self.network.dial(PeerKey(*peer.as_bytes()), &addresses),
                Effect::Close { connection } => {
                    if let Some(link) = self.connections.get(&connection) {
                        self.network.close(*link);
                    }
                }
                Effect::Tell(id, ending) => {
                    self.endings.insert(id, *ending);
                }
                Effect::Imported(..)
                | Effect::Destroyed(..)
                | Effect::Alarm(_)
                | Effect::Count(_)
                | Effect::Dropped(_)
                | Effect::Admitted { .. }
                | Effect::Estranged { .. } => {}
            }
        }
        Ok(())
    }
}

/// Sends one frame to a member from a peer that never says who it is; returns what came back within `limit`.
///
/// # Errors
/// A text if no connection could be made.
pub fn send_as_stranger(to: &(PublicKey, Vec<String>), bytes: &[u8], limit: Duration) -> Result<Vec<Frame>, String> {
    let (deliver, events) = channel();
    let network = start_network(&Secret::random(&mut OsDice), move |event| deliver.send(event).is_ok())?;
    network.dial(PeerKey(*to.0.as_bytes()), &to.1);
    let end = Instant::now() + limit;
    let mut frames = Vec::new();
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        match events.recv_timeout(left) {
            Ok(NetworkEvent::Opened { connection, .. }) => {
                network.send(connection, bytes.to_vec()).map_err(|error| error.to_string())?;
            }
            Ok(NetworkEvent::Frame { bytes, .. }) => {
                frames.extend(frame::parse(&bytes));
                if frames.iter().any(|frame| matches!(frame, Frame::Answer(..) | Frame::Sorry(_))) {
                    break;
                }
            }
            Ok(NetworkEvent::Unreachable { .. }) => return Err("unreachable".to_owned()),
            Ok(NetworkEvent::Closed { .. }) | Err(_) => break,
        }
    }
    network.stop();
    Ok(frames)
}

/// A frame with one bit of what is sealed flipped; still a frame and an envelope.
pub fn flip_one_bit(frame: &[u8]) -> Option<Vec<u8>> {
    let mut flipped = frame.to_vec();
    let place = flipped.len().checked_sub(20)?;
    *flipped.get_mut(place)? ^= 1;
    frame::parse(&flipped).ok().map(|frame| cbor::encode(&frame))
}

fn start_network(
    transport: &Secret,
    deliver: impl Fn(NetworkEvent) -> bool + Send + Sync + 'static,
) -> Result<Network, String> {
    let config = NetworkConfig { listen: vec!["/ip4/127.0.0.1/udp/0/quic-v1".to_owned()], ..NetworkConfig::default() };
    let deliver = move |event| {
        deliver(event);
        Flow::On
    };
    Network::start(config, transport.expose(), Box::new(deliver)).map_err(|error| error.to_string())
}
