//! The lines of a block to one message. Pure.

use std::{ops::Range, time::Duration};

use bytestring::ByteString;

use crate::sse::{Message, Text};

use super::field::{self, Field};

/// What the lines of the present block have said, and what lasts longer than a block.
///
/// Values stay ranges of the chunk until they are asked for: a handle is made once, where it is to be.
#[derive(Debug, Default)]
pub(super) struct Block {
    data: Data,
    /// The data where it is not one piece of the chunk. Empty otherwise.
    buffer: String,
    event: Value,
    /// The id that the next blank line makes the last event id.
    id: Value,
    last_event_id: Value,
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

/// What a field has said.
#[derive(Debug, Default)]
enum Value {
    #[default]
    None,
    /// A piece of the chunk.
    Here(Range<usize>),
    /// It came with an earlier chunk, or in several.
    Own(Text),
}

/// The data of an event has become larger than it may.
pub(super) struct TooLarge;

impl Block {
    pub(super) fn resume(last_event_id: Text) -> Self {
        let mut block = Self::default();
        if !last_event_id.is_empty() {
            block.last_event_id = Value::Own(last_event_id);
        }
        block
    }

    /// What is left when the present block is given up.
    pub(super) fn outlast(&self, chunk: &ByteString) -> Self {
        Self {
            retry: self.retry,
            ..Self::resume(Text::from(self.last_event_id(chunk)))
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
        matches!(
            (&self.data, &self.event, &self.id),
            (Data::None, Value::None, Value::None)
        )
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
        self.other(field, &chunk[value.clone()], || Value::Here(value));
        Ok(())
    }

    /// Takes a line that was joined from several chunks. It may swap its memory for other memory.
    pub(super) fn joined(&mut self, line: &mut String, limit: usize) -> Result<(), TooLarge> {
        let Some((field, from)) = field::parse(line.as_bytes()) else {
            return Ok(());
        };
        let value = &line[from..];
        if field != Field::Data {
            self.other(field, value, || Value::Own(Text::from(value)));
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
        if !matches!(self.id, Value::None) {
            self.last_event_id = std::mem::take(&mut self.id);
        }
        self.event = Value::None;
    }

    /// Makes the block one that is nothing but this line of data.
    #[inline]
    pub(super) fn alone(&mut self, data: Range<usize>) {
        self.data = Data::Here(data);
    }

    /// Does what a blank line does to a block with data: makes an event of it.
    // A handle that is moved just after it was written stalls the processor for as long as the search for a line end
    // takes. So the one handle of most events is made first, while nothing is to be dropped if that panics, and the
    // compiler can have it written where it is to be.
    #[inline]
    pub(super) fn dispatch(&mut self, chunk: &ByteString) -> Message {
        let Data::Here(range) = &self.data else {
            return self.dispatch_any(chunk);
        };
        if !matches!(
            (&self.event, &self.id, &self.last_event_id),
            (Value::None, Value::None, Value::None)
        ) {
            return self.dispatch_any(chunk);
        }
        let range = range.clone();
        self.data = Data::None;
        let data = Text::wrap(chunk.slice_ref(&chunk[range]));
        Message {
            event: Text::from_static(MESSAGE),
            data,
            last_event_id: Text::new(),
        }
    }

    #[inline(never)]
    fn dispatch_any(&mut self, chunk: &ByteString) -> Message {
        if !matches!(self.id, Value::None) {
            self.last_event_id = std::mem::take(&mut self.id);
        }
        let last_event_id = self.last_event_id.to_text(chunk, "");
        let data = match &self.data {
            Data::Here(range) => Text::wrap(chunk.slice_ref(&chunk[range.clone()])),
            Data::Buffer(from) => Text::wrap(take_buffer(&mut self.buffer, *from)),
            Data::None => Text::new(),
        };
        self.data = Data::None;
        let event = self.event.to_text(chunk, MESSAGE);
        self.event = Value::None;
        Message {
            event,
            data,
            last_event_id,
        }
    }

    /// Lets go of the chunk: copies what of it is still needed, so that an idle stream does not keep it alive.
    #[inline]
    pub(super) fn detach(&mut self, chunk: &ByteString) {
        if let Data::Here(range) = &self.data {
            self.buffer.push_str(&chunk[range.clone()]);
            self.data = Data::Buffer(0);
        }
        for value in [&mut self.event, &mut self.id, &mut self.last_event_id] {
            if let Value::Here(_) = value {
                *value = Value::Own(Text::from(value.as_str(chunk)));
            }
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

    fn other(&mut self, field: Field, value: &str, keep: impl FnOnce() -> Value) {
        match field {
            Field::Data => {}
            Field::Event => self.event = keep(),
            // An id with NUL is ignored, and only it, not its event.
            Field::Id if value.contains('\0') => {}
            Field::Id => self.id = keep(),
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
            Self::Own(text) => text,
        }
    }

    /// A handle of it, or `default` if it is empty.
    #[inline]
    fn to_text(&self, chunk: &ByteString, default: &'static str) -> Text {
        match self {
            // A test costs less than a reference count.
            Self::Own(text) if !text.is_empty() => text.clone(),
            Self::Here(range) if !range.is_empty() => {
                Text::wrap(chunk.slice_ref(&chunk[range.clone()]))
            }
            // Made here, for a handle that is not used would be dropped through its table of functions.
            _ => Text::from_static(default),
        }
    }
}

fn take_buffer(buffer: &mut String, from: usize) -> ByteString {
    // Small data is copied to memory of its size, and the buffer serves again.
    if buffer.len() <= COPIED {
        let data = ByteString::from(&buffer[from..]);
        buffer.clear();
        return data;
    }
    let whole = ByteString::from(std::mem::take(buffer));
    whole.slice_ref(&whole[from..])
}

/// What an event without a name is called.
const MESSAGE: &str = "message";
/// Data up to here is copied out of the buffer.
const COPIED: usize = 4096;
