//! How long a stream may live. Pure: random numbers come in as arguments, time is only a length.

use std::time::Duration;

/// How long a stream may live, with jitter.
///
/// Streams that were opened together, as after a deployment, would also end together and come back together. So
/// each lives for a time of its own, between `max` less the jitter and `max`.
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::lifecycle::MaxAge;
///
/// let a_day = MaxAge::new(Duration::from_secs(24 * 3600)); // from 21.6 h to 24 h
/// let exactly_an_hour = MaxAge::new(Duration::from_secs(3600)).jitter_percent(0);
/// # let _ = (a_day, exactly_an_hour);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxAge {
    max: Duration,
    jitter_percent: u8,
}

impl MaxAge {
    /// Streams live for at most `max`, and for 90 % of it at least.
    #[must_use]
    pub const fn new(max: Duration) -> Self {
        Self {
            max,
            jitter_percent: 10,
        }
    }

    /// How much earlier than `max` a stream may end, in percent of `max`; 100 and more mean from 0 on.
    ///
    /// The default is 10.
    #[must_use]
    pub const fn jitter_percent(mut self, percent: u8) -> Self {
        self.jitter_percent = if percent > 100 { 100 } else { percent };
        self
    }

    /// The age of one stream, picked by a random number.
    pub(crate) fn pick(self, random: u32) -> Duration {
        let jitter = self.max / 100 * u32::from(self.jitter_percent);
        self.max.saturating_sub(share(jitter, random))
    }
}

/// The part of `whole` that a random number picks: evenly from nothing up to, but without, the whole.
pub(crate) fn share(whole: Duration, random: u32) -> Duration {
    let nanos = whole.as_nanos().saturating_mul(u128::from(random)) >> 32;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The `index`-th of `count` even parts of `whole`, moved within its own part by a random number.
///
/// Picked one by one, times clump: of 2,000 in 5 s some 10 ms see a dozen and others none.
pub(crate) fn slot(whole: Duration, index: u32, count: u32, random: u32) -> Duration {
    let part = whole / count.max(1);
    part.saturating_mul(index)
        .saturating_add(share(part, random))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_age_is_within_its_jitter() {
        let age = MaxAge::new(SECOND * 100);
        assert_eq!(age.pick(0), SECOND * 100);
        assert_eq!(age.pick(1 << 31), SECOND * 95);
        assert!(age.pick(u32::MAX) > SECOND * 90);
        assert_eq!(age.jitter_percent(0).pick(u32::MAX), SECOND * 100);
        assert!(age.jitter_percent(200).pick(u32::MAX) < SECOND);
        assert!(MaxAge::new(Duration::MAX).pick(u32::MAX) > SECOND);
    }

    #[test]
    fn slots_cover_the_whole_without_overlap() {
        let of = |index, random| slot(SECOND * 10, index, 10, random);
        assert_eq!(of(0, 0), Duration::ZERO);
        for index in 0..10 {
            assert!(of(index, u32::MAX) <= of(index + 1, 0));
            assert!(of(index, u32::MAX) < SECOND * 10);
        }
        assert!(slot(SECOND, 0, 0, u32::MAX) < SECOND);
    }
}
