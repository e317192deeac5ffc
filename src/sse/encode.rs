use bytes::Bytes;

use super::{Comment, Event};

/// Whole blocks of an event stream, ready for the wire and cheap to clone.
///
/// An event that goes to many clients is encoded once; every clone shares its bytes. What is in here is complete: it
/// ends with a blank line, so blocks can stand in any order, and several can be collected into one.
///
/// ```
/// use tower_realtime::sse::{Encoded, Event};
///
/// let for_everybody = Encoded::from(Event::new("hello"));
/// let one_more = for_everybody.clone(); // no copy
/// assert_eq!(one_more.as_bytes(), "data: hello\n\n");
/// let twice: Encoded = [for_everybody, one_more].into_iter().collect();
/// assert_eq!(twice.as_bytes(), "data: hello\n\ndata: hello\n\n");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    blocks: Bytes,
    /// How many events that is, for the statistics.
    events: u32,
}

impl Encoded {
    /// The bytes as they go over the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.blocks
    }

    /// The bytes as they go over the wire.
    ///
    /// ```
    /// use tower_realtime::sse::{Comment, Encoded};
    ///
    /// assert_eq!(Encoded::from(Comment::new("hello")).into_bytes(), ": hello\n\n");
    /// ```
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.blocks
    }

    /// Takes bytes that are known to be whole blocks.
    pub(crate) const fn from_blocks(blocks: Bytes) -> Self {
        Self::from_events(blocks, 1)
    }

    /// Takes bytes that are the blocks of so many events.
    pub(super) const fn from_events(blocks: Bytes, events: u32) -> Self {
        Self { blocks, events }
    }

    /// How many events this is.
    pub(super) const fn events(&self) -> u32 {
        self.events
    }
}

impl PartialEq for Encoded {
    fn eq(&self, other: &Self) -> bool {
        self.blocks == other.blocks
    }
}

impl Eq for Encoded {}

impl From<Event> for Encoded {
    fn from(event: Event) -> Self {
        Self::from_blocks(event.into_block().into())
    }
}

impl From<&Event> for Encoded {
    fn from(event: &Event) -> Self {
        event.clone().into()
    }
}

impl From<Comment> for Encoded {
    fn from(comment: Comment) -> Self {
        let mut lines = comment.into_lines();
        lines.push(b'\n');
        Self::from_blocks(lines.into())
    }
}

pub(super) const DATA: &[u8; 6] = b"data: ";
pub(super) const COMMENT: &[u8; 2] = b": ";

/// Appends the lines of `text`, each behind `prefix` and ended.
///
/// CR, LF and CRLF are one break each (WHATWG HTML, section 9.2.5).
pub(super) fn lines<const N: usize>(out: &mut Vec<u8>, prefix: &[u8; N], text: &[u8]) {
    match memchr::memchr2(b'\r', b'\n', text) {
        Some(first) => split(out, prefix, text, first),
        None => {
            // A byte more than it needs, for a blank line.
            out.reserve(prefix.len() + text.len() + 2);
            out.extend_from_slice(prefix);
            out.extend_from_slice(text);
            out.push(b'\n');
        }
    }
}

/// Ends the lines of an `out` that begins with `prefix` and goes on with text of any kind.
pub(super) fn seal<const N: usize>(prefix: &[u8; N], mut out: Vec<u8>) -> Vec<u8> {
    let text = &out[prefix.len()..];
    if let Some(first) = memchr::memchr2(b'\r', b'\n', text) {
        let mut lines = Vec::new();
        split(&mut lines, prefix, text, first);
        return lines;
    }
    out.reserve_exact(2);
    out.push(b'\n');
    out
}

/// Appends the lines of a text whose first line break is at `first`.
#[inline(never)]
fn split<const N: usize>(out: &mut Vec<u8>, prefix: &[u8; N], mut text: &[u8], first: usize) {
    out.reserve(room(text, N));
    out.extend_from_slice(prefix);
    // Most texts know no CR. Then each line goes over together with its LF, and the search is for one byte.
    if memchr::memchr(b'\r', &text[first..]).is_none() {
        while let Some(at) = memchr::memchr(b'\n', text) {
            out.extend_from_slice(&text[..=at]);
            out.extend_from_slice(prefix);
            text = &text[at + 1..];
        }
    }
    while let Some(at) = memchr::memchr2(b'\r', b'\n', text) {
        out.extend_from_slice(&text[..at]);
        out.push(b'\n');
        out.extend_from_slice(prefix);
        text = &text[at + 1 + usize::from(text[at..].starts_with(b"\r\n"))..];
    }
    out.extend_from_slice(text);
    out.push(b'\n');
}

/// The room that the lines of a text with line breaks need, behind prefixes of `prefix` bytes.
///
/// A short text gets it exactly (but for CRLF): bytes with room to spare are shared at the price of another
/// allocation. To count the breaks of a long one costs more than that.
fn room(text: &[u8], prefix: usize) -> usize {
    if text.len() > 255 {
        return text.len() + text.len() / 8 + 4 * prefix;
    }
    let is_break = |byte: &u8| u8::from(*byte == b'\n') + u8::from(*byte == b'\r');
    let breaks: u8 = text.iter().map(is_break).sum();
    text.len() + (usize::from(breaks) + 1) * prefix + 2
}
