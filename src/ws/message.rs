use std::{error, fmt};

use bytes::Bytes;

use super::{payloads::payloads, socket::Utf8};
use crate::text::impl_text;

/// A whole message: what a peer sends and receives.
///
/// Only data is a message. Pings are answered, and closes are completed, without anybody seeing them.
///
/// A clone costs a counter, whatever the size.
///
/// ```
/// use tower_realtime::ws::Message;
///
/// let hello = Message::from("hello");
/// assert_eq!(hello.as_text(), Some("hello"));
/// assert_eq!(hello.len(), 5);
/// ```
///
/// Both kinds:
///
/// ```
/// use tower_realtime::ws::{Message, MessageKind};
///
/// let (text, binary) = (Message::text("hello"), Message::binary(vec![104, 105]));
/// assert!(text.is_text() && binary.is_binary() && !binary.is_empty());
/// assert_eq!((binary.kind(), binary.as_bytes()), (MessageKind::Binary, &b"hi"[..]));
/// match text {
///     Message::Text(text) => assert_eq!(text, "hello"),
///     Message::Binary(bytes) => println!("{} bytes", bytes.len()),
/// }
/// assert_eq!(binary.into_bytes(), "hi"); // no copy
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 6455 has two kinds of data messages, and a match without a third arm is the point"
)]
pub enum Message {
    /// UTF-8 text.
    Text(Text),
    /// Bytes without a meaning to the protocol.
    Binary(Bytes),
}

/// What the bytes of a message are.
///
/// ```
/// use tower_realtime::ws::{Message, MessageKind};
///
/// assert_eq!(Message::text("hello").kind(), MessageKind::Text);
/// assert_eq!(Message::binary("hello").kind(), MessageKind::Binary);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "as for `Message`")]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Bytes without a meaning to the protocol.
    Binary,
}

impl Message {
    /// Text or binary.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// A text message.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// The text, if it is a text message.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The payload of either kind.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_str().as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The payload of either kind, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Whether it is a text message.
    #[must_use]
    pub const fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// Whether it is a binary message.
    #[must_use]
    pub const fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_))
    }

    /// The length of the payload in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty. An empty message is a message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Message> for Bytes {
    fn from(message: Message) -> Self {
        message.into_bytes()
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

payloads!(Message);

/// Text in shared bytes: known to be UTF-8, cheap to clone, a `str` to read.
///
/// ```
/// use tower_realtime::ws::Text;
///
/// const READY: Text = Text::from_static("ready");
/// assert!(READY.starts_with("re"));
/// assert!(Text::try_from(vec![0xff]).is_err());
/// ```
///
/// ```
/// # use tower_realtime::ws::Text;
/// let text = Text::from("größer");
/// assert_eq!(text.as_str().chars().count(), 6);
/// assert_eq!(text.into_bytes().len(), 8);
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Utf8);

impl Text {
    /// Text of the program itself, without an allocation.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Utf8::from_static(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The bytes of the text, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0.into()
    }

    pub(super) fn into_utf8(self) -> Utf8 {
        self.0
    }
}

impl_text!(Text);

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl TryFrom<Bytes> for Text {
    type Error = NotUtf8;

    fn try_from(bytes: Bytes) -> Result<Self, NotUtf8> {
        bytes.try_into().map(Self).map_err(|_| NotUtf8(()))
    }
}

impl TryFrom<Vec<u8>> for Text {
    type Error = NotUtf8;

    fn try_from(bytes: Vec<u8>) -> Result<Self, NotUtf8> {
        Bytes::from(bytes).try_into()
    }
}

/// Bytes were to become a [`Text`], and are not UTF-8.
///
/// ```
/// use bytes::Bytes;
/// use tower_realtime::ws::{NotUtf8, Text};
///
/// fn line(bytes: Bytes) -> Result<Text, NotUtf8> {
///     Text::try_from(bytes)
/// }
/// assert!(line(Bytes::from_static(b"\xff")).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUtf8(());

impl fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of a text message are not UTF-8")
    }
}

impl error::Error for NotUtf8 {}
