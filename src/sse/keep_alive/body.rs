use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{Beat, KeepAlive, Pulse};
use crate::{rt::Timer, sse::Boundary};

pin_project! {
    /// An event stream's body that writes a comment when it has been silent for too long.
    ///
    /// Comments stand only where the stream [admits](Boundary::admits_comment) them, and never behind its end.
    pub struct KeepAliveBody<B, T: Timer> {
        #[pin]
        inner: B,
        keep_alive: Option<KeepAlive<T>>,
        // Armed by the first poll that finds nothing to write, so that a body can be made outside of the runtime.
        #[pin]
        sleep: Option<T::Sleep>,
        pulse: Pulse,
        boundary: Boundary,
    }
}

impl<B, T: Timer> KeepAliveBody<B, T> {
    /// Keeps `body` alive, which is at the start of an event stream.
    #[must_use]
    pub const fn new(body: B, keep_alive: KeepAlive<T>) -> Self {
        Self::maybe(body, Some(keep_alive))
    }

    /// Keeps `body` alive, or passes it on as it is.
    pub(crate) const fn maybe(inner: B, keep_alive: Option<KeepAlive<T>>) -> Self {
        Self {
            inner,
            keep_alive,
            sleep: None,
            pulse: Pulse::new(),
            boundary: Boundary::new(),
        }
    }

    pub(crate) const fn is_kept_alive(&self) -> bool {
        self.keep_alive.is_some()
    }

    /// The body that is kept alive.
    #[must_use]
    pub const fn get_ref(&self) -> &B {
        &self.inner
    }

    /// The body that is kept alive.
    pub const fn get_mut(&mut self) -> &mut B {
        &mut self.inner
    }

    /// The body without the comments.
    #[must_use]
    pub fn into_inner(self) -> B {
        self.inner
    }

    /// The next comment, if it is time for one and there may be one.
    fn poll_beat(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Bytes> {
        let mut this = self.project();
        let Some(keep_alive) = this.keep_alive else {
            return Poll::Pending;
        };
        loop {
            if this.sleep.is_none() {
                this.sleep.set(Some(keep_alive.half()));
            }
            if let Some(sleep) = this.sleep.as_mut().as_pin_mut()
                && sleep.poll(cx).is_pending()
            {
                return Poll::Pending;
            }
            this.sleep.set(None);
            let may = if keep_alive.is_comment() {
                this.boundary.admits_comment()
            } else {
                this.boundary.between_events()
            };
            if this.pulse.tick() == Beat::Comment && may {
                this.pulse.active();
                return Poll::Ready(keep_alive.beat());
            }
        }
    }
}

impl<B, T> Body for KeepAliveBody<B, T>
where
    B: Body<Data = Bytes>,
    T: Timer,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.as_mut().project();
        let next = match this.inner.as_mut().poll_frame(cx) {
            Poll::Ready(next) => next,
            Poll::Pending => {
                return self.poll_beat(cx).map(|beat| Some(Ok(Frame::data(beat))));
            }
        };
        match next.as_ref().and_then(|frame| frame.as_ref().ok()) {
            Some(frame) if frame.is_data() => {
                if let Some(bytes) = frame.data_ref() {
                    this.boundary.push(bytes);
                    this.pulse.active();
                }
            }
            // The end, an error or the trailers: nothing may come behind any of them.
            _ => {
                *this.keep_alive = None;
                this.sleep.set(None);
            }
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.inner.size_hint();
        if self.keep_alive.is_some() && !self.inner.is_end_stream() {
            let lower = hint.lower();
            hint = SizeHint::new();
            hint.set_lower(lower);
        }
        hint
    }
}

impl<B: fmt::Debug, T: Timer> fmt::Debug for KeepAliveBody<B, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeepAliveBody")
            .field("inner", &self.inner)
            .field("boundary", &self.boundary)
            .finish_non_exhaustive()
    }
}
