use std::{
    any::Any,
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::stream::LiveBody;
use crate::lifecycle::{Slot, Tally};

pin_project! {
    /// The response body of [`LifecycleService`](super::LifecycleService): an event stream with a guard, or any
    /// other body as it was.
    pub struct StreamBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        Pass { #[pin] inner: B },
        Stream { #[pin] live: LiveBody<B> },
        Answer { text: Option<Bytes> },
    }
}

impl<B> StreamBody<B> {
    pub(super) const fn pass(inner: B) -> Self {
        let kind = Kind::Pass { inner };
        Self { kind }
    }

    pub(super) const fn answer(text: Bytes) -> Self {
        let kind = Kind::Answer { text: Some(text) };
        Self { kind }
    }

    pub(super) fn stream(inner: B, slot: Slot, tally: Option<Tally>, is_encoded: bool) -> Self {
        let live = LiveBody::new(inner, slot, tally, is_encoded);
        let kind = Kind::Stream { live };
        Self { kind }
    }
}

impl<B> Body for StreamBody<B>
where
    B: Body,
    B::Data: 'static,
    B::Error: 'static,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProj::Pass { inner } => bytes(inner.poll_frame(cx)),
            KindProj::Stream { live } => live.poll_frame(cx),
            KindProj::Answer { text } => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Pass { inner } => inner.is_end_stream(),
            Kind::Stream { live } => live.is_end_stream(),
            Kind::Answer { text } => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Pass { inner } => inner.size_hint(),
            Kind::Stream { .. } => SizeHint::default(),
            Kind::Answer { text } => {
                let length = text.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
        }
    }
}

/// What one poll of a body says.
pub(super) type Polled<D, E> = Poll<Option<Result<Frame<D>, E>>>;

/// Costs nothing where the data are `Bytes`, as nearly everywhere.
#[inline]
pub(super) fn bytes<D: Buf + 'static, E: 'static>(mut polled: Polled<D, E>) -> Polled<Bytes, E> {
    // The type is known when this is compiled, so that nothing is left of the question.
    let same = (&mut polled as &mut dyn Any).downcast_mut::<Polled<Bytes, E>>();
    if let Some(same) = same {
        return mem::replace(same, Poll::Pending);
    }
    polled.map_ok(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
}

impl<B> fmt::Debug for StreamBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Pass { .. } => "Pass",
            Kind::Stream { .. } => "Stream",
            Kind::Answer { .. } => "Answer",
        };
        f.debug_struct("StreamBody")
            .field("kind", &kind)
            .finish_non_exhaustive()
    }
}
