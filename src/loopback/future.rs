use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Response, StatusCode};
use pin_project_lite::pin_project;

use super::Faults;
use crate::ws::upgrade::{OnUpgrade, Promise, Upgraded, pipe::pipe};

pin_project! {
    /// The answer that comes back through a [`Loopback`](super::Loopback).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        pub(super) inner: F,
        pub(super) pending: Option<Promise>,
        pub(super) connects: bool,
        pub(super) faults: Faults,
        pub(super) capacity: usize,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        let upgraded = if *this.connects {
            response.status().is_success()
        } else {
            response.status() == StatusCode::SWITCHING_PROTOCOLS
        };
        // Without an upgrade the promise is dropped here, and who waits for it is told.
        if let Some(promise) = this.pending.take().filter(|_| upgraded) {
            let (server, client) = pipe(*this.capacity, &this.faults.0);
            promise.keep(Upgraded::new(server));
            let client = Upgraded::new(client);
            response
                .extensions_mut()
                .insert(OnUpgrade::new(std::future::ready(Ok(client))));
        }
        Poll::Ready(Ok(response))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
