use std::{
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use axum_core::Error;
use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use http::HeaderValue;

use super::Message;
use crate::ws;

/// A connection in axum's shape: a stream and a sink of [`Message`]s of five kinds.
///
/// It is this crate's [`ws::WebSocket`] underneath, and [`into_inner`](Self::into_inner) takes it out.
///
/// ```
/// use tower_realtime::axum::ws::WebSocket;
///
/// async fn handler(socket: WebSocket) {
///     println!("{:?} was agreed on", socket.protocol());
///     let closed = socket.into_inner().closed().await; // `ws::WebSocket` can do more
///     println!("ended with {}", closed.code());
/// }
/// ```
#[derive(Debug)]
pub struct WebSocket {
    inner: ws::WebSocket,
    protocol: Option<HeaderValue>,
    ended: bool,
}

impl WebSocket {
    pub(super) fn new(inner: ws::WebSocket) -> Self {
        let protocol = inner
            .protocol()
            .and_then(|name| HeaderValue::from_str(name).ok());
        Self {
            inner,
            protocol,
            ended: false,
        }
    }

    /// The next message; `None` when the connection has ended.
    ///
    /// The peer's close is the last message. A transport that ends without one is just the end.
    ///
    /// # Errors
    ///
    /// Once, when the peer broke a rule or fell silent, or the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Safe: a message is taken by the call that returns it, or not at all.
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Queues a message, which leaves when the handler next waits for something.
    ///
    /// It waits only while the peer does not read and the queue is full.
    ///
    /// # Errors
    ///
    /// When the connection has ended or is being closed, and for a close frame with a code that can't be sent.
    ///
    /// # Cancel safety
    ///
    /// A message is queued whole or not at all.
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.inner.ready().await.map_err(Error::new)?;
        self.queue(message)
    }

    /// The subprotocol that was agreed on.
    #[must_use]
    pub const fn protocol(&self) -> Option<&HeaderValue> {
        self.protocol.as_ref()
    }

    /// The socket underneath: with `feed_from`, `closed`, a `split` whose halves are no locks, and typed messages.
    #[must_use]
    pub fn into_inner(self) -> ws::WebSocket {
        self.inner
    }

    fn queue(&mut self, message: Message) -> Result<(), Error> {
        let message = match message {
            Message::Text(text) => ws::Message::Text(text),
            Message::Binary(bytes) => ws::Message::Binary(bytes),
            // The heartbeat pings, and the driver answers pings.
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(frame) => {
                let frame = frame.map(super::CloseFrame::check).transpose()?;
                self.inner.begin_close(frame);
                return Ok(());
            }
        };
        Pin::new(&mut self.inner)
            .start_send(message)
            .map_err(Error::new)
    }
}

impl Stream for WebSocket {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(message) = ready!(Pin::new(&mut self.inner).poll_next(cx)) {
            return Poll::Ready(Some(message.map(Message::from).map_err(Error::new)));
        }
        let closed = ready!(pin!(self.inner.closed()).poll(cx));
        self.ended = true;
        Poll::Ready(Message::goodbye(&closed).map(Ok))
    }
}

impl FusedStream for WebSocket {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl Sink<Message> for WebSocket {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.inner).poll_ready(cx).map_err(Error::new)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.queue(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.inner).poll_flush(cx).map_err(Error::new)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.inner).poll_close(cx).map_err(Error::new)
    }
}
