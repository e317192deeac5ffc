//! Whether a writer gets on. Pure: it is told what happens, and when a window of time is over.

/// How much was written in the current window, and whether more is waiting.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    written: u64,
    is_blocked: bool,
}

impl Progress {
    /// The transport took some bytes.
    pub(super) const fn wrote(&mut self, bytes: u64) {
        self.written = self.written.saturating_add(bytes);
        self.is_blocked = false;
    }

    /// The transport takes nothing at the moment.
    pub(super) const fn blocked(&mut self) {
        self.is_blocked = true;
    }

    /// A window is over: whether less than `least` bytes went out, though there were more. Begins the next one.
    pub(super) const fn tick(&mut self, least: u64) -> bool {
        let stalled = self.is_blocked && self.written < least;
        self.written = 0;
        stalled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_blocked_writer_below_the_rate_stalls() {
        for (written, blocked, least, stalls) in [
            (0, true, 1, true),
            (0, false, 1, false),
            (1, true, 1, false),
            (99, true, 100, true),
            (100, true, 100, false),
            (99, false, 100, false),
        ] {
            let mut progress = Progress::default();
            progress.wrote(written);
            if blocked {
                progress.blocked();
            }
            assert_eq!(
                progress.tick(least),
                stalls,
                "{written} of {least}, {blocked}"
            );
        }
    }

    #[test]
    fn each_window_counts_for_itself() {
        let mut progress = Progress::default();
        progress.wrote(1000);
        progress.blocked();
        assert!(!progress.tick(100));
        assert!(progress.tick(100));
    }
}
