//! Where a client says what it has seen.

use http::{HeaderMap, Request, request};

use super::Position;
use crate::sse::{EventId, LastEventId};

/// What a client says it has seen last.
///
/// Headers and requests say it in `Last-Event-ID`, requests also in the query parameter `lastEventId`, for clients
/// that can't set headers, such as browsers that open a WebSocket; the header wins. A text is the id itself, as a
/// WebSocket's client sends it in a message. Something that is empty is a first visit.
///
/// ```
/// use http::{HeaderMap, Request};
/// use tower_realtime::log::LastId;
///
/// let request = Request::get("/socket?lastEventId=31-42").body(()).expect("a request");
/// assert_eq!(request.last_id().expect("an id").as_str(), "31-42");
/// assert_eq!("31-42".last_id(), request.last_id()); // from a message
/// assert_eq!(HeaderMap::new().last_id(), None); // a first visit
/// ```
pub trait LastId {
    /// The id, unless it is a first visit.
    fn last_id(&self) -> Option<EventId>;
}

impl LastId for LastEventId {
    fn last_id(&self) -> Option<EventId> {
        self.as_id().cloned()
    }
}

impl LastId for HeaderMap {
    fn last_id(&self) -> Option<EventId> {
        LastEventId::from_headers(self).into_id()
    }
}

impl LastId for request::Parts {
    fn last_id(&self) -> Option<EventId> {
        LastEventId::from_head(self).into_id()
    }
}

impl<B> LastId for Request<B> {
    fn last_id(&self) -> Option<EventId> {
        let query = || LastEventId::from_query(self.uri().query().unwrap_or_default()).into_id();
        self.headers().last_id().or_else(query)
    }
}

impl LastId for str {
    fn last_id(&self) -> Option<EventId> {
        // What can't be an id is one that no log gave, and not a first visit.
        let id = || EventId::try_from(self).unwrap_or(EventId::from_static("\u{fffd}"));
        (!self.is_empty()).then(id)
    }
}

impl LastId for String {
    fn last_id(&self) -> Option<EventId> {
        self.as_str().last_id()
    }
}

impl LastId for EventId {
    fn last_id(&self) -> Option<EventId> {
        self.as_str().last_id()
    }
}

impl LastId for Position {
    fn last_id(&self) -> Option<EventId> {
        self.to_string().last_id()
    }
}

impl<A: LastId> LastId for Option<A> {
    fn last_id(&self) -> Option<EventId> {
        self.as_ref()?.last_id()
    }
}
