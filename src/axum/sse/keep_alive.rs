use std::time::Duration;

use super::Event;
use crate::{rt::Tokio, sse::KeepAlive as Inner};

/// How an idle stream is kept open, by tokio's clock: a comment, so that it is never silent for longer than 15 s.
#[derive(Clone, Debug)]
#[must_use]
pub struct KeepAlive(pub(super) Inner<Tokio>);

impl KeepAlive {
    /// An empty comment within 15 s of silence.
    pub const fn new() -> Self {
        Self(Inner::new(Tokio))
    }

    /// Sets the longest silence.
    ///
    /// A comment comes after more than half of it: no timer is reset for an event.
    pub fn interval(self, time: Duration) -> Self {
        Self(self.0.interval(time))
    }

    /// Sets what the comment says.
    pub fn text(self, text: impl AsRef<str>) -> Self {
        Self(self.0.comment(text))
    }

    /// Sends an event in place of the comment.
    pub fn event(self, event: Event) -> Self {
        Self(self.0.event(event.0))
    }
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self::new()
    }
}
