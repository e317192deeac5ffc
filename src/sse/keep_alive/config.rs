use std::{future, time::Duration};

use bytes::Bytes;

use crate::{
    rt::Timer,
    sse::{Comment, Encoded, Event},
};

/// How an idle event stream is kept open.
///
/// It is a value: clone it, store it, give it to [`Sse::keep_alive`](crate::sse::Sse::keep_alive) or to a layer.
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::sse::KeepAlive;
///
/// let keep_alive = KeepAlive::new(tokio::time::sleep).interval(Duration::from_secs(25)).comment("still here");
/// # let _ = keep_alive;
/// ```
#[derive(Clone, Debug)]
pub struct KeepAlive<T> {
    timer: T,
    interval: Duration,
    beat: Bytes,
    is_comment: bool,
}

impl<T> KeepAlive<T> {
    /// Comments by the clock of `timer`, so that the stream is never silent for longer than 15 seconds.
    #[must_use]
    pub const fn new(timer: T) -> Self {
        Self {
            timer,
            interval: Duration::from_secs(15),
            beat: Bytes::from_static(b":\n"),
            is_comment: true,
        }
    }

    /// Sets the longest silence. The default is 15 seconds, because proxies cut at 30 to 60.
    ///
    /// A comment comes after more than half of it. Less than two milliseconds counts as two.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(2));
        self
    }

    /// Sets what the comment says. By default it is empty.
    #[must_use]
    pub fn comment(mut self, text: impl AsRef<str>) -> Self {
        // Without a blank line: within an event that would end it early.
        self.beat = Comment::new(text).into_lines().into();
        self.is_comment = true;
        self
    }

    /// Sends an event in place of the comment.
    ///
    /// A browser hides comments from its page, so a page that wants to notice a dead connection needs an event. Give
    /// it a name of its own, and no id.
    ///
    /// ```
    /// use tower_realtime::sse::{Event, EventName, KeepAlive};
    ///
    /// let beat = Event::new("").name(EventName::from_static("heartbeat"));
    /// let keep_alive = KeepAlive::new(tokio::time::sleep).event(beat);
    /// # let _ = keep_alive;
    /// ```
    #[must_use]
    pub fn event(mut self, event: Event) -> Self {
        self.beat = Encoded::from(event).into_bytes();
        self.is_comment = false;
        self
    }

    pub(super) fn beat(&self) -> Bytes {
        self.beat.clone()
    }

    pub(super) const fn is_comment(&self) -> bool {
        self.is_comment
    }
}

impl<T: Timer> KeepAlive<T> {
    /// The time between two ticks of a [`Pulse`](super::Pulse).
    pub(super) fn half(&self) -> T::Sleep {
        self.timer.sleep(self.interval / 2)
    }
}

/// The timer of a stream that is not kept alive: it never ends.
///
/// It is what [`Sse`](crate::sse::Sse) has in place of a clock at first:
///
/// ```
/// use tower_realtime::sse::{NoKeepAlive, Receiver, Sse, channel};
///
/// let sse: Sse<Receiver, NoKeepAlive> = Sse::new(channel(16).1);
/// # drop(sse);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NoKeepAlive;

impl Timer for NoKeepAlive {
    type Sleep = future::Pending<()>;

    fn sleep(&self, _: Duration) -> Self::Sleep {
        future::pending()
    }
}
