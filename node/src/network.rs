//! The wire between nodes: opens, keeps and closes connections, and carries frames over them in both
//! directions. It is the only home of libp2p, whose types do not leave it. It never looks into a frame and
//! never judges who may connect: it proves which key the other end holds and bounds what it may use.
//!
//! QUIC comes first, TCP with TLS 1.3 and yamux second, noise only where it is configured. Each connection
//! carries one long-lived substream, `/tsunagi/1`, opened by whoever dialled; on it travel frames: four
//! bytes of length, biggest first, and as many bytes as that.

mod counts;
mod doorway;
mod frame;
mod link;
mod mux;
mod peer;
mod substream;
mod swarm;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use link::Common;
use swarm::Command;

/// The most dials waiting to be begun.
const DIALS_WAITING_MAX: usize = 1024;
/// The most addresses tried in one dial.
const ADDRESSES_PER_DIAL_MAX: usize = 16;
/// How long listening may take to begin.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How long the goodbyes of [`Network::stop`] may take, links and connections together.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// One connection to one peer, never the same number twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Connection(u64);

/// The Ed25519 transport key (RFC 8032) of a node; of the other end of a connection it is proven by TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey(pub [u8; 32]);

/// What the network tells the node. The events of one connection come in order, one at a time:
/// `Opened`, then frames, then `Closed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkEvent {
    /// A connection is ready for frames.
    Opened {
        /// The connection.
        connection: Connection,
        /// Who is at the other end.
        peer: PeerKey,
        /// Whether this node dialled.
        outbound: bool,
    },
    /// A frame has come, 1 to [`protocol::limits::FRAME_BYTES_MAX`] bytes.
    Frame {
        /// The connection it came on.
        connection: Connection,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// A connection is no more. Frames queued on it may not have been sent.
    Closed {
        /// The connection.
        connection: Connection,
    },
    /// A dial led to no connection.
    Unreachable {
        /// Whom it was meant for.
        peer: PeerKey,
    },
}

/// What the node answers to an event. It matters for [`NetworkEvent::Frame`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    On,
    /// Read nothing more from this connection until [`Network::resume`]; the frame itself is taken. So
    /// whoever takes frames holds at most one more per connection than it has room for.
    Wait,
}

/// Takes events. Called from the network's threads, several at once, so it must not block.
pub type Deliver = Box<dyn Fn(NetworkEvent) -> Flow + Send + Sync>;

/// Why a network did not start. Each is a fault of this machine or its configuration.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A listening address is not a multiaddress, or cannot be listened on; the text says which and why.
    #[error("{0} で待ち受けられません / cannot listen on {0}: {1}")]
    Listen(String, String),
    /// The transports could not be set up.
    #[error("cannot set up the transports: {0}")]
    Transport(String),
    /// `SSLKEYLOGFILE` is set: the TLS library would write session secrets into that file.
    #[error("SSLKEYLOGFILE is set; session secrets would be written to a file")]
    SecretsLogged,
    /// The operating system gave no threads.
    #[error("cannot start the threads of the network: {0}")]
    Threads(#[from] std::io::Error),
    /// Listening did not begin in time.
    #[error("listening did not begin in time")]
    Late,
}

/// Why a frame was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The queue of this connection is full: the other end reads more slowly than this one writes.
    #[error("the queue of the connection is full")]
    Full,
    /// The connection is closed or being closed.
    #[error("the connection is gone")]
    Gone,
    /// The frame is empty or above [`protocol::limits::FRAME_BYTES_MAX`].
    #[error("a frame of this length is not allowed")]
    Length,
}

/// Where to listen and what a network may use at most.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Multiaddresses, for example `/ip4/0.0.0.0/udp/7100/quic-v1` and `/ip4/0.0.0.0/tcp/7100`. No names,
    /// only numbers. May be empty: an office only dials.
    pub listen: Vec<String>,
    /// Whether TCP may use noise where TLS does not get through. Noise has no post-quantum key exchange.
    pub noise_fallback: bool,
    /// The most connections in all. An eighth is kept for those this node dials.
    pub connections_max: u32,
    /// The most connections with one peer.
    pub connections_per_peer_max: u32,
    /// The most connections whose handshake is under way, in each direction.
    pub connections_pending_max: u32,
    /// The most incoming handshakes of one host (an IPv4 address or an IPv6 network of 64 bits); many
    /// offices may stand behind one gateway.
    pub connections_pending_per_host_max: u32,
    /// The most incoming connections on which nobody was admitted yet ([`Network::admit`]): a small part of all,
    /// so that strangers cannot take the places of members. Peers admitted before do not count.
    pub strangers_max: u32,
    /// The most of them of one host.
    pub strangers_per_host_max: u32,
    /// Above this size of the process, in bytes, no new connection is taken.
    pub memory_bytes_max: usize,
    /// The most frames waiting to be sent on one connection.
    pub outbound_queue_frames_max: usize,
    /// The most bytes waiting to be sent on one connection; a single frame always has room.
    pub outbound_queue_bytes_max: usize,
    /// How long a connection may be without its substream.
    pub opening_limit: Duration,
    /// How long a frame may take from its first byte to its last.
    pub frame_limit: Duration,
    /// How long a write may wait for the other end to read.
    pub stall_limit: Duration,
    /// How many threads serve the connections.
    pub threads: usize,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            noise_fallback: false,
            connections_max: 4096,
            connections_per_peer_max: 2,
            connections_pending_max: 256,
            connections_pending_per_host_max: 64,
            strangers_max: 256,
            strangers_per_host_max: 64,
            memory_bytes_max: 2 << 30,
            outbound_queue_frames_max: 1024,
            outbound_queue_bytes_max: 8 << 20,
            opening_limit: Duration::from_secs(10),
            frame_limit: Duration::from_secs(20),
            stall_limit: Duration::from_secs(30),
            threads: 2,
        }
    }
}

/// A running network. Dropping it cuts every connection; [`Network::stop`] says goodbye first.
pub struct Network {
    runtime: Option<Runtime>,
    commands: mpsc::Sender<Command>,
    common: Arc<Common>,
    listening: Arc<Mutex<Vec<String>>>,
    key: PeerKey,
}

impl Network {
    /// Starts a network with threads of its own and waits until it listens. Must not be called from within
    /// an asynchronous task.
    pub fn start(config: NetworkConfig, transport_secret: &[u8; 32], deliver: Deliver) -> Result<Self, NetworkError> {
        if std::env::var_os("SSLKEYLOGFILE").is_some() {
            return Err(NetworkError::SecretsLogged);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(config.threads.max(1))
            .thread_name("network")
            .enable_all()
            .build()?;
        let (commands, orders) = mpsc::channel(DIALS_WAITING_MAX);
        let common = Arc::new(Common::new(&config, deliver));
        let listening = Arc::new(Mutex::new(Vec::new()));
        let inside = runtime.enter();
        let (key, swarm) = swarm::Loop::new(&config, *transport_secret, Arc::clone(&common), Arc::clone(&listening))?;
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        runtime.spawn(swarm.run(orders, ready));
        started.recv_timeout(START_LIMIT).map_err(|_elapsed| NetworkError::Late)??;
        drop(inside);
        Ok(Self { runtime: Some(runtime), commands, common, listening, key })
    }

    /// The addresses at which this node is listening, with the real port and the node's name at the end.
    pub fn listening(&self) -> Vec<String> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// This node's own transport key.
    pub const fn peer_key(&self) -> PeerKey {
        self.key
    }

    /// Dials `peer` at the first 16 of `addresses` (multiaddresses), QUIC before TCP. Every dial is answered
    /// by `Opened` or `Unreachable`; a dial to a peer that is being dialled already shares its answer.
    pub fn dial(&self, peer: PeerKey, addresses: &[String]) {
        let addresses = addresses.iter().take(ADDRESSES_PER_DIAL_MAX).cloned().collect();
        if self.commands.try_send(Command::Dial { peer, addresses }).is_err() {
            self.tell_later(NetworkEvent::Unreachable { peer });
        }
    }

    /// Queues a frame for sending. Never waits.
    pub fn send(&self, connection: Connection, frame: Vec<u8>) -> Result<(), SendError> {
        self.common.send(connection, frame)
    }

    /// Reads on from a connection after [`Flow::Wait`]. Does nothing if it is not waiting.
    pub fn resume(&self, connection: Connection) {
        if let Some(link) = self.common.link(connection) {
            link.resume();
        }
    }

    /// Closes a connection after sending what is queued, which may take five seconds. No frame comes from
    /// it any more, and `Closed` comes once.
    pub fn close(&self, connection: Connection) {
        if let Some(link) = self.common.link(connection) {
            link.close();
        }
    }

    /// Says that a connection speaks for somebody: it no longer counts as a stranger's, nor will the next one of
    /// its peer.
    pub fn admit(&self, connection: Connection) {
        self.common.doorway.admit(connection);
    }

    /// Takes [`Network::admit`] back.
    pub fn estrange(&self, connection: Connection) {
        self.common.doorway.estrange(connection);
    }

    /// The numbers of libp2p and of this network as OpenMetrics text, ending in `# EOF`.
    pub fn metrics(&self) -> String {
        self.common.counts.text()
    }

    /// Sends what is queued, closes every connection and ends the threads. `Closed` comes for each
    /// connection; nothing comes afterwards. Must not be called from within an asynchronous task.
    pub fn stop(mut self) {
        let (done, stopped) = std::sync::mpsc::sync_channel(1);
        if self.commands.blocking_send(Command::Stop { done }).is_ok() && stopped.recv_timeout(STOP_LIMIT).is_err() {
            tracing::warn!("the network did not stop in time; its connections are cut");
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }

    /// Tells the node something from another thread than the caller's, who may hold a lock.
    fn tell_later(&self, event: NetworkEvent) {
        let common = Arc::clone(&self.common);
        if let Some(runtime) = &self.runtime {
            runtime.spawn(async move { common.tell(event) });
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl core::fmt::Debug for Network {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Network").field("key", &self.key).field("listening", &self.listening()).finish_non_exhaustive()
    }
}

impl PeerKey {
    /// The key of the peer that a multiaddress names at its end (`…/p2p/<peer id>`).
    pub fn named_in(address: &str) -> Option<Self> {
        peer::named_in(address)
    }
}

impl Connection {
    /// Its number within this process, never 0.
    pub const fn number(self) -> u64 {
        self.0
    }

    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}
