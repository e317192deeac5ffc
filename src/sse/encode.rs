use std::fmt;

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
    #[allow(
        dead_code,
        reason = "the log keeps encoded blocks, with some features only"
    )]
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

/// The lines of `text`, each behind `prefix`, with a byte to spare for a blank line.
pub(super) fn lines(prefix: &'static [u8], text: &str) -> Vec<u8> {
    let text = text.as_bytes();
    let Some(first) = memchr::memchr2(b'\r', b'\n', text) else {
        let mut out = Vec::with_capacity(prefix.len() + text.len() + 2);
        out.extend_from_slice(prefix);
        out.extend_from_slice(text);
        out.push(b'\n');
        return out;
    };
    let mut writer = LineWriter::new(prefix);
    writer.out.reserve(text.len() + text.len() / 8);
    writer.out.extend_from_slice(&text[..first]);
    writer.push(&text[first..]);
    writer.finish()
}

/// Splits text that comes in pieces into lines behind a prefix.
///
/// CR, LF and CRLF are one break each (WHATWG HTML, section 9.2.5), also where a CRLF comes in two pieces.
#[derive(Debug)]
pub(super) struct LineWriter {
    out: Vec<u8>,
    prefix: &'static [u8],
    /// The last byte was a CR: an LF at the start of the next piece belongs to it.
    after_cr: bool,
}

impl LineWriter {
    pub(super) fn new(prefix: &'static [u8]) -> Self {
        Self {
            out: prefix.to_vec(),
            prefix,
            after_cr: false,
        }
    }

    pub(super) fn push(&mut self, mut text: &[u8]) {
        if self.after_cr && text.first() == Some(&b'\n') {
            text = &text[1..];
        } else if text.is_empty() {
            return;
        }
        self.after_cr = text.last() == Some(&b'\r');
        while let Some(at) = memchr::memchr2(b'\r', b'\n', text) {
            self.out.extend_from_slice(&text[..at]);
            self.out.push(b'\n');
            self.out.extend_from_slice(self.prefix);
            let crlf = text[at..].starts_with(b"\r\n");
            text = &text[at + 1 + usize::from(crlf)..];
        }
        self.out.extend_from_slice(text);
    }

    /// The lines, the last one ended too.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.out.push(b'\n');
        self.out
    }
}

impl fmt::Write for LineWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
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
