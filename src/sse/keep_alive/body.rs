use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{Beat, KeepAlive, Pulse, alarm::Alarm, bom::Bom};
use crate::{rt::Timer, sse::Boundary};

pin_project! {
    /// An event stream's body that writes a comment when it has been silent for too long.
    ///
    /// Comments stand only where the stream [admits](Boundary::admits_comment) them, and never behind its end.
    ///
    /// [`KeepAliveLayer`](super::KeepAliveLayer) puts it around the bodies of a service. By itself:
    ///
    /// ```
    /// use std::{convert::Infallible, time::Duration};
    /// use bytes::Bytes;
    /// use futures_util::{FutureExt, StreamExt, stream};
    /// use http_body::Frame;
    /// use http_body_util::{BodyExt, StreamBody};
    /// use tower_realtime::{rt::ManualClock, sse::{KeepAlive, KeepAliveBody}};
    ///
    /// let clock = ManualClock::new();
    /// let silent = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
    /// let mut body = std::pin::pin!(KeepAliveBody::new(silent, KeepAlive::new(clock.clone())));
    /// assert!(body.frame().now_or_never().is_none());
    /// clock.advance(Duration::from_secs(8));
    /// assert!(body.frame().now_or_never().is_none()); // the head counts as a sign of life
    /// clock.advance(Duration::from_secs(8));
    /// let frame = body.frame().now_or_never().expect("ready").expect("not over").expect("infallible");
    /// assert_eq!(frame.into_data().expect("data"), ":\n");
    /// ```
    pub struct KeepAliveBody<B, T: Timer> {
        #[pin]
        inner: Option<B>,
        keep_alive: Option<KeepAlive<T>>,
        // Armed by the first poll that finds nothing to write, so that a body can be made outside of the runtime.
        #[pin]
        sleep: Option<T::Sleep>,
        alarm: Option<Alarm>,
        pulse: Pulse,
        boundary: Boundary,
        bom: Bom,
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
        Self::from_parts(Some(inner), keep_alive)
    }

    /// The body within, unless it has ended.
    pub(crate) const fn get_ref(&self) -> Option<&B> {
        self.inner.as_ref()
    }

    /// A body that has ended before it began.
    pub(crate) const fn ended() -> Self {
        Self::from_parts(None, None)
    }

    const fn from_parts(inner: Option<B>, keep_alive: Option<KeepAlive<T>>) -> Self {
        Self {
            inner,
            keep_alive,
            sleep: None,
            alarm: None,
            pulse: Pulse::new(),
            boundary: Boundary::new(),
            bom: Bom::new(),
        }
    }

    pub(crate) const fn is_kept_alive(&self) -> bool {
        self.keep_alive.is_some()
    }

    /// The same body of our own events, which has not begun, kept alive in another way.
    pub(crate) fn with<U: Timer>(self, keep_alive: KeepAlive<U>) -> KeepAliveBody<B, U> {
        let mut body = KeepAliveBody::from_parts(self.inner, Some(keep_alive));
        body.bom = Bom::none();
        body
    }

    /// Another body in place of this one, which has not begun, kept alive in the same way.
    pub(crate) fn map<C>(self, f: impl FnOnce(B) -> C) -> KeepAliveBody<C, T> {
        let mut body = KeepAliveBody::from_parts(self.inner.map(f), self.keep_alive);
        body.bom = self.bom;
        body
    }

    /// Whether there can be no comment to write.
    #[inline]
    fn is_quiet(&self, cx: &Context<'_>) -> bool {
        let alarm = self.alarm.as_ref();
        self.keep_alive.is_none() || alarm.is_some_and(|alarm| alarm.is_quiet(cx))
    }

    /// Takes notice of a frame that can be handed on as it is, as nearly all can: false if it has to be
    /// [changed](Self::change). To unpack a frame and pack it again costs more than all the rest.
    #[inline]
    fn note(self: Pin<&mut Self>, frame: &Frame<Bytes>) -> bool {
        let this = self.project();
        if this.keep_alive.is_none() {
            return true;
        }
        match frame.data_ref() {
            Some(data) if this.bom.is_past() && !data.is_empty() => {
                this.boundary.push(data);
                this.pulse.active();
                true
            }
            _ => false,
        }
    }

    /// The frame that is handed on in place of this one, if there is any.
    #[cold]
    fn change(self: Pin<&mut Self>, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        let mut this = self.project();
        let chunk = match frame.into_data() {
            Ok(chunk) => chunk,
            Err(trailers) => {
                // Nothing may come behind trailers.
                *this.keep_alive = None;
                this.sleep.set(None);
                return Some(trailers);
            }
        };
        let chunk = this.bom.strip(chunk);
        if chunk.is_empty() {
            return None;
        }
        this.boundary.push(&chunk);
        this.pulse.active();
        Some(Frame::data(chunk))
    }

    /// The next comment, if it is time for one and there may be one.
    #[cold]
    fn poll_beat(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Bytes> {
        let mut this = self.project();
        let Some(keep_alive) = this.keep_alive else {
            return Poll::Pending;
        };
        let alarm = this.alarm.get_or_insert_with(|| Alarm::new(cx.waker()));
        // A timer that rings is armed again, and polled once more, so that it knows whom to wake.
        for _ in 0..2 {
            if this.sleep.is_none() {
                this.sleep.set(Some(keep_alive.half()));
            }
            let sleep = this.sleep.as_mut().as_pin_mut();
            if sleep.is_some_and(|sleep| alarm.poll(sleep, cx).is_pending()) {
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
        // A clock that was far behind: go on in another turn, and not for ever in this one.
        cx.waker().wake_by_ref();
        Poll::Pending
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
        loop {
            let mut this = self.as_mut().project();
            let Some(inner) = this.inner.as_mut().as_pin_mut() else {
                return Poll::Ready(None);
            };
            let next = inner.poll_frame(cx);
            let as_it_is = match &next {
                Poll::Pending => self.is_quiet(cx),
                Poll::Ready(Some(Ok(frame))) => self.as_mut().note(frame),
                Poll::Ready(_) => {
                    this.inner.set(None);
                    this.sleep.set(None);
                    true
                }
            };
            if as_it_is {
                return next;
            }
            let Poll::Ready(Some(Ok(frame))) = next else {
                let beat = self.poll_beat(cx);
                return beat.map(|beat| Some(Ok(Frame::data(beat))));
            };
            if let Some(frame) = self.as_mut().change(frame) {
                return Poll::Ready(Some(Ok(frame)));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let Some(inner) = &self.inner else {
            return SizeHint::with_exact(0);
        };
        let mut hint = inner.size_hint();
        if self.keep_alive.is_some() && !inner.is_end_stream() {
            // Comments come on top, and a byte order mark is taken away.
            hint = SizeHint::new();
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
