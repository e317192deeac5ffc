use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use futures_util::FutureExt;

use super::Timer;

/// The sleep of a [`DynTimer`].
///
/// It is what a [`Timer`] looks like that a trait object is made of.
pub type BoxSleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Any [`Timer`] behind one type, for values that must not be generic over it.
///
/// A sleep costs one allocation. It is meant for clocks that tick once per connection and interval, not once per
/// message.
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::rt::{BoxSleep, DynTimer, ManualClock, Timer};
///
/// struct Session {
///     clock: DynTimer, // of any runtime
/// }
///
/// let clock = ManualClock::new();
/// let session = Session { clock: DynTimer::new(clock.clone()) };
/// let sleep: BoxSleep = session.clock.sleep(Duration::from_secs(5));
/// clock.advance(Duration::from_secs(5));
/// smol::block_on(sleep);
/// ```
#[derive(Clone)]
pub struct DynTimer(Arc<dyn Fn(Duration) -> BoxSleep + Send + Sync>);

impl DynTimer {
    /// Hides the type of `timer`.
    #[must_use]
    pub fn new<T>(timer: T) -> Self
    where
        T: Timer + Send + Sync + 'static,
        T::Sleep: Send + 'static,
    {
        Self(Arc::new(move |duration| {
            // Not an async block: it would hold the sleep twice, as captured and as awaited.
            Box::pin(timer.sleep(duration).map(drop))
        }))
    }
}

impl Timer for DynTimer {
    type Sleep = BoxSleep;

    fn sleep(&self, duration: Duration) -> BoxSleep {
        (self.0)(duration)
    }
}

impl fmt::Debug for DynTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynTimer").finish_non_exhaustive()
    }
}
