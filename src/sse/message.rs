use std::{
    fmt,
    hash::{Hash, Hasher},
    ops::Range,
    sync::Arc,
};

use bytestring::ByteString;

use super::Text;

/// An event as a client sees it.
///
/// What it says is that of a browser's `MessageEvent`. It is one handle of shared memory: of the chunk that the event
/// came in, where all of it did in one piece, and else of its own. It keeps that memory alive, so make a [`String`] of
/// what is to be kept for long.
///
/// ```
/// use tower_realtime::sse::Decoder;
///
/// let mut decoder = Decoder::new();
/// decoder.push(b"event: tick\nid: 7\ndata: 12:00\n\n");
/// let message = decoder.next().expect("an event")?;
/// assert_eq!(message.event(), "tick");
/// assert_eq!(message.data(), "12:00");
/// assert_eq!(message.last_event_id(), "7");
/// # Ok::<(), tower_realtime::sse::Error>(())
/// ```
#[derive(Clone)]
pub struct Message {
    /// What the spans are of.
    memory: ByteString,
    data: Span,
    /// Empty for an event without a name.
    event: Span,
    /// Empty for a last event id that is kept, or that there is none of.
    id: Span,
    /// The last event id, if it is of an event before.
    kept: Option<Kept>,
}

/// A piece of a message's memory, which the limits keep to what fits.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

/// An id that lasts longer than its chunk.
#[derive(Clone, Debug)]
pub(crate) struct Kept(
    // One word where the message has it, as nearly none does.
    Arc<Box<str>>,
);

impl Message {
    #[inline]
    pub(crate) fn new(
        memory: ByteString,
        data: Span,
        event: Span,
        id: Span,
        kept: Option<Kept>,
    ) -> Self {
        Self {
            memory,
            data,
            event,
            id,
            kept,
        }
    }

    /// What the event is called: `message` unless the server named it.
    #[inline]
    #[must_use]
    pub fn event(&self) -> &str {
        match self.piece(self.event) {
            "" => MESSAGE,
            event => event,
        }
    }

    /// The data, its lines joined by a line feed each. It may be empty.
    #[inline]
    #[must_use]
    pub fn data(&self) -> &str {
        self.piece(self.data)
    }

    /// The data, without a copy.
    ///
    /// ```
    /// use tower_realtime::sse::{Decoder, Text};
    ///
    /// let mut decoder = Decoder::new();
    /// decoder.push(b"data: one\n\n");
    /// let data: Text = decoder.next().expect("an event")?.into_data();
    /// assert_eq!(data, "one");
    /// # Ok::<(), tower_realtime::sse::Error>(())
    /// ```
    #[must_use]
    pub fn into_data(self) -> Text {
        Text::wrap(self.memory.slice_ref(self.data()))
    }

    /// The last id that the server has set, with this event or an earlier one. Empty while there is none.
    #[inline]
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        match &self.kept {
            None => self.piece(self.id),
            Some(id) => id.as_str(),
        }
    }

    #[inline]
    fn piece(&self, span: Span) -> &str {
        self.memory.get(Range::from(span)).unwrap_or_default()
    }

    fn fields(&self) -> (&str, &str, &str) {
        (self.event(), self.data(), self.last_event_id())
    }
}

impl Eq for Message {}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.fields() == other.fields()
    }
}

impl Hash for Message {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fields().hash(state);
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("event", &self.event())
            .field("data", &self.data())
            .field("last_event_id", &self.last_event_id())
            .finish()
    }
}

impl Kept {
    #[inline]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Kept {
    fn from(id: &str) -> Self {
        Self(Arc::new(id.into()))
    }
}

impl From<Range<usize>> for Span {
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the limits keep to what fits"
    )]
    fn from(range: Range<usize>) -> Self {
        Self {
            start: range.start as u32,
            end: range.end as u32,
        }
    }
}

impl From<Span> for Range<usize> {
    #[inline]
    fn from(span: Span) -> Self {
        span.start as usize..span.end as usize
    }
}

/// What an event without a name is called.
const MESSAGE: &str = "message";
