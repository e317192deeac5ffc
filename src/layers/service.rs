use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{
    ResponseFuture, StreamBody,
    future::Pending,
    part::{Part, asks_for},
};
use crate::lifecycle::{Slot, StreamKind};

/// The service of the layers of this module.
///
/// See the [module docs](super) for an example.
#[derive(Clone)]
pub struct LifecycleService<S> {
    inner: S,
    part: Arc<dyn Part>,
}

impl<S> LifecycleService<S> {
    pub(super) fn new(inner: S, part: Arc<dyn Part>) -> Self {
        Self { inner, part }
    }

    /// The service within.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service within.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service without this layer.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for LifecycleService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body<Data = Bytes>,
{
    type Response = Response<StreamBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let kind = asks_for(&head);
        let note = self.part.note(&head, kind);
        let version = head.version;
        let (slot, is_first) = Slot::of(&mut head.extensions);
        let admitted = kind.map(|_| slot.with(|guard| self.part.admit(&note, guard)));
        let pending = Pending {
            part: Arc::clone(&self.part),
            note,
            kind,
            version,
            is_first,
            slot,
        };
        if let Some(Some(Err(refusal))) = admitted {
            let kind = kind.unwrap_or(StreamKind::EventStream);
            return ResponseFuture::refused(refusal, kind, pending);
        }
        let request = Request::from_parts(head, body);
        ResponseFuture::new(self.inner.call(request), pending)
    }
}

impl<S: fmt::Debug> fmt::Debug for LifecycleService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LifecycleService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
