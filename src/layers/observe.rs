use std::{fmt, sync::Arc};

use http::{StatusCode, request};
use tower_layer::Layer;

use super::{
    LifecycleService,
    part::{Note, Part},
};
use crate::{
    lifecycle::{Refusal, StreamGuard, StreamInfo, StreamKind, StreamObserver},
    trace::info,
};

/// Sees every stream from its request to its real end.
///
/// With the feature `tracing` each stream has one span, `stream`, below the current one. When the stream ends, the
/// span gets the reason, the close code, how many events and bytes there were, how long it took, and of a WebSocket
/// the peak of its queue and the round-trip time. The producer is polled and the handler runs within it. Refused
/// streams are logged. An [observer](StreamObserver) is told the same in types, for metrics.
///
/// Put it outside of the other layers, so that it sees what they refuse.
///
/// ```
/// use tower_realtime::{
///     layers::ObserveLayer,
///     lifecycle::{StreamEnd, StreamInfo},
/// };
///
/// let spans_alone = ObserveLayer::new();
/// let access_log = ObserveLayer::new().observer(|stream: &StreamInfo, end: &StreamEnd| {
///     println!("{} {} {} {:?}", stream.kind, stream.uri, end.reason, end.stats);
/// });
/// # let _ = tower::ServiceBuilder::new().layer(spans_alone).layer(access_log).service(());
/// ```
#[derive(Clone, Default)]
pub struct ObserveLayer {
    observer: Option<Arc<dyn StreamObserver>>,
}

impl ObserveLayer {
    /// Spans alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also tells `observer`.
    #[must_use]
    pub fn observer(mut self, observer: impl StreamObserver) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = LifecycleService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LifecycleService::new(inner, Arc::new(self.clone()))
    }
}

impl Part for ObserveLayer {
    fn note(&self, head: &request::Parts, kind: Option<StreamKind>) -> Note {
        let info = StreamInfo {
            kind: kind.unwrap_or(StreamKind::EventStream),
            uri: head.uri.clone(),
            version: head.version,
        };
        Note {
            key: None,
            info: Some(Box::new(info)),
        }
    }

    fn admit(&self, note: &Note, guard: &mut StreamGuard) -> Result<(), Refusal> {
        if let Some(info) = &note.info {
            guard.observe(info, self.observer.clone());
        }
        Ok(())
    }

    fn refused(&self, note: &Note, status: StatusCode) {
        let Some(info) = &note.info else { return };
        info!(
            kind = info.kind.as_str(),
            path = info.uri.path(),
            status = status.as_u16(),
            "stream refused"
        );
        if let Some(observer) = &self.observer {
            observer.refused(info, status);
        }
    }
}

impl fmt::Debug for ObserveLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObserveLayer")
            .field("has_observer", &self.observer.is_some())
            .finish()
    }
}
