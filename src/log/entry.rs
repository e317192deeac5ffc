//! One event of a log, encoded with its id.

use std::{borrow::Cow, fmt::Write};

use bytes::Bytes;

use super::resume::Position;
use crate::sse::{Encoded, Event};

/// An event with its id, encoded once for all of its readers and cheap to clone.
///
/// It goes to an event stream as it is. A WebSocket sends what it likes of it, or the same text: a block of
/// `id: …`, `event: …` and `data: …` lines (`ws::Message::from(entry)`).
///
/// ```
/// use tower_realtime::{log::Entry, sse::{Event, EventName}};
///
/// let event = Event::new("9 apples\n2 pears").name(EventName::from_static("order")).id(7);
/// let entry = Entry::from(event);
/// assert_eq!((entry.id(), entry.name()), (Some("7"), Some("order")));
/// assert_eq!(entry.data(), "9 apples\n2 pears");
/// assert!(entry.as_bytes().ends_with(b"data: 2 pears\n\n"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry(Bytes);

impl Entry {
    /// The id, which a client sends back to resume. `None` for an event that is of no log.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.field("id: ").next()
    }

    /// The name. `None` is a `message`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.field("event: ").next()
    }

    /// The data, its lines joined with LF. Borrowed where it is one line.
    #[must_use]
    pub fn data(&self) -> Cow<'_, str> {
        let mut lines = self.field("data: ");
        let mut data = Cow::Borrowed(lines.next().unwrap_or_default());
        for line in lines {
            let data = data.to_mut();
            data.push('\n');
            data.push_str(line);
        }
        data
    }

    /// The block as it goes over the wire, its blank line included.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The number of bytes on the wire.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Puts the id of `position` before the lines of `event`, which has no id of its own.
    pub(super) fn new(position: Position, event: &Encoded) -> Self {
        Self(with_id(format_args!("{position}"), event.as_bytes()))
    }

    /// The same event with a signed id.
    pub(super) fn signed(&self, tag: &str) -> Self {
        let id = self.id().unwrap_or_default();
        let rest = self
            .0
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        Self(with_id(format_args!("{tag}-{id}"), &self.0[rest..]))
    }

    fn text(&self) -> &str {
        // Only events are encoded into one, and they are text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn field<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        // Not `lines`: it would take a CR for a part of the line break.
        self.text()
            .split('\n')
            .filter_map(move |line| line.strip_prefix(prefix))
    }
}

fn with_id(id: std::fmt::Arguments<'_>, lines: &[u8]) -> Bytes {
    let mut head = String::with_capacity(64);
    let _ = writeln!(head, "id: {id}"); // a `String` takes everything
    let mut block = Vec::with_capacity(head.len() + lines.len());
    block.extend_from_slice(head.as_bytes());
    block.extend_from_slice(lines);
    block.into()
}

impl From<Event> for Entry {
    /// An event that is of no log, and so has the id that it was given, if any: for what a handler adds of its own.
    fn from(event: Event) -> Self {
        Self(Encoded::from(event).into_bytes())
    }
}

impl From<Entry> for Encoded {
    fn from(entry: Entry) -> Self {
        Self::from_blocks(entry.0)
    }
}
