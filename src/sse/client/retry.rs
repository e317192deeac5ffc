//! What follows when a connection is over. Pure.

use std::time::Duration;

use crate::lifecycle::{Attempts, Backoff};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// No answer came, or the stream ended, well or badly.
    Lost { healthy: bool },
    /// The server had no stream to give, and may have one later; in so much time, if it said when.
    Refused { after: Option<Duration> },
}

/// What to do next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    Wait(Duration),
    Stop,
}

/// Decides when to connect again.
#[derive(Debug)]
pub(super) struct Retry {
    attempts: Attempts,
    /// What the server last asked for with a `retry` field.
    asked: Option<Duration>,
    /// The longest that a server can make it wait.
    longest: Duration,
}

impl Retry {
    pub(super) fn new() -> Self {
        Self {
            attempts: Attempts::default(),
            asked: None,
            longest: LONGEST,
        }
    }

    pub(super) fn backoff(&mut self, backoff: Backoff) {
        self.attempts = Attempts::new(backoff);
    }

    pub(super) fn longest(&mut self, longest: Duration) {
        self.longest = longest;
    }

    /// The server has sent a `retry` field. It lasts over connections.
    pub(super) fn ask(&mut self, wait: Duration) {
        self.asked = Some(wait.max(LEAST));
    }

    pub(super) fn healthy_after(&self) -> Duration {
        self.attempts.healthy_after()
    }

    /// Attempts in a row that brought no healthy connection.
    pub(super) fn failed(&self) -> u32 {
        self.attempts.failed()
    }

    /// An attempt is over. `jitter` is a random number.
    pub(super) fn after(&mut self, outcome: Outcome, jitter: u32) -> Next {
        let asked = self.asked.map(|wait| wait.min(self.longest));
        let (healthy, after) = match outcome {
            Outcome::Lost { healthy } => (healthy, None),
            Outcome::Refused { after } => (false, after),
        };
        let Some(wait) = self.attempts.after(healthy, asked, jitter) else {
            return Next::Stop;
        };
        // `Retry-After` says not before, and the jitter goes on top: everybody else was told the same.
        let after = after.unwrap_or_default().min(self.longest);
        Next::Wait(if after > wait {
            after.saturating_add(wait)
        } else {
            wait
        })
    }
}

/// A wait of 0 means soon. A server that gives something each time would be asked thousands of times a second.
const LEAST: Duration = Duration::from_millis(100);
/// By default.
const LONGEST: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    const LOST: Outcome = Outcome::Lost { healthy: false };
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn retry_after_is_not_undercut() {
        let mut retry = Retry::new();
        let refused = |secs| Outcome::Refused {
            after: Some(SECOND * secs),
        };
        assert_eq!(retry.after(refused(60), 0), Next::Wait(SECOND * 60));
        assert_eq!(retry.after(refused(60), u32::MAX), Next::Wait(SECOND * 62));
        assert_eq!(
            retry.after(refused(1), u32::MAX),
            Next::Wait(SECOND * 4),
            "backed off"
        );
        assert_eq!(
            retry.after(refused(u32::MAX), 0),
            Next::Wait(LONGEST),
            "bounded"
        );
    }

    #[test]
    fn the_server_sets_the_pace_within_bounds() {
        let mut retry = Retry::new();
        retry.ask(Duration::from_millis(300));
        assert_eq!(retry.after(LOST, u32::MAX), Next::Wait(SECOND * 3 / 10));
        retry.ask(Duration::ZERO);
        let good = Outcome::Lost { healthy: true };
        assert_eq!(retry.after(good, 0), Next::Wait(LEAST));
        retry.ask(Duration::MAX);
        assert_eq!(retry.after(LOST, u32::MAX), Next::Wait(LONGEST));
        retry.longest(SECOND);
        assert_eq!(retry.after(LOST, 0), Next::Wait(SECOND));
    }

    #[test]
    fn it_stops_when_attempts_run_out() {
        let mut retry = Retry::new();
        retry.backoff(Backoff::new().max_attempts(2));
        assert!(matches!(retry.after(LOST, 0), Next::Wait(_)));
        assert!(matches!(
            retry.after(Outcome::Lost { healthy: true }, 0),
            Next::Wait(_)
        ));
        assert!(matches!(retry.after(LOST, 0), Next::Wait(_)));
        assert_eq!(retry.after(Outcome::Refused { after: None }, 0), Next::Stop);
    }
}
