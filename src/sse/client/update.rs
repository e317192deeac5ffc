use std::time::Duration;

use http::response::Parts;

use crate::sse::{Error, Message, Text};

/// What happens to an [`EventSource`](super::EventSource), for those who want to see more than messages.
///
/// ```
/// use tower_realtime::sse::{EventSource, Update};
///
/// async fn watch(mut events: EventSource) {
///     while let Some(update) = events.update().await {
///         match update {
///             Update::Message(message) => println!("{}", message.data()),
///             Update::Reconnecting { after, cause, failed, .. } => {
///                 println!("{failed} failed in a row, the last with: {cause}; again in {after:?}");
///             }
///             _ => {}
///         }
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Update {
    /// It is over for good.
    #[non_exhaustive]
    Closed {
        /// Why, where that is a failure. A stop that the server or the program asked for is none.
        cause: Option<Error>,
    },
    /// An event.
    Message(Message),
    /// The server has answered with an event stream. This is the head of its answer.
    Open(Parts),
    /// The connection is over, or did not come about. Another attempt follows.
    ///
    /// There is one for each attempt, as the standard has an `error` event for each. An attempt that nobody answers
    /// is not over, and silent, until the client that carries it gives up, or an
    /// [`idle_timeout`](super::EventSource::idle_timeout) does.
    #[non_exhaustive]
    Reconnecting {
        /// How long it waits before that.
        after: Duration,
        /// What ended the attempt before. A stream that [just ended](Error::is_end) is a cause, too.
        cause: Error,
        /// How many attempts in a row have brought no healthy connection, this one included. 0 after a healthy one.
        failed: u32,
    },
}

/// Where an [`EventSource`](super::EventSource) stands, with the values of a browser's `readyState`.
///
/// ```
/// use tower_realtime::sse::ReadyState;
///
/// let states = [ReadyState::Connecting, ReadyState::Open, ReadyState::Closed];
/// assert_eq!(states.map(|state| state as u8), [0, 1, 2]);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the standard has these three")]
pub enum ReadyState {
    /// It connects, or waits before it connects again.
    Connecting = 0,
    /// The server has answered with an event stream, which goes on.
    Open = 1,
    /// It is over for good.
    Closed = 2,
}

/// What the function that makes requests is told: see [`EventSource::with`](super::EventSource::with).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// How many attempts in a row before this one brought no healthy connection. 0 at first.
    pub failed: u32,
    /// The id to resume after. It need not be put into the request: the header is set after.
    pub last_event_id: Text,
}
