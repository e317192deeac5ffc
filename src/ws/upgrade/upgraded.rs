use std::{
    fmt,
    io::{self, IoSlice, IoSliceMut},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use futures_io::{AsyncRead, AsyncWrite};

/// A byte stream that spoke HTTP and now speaks something else.
pub struct Upgraded {
    /// What HTTP had read beyond the head: the first bytes of the new protocol. Boxed: it is soon gone.
    read_ahead: Option<Box<Bytes>>,
    io: Box<dyn Io>,
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Upgraded {
    /// Wraps a connection of which nothing has been read beyond the HTTP head.
    #[must_use]
    pub fn new(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::with_read_ahead(io, Bytes::new())
    }

    /// Wraps a connection, handing `read_ahead` back before anything else is read.
    ///
    /// A client may send its first frames right behind its request, and a server right behind its answer, so a
    /// parser of heads usually has read some of them.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use futures_util::{AsyncReadExt, io::Cursor};
    /// use tower_realtime::ws::upgrade::Upgraded;
    ///
    /// let io = Cursor::new(b" and after".to_vec());
    /// let mut upgraded = Upgraded::with_read_ahead(io, Bytes::from_static(b"before"));
    /// let mut all = String::new();
    /// smol::block_on(upgraded.read_to_string(&mut all)).expect("it reads");
    /// assert_eq!(all, "before and after");
    /// ```
    #[must_use]
    pub fn with_read_ahead(
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        read_ahead: Bytes,
    ) -> Self {
        Self {
            read_ahead: (!read_ahead.is_empty()).then(|| Box::new(read_ahead)),
            io: Box::new(io),
        }
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(read_ahead) = &mut this.read_ahead else {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        };
        let len = read_ahead.len().min(buf.len());
        read_ahead.copy_to_slice(&mut buf[..len]);
        if read_ahead.is_empty() {
            this.read_ahead = None;
        }
        Poll::Ready(Ok(len))
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.read_ahead.is_none() {
            return Pin::new(&mut self.io).poll_read_vectored(cx, bufs);
        }
        match bufs.iter_mut().find(|buf| !buf.is_empty()) {
            Some(buf) => self.poll_read(cx, buf),
            None => Poll::Ready(Ok(0)),
        }
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_close(cx)
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").finish_non_exhaustive()
    }
}
