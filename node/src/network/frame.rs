//! Frames on a byte stream: four bytes of length, biggest first, then that many bytes. A length that is
//! not allowed is refused before its first byte is read. Knows nothing of what is in a frame.

use std::io;
use std::time::Duration;

use futures::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use protocol::limits::FRAME_BYTES_MAX;

/// What one read from the connection may bring, in bytes.
const READ_BYTES_MAX: usize = 16 << 10;
/// What is set aside when a frame begins, in bytes; more only as the bytes come.
const RESERVE_BYTES_MAX: usize = 64 << 10;
/// Above this many bytes a frame is written by itself instead of being copied beside others.
const COPY_BYTES_MAX: usize = 16 << 10;
/// How many bytes are put together before they are written.
const WRITE_BYTES_MIN: usize = 64 << 10;

/// Why no further frame can be read. Every variant but the last is the other end's fault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The length is zero or above [`FRAME_BYTES_MAX`].
    #[error("a frame of {0} bytes is not allowed")]
    Length(u32),
    /// The frame was begun and not complete in time.
    #[error("a frame took too long")]
    Late,
    /// The stream ended within a frame.
    #[error("the stream ended within a frame")]
    Torn,
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Failed(#[from] io::Error),
}

/// The frames coming in on a stream.
pub(crate) struct Frames<R> {
    reader: BufReader<R>,
    limit: Duration,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    /// Reads frames from `stream`; each must be complete within `limit` of its first byte.
    pub(crate) fn new(stream: R, limit: Duration) -> Self {
        Self { reader: BufReader::with_capacity(READ_BYTES_MAX, stream), limit }
    }

    /// The next frame; `None` when the stream ended between two frames. May wait without end for the first byte.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        if self.reader.fill_buf().await?.is_empty() {
            return Ok(None);
        }
        let frame = tokio::time::timeout(self.limit, self.begun()).await;
        frame.map_err(|_elapsed| FrameError::Late)?.map(Some)
    }

    async fn begun(&mut self) -> Result<Vec<u8>, FrameError> {
        let length = self.length().await?;
        let mut bytes = Vec::with_capacity(length.min(RESERVE_BYTES_MAX));
        while bytes.len() < length {
            let there = self.reader.fill_buf().await?;
            let wanted = length.saturating_sub(bytes.len()).min(there.len());
            let part = there.get(..wanted).filter(|part| !part.is_empty()).ok_or(FrameError::Torn)?;
            bytes.extend_from_slice(part);
            self.reader.consume_unpin(wanted);
        }
        Ok(bytes)
    }

    async fn length(&mut self) -> Result<usize, FrameError> {
        let mut header = [0; 4];
        self.reader.read_exact(&mut header).await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => FrameError::Torn,
            _ => FrameError::Failed(error),
        })?;
        let said = u32::from_be_bytes(header);
        let length = usize::try_from(said).ok().filter(|length| permits(*length));
        length.ok_or(FrameError::Length(said))
    }
}

/// Whether a frame may have this many bytes.
pub(crate) const fn permits(length: usize) -> bool {
    length > 0 && length <= FRAME_BYTES_MAX
}

/// Writes all of `frames`, in order, with as few writes as is sensible and one flush.
pub(crate) async fn write<W: AsyncWrite + Unpin>(writer: &mut W, frames: &[Vec<u8>]) -> io::Result<()> {
    let mut wire = Vec::new();
    for frame in frames {
        let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
        wire.extend_from_slice(&length.to_be_bytes());
        if frame.len() <= COPY_BYTES_MAX {
            wire.extend_from_slice(frame);
        }
        if frame.len() > COPY_BYTES_MAX || wire.len() >= WRITE_BYTES_MIN {
            writer.write_all(&wire).await?;
            wire.clear();
        }
        if frame.len() > COPY_BYTES_MAX {
            writer.write_all(frame).await?;
        }
    }
    writer.write_all(&wire).await?;
    writer.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::io::Cursor;

    const LONG: Duration = Duration::from_secs(60);

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    fn written(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut wire = Cursor::new(Vec::new());
        block_on(write(&mut wire, frames)).unwrap();
        wire.into_inner()
    }

    #[test]
    fn frames_of_every_size_come_back() {
        let sizes = [1, 2, 4095, COPY_BYTES_MAX, COPY_BYTES_MAX + 1, WRITE_BYTES_MIN, 300_000, FRAME_BYTES_MAX, 7];
        let frames: Vec<Vec<u8>> = sizes.iter().map(|size| vec![u8::try_from(size % 251).unwrap(); *size]).collect();
        let mut incoming = Frames::new(Cursor::new(written(&frames)), LONG);
        for frame in &frames {
            assert_eq!(block_on(incoming.next()).unwrap().as_ref(), Some(frame));
        }
        assert_eq!(block_on(incoming.next()).unwrap(), None);
    }

    #[test]
    fn a_length_that_is_not_allowed_is_refused_before_its_bytes() {
        for said in [0, u32::try_from(FRAME_BYTES_MAX).unwrap() + 1, u32::MAX] {
            let mut incoming = Frames::new(Cursor::new(said.to_be_bytes().to_vec()), LONG);
            let refused = block_on(incoming.next());
            assert!(matches!(refused, Err(FrameError::Length(length)) if length == said), "{refused:?}");
        }
    }

    #[test]
    fn a_stream_that_ends_within_a_frame_is_torn() {
        let whole = written(&[vec![5; 100]]);
        for length in 1..whole.len() {
            let mut incoming = Frames::new(Cursor::new(whole[..length].to_vec()), LONG);
            assert!(matches!(block_on(incoming.next()), Err(FrameError::Torn)), "{length}");
        }
    }

    #[test]
    fn a_frame_that_is_begun_and_not_ended_is_late() {
        let header = u32::try_from(FRAME_BYTES_MAX).unwrap().to_be_bytes().to_vec();
        let mut incoming = Frames::new(Cursor::new(header).chain(Never), Duration::from_millis(1));
        assert!(matches!(block_on(incoming.next()), Err(FrameError::Late)));
    }

    /// A stream whose next byte never comes.
    struct Never;

    impl AsyncRead for Never {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _cx: &mut std::task::Context<'_>,
            _buf: &mut [u8],
        ) -> std::task::Poll<io::Result<usize>> {
            std::task::Poll::Pending
        }
    }
}
