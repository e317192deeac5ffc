use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;

use super::{answer::retry, blocks::Blocks};
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
        // What `inner` said of its end behind the last frame: asking it again is not free.
        is_last: bool,
        place: Place,
        // Boxed, as every layer has room for it and few streams are ordered to end.
        closing: Option<Box<Closing>>,
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
            is_last: false,
            place: Place {
                boundary: Boundary::new(),
                is_encoded,
            },
            closing: None,
        }
    }
}

type Polled<E> = Poll<Option<Result<Frame<Bytes>, E>>>;

impl<B: Body<Data = Bytes>> LiveBody<B> {
    #[inline(never)]
    pub(super) fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<B::Error> {
        if self.closing.is_some() || self.hold.has_news(cx) {
            if let Some(last) = self.as_mut().obey(cx) {
                Turn::Wrote.note();
                return Poll::Ready(Some(Ok(Frame::data(last))));
            }
        }
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            *this.hold = Hold::Gone;
            Turn::Wrote.note();
            return Poll::Ready(None);
        };
        let Poll::Ready(next) = this.hold.within(|| inner.as_mut().poll_frame(cx)) else {
            Turn::Waiting.note();
            return Poll::Pending;
        };
        Turn::Wrote.note();
        let Some(Ok(frame)) = next else {
            this.hold.end(next.is_some());
            if next.is_none() {
                this.inner.set(None);
            }
            return Poll::Ready(next);
        };
        *this.is_last = inner.is_end_stream();
        // Data alone is a third of a frame that may be trailers, and is moved in a third of the time.
        let frame = match frame.into_data() {
            Ok(data) => {
                this.place.boundary.push(&data);
                this.hold.count(&data);
                Frame::data(data)
            }
            Err(trailers) => trailers,
        };
        if *this.is_last {
            this.hold.note(EndReason::Finished); // it is not polled again
        }
        Poll::Ready(Some(Ok(frame)))
    }

    /// Listens to orders, and follows one as soon as its pace allows: says what to write last, if anything.
    #[cold]
    fn obey(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Option<Bytes> {
        let mut this = self.project();
        this.hold.listen(this.closing, cx);
        let closing = this.closing.take_if(|closing| this.place.admits(closing))?;
        this.hold.announce();
        this.inner.set(None); // the producer learns it now, and not when the client has read the rest
        this.place.farewell(&closing)
    }

    pub(super) const fn is_end_stream(&self) -> bool {
        self.inner.is_none() || self.is_last
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
    /// Whether there is something to [`listen`](Self::listen) to.
    #[inline]
    fn has_news(&self, cx: &Context<'_>) -> bool {
        match self {
            Self::Guard(guard, _) => guard.has_news(cx),
            Self::Slot(..) => true,
            Self::Gone => false,
        }
    }

    /// Takes the guard over if that has not been done, and asks it for orders.
    fn listen(&mut self, closing: &mut Option<Box<Closing>>, cx: &mut Context<'_>) {
        if let Self::Slot(slot, tally) = self {
            *self = Self::take(slot, tally);
        }
        if let Self::Guard(guard, _) = self {
            while let Poll::Ready(order) = guard.poll_close(cx) {
                *closing = Some(Box::new(order));
            }
        }
    }

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

    #[cold]
    fn end(&mut self, has_failed: bool) {
        self.note(if has_failed {
            EndReason::Failed
        } else {
            EndReason::Finished
        });
        *self = Self::Gone;
    }
}
