use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{KeepAlive, KeepAliveBody, ResponseFuture};
use crate::rt::Timer;

/// The service of a [`KeepAliveLayer`](super::KeepAliveLayer), which has an example.
#[derive(Clone, Debug)]
pub struct KeepAliveService<S, T> {
    inner: S,
    keep_alive: KeepAlive<T>,
}

impl<S, T> KeepAliveService<S, T> {
    /// Keeps the event streams of `inner` alive.
    #[must_use]
    pub const fn new(inner: S, keep_alive: KeepAlive<T>) -> Self {
        Self { inner, keep_alive }
    }

    /// The service within.
    #[must_use]
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service within.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service within.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, T, A, B> Service<Request<A>> for KeepAliveService<S, T>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Body<Data = Bytes>,
    T: Timer + Clone,
{
    type Response = Response<KeepAliveBody<B, T>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, T>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let is_head = request.method() == Method::HEAD;
        ResponseFuture::new(self.inner.call(request), self.keep_alive.clone(), is_head)
    }
}
