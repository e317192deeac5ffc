//! hyper's upgrades and byte streams as ours.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use futures_io::{AsyncRead, AsyncWrite};
use http::Extensions;
use hyper::{
    rt::{Read, ReadBuf, Write},
    upgrade,
};

use super::{ConnectProtocol, OnUpgrade, Upgraded, protocol};
use crate::trace::warn;

/// The upgrade that comes with a message: ours, or else hyper's.
pub(crate) fn take_upgrade(extensions: &mut Extensions) -> Option<OnUpgrade> {
    extensions.remove::<OnUpgrade>().or_else(|| {
        let theirs = extensions.remove::<upgrade::OnUpgrade>()?;
        Some(OnUpgrade::new(async {
            let connection = theirs.await.map_err(why)?;
            Ok(Upgraded::new(HyperIo::new(connection)))
        }))
    })
}

/// The commonest mistake with plain hyper shows only after the answer has left, and hyper does not say how to mend it.
fn why(error: hyper::Error) -> io::Error {
    if !error.is_user() {
        return io::Error::other(error);
    }
    warn!("a WebSocket was answered on a connection that hyper keeps: `with_upgrades` is missing");
    let hint = "hyper keeps its connections: `with_upgrades` is missing";
    io::Error::new(io::ErrorKind::Unsupported, hint)
}

/// Puts the `:protocol` that comes with a request where we look for it.
pub(crate) fn adopt(extensions: &mut Extensions) {
    if extensions.get::<ConnectProtocol>().is_none() {
        if let Some(theirs) = protocol::of(extensions) {
            extensions.insert(theirs);
        }
    }
}

/// Makes a request an extended CONNECT for a WebSocket, for hyper and for others.
pub(crate) fn extended_connect(extensions: &mut Extensions) {
    extensions.insert(ConnectProtocol::new("websocket"));
    protocol::ask(extensions);
}

/// A byte stream of hyper's traits with those of `futures-io`.
///
/// So everything that hyper can serve is a stream for [`Connector::over`](crate::ws::Connector::over), for
/// instance `HyperIo::new(TokioIo::new(stream))`.
///
/// ```
/// use hyper_util::rt::TokioIo;
/// use tokio::net::TcpStream;
/// use tower_realtime::ws::{Endpoint, WebSocket, upgrade::HyperIo};
///
/// fn socket(stream: TcpStream) -> WebSocket {
///     Endpoint::client().open(HyperIo::new(TokioIo::new(stream)))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct HyperIo<T>(T);

impl<T> HyperIo<T> {
    /// Wraps a stream.
    #[must_use]
    pub const fn new(io: T) -> Self {
        Self(io)
    }

    /// The stream inside.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: Read + Unpin> AsyncRead for HyperIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        let poll = Pin::new(&mut self.0).poll_read(cx, buf.unfilled());
        poll.map_ok(|()| buf.filled().len())
    }
}

impl<T: Write + Unpin> AsyncWrite for HyperIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
