//! Whether a connection has gone silent. Pure: it is told of bytes and of ticks.

/// Counts ticks without a byte. With a tick each quarter of the time-out, it fires after the whole time-out and at
/// most a quarter more, and no timer is touched per byte.
#[derive(Debug, Default)]
pub(super) struct Idle {
    ticks: u8,
}

impl Idle {
    /// A byte has come, no matter of what.
    pub(super) fn active(&mut self) {
        self.ticks = 0;
    }

    /// A tick. Returns whether the silence has lasted.
    pub(super) fn tick(&mut self) -> bool {
        // The first tick after a byte may follow at once: four more make the whole time-out.
        self.ticks = self.ticks.saturating_add(1);
        self.ticks > TICKS
    }
}

/// How many ticks the time-out is divided into.
pub(super) const TICKS: u8 = 4;
