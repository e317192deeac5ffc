use std::{borrow::Cow, fmt, time::Duration};

use super::{EventId, EventName, encode, field::Digits};

/// One event, before it is encoded.
///
/// No setter can fail or panic: names and ids are values that exist only when they are valid, and data and comments
/// take any text. Of a setter that is called again, clients take the last value; comments add up.
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::sse::{Encoded, Event, EventName};
///
/// const TICK: EventName = EventName::from_static("tick");
///
/// let event = Event::new("first line\r\nsecond line")
///     .name(TICK)
///     .id(7)
///     .retry(Duration::from_secs(2));
/// assert_eq!(
///     Encoded::from(event).as_bytes(),
///     "event: tick\nid: 7\nretry: 2000\ndata: first line\ndata: second line\n\n",
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// Whole lines of the fields before the data.
    head: Vec<u8>,
    data: Data,
}

impl Event {
    /// An event with `data`, which may be any text, borrowed or owned.
    ///
    /// CR, LF and CRLF are one line break each, and reach the client as LF. An empty text and a trailing line break
    /// survive.
    #[must_use]
    pub fn new(data: impl Into<Data>) -> Self {
        Self {
            head: Vec::new(),
            data: data.into(),
        }
    }

    /// An event whose data is what `value` displays, written straight into the encoding.
    ///
    /// A `Display` that reports an error ends the data where it stopped.
    ///
    /// ```
    /// use tower_realtime::sse::{Encoded, Event};
    ///
    /// let event = Event::display(format_args!("{} of {}", 3, 10));
    /// assert_eq!(Encoded::from(event).as_bytes(), "data: 3 of 10\n\n");
    /// ```
    #[must_use]
    pub fn display(value: impl fmt::Display) -> Self {
        let mut text = Text(encode::DATA.to_vec());
        // The only error is one that `value` makes up: to write into memory has none.
        let _ = fmt::write(&mut text, format_args!("{value}"));
        Self::from_prefixed(text.0)
    }

    /// An event without data, for its other fields.
    ///
    /// A client dispatches nothing for it, but takes its `id` and its `retry`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_realtime::sse::{Encoded, Event};
    ///
    /// let later = Event::empty().retry(Duration::from_secs(60)).comment("we restart");
    /// assert_eq!(Encoded::from(later).as_bytes(), "retry: 60000\n: we restart\n\n");
    /// ```
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            head: Vec::new(),
            data: Data(Form::None),
        }
    }

    /// Sets the name, under which the client's `addEventListener` finds the event. Without one it is `message`.
    #[must_use]
    pub fn name(mut self, name: impl Into<EventName>) -> Self {
        self.field(b"event: ", name.into().as_str());
        self
    }

    /// Sets the id, which the client sends back as `Last-Event-ID` when it reconnects.
    #[must_use]
    pub fn id(mut self, id: impl Into<EventId>) -> Self {
        self.field(b"id: ", id.into().as_str());
        self
    }

    /// Sets how long the client waits before it reconnects.
    ///
    /// The wire knows whole milliseconds; a fraction is rounded up, so that a short wait never becomes none.
    #[must_use]
    pub fn retry(mut self, wait: Duration) -> Self {
        let millis = wait.as_nanos().div_ceil(1_000_000);
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        self.field(b"retry: ", Digits::new(millis).as_str());
        self
    }

    /// Adds a comment, which clients ignore. It may be any text; each of its lines becomes a comment line.
    #[must_use]
    pub fn comment(mut self, text: impl AsRef<str>) -> Self {
        encode::lines(&mut self.head, encode::COMMENT, text.as_ref().as_bytes());
        self
    }

    /// The same with the data of another event.
    #[allow(dead_code, reason = "for the feature `axum`")]
    pub(crate) fn with_data_of(mut self, other: Self) -> Self {
        self.data = other.data;
        self
    }

    /// An event whose data is `text` without the prefix that it begins with.
    pub(super) fn from_prefixed(text: Vec<u8>) -> Self {
        Self::new(Data(Form::Block(encode::seal(encode::DATA, text))))
    }

    /// Takes the id away: a log gives its own.
    pub(crate) fn without_id(mut self) -> Self {
        let lines = self.head.split_inclusive(|byte| *byte == b'\n');
        self.head = lines
            .filter(|line| !line.starts_with(b"id: "))
            .flatten()
            .copied()
            .collect();
        self
    }

    /// A field in front of the data. Of two of the same kind clients take the last.
    fn field(&mut self, name: &[u8], value: &str) {
        // Room for a few short fields at once.
        self.head.reserve((name.len() + value.len() + 1).max(48));
        self.head.extend_from_slice(name);
        self.head.extend_from_slice(value.as_bytes());
        self.head.push(b'\n');
    }

    /// About how long the block is: exactly, but for line breaks in the data.
    pub(super) fn len(&self) -> usize {
        let data = match &self.data.0 {
            Form::None => 1,
            Form::Block(block) => block.len(),
            Form::Text(text) => encode::DATA.len() + text.len() + 2,
        };
        self.head.len() + data
    }

    /// Appends the block, its blank line included.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        match &self.data.0 {
            Form::None => out.push(b'\n'),
            Form::Block(block) => out.extend_from_slice(block),
            Form::Text(text) => {
                encode::lines(out, encode::DATA, text.as_bytes());
                out.push(b'\n');
            }
        }
    }

    /// The block, its blank line included.
    #[inline]
    pub(super) fn into_block(self) -> Vec<u8> {
        match self.data.0 {
            Form::Block(block) if self.head.is_empty() => block,
            _ => self.join(),
        }
    }

    fn join(self) -> Vec<u8> {
        match self.data.0 {
            Form::Text(text) if self.head.is_empty() => {
                encode::block(encode::DATA, text.as_bytes())
            }
            _ => {
                let mut out = Vec::with_capacity(self.len());
                self.write(&mut out);
                out
            }
        }
    }
}

/// What [`Event::new`] takes: text. A `String` is moved, and a borrowed text is copied, each once.
///
/// ```
/// use std::borrow::Cow;
/// use tower_realtime::sse::{Data, Event};
///
/// fn said(text: impl Into<Data>) -> Event {
///     Event::new(text)
/// }
/// # let _ =
/// (said("hello"), said(String::from("hello")), said(Cow::Borrowed("hello")));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Data(Form);

#[derive(Clone, Debug, Default)]
enum Form {
    #[default]
    None,
    /// Whole `data: …` lines and the blank line. Nothing of an event comes behind its data.
    Block(Vec<u8>),
    /// Text that is still to be encoded.
    Text(String),
}

impl<T: AsRef<str> + ?Sized> From<&T> for Data {
    fn from(text: &T) -> Self {
        let text = text.as_ref().as_bytes();
        Self(Form::Block(encode::block(encode::DATA, text)))
    }
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        Self(Form::Text(text))
    }
}

impl From<Box<str>> for Data {
    fn from(text: Box<str>) -> Self {
        text.into_string().into()
    }
}

impl From<Cow<'_, str>> for Data {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

/// Text in memory, as something to format into.
struct Text(Vec<u8>);

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// A comment on its own: lines that every client ignores.
///
/// ```
/// use tower_realtime::sse::{Comment, Encoded};
///
/// assert_eq!(Encoded::from(Comment::new("hello")).as_bytes(), ": hello\n\n");
/// ```
#[derive(Clone, Debug)]
pub struct Comment(Vec<u8>);

impl Comment {
    /// A comment of any text. Each of its lines becomes a comment line.
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        let text = text.as_ref().as_bytes();
        let mut lines = Vec::new();
        encode::lines(&mut lines, encode::COMMENT, text);
        Self(lines)
    }

    /// Whole comment lines, without a blank line.
    pub(super) fn into_lines(self) -> Vec<u8> {
        self.0
    }
}
