use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;

use super::{
    reader::MessageReader,
    shared::{Shared, State, Taken},
    websocket::Drive,
    writer::MessageWriter,
};
use crate::ws::{CloseFrame, Closed, Error, Message, MessageKind, Outgoing};

/// The sending part of a [split](super::WebSocket::split) socket. Clones send over the same connection, from any
/// task.
///
/// ```
/// use tower_realtime::ws::{self, Sender, WebSocket};
///
/// async fn chat(socket: WebSocket) -> Result<(), ws::Error> {
///     let (sender, mut receiver, driving) = socket.split();
///     tokio::spawn(driving);
///     tokio::spawn(greet(sender.clone()));
///     while let Some(message) = receiver.recv().await? {
///         sender.send(message).await?;
///     }
///     Ok(())
/// }
///
/// async fn greet(sender: Sender) -> Result<(), ws::Error> {
///     sender.send("hello").await
/// }
/// ```
///
/// Whoever holds one can also wait for room, for the transport, and for the end:
///
/// ```
/// use bytes::Bytes;
/// use tower_realtime::ws::{self, CloseCode, MessageKind, Sender};
///
/// async fn report(sender: Sender, mut pages: impl Iterator<Item = Bytes>) -> Result<(), ws::Error> {
///     sender.ready().await?; // before the work is done
///     let mut message = sender.send_stream(MessageKind::Binary);
///     for page in pages.by_ref() {
///         message.write(page).await?;
///     }
///     message.finish().await?;
///     sender.flush().await?;
///     if !sender.is_closed() {
///         sender.close(CloseCode::NORMAL).await;
///     }
///     println!("ended with {}", sender.closed().await.code());
///     Ok(())
/// }
/// ```
pub struct Sender {
    shared: Shared,
    /// What was sent through this one, for its `Sink`.
    mark: u64,
}

impl Sender {
    pub(super) fn new(shared: &Shared) -> Self {
        Self {
            shared: shared.hold(),
            mark: 0,
        }
    }

    /// Queues a message; see [`WebSocket::send`](super::WebSocket::send).
    ///
    /// Messages leave in the order in which they were queued, so those that one task sends one after the other keep
    /// theirs. Of several tasks that wait for room any may be the first, and one that comes when there is room again
    /// does not wait for them.
    ///
    /// # Errors
    ///
    /// When the connection has ended or is being closed: [`Error::is_closed`].
    ///
    /// # Cancel safety
    ///
    /// A message is queued whole or not at all.
    pub async fn send(&self, message: impl Into<Outgoing>) -> Result<(), Error> {
        let mut message = Some(message.into());
        poll_fn(|cx| self.shared.poll_push(&mut message, cx)).await
    }

    /// Begins a message whose parts are sent as they are written; see
    /// [`WebSocket::send_stream`](super::WebSocket::send_stream).
    ///
    /// From its first frame to its last, messages of other senders and of a feed wait.
    pub fn send_stream(&self, kind: MessageKind) -> MessageWriter<'_> {
        MessageWriter::new(&self.shared, None, kind)
    }

    /// Waits until there is room for a message.
    ///
    /// # Errors
    ///
    /// When the connection has ended or is being closed: [`Error::is_closed`].
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes and changes nothing.
    pub async fn ready(&self) -> Result<(), Error> {
        poll_fn(|cx| self.shared.poll_room(cx)).await
    }

    /// Waits until everything that was sent before, by any sender, is with the transport.
    ///
    /// # Errors
    ///
    /// When the connection ended before that: [`Error::is_closed`].
    ///
    /// # Cancel safety
    ///
    /// Safe: the messages stay queued.
    pub async fn flush(&self) -> Result<(), Error> {
        let mark = self.shared.lock().queued;
        poll_fn(|cx| self.shared.poll_flushed(mark, cx)).await
    }

    /// Sends what is queued and a close frame, waits for that of the peer, and says how it went.
    ///
    /// # Cancel safety
    ///
    /// The close goes on without it.
    pub async fn close(&self, frame: impl Into<Option<CloseFrame>>) -> Closed {
        self.shared.close(frame.into());
        self.closed().await
    }

    /// Waits until the connection has ended, and says how.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn closed(&self) -> Closed {
        poll_fn(|cx| self.shared.poll_closed(cx)).await
    }

    /// Whether the connection has ended or is being closed: nothing can be sent any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.lock().output_ended
    }
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        Self::new(&self.shared)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.release();
    }
}

impl Sink<Message> for Sender {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.poll_room(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.shared.push(message.into())?;
        let mark = self.shared.lock().queued;
        self.mark = mark;
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.poll_flushed(self.mark, cx)
    }

    /// Flushes; the connection stays open for the other senders.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_flush(cx)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// The receiving part of a [split](super::WebSocket::split) socket.
///
/// ```
/// use tower_realtime::ws::{self, Receiver};
///
/// async fn count(mut receiver: Receiver) -> Result<usize, ws::Error> {
///     let mut bytes = 0;
///     while let Some(mut message) = receiver.recv_stream().await? {
///         while let Some(part) = message.part().await? {
///             bytes += part.len();
///         }
///     }
///     println!("ended with {}", receiver.closed().await.code());
///     Ok(bytes)
/// }
/// ```
pub struct Receiver {
    shared: Shared,
    taken: Taken,
}

impl Receiver {
    pub(super) fn new(shared: &Shared, taken: Taken) -> Self {
        Self {
            shared: shared.hold(),
            taken,
        }
    }

    /// The next message; see [`WebSocket::recv`](super::WebSocket::recv).
    ///
    /// # Errors
    ///
    /// Once, when the peer broke a rule or fell silent, or the transport failed.
    ///
    /// # Cancel safety
    ///
    /// Safe: a message is taken by the call that returns it, or not at all.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.shared.poll_recv(&mut self.taken, cx)).await
    }

    /// The next message, in parts as they come; see [`WebSocket::recv_stream`](super::WebSocket::recv_stream).
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Safe: a message is taken by the call that returns its reader, or not at all.
    pub async fn recv_stream(&mut self) -> Result<Option<MessageReader<'_>>, Error> {
        let start = poll_fn(|cx| self.shared.poll_recv_parts(&mut self.taken, cx)).await?;
        Ok(start.map(|start| MessageReader::new(&self.shared, None, start)))
    }

    /// Waits until the connection has ended, and says how.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn closed(&self) -> Closed {
        poll_fn(|cx| self.shared.poll_closed(cx)).await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.update(State::turn_deaf);
        self.shared.release();
    }
}

impl Stream for Receiver {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        this.shared
            .poll_recv(&mut this.taken, cx)
            .map(Result::transpose)
    }
}

impl FusedStream for Receiver {
    fn is_terminated(&self) -> bool {
        self.taken.messages.is_empty() && self.shared.lock().is_exhausted()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

/// The driver of a [split](super::WebSocket::split) socket: a future that ends with the connection.
#[must_use = "the connection stands still unless its driver is polled"]
pub struct Driving {
    shared: Shared,
    /// `None` when the connection is driven beside a handler.
    driver: Option<Box<dyn Drive + Send>>,
}

impl Driving {
    pub(super) const fn new(shared: Shared, driver: Option<Box<dyn Drive + Send>>) -> Self {
        Self { shared, driver }
    }
}

impl Future for Driving {
    type Output = Closed;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Closed> {
        if let Some(driver) = &mut self.driver {
            // The others may be in this task, and have been polled before: in a `join!`, say.
            if driver.poll_drive(cx) {
                cx.waker().wake_by_ref();
            }
        }
        self.shared.poll_closed(cx)
    }
}

impl fmt::Debug for Driving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driving").finish_non_exhaustive()
    }
}
