//! Bytes to text: `UTF-8 decode` of the Encoding standard. Pure.

use bytes::Bytes;
use bytestring::ByteString;

/// Joins characters that were cut by the end of a chunk, replaces what is no UTF-8, and drops one leading BOM.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// The start of a character whose end has not come: at most three bytes.
    cut: Vec<u8>,
    /// Something other than the BOM has come, or the BOM itself.
    begun: bool,
}

impl Utf8 {
    /// The text of the next chunk, which is empty where only a part of a character came.
    #[inline]
    pub(super) fn decode(&mut self, bytes: Bytes) -> ByteString {
        // Most chunks are ASCII, and stay where they are.
        if self.is_plain() && is_ascii_at_ends(&bytes) {
            let copy = bytes.clone();
            if let Ok(text) = ByteString::try_from(bytes) {
                return text;
            }
            return self.decode_any(copy);
        }
        self.decode_any(bytes)
    }

    #[inline(never)]
    fn decode_any(&mut self, mut bytes: Bytes) -> ByteString {
        if !self.cut.is_empty() {
            self.cut.extend_from_slice(&bytes);
            bytes = Bytes::from(std::mem::take(&mut self.cut));
        }
        let whole = bytes.len() - unfinished(&bytes);
        if whole < bytes.len() {
            self.cut = bytes.split_off(whole).to_vec();
        }
        let text = text(bytes);
        if self.begun || text.is_empty() {
            return text;
        }
        self.begun = true;
        match text.strip_prefix('\u{feff}') {
            Some(rest) => text.slice_ref(rest),
            None => text,
        }
    }

    /// Whether a chunk of ASCII is text as it is.
    pub(super) fn is_plain(&self) -> bool {
        self.begun && self.cut.is_empty()
    }
}

/// Without a copy where the bytes are ASCII, as nearly all are.
fn text(bytes: Bytes) -> ByteString {
    // `ByteString` takes ASCII at memory speed and checks the rest with std, which is ten times slower than
    // simdutf8 and a copy together. A look at the ends tells which it will be, mostly; both ways are right.
    let copy = bytes.clone();
    if is_ascii_at_ends(&bytes) {
        if let Ok(text) = ByteString::try_from(bytes) {
            return text;
        }
    }
    match simdutf8::basic::from_utf8(&copy) {
        Ok(text) => ByteString::from(text),
        Err(_) => ByteString::from(String::from_utf8_lossy(&copy).into_owned()),
    }
}

/// Whether the first bytes are ASCII, and the last one.
#[inline]
fn is_ascii_at_ends(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(SAMPLE)].is_ascii() && bytes.last().is_none_or(u8::is_ascii)
}

/// How many bytes at the end are the start of a character that needs more.
///
/// Only a lead byte and continuation bytes are held back, so never a line end: no event waits for its next byte.
fn unfinished(bytes: &[u8]) -> usize {
    let tail = bytes.iter().rev().take(3).enumerate();
    for (before, &byte) in tail {
        let length = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return 0,
        };
        return if before + 1 < length { before + 1 } else { 0 };
    }
    0
}

/// As far as the look at a chunk's start goes.
const SAMPLE: usize = 128;
