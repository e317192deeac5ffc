use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use pin_project_lite::pin_project;

use super::http2::{to_http2, to_refusal};

pin_project! {
    /// The answer of a [`Http2Service`](super::Http2Service).
    #[must_use = "futures do nothing unless polled"]
    pub struct Http2Future<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<F> {
        Untouched { #[pin] future: F },
        Rewritten { #[pin] future: F },
        Foreign { #[pin] future: F },
    }
}

impl<F> Http2Future<F> {
    pub(super) const fn untouched(future: F) -> Self {
        Self {
            kind: Kind::Untouched { future },
        }
    }

    /// Its request was made to look like HTTP/1.1.
    pub(super) const fn rewritten(future: F) -> Self {
        Self {
            kind: Kind::Rewritten { future },
        }
    }

    /// Its request is for a protocol that is no WebSocket.
    pub(super) const fn foreign(future: F) -> Self {
        Self {
            kind: Kind::Foreign { future },
        }
    }
}

impl<F, R, E> Future for Http2Future<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Untouched { future } => future.poll(cx),
            KindProj::Rewritten { future } => future.poll(cx).map_ok(to_http2),
            KindProj::Foreign { future } => future.poll(cx).map_ok(to_refusal),
        }
    }
}

impl<F> fmt::Debug for Http2Future<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Future").finish_non_exhaustive()
    }
}
