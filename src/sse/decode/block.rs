//! The lines of a block to one message. Pure.

use std::{ops::Range, time::Duration};

use bytestring::ByteString;

use crate::sse::message::{Kept, Message};

use super::{
    data::{Data, TooLarge},
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
    /// It came with an earlier chunk, or in several.
    own: Option<Kept>,
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
    pub(super) fn outlast(&self, chunk: &ByteString) -> Self {
        Self {
            retry: self.retry,
            ..Self::resume(self.last_event_id(chunk))
        }
    }

    pub(super) fn last_event_id<'a>(&'a self, chunk: &'a ByteString) -> &'a str {
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
        chunk: &ByteString,
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
        chunk: &ByteString,
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
        if let Some(kept) = self.other(field, &line[from..]) {
            kept.set(value);
        }
        Ok(())
    }

    /// Takes a line that was joined from several chunks. It may swap its memory for other memory.
    pub(super) fn joined(
        &mut self,
        chunk: &ByteString,
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
        if let Some(kept) = self.other(field, value.as_bytes()) {
            kept.set_own(value);
        }
        Ok(())
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

    #[inline]
    fn message(&mut self, chunk: &ByteString) -> Message {
        let (event, id) = (&self.event, &self.last_event_id);
        let kept = id.own.clone();
        if event.own.is_none() {
            if let Some(data) = self.data.take_alone() {
                let (event, id) = (event.here.clone(), id.here.clone());
                return Message::new(chunk.clone(), data.into(), event.into(), id, kept);
            }
        }
        // One place that makes the handle, so that it is made where it is to be.
        let (text, data, event, id) = match self.start() {
            Some(start) if event.own.is_none() => {
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
    pub(super) fn detach(&mut self, chunk: &ByteString) {
        self.last_event_id.detach(chunk);
        if self.begun {
            self.data.gather(chunk);
            self.event.detach(chunk);
            self.id.detach(chunk);
        }
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
        self.own = None;
    }

    fn set_own(&mut self, text: &str) {
        self.said = true;
        self.here = 0..0;
        self.own = Some(text.into());
    }

    #[inline]
    fn clear(&mut self) {
        self.said = false;
        self.here = 0..0;
        self.own = None;
    }

    /// Makes the other value this one, if this has said anything, and clears this.
    #[inline]
    fn move_to(&mut self, other: &mut Self) {
        if self.said {
            other.said = true;
            other.here = self.here.clone();
            other.own = self.own.take();
            self.clear();
        }
    }

    #[inline]
    fn as_str<'a>(&'a self, chunk: &'a ByteString) -> &'a str {
        match &self.own {
            None => self.here(chunk),
            Some(text) => text.as_str(),
        }
    }

    /// The piece of the chunk that it is, or nothing.
    #[inline]
    fn here<'a>(&self, chunk: &'a ByteString) -> &'a str {
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
    fn detach(&mut self, chunk: &ByteString) {
        if self.said && self.own.is_none() {
            self.own = Some(self.here(chunk).into());
            self.here = 0..0;
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
