use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use futures_core::{FusedStream, Stream};
use futures_io::{AsyncRead, AsyncWrite};
use futures_sink::Sink;

use super::{
    driver::Driver,
    feed::Feed,
    futures::{self, Recv},
    params::Params,
    reader::MessageReader,
    shared::{Shared, Start, Taken},
    split::{Driving, Receiver, Sender},
    writer::MessageWriter,
};
use crate::{
    BoxError,
    ws::{CloseCode, CloseFrame, Closed, Error, Message, MessageKind, Outgoing},
};

/// A connection over which both sides send [messages](Message) at any time.
///
/// In a handler it is driven beside it: messages are read and written, pings answered, dead peers noticed and closes
/// completed while the handler waits for something else. What is sent goes out when the handler waits, in one
/// write, so nothing is delayed and everything that is ready is batched. Elsewhere, as in clients, the socket is
/// driven by its own methods: keep calling [`recv`](Self::recv), or [`split`](Self::split) it.
///
/// When it is dropped, the connection is closed with 1000.
///
/// ```
/// use tower_realtime::ws::{self, WebSocket};
///
/// async fn echo(mut socket: WebSocket) -> Result<(), ws::Error> {
///     while let Some(message) = socket.recv().await? {
///         socket.send(message).await?;
///     }
///     Ok(())
/// }
/// ```
///
/// Many small messages at once, and how the connection ended:
///
/// ```
/// use tower_realtime::ws::{self, WebSocket};
///
/// async fn burst(mut socket: WebSocket) -> Result<(), ws::Error> {
///     socket.ready().await?;
///     for n in 0..100 {
///         socket.feed(format!("{n}")).await?;
///     }
///     socket.flush().await?; // one write for all of them
///     println!("{:?}, {:?} there and back", socket.protocol(), socket.round_trip());
///     println!("ended with {}", socket.closed().await.code());
///     Ok(())
/// }
/// ```
// Boxed, since an `async fn` holds its arguments twice.
pub struct WebSocket(Box<Handle>);

struct Handle {
    shared: Shared,
    taken: Taken,
    /// What drives the connection, when nobody else does.
    driver: Option<Box<dyn Drive + Send>>,
}

/// A connection of its own, for clients and for servers without a task: driven by its own methods.
pub(crate) fn open<T>(io: T, params: Params) -> WebSocket
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let driver = Driver::new(io, params);
    let taken = Taken {
        patient: true,
        ..Taken::default()
    };
    WebSocket(Box::new(Handle {
        shared: driver.shared.clone(),
        taken,
        driver: Some(Box::new(driver)),
    }))
}

/// A [`Driver`] without the type of its transport.
pub(super) trait Drive {
    /// Gives the driver a turn. Whether the task waits for what has been done, and has not been woken.
    fn poll_drive(&mut self, cx: &mut Context<'_>) -> bool;
}

impl<T: AsyncRead + AsyncWrite + Unpin> Drive for Driver<T> {
    fn poll_drive(&mut self, cx: &mut Context<'_>) -> bool {
        self.poll(cx)
    }
}

impl WebSocket {
    /// A socket whose driver is polled by somebody else.
    pub(super) fn driven(shared: Shared) -> Self {
        Self(Box::new(Handle {
            shared,
            taken: Taken::default(),
            driver: None,
        }))
    }

    /// The next message; `None` when the connection has ended, whoever ended it and however.
    ///
    /// [`closed`](Self::closed) says how. Messages that came before the end are given out first. A socket that is
    /// driven by its own methods completes the close first, within the close time-out when there is a timer: it may
    /// be dropped after that.
    ///
    /// # Errors
    ///
    /// Once, when the peer broke a rule or fell silent, or the transport failed. It is `None` after that. A socket
    /// that is driven by its own methods has told the peer by then what it did.
    ///
    /// # Cancel safety
    ///
    /// Safe: a message is taken by the call that returns it, or not at all.
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, Error>> + Send + '_ {
        Recv(self)
    }

    /// The next message, in parts as they come: a message of any size passes through little memory.
    ///
    /// A message larger than [`Limits::message`](crate::ws::Limits::message) is taken up to
    /// [`Limits::streamed`](crate::ws::Limits::streamed), which has to be raised for that. Reading the next part is
    /// what lets the peer send on. `None` when the connection has ended, as for [`recv`](Self::recv); the two can
    /// take turns.
    ///
    /// ```
    /// # use tower_realtime::ws::{self, WebSocket};
    /// # async fn f(mut socket: WebSocket) -> Result<(), ws::Error> {
    /// loop {
    ///     let Some(mut message) = socket.recv_stream().await? else {
    ///         break Ok(());
    ///     };
    ///     let mut size = 0;
    ///     while let Some(part) = message.part().await? {
    ///         size += part.len();
    ///     }
    ///     drop(message);
    ///     socket.send(format!("{size} bytes")).await?;
    /// }
    /// # }
    /// ```
    ///
    /// (`while let` would keep the socket borrowed for its whole body.)
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Safe: a message is taken by the call that returns its reader, or not at all.
    pub async fn recv_stream(&mut self) -> Result<Option<MessageReader<'_>>, Error> {
        let start = poll_fn(|cx| self.poll_recv_parts(cx)).await?;
        let driver = self.0.driver.as_deref_mut();
        Ok(start.map(|start| MessageReader::new(&self.0.shared, driver, start)))
    }

    /// Queues a message. It waits only while the peer does not read and the queue is over its
    /// [bound](crate::ws::Limits::queued_bytes).
    ///
    /// The message leaves when the handler next waits for something. [`flush`](Self::flush) waits for that.
    ///
    /// # Errors
    ///
    /// When the connection has ended or is being closed: [`Error::is_closed`].
    ///
    /// # Cancel safety
    ///
    /// A message is queued whole or not at all. When the future is dropped while it waits, the message is dropped
    /// with it; wait with [`ready`](Self::ready) first where it must not be.
    pub fn send<M: Into<Outgoing>>(
        &mut self,
        message: M,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<'_, M> {
        futures::Send {
            socket: self,
            message: Some(message.into()),
            write: true,
        }
    }

    /// Begins a message whose parts are sent as they are written: it never has to be held whole.
    ///
    /// ```
    /// # use tower_realtime::ws::{self, MessageKind, WebSocket};
    /// # async fn f(mut socket: WebSocket) -> Result<(), ws::Error> {
    /// let mut message = socket.send_stream(MessageKind::Text);
    /// for line in 0..1_000_000 {
    ///     message.write(format!("{line}\n")).await?;
    /// }
    /// message.finish().await
    /// # }
    /// ```
    pub fn send_stream(&mut self, kind: MessageKind) -> MessageWriter<'_> {
        MessageWriter::new(&self.0.shared, self.0.driver.as_deref_mut(), kind)
    }

    /// As [`send`](Self::send), but a socket that is driven by its own methods does not write yet.
    ///
    /// Feed what belongs together, and [`flush`](Self::flush) it with one write.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// As for [`send`](Self::send).
    pub fn feed<M: Into<Outgoing>>(
        &mut self,
        message: M,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<'_, M> {
        futures::Send {
            socket: self,
            message: Some(message.into()),
            write: false,
        }
    }

    /// Waits until a message would be queued at once.
    ///
    /// # Errors
    ///
    /// When the connection has ended or is being closed: [`Error::is_closed`].
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes and changes nothing.
    pub async fn ready(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_room(cx)).await
    }

    /// Waits until everything that was sent before is with the transport.
    ///
    /// # Errors
    ///
    /// When the connection ended before that: [`Error::is_closed`].
    ///
    /// # Cancel safety
    ///
    /// Safe: the messages stay queued.
    pub async fn flush(&mut self) -> Result<(), Error> {
        let mark = self.0.shared.lock().queued;
        poll_fn(|cx| self.poll_flushed(mark, cx)).await
    }

    /// Sends what is queued and a close frame, waits for that of the peer, and says how it went.
    ///
    /// `None` sends an empty close frame. Messages that still come are dropped. It takes as long as the close
    /// time-out at most, when there is a timer. When the peer closed first, its close is completed instead.
    ///
    /// ```
    /// # use tower_realtime::ws::{CloseCode, CloseFrame, WebSocket};
    /// # async fn f(mut socket: WebSocket) {
    /// let closed = socket.close(CloseFrame::new(CloseCode::NORMAL).reason("done")).await;
    /// assert!(closed.is_clean());
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// The close goes on without it, as far as the socket is driven.
    pub async fn close(&mut self, frame: impl Into<Option<CloseFrame>>) -> Closed {
        self.0.shared.close(frame.into());
        self.closed().await
    }

    /// Waits until the connection has ended, and says how.
    ///
    /// Messages are not taken meanwhile: a full inbox keeps a peer's close from being seen.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn closed(&mut self) -> Closed {
        poll_fn(|cx| self.poll_closed(cx)).await
    }

    /// Sends the items of `stream` as they come, while this socket is used for everything else.
    ///
    /// They are sent when the peer reads: a stream that bounds what waits, such as a subscription, then bounds what
    /// a slow reader costs. When the stream ends, nothing happens. When it yields an error, the connection is
    /// closed: with 1013 when the error is, or is caused by, a reader that fell behind
    /// ([`topic::Lagged`](crate::topic::Lagged), and [`log::Missed`](crate::log::Missed) where events are gone), with
    /// 1011 otherwise, and when the stream panics. A second stream takes the place of the first.
    ///
    /// ```
    /// use tower_realtime::{topic::Topic, ws::{self, Message, WebSocket}};
    ///
    /// async fn chat(socket: WebSocket, room: Topic<Message>) -> Result<(), ws::Error> {
    ///     let mut socket = socket.feed_from(room.subscribe());
    ///     while let Some(message) = socket.recv().await? {
    ///         room.publish(message);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn feed_from<S, M, E>(self, stream: S) -> Self
    where
        S: Stream<Item = Result<M, E>> + Send + 'static,
        M: Into<Outgoing>,
        E: Into<BoxError> + 'static,
    {
        self.0
            .shared
            .update(|state| state.feed = Some(Feed::new(stream)));
        self
    }

    /// Takes the socket apart: many may send, one receives, and somebody drives.
    ///
    /// The third part is the driver as a plain future: spawn it, or join it with the others. It ends when the
    /// connection does. In a handler the connection is driven already, and the future only waits for its end.
    ///
    /// ```
    /// # use tower_realtime::ws::WebSocket;
    /// # async fn f(socket: WebSocket) {
    /// let (sender, mut receiver, driving) = socket.split();
    /// tokio::spawn(driving);
    /// let other = sender.clone();
    /// tokio::spawn(async move { other.send("from another task").await });
    /// while let Ok(Some(message)) = receiver.recv().await {
    ///     let _ = sender.send(message).await;
    /// }
    /// # }
    /// ```
    ///
    /// The connection is closed with 1000 when all senders and the receiver are dropped. Without the receiver,
    /// messages of the peer are dropped. When the driver is dropped, the connection is gone.
    #[must_use = "without its driver the connection is gone"]
    pub fn split(mut self) -> (Sender, Receiver, Driving) {
        let driver = self.0.driver.take();
        let mut taken = std::mem::take(&mut self.0.taken);
        // Whoever drives goes on when nobody receives.
        taken.patient = false;
        (
            Sender::new(&self.0.shared),
            Receiver::new(&self.0.shared, taken),
            Driving::new(self.0.shared.clone(), driver),
        )
    }

    /// The subprotocol that was agreed on.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.0.shared.protocol()
    }

    /// How long the last ping took to be answered; `None` before the first one was.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.0.shared.lock().round_trip
    }

    #[inline]
    pub(super) fn poll_push(
        &mut self,
        message: &mut Option<Outgoing>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let pushed = self.0.shared.poll_push(message, cx);
        if pushed.is_ready() || !self.drive(cx) {
            return pushed;
        }
        self.0.shared.poll_push(message, cx)
    }

    #[inline]
    pub(super) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, Error>> {
        match self.0.taken.messages.pop() {
            Some(message) => Poll::Ready(Ok(Some(message))),
            None => self.poll_more(cx),
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        let mut received = self.0.shared.poll_recv(&mut self.0.taken, cx);
        if received.is_pending() && self.drive(cx) {
            received = self.0.shared.poll_recv(&mut self.0.taken, cx);
        }
        received
    }

    fn poll_recv_parts(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Start>, Error>> {
        let mut received = self.0.shared.poll_recv_parts(&mut self.0.taken, cx);
        if received.is_pending() && self.drive(cx) {
            received = self.0.shared.poll_recv_parts(&mut self.0.taken, cx);
        }
        received
    }

    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let room = self.0.shared.poll_room(cx);
        if room.is_ready() || !self.drive(cx) {
            return room;
        }
        self.0.shared.poll_room(cx)
    }

    /// Ready when all that was queued before is on the wire.
    pub(super) fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mark = self.0.shared.lock().queued;
        self.poll_flushed(mark, cx)
    }

    /// Asks for the end, and does not wait for it.
    pub(crate) fn begin_close(&self, frame: impl Into<Option<CloseFrame>>) {
        self.0.shared.close(frame.into());
    }

    /// Ends with a connection that is driven beside its handler.
    #[allow(dead_code, reason = "for the feature `axum`")]
    pub(crate) fn ended(&self) -> Driving {
        Driving::new(self.0.shared.clone(), None)
    }

    fn poll_flushed(&mut self, mark: u64, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.drive(cx);
        self.0.shared.poll_flushed(mark, cx)
    }

    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Closed> {
        self.drive(cx);
        self.0.shared.poll_closed(cx)
    }

    /// Gives the driver a turn. Whether there is one: somebody else may poll it.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.0.driver {
            Some(driver) => {
                driver.poll_drive(cx);
                true
            }
            None => false,
        }
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        self.0.shared.release();
        // Nobody will drive it any more: what can be sent without waiting is.
        self.drive(&mut Context::from_waker(Waker::noop()));
    }
}

impl Stream for WebSocket {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_recv(cx).map(Result::transpose)
    }
}

impl FusedStream for WebSocket {
    fn is_terminated(&self) -> bool {
        let state = self.0.shared.lock();
        let driven = self.0.driver.is_none() || state.closed.is_some();
        driven && self.0.taken.messages.is_empty() && state.is_exhausted()
    }
}

impl Sink<Message> for WebSocket {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_room(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.0.shared.push(message.into())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_flush_all(cx)
    }

    /// Closes with 1000, and is ready when the connection has ended.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0
            .shared
            .close(Some(CloseFrame::new(CloseCode::NORMAL)));
        ready!(self.poll_closed(cx));
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("protocol", &self.protocol())
            .finish_non_exhaustive()
    }
}
