use std::time::Duration;

/// Makes a future that is ready after a [`Duration`].
///
/// Every `Fn(Duration) -> impl Future` is a timer: `tokio::time::sleep`, `smol::Timer::after`, or a closure of a
/// test. A timer is asked for a sleep on the first poll that needs one, never in a constructor, so that routers
/// can be built outside of a runtime.
pub trait Timer {
    /// The future that ends when the time has passed. What it yields is dropped.
    type Sleep: Future;

    /// A future that is ready once `duration` has passed.
    fn sleep(&self, duration: Duration) -> Self::Sleep;
}

impl<F, S> Timer for F
where
    F: Fn(Duration) -> S,
    S: Future,
{
    type Sleep = S;

    fn sleep(&self, duration: Duration) -> S {
        self(duration)
    }
}
