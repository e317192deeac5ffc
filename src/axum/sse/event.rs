use std::time::Duration;

use crate::sse::{Encoded, Event as Inner, EventId, EventName};

/// An event that is put together as axum's is.
///
/// No setter panics. Characters that a field can't have are replaced by U+FFFD, and of a setter that is called again
/// the last value counts.
///
/// ```
/// use tower_realtime::{axum::sse::Event, sse::Encoded};
///
/// let event = Event::default().event("tick").id("7").data("first\nsecond");
/// assert_eq!(Encoded::from(event).as_bytes(), "event: tick\nid: 7\ndata: first\ndata: second\n\n");
/// ```
///
/// ```
/// # use std::time::Duration;
/// # use tower_realtime::{axum::sse::Event, sse::Encoded};
/// let later = Event::default().retry(Duration::from_secs(60)).comment("we restart");
/// assert_eq!(Encoded::from(later).as_bytes(), "retry: 60000\n: we restart\n\n");
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Event(pub(super) Inner);

impl Event {
    /// Sets the data: any text. Each of its lines becomes a line of data.
    pub fn data(self, data: impl AsRef<str>) -> Self {
        Self(self.0.with_data_of(Inner::new(data.as_ref())))
    }

    /// Adds a comment, which clients ignore.
    pub fn comment(self, comment: impl AsRef<str>) -> Self {
        Self(self.0.comment(comment))
    }

    /// Sets the name, under which the client's `addEventListener` finds the event.
    pub fn event(self, event: impl AsRef<str>) -> Self {
        Self(self.0.name(any_name(event.as_ref())))
    }

    /// Sets the id, which the client sends back as `Last-Event-ID` when it reconnects.
    pub fn id(self, id: impl AsRef<str>) -> Self {
        Self(self.0.id(any_id(id.as_ref())))
    }

    /// Sets how long the client waits before it reconnects. A fraction of a millisecond is rounded up.
    pub fn retry(self, duration: Duration) -> Self {
        Self(self.0.retry(duration))
    }
}

impl From<Event> for Inner {
    fn from(event: Event) -> Self {
        event.0
    }
}

impl From<Event> for Encoded {
    fn from(event: Event) -> Self {
        event.0.into()
    }
}

fn any_name(text: &str) -> EventName {
    let name = text.replace(['\r', '\n'], REPLACEMENT);
    EventName::try_from(name).expect("no line break is left")
}

fn any_id(text: &str) -> EventId {
    let id = text.replace(['\r', '\n', '\0'], REPLACEMENT);
    EventId::try_from(id).expect("no line break and no NUL is left")
}

const REPLACEMENT: &str = "\u{FFFD}";
