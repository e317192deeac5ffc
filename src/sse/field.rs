use std::{borrow::Cow, fmt, str::FromStr};

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
    ///
    /// ```
    /// assert_eq!(tower_realtime::sse::EventName::from_static("tick").as_str(), "tick");
    /// ```
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
///
/// ```
/// use tower_realtime::sse::{EventName, InvalidEventName};
///
/// fn name(text: String) -> Result<EventName, InvalidEventName> {
///     EventName::try_from(text)
/// }
/// assert!(name("two\nlines".into()).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidEventName {
    at: usize,
}

/// The text is no id of an event, because it contains a line break or NUL.
///
/// ```
/// use tower_realtime::sse::{EventId, InvalidEventId};
///
/// fn id(text: String) -> Result<EventId, InvalidEventId> {
///     EventId::try_from(text)
/// }
/// assert!(id("nul \0".into()).is_err());
/// ```
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
pub(super) struct Digits {
    text: [u8; 20],
    start: u8,
}

impl Digits {
    pub(super) const fn new(mut number: u64) -> Self {
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

    pub(super) fn as_str(&self) -> &str {
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
