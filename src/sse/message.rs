use super::Text;

/// An event as a client sees it.
///
/// The fields are those of a browser's `MessageEvent`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// What the event is called: `message` unless the server named it.
    pub event: Text,
    /// The data, its lines joined by a line feed each. It may be empty.
    pub data: Text,
    /// The last id that the server has set, with this event or an earlier one. Empty while there is none.
    pub last_event_id: Text,
}
