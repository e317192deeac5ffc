use std::{
    fmt,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use futures_io::AsyncRead;

use super::{
    shared::{Shared, Start, State},
    websocket::Drive,
};
use crate::ws::{Error, Message, MessageKind};

/// A message of the peer, in parts as they come. Made by [`WebSocket::recv_stream`](super::WebSocket::recv_stream).
///
/// Parts have nothing to do with the frames of the peer: each is what has come, up to about 64 KiB of it, and no more
/// is read before it is taken. The first is all that came before anybody asked, as much as a whole message at most. It
/// is also a [`Stream`] of parts, and an [`AsyncRead`] of their bytes.
///
/// When it is dropped, the rest of the message is read and dropped, and the next message is the next one.
///
/// ```
/// use futures_util::{AsyncReadExt, StreamExt};
/// use tower_realtime::ws::{self, MessageKind, WebSocket};
///
/// async fn upload(socket: &mut WebSocket) -> Result<Option<usize>, ws::Error> {
///     let Some(mut message) = socket.recv_stream().await? else { return Ok(None) };
///     if message.kind() == MessageKind::Text {
///         return Ok(Some(0)); // dropped: the rest of it is read and dropped as well
///     }
///     let mut size = 0;
///     while let Some(part) = message.part().await? {
///         size += part.len();
///     }
///     Ok(Some(size))
/// }
/// # async fn as_others(mut message: ws::MessageReader<'_>, out: &mut Vec<u8>) {
/// #     let _ = message.next().await;
/// #     let _ = message.read_to_end(out).await;
/// # }
/// ```
pub struct MessageReader<'a> {
    shared: &'a Shared,
    /// What drives the connection, when nobody else does.
    driver: Option<&'a mut (dyn Drive + Send + 'static)>,
    kind: MessageKind,
    /// A message that was there whole, or what is left of a part.
    part: Option<Message>,
    rest: Bytes,
    /// More parts come.
    open: bool,
}

impl<'a> MessageReader<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        driver: Option<&'a mut (dyn Drive + Send + 'static)>,
        start: Start,
    ) -> Self {
        let (kind, part, open) = match start {
            Start::Whole(message) => (message.kind(), Some(message), false),
            Start::Parts(kind) => (kind, None, true),
        };
        Self {
            shared,
            driver,
            kind,
            part,
            rest: Bytes::new(),
            open,
        }
    }

    /// Text or binary.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The next part; `None` when the message is whole. Never an empty one.
    ///
    /// A part of a text is text: it is checked as it comes, and cut between characters.
    ///
    /// # Errors
    ///
    /// When the connection ends before the message does: [`Error::is_cut`] when the peer is gone, and as for
    /// [`recv`](super::WebSocket::recv) when it broke a rule or fell silent. What came before is no whole message.
    ///
    /// # Cancel safety
    ///
    /// Safe: a part is taken by the call that returns it, or not at all.
    pub async fn part(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.poll_part(cx)).await
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        if let Some(part) = self.part.take().filter(|part| !part.is_empty()) {
            return Poll::Ready(Ok(Some(part)));
        }
        if !self.open {
            return Poll::Ready(Ok(None));
        }
        let patient = self.driver.is_some();
        let mut part = self.shared.poll_part(patient, cx);
        if let (Poll::Pending, Some(driver)) = (&part, &mut self.driver) {
            driver.poll_drive(cx);
            part = self.shared.poll_part(patient, cx);
        }
        self.open = matches!(part, Poll::Pending | Poll::Ready(Ok(Some(_))));
        part
    }
}

impl Drop for MessageReader<'_> {
    fn drop(&mut self) {
        if self.open {
            self.shared.update(State::drop_parts);
        }
    }
}

impl Stream for MessageReader<'_> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_part(cx).map(Result::transpose)
    }
}

/// Reads the bytes of the message. A message that is cut is an error of the kind
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof), and never looks like a whole one.
impl AsyncRead for MessageReader<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if out.is_empty() {
            return Poll::Ready(Ok(0));
        }
        while self.rest.is_empty() {
            match ready!(self.poll_part(cx)).map_err(io::Error::from)? {
                Some(part) => self.rest = part.into_bytes(),
                None => return Poll::Ready(Ok(0)),
            }
        }
        let count = out.len().min(self.rest.len());
        self.rest.copy_to_slice(&mut out[..count]);
        Poll::Ready(Ok(count))
    }
}

impl fmt::Debug for MessageReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageReader")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
