use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use futures_io::{AsyncRead, AsyncWrite};

use super::websocket::WebSocket;
use crate::ws::{CloseCode, CloseFrame, Error, Message};

/// A [`WebSocket`] as a stream of bytes, to tunnel another protocol through it. Made by [`WebSocket::into_io`].
///
/// *Framing*: each write becomes one binary message of up to 64 KiB; reading joins the binary messages of the peer,
/// and their boundaries are lost. A text message is refused: the connection is closed with 1003, and the read fails.
/// The close of the peer reads as the end, and an end without a close as
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof), so that a cut stream is not taken for a whole one. Closing sends
/// 1000 and waits for the answer.
///
/// ```
/// use futures_util::{AsyncReadExt, io};
/// use tower_realtime::ws::WebSocket;
///
/// async fn echo(socket: WebSocket) -> io::Result<u64> {
///     let (reader, mut writer) = socket.into_io().split();
///     io::copy(reader, &mut writer).await
/// }
/// ```
pub struct ByteStream {
    socket: WebSocket,
    unread: Bytes,
    failed: bool,
}

const LARGEST: usize = 64 << 10;

impl WebSocket {
    /// This socket as a stream of bytes.
    ///
    /// ```
    /// use futures_util::{AsyncReadExt, AsyncWriteExt};
    /// use tower_realtime::ws::WebSocket;
    ///
    /// async fn ask(socket: WebSocket) -> std::io::Result<String> {
    ///     let mut io = socket.into_io();
    ///     io.write_all(b"HELP\r\n").await?;
    ///     io.close().await?;
    ///     let mut answer = String::new();
    ///     io.read_to_string(&mut answer).await?;
    ///     Ok(answer)
    /// }
    /// ```
    #[must_use]
    pub const fn into_io(self) -> ByteStream {
        ByteStream {
            socket: self,
            unread: Bytes::new(),
            failed: false,
        }
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        while this.unread.is_empty() {
            if this.failed {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            match ready!(this.socket.poll_recv(cx)).map_err(io::Error::from)? {
                Some(Message::Binary(bytes)) => this.unread = bytes,
                Some(Message::Text(_)) => {
                    this.failed = true;
                    this.socket
                        .begin_close(CloseFrame::new(CloseCode::UNSUPPORTED));
                }
                None if ready!(this.socket.poll_closed(cx)).code() == 1006 => {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                None => return Poll::Ready(Ok(0)),
            }
        }
        let count = out.len().min(this.unread.len());
        this.unread.copy_to_slice(&mut out[..count]);
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.socket.poll_room(cx)).map_err(io::Error::from)?;
        let bytes = &bytes[..bytes.len().min(LARGEST)];
        let mut message = Some(Message::from(bytes).into());
        ready!(self.socket.poll_push(&mut message, cx)).map_err(io::Error::from)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_flush_all(cx).map_err(io::Error::from)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.begin_close(CloseFrame::new(CloseCode::NORMAL));
        self.socket.poll_closed(cx).map(|_| Ok(()))
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = if error.is_closed() {
            io::ErrorKind::BrokenPipe
        } else if error.is_cut() {
            io::ErrorKind::UnexpectedEof
        } else if error.is_timeout() {
            io::ErrorKind::TimedOut
        } else {
            io::ErrorKind::InvalidData
        };
        Self::new(kind, error)
    }
}
