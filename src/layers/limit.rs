use std::{
    fmt,
    hash::{BuildHasher, Hash},
    sync::Arc,
};

use http::request;
use tower_layer::Layer;

use super::{
    LifecycleService,
    answer::Answer,
    part::{Note, Part},
    refuses::refuses,
};
use crate::lifecycle::{Refusal, StreamGuard, StreamKind, StreamLimit};

/// Admits only as many streams as a [`StreamLimit`] allows, until they really end.
///
/// Over the total, or the rate, the answer is 503; over the limit of a key it is 429; both with `Retry-After`, and
/// before an upgrade. Requests that are no streams pass freely.
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::{layers::StreamLimitLayer, lifecycle::StreamLimit};
///
/// // At most 10,000 streams, five of one user, and 200 new ones per second.
/// let limit = StreamLimit::new(10_000).per_key(5).rate(200, Duration::from_secs(1));
/// let layer = StreamLimitLayer::new(&limit)
///     .key(|head| head.headers.get("x-user").map(|user| user.as_bytes().to_vec()));
/// # let _ = tower::ServiceBuilder::new().layer(layer).service(());
/// ```
///
/// Browsers come back by themselves only to an event stream, so they may be refused with one:
///
/// ```
/// # use std::time::Duration;
/// # use tower_realtime::{layers::StreamLimitLayer, lifecycle::StreamLimit};
/// let layer = StreamLimitLayer::new(&StreamLimit::new(10_000))
///     .refuse_as_event_stream()
///     .retry_after(Duration::from_secs(30));
/// # let _ = layer;
/// ```
#[derive(Clone)]
pub struct StreamLimitLayer {
    limit: StreamLimit,
    key: Option<KeyOf>,
    answer: Answer,
}

type KeyOf = Arc<dyn Fn(&request::Parts) -> Option<u64> + Send + Sync>;

impl StreamLimitLayer {
    /// Streams behind it need a permit of `limit`. Several layers may share one limit: a stream that comes through
    /// more than one of them counts once, and once for each key that they find.
    #[must_use]
    pub fn new(limit: &StreamLimit) -> Self {
        Self {
            limit: limit.clone(),
            key: None,
            answer: Answer::default(),
        }
    }

    /// Whose stream a request asks for: an address, a user, a token. For `None` only the total counts.
    ///
    /// It does something only with a limit that has [`StreamLimit::per_key`]. Choose what a client cannot choose:
    /// behind a proxy the address is the proxy's, and a forwarded one is to be believed only from a proxy.
    #[must_use]
    pub fn key<F, K>(mut self, key: F) -> Self
    where
        F: Fn(&request::Parts) -> Option<K> + Send + Sync + 'static,
        K: Hash,
    {
        // All layers of one limit have its seed, so that two layers of one limit agree on a key.
        let seed = self.limit.seed().clone();
        self.key = Some(Arc::new(move |head| {
            key(head).map(|key| seed.hash_one(key))
        }));
        self
    }

    refuses!();
}

impl<S> Layer<S> for StreamLimitLayer {
    type Service = LifecycleService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LifecycleService::new(inner, Arc::new(self.clone()))
    }
}

impl Part for StreamLimitLayer {
    fn note(&self, head: &request::Parts, _: Option<StreamKind>) -> Note {
        Note {
            key: self.key.as_ref().and_then(|key| key(head)),
            info: None,
        }
    }

    fn admit(&self, note: &Note, guard: &mut StreamGuard) -> Result<(), Refusal> {
        let permit = self.limit.acquire(note.key, guard.permits())?;
        guard.hold(permit);
        Ok(())
    }

    fn answer(&self) -> Answer {
        self.answer
    }
}

impl fmt::Debug for StreamLimitLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamLimitLayer")
            .field("limit", &self.limit)
            .field("answer", &self.answer)
            .finish_non_exhaustive()
    }
}
