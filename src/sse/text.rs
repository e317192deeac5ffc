use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
};

use bytes::Bytes;
use bytestring::ByteString;

use crate::text::impl_text;

/// A string that shares its memory: a clone costs a reference count, and so does a slice.
///
/// The data that is [taken](super::Message::into_data) out of a message is of this type. Such a string is usually a
/// piece of the chunk that it came in, and keeps that whole chunk alive. Make a [`String`] of what is to be kept for
/// long.
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
#[derive(Clone, Default)]
pub struct Text(Repr);

/// Most names and ids are the ones that are meant where a server says nothing. They have no handle of shared memory,
/// which is made, moved and dropped through a table of functions even where the memory is the program's own.
#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Shared(ByteString),
}

impl Text {
    /// The empty string.
    #[must_use]
    pub const fn new() -> Self {
        Self::from_static("")
    }

    /// A string that lives in the program itself.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Repr::Static(text))
    }

    /// The string itself.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(text) => text,
            Repr::Shared(text) => text,
        }
    }

    /// The bytes of the string, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Repr::Static(text) => Bytes::from_static(text.as_bytes()),
            Repr::Shared(text) => text.into_bytes(),
        }
    }
}

impl Text {
    #[inline]
    pub(crate) const fn wrap(text: ByteString) -> Self {
        Self(Repr::Shared(text))
    }
}

impl Default for Repr {
    fn default() -> Self {
        Self::Static("")
    }
}

impl From<&str> for Repr {
    fn from(text: &str) -> Self {
        Self::Shared(text.into())
    }
}

impl From<String> for Repr {
    fn from(text: String) -> Self {
        Self::Shared(text.into())
    }
}

impl Eq for Text {}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Text {
    // As `str` does, for it is borrowed as one.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl_text!(Text);
