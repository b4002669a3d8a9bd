//! Many streams over one TCP connection: yamux with a bounded receive window, which libp2p's own wrapping
//! leaves at one gibibyte per connection. Adds nothing else to it.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::io::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use yamux::{Config, Connection, ConnectionError, DEFAULT_CREDIT, Mode, Stream};

/// The most streams on one connection.
const STREAMS_MAX: usize = 64;
/// How many bytes the windows of one connection may grow by, above the 256 KiB each stream begins with.
const GROWTH_BYTES_MAX: usize = 2 << 20;
/// The most streams that wait to be taken; further ones are dropped, which resets them.
const WAITING_MAX: usize = 16;

/// Makes a [`Mux`] of a secured connection.
#[derive(Clone, Debug)]
pub(crate) struct Yamux(Config);

/// A connection that carries streams.
pub(crate) struct Mux<C> {
    connection: Connection<C>,
    waiting: VecDeque<Stream>,
    taker: Option<Waker>,
}

impl Yamux {
    /// With the bounds of this file.
    pub(crate) fn new() -> Self {
        let credit = usize::try_from(DEFAULT_CREDIT).unwrap_or(usize::MAX);
        let window = STREAMS_MAX.saturating_mul(credit).saturating_add(GROWTH_BYTES_MAX);
        let mut config = Config::default();
        // the streams first: fewer of them need less of a window
        config.set_max_num_streams(STREAMS_MAX).set_max_connection_receive_window(Some(window));
        Self(config)
    }

    fn mux<C: AsyncRead + AsyncWrite + Unpin>(self, socket: C, mode: Mode) -> Mux<C> {
        Mux { connection: Connection::new(socket, self.0, mode), waiting: VecDeque::new(), taker: None }
    }
}

impl UpgradeInfo for Yamux {
    type Info = &'static str;
    type InfoIter = iter::Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<C> for Yamux {
    type Output = Mux<C>;
    type Error = std::io::Error;
    type Future = Ready<Result<Mux<C>, Self::Error>>;

    fn upgrade_inbound(self, socket: C, _protocol: &'static str) -> Self::Future {
        ready(Ok(self.mux(socket, Mode::Server)))
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<C> for Yamux {
    type Output = Mux<C>;
    type Error = std::io::Error;
    type Future = Ready<Result<Mux<C>, Self::Error>>;

    fn upgrade_outbound(self, socket: C, _protocol: &'static str) -> Self::Future {
        ready(Ok(self.mux(socket, Mode::Client)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin + 'static> Mux<C> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        self.connection.poll_next_inbound(cx).map(|next| next.unwrap_or(Err(ConnectionError::Closed)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin + 'static> StreamMuxer for Mux<C> {
    type Substream = Stream;
    type Error = ConnectionError;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        if let Some(stream) = self.waiting.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        let next = self.poll_next(cx);
        if next.is_pending() {
            self.taker = Some(cx.waker().clone());
        }
        next
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        self.connection.poll_new_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        self.connection.poll_close(cx)
    }

    /// Moves the connection on. Yamux does so only while it looks for a new stream, so one may turn up.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, ConnectionError>> {
        match self.poll_next(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(stream)) => {
                if self.waiting.len() < WAITING_MAX {
                    self.waiting.push_back(stream);
                    if let Some(taker) = self.taker.take() {
                        taker.wake();
                    }
                }
                // there may be more, but others have their turn first
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}
