use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;

use super::{answer::retry, blocks::Blocks, body::bytes};
use crate::{
    lifecycle::{Closing, EndReason, Pace, Slot, StreamGuard, StreamKind, Tally, Turn},
    sse::Boundary,
};

pin_project! {
    /// An event stream with its guard.
    pub(super) struct LiveBody<B> {
        // Before `inner`: its drop tells the producer why, before the producer is dropped.
        hold: Hold,
        #[pin]
        inner: Option<B>,
        place: Place,
        closing: Option<Closing>,
    }
}

/// Where the guard is.
enum Hold {
    /// Not polled yet: layers further out may still add to it.
    Slot(Slot, Option<Tally>),
    Guard(StreamGuard, Option<Blocks>),
    Gone,
}

/// Where in the stream the last byte stands.
struct Place {
    boundary: Boundary,
    /// Compressed: events cannot be seen, and nothing can be added.
    is_encoded: bool,
}

impl<B> LiveBody<B> {
    pub(super) const fn new(inner: B, slot: Slot, tally: Option<Tally>, is_encoded: bool) -> Self {
        Self {
            hold: Hold::Slot(slot, tally),
            inner: Some(inner),
            place: Place {
                boundary: Boundary::new(),
                is_encoded,
            },
            closing: None,
        }
    }
}

impl<B> LiveBody<B>
where
    B: Body,
    B::Data: 'static,
    B::Error: 'static,
{
    #[inline]
    pub(super) fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let next = self.poll_next(cx);
        let turn = if next.is_ready() {
            Turn::Wrote
        } else {
            Turn::Waiting
        };
        turn.note();
        next
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        this.hold.listen(this.closing, cx);
        if let Some(closing) = this.closing.take_if(|closing| this.place.admits(closing)) {
            this.hold.announce();
            this.inner.set(None); // the producer learns it now, and not when the client has read the rest
            if let Some(last) = this.place.farewell(&closing) {
                return Poll::Ready(Some(Ok(Frame::data(last))));
            }
        }
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            *this.hold = Hold::Gone;
            return Poll::Ready(None);
        };
        let next = bytes(this.hold.within(|| inner.as_mut().poll_frame(cx)));
        let is_last = next.is_ready() && inner.is_end_stream();
        match &next {
            Poll::Pending => {}
            Poll::Ready(None) => {
                this.hold.end(EndReason::Finished);
                this.inner.set(None);
            }
            Poll::Ready(Some(Ok(frame))) => {
                let data = frame.data_ref().map_or(&[][..], |data| data);
                this.place.boundary.push(data);
                this.hold.count(data);
                if is_last {
                    this.hold.note(EndReason::Finished); // it is not polled again
                }
            }
            Poll::Ready(Some(Err(_))) => this.hold.end(EndReason::Failed),
        }
        next
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }
}

impl Place {
    fn admits(&self, closing: &Closing) -> bool {
        closing.pace > Pace::Gentle || self.is_encoded || self.boundary.between_events()
    }

    fn farewell(&self, closing: &Closing) -> Option<Bytes> {
        let may_write = !self.is_encoded && self.boundary.between_events();
        closing.retry.filter(|_| may_write).map(retry)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Never polled: the guard is still in the request's extensions, which the handler may have kept.
        if let Self::Slot(slot, _) = self {
            drop(slot.take());
        }
    }
}

impl Hold {
    /// Takes the guard over if that has not been done, and asks it for orders.
    #[inline]
    fn listen(&mut self, closing: &mut Option<Closing>, cx: &mut Context<'_>) {
        if let Self::Slot(slot, tally) = self {
            *self = Self::take(slot, tally);
        }
        if let Self::Guard(guard, _) = self {
            while let Poll::Ready(order) = guard.poll_close(cx) {
                *closing = Some(order);
            }
        }
    }

    #[cold]
    fn take(slot: &Slot, tally: &mut Option<Tally>) -> Self {
        match slot.take() {
            Some(guard) => Self::begin(guard, tally.take()),
            None => Self::Gone,
        }
    }

    fn begin(mut guard: StreamGuard, tally: Option<Tally>) -> Self {
        let blocks = tally.is_none().then(Blocks::default);
        if let Some(tally) = tally {
            guard.count_with(tally);
        }
        guard.start(StreamKind::EventStream);
        Self::Guard(guard, blocks)
    }

    #[inline]
    fn within<T>(&mut self, run: impl FnOnce() -> T) -> T {
        match self {
            Self::Guard(guard, _) => guard.within(run),
            Self::Slot(..) | Self::Gone => run(),
        }
    }

    #[inline]
    fn count(&mut self, data: &[u8]) {
        if let Self::Guard(guard, blocks) = self {
            let events = blocks.as_mut().map_or(0, |blocks| blocks.count(data));
            guard.sent(events, u64::try_from(data.len()).unwrap_or(u64::MAX));
        }
    }

    fn announce(&self) {
        if let Self::Guard(guard, _) = self {
            guard.announce();
        }
    }

    fn note(&mut self, reason: EndReason) {
        if let Self::Guard(guard, _) = self {
            guard.note(reason);
        }
    }

    fn end(&mut self, reason: EndReason) {
        self.note(reason);
        *self = Self::Gone;
    }
}
