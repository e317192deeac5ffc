use std::time::Duration;

/// What a stream in Redis keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) events: usize,
    /// Zero is no limit.
    pub(super) age: Duration,
    /// How long a stream lives after its last event; zero is for ever.
    pub(super) idle: Duration,
    /// How often a command is tried.
    pub(super) attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            events: 1_024,
            age: Duration::ZERO,
            idle: Duration::from_secs(24 * 60 * 60),
            attempts: 10,
        }
    }
}

/// How long to wait before attempt `n`: 50 ms, doubled up to 1 s, of which half is by chance, so that all processes do
/// not come back at the same moment.
pub(super) fn pause(attempt: u32, chance: u64) -> Duration {
    let full = 50_u64.saturating_mul(1 << attempt.min(10)).min(1_000);
    Duration::from_millis(full / 2 + chance % (full / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_half_is_by_chance() {
        #[rustfmt::skip]
        let rows = [(0, 25, 50), (1, 50, 100), (4, 400, 800), (5, 500, 1_000), (99, 500, 1_000)];
        for (attempt, least, most) in rows {
            assert_eq!(pause(attempt, 0), Duration::from_millis(least));
            assert_eq!(pause(attempt, most - least), Duration::from_millis(most));
            assert!((0..5_000).all(|chance| pause(attempt, chance) <= Duration::from_millis(most)));
        }
    }
}
