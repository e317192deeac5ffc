//! What the handles and the driver of one connection share.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{
    feed::Feed,
    incoming::{Offer, Parts},
    line::Line,
    queue::{Bounds, Queue},
};
use crate::ws::{CloseFrame, Closed, ClosedBy, Error, Limits, Message, MessageKind, Outgoing};

/// One connection, from the side of its handles. The lock is held for moments, never across a poll or a wake.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    protocol: Option<Box<str>>,
}

#[derive(Debug)]
pub(super) struct State {
    /// Of either queue.
    pub(super) bounds: Bounds,
    pub(super) inbox: Queue<Message>,
    pub(super) outbox: Queue<Outgoing>,
    /// Messages handed in so far, and how many of these are known to be on the wire.
    pub(super) queued: u64,
    pub(super) flushed: u64,
    /// Frames of a message that is not whole have been queued: nothing else may be until it is.
    pub(super) writing: bool,
    /// What was queued nevertheless, by those who had been told that there is room.
    pub(super) delayed: Line<Outgoing>,
    /// A stream whose items are to be sent, on its way to the driver.
    pub(super) feed: Option<Feed>,
    /// A handle asked for the end, with this frame.
    pub(super) close: Option<Box<Option<CloseFrame>>>,
    /// How many handles there are; without any, the connection is closed.
    pub(super) handles: usize,
    /// The message in progress, while all before it has been delivered.
    pub(super) offer: Option<Offer>,
    /// Somebody would take the message in progress in parts.
    pub(super) wanted: bool,
    /// Nobody takes the message in progress in parts, and it is too large.
    pub(super) declined: bool,
    /// The message that is taken in parts.
    pub(super) parts: Option<Box<Parts>>,
    /// Nobody receives: what comes is dropped.
    pub(super) deaf: bool,
    /// Nothing more will be received. The error is for the one who asks next.
    pub(super) input_ended: bool,
    pub(super) error: Option<Error>,
    /// Nothing more will be sent.
    pub(super) output_ended: bool,
    pub(super) closed: Option<Box<Closed>>,
    /// The handler has taken a message and not come back for the next: its answer may be on the way.
    pub(super) answering: bool,
    /// The driver stopped reading for lack of room, not of bytes.
    pub(super) stalled: bool,
    /// The driver waits for the transport to take more.
    pub(super) blocked: bool,
    pub(super) round_trip: Option<Duration>,
    /// Who waits for a message.
    pub(super) receiver: Option<Waker>,
    /// Who waits for room, for the wire, or for the end.
    pub(super) waiters: Vec<Waker>,
    /// The driver, while it is parked.
    pub(super) driver: Option<Waker>,
}

impl Shared {
    pub(super) fn new(limits: &Limits, protocol: Option<Box<str>>) -> Self {
        let state = Mutex::new(State {
            bounds: Bounds::new(limits),
            inbox: Queue::new(),
            outbox: Queue::new(),
            queued: 0,
            flushed: 0,
            writing: false,
            delayed: Line::new(),
            feed: None,
            close: None,
            handles: 1,
            offer: None,
            wanted: false,
            declined: false,
            parts: None,
            deaf: false,
            input_ended: false,
            error: None,
            output_ended: false,
            closed: None,
            answering: false,
            stalled: false,
            blocked: false,
            round_trip: None,
            receiver: None,
            waiters: Vec::new(),
            driver: None,
        });
        Self(Arc::new(Inner { state, protocol }))
    }

    pub(super) fn protocol(&self) -> Option<&str> {
        self.0.protocol.as_deref()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock, so a poisoned state is a whole state.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes the driver if it is parked and has something to do now.
    pub(super) fn update<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state);
        let driver = match state.driver {
            Some(_) if state.has_work() => state.driver.take(),
            _ => None,
        };
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        result
    }

    /// The next message. The caller is woken when there is one.
    ///
    /// All that waits is moved to `taken`, so that most calls need no lock. It counts as waiting until the caller
    /// comes back for more.
    #[inline]
    pub(super) fn poll_recv(
        &self,
        taken: &mut Taken,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, Error>> {
        match taken.messages.pop() {
            Some(message) => Poll::Ready(Ok(Some(message))),
            None => self.poll_inbox(taken, cx),
        }
    }

    fn poll_inbox(
        &self,
        taken: &mut Taken,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, Error>> {
        self.update(|state| {
            let (count, bytes) = std::mem::take(&mut taken.weight);
            state.inbox.release(count, bytes);
            if !state.inbox.is_empty() {
                taken.weight = state.inbox.weight();
                state.inbox.swap(&mut taken.messages);
                state.answering = true;
                return Poll::Ready(Ok(taken.messages.pop()));
            }
            if taken.messages.has_memory() {
                // The memory goes where the next ones come from.
                state.inbox.lend(std::mem::take(&mut taken.messages));
            }
            state.answering = false;
            state.wanted = taken.parts;
            if state.input_ended {
                if taken.patient && state.is_completing() {
                    state.wait(cx);
                    return Poll::Pending;
                }
                return Poll::Ready(state.error.take().map_or(Ok(None), Err));
            }
            state.declined |= !taken.parts && state.offer.take_if(|offer| offer.held).is_some();
            state.wait(cx);
            Poll::Pending
        })
    }

    /// The next message, or, while nothing is before it, the one in progress. The caller is woken when there is one.
    pub(super) fn poll_recv_parts(
        &self,
        taken: &mut Taken,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Start>, Error>> {
        if taken.messages.is_empty() {
            if let Some(kind) = self.update(State::take_parts) {
                return Poll::Ready(Ok(Some(Start::Parts(kind))));
            }
        }
        taken.parts = true;
        let received = self.poll_recv(taken, cx);
        taken.parts = false;
        received.map_ok(|message| message.map(Start::Whole))
    }

    /// Whether one more message may be queued. The caller is woken when it may.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut state = self.lock();
        if state.output_ended {
            Poll::Ready(Err(Error::closed()))
        } else if state.has_room() {
            Poll::Ready(Ok(()))
        } else {
            add(&mut state.waiters, cx);
            Poll::Pending
        }
    }

    /// Queues a message when there is room. The caller is woken when there is.
    #[inline]
    pub(super) fn poll_push(
        &self,
        message: &mut Option<Outgoing>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let mut state = self.lock();
        // In a handler the driver is awake and looks at the outbox next.
        if state.driver.is_none() && !state.is_closing() && state.has_room() {
            if let Some(message) = message.take() {
                state.queue(message);
            }
            return Poll::Ready(Ok(()));
        }
        drop(state);
        self.poll_push_slowly(message, cx)
    }

    #[cold]
    fn poll_push_slowly(
        &self,
        message: &mut Option<Outgoing>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        self.update(|state| {
            if !state.output_ended && !state.has_room() {
                add(&mut state.waiters, cx);
                return Poll::Pending;
            }
            Poll::Ready(message.take().map_or(Ok(()), |message| state.push(message)))
        })
    }

    /// Queues a message, over the bound if need be.
    pub(super) fn push(&self, message: Outgoing) -> Result<(), Error> {
        self.update(|state| state.push(message))
    }

    /// Ready when all that was queued before `mark` is on the wire, and what waits for the end of a message in parts.
    pub(super) fn poll_flushed(&self, mark: u64, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_left(mark, true, cx)
    }

    /// Ready when all that was queued before `mark` is on the wire; `delayed` messages too, or not: they wait for the
    /// end of the message in parts that asks.
    pub(super) fn poll_left(
        &self,
        mark: u64,
        delayed: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let mut state = self.lock();
        if state.flushed >= mark && (!delayed || state.delayed.is_empty()) {
            Poll::Ready(Ok(()))
        } else if state.closed.is_some() {
            Poll::Ready(Err(Error::closed()))
        } else {
            add(&mut state.waiters, cx);
            Poll::Pending
        }
    }

    /// Ready when the connection has ended.
    pub(super) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Closed> {
        let mut state = self.lock();
        match &state.closed {
            Some(closed) => Poll::Ready(Closed::clone(closed)),
            None => {
                add(&mut state.waiters, cx);
                Poll::Pending
            }
        }
    }

    /// One handle more.
    pub(super) fn hold(&self) -> Self {
        self.lock().handles += 1;
        self.clone()
    }

    /// One handle less. Without handles the connection is closed, unless somebody asks for a close of another kind:
    /// a handler that fails drops its socket as well.
    pub(super) fn release(&self) {
        self.update(|state| state.handles -= 1);
    }

    /// Nobody drives the connection any more: it has ended.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        if state.closed.is_some() {
            return;
        }
        state.input_ended = true;
        state.output_ended = true;
        state.outbox.clear();
        state.closed = Some(Box::new(Closed::new(ClosedBy::Nobody, None, false)));
        let mut waiters = std::mem::take(&mut state.waiters);
        waiters.extend(state.receiver.take());
        drop(state);
        waiters.into_iter().for_each(Waker::wake);
    }

    /// Asks for the end; the first one to ask decides how.
    pub(super) fn close(&self, frame: Option<CloseFrame>) {
        self.update(|state| {
            state.close.get_or_insert_with(|| Box::new(frame));
        });
    }
}

/// Messages that a handle has taken out of the inbox, and not given out yet.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) messages: Line<Message>,
    /// How many they were, and of how many bytes.
    pub(super) weight: (usize, usize),
    /// The one in progress would be taken in parts.
    pub(super) parts: bool,
    /// The end is given out once the close is complete.
    pub(super) patient: bool,
}

/// How a message that is taken in parts begins.
#[derive(Debug)]
pub(super) enum Start {
    /// All of it was there.
    Whole(Message),
    /// It is in progress.
    Parts(MessageKind),
}

impl State {
    fn push(&mut self, message: Outgoing) -> Result<(), Error> {
        if self.is_closing() {
            return Err(Error::closed());
        }
        if self.writing {
            self.delayed.push(message);
        } else {
            self.queue(message);
        }
        Ok(())
    }

    /// Adds to the outbox, over its bound if need be.
    pub(super) fn queue(&mut self, message: Outgoing) {
        self.outbox.push(message);
        self.queued += 1;
    }

    /// Whether nothing more will be sent.
    pub(super) const fn is_closing(&self) -> bool {
        self.output_ended || self.close.is_some()
    }

    /// The caller waits for room.
    pub(super) fn wait_for_room(&mut self, cx: &Context<'_>) {
        add(&mut self.waiters, cx);
    }

    /// Whether a message may be queued.
    fn has_room(&self) -> bool {
        !self.writing && self.outbox.has_room(&self.bounds)
    }

    /// The caller waits for a message, or for a part of one.
    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        set(&mut self.receiver, cx);
    }

    /// Whether a parked driver has something to do because of what a handle did.
    pub(super) fn has_work(&self) -> bool {
        (!self.outbox.is_empty() && !self.blocked)
            || (self.stalled && self.may_read())
            || self.declined
            || self.parts.as_ref().is_some_and(|parts| parts.is_fresh())
            || ((self.close.is_some() || self.handles == 0) && !self.output_ended)
            || self.feed.is_some()
            || self.may_answer_end()
    }

    /// Whether the close goes on, with a peer that can be expected to take part.
    ///
    /// Who drives the connection by asking for messages stops when it sees the end. A transport that is dropped then
    /// may take along what the peer is told: over HTTP/2 what has not left yet, over TCP what it has not read.
    pub(super) fn is_completing(&self) -> bool {
        self.closed.is_none() && !self.error.as_ref().is_some_and(Error::is_timeout)
    }

    /// Whether there is nothing more to receive, not even an error.
    pub(super) fn is_exhausted(&self) -> bool {
        self.input_ended && self.inbox.is_empty() && self.error.is_none()
    }

    /// Whether the end of the peer may be answered now: all that came before it has been dealt with.
    pub(super) fn may_answer_end(&self) -> bool {
        self.input_ended && !self.output_ended && self.inbox.is_empty() && !self.answering
    }
}

fn set(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

fn add(waiters: &mut Vec<Waker>, cx: &Context<'_>) {
    if !waiters.iter().any(|waker| waker.will_wake(cx.waker())) {
        waiters.push(cx.waker().clone());
    }
}
