//! How much a decoder holds at most. Pure.

/// How much a [`Decoder`](super::Decoder) holds of what has not ended yet.
///
/// A server that sends more is not followed: the decoder yields an [`Error`](crate::sse::Error) whose
/// [`is_too_large`](crate::sse::Error::is_too_large) is true, and ends.
///
/// ```
/// use tower_realtime::sse::{Decoder, Limits};
///
/// let decoder = Decoder::new().limits(Limits::new().line(4096).event(64 * 1024));
/// # let _ = decoder;
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    pub(super) line: usize,
    pub(super) event: usize,
}

impl Limits {
    /// 1 MiB for a line, 8 MiB for an event.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            line: 1024 * 1024,
            event: 8 * 1024 * 1024,
        }
    }

    /// The longest line in bytes, its name counted, its end not. By default 1 MiB.
    ///
    /// Data without line breaks is one line, so this bounds the events of most servers. More than 1 GiB counts as that.
    #[must_use]
    pub const fn line(mut self, bytes: usize) -> Self {
        self.line = if bytes < LINE { bytes } else { LINE };
        self
    }

    /// The largest data of one event in bytes, its line breaks counted. By default 8 MiB. More than 2 GiB counts as
    /// that.
    #[must_use]
    pub const fn event(mut self, bytes: usize) -> Self {
        self.event = if bytes < EVENT { bytes } else { EVENT };
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

/// With these, data, name and id of an event are less than 4 GiB together, so that places in them fit four bytes.
const LINE: usize = 1 << 30;
const EVENT: usize = 1 << 31;
