use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{
    Response, StatusCode, Version,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body::Body;
use pin_project_lite::pin_project;

use super::{
    StreamBody,
    part::{Note, Part, is_event_stream},
};
use crate::lifecycle::{Refusal, Slot, StreamGuard, StreamKind, Tally};

pin_project! {
    /// The response future of [`LifecycleService`](super::LifecycleService).
    pub struct ResponseFuture<F> {
        #[pin]
        inner: Option<F>,
        refused: Option<(Refusal, StreamKind)>,
        pending: Pending,
    }
}

/// A request on its way.
pub(super) struct Pending {
    pub(super) part: Arc<dyn Part>,
    pub(super) note: Note,
    /// The stream that the request asked for; its part is in the guard already.
    pub(super) kind: Option<StreamKind>,
    pub(super) version: Version,
    /// Whether this layer made the slot.
    pub(super) is_first: bool,
    pub(super) slot: Slot,
}

impl<F> ResponseFuture<F> {
    pub(super) const fn new(inner: F, pending: Pending) -> Self {
        Self {
            inner: Some(inner),
            refused: None,
            pending,
        }
    }

    pub(super) const fn refused(refusal: Refusal, kind: StreamKind, pending: Pending) -> Self {
        Self {
            inner: None,
            refused: Some((refusal, kind)),
            pending,
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<StreamBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let pending = this.pending;
        let response = match (this.refused.take(), this.inner.as_pin_mut()) {
            (None, Some(inner)) => pending.finish(ready!(inner.poll(cx))?),
            (Some((refusal, kind)), _) => pending.refuse(refusal, kind),
            (None, None) => return Poll::Pending, // polled again after a refusal
        };
        pending.settle();
        Poll::Ready(Ok(response))
    }
}

impl Pending {
    fn finish<B: Body>(&self, response: Response<B>) -> Response<StreamBody<B>> {
        if is_stream(&response) {
            return self.event_stream(response);
        }
        if self.is_refusal(&response) {
            self.slot.with(StreamGuard::refuse);
            self.part.refused(&self.note, response.status());
        }
        response.map(StreamBody::pass)
    }

    /// Whether a stream was asked for and not given. Answers of no stream, such as 204, may be what was meant.
    fn is_refusal<B>(&self, response: &Response<B>) -> bool {
        let status = response.status();
        let by_us = response.extensions().get::<Refusal>().is_some();
        by_us
            || match self.kind {
                Some(StreamKind::WebSocket) if self.version >= Version::HTTP_2 => {
                    !status.is_success()
                }
                Some(StreamKind::WebSocket) => status != StatusCode::SWITCHING_PROTOCOLS,
                Some(StreamKind::EventStream) => {
                    status.is_client_error() || status.is_server_error()
                }
                None => false,
            }
    }

    fn event_stream<B: Body>(&self, mut response: Response<B>) -> Response<StreamBody<B>> {
        if self.kind.is_none() {
            let admitted = self.slot.with(|guard| self.part.admit(&self.note, guard));
            if let Some(Err(refusal)) = admitted {
                return self.refuse(refusal, StreamKind::EventStream);
            }
        }
        if !self.slot.claim() {
            return response.map(StreamBody::pass);
        }
        let tally = response.extensions_mut().remove::<Tally>();
        let is_encoded = response.headers().contains_key("content-encoding");
        let slot = self.slot.clone();
        response.map(|body| StreamBody::stream(body, slot, tally, is_encoded))
    }

    fn refuse<B>(&self, refusal: Refusal, kind: StreamKind) -> Response<StreamBody<B>> {
        self.part.answer().make(refusal, kind, self.version)
    }

    /// Only the layer that made the slot knows when all have seen the response.
    fn settle(&self) {
        if self.is_first {
            self.slot.settle();
        }
    }
}

/// The request was given up: by the client, or by a layer further out.
impl Drop for Pending {
    fn drop(&mut self) {
        self.settle();
    }
}

/// Whether events will follow the head. A body of known length is a document, whatever it calls itself.
fn is_stream<B: Body>(response: &Response<B>) -> bool {
    let headers = response.headers();
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    response.status() == StatusCode::OK
        && media_type.is_some_and(is_event_stream)
        && !headers.contains_key(CONTENT_LENGTH)
        && !response.body().is_end_stream()
        && response.extensions().get::<Refusal>().is_none()
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
