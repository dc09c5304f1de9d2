//! The traits of tokio for the ends of a pipe.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::until_ready::UntilReady;
use crate::channel::{PipeReader, PipeWriter};
use crate::wait::{Source, Waitable};

impl PipeReader {
    /// Returns the same end, with tokio's [`AsyncRead`].
    pub fn into_tokio(self) -> TokioPipeReader {
        TokioPipeReader { end: self, waiting: None }
    }
}

impl PipeWriter {
    /// Returns the same end, with tokio's [`AsyncWrite`].
    pub fn into_tokio(self) -> TokioPipeWriter {
        TokioPipeWriter { end: self, waiting: None }
    }
}

/// A [`PipeReader`] with tokio's [`AsyncRead`].
pub struct TokioPipeReader {
    end: PipeReader,
    waiting: Option<UntilReady>,
}

/// A [`PipeWriter`] with tokio's [`AsyncWrite`].
///
/// A write of up to 4 KiB is one whole in the stream, as with [`PipeWriter`]. To end the stream,
/// drop the writer.
pub struct TokioPipeWriter {
    end: PipeWriter,
    waiting: Option<UntilReady>,
}

impl TokioPipeReader {
    /// Returns the end itself.
    pub fn into_inner(self) -> PipeReader {
        self.end
    }
}

impl TokioPipeWriter {
    /// Returns the end itself.
    pub fn into_inner(self) -> PipeWriter {
        self.end
    }
}

/// Waits until the source may be ready.
fn poll_ready(
    waiting: &mut Option<UntilReady>,
    source: impl FnOnce() -> Arc<dyn Source>,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let until_ready = waiting.get_or_insert_with(|| UntilReady::of(source()));
    let answer = ready!(Pin::new(until_ready).poll(context));
    *waiting = None;
    Poll::Ready(answer.map_err(io::Error::from))
}

impl AsyncRead for TokioPipeReader {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { end, waiting } = self.get_mut();
        loop {
            if let Some(count) = end.try_read(into.initialize_unfilled())? {
                into.advance(count);
                *waiting = None;
                return Poll::Ready(Ok(()));
            }
            ready!(poll_ready(waiting, || end.source(), context))?;
        }
    }
}

impl AsyncWrite for TokioPipeWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { end, waiting } = self.get_mut();
        loop {
            let count = end.try_write(bytes)?;
            if count > 0 || bytes.is_empty() {
                *waiting = None;
                return Poll::Ready(Ok(count));
            }
            ready!(poll_ready(waiting, || end.source_for(bytes.len()), context))?;
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for TokioPipeReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt(f)
    }
}

impl fmt::Debug for TokioPipeWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.end.fmt(f)
    }
}
