//! Lines of data to the data of an event. Pure.

use std::ops::Range;

use crate::sse::message::Span;

/// The lines of data of a block.
///
/// They stay ranges of the chunk until their event is complete: then its length is known, and each is copied once, to
/// where it is to be; or not at all, where there is only one.
#[derive(Debug, Default)]
pub(super) struct Data {
    /// The lines before the ranges.
    before: Before,
    buffer: String,
    /// Lines of the chunk: so many of these.
    here: [Span; RANGES],
    count: usize,
    /// The bytes of all lines, with a line feed for each. So it is 0 while there is no line.
    length: usize,
}

/// Lines that are not in the chunk.
#[derive(Debug, Default)]
enum Before {
    #[default]
    None,
    /// In the buffer, joined, from here on.
    Buffer(usize),
    /// All there is, in memory of just its size.
    Whole(String),
}

/// The data of an event has become larger than it may.
pub(super) struct TooLarge;

impl Data {
    #[inline]
    pub(super) fn is_none(&self) -> bool {
        self.length == 0
    }

    /// One more line, of the chunk.
    #[inline]
    pub(super) fn line(
        &mut self,
        chunk: &str,
        line: Range<usize>,
        limit: usize,
    ) -> Result<(), TooLarge> {
        self.grow(line.len(), limit)?;
        if self.count == RANGES {
            self.gather(chunk);
        }
        self.put(line);
        Ok(())
    }

    /// One more line, of the chunk, if there is room for it. [Its length](Self::set_length) does not count yet.
    #[inline]
    pub(super) fn put(&mut self, line: Range<usize>) -> Option<()> {
        *self.here.get_mut(self.count)? = line.into();
        self.count += 1;
        Some(())
    }

    /// How long the lines are that were [put](Self::put), with a line feed each.
    #[inline]
    pub(super) fn set_length(&mut self, length: usize) {
        self.length = length;
    }

    /// Forgets lines that were [put](Self::put), and do not count yet.
    #[inline]
    pub(super) fn forget(&mut self) {
        self.count = 0;
    }

    /// The only line.
    #[inline]
    pub(super) fn alone(&mut self, line: Range<usize>) {
        self.length = line.len() + 1;
        self.put(line);
    }

    /// The only line, copied.
    #[inline]
    pub(super) fn alone_joined(&mut self, line: String) {
        self.length = line.len() + 1;
        self.before = Before::Whole(line);
    }

    /// One more line, from `from` on in what was joined from several chunks. It may swap its memory for other memory.
    pub(super) fn joined(
        &mut self,
        chunk: &str,
        line: &mut String,
        from: usize,
        limit: usize,
    ) -> Result<(), TooLarge> {
        let first = self.is_none();
        self.grow(line.len() - from, limit)?;
        if first {
            // A large line is not copied once more.
            std::mem::swap(&mut self.buffer, line);
            self.before = Before::Buffer(from);
            return Ok(());
        }
        self.gather(chunk);
        self.append(&line[from..]);
        Ok(())
    }

    /// Lets go of the chunk.
    #[inline]
    pub(super) fn gather(&mut self, chunk: &str) {
        if self.count > 0 {
            self.gather_here(chunk);
        }
    }

    /// Where the data is, if it is one line of the chunk.
    #[inline]
    pub(super) fn take_alone(&mut self) -> Option<Range<usize>> {
        if self.count != 1 || !matches!(self.before, Before::None) {
            return None;
        }
        self.length = 0;
        self.count = 0;
        Some(self.here[0].into())
    }

    /// Everything, in memory that has room for `more`, and where in it. There must be some.
    #[inline]
    pub(super) fn take(&mut self, chunk: &str, more: usize) -> (String, Range<usize>) {
        let length = std::mem::take(&mut self.length).saturating_sub(1);
        match std::mem::take(&mut self.before) {
            Before::None => {}
            Before::Whole(text) => return (text, 0..length),
            Before::Buffer(from) => return self.take_buffer(chunk, from, more),
        }
        let mut text = String::with_capacity(length + more);
        let mut lines = self.lines();
        if let Some(first) = lines.next() {
            text.push_str(piece(chunk, first));
        }
        for line in lines {
            text.push('\n');
            text.push_str(piece(chunk, line));
        }
        self.count = 0;
        (text, 0..length)
    }

    /// Where the first line begins, if all of them are in the chunk.
    #[inline]
    pub(super) fn first(&self) -> Option<usize> {
        match self.before {
            Before::None => self.lines().next().map(|line| line.start),
            _ => None,
        }
    }

    /// Everything, where all of it [is in the chunk](Self::first), after what is in the chunk from `start` on.
    #[inline]
    pub(super) fn take_from(&mut self, chunk: &str, start: usize) -> (String, Range<usize>) {
        let length = std::mem::take(&mut self.length).saturating_sub(1);
        let mut lines = self.lines();
        let first = lines.next().unwrap_or(start..start);
        let before = first.start - start;
        let mut text = String::with_capacity(before + length);
        text.push_str(piece(chunk, start..first.end));
        for line in lines {
            text.push('\n');
            if !line.is_empty() {
                text.push_str(piece(chunk, line));
            }
        }
        self.count = 0;
        (text, before..before + length)
    }

    /// The lines of the chunk.
    #[inline]
    fn lines(&self) -> impl Iterator<Item = Range<usize>> {
        let here = self.here.iter().take(self.count);
        here.map(|&line| line.into())
    }

    #[inline]
    fn grow(&mut self, line: usize, limit: usize) -> Result<(), TooLarge> {
        // The line feed of the last line does not count.
        if self.length + line > limit {
            return Err(TooLarge);
        }
        self.length += line + 1;
        Ok(())
    }

    #[inline(never)]
    fn gather_here(&mut self, chunk: &str) {
        let here = self.here;
        for line in here.into_iter().take(self.count) {
            self.append(piece(chunk, line.into()));
        }
        self.count = 0;
    }

    fn append(&mut self, line: &str) {
        match self.before {
            Before::None => self.before = Before::Buffer(0),
            _ => self.buffer.push('\n'),
        }
        self.buffer.push_str(line);
    }

    #[inline(never)]
    fn take_buffer(&mut self, chunk: &str, from: usize, more: usize) -> (String, Range<usize>) {
        self.before = Before::Buffer(from);
        self.gather(chunk);
        self.before = Before::None;
        // Small data is copied to memory of its size, and the buffer serves again.
        let (text, from) = if self.buffer.len() <= COPIED {
            let data = &self.buffer[from..];
            let mut text = String::with_capacity(data.len() + more);
            text.push_str(data);
            self.buffer.clear();
            (text, 0)
        } else {
            (std::mem::take(&mut self.buffer), from)
        };
        let end = text.len();
        (text, from..end)
    }
}

/// A piece of the chunk.
#[inline]
fn piece(chunk: &str, range: Range<usize>) -> &str {
    chunk.get(range).unwrap_or_default()
}

/// How many lines are remembered before they are joined: more would take more memory than the lines themselves.
const RANGES: usize = 16;
/// Data up to here is copied out of the buffer.
pub(super) const COPIED: usize = 4096;
