//! The lines of a block to one message. Pure.

use std::{ops::Range, time::Duration};

use bytestring::ByteString;

use crate::sse::message::{Kept, Message};

use super::{
    data::{Data, TooLarge},
    feeds::Feeds,
    field::{self, Field},
};

/// What the lines of the present block have said, and what lasts longer than a block.
///
/// Values stay ranges of the chunk until they are asked for: a handle is made once, where it is to be.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// A blank line would do something.
    begun: bool,
    data: Data,
    event: Value,
    /// The id that the next blank line makes the last event id.
    id: Value,
    last_event_id: Value,
    retry: Option<Duration>,
}

/// What a field has said.
// Its words are moved one by one: what is moved just after it was written, in other pieces, stalls the processor.
#[derive(Debug, Default)]
struct Value {
    /// It has said something, be it nothing.
    said: bool,
    /// A piece of the chunk.
    here: Range<usize>,
    /// It came with an earlier chunk, or in several, and is in the memory that serves again.
    copied: bool,
    copy: String,
    /// The copy, for the messages that need it.
    shared: Option<Kept>,
}

/// What there is at a place between events.
pub(super) enum Whole {
    /// An event, up to here.
    Event(usize),
    /// Lines of one, up to here, and the start of a line.
    Unfinished(usize),
    /// Something that is not that simple.
    Other,
}

impl Block {
    pub(super) fn resume(last_event_id: &str) -> Self {
        let mut block = Self::default();
        if !last_event_id.is_empty() {
            block.last_event_id.set_own(last_event_id);
        }
        block
    }

    /// What is left when the present block is given up.
    pub(super) fn outlast(&self, chunk: &str) -> Self {
        Self {
            retry: self.retry,
            ..Self::resume(self.last_event_id(chunk))
        }
    }

    pub(super) fn last_event_id<'a>(&'a self, chunk: &'a str) -> &'a str {
        self.last_event_id.as_str(chunk)
    }

    pub(super) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Whether a blank line would do nothing.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        !self.begun
    }

    /// Takes a line of data, by its place in the chunk.
    #[inline]
    pub(super) fn data_line(
        &mut self,
        chunk: &str,
        value: Range<usize>,
        limit: usize,
    ) -> Result<(), TooLarge> {
        self.begun = true;
        self.data.line(chunk, value, limit)
    }

    /// Takes a line of any kind that is not blank and begins at `start` of the chunk.
    #[inline(never)]
    pub(super) fn line(
        &mut self,
        chunk: &str,
        start: usize,
        line: &[u8],
        limit: usize,
    ) -> Result<(), TooLarge> {
        let Some((field, from)) = field::parse(line) else {
            return Ok(());
        };
        let value = start + from..start + line.len();
        if field == Field::Data {
            self.begun = true;
            return self.data.line(chunk, value, limit);
        }
        if let Some(said) = self.other(field, &line[from..]) {
            said.set(value);
        }
        Ok(())
    }

    /// Takes a line that was joined from several chunks. It may swap its memory for other memory.
    pub(super) fn joined(
        &mut self,
        chunk: &str,
        line: &mut String,
        limit: usize,
    ) -> Result<(), TooLarge> {
        let Some((field, from)) = field::parse(line.as_bytes()) else {
            return Ok(());
        };
        if field == Field::Data {
            self.begun = true;
            return self.data.joined(chunk, line, from, limit);
        }
        let value = &line[from..];
        if let Some(said) = self.other(field, value.as_bytes()) {
            said.set_own(value);
        }
        Ok(())
    }

    /// Takes the lines of an event of at most `longest` bytes that begins at `start` of a text without CR. The block
    /// must be empty, and stays so where that is no such event.
    #[inline]
    pub(super) fn whole(&mut self, text: &str, start: usize, longest: usize) -> Whole {
        let whole = self.find_whole(text, start, longest);
        if !matches!(whole, Whole::Event(_)) {
            self.data.forget();
        }
        whole
    }

    #[inline]
    fn find_whole(&mut self, text: &str, start: usize, longest: usize) -> Whole {
        let bytes = text.as_bytes();
        let (mut event, mut id) = (0..0, None);
        let (mut at, mut length) = (start, 0);
        let mut feeds = Feeds::new(start);
        loop {
            let Some(end) = feeds.next(bytes) else {
                return Whole::Unfinished(at);
            };
            let line = &bytes[at..end];
            if let Some(from) = field::data(line) {
                length += line.len() - from + 1;
                if self.data.put(at + from..end).is_none() {
                    return Whole::Other;
                }
            } else if line.is_empty() {
                break;
            } else if let Some((field, from)) = field::parse(line) {
                match field {
                    Field::Event => event = at + from..end,
                    Field::Id if !line.contains(&0) => id = Some(at + from..end),
                    _ => return Whole::Other,
                }
            }
            at = end + 1;
        }
        if at - start > longest || length == 0 {
            return Whole::Other;
        }
        self.begun = true;
        self.data.set_length(length);
        self.event.here = event;
        if let Some(id) = id {
            self.last_event_id.set(id);
        }
        Whole::Event(at + 1)
    }

    #[inline]
    pub(super) fn has_data(&self) -> bool {
        !self.data.is_none()
    }

    /// Does what a blank line does to a block without data (HTML 9.2.6).
    #[inline]
    pub(super) fn end(&mut self) {
        if self.begun {
            // With or without data, the id takes effect.
            self.id.move_to(&mut self.last_event_id);
            self.event.clear();
            self.begun = false;
        }
    }

    /// Whether no event had an id yet.
    #[inline]
    pub(super) fn has_no_id(&self) -> bool {
        !self.last_event_id.said
    }

    /// Makes the block one that is nothing but this line of data.
    #[inline]
    pub(super) fn alone(&mut self, data: Range<usize>) {
        self.begun = true;
        self.data.alone(data);
    }

    /// The same, where the line came in several chunks.
    #[inline]
    pub(super) fn alone_joined(&mut self, data: String) {
        self.begun = true;
        self.data.alone_joined(data);
    }

    /// Does what a blank line does to a block with data: makes an event of it.
    pub(super) fn dispatch(&mut self, chunk: &ByteString) -> Message {
        self.id.move_to(&mut self.last_event_id);
        self.begun = false;
        let message = self.message(chunk);
        self.event.clear();
        message
    }

    /// Makes an event of what was [whole](Self::whole) in a text that is no chunk, and lets go of that.
    pub(super) fn dispatch_copied(&mut self, text: &str) -> Message {
        self.begun = false;
        let message = self.copied(text);
        self.event.clear();
        self.last_event_id.detach(text);
        message
    }

    #[inline]
    fn message(&mut self, chunk: &ByteString) -> Message {
        if !self.event.copied {
            if let Some(data) = self.data.take_alone() {
                let (event, id) = (self.event.here.clone(), self.last_event_id.here.clone());
                let kept = self.last_event_id.shared();
                return Message::new(chunk.clone(), data.into(), event.into(), id, kept);
            }
        }
        self.copied(chunk)
    }

    /// One place that makes the handle, so that it is made where it is to be.
    #[inline]
    fn copied(&mut self, chunk: &str) -> Message {
        let kept = self.last_event_id.shared();
        let (event, id) = (&self.event, &self.last_event_id);
        let (text, data, event, id) = match self.start() {
            Some(start) if !event.copied => {
                let (event, id) = (event.after(start), id.after(start));
                let (text, data) = self.data.take_from(chunk, start);
                (text, data, event, id)
            }
            _ => {
                let (event, id) = (event.as_str(chunk), id.here(chunk));
                let (mut text, data) = self.data.take(chunk, event.len() + id.len());
                let event = push(&mut text, event);
                let id = push(&mut text, id);
                (text, data, event, id)
            }
        };
        Message::new(text.into(), data.into(), event.into(), id, kept)
    }

    /// Where the name, the id and the first line of data begin, if they are all in the chunk and close to each other.
    #[inline]
    fn start(&self) -> Option<usize> {
        let line = self.data.first()?;
        let mut start = line;
        for value in [&self.event, &self.last_event_id] {
            if !value.here.is_empty() {
                start = start.min(value.here.start);
            }
        }
        let pieces = self.event.here.len() + self.last_event_id.here.len();
        let before = self.event.here.end.max(self.last_event_id.here.end) <= line;
        (before && line - start <= pieces + NEAR).then_some(start)
    }

    /// Lets go of the chunk: copies what of it is still needed, so that an idle stream does not keep it alive.
    #[inline]
    pub(super) fn detach(&mut self, chunk: &str) {
        self.detach_id(chunk);
        if self.begun {
            self.data.gather(chunk);
            self.event.detach(chunk);
            self.id.detach(chunk);
        }
    }

    /// The same, between events.
    #[inline]
    pub(super) fn detach_id(&mut self, chunk: &str) {
        self.last_event_id.detach(chunk);
    }

    /// Does what a field without data does, and says where its value is to be kept.
    #[inline]
    fn other(&mut self, field: Field, value: &[u8]) -> Option<&mut Value> {
        match field {
            Field::Data => None,
            Field::Event => {
                self.begun = true;
                Some(&mut self.event)
            }
            // An id with NUL is ignored, and only it, not its event.
            Field::Id if value.contains(&0) => None,
            Field::Id => {
                self.begun = true;
                Some(&mut self.id)
            }
            // At once, even if the block never ends.
            Field::Retry => {
                if let Some(millis) = field::retry(value) {
                    self.retry = Some(Duration::from_millis(millis));
                }
                None
            }
        }
    }
}

impl Value {
    #[inline]
    fn set(&mut self, here: Range<usize>) {
        self.said = true;
        self.here = here;
        self.copied = false;
        self.shared = None;
    }

    fn set_own(&mut self, text: &str) {
        self.set(0..0);
        self.copied = true;
        self.copy.clear();
        self.copy.shrink_to(KEPT);
        self.copy.push_str(text);
    }

    #[inline]
    fn clear(&mut self) {
        self.said = false;
        self.here = 0..0;
        self.copied = false;
    }

    /// Makes the other value this one, if this has said anything, and clears this.
    #[inline]
    fn move_to(&mut self, other: &mut Self) {
        if self.said {
            other.set(self.here.clone());
            if self.copied {
                other.copied = true;
                std::mem::swap(&mut other.copy, &mut self.copy);
            }
            self.clear();
        }
    }

    #[inline]
    fn as_str<'a>(&'a self, chunk: &'a str) -> &'a str {
        if self.copied {
            return &self.copy;
        }
        self.here(chunk)
    }

    /// The copy, for a message to keep.
    #[inline]
    fn shared(&mut self) -> Option<Kept> {
        if !self.copied {
            return None;
        }
        let shared = self.shared.get_or_insert_with(|| self.copy.as_str().into());
        Some(shared.clone())
    }

    /// The piece of the chunk that it is, or nothing.
    #[inline]
    fn here<'a>(&self, chunk: &'a str) -> &'a str {
        chunk.get(self.here.clone()).unwrap_or_default()
    }

    /// Where in the chunk it is, counted from `start`, or nowhere.
    #[inline]
    fn after(&self, start: usize) -> Range<usize> {
        if self.here.is_empty() {
            return 0..0;
        }
        self.here.start - start..self.here.end - start
    }

    #[inline]
    fn detach(&mut self, chunk: &str) {
        if self.said && !self.copied {
            let here = self.here.clone();
            self.set_own(chunk.get(here).unwrap_or_default());
        }
    }
}

/// Adds a piece, and says where it is.
#[inline]
fn push(text: &mut String, piece: &str) -> Range<usize> {
    let start = text.len();
    text.push_str(piece);
    start..text.len()
}

/// How much more than the pieces is copied, to copy them in one.
const NEAR: usize = 64;
/// What is kept of the memory for values that are copied.
const KEPT: usize = 1024;
