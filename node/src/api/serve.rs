//! The sockets of the API: takes callers in, a bounded number at a time, and gives none of them longer than it
//! needs. It is the only home of hyper. Knows nothing of what is asked, nor of who may ask.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Sleep;

/// The longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long to wait after a caller could not be taken in, which is for want of file descriptors.
const AGAIN: Duration = Duration::from_millis(100);

/// What one caller may take of us.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most connections at once; further ones wait to be taken in.
    pub connections_max: usize,
    /// How long the head of a request may take, and how long a connection may be idle.
    pub head_limit: Duration,
    /// How long the body of a request may take.
    pub body_limit: Duration,
    /// How long a caller may take to read on.
    pub stall_limit: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 256,
            head_limit: Duration::from_secs(10),
            body_limit: Duration::from_secs(30),
            stall_limit: Duration::from_secs(30),
        }
    }
}

/// Serves until `stopped` says so, then lets callers come to their end.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, mut stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(bounds.connections_max.max(1)));
    let mut callers = JoinSet::new();
    loop {
        while callers.try_join_next().is_some() {}
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((place, listener.accept().await?.0))
        };
        let taken = tokio::select! {
            taken = next => taken,
            () = until(&mut stopped) => break,
        };
        match taken {
            Ok((place, stream)) => {
                callers.spawn(attend(stream, router.clone(), bounds, stopped.clone(), place));
            }
            Err(error) => {
                tracing::warn!(%error, "a caller could not be taken in");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
    drop(listener);
    while callers.join_next().await.is_some() {}
}

/// Attends to one caller until either end has enough; its place is free afterwards.
async fn attend(
    stream: TcpStream,
    router: Router,
    bounds: Bounds,
    mut stopped: watch::Receiver<bool>,
    place: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a caller is served with delay");
    }
    let stream = TokioIo::new(Impatient { stream, limit: bounds.stall_limit, stall: None });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_limit)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(stream, TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let end = tokio::select! {
        end = connection.as_mut() => end,
        () = until(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = end {
        tracing::debug!(%error, "a caller was cut off");
    }
    drop(place);
}

/// Waits until whoever stops says so, or is gone, which is the same.
async fn until(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// A socket that gives up if the other end does not read on in time.
struct Impatient {
    stream: TcpStream,
    limit: Duration,
    stall: Option<Pin<Box<Sleep>>>,
}

impl Impatient {
    /// Passes on what came of a write, unless the other end has made us wait for too long.
    fn settle<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let limit = self.limit;
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        stall.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Impatient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Impatient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.settle(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.settle(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.settle(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.settle(shut, cx)
    }
}
