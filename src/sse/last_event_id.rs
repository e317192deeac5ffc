use http::{HeaderMap, HeaderName, request};

use super::EventId;

/// `Last-Event-ID`: where a client that connects again wants to go on.
///
/// Browsers send the header by themselves. A page that connects for the first time, and knows from its markup where
/// it is, can only use the query: `?lastEventId=42`. The header wins, because it is the newer one.
///
/// An id comes from outside: it may be unknown, too old, or somebody else's. Bytes that no id has are replaced by
/// U+FFFD, so that a broken id is an unknown one, and not a fresh start.
///
/// ```
/// use http::Request;
/// use tower_realtime::sse::{EventId, LastEventId};
///
/// # fn main() -> http::Result<()> {
/// let (head, ()) = Request::get("/news?lastEventId=41").header("last-event-id", "42").body(())?.into_parts();
/// assert_eq!(LastEventId::from_head(&head).into_id(), Some(EventId::from(42)));
/// # Ok(())
/// # }
/// ```
///
/// Header and query also have one each:
///
/// ```
/// # use http::HeaderMap;
/// # use tower_realtime::sse::{EventId, LastEventId};
/// let asked = LastEventId::from_query("room=1&lastEventId=41");
/// assert_eq!(asked.as_id(), Some(&EventId::from(41)));
/// assert_eq!(LastEventId::from_headers(&HeaderMap::new()).as_id(), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastEventId(Option<EventId>);

impl LastEventId {
    /// The id in the headers, or else in the query.
    #[must_use]
    pub fn from_head(head: &request::Parts) -> Self {
        let Self(id) = Self::from_headers(&head.headers);
        Self(id.or_else(|| Self::from_query(head.uri.query().unwrap_or_default()).0))
    }

    /// The id in the headers.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let value = headers.get(LAST_EVENT_ID);
        // UTF-8, not Latin-1 (WHATWG HTML, section 9.2.4).
        Self(value.and_then(|id| EventId::lossy(id.as_bytes())))
    }

    /// The id in a query: the first `lastEventId`.
    #[must_use]
    pub fn from_query(query: &str) -> Self {
        let id = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("lastEventId="));
        Self(id.and_then(|id| EventId::lossy(&percent_decoded(id))))
    }

    /// The id, if the client has seen any event.
    #[must_use]
    pub const fn as_id(&self) -> Option<&EventId> {
        self.0.as_ref()
    }

    /// The id, if the client has seen any event.
    #[must_use]
    pub fn into_id(self) -> Option<EventId> {
        self.0
    }
}

pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Text as forms encode it; a `%` that introduces nothing stands for itself.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    while let Some((&byte, rest)) = bytes.split_first() {
        bytes = rest;
        match byte {
            b'+' => out.push(b' '),
            b'%' => match rest.first_chunk().and_then(hex) {
                Some(byte) => {
                    out.push(byte);
                    bytes = &rest[2..];
                }
                None => out.push(b'%'),
            },
            byte => out.push(byte),
        }
    }
    out
}

fn hex(&[high, low]: &[u8; 2]) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}
