//! When to ping, and when to give up. Pure: it is told of ticks, and never asks for the time.

use std::time::Duration;

/// Notices peers that are gone, and connections that nobody uses.
///
/// A ping goes out every [`interval`](Self::interval). A peer that sends nothing at all, not even the pong, within
/// [`timeout`](Self::timeout) after a ping is gone. It needs a timer; without one there are no pings.
///
/// While this side does not read, because the handler takes no messages and the inbox is full, silence proves
/// nothing and is not counted.
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::ws::Heartbeat;
///
/// let beat = Heartbeat::new().interval(Duration::from_secs(30)).idle(Duration::from_secs(600));
/// # let _ = beat;
/// ```
///
/// ```
/// # use std::time::Duration;
/// # use tower_realtime::ws::Heartbeat;
/// let on_slow_links = Heartbeat::new().timeout(Duration::from_secs(30));
/// let the_program_pings = Heartbeat::off().idle(Duration::from_secs(300));
/// # let _ = (on_slow_links, the_program_pings);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Heartbeat {
    interval: Option<Duration>,
    timeout: Duration,
    idle: Option<Duration>,
}

impl Heartbeat {
    /// A ping every 20 s, 10 s to answer it, and no limit to being idle.
    pub const fn new() -> Self {
        Self {
            interval: Some(Duration::from_secs(20)),
            timeout: Duration::from_secs(10),
            idle: None,
        }
    }

    /// No pings.
    pub const fn off() -> Self {
        Self {
            interval: None,
            ..Self::new()
        }
    }

    /// The time from one ping to the next; 20 s by default. Proxies cut silent connections after 30 to 60 s.
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// The time to answer a ping; 10 s by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Closes a connection on which no message went in either direction for this long (or up to half as long again);
    /// never by default. Pings do not count.
    pub fn idle(mut self, idle: impl Into<Option<Duration>>) -> Self {
        self.idle = idle.into();
        self
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::new()
    }
}

/// What is due at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// No message for too long.
    Idle,
    /// No sign of the peer after a ping.
    Lost,
    /// Nothing.
    Nothing,
    /// A ping.
    Ping,
}

/// The state of one connection's [`Heartbeat`]. Times are in milliseconds, to be small.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Time until the next ping is due, or the last one must have been answered.
    left: u32,
    /// Time since the last message.
    unused: u32,
    /// Time from the last tick to the next.
    pause: u32,
    waiting: bool,
    heard: bool,
    used: bool,
}

impl Pulse {
    pub(super) fn new(config: &Heartbeat) -> Self {
        Self {
            left: config.interval.map_or(0, millis),
            ..Self::default()
        }
    }

    /// Something came from the peer, whatever it was.
    pub(super) const fn heard(&mut self) {
        self.heard = true;
    }

    /// A message went in one of the directions.
    pub(super) const fn used(&mut self) {
        self.used = true;
    }

    /// How long it is until the next tick; `None` when there is nothing to watch.
    pub(super) fn pause(&mut self, config: &Heartbeat) -> Option<Duration> {
        let ping = config.interval.map(|_| self.left);
        // Half of the time, so that silence is noticed within half of it again.
        let idle = config.idle.map(|idle| millis(idle) / 2);
        let pause = match (ping, idle) {
            (Some(ping), Some(idle)) => ping.min(idle),
            (one, other) => one.or(other)?,
        };
        // A pause of nothing would be a busy loop.
        self.pause = pause.max(1);
        Some(Duration::from_millis(self.pause.into()))
    }

    /// The pause is over. `deaf` is whether this side did not read meanwhile.
    pub(super) fn tick(&mut self, config: &Heartbeat, deaf: bool) -> Beat {
        if config.idle.is_some_and(|idle| self.is_idle(millis(idle))) {
            return Beat::Idle;
        }
        let Some(interval) = config.interval.map(millis) else {
            return Beat::Nothing;
        };
        self.left = self.left.saturating_sub(self.pause);
        if self.left > 0 {
            return Beat::Nothing;
        }
        if self.waiting {
            self.waiting = false;
            self.left = interval.saturating_sub(millis(config.timeout));
            if !self.heard && !deaf {
                return Beat::Lost;
            }
            if self.left > 0 {
                return Beat::Nothing;
            }
        }
        self.waiting = true;
        self.heard = false;
        self.left = millis(config.timeout);
        Beat::Ping
    }

    fn is_idle(&mut self, idle: u32) -> bool {
        self.unused = if std::mem::take(&mut self.used) {
            0
        } else {
            self.unused.saturating_add(self.pause)
        };
        self.unused >= idle
    }
}

/// At most seven weeks, which is for ever.
fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
