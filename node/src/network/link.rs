//! A link: one connection's substream with its two queues. Frames are read one at a time and not faster
//! than the node takes them; frames to be sent wait in a queue bounded in number and bytes. Never decides
//! what a frame means, and a panic in one link ends that link only.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::FutureExt;
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, watch};

use super::counts::Counts;
use super::doorway::Doorway;
use super::frame::{self, FrameError, Frames};
use super::{Connection, Deliver, Flow, NetworkConfig, NetworkEvent, PeerKey, SendError};

/// The most frames put into one write.
const FRAMES_PER_WRITE_MAX: usize = 64;
/// After this many frames read in a row the other side of the link gets its turn.
const FRAMES_PER_TURN_MAX: u32 = 32;
/// How long a link that is being closed may take to send what is queued.
pub(crate) const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// What every link of a network has in common.
pub(crate) struct Common {
    links: RwLock<BTreeMap<Connection, Arc<Link>>>,
    deliver: Deliver,
    frame_limit: Duration,
    stall_limit: Duration,
    queue_frames_max: usize,
    queue_bytes_max: usize,
    pub(crate) counts: Counts,
    pub(crate) doorway: Doorway,
}

/// The handle of a link.
pub(crate) struct Link {
    pub(crate) connection: Connection,
    frames: mpsc::Sender<Vec<u8>>,
    queued_bytes: AtomicUsize,
    waiting: AtomicBool,
    resumed: Notify,
    ending: watch::Sender<Ending>,
}

/// Whether a link is ending, and by whom.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    NotYet,
    /// The connection is gone: what has come is still handed over.
    Lost,
    /// This node closes it: what is queued is still sent, what comes is dropped.
    Own,
}

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the other end closed")]
    Peer,
    #[error("this end closed")]
    Own,
    #[error(transparent)]
    Incoming(#[from] FrameError),
    #[error("the other end does not read")]
    Stalled,
}

impl Common {
    pub(crate) fn new(config: &NetworkConfig, deliver: Deliver) -> Self {
        Self {
            links: RwLock::new(BTreeMap::new()),
            deliver,
            frame_limit: config.frame_limit,
            stall_limit: config.stall_limit,
            queue_frames_max: config.outbound_queue_frames_max.max(1),
            queue_bytes_max: config.outbound_queue_bytes_max,
            counts: Counts::new(),
            doorway: Doorway::new(config),
        }
    }

    /// The link of an open connection.
    pub(crate) fn link(&self, connection: Connection) -> Option<Arc<Link>> {
        self.links.read().unwrap_or_else(PoisonError::into_inner).get(&connection).map(Arc::clone)
    }

    /// Tells the node something outside of a link's task; a panic over there stays there.
    pub(crate) fn tell(&self, event: NetworkEvent) {
        if catch_unwind(AssertUnwindSafe(|| (self.deliver)(event))).is_err() {
            self.counts.panics.inc();
        }
    }

    /// Queues a frame, without ever waiting.
    pub(crate) fn send(&self, connection: Connection, frame: Vec<u8>) -> Result<(), SendError> {
        let sent =
            self.link(connection).ok_or(SendError::Gone).and_then(|link| link.queue(frame, self.queue_bytes_max));
        if sent == Err(SendError::Full) {
            self.counts.full.inc();
        }
        sent
    }

    /// Makes a link for `stream` and the task that serves it until its end.
    pub(crate) fn open<S: AsyncRead + AsyncWrite + Unpin + Send>(
        self: &Arc<Self>,
        peer: PeerKey,
        outbound: bool,
        stream: S,
    ) -> (Arc<Link>, impl Future<Output = ()> + Send + use<S>) {
        let connection = Connection::next();
        let (frames, queue) = mpsc::channel(self.queue_frames_max);
        let link = Arc::new(Link {
            connection,
            frames,
            queued_bytes: AtomicUsize::new(0),
            waiting: AtomicBool::new(false),
            resumed: Notify::new(),
            ending: watch::Sender::new(Ending::NotYet),
        });
        let opened = NetworkEvent::Opened { connection, peer, outbound };
        let task = serve(Arc::clone(self), Arc::clone(&link), opened, queue, stream);
        (link, task)
    }
}

impl Link {
    /// Ends the link once what is queued is sent and the other end has seen it, or after [`DRAIN_LIMIT`].
    pub(crate) fn close(&self) {
        self.end(Ending::Own);
    }

    /// Ends the link once what has come is handed over, or after [`DRAIN_LIMIT`]: its connection is gone.
    pub(crate) fn lose(&self) {
        self.end(Ending::Lost);
    }

    /// Reads on after [`Flow::Wait`].
    pub(crate) fn resume(&self) {
        self.waiting.store(false, Ordering::SeqCst);
        self.resumed.notify_one();
    }

    fn end(&self, ending: Ending) {
        self.ending.send_if_modified(|now| {
            let new = ending > *now;
            *now = ending.max(*now);
            new
        });
        self.resumed.notify_one();
    }

    fn ending(&self) -> Ending {
        *self.ending.borrow()
    }

    fn queue(&self, frame: Vec<u8>, bytes_max: usize) -> Result<(), SendError> {
        let length = frame.len();
        if !frame::permits(length) {
            return Err(SendError::Length);
        }
        if self.ending() != Ending::NotYet {
            return Err(SendError::Gone);
        }
        let before = self.queued_bytes.fetch_add(length, Ordering::SeqCst);
        // one frame always has room, however small the bound
        let queued = if before > 0 && before.saturating_add(length) > bytes_max {
            Err(SendError::Full)
        } else {
            self.frames.try_send(frame).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => SendError::Full,
                mpsc::error::TrySendError::Closed(_) => SendError::Gone,
            })
        };
        if queued.is_err() {
            self.queued_bytes.fetch_sub(length, Ordering::SeqCst);
        }
        queued
    }

    /// Waits until the link has been ending for [`DRAIN_LIMIT`].
    async fn overdue(&self) {
        // the sender is in `self`, so waiting cannot fail
        drop(self.ending.subscribe().wait_for(|now| *now != Ending::NotYet).await);
        tokio::time::sleep(DRAIN_LIMIT).await;
    }
}

/// Serves a link from its opening to its end and tells the node of both.
async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send>(
    common: Arc<Common>,
    link: Arc<Link>,
    opened: NetworkEvent,
    queue: mpsc::Receiver<Vec<u8>>,
    stream: S,
) {
    let connection = link.connection;
    common.links.write().unwrap_or_else(PoisonError::into_inner).insert(connection, Arc::clone(&link));
    common.counts.opened.inc();
    common.tell(opened);
    match AssertUnwindSafe(carry(&common, &link, queue, stream)).catch_unwind().await {
        Ok(end) => {
            match end {
                End::Incoming(FrameError::Length(_)) => common.counts.refused.inc(),
                End::Incoming(FrameError::Late) => common.counts.late.inc(),
                End::Stalled => common.counts.stalled.inc(),
                _ => 0,
            };
            tracing::debug!(connection = connection.0, reason = %end, "link closed");
        }
        Err(_panic) => {
            common.counts.panics.inc();
            tracing::error!(connection = connection.0, "panic in a link; the link is closed");
        }
    }
    common.links.write().unwrap_or_else(PoisonError::into_inner).remove(&connection);
    common.counts.closed.inc();
    common.tell(NetworkEvent::Closed { connection });
}

async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
    common: &Common,
    link: &Link,
    queue: mpsc::Receiver<Vec<u8>>,
    stream: S,
) -> End {
    let (reader, writer) = stream.split();
    tokio::select! {
        end = receive(common, link, Frames::new(reader, common.frame_limit)) => end,
        end = transmit(common, link, queue, writer) => end,
        () = link.overdue() => End::Own,
    }
}

async fn receive<R: AsyncRead + Unpin>(common: &Common, link: &Link, mut frames: Frames<R>) -> End {
    let mut turn = 0;
    loop {
        turn += 1;
        if turn >= FRAMES_PER_TURN_MAX {
            turn = 0;
            tokio::task::yield_now().await;
        }
        let bytes = match frames.next().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return End::Peer,
            Err(error) => return End::Incoming(error),
        };
        if link.ending() == Ending::Own {
            continue;
        }
        // set before the frame is handed over, so that a `resume` during the hand-over is not lost
        link.waiting.store(true, Ordering::SeqCst);
        common.counts.received.inc();
        match (common.deliver)(NetworkEvent::Frame { connection: link.connection, bytes }) {
            Flow::On => link.waiting.store(false, Ordering::SeqCst),
            Flow::Wait => {
                while link.waiting.load(Ordering::SeqCst) && link.ending() != Ending::Own {
                    link.resumed.notified().await;
                }
            }
        }
    }
}

/// Writes until the link ends. When there is nothing more to write it leaves the end to [`receive`], which
/// knows when the other end has seen everything or has sent its last.
async fn transmit<W: AsyncWrite + Unpin>(
    common: &Common,
    link: &Link,
    mut queue: mpsc::Receiver<Vec<u8>>,
    mut writer: W,
) -> End {
    let mut ending = link.ending.subscribe();
    let mut batch = Vec::new();
    loop {
        let count = tokio::select! {
            count = queue.recv_many(&mut batch, FRAMES_PER_WRITE_MAX) => count,
            _ending = ending.wait_for(|now| *now != Ending::NotYet), if !queue.is_closed() => {
                queue.close();
                continue;
            }
        };
        let written = if count == 0 {
            tokio::time::timeout(common.stall_limit, writer.close()).await
        } else {
            tokio::time::timeout(common.stall_limit, frame::write(&mut writer, &batch)).await
        };
        match written {
            Ok(Ok(())) if count > 0 => {}
            Ok(Ok(())) => return std::future::pending().await,
            Ok(Err(error)) => {
                tracing::debug!(connection = link.connection.0, %error, "cannot write");
                link.lose();
                return std::future::pending().await;
            }
            Err(_elapsed) => return End::Stalled,
        }
        let bytes = batch.iter().map(Vec::len).sum();
        link.queued_bytes.fetch_sub(bytes, Ordering::SeqCst);
        common.counts.sent.inc_by(u64::try_from(count).unwrap_or_default());
        batch.clear();
    }
}
