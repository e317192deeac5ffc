use std::sync::Arc;

use tower_layer::Layer;

use super::{
    LifecycleService,
    part::{Note, Part},
};
use crate::{
    lifecycle::{MaxAge, Refusal, StreamGuard, random},
    rt::{DynTimer, Timer},
};

/// Ends streams that are old, so that load moves to new servers and nobody listens for ever.
///
/// An event stream ends between two events, after a `retry:`; a WebSocket closes with 1001. What ends with a token
/// or a login is [`StreamControl`](crate::lifecycle::StreamControl)'s.
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::{layers::AgeLayer, lifecycle::MaxAge};
///
/// let layer = AgeLayer::new(tokio::time::sleep, MaxAge::new(Duration::from_secs(24 * 3600)));
/// # let _ = tower::ServiceBuilder::new().layer(layer).service(());
/// ```
#[derive(Clone, Debug)]
pub struct AgeLayer {
    timer: DynTimer,
    max: MaxAge,
}

impl AgeLayer {
    /// Ends streams behind it at `max`. Its clock is `timer`.
    #[must_use]
    pub fn new<T>(timer: T, max: MaxAge) -> Self
    where
        T: Timer + Send + Sync + 'static,
        T::Sleep: Send + 'static,
    {
        Self {
            timer: DynTimer::new(timer),
            max,
        }
    }
}

impl<S> Layer<S> for AgeLayer {
    type Service = LifecycleService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LifecycleService::new(inner, Arc::new(self.clone()))
    }
}

impl Part for AgeLayer {
    fn admit(&self, _: &Note, guard: &mut StreamGuard) -> Result<(), Refusal> {
        guard.limit_age(self.timer.clone(), self.max.pick(random()));
        Ok(())
    }
}
