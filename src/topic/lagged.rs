use std::{error, fmt};

/// A reader was too slow, and items were dropped before it read them.
///
/// ```
/// use futures_util::{FutureExt, StreamExt};
/// use tower_realtime::topic::Topic;
///
/// let topic = Topic::new(2);
/// let mut reader = topic.subscribe();
/// for n in 0..5 {
///     topic.publish(n);
/// }
/// let lagged = reader.next().now_or_never().flatten();
/// assert_eq!(lagged.map(|item| item.unwrap_err().missed()), Some(3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lagged {
    missed: u64,
}

impl Lagged {
    pub(crate) const fn new(missed: u64) -> Self {
        Self { missed }
    }

    /// How many items were missed. It is exact, except in a topic that
    /// [coalesces](super::Limits::coalesce_by): there it counts values that a newer one had replaced as well.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.missed
    }
}

impl fmt::Display for Lagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the reader fell behind and missed {} items", self.missed)
    }
}

impl error::Error for Lagged {}

/// What happens to a reader that fell behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnLag {
    /// It gets [`Lagged`] and reads on from the oldest item that is left.
    #[default]
    Report,
    /// It gets [`Lagged`], which counts all that is skipped, and reads on with what comes next.
    SkipToLive,
    /// It reads on from the oldest item that is left and is not told;
    /// [`Subscription::missed`](super::Subscription::missed) counts.
    DropOldest,
    /// It gets [`Lagged`], and its stream ends: an event stream is closed, and its client comes back and resumes.
    Disconnect,
}
