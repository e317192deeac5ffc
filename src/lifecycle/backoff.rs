//! How long to wait before another attempt. Pure: it is told what happened and a random number, and asks no clock.

use std::time::Duration;

/// How a client paces its attempts to connect again.
///
/// The wait before an attempt is a random time up to a bound (full jitter), so that clients that were cut off
/// together don't come back together. The bound doubles with every attempt that did not bring a healthy connection,
/// up to a cap. Only a connection that has lasted a while counts as healthy: a server that accepts and drops at
/// once is backed off from like one that refuses. An event stream that gave an event and was ended in good order is
/// healthy, too, no matter how short it was.
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::lifecycle::Backoff;
///
/// let backoff = Backoff::new()
///     .base(Duration::from_millis(200))
///     .cap(Duration::from_secs(60))
///     .max_attempts(10);
/// # let _ = backoff;
/// ```
///
/// To start over soon, for connections that are healthy after two seconds already:
///
/// ```
/// # use std::time::Duration;
/// # use tower_realtime::lifecycle::Backoff;
/// let eager = Backoff::new().healthy_after(Duration::from_secs(2));
/// assert_ne!(eager, Backoff::default());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    healthy: Duration,
    max_attempts: Option<u32>,
}

impl Backoff {
    /// 1 s at first, 30 s at most, healthy after 10 s, without an end.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(30),
            healthy: Duration::from_secs(10),
            max_attempts: None,
        }
    }

    /// The bound of the first wait. By default 1 s; less than 100 ms count as 100 ms.
    #[must_use]
    pub const fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// What the bound grows to at most. By default 30 s.
    #[must_use]
    pub const fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// How long a connection must have lasted to start over with the first wait. By default 10 s.
    #[must_use]
    pub const fn healthy_after(mut self, time: Duration) -> Self {
        self.healthy = time;
        self
    }

    /// Gives up after so many attempts in a row that brought no healthy connection. By default there is no end.
    ///
    /// With 1 the first that fails is the last.
    #[must_use]
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

/// A [`Backoff`] and where it stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts {
    backoff: Backoff,
    /// Attempts in a row that brought no healthy connection.
    failed: u32,
    /// Waits since there was one.
    waits: u32,
}

impl Attempts {
    pub(crate) const fn new(backoff: Backoff) -> Self {
        Self {
            backoff,
            failed: 0,
            waits: 0,
        }
    }

    /// How long a connection must last to count as healthy.
    pub(crate) const fn healthy_after(&self) -> Duration {
        self.backoff.healthy
    }

    pub(crate) const fn failed(&self) -> u32 {
        self.failed
    }

    /// An attempt is over. Returns how long to wait before the next, or `None` to give up.
    ///
    /// `asked` is the least time, which the peer has asked for; it then takes the place of the base as well.
    /// `jitter` is a random number.
    pub(crate) fn after(
        &mut self,
        healthy: bool,
        asked: Option<Duration>,
        jitter: u32,
    ) -> Option<Duration> {
        if healthy {
            self.failed = 0;
            self.waits = 0;
        } else {
            self.failed = self.failed.saturating_add(1);
        }
        let bound = self.bound(asked.unwrap_or(self.backoff.base));
        self.waits = self.waits.saturating_add(1);
        if self
            .backoff
            .max_attempts
            .is_some_and(|most| self.failed >= most)
        {
            return None;
        }
        let least = asked.unwrap_or_default();
        let spread = bound.saturating_sub(least);
        Some(least.saturating_add(part(spread, jitter)))
    }

    /// The longest wait: a base that doubled with each, and never nothing.
    fn bound(&self, base: Duration) -> Duration {
        let doubled = 2_u32.saturating_pow(self.waits);
        base.max(LEAST)
            .saturating_mul(doubled)
            .min(self.backoff.cap)
    }
}

/// `jitter` of `u32::MAX` parts of a time.
fn part(time: Duration, jitter: u32) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let nanos = time.as_nanos() * u128::from(jitter) / u128::from(u32::MAX);
    let seconds = u64::try_from(nanos / SECOND).unwrap_or(u64::MAX);
    Duration::from_secs(seconds) + Duration::from_nanos((nanos % SECOND) as u64)
}

/// Peers ask for a wait of 0, and mean soon; without a least base this would be a loop that never waits.
const LEAST: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: u32 = u32::MAX;

    fn millis(attempts: &mut Attempts, healthy: bool, asked: Option<u64>, jitter: u32) -> u128 {
        let wait = attempts.after(healthy, asked.map(Duration::from_millis), jitter);
        wait.unwrap().as_millis()
    }

    #[test]
    fn the_bound_doubles_to_the_cap_and_starts_over_after_health() {
        let mut attempts = Attempts::default();
        let waits = [(); 7].map(|()| millis(&mut attempts, false, None, ALL));
        assert_eq!(waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(millis(&mut attempts, true, None, ALL), 1000);
        assert_eq!(millis(&mut attempts, false, None, ALL), 2000);
        assert_eq!(
            millis(&mut attempts, false, None, ALL / 2),
            1999,
            "full jitter"
        );
        assert_eq!(millis(&mut attempts, false, None, 0), 0);
    }

    #[test]
    fn what_the_peer_asks_for_is_the_least_and_the_base() {
        let mut attempts = Attempts::default();
        assert_eq!(
            millis(&mut attempts, false, Some(300), ALL),
            300,
            "to the letter"
        );
        assert_eq!(millis(&mut attempts, false, Some(300), ALL), 600);
        assert_eq!(millis(&mut attempts, false, Some(300), 0), 300);
        assert_eq!(
            millis(&mut attempts, false, Some(60_000), ALL),
            60_000,
            "over the cap"
        );
        let mut attempts = Attempts::default();
        let waits = [(); 10].map(|()| millis(&mut attempts, false, Some(0), ALL / 2));
        assert!(
            waits.iter().sum::<u128>() > 40_000,
            "no hot loop: {waits:?}"
        );
    }

    #[test]
    fn it_gives_up_when_told() {
        let mut attempts = Attempts::new(Backoff::new().max_attempts(2));
        for healthy in [true, false, true, false] {
            assert!(attempts.after(healthy, None, 0).is_some());
        }
        assert_eq!(attempts.after(false, None, 0), None);
        let mut many = Attempts {
            failed: ALL,
            waits: ALL,
            ..Attempts::default()
        };
        assert!(
            many.after(false, Some(Duration::MAX), ALL).is_some(),
            "nothing overflows"
        );
        let mut long = Attempts::new(Backoff::new().base(Duration::MAX).cap(Duration::MAX));
        assert_eq!(long.after(false, None, ALL), Some(Duration::MAX));
    }
}
