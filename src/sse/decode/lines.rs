//! Text to lines, at any chunking. Pure.

use std::ops::Range;

use bytestring::ByteString;

use super::data::COPIED;

/// Cuts chunks into lines. CR, LF and CRLF end a line each, mixed as they may be.
#[derive(Debug, Default)]
pub(super) struct Lines {
    chunk: ByteString,
    /// Where the next line begins.
    at: usize,
    /// The next line feed and carriage return at or after `at`, or the end of the chunk. Both are remembered, so
    /// that each chunk is searched once for each, whatever it is made of. A line feed before `at` is to be searched.
    lf: usize,
    cr: usize,
    /// The start of a line whose end has not come.
    cut: String,
    /// How much of that are whole lines before it, of the same event.
    whole: usize,
    /// What is to be read after the chunk.
    after: ByteString,
    /// How long the last line was that came in several chunks: the next one may be like it.
    expected: usize,
    /// The last line ended with the CR that ended its chunk: an LF that follows belongs to it.
    after_cr: bool,
    /// The chunk holds more.
    more: bool,
}

/// Where a line is.
#[derive(Debug)]
pub(super) enum Line {
    /// In the chunk.
    Here(Range<usize>),
    /// In [`Lines::joined`], as it came in several chunks.
    Joined,
}

impl Lines {
    /// The next chunk. The one before must have been read to its end.
    pub(super) fn load(&mut self, chunk: ByteString) {
        if chunk.is_empty() {
            return;
        }
        self.more = true;
        self.chunk = chunk;
        self.at = usize::from(self.after_cr && self.chunk.as_bytes()[0] == b'\n');
        self.after_cr = false;
        self.lf = find(b'\n', self.chunk.as_bytes(), self.at);
        self.cr = find(b'\r', self.chunk.as_bytes(), self.at);
    }

    /// Lets go of a chunk that was read to its end.
    pub(super) fn release(&mut self) {
        if !self.more {
            self.chunk = ByteString::new();
            (self.at, self.lf, self.cr) = (0, 0, 0);
        }
    }

    pub(super) fn chunk(&self) -> &ByteString {
        &self.chunk
    }

    /// The chunk and the line of [`Line::Joined`], which is to be cleared before the next line is asked for.
    pub(super) fn joined(&mut self) -> (&ByteString, &mut String) {
        (&self.chunk, &mut self.cut)
    }

    /// Whether the next line begins in an earlier chunk, and more of it is here.
    #[inline]
    pub(super) fn is_at_joined(&self) -> bool {
        self.more && !self.cut.is_empty() && self.whole == 0
    }

    /// Whether there are whole lines before the next one that were not read.
    #[inline]
    pub(super) fn has_whole(&self) -> bool {
        self.whole > 0
    }

    /// Sets the rest of the chunk aside, as it is the start of an event: lines up to `whole`, and a piece of one.
    /// That is for events that are small, in chunks that are not.
    #[inline]
    pub(super) fn set_aside(&mut self, whole: usize, longest: usize) -> bool {
        let rest = self.chunk.get(self.at..).unwrap_or_default();
        let fits = rest.len() <= longest.min(COPIED) && self.chunk.len() >= FEW;
        if !fits || whole <= self.at || !self.after.is_empty() {
            return false;
        }
        self.cut.push_str(rest);
        self.whole = whole - self.at;
        self.at = self.chunk.len();
        self.more = false;
        true
    }

    /// The event that was [set aside](Self::set_aside), if its end is here and it has at most `longest` bytes. It is
    /// read then, and to be [forgotten](Self::clear_joined) before the next line is asked for.
    pub(super) fn complete(&mut self, longest: usize) -> Option<&str> {
        let end = self.blank()?;
        let rest = self.chunk.get(self.at..end)?;
        if self.cut.len() + rest.len() > longest.min(COPIED) {
            return None;
        }
        self.cut.push_str(rest);
        self.whole = self.cut.len();
        self.at = end;
        Some(&self.cut)
    }

    /// Reads what was [set aside](Self::set_aside) as a chunk, and after that the rest of this one.
    pub(super) fn rewind(&mut self) {
        self.after = self.chunk.slice_ref(&self.chunk[self.at..]);
        self.whole = 0;
        let text = std::mem::take(&mut self.cut);
        self.load(text.into());
    }

    /// Goes on where it was [rewound](Self::rewind), if it was.
    pub(super) fn resume(&mut self) -> bool {
        let after = std::mem::take(&mut self.after);
        self.load(after);
        self.more
    }

    /// What was completed.
    pub(super) fn completed(&self) -> &str {
        &self.cut
    }

    /// Where the lines of the event end that goes on here, if that is before any CR.
    fn blank(&mut self) -> Option<usize> {
        let bytes = &self.chunk.as_bytes()[..self.cr];
        if self.cut.ends_with('\n') && bytes.get(self.at) == Some(&b'\n') {
            return Some(self.at + 1);
        }
        let mut at = self.at;
        loop {
            let end = find_near(b'\n', bytes, at);
            at = end + 1;
            if bytes.get(at)? == &b'\n' {
                return Some(at + 1);
            }
        }
    }

    /// Whether the rest of the chunk is known to be the start of a line.
    #[inline]
    pub(super) fn is_cut(&self) -> bool {
        let end = self.chunk.len();
        self.lf == end && self.cr == end
    }

    /// Whether the rest of the chunk is lines that begin in it and end with LF each, but for the last.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.cr == self.chunk.len() && self.cut.is_empty()
    }

    /// The chunk, where its next line begins, and a line feed, which is the next one if it is not before that.
    #[inline]
    pub(super) fn rest(&self) -> (&ByteString, usize, usize) {
        (&self.chunk, self.at, self.lf)
    }

    /// Goes on at the line that begins at `at`, with what is known of line feeds.
    #[inline]
    pub(super) fn move_to(&mut self, at: usize, lf: usize) {
        self.at = at;
        self.lf = lf;
    }

    /// Forgets the line of [`Line::Joined`], and its memory where that has become large.
    pub(super) fn clear_joined(&mut self) {
        self.whole = 0;
        self.cut.clear();
        self.cut.shrink_to(KEPT);
    }

    /// The length of the line whose end has not come.
    pub(super) fn unfinished(&self) -> usize {
        self.cut.len() - self.whole
    }

    /// Whether the chunk was read to its end, and a new one is needed.
    #[inline]
    pub(super) fn is_used_up(&self) -> bool {
        !self.more
    }

    /// Takes a piece from the middle of a line of at most `longest` bytes, if it is one, and whole characters.
    #[inline]
    pub(super) fn extend(&mut self, piece: &[u8], longest: usize) -> bool {
        let plain = |byte: u8| byte != b'\n' && byte != b'\r' && byte < 0x80;
        if self.more || self.cut.is_empty() || self.cut.len() + piece.len() > longest {
            return false;
        }
        match *piece {
            // One byte at a time is how some servers write.
            [byte] if plain(byte) => self.cut.push(char::from(byte)),
            [_] => return false,
            _ if piece.len() > PIECE => return self.cut.len() > LONG && self.extend_long(piece),
            _ if !piece.iter().copied().all(plain) => return false,
            _ => self.cut.extend(piece.iter().map(|&byte| char::from(byte))),
        }
        true
    }

    /// A large event comes in chunks that are nothing else, and they need to be looked at and copied only.
    #[inline(never)]
    fn extend_long(&mut self, piece: &[u8]) -> bool {
        if memchr::memchr2(b'\n', b'\r', piece).is_some() {
            return false;
        }
        match simdutf8::basic::from_utf8(piece) {
            Ok(text) => self.cut.push_str(text),
            Err(_) => return false,
        }
        true
    }

    /// The next whole line. At `None` the chunk is used up.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Line> {
        let start = self.at;
        let end = self.line_feed().min(self.cr);
        if end == self.chunk.len() {
            if self.cut.is_empty() && start < end {
                self.cut.reserve(self.expected);
            }
            self.cut.push_str(&self.chunk[start..]);
            self.at = end;
            self.more = false;
            return None;
        }
        self.pass(end);
        if self.cut.is_empty() {
            return Some(Line::Here(start..end));
        }
        self.cut.push_str(&self.chunk[start..end]);
        self.expected = (self.cut.len() + self.cut.len() / 8).min(EXPECTED);
        Some(Line::Joined)
    }

    /// Whether the next line is one of data, and begins in the chunk.
    #[inline]
    pub(super) fn is_at_data(&self) -> bool {
        // `cut` is the start of this line.
        self.chunk.as_bytes()[self.at..].starts_with(b"data:") && self.cut.is_empty()
    }

    /// Takes an event that is one line of data of at most `longest` bytes and a blank line, and says where its data
    /// is. It is to be asked between events only, and [at a line of data](Self::is_at_data).
    #[inline]
    pub(super) fn take_event(&mut self, longest: usize) -> Option<Range<usize>> {
        let (bytes, start) = (self.chunk.as_bytes(), self.at);
        if self.lf < start {
            self.lf = find(b'\n', bytes, start);
        }
        let end = self.lf;
        // A CR before is a line end as well.
        if end >= self.cr || bytes.get(end + 1) != Some(&b'\n') {
            return None;
        }
        let value = &bytes[start + b"data:".len()..end];
        if end - start > longest {
            return None;
        }
        let value = value.strip_prefix(b" ").unwrap_or(value);
        self.at = end + 2;
        Some(end - value.len()..end)
    }

    /// Whether there is such an event, of which the start of the line is in an earlier chunk.
    pub(super) fn has_joined(&mut self, longest: usize) -> bool {
        let (start, end) = (self.at, self.line_feed());
        // Long lines are worth more care.
        end < self.cr
            && self.chunk.as_bytes().get(end + 1) == Some(&b'\n')
            && self.cut.len() + (end - start) <= longest.min(COPIED)
            && self.cut.starts_with("data:")
    }

    /// Takes [that event](Self::has_joined). Its data is copied together, to memory of just its size.
    pub(super) fn take_joined(&mut self) -> String {
        let end = self.line_feed();
        let (before, after) = (&self.cut[DATA..], &self.chunk[self.at..end]);
        let (before, after) = match before.strip_prefix(' ') {
            Some(before) => (before, after),
            None if before.is_empty() => (before, after.strip_prefix(' ').unwrap_or(after)),
            None => (before, after),
        };
        let mut data = String::with_capacity(before.len() + after.len());
        data.push_str(before);
        data.push_str(after);
        self.cut.clear();
        self.at = end + 2;
        data
    }

    /// Looks for the end of the next line.
    #[inline]
    pub(super) fn look_ahead(&mut self) {
        self.lf = find(b'\n', self.chunk.as_bytes(), self.at);
    }

    /// Passes over what gives nothing between events, for keep-alives are nearly all that idle streams send: blank
    /// lines, and comments of at most `longest` bytes. Says whether there was any.
    #[inline]
    pub(super) fn skip_idle(&mut self, longest: usize) -> bool {
        let idle = matches!(self.chunk.as_bytes().get(self.at), Some(b'\n' | b':'));
        if idle && self.cut.is_empty() {
            self.skip(longest);
        }
        idle
    }

    #[inline(never)]
    fn skip(&mut self, longest: usize) {
        // Lines that end with LF; everything else takes the way of all lines.
        let bytes = &self.chunk.as_bytes()[..self.cr];
        let mut at = self.at;
        // Where the last comment begins.
        let mut last = at;
        while let Some(&byte) = bytes.get(at) {
            if byte == b'\n' {
                at += 1;
                continue;
            }
            // One keep-alive is like the other.
            at += repeated(&bytes[last..], at - last);
            let Some(length) = comment(&bytes[at..], longest) else {
                break;
            };
            last = at;
            at += length;
        }
        self.at = at;
    }

    /// The next line feed.
    #[inline]
    fn line_feed(&mut self) -> usize {
        if self.lf < self.at {
            self.lf = find_near(b'\n', self.chunk.as_bytes(), self.at);
        }
        self.lf
    }

    /// Steps over the line end at `end`.
    #[inline]
    fn pass(&mut self, end: usize) {
        self.at = end + 1;
        if end == self.cr {
            self.pass_return();
        }
    }

    fn pass_return(&mut self) {
        let bytes = self.chunk.as_bytes();
        match bytes.get(self.at) {
            Some(b'\n') => self.at += 1,
            Some(_) => {}
            // The line counts now: it must not wait for what follows the CR.
            None => self.after_cr = true,
        }
        self.cr = find(b'\r', bytes, self.at);
    }
}

/// The first `byte` at or after `from`, or the end.
#[inline]
fn find(byte: u8, bytes: &[u8], from: usize) -> usize {
    memchr::memchr(byte, &bytes[from..]).map_or(bytes.len(), |found| from + found)
}

/// The same, for where it is mostly close: of several lines in an event, most are short, and the blank one ends it.
#[inline]
pub(super) fn find_near(byte: u8, bytes: &[u8], from: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let mut at = from;
    // Eight bytes at once, in a register: a call of a vector search costs as much as eight of these.
    for eight in bytes[from..].chunks_exact(8).take(8) {
        let Ok(eight) = eight.try_into() else { break };
        // The first zero byte has the first of the high bits that are set (Mycroft); those after it may be wrong.
        let differ = u64::from_le_bytes(eight) ^ (ONES * u64::from(byte));
        let zero = differ.wrapping_sub(ONES) & !differ & (ONES << 7);
        if zero != 0 {
            return at + zero.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    find(byte, bytes, at)
}

/// The length of the short comment that `bytes` begins with, its LF counted.
#[inline]
fn comment(bytes: &[u8], longest: usize) -> Option<usize> {
    if bytes.first() != Some(&b':') {
        return None;
    }
    let short = &bytes[..bytes.len().min(SHORT).min(longest.saturating_add(1))];
    let end = short.iter().position(|&byte| byte == b'\n')?;
    Some(end + 1)
}

/// For how many bytes the first `period` bytes come again, whole, after themselves.
#[inline]
fn repeated(bytes: &[u8], period: usize) -> usize {
    const STEP: usize = 16;
    if period == 0 {
        return 0;
    }
    let (before, after) = (bytes.chunks_exact(STEP), bytes[period..].chunks_exact(STEP));
    let same = before.zip(after).take_while(|(a, b)| a == b).count();
    same * STEP / period * period
}

/// The length of what a line of data begins with.
const DATA: usize = "data:".len();
/// Pieces up to here are looked at byte by byte.
const PIECE: usize = 16;
/// A line that is longer goes on for the whole of a chunk, mostly.
const LONG: usize = 1024;
/// Lines up to here are searched byte by byte, which is faster than to set up a vector search.
const SHORT: usize = 32;
/// A chunk that is smaller holds no event and the start of another, mostly.
const FEW: usize = 64;
/// More than this is not set aside before it comes.
const EXPECTED: usize = 128 * 1024;
/// What is kept of the memory for lines that came in pieces.
const KEPT: usize = 16 * 1024;
