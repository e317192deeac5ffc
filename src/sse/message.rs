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
    // A message is moved just after it was made, in pieces of two words, and each piece that was not written as one stalls
    // the processor. So what is known last is the odd word at the end, and pairs before it are known early, or nothing.
    /// What the spans are of.
    memory: ByteString,
    /// Empty for an event without a name.
    event: Span,
    /// The last event id, if it is of an event before.
    kept: Option<Kept>,
    /// Empty for a last event id that is kept, or that there is none of.
    id: Range<usize>,
    data: Span,
}

/// A piece of a message's memory, which the limits keep to what fits: its start, and its end in the upper half.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span(
    // One word, as it is read as one just after it was written.
    u64,
);

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
        id: Range<usize>,
        kept: Option<Kept>,
    ) -> Self {
        Self {
            memory,
            event,
            kept,
            id,
            data,
        }
    }

    /// A message without a name and an id.
    #[inline]
    pub(crate) fn of_data(memory: ByteString, data: Span) -> Self {
        Self::new(memory, data, Span::default(), 0..0, None)
    }

    /// A message that is nothing but data.
    #[inline]
    pub(crate) fn of_all(memory: ByteString) -> Self {
        let data = Span::from(0..memory.len());
        Self::of_data(memory, data)
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
            None => self.memory.get(self.id.clone()).unwrap_or_default(),
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
    fn from(range: Range<usize>) -> Self {
        Self(range.start as u64 | (range.end as u64) << 32)
    }
}

impl From<Span> for Range<usize> {
    #[inline]
    fn from(Span(span): Span) -> Self {
        (span & u64::from(u32::MAX)) as usize..(span >> 32) as usize
    }
}

/// What an event without a name is called.
const MESSAGE: &str = "message";
