//! A token bucket. Pure: it is told the time.

use std::time::Duration;

/// At most `burst` at once, and `burst` more in every `per`.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    burst: u32,
    per: Duration,
    /// The time until which everything is spent; each taking moves it on. (GCRA: one number, no rounding drift.)
    spent_until: Duration,
}

impl Bucket {
    pub(crate) const fn new(burst: u32, per: Duration) -> Self {
        Self {
            burst,
            // A hundred years, so that no sum overflows.
            per: if per.as_secs() < u32::MAX as u64 {
                per
            } else {
                Duration::from_secs(u32::MAX as u64)
            },
            spent_until: Duration::ZERO,
        }
    }

    /// Takes one at the time `now`.
    ///
    /// # Errors
    ///
    /// How long to wait before there is one.
    pub(crate) fn take(&mut self, now: Duration) -> Result<(), Duration> {
        if self.burst == 0 {
            return Err(self.per);
        }
        let spent_until = self.spent_until.max(now) + self.per / self.burst;
        let limit = now + self.per;
        if spent_until > limit {
            return Err(spent_until - limit);
        }
        self.spent_until = spent_until;
        Ok(())
    }

    /// Undoes one [`take`](Self::take).
    pub(crate) fn give_back(&mut self) {
        let one = self.per / self.burst.max(1);
        self.spent_until = self.spent_until.saturating_sub(one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_an_even_rate() {
        let ms = Duration::from_millis;
        let mut bucket = Bucket::new(4, ms(1000));
        for (now, wanted) in [
            (0, Ok(())),
            (0, Ok(())),
            (0, Ok(())),
            (0, Ok(())),
            (0, Err(ms(250))),
            (200, Err(ms(50))),
            (250, Ok(())),
            (250, Err(ms(250))),
            (900, Ok(())),
            (900, Ok(())),
            (900, Err(ms(100))),
            (9000, Ok(())),
        ] {
            assert_eq!(bucket.take(ms(now)), wanted, "at {now} ms");
        }
        assert_eq!(Bucket::new(0, ms(7)).take(ms(1)), Err(ms(7)));
        bucket.give_back();
        assert_eq!(bucket.take(ms(9000)), Ok(()));
        // All are there; none comes from nowhere.
        let taken = (0..9).map_while(|_| bucket.take(ms(9000)).ok()).count();
        assert_eq!(taken, 3);
    }
}
