use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, Response, header};
use pin_project_lite::pin_project;

use super::{KeepAlive, KeepAliveBody, KeptAlive};
use crate::{rt::Timer, sse::accept::is_event_stream};

pin_project! {
    /// The response of a [`KeepAliveService`](super::KeepAliveService), soon.
    pub struct ResponseFuture<F, T> {
        #[pin]
        inner: F,
        keep_alive: Option<KeepAlive<T>>,
        is_head: bool,
    }
}

impl<F, T> ResponseFuture<F, T> {
    pub(super) const fn new(inner: F, keep_alive: KeepAlive<T>, is_head: bool) -> Self {
        Self {
            inner,
            keep_alive: Some(keep_alive),
            is_head,
        }
    }
}

impl<F, T, B, E> Future for ResponseFuture<F, T>
where
    F: Future<Output = Result<Response<B>, E>>,
    T: Timer,
{
    type Output = Result<Response<KeepAliveBody<B, T>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        let keep_alive = this.keep_alive.take();
        if !is_plain_event_stream(response.headers())
            || response.extensions().get::<KeptAlive>().is_some()
        {
            return Poll::Ready(Ok(response.map(|body| KeepAliveBody::maybe(body, None))));
        }
        // A length would be wrong with the first comment.
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.extensions_mut().insert(KeptAlive);
        // On HEAD nobody reads: whoever makes the events must not even be started.
        let is_head = *this.is_head;
        Poll::Ready(Ok(response.map(|body| {
            if is_head {
                KeepAliveBody::ended()
            } else {
                KeepAliveBody::maybe(body, keep_alive)
            }
        })))
    }
}

/// Whether comments can be read in a body with this head: not if it is encoded.
fn is_plain_event_stream(headers: &HeaderMap) -> bool {
    is_event_stream(headers)
        && headers
            .get(header::CONTENT_ENCODING)
            .is_none_or(|encoding| encoding == "identity")
}

impl<F, T> fmt::Debug for ResponseFuture<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
