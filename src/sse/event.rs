use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use super::encode;

/// One event, before it is encoded.
///
/// No setter can fail or panic: names and ids are values that exist only when they are valid, and data and comments
/// take any text. A setter that is called again replaces what it had set, except [`comment`](Self::comment), which
/// adds.
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
    name: Option<EventName>,
    id: Option<EventId>,
    /// In whole milliseconds, the unit of the wire.
    retry: Option<u64>,
    comment: Option<Comment>,
    /// Whole `data: …` lines, with a byte to spare for the blank line; empty if the event has no data.
    lines: Vec<u8>,
}

impl Event {
    /// An event with `data`, which may be any text.
    ///
    /// CR, LF and CRLF are one line break each, and reach the client as LF. An empty text and a trailing line break
    /// survive.
    #[must_use]
    pub fn new(data: impl AsRef<str>) -> Self {
        Self::from_lines(encode::lines(encode::DATA, data.as_ref().as_bytes()))
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
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            name: None,
            id: None,
            retry: None,
            comment: None,
            lines: Vec::new(),
        }
    }

    /// Sets the name, under which the client's `addEventListener` finds the event. Without one it is `message`.
    #[must_use]
    pub fn name(mut self, name: impl Into<EventName>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the id, which the client sends back as `Last-Event-ID` when it reconnects.
    #[must_use]
    pub fn id(mut self, id: impl Into<EventId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets how long the client waits before it reconnects.
    ///
    /// The wire knows whole milliseconds; a fraction is rounded up, so that a short wait never becomes none.
    #[must_use]
    pub fn retry(mut self, wait: Duration) -> Self {
        let millis = wait.as_nanos().div_ceil(1_000_000);
        self.retry = Some(u64::try_from(millis).unwrap_or(u64::MAX));
        self
    }

    /// Adds a comment, which clients ignore. It may be any text; each of its lines becomes a comment line.
    #[must_use]
    pub fn comment(mut self, text: impl AsRef<str>) -> Self {
        let more = Comment::new(text);
        match &mut self.comment {
            Some(comment) => comment.0.extend_from_slice(&more.0),
            none => *none = Some(more),
        }
        self
    }

    /// An event whose data is `text` without the prefix that it begins with.
    pub(super) fn from_prefixed(text: Vec<u8>) -> Self {
        Self::from_lines(encode::seal(encode::DATA, text))
    }

    /// Takes the id away: a log gives its own.
    pub(crate) fn without_id(mut self) -> Self {
        self.id = None;
        self
    }

    fn from_lines(lines: Vec<u8>) -> Self {
        Self {
            lines,
            ..Self::empty()
        }
    }

    /// The whole block, its blank line included.
    pub(super) fn into_block(self) -> Vec<u8> {
        let mut head = encode::Head::default();
        if let Some(comment) = &self.comment {
            head.push(&[&comment.0]);
        }
        if let Some(name) = &self.name {
            head.push(&[b"event: ", name.as_str().as_bytes(), b"\n"]);
        }
        if let Some(id) = &self.id {
            head.push(&[b"id: ", id.as_str().as_bytes(), b"\n"]);
        }
        if let Some(retry) = self.retry {
            head.push(&[b"retry: ", Digits::new(retry).as_str().as_bytes(), b"\n"]);
        }
        head.before(self.lines)
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
        Self(encode::lines(encode::COMMENT, text.as_ref().as_bytes()))
    }

    /// Whole comment lines, without a blank line.
    pub(super) fn into_lines(self) -> Vec<u8> {
        self.0
    }
}

/// The name of an event: any text without a line break.
///
/// ```
/// use tower_realtime::sse::EventName;
///
/// const TICK: EventName = EventName::from_static("tick"); // a bad name is a compile error here
/// assert!(EventName::try_from("two\nlines").is_err());
/// # let _ = TICK;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventName(Cow<'static, str>);

impl EventName {
    /// A constant name.
    ///
    /// # Panics
    ///
    /// If it contains a line break; in a `const` that is a compile error.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        assert!(
            find(name, b"\r\n").is_none(),
            "an event name has no line break"
        );
        Self(Cow::Borrowed(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of an event: any text without a line break or NUL. Numbers are ids.
///
/// ```
/// use tower_realtime::sse::EventId;
///
/// assert_eq!(EventId::from(42).as_str(), "42");
/// assert!(EventId::try_from("nul \0").is_err());
/// ```
#[derive(Clone)]
pub struct EventId(Id);

#[derive(Clone)]
enum Id {
    Number(Digits),
    Text(Cow<'static, str>),
}

impl EventId {
    /// A constant id.
    ///
    /// # Panics
    ///
    /// If it contains a line break or NUL; in a `const` that is a compile error.
    #[must_use]
    pub const fn from_static(id: &'static str) -> Self {
        assert!(
            find(id, b"\r\n\0").is_none(),
            "an event id has no line break and no NUL"
        );
        Self(Id::Text(Cow::Borrowed(id)))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Id::Number(digits) => digits.as_str(),
            Id::Text(text) => text,
        }
    }
}

impl EventId {
    /// The id of a text from outside: what cannot be in an id is replaced, so that it is some id, although none that
    /// was ever sent.
    pub(super) fn lossy(text: &[u8]) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let text = String::from_utf8_lossy(text).replace(['\r', '\n', '\0'], "\u{FFFD}");
        Some(Self(Id::Text(Cow::Owned(text))))
    }
}

impl From<u64> for EventId {
    fn from(id: u64) -> Self {
        Self(Id::Number(Digits::new(id)))
    }
}

/// The text is no name of an event, because it contains a line break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidEventName {
    at: usize,
}

/// The text is no id of an event, because it contains a line break or NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidEventId {
    at: usize,
}

impl fmt::Display for InvalidEventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event name has a line break at byte {}", self.at)
    }
}

impl fmt::Display for InvalidEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event id has a line break or NUL at byte {}", self.at)
    }
}

impl std::error::Error for InvalidEventName {}

impl std::error::Error for InvalidEventId {}

impl TryFrom<Cow<'static, str>> for EventName {
    type Error = InvalidEventName;

    fn try_from(name: Cow<'static, str>) -> Result<Self, Self::Error> {
        match find(&name, b"\r\n") {
            Some(at) => Err(InvalidEventName { at }),
            None => Ok(Self(name)),
        }
    }
}

impl TryFrom<Cow<'static, str>> for EventId {
    type Error = InvalidEventId;

    fn try_from(id: Cow<'static, str>) -> Result<Self, Self::Error> {
        match find(&id, b"\r\n\0") {
            Some(at) => Err(InvalidEventId { at }),
            None => Ok(Self(Id::Text(id))),
        }
    }
}

impl TryFrom<String> for EventName {
    type Error = InvalidEventName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Cow::<str>::Owned(name).try_into()
    }
}

impl TryFrom<String> for EventId {
    type Error = InvalidEventId;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        Cow::<str>::Owned(id).try_into()
    }
}

impl TryFrom<&str> for EventName {
    type Error = InvalidEventName;

    fn try_from(name: &str) -> Result<Self, Self::Error> {
        name.to_owned().try_into()
    }
}

impl TryFrom<&str> for EventId {
    type Error = InvalidEventId;

    fn try_from(id: &str) -> Result<Self, Self::Error> {
        id.to_owned().try_into()
    }
}

impl FromStr for EventName {
    type Err = InvalidEventName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        name.try_into()
    }
}

impl FromStr for EventId {
    type Err = InvalidEventId;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        id.try_into()
    }
}

impl AsRef<str> for EventName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for EventId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventId").field(&self.as_str()).finish()
    }
}

impl PartialEq for EventId {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for EventId {}

impl std::hash::Hash for EventId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// A number in decimal, without an allocation. Its digits stand at the end.
#[derive(Clone)]
struct Digits {
    text: [u8; 20],
    start: u8,
}

impl Digits {
    const fn new(mut number: u64) -> Self {
        let mut digits = Self {
            text: [b'0'; 20],
            start: 19,
        };
        loop {
            digits.text[digits.start as usize] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return digits;
            }
            digits.start -= 1;
        }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[usize::from(self.start)..]).expect("digits are ASCII")
    }
}

/// Where the first of `bytes` is in `text`; usable in constants.
const fn find(text: &str, bytes: &[u8]) -> Option<usize> {
    let text = text.as_bytes();
    let mut at = 0;
    while at < text.len() {
        let mut i = 0;
        while i < bytes.len() {
            if text[at] == bytes[i] {
                return Some(at);
            }
            i += 1;
        }
        at += 1;
    }
    None
}
