use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::Encoded;
use crate::BoxError;

/// A frame is closed when it has this many bytes: few writes, and still short turns.
const FRAME: usize = 16 * 1024;

pin_project! {
    /// A body of events: those that are ready leave together, in one frame of about 16 KiB at most.
    pub struct EventBody<S> {
        #[pin]
        events: Option<S>,
        // What was polled after the frame was full.
        held: Option<Result<Encoded, BoxError>>,
        // How long the last gathered frame was: the next one probably is too.
        usual: u32,
    }
}

impl<S> EventBody<S> {
    pub(super) const fn new(events: S) -> Self {
        Self {
            events: Some(events),
            held: None,
            usual: 0,
        }
    }

    /// A body without events, which has ended.
    pub(super) const fn ended() -> Self {
        Self {
            events: None,
            held: None,
            usual: 0,
        }
    }
}

impl<S, T, E> EventBody<S>
where
    S: Stream<Item = Result<T, E>>,
    T: Into<Encoded>,
    E: Into<BoxError>,
{
    /// The next event. Behind the last one, or an error, the stream is dropped.
    fn poll_event(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Encoded, BoxError>>> {
        let mut this = self.project();
        if let Some(held) = this.held.take() {
            return Poll::Ready(Some(held));
        }
        let Some(events) = this.events.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let event = ready!(events.poll_next(cx));
        if !matches!(event, Some(Ok(_))) {
            this.events.set(None);
        }
        Poll::Ready(event.map(|event| event.map(Into::into).map_err(Into::into)))
    }
}

impl<S, T, E> Body for EventBody<S>
where
    S: Stream<Item = Result<T, E>>,
    T: Into<Encoded>,
    E: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // An empty frame would look like the end to some stacks, and cost a write in others.
        let first = loop {
            match ready!(self.as_mut().poll_event(cx)) {
                Some(Ok(event)) if event.as_bytes().is_empty() => {}
                Some(Ok(event)) => break event.into_bytes(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        };
        let mut frame = Gather::new(first, self.usual);
        while frame.len() < FRAME {
            match self.as_mut().poll_event(cx) {
                Poll::Ready(Some(Ok(event))) if frame.takes(&event) => frame.push(&event),
                Poll::Ready(Some(last)) => {
                    *self.as_mut().project().held = Some(last);
                    break;
                }
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        let (frame, usual) = frame.finish();
        *self.project().usual = usual;
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.events.is_none() && self.held.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() {
            SizeHint::with_exact(0)
        } else {
            SizeHint::default()
        }
    }
}

impl<S> fmt::Debug for EventBody<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBody")
            .field("ended", &(self.events.is_none() && self.held.is_none()))
            .finish_non_exhaustive()
    }
}

/// A frame in the making. One event alone keeps its bytes; only a second one makes it copy.
struct Gather {
    first: Bytes,
    all: Vec<u8>,
    usual: u32,
}

impl Gather {
    const fn new(first: Bytes, usual: u32) -> Self {
        Self {
            first,
            all: Vec::new(),
            usual,
        }
    }

    fn len(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    /// A large event stays on its own: to copy it costs more than a write.
    fn takes(&self, event: &Encoded) -> bool {
        self.len() + event.as_bytes().len() <= FRAME
    }

    fn push(&mut self, event: &Encoded) {
        if self.all.is_empty() {
            let least = self.first.len() + event.as_bytes().len();
            let usual = (self.usual as usize).clamp(1024, FRAME);
            self.all.reserve_exact(usual.max(least));
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(event.as_bytes());
    }

    fn finish(self) -> (Bytes, u32) {
        if self.all.is_empty() {
            return (self.first, self.usual);
        }
        let len = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        (self.all.into(), len)
    }
}
