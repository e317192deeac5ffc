use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::Encoded;
use crate::lifecycle::{EndReason, Tally};

pin_project! {
    /// A stream of events that ends with an event where it would have failed. See [`Sse::on_error`](super::Sse::on_error).
    pub struct OnError<S, F> {
        #[pin]
        events: Option<S>,
        last: F,
        tally: Tally,
    }
}

impl<S, F> OnError<S, F> {
    pub(super) const fn new(events: Option<S>, last: F, tally: Tally) -> Self {
        Self {
            events,
            last,
            tally,
        }
    }
}

impl<S, F, T, E, L> Stream for OnError<S, F>
where
    S: Stream<Item = Result<T, E>>,
    T: Into<Encoded>,
    F: FnMut(E) -> L,
    L: Into<Encoded>,
{
    type Item = Result<Encoded, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let Some(events) = this.events.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        match ready!(events.poll_next(cx)) {
            Some(Ok(event)) => Poll::Ready(Some(Ok(event.into()))),
            Some(Err(error)) => {
                this.events.set(None);
                this.tally.end(EndReason::Failed);
                Poll::Ready(Some(Ok((this.last)(error).into())))
            }
            None => {
                this.events.set(None);
                Poll::Ready(None)
            }
        }
    }
}

impl<S, F> fmt::Debug for OnError<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnError")
            .field("ended", &self.events.is_none())
            .finish_non_exhaustive()
    }
}
