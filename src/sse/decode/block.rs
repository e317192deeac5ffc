//! The lines of a block to one message. Pure.

use std::{ops::Range, time::Duration};

use bytestring::ByteString;

use crate::sse::{Message, Text};

use super::field::{self, Field};

/// What the lines of the present block have said, and what lasts longer than a block.
#[derive(Debug, Default)]
pub(super) struct Block {
    data: Data,
    /// The data where it is not one piece of the chunk. Empty otherwise.
    buffer: String,
    event: Option<Text>,
    /// The id that the next blank line makes the last event id.
    id: Option<Text>,
    /// `event` or an id are pieces of the chunk.
    borrows: bool,
    last_event_id: Text,
    retry: Option<Duration>,
}

#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    /// One line, still in the chunk.
    Here(Range<usize>),
    /// The buffer from here on.
    Buffer(usize),
}

/// The data of an event has become larger than it may.
pub(super) struct TooLarge;

impl Block {
    pub(super) fn resume(last_event_id: Text) -> Self {
        Self {
            last_event_id,
            ..Self::default()
        }
    }

    /// What is left when the present block is given up.
    pub(super) fn outlast(&self) -> Self {
        Self {
            retry: self.retry,
            ..Self::resume(Text::from(self.last_event_id.as_str()))
        }
    }

    pub(super) fn last_event_id(&self) -> &Text {
        &self.last_event_id
    }

    pub(super) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Whether a blank line would do nothing.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.data, Data::None) && self.event.is_none() && self.id.is_none()
    }

    /// Takes a line of the chunk.
    #[inline]
    pub(super) fn line(
        &mut self,
        chunk: &ByteString,
        line: Range<usize>,
        limit: usize,
    ) -> Result<(), TooLarge> {
        let Some((field, from)) = field::parse(&chunk.as_bytes()[line.clone()]) else {
            return Ok(());
        };
        let value = line.start + from..line.end;
        if field == Field::Data {
            return self.data(chunk, value, limit);
        }
        let value = &chunk[value];
        self.borrows = true;
        self.other(field, value, || Text::wrap(chunk.slice_ref(value)));
        Ok(())
    }

    /// Takes a line that was joined from several chunks. It may swap its memory for other memory.
    pub(super) fn joined(&mut self, line: &mut String, limit: usize) -> Result<(), TooLarge> {
        let Some((field, from)) = field::parse(line.as_bytes()) else {
            return Ok(());
        };
        let value = &line[from..];
        if field != Field::Data {
            self.other(field, value, || Text::from(value));
            return Ok(());
        }
        if let Data::None = self.data {
            if value.len() > limit {
                return Err(TooLarge);
            }
            // A large line is not copied once more.
            std::mem::swap(&mut self.buffer, line);
            self.data = Data::Buffer(from);
            return Ok(());
        }
        self.append(value, limit)
    }

    pub(super) fn has_data(&self) -> bool {
        !matches!(self.data, Data::None)
    }

    /// Does what a blank line does to a block without data (HTML 9.2.6).
    #[inline]
    pub(super) fn end(&mut self) {
        // With or without data, the id takes effect.
        if let Some(id) = self.id.take() {
            self.last_event_id = id;
        }
        self.event = None;
    }

    /// Does what a blank line does to a block with data: makes an event of it.
    #[inline]
    pub(super) fn dispatch(&mut self, chunk: &ByteString) -> Message {
        let event = match self.event.take() {
            Some(name) if !name.is_empty() => name,
            _ => MESSAGE,
        };
        self.end();
        let data = match std::mem::take(&mut self.data) {
            Data::Here(range) => chunk.slice_ref(&chunk[range]),
            Data::Buffer(from) => self.take_buffer(from),
            Data::None => ByteString::new(),
        };
        Message {
            event,
            data: Text::wrap(data),
            last_event_id: self.share_last_event_id(),
        }
    }

    /// The event of a block that is nothing but one line of data.
    #[inline]
    pub(super) fn alone(&self, chunk: &ByteString, data: Range<usize>) -> Message {
        Message {
            event: MESSAGE,
            data: Text::wrap(chunk.slice_ref(&chunk[data])),
            last_event_id: self.share_last_event_id(),
        }
    }

    #[inline]
    fn share_last_event_id(&self) -> Text {
        // Most streams have none, and a test costs less than a reference count.
        if self.last_event_id.is_empty() {
            return Text::new();
        }
        self.last_event_id.clone()
    }

    /// Lets go of the chunk: copies what of it is still needed, so that an idle stream does not keep it alive.
    pub(super) fn detach(&mut self, chunk: &ByteString) {
        if let Data::Here(range) = &self.data {
            self.buffer.push_str(&chunk[range.clone()]);
            self.data = Data::Buffer(0);
        }
        if std::mem::take(&mut self.borrows) {
            for text in self.event.iter_mut().chain(&mut self.id) {
                *text = Text::from(text.as_str());
            }
            self.last_event_id = Text::from(self.last_event_id.as_str());
        }
    }

    fn data(
        &mut self,
        chunk: &ByteString,
        value: Range<usize>,
        limit: usize,
    ) -> Result<(), TooLarge> {
        match &self.data {
            Data::None if value.len() > limit => return Err(TooLarge),
            Data::None => {
                self.data = Data::Here(value);
                return Ok(());
            }
            Data::Here(first) => {
                self.buffer.push_str(&chunk[first.clone()]);
                self.data = Data::Buffer(0);
            }
            Data::Buffer(_) => {}
        }
        self.append(&chunk[value], limit)
    }

    /// One more line of data.
    fn append(&mut self, value: &str, limit: usize) -> Result<(), TooLarge> {
        let from = if let Data::Buffer(from) = self.data {
            from
        } else {
            0
        };
        if self.buffer.len() - from + 1 + value.len() > limit {
            return Err(TooLarge);
        }
        self.buffer.push('\n');
        self.buffer.push_str(value);
        Ok(())
    }

    fn other(&mut self, field: Field, value: &str, text: impl FnOnce() -> Text) {
        match field {
            Field::Data => {}
            Field::Event => self.event = Some(text()),
            // An id with NUL is ignored, and only it, not its event.
            Field::Id if value.contains('\0') => {}
            Field::Id => self.id = Some(text()),
            // At once, even if the block never ends.
            Field::Retry => {
                if let Some(millis) = field::retry(value) {
                    self.retry = Some(Duration::from_millis(millis));
                }
            }
        }
    }

    fn take_buffer(&mut self, from: usize) -> ByteString {
        // Small data is copied to memory of its size, and the buffer serves again.
        if self.buffer.len() <= COPIED {
            let data = ByteString::from(&self.buffer[from..]);
            self.buffer.clear();
            return data;
        }
        let whole = ByteString::from(std::mem::take(&mut self.buffer));
        whole.slice_ref(&whole[from..])
    }
}

/// What an event without a name is called.
const MESSAGE: Text = Text::from_static("message");
/// Data up to here is copied out of the buffer.
const COPIED: usize = 4096;
