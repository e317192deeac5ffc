use bytes::Bytes;

use super::{Comment, Event};

/// Whole blocks of an event stream, ready for the wire and cheap to clone.
///
/// An event that goes to many clients is encoded once; every clone shares its bytes. What is in here is complete: it
/// ends with a blank line, so blocks can stand in any order.
///
/// ```
/// use tower_realtime::sse::{Encoded, Event};
///
/// let for_everybody = Encoded::from(Event::new("hello"));
/// let one_more = for_everybody.clone(); // no copy
/// assert_eq!(one_more.as_bytes(), "data: hello\n\n");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded(Bytes);

impl Encoded {
    /// The bytes as they go over the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes as they go over the wire.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Takes bytes that are known to be whole blocks.
    pub(crate) const fn from_blocks(blocks: Bytes) -> Self {
        Self(blocks)
    }
}

impl From<Event> for Encoded {
    fn from(event: Event) -> Self {
        Self(event.into_block().into())
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
        Self(lines.into())
    }
}

pub(super) const DATA: &[u8] = b"data: ";
pub(super) const COMMENT: &[u8] = b": ";

/// The lines of `text`, each behind `prefix` and ended, with a byte to spare for a blank line.
///
/// CR, LF and CRLF are one break each (WHATWG HTML, section 9.2.5).
pub(super) fn lines(prefix: &[u8], text: &[u8]) -> Vec<u8> {
    let Some(first) = memchr::memchr2(b'\r', b'\n', text) else {
        let mut out = Vec::with_capacity(prefix.len() + text.len() + 2);
        out.extend_from_slice(prefix);
        out.extend_from_slice(text);
        out.push(b'\n');
        return out;
    };
    split(prefix, text, first)
}

/// Ends the lines of an `out` that begins with `prefix` and goes on with text of any kind.
pub(super) fn seal(prefix: &[u8], mut out: Vec<u8>) -> Vec<u8> {
    let text = &out[prefix.len()..];
    if let Some(first) = memchr::memchr2(b'\r', b'\n', text) {
        return split(prefix, text, first);
    }
    out.reserve_exact(2);
    out.push(b'\n');
    out
}

/// The lines of a text whose first line break is at `first`.
fn split(prefix: &[u8], text: &[u8], first: usize) -> Vec<u8> {
    let breaks = 1 + memchr::memchr2_iter(b'\r', b'\n', &text[first + 1..]).count();
    let mut out = Vec::with_capacity(text.len() + prefix.len() * (breaks + 1) + 2);
    let (mut start, mut next) = (0, Some(first));
    while let Some(at) = next {
        out.extend_from_slice(prefix);
        out.extend_from_slice(&text[start..at]);
        out.push(b'\n');
        start = at + 1 + usize::from(text[at..].starts_with(b"\r\n"));
        next = memchr::memchr2(b'\r', b'\n', &text[start..]).map(|at| start + at);
    }
    out.extend_from_slice(prefix);
    out.extend_from_slice(&text[start..]);
    out.push(b'\n');
    out
}

/// The fields of a block before its data.
///
/// They come first on the wire although any order is allowed, because many hand-written clients hand an event on at
/// its `data` line.
#[derive(Debug, Default)]
pub(super) struct Head(Vec<u8>);

impl Head {
    pub(super) fn push(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.0.extend_from_slice(part);
        }
    }

    /// The block: these fields, then `lines`, then the blank line.
    pub(super) fn before(mut self, mut lines: Vec<u8>) -> Vec<u8> {
        if self.0.is_empty() {
            lines.push(b'\n');
            return lines;
        }
        self.0.reserve_exact(lines.len() + 1);
        self.0.extend_from_slice(&lines);
        self.0.push(b'\n');
        self.0
    }
}
