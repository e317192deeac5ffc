//! A message that is taken in parts: what its reader and the driver share, and the driver's part.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

use futures_io::{AsyncRead, AsyncWrite};

use super::{
    clock::Rare,
    driver::Driver,
    inspector::{Data, Taking},
    line::Line,
    shared::{Shared, State},
    wire::{Budget, Read},
};
use crate::ws::{Error, Message, MessageKind};

/// A message in progress that somebody may take in parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) kind: MessageKind,
    /// It is too large to be held whole, and is not read on before somebody comes for it.
    pub(super) held: bool,
}

/// The parts of a message on their way to the one who took it.
#[derive(Debug, Default)]
pub(super) struct Parts {
    queue: VecDeque<Message>,
    bytes: usize,
    /// The last part has come.
    whole: bool,
    /// Nobody wants what is left.
    unwanted: bool,
    /// The driver has not seen it.
    fresh: bool,
}

impl Parts {
    pub(super) fn new() -> Self {
        Self {
            fresh: true,
            ..Self::default()
        }
    }

    /// Whether there is more to come.
    pub(super) const fn is_open(&self) -> bool {
        !self.whole
    }

    /// Whether the driver is to be told of something.
    pub(super) const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Whether few enough wait for more to be read, of so many bytes at most.
    pub(super) const fn has_room(&self, limit: usize) -> bool {
        self.unwanted || self.bytes <= limit / 2
    }

    /// Adds a part.
    pub(super) fn push(&mut self, part: Message, last: bool) {
        self.whole |= last;
        if !self.unwanted && !part.is_empty() {
            self.bytes += part.len();
            self.queue.push_back(part);
        }
    }

    fn pop(&mut self) -> Option<Message> {
        let part = self.queue.pop_front()?;
        self.bytes -= part.len();
        Some(part)
    }
}

impl State {
    /// Takes the message in progress in parts, if there is one and nothing before it. What kind it is.
    pub(super) fn take_parts(&mut self) -> Option<MessageKind> {
        if self.parts.is_some() || !self.inbox.is_empty() {
            return None;
        }
        let offer = self.offer.take()?;
        self.parts = Some(Box::new(Parts::new()));
        self.answering = true;
        Some(offer.kind)
    }

    /// A turn of the driver has ended with this message in progress. Whether the receiver is to hear of it.
    ///
    /// The message that was in progress at the end of the last turn may be the first one of this one, and may have
    /// been taken in parts meanwhile.
    pub(super) fn offer(
        &mut self,
        offer: Option<Offer>,
        read: &mut Line<Message>,
        bytes: &mut usize,
    ) -> bool {
        if let Some(parts) = self.parts.as_mut().filter(|parts| parts.is_open()) {
            let Some(message) = read.pop() else {
                return false;
            };
            *bytes -= message.len();
            parts.push(message, true);
            parts.fresh = false;
            if parts.unwanted {
                self.parts = None;
            }
            self.offer = offer;
            return true;
        }
        self.offer = offer;
        offer.is_some_and(|offer| offer.held || self.wanted)
    }

    /// Nobody wants the rest of the message that is taken in parts.
    pub(super) fn drop_parts(&mut self) {
        match &mut self.parts {
            Some(parts) if parts.is_open() => {
                parts.queue = VecDeque::new();
                parts.bytes = 0;
                parts.unwanted = true;
                parts.fresh = true;
            }
            _ => self.parts = None,
        }
    }

    /// Nobody receives: what waits and what comes is dropped.
    pub(super) fn turn_deaf(&mut self) {
        self.deaf = true;
        self.answering = false;
        self.inbox.clear();
        if self.take_parts().is_some() {
            self.answering = false;
        }
        self.drop_parts();
    }

    /// Whether the driver, which stopped for lack of room, may read on.
    pub(super) fn may_read(&self) -> bool {
        match (&self.parts, &self.offer) {
            (Some(parts), _) if parts.is_open() => parts.has_room(self.bounds.bytes),
            (_, Some(offer)) if offer.held => false,
            _ => self.inbox.is_half_empty(&self.bounds),
        }
    }
}

impl Shared {
    /// The next part of the message that was taken. The caller is woken when there is one. The `patient` see the end
    /// once the close is complete.
    pub(super) fn poll_part(
        &self,
        patient: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, Error>> {
        self.update(|state| {
            let Some(parts) = &mut state.parts else {
                return Poll::Ready(Ok(None));
            };
            if let Some(part) = parts.pop() {
                return Poll::Ready(Ok(Some(part)));
            }
            if !parts.is_open() {
                state.parts = None;
                return Poll::Ready(Ok(None));
            }
            if state.input_ended {
                state.answering = false;
                if patient && state.is_completing() {
                    state.wait(cx);
                    return Poll::Pending;
                }
                state.parts = None;
                return Poll::Ready(Err(state.error.take().unwrap_or_else(Error::cut)));
            }
            state.wait(cx);
            Poll::Pending
        })
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    /// The message in progress after a turn that ended like this.
    pub(super) fn offer(&mut self, stop: &Read) -> Option<Offer> {
        if !matches!(stop, Read::Dry | Read::Held) {
            return None;
        }
        let (kind, held) = self.wire.io()?.inspector().in_progress()?;
        Some(Offer { kind, held })
    }

    /// Reads on in a message that is taken in parts. Whether this task waits for them; `None` when there is no such
    /// message.
    pub(super) fn read_parts(&mut self, cx: &mut Context<'_>, budget: &mut Budget) -> Option<bool> {
        let mut state = self.shared.lock();
        let limit = state.bounds.bytes;
        let stalled = state.stalled;
        let parts = state.parts.as_mut().filter(|parts| parts.is_open())?;
        parts.fresh = false;
        let (waiting, unwanted) = (parts.bytes, parts.unwanted);
        // One that stopped for lack of room goes on at half of it; any other has to ask the transport again.
        if stalled && !parts.has_room(limit) {
            return Some(false);
        }
        drop(state);
        if let Some(io) = self.wire.io() {
            let taking = match unwanted {
                true => Taking::Nothing,
                false => Taking::Parts,
            };
            io.inspector_mut().take_as(taking);
        }
        let mut read = Parts::new();
        let mut heard = false;
        let stop = loop {
            if read.whole || waiting + read.bytes >= limit {
                break Read::Spent;
            }
            match self.wire.read(cx, budget, &mut heard) {
                Read::Data(Data::Piece { part, last }) => read.push(part, last),
                Read::Data(Data::Message(message)) => read.push(message, true),
                stop => break stop,
            }
        };
        if heard {
            self.pulse.heard();
        }
        let due = self.hand_over(read, matches!(stop, Read::Spent), cx);
        if let Read::End(end) = stop {
            self.input_ended(end);
        }
        Some(due)
    }

    /// Puts parts where their reader finds them. Whether this task waits for them.
    fn hand_over(&mut self, read: Parts, stalled: bool, cx: &mut Context<'_>) -> bool {
        let (bytes, whole) = (read.bytes, read.whole);
        let news = whole || bytes > 0;
        if news {
            self.rares.reset(Rare::Message);
            self.pulse.used();
            self.note_moved(0, bytes);
            self.count(|guard| guard.received(u64::from(whole), bytes as u64));
        }
        let mut state = self.shared.lock();
        state.stalled = stalled;
        state.offer = None;
        if let Some(parts) = &mut state.parts {
            for part in read.queue {
                parts.push(part, false);
            }
            parts.whole |= whole;
            if parts.whole && parts.unwanted {
                state.parts = None;
            }
        }
        let receiver = if news { state.receiver.take() } else { None };
        drop(state);
        receiver.is_some_and(|waker| super::driver::wake(waker, cx))
    }
}
