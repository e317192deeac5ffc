//! Entries as WebSocket messages.

use super::Entry;
use crate::ws::{Message, Text};

impl From<Entry> for Message {
    /// The block that an event stream would carry, as a text message: `id: …`, `event: …` and `data: …` lines. Its
    /// bytes are shared by all readers.
    fn from(entry: Entry) -> Self {
        Self::Text(Text::try_from(entry.as_bytes().clone()).unwrap_or_default())
    }
}
