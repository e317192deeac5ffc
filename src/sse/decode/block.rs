//! The lines of a block to one message. Pure.

use std::{ops::Range, time::Duration};

use bytestring::ByteString;

use crate::sse::message::{Kept, Message, Span};

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
#[derive(Debug, Default)]
enum Value {
    #[default]
    None,
    /// A piece of the chunk.
    Here(Range<usize>),
    /// It came with an earlier chunk, or in several.
    Own(Kept),
}

impl Block {
    pub(super) fn resume(last_event_id: &str) -> Self {
        let mut block = Self::default();
        if !last_event_id.is_empty() {
            block.last_event_id = Value::Own(last_event_id.into());
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
        self.other(field, &line[from..], || Value::Here(value));
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
        self.other(field, value.as_bytes(), || Value::Own(value.into()));
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
            if !matches!(self.id, Value::None) {
                self.last_event_id = std::mem::take(&mut self.id);
            }
            self.event = Value::None;
            self.begun = false;
        }
    }

    /// The last event id for a message that shares the chunk.
    #[inline]
    pub(super) fn id(&self) -> (Span, Option<Kept>) {
        (self.last_event_id.here(), self.last_event_id.kept())
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
        if !matches!(self.id, Value::None) {
            self.last_event_id = std::mem::take(&mut self.id);
        }
        self.begun = false;
        let kept = self.last_event_id.kept();
        let event = std::mem::take(&mut self.event);
        if !matches!(event, Value::Own(_)) {
            if let Some(data) = self.data.take_alone() {
                let memory = chunk.clone();
                let id = self.last_event_id.here();
                return Message::new(memory, data.into(), event.here(), id, kept);
            }
        }
        let (event, id) = (event.as_str(chunk), self.last_event_id.here());
        let id = &chunk[Range::from(id)];
        let (mut text, data) = self.data.take(chunk, event.len() + id.len());
        let event = push(&mut text, event);
        let id = push(&mut text, id);
        Message::new(text.into(), data.into(), event, id, kept)
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

    #[inline]
    fn other(&mut self, field: Field, value: &[u8], keep: impl FnOnce() -> Value) {
        match field {
            Field::Data => {}
            Field::Event => {
                self.begun = true;
                self.event = keep();
            }
            // An id with NUL is ignored, and only it, not its event.
            Field::Id if value.contains(&0) => {}
            Field::Id => {
                self.begun = true;
                self.id = keep();
            }
            // At once, even if the block never ends.
            Field::Retry => {
                if let Some(millis) = field::retry(value) {
                    self.retry = Some(Duration::from_millis(millis));
                }
            }
        }
    }
}

impl Value {
    #[inline]
    fn as_str<'a>(&'a self, chunk: &'a ByteString) -> &'a str {
        match self {
            Self::None => "",
            Self::Here(range) => &chunk[range.clone()],
            Self::Own(text) => text.as_str(),
        }
    }

    /// Where in the chunk it is, or nowhere.
    #[inline]
    fn here(&self) -> Span {
        match self {
            Self::Here(range) => range.clone().into(),
            Self::None | Self::Own(_) => Span::default(),
        }
    }

    #[inline]
    fn kept(&self) -> Option<Kept> {
        match self {
            Self::Own(value) => Some(value.clone()),
            Self::None | Self::Here(_) => None,
        }
    }

    #[inline]
    fn detach(&mut self, chunk: &ByteString) {
        if let Self::Here(_) = self {
            *self = Self::Own(self.as_str(chunk).into());
        }
    }
}

/// Adds a piece, and says where it is.
#[inline]
fn push(text: &mut String, piece: &str) -> Span {
    let start = text.len();
    text.push_str(piece);
    Span::from(start..text.len())
}
