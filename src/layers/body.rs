use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
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
    // A tag of its own is faster to read than one that hides in a field of a body within a body within a body.
    #[repr(u8)]
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

/// A stream goes through one of these for each layer, so those that only pass on should melt into one.
impl<B: Body<Data = Bytes>> Body for StreamBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    #[inline(always)]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProj::Pass { inner } => inner.poll_frame(cx),
            KindProj::Stream { live } => live.poll_frame(cx),
            KindProj::Answer { text } => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }

    #[inline(always)]
    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Pass { inner } => inner.is_end_stream(),
            Kind::Stream { live } => live.is_end_stream(),
            Kind::Answer { text } => text.is_none(),
        }
    }

    #[inline]
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
