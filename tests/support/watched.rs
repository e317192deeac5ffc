//! A pipe in memory of which a test sees, and bends, what passes.
#![allow(dead_code, reason = "shared by tests, of which each uses its part")]

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// One end of a pipe, and who watches it.
pub(crate) struct Watched<W>(pub(crate) DuplexStream, pub(crate) W);

/// What a test does to a pipe: nothing, where it does not say so.
pub(crate) trait Watch: Unpin {
    /// Whether the end may read. Who waits is woken by the watch alone.
    fn poll_read(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Whether the end may write.
    fn poll_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The end has read this.
    fn was_read(&mut self, _: &[u8]) {}
}

impl<W: Watch> AsyncRead for Watched<W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.1.poll_read(cx))?;
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.0).poll_read(cx, buf))?;
        self.1.was_read(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<W: Watch> AsyncWrite for Watched<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.1.poll_write(cx))?;
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Reads so many bytes, and then never again, while its connection stands.
pub(crate) struct Freezing(pub(crate) usize);

impl Watch for Freezing {
    fn poll_read(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {
            0 => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        }
    }

    fn was_read(&mut self, bytes: &[u8]) {
        self.0 = self.0.saturating_sub(bytes.len());
    }
}
