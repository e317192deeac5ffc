use std::time::Duration;

use super::{Closing, EndReason, Pace, age, random::random};

/// How a [`Drain`](super::Drain) goes about it.
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::lifecycle::DrainPolicy;
///
/// let policy = DrainPolicy::default()
///     .spread(Duration::from_secs(30)) // 50,000 clients should not come back within a second
///     .deadline(Duration::from_secs(55)) // terminationGracePeriodSeconds: 60
///     .retry(Duration::from_millis(500))
///     .service_restart();
/// # let _ = policy;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DrainPolicy {
    pub(super) spread: Duration,
    pub(super) deadline: Duration,
    retry: Option<Duration>,
    code: u16,
    text: &'static str,
}

impl Default for DrainPolicy {
    fn default() -> Self {
        Self {
            spread: Duration::from_secs(5),
            deadline: Duration::from_secs(25),
            retry: Some(Duration::from_secs(1)),
            code: 1001,
            text: "going away",
        }
    }
}

impl DrainPolicy {
    /// Over what time the streams end, one after the other. 5 s by default; 0 ends all at once.
    ///
    /// Clients come back as soon as they are gone, so choose a time in which their number can connect.
    #[must_use]
    pub const fn spread(mut self, spread: Duration) -> Self {
        self.spread = spread;
        self
    }

    /// From the start, when the streams that are left are forced. 25 s by default, because Kubernetes kills at 30.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// After what time event streams should come back: each is told a time between this and its double. 1 s by
    /// default; `None` leaves it to the client, which is 3 to 5 s in browsers.
    #[must_use]
    pub fn retry(mut self, retry: impl Into<Option<Duration>>) -> Self {
        self.retry = retry.into();
        self
    }

    /// WebSockets close with 1012, "service restart", instead of 1001, "going away".
    ///
    /// It says more clearly that coming back is welcome, but some clients know it as an error for good.
    #[must_use]
    pub const fn service_restart(mut self) -> Self {
        self.code = 1012;
        self.text = "service restart";
        self
    }

    /// The order for one stream, with a jitter of its own.
    pub(super) fn closing(&self) -> Closing {
        Closing {
            reason: EndReason::Drained,
            pace: Pace::Gentle,
            code: self.code,
            text: self.text.into(),
            retry: self
                .retry
                .map(|base| base.saturating_add(age::share(base, random()))),
        }
    }
}
