use bytes::Bytes;
use bytestring::ByteString;

use crate::text::impl_text;

/// A string that shares its memory: a clone costs a reference count, and so does a slice.
///
/// The fields of a decoded [`Message`](super::Message) are of this type. Such a string is usually a piece of the
/// chunk that it came in, and keeps that whole chunk alive. Make a [`String`] of what is to be kept for long.
///
/// ```
/// use tower_realtime::sse::Text;
///
/// let text = Text::from("tick");
/// assert_eq!(text, "tick");
/// assert_eq!(text.len(), 4); // everything that `str` can
/// ```
///
/// ```
/// use tower_realtime::sse::Text;
///
/// let text = Text::from("größer");
/// assert_eq!(text.as_str().chars().count(), 6);
/// assert_eq!(text.into_bytes().len(), 8);
/// ```
#[derive(Clone, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Text(ByteString);

impl Text {
    /// The empty string.
    #[must_use]
    pub const fn new() -> Self {
        Self(ByteString::new())
    }

    /// A string that lives in the program itself.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(ByteString::from_static(text))
    }

    /// The string itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes of the string, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0.into_bytes()
    }
}

impl Text {
    pub(crate) const fn wrap(text: ByteString) -> Self {
        Self(text)
    }
}

impl_text!(Text);
