use std::{
    collections::VecDeque,
    error, fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures_core::Stream;

use super::{
    Encoded,
    line::{Line, Ticket},
};
use crate::{
    BoxError,
    wakers::{Key, WakerSet, replace},
};

/// Events that are pushed: a sender for a producer that doesn't want to be a stream, and the stream for
/// [`Sse::new`](super::Sse::new).
///
/// At most `bound` events wait, at least one; then [`Sender::send`] waits for the client, and [`Sender::try_send`]
/// says that it is full. When the client has gone, every sender knows at once.
///
/// Events arrive in the order in which they were queued. Senders that wait for room get it in the order in which they
/// began to wait, and nobody overtakes them: while somebody waits, `try_send` says that it is full.
///
/// ```
/// use tower_realtime::sse::{self, Event, Sse};
///
/// # async fn handler() -> http::Response<Sse<sse::Receiver>> {
/// let (sender, events) = sse::channel(16);
/// tokio::spawn(async move {
///     for n in 0..10u64 {
///         if sender.send(Event::new("progress").id(n)).await.is_err() {
///             return; // nobody is listening any more
///         }
///     }
/// });
/// Sse::new(events).into_response()
/// # }
/// ```
#[must_use]
pub fn channel(bound: usize) -> (Sender, Receiver) {
    let shared = Arc::new(Shared(Mutex::new(State {
        queue: VecDeque::new(),
        bound: bound.max(1),
        senders: 1,
        failure: None,
        is_closed: false,
        reader: None,
        full: Line::new(),
        closing: WakerSet::new(),
    })));
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

/// The pushing end of a [`channel`]. The stream ends when the last clone is dropped.
///
/// ```
/// use tower_realtime::sse::{self, Event};
///
/// async fn measure(sender: sse::Sender) {
///     let mut dropped = 0_u64;
///     while !sender.is_closed() {
///         match sender.try_send(Event::display(reading().await)) {
///             Ok(()) => {}
///             Err(error) if error.is_closed() => break,
///             Err(full) => {
///                 dropped += 1; // the client is slow: one reading less
///                 drop(full.into_event());
///             }
///         }
///         if dropped > 1_000 {
///             sender.fail("the client is too slow");
///         }
///     }
/// }
///
/// async fn until_it_leaves(sender: sse::Sender, work: impl Future<Output = ()>) {
///     if sender.send(Event::new("begun")).await.is_ok() {
///         futures_util::future::select(std::pin::pin!(work), std::pin::pin!(sender.closed())).await;
///     }
/// }
/// # async fn reading() -> u32 { 0 }
/// # let (sender, client) = sse::channel(1);
/// # drop(client);
/// # smol::block_on(measure(sender.clone()));
/// # smol::block_on(until_it_leaves(sender, async {}));
/// ```
pub struct Sender(Arc<Shared>);

/// The stream of a [`channel`], for [`Sse::new`](super::Sse::new).
///
/// It ends when all senders are gone, or fails when one of them [failed](Sender::fail) it.
pub struct Receiver(Arc<Shared>);

struct Shared(Mutex<State>);

struct State {
    queue: VecDeque<Encoded>,
    bound: usize,
    senders: usize,
    failure: Option<BoxError>,
    is_closed: bool,
    reader: Option<Waker>,
    /// Senders that wait for room.
    full: Line,
    /// Those who wait for the end.
    closing: WakerSet,
}

impl Sender {
    /// Queues an event, after waiting for room.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the client has gone.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the event was either queued, and the future was ready, or it was not queued at all.
    pub async fn send(&self, event: impl Into<Encoded>) -> Result<(), Closed> {
        let mut event = Some(event.into());
        let mut turn = Turn {
            shared: &self.0,
            ticket: None,
        };
        poll_fn(|cx| turn.poll(&mut event, cx)).await
    }

    /// Queues an event, if there is room.
    ///
    /// # Errors
    ///
    /// If there is none that nobody waits for, or if the client has gone; [`TrySendError::is_closed`] tells which.
    pub fn try_send(&self, event: impl Into<Encoded>) -> Result<(), TrySendError> {
        let event = event.into();
        let mut state = self.0.lock();
        if state.is_closed || !state.may_queue(None) {
            let is_closed = state.is_closed;
            return Err(TrySendError { event, is_closed });
        }
        state.queue.push_back(event);
        let reader = state.reader.take();
        drop(state);
        wake(reader);
        Ok(())
    }

    /// Fails the stream behind the events that are queued, so that the response is aborted or
    /// [`Sse::on_error`](super::Sse::on_error) says why. Nothing that is sent later arrives.
    pub fn fail(&self, error: impl Into<BoxError>) {
        let mut state = self.0.lock();
        if state.is_closed {
            return;
        }
        state.failure = Some(error.into());
        let wakers = state.close();
        let reader = state.reader.take();
        drop(state);
        wake(reader);
        wakers();
    }

    /// Waits until the client has gone.
    ///
    /// # Cancel safety
    ///
    /// It can be dropped and called again at any time.
    pub async fn closed(&self) {
        let mut place = Place::new(&self.0, |state| &mut state.closing);
        poll_fn(|cx| place.poll(cx, |state| state.is_closed.then_some(()))).await;
    }

    /// Whether the client has gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.lock().is_closed
    }
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.senders -= 1;
        let reader = if state.senders == 0 {
            state.reader.take()
        } else {
            None
        };
        drop(state);
        wake(reader);
    }
}

impl Stream for Receiver {
    type Item = Result<Encoded, BoxError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.0.lock();
        if let Some(event) = state.queue.pop_front() {
            // Only at half, so that a sender that is woken has more than one event's room.
            if state.queue.len() == state.bound / 2 {
                let room = state.bound - state.queue.len();
                let wakers = state.full.take(room);
                drop(state);
                wakers.into_iter().for_each(Waker::wake);
            }
            return Poll::Ready(Some(Ok(event)));
        }
        if let Some(error) = state.failure.take() {
            return Poll::Ready(Some(Err(error)));
        }
        if state.senders == 0 || state.is_closed {
            return Poll::Ready(None);
        }
        let replaced = replace(&mut state.reader, cx.waker());
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        // Senders may stay for long: they keep neither events nor the reader's task.
        let left = (
            std::mem::take(&mut state.queue),
            state.reader.take(),
            state.failure.take(),
        );
        let wakers = state.close();
        drop(state);
        wakers();
        drop(left);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock runs foreign code but the clone of a waker, before anything has changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Nothing more goes in. What is returned wakes everybody who waits; call it without the lock.
    fn close(&mut self) -> impl FnOnce() + use<> {
        self.is_closed = true;
        let (full, closing) = (self.full.take(usize::MAX), self.closing.take());
        move || {
            full.into_iter().for_each(Waker::wake);
            closing.wake();
        }
    }

    /// Whether there is room for who has this place in the line, or none.
    fn may_queue(&self, ticket: Option<Ticket>) -> bool {
        self.queue.len() < self.bound && self.full.is_turn_of(ticket)
    }

    /// Gives up a place in the line. Whom to wake: the next one, if there is room, and who is to be dropped.
    fn leave(&mut self, ticket: Ticket) -> (Vec<Waker>, Option<Waker>) {
        let left = self.full.leave(ticket);
        let room = usize::from(self.queue.len() < self.bound);
        (self.full.take(room), left)
    }
}

/// A sender that waits for room, and leaves the line when its future is dropped.
struct Turn<'a> {
    shared: &'a Shared,
    ticket: Option<Ticket>,
}

impl Turn<'_> {
    fn poll(&mut self, event: &mut Option<Encoded>, cx: &Context<'_>) -> Poll<Result<(), Closed>> {
        let mut state = self.shared.lock();
        if state.is_closed {
            return Poll::Ready(Err(Closed));
        }
        if !state.may_queue(self.ticket) {
            let ticket = *self.ticket.get_or_insert_with(|| state.full.join());
            let replaced = state.full.wait(ticket, cx.waker());
            drop(state);
            drop(replaced);
            return Poll::Pending;
        }
        state.queue.extend(event.take());
        let reader = state.reader.take();
        let left = self.ticket.take().map(|ticket| state.leave(ticket));
        drop(state);
        wake(reader);
        let (next, _own) = left.unwrap_or_default();
        next.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let (next, own) = self.shared.lock().leave(ticket);
            drop(own);
            next.into_iter().for_each(Waker::wake);
        }
    }
}

/// A place among those who wait, which is left when the future is dropped.
struct Place<'a> {
    shared: &'a Shared,
    set: fn(&mut State) -> &mut WakerSet,
    key: Option<Key>,
}

impl<'a> Place<'a> {
    const fn new(shared: &'a Shared, set: fn(&mut State) -> &mut WakerSet) -> Self {
        Self {
            shared,
            set,
            key: None,
        }
    }

    /// Ready with what `test` finds, or waiting to test again.
    fn poll<R>(&mut self, cx: &Context<'_>, test: impl FnOnce(&mut State) -> Option<R>) -> Poll<R> {
        let mut state = self.shared.lock();
        if let Some(found) = test(&mut state) {
            return Poll::Ready(found);
        }
        let set = (self.set)(&mut state);
        let key = self.key.get_or_insert_with(|| set.insert());
        let replaced = set.wait(key, cx.waker());
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let waker = (self.set)(&mut self.shared.lock()).remove(key);
            drop(waker);
        }
    }
}

/// The client has gone, or the stream was failed: there is nobody to send to.
///
/// ```
/// use tower_realtime::sse::{self, Event};
///
/// let (sender, client) = sse::channel(1);
/// drop(client);
/// let error: sse::Closed = smol::block_on(sender.send(Event::new("hello"))).unwrap_err();
/// assert_eq!(error.to_string(), "the client has gone");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed;

/// An event could not be queued at once.
///
/// ```
/// use tower_realtime::sse::{self, Event};
///
/// let (sender, _client) = sse::channel(1);
/// sender.try_send(Event::new("1"))?;
/// let error = sender.try_send(Event::new("2")).expect_err("it is full");
/// assert!(!error.is_closed());
/// assert_eq!(error.into_event().as_bytes(), "data: 2\n\n");
/// # Ok::<(), sse::TrySendError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrySendError {
    event: Encoded,
    is_closed: bool,
}

impl TrySendError {
    /// Whether the client has gone. If not, there was no room.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The event that was not sent.
    #[must_use]
    pub fn into_event(self) -> Encoded {
        self.event
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client has gone")
    }
}

impl fmt::Display for TrySendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_closed {
            "the client has gone"
        } else {
            "too many events wait for the client"
        })
    }
}

impl error::Error for Closed {}

impl error::Error for TrySendError {}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
