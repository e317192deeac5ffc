use std::{
    any::Any,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{Encoded, Event, life::Life};
use crate::{
    BoxError,
    lifecycle::{EndReason, Tally},
};

/// A frame is closed when it has this many bytes: few writes, and still short turns.
pub(super) const FRAME: usize = 16 * 1024;

pin_project! {
    /// A body of events: those that are ready leave together, in one frame of about 16 KiB at most.
    ///
    /// [`Sse`](super::Sse) is one with a keep-alive around it.
    pub struct EventBody<S> {
        #[pin]
        events: Option<S>,
        // What was polled after the frame was full.
        held: Option<Result<Encoded, BoxError>>,
        // How long the last gathered frame was: the next one probably is too.
        usual: usize,
        // Last, so that the producer is gone when the hook in here runs.
        life: Life,
    }
}

impl<S> EventBody<S> {
    pub(super) fn new(events: S) -> Self {
        Self {
            events: Some(events),
            held: None,
            usual: 0,
            life: Life::default(),
        }
    }

    pub(super) const fn tally(&self) -> &Tally {
        self.life.tally()
    }

    pub(super) fn on_end(&mut self, hook: impl FnOnce(EndReason) + Send + 'static) {
        self.life.on_end(Box::new(hook));
    }

    /// The same life with another stream.
    pub(super) fn map<R>(self, f: impl FnOnce(Option<S>, &Tally) -> R) -> EventBody<R> {
        EventBody {
            events: Some(f(self.events, self.life.tally())),
            held: self.held,
            usual: self.usual,
            life: self.life,
        }
    }

    /// Ends it before it began, on purpose.
    pub(super) fn ended(mut self) -> Self {
        self.events = None;
        self.life.end(EndReason::Finished);
        self
    }
}

impl<S, T, E> EventBody<S>
where
    S: Stream<Item = Result<T, E>>,
    T: Into<Encoded> + 'static,
    E: Into<BoxError>,
{
    /// The next event. Behind the last one, or an error, the stream is dropped.
    fn poll_event(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Block, BoxError>>> {
        let mut this = self.project();
        if let Some(held) = this.held.take() {
            return Poll::Ready(Some(held.map(Block::Encoded)));
        }
        let Some(events) = this.events.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let event = ready!(events.poll_next(cx));
        Poll::Ready(match event {
            Some(Ok(event)) => Some(Ok(Block::new(event))),
            Some(Err(error)) => {
                this.events.set(None);
                this.life.end(EndReason::Failed);
                Some(Err(error.into()))
            }
            None => {
                this.events.set(None);
                this.life.end(EndReason::Finished);
                None
            }
        })
    }
}

impl<S, T, E> Body for EventBody<S>
where
    S: Stream<Item = Result<T, E>>,
    T: Into<Encoded> + 'static,
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
                Some(Ok(event)) if event.len() == 0 => {}
                Some(Ok(event)) => break event,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        };
        let mut frame = Gather::new(first, self.usual);
        while frame.len < FRAME {
            match self.as_mut().poll_event(cx) {
                Poll::Ready(Some(Ok(event))) if frame.len + event.len() <= FRAME => {
                    frame.push(&event);
                }
                // A large event stays on its own: to copy it would cost more than a write.
                Poll::Ready(Some(last)) => {
                    *self.as_mut().project().held = Some(last.map(Encoded::from));
                    break;
                }
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        let this = self.project();
        this.life.tally().add(frame.events);
        *this.usual = frame.usual();
        Poll::Ready(Some(Ok(Frame::data(frame.finish()))))
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

/// An item of the stream. An event that goes into a frame with others needs no bytes of its own before.
enum Block {
    Encoded(Encoded),
    Event(Event),
}

impl Block {
    fn new<T: Into<Encoded> + 'static>(item: T) -> Self {
        let mut item = Some(item);
        // The type is known when this is compiled, so that nothing is left of the question.
        let event = (&mut item as &mut dyn Any).downcast_mut::<Option<Event>>();
        if let Some(event) = event.and_then(Option::take) {
            return Self::Event(event);
        }
        Self::Encoded(item.map_or_else(Encoded::default, Into::into))
    }

    const fn events(&self) -> u64 {
        match self {
            Self::Encoded(encoded) => encoded.events() as u64,
            Self::Event(_) => 1,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Encoded(encoded) => encoded.as_bytes().len(),
            Self::Event(event) => event.len(),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Encoded(encoded) => out.extend_from_slice(encoded.as_bytes()),
            Self::Event(event) => event.write(out),
        }
    }
}

impl From<Block> for Encoded {
    fn from(block: Block) -> Self {
        match block {
            Block::Encoded(encoded) => encoded,
            Block::Event(event) => event.into(),
        }
    }
}

/// A frame in the making. One event alone keeps its bytes; only a second one makes it copy.
struct Gather {
    first: Block,
    all: Vec<u8>,
    len: usize,
    pieces: usize,
    events: u64,
    usual: usize,
}

impl Gather {
    fn new(first: Block, usual: usize) -> Self {
        Self {
            len: first.len(),
            events: first.events(),
            first,
            all: Vec::new(),
            pieces: 1,
            usual,
        }
    }

    fn push(&mut self, event: &Block) {
        if self.pieces == 1 {
            let least = self.len + event.len();
            self.all
                .reserve_exact(self.usual.clamp(1024, FRAME).max(least));
            self.first.write(&mut self.all);
        }
        event.write(&mut self.all);
        self.len = self.all.len();
        self.pieces += 1;
        self.events += event.events();
    }

    /// How long the next gathered frame probably is.
    const fn usual(&self) -> usize {
        if self.pieces == 1 {
            self.usual
        } else {
            self.len
        }
    }

    fn finish(self) -> Bytes {
        if self.pieces == 1 {
            Encoded::from(self.first).into_bytes()
        } else {
            self.all.into()
        }
    }
}
