use super::Text;

/// An event as a client sees it.
///
/// The fields are those of a browser's `MessageEvent`.
///
/// ```
/// use tower_realtime::sse::Decoder;
///
/// let mut decoder = Decoder::new();
/// decoder.push(b"id: 7\ndata: one\ndata: two\n\n");
/// let message = decoder.next().expect("an event")?;
/// assert_eq!(message.event, "message");
/// assert_eq!(message.data, "one\ntwo");
/// assert_eq!(message.last_event_id, "7");
/// # Ok::<(), tower_realtime::sse::Error>(())
/// ```
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
