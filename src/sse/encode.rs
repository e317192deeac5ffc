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
    #[inline]
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

/// The lines of `text` as [`lines`] appends them, with the blank line that ends a block.
pub(super) fn block<const N: usize>(prefix: &[u8; N], text: &[u8]) -> Vec<u8> {
    let breaks = breaks(text, N);
    let mut out = Vec::with_capacity(room(text, breaks, N));
    fill(&mut out, prefix, text, breaks);
    out.push(b'\n');
    out
}

/// Appends the lines of `text`, each behind `prefix` and ended.
///
/// CR, LF and CRLF are one break each (WHATWG HTML, section 9.2.5).
pub(super) fn lines<const N: usize>(out: &mut Vec<u8>, prefix: &[u8; N], text: &[u8]) {
    let breaks = breaks(text, N);
    out.reserve(room(text, breaks, N));
    fill(out, prefix, text, breaks);
}

/// Makes a block of an `out` that begins with `prefix` and goes on with text of any kind.
pub(super) fn seal<const N: usize>(prefix: &[u8; N], mut out: Vec<u8>) -> Vec<u8> {
    let text = &out[prefix.len()..];
    if breaks(text, N) > 0 {
        return block(prefix, text);
    }
    out.reserve_exact(2);
    out.extend_from_slice(b"\n\n");
    out
}

#[inline]
fn fill<const N: usize>(out: &mut Vec<u8>, prefix: &[u8; N], text: &[u8], breaks: usize) {
    out.extend_from_slice(prefix);
    if breaks == 0 {
        out.extend_from_slice(text);
    } else {
        split(out, prefix, text);
    }
    out.push(b'\n');
}

/// Appends a text with line breaks, behind the first `prefix`.
#[inline]
fn split<const N: usize>(out: &mut Vec<u8>, prefix: &[u8; N], mut text: &[u8]) {
    while let Some(at) = memchr::memchr2(b'\r', b'\n', text) {
        let (is_cr, mut end) = (text[at] == b'\r', at + 1);
        copy(out, text, end);
        if is_cr {
            out.pop();
            out.push(b'\n');
            end += usize::from(text[end..].starts_with(b"\n"));
        }
        out.extend_from_slice(prefix);
        text = &text[end..];
    }
    out.extend_from_slice(text);
}

/// Appends the first `len` bytes of `text`.
///
/// A short line goes over in one piece of a fixed length, which is a few instructions where a copy of any length is a
/// call. What it takes along of the next line is cut off again; there is room for it, as it is appended later.
#[inline]
fn copy(out: &mut Vec<u8>, text: &[u8], len: usize) {
    const PIECE: usize = 64;
    match text.first_chunk::<PIECE>() {
        Some(piece) if len <= PIECE => {
            let end = out.len() + len;
            out.extend_from_slice(piece);
            out.truncate(end);
        }
        _ => out.extend_from_slice(&text[..len]),
    }
}

/// How many line breaks a text has, of which CRLF counts as two.
///
/// That many exactly if it is short, so that it gets just the room that it needs: bytes with room to spare are shared
/// at the price of another allocation. To count those of a long one costs more than that, so they are guessed.
#[inline]
fn breaks(text: &[u8], prefix: usize) -> usize {
    if text.len() <= SHORT {
        let is_break = |byte: &u8| u8::from(*byte == b'\n') + u8::from(*byte == b'\r');
        return usize::from(text.iter().map(is_break).sum::<u8>());
    }
    match memchr::memchr2(b'\r', b'\n', text) {
        Some(_) => 4 + text.len() / (8 * prefix),
        None => 0,
    }
}

/// The breaks of a text of this length fit into a byte, and so are counted many at a time.
const SHORT: usize = 255;

/// The room that a block needs.
const fn room(text: &[u8], breaks: usize, prefix: usize) -> usize {
    text.len() + (breaks + 1) * prefix + 2
}
