use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use pin_project_lite::pin_project;

use super::http2::{refuse, to_http2};
use crate::ws::handshake::Rejection;

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
        Refused { rejection: Rejection },
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

    pub(super) const fn refused(rejection: Rejection) -> Self {
        Self {
            kind: Kind::Refused { rejection },
        }
    }
}

impl<F, R, E> Future for Http2Future<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Untouched { future } => future.poll(cx),
            KindProj::Rewritten { future } => future.poll(cx).map_ok(to_http2),
            KindProj::Refused { rejection } => Poll::Ready(Ok(refuse(*rejection))),
        }
    }
}

impl<F> fmt::Debug for Http2Future<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Future").finish_non_exhaustive()
    }
}
