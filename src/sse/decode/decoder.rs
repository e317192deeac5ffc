//! The decoder: chunks in, messages out. Pure.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use bytestring::ByteString;

use crate::sse::{
    Error, Text,
    message::{Message, Span},
};

use super::{
    Limits,
    block::{Block, Whole},
    field,
    lines::{self, Line, Lines},
    utf8::Utf8,
};

/// Decodes an event stream, by the rules of the HTML standard to the letter.
///
/// Give it bytes in pieces of any size with [`push`](Self::push) or [`push_bytes`](Self::push_bytes), then take
/// messages out, as it is an [`Iterator`], until there are none. After `None` more bytes bring more messages.
/// An event is there as soon as the bytes of its blank line are. At the end of a stream there is nothing to do: an
/// event without its blank line is dropped, as the standard has it.
///
/// Decoding happens while messages are taken. So what it holds is what was pushed, and the [`Limits`] bound what it
/// keeps beyond that: one line and the data of one event.
///
/// It has no clock and does no I/O; [`EventStream`](crate::sse::EventStream) is this over an HTTP body.
///
/// ```
/// use tower_realtime::sse::Decoder;
///
/// let mut decoder = Decoder::new();
/// decoder.push(b"id: 7\nevent: tick\ndata: 12:0");
/// assert!(decoder.next().is_none());
///
/// decoder.push(b"0\n\nretry: 500\n");
/// let message = decoder.next().expect("an event")?;
/// assert_eq!(message.event(), "tick");
/// assert_eq!(message.data(), "12:00");
/// assert_eq!(message.last_event_id(), "7");
///
/// assert!(decoder.next().is_none());
/// assert_eq!(decoder.retry().expect("a retry").as_millis(), 500);
/// # Ok::<(), tower_realtime::sse::Error>(())
/// ```
///
/// To go on after another stream, with other limits, and without a copy of what is pushed:
///
/// ```
/// use bytes::Bytes;
/// use tower_realtime::sse::{Decoder, Limits};
///
/// let mut decoder = Decoder::resume("7").limits(Limits::new().event(64 << 10));
/// decoder.push_bytes(Bytes::from_static(b"data: 12:01\n\n"));
/// assert_eq!(decoder.next().expect("an event")?.last_event_id(), "7");
/// assert_eq!(decoder.last_event_id(), "7");
/// # Ok::<(), tower_realtime::sse::Error>(())
/// ```
///
/// # Errors
///
/// Only a limit can fail. The messages before it come first, then the error, then nothing more.
#[derive(Debug, Default)]
pub struct Decoder {
    utf8: Utf8,
    lines: Lines,
    block: Block,
    /// What was pushed and not looked at yet.
    queue: VecDeque<Bytes>,
    limits: Limits,
    failed: bool,
}

/// Where lines end to be read.
enum Stop {
    /// After the blank line of an event.
    Event,
    /// After a blank line that makes no event.
    Blank,
    /// Before a line that goes on in the next chunk.
    End,
}

impl Decoder {
    /// A decoder for a new stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder for a stream that goes on after another: events that set no id carry `last_event_id`.
    #[must_use]
    pub fn resume(last_event_id: impl Into<Text>) -> Self {
        Self {
            block: Block::resume(&last_event_id.into()),
            ..Self::default()
        }
    }

    /// Sets how much it may hold. By default 1 MiB for a line and 8 MiB for an event.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Adds bytes of the stream. They are copied; [`push_bytes`](Self::push_bytes) shares them.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.extend_line(bytes) {
            self.push_bytes(Bytes::copy_from_slice(bytes));
        }
    }

    /// Adds bytes of the stream. Messages will share their memory where they are one line inside of it.
    #[inline]
    pub fn push_bytes(&mut self, bytes: Bytes) {
        if self.failed || bytes.is_empty() || self.extend_line(&bytes) {
            return;
        }
        if bytes.len() > CHUNK {
            return self.push_large(bytes);
        }
        if self.is_used_up() {
            self.lines.load(self.utf8.decode(bytes));
        } else {
            self.queue.push_back(bytes);
        }
    }

    /// Places in a chunk fit four bytes, also where all of it becomes three times its size as it is no UTF-8.
    #[cold]
    fn push_large(&mut self, mut bytes: Bytes) {
        while !bytes.is_empty() {
            let chunk = bytes.split_to(bytes.len().min(CHUNK));
            self.push_bytes(chunk);
        }
    }

    /// The id to resume after: of the last block that has ended. Empty while there is none.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        self.block.last_event_id(self.lines.chunk())
    }

    /// How long the server wants a client to wait before it connects again, if it has said so.
    #[must_use]
    pub fn retry(&self) -> Option<Duration> {
        self.block.retry()
    }

    /// Whether the next event may be here and nothing but one line of data, as most are.
    #[inline]
    pub(crate) fn is_at_data(&self) -> bool {
        self.block.is_empty() && self.lines.is_at_data() && self.block.has_no_id()
    }

    /// Passes over what gives nothing between events. Whether the next event may be [such](Self::is_at_data), then.
    #[inline]
    pub(crate) fn skip_to_data(&mut self) -> bool {
        self.block.is_empty() && self.lines.skip_idle(self.limits.line) && self.is_at_data()
    }

    /// The memory of that event, to be asked for before it is [taken](Self::take_line).
    // What is moved just after it was written, in other pieces, stalls the processor for as long as the search for a
    // line end takes. So this is written before that search; and where it is to be, as it is a call.
    #[inline(never)]
    pub(crate) fn memory(&self) -> ByteString {
        self.lines.chunk().clone()
    }

    /// Takes that event, if it is here, and says where its data is.
    #[inline]
    pub(crate) fn take_line(&mut self) -> Option<Span> {
        self.lines.take_event(self.longest()).map(Span::from)
    }

    /// Whether the next event is here, and is one line of data that came in several chunks.
    #[inline]
    pub(crate) fn is_at_joined(&mut self) -> bool {
        self.lines.is_at_joined()
            && self.block.is_empty()
            && self.block.has_no_id()
            && self.lines.has_joined(self.longest())
    }

    /// The data of that event, in memory of its own.
    #[inline(never)]
    pub(crate) fn take_joined(&mut self) -> ByteString {
        ByteString::from(self.lines.take_joined())
    }

    /// Looks for the end of the next line, which is worth while between writing and moving something.
    #[inline]
    pub(crate) fn look_ahead(&mut self) {
        self.lines.look_ahead();
    }

    /// Takes the event that [`seek`](Self::seek) has found.
    #[inline]
    pub(crate) fn take_found(&mut self) -> Message {
        if self.lines.has_whole() {
            return self.take_completed();
        }
        self.block.dispatch(self.lines.chunk())
    }

    #[inline(never)]
    fn take_completed(&mut self) -> Message {
        let message = self.block.dispatch_copied(self.lines.completed());
        self.lines.clear_joined();
        message
    }

    /// How long a line that is an event may be. More than this is for those who know what to say of it.
    #[inline]
    fn longest(&self) -> usize {
        self.limits.line.min(self.limits.event)
    }

    /// Whether there is nothing to be read. To ask first is for those who get few bytes at a time.
    #[inline]
    pub(crate) fn is_used_up(&self) -> bool {
        self.lines.is_used_up() && self.queue.is_empty()
    }

    /// Lets go of the memory of what has been read. For those who wait for more: with each piece of a few bytes it would
    /// take a good part of the time.
    pub(crate) fn release(&mut self) {
        self.lines.release();
    }

    /// After [`take_line`](Self::take_line) and [`take_joined`](Self::take_joined) had none: reads until an event is complete, which is then to be
    /// [taken](Self::take_found), or until there is nothing more.
    #[inline(never)]
    pub(crate) fn seek(&mut self) -> Option<Result<(), Error>> {
        loop {
            if self.lines.is_used_up() {
                let bytes = self.queue.pop_front()?;
                self.lines.load(self.utf8.decode(bytes));
                continue;
            }
            match self.read() {
                Ok(true) => return Some(Ok(())),
                Ok(false) => {}
                Err(error) => {
                    self.fail();
                    return Some(Err(error));
                }
            }
        }
    }

    /// Puts a piece from the middle of a line where it belongs, as servers that write a few bytes at a time would
    /// have the whole machinery run for each.
    #[inline]
    fn extend_line(&mut self, bytes: &[u8]) -> bool {
        self.is_used_up() && self.utf8.is_plain() && self.lines.extend(bytes, self.limits.line)
    }

    /// Reads lines until an event is complete, which is true, or the chunk is used up.
    #[inline]
    fn read(&mut self) -> Result<bool, Error> {
        loop {
            if self.block.is_empty()
                && self.lines.skip_idle(self.limits.line)
                && self.lines.is_at_data()
            {
                if let Some(data) = self.lines.take_event(self.longest()) {
                    self.block.alone(data);
                    return Ok(true);
                }
            }
            if self.lines.is_plain() && !self.lines.is_cut() {
                if self.block.is_empty() {
                    match self.read_whole() {
                        Stop::Event => return Ok(true),
                        Stop::End if self.lines.is_used_up() => return Ok(false),
                        Stop::End | Stop::Blank => {}
                    }
                }
                match self.read_plain()? {
                    Stop::Event => return Ok(true),
                    Stop::Blank => continue,
                    Stop::End => {}
                }
            } else if self.lines.has_whole() {
                if self.read_aside() {
                    return Ok(true);
                }
                continue;
            } else if self.block.is_empty()
                && self.lines.is_at_joined()
                && self.lines.has_joined(self.longest())
            {
                self.block.alone_joined(self.lines.take_joined());
                return Ok(true);
            }
            let Some(line) = self.lines.next() else {
                self.block.detach(self.lines.chunk());
                self.check_line(self.lines.unfinished())?;
                if self.lines.resume() {
                    continue;
                }
                return Ok(false);
            };
            if self.read_line(line)? {
                return Ok(true);
            }
        }
    }

    /// Reads an event that is whole in a chunk without CR, or sets aside what there is of it.
    #[inline]
    fn read_whole(&mut self) -> Stop {
        let longest = self.longest();
        let (chunk, start, _) = self.lines.rest();
        match self.block.whole(chunk, start, longest) {
            Whole::Event(next) => {
                self.lines.move_to(next, next - 1);
                return Stop::Event;
            }
            Whole::Unfinished(end) if self.lines.set_aside(end, longest) => {
                self.block.detach_id(self.lines.chunk());
            }
            Whole::Unfinished(_) | Whole::Other => {}
        }
        Stop::End
    }

    /// Reads what was set aside: as an event, if the chunk completes it, and else line by line.
    #[inline(never)]
    fn read_aside(&mut self) -> bool {
        let longest = self.longest();
        if let Some(text) = self.lines.complete(longest) {
            if let Whole::Event(_) = self.block.whole(text, 0, longest) {
                return true;
            }
        }
        self.lines.rewind();
        false
    }

    /// Reads the lines of a chunk without CR.
    #[inline]
    fn read_plain(&mut self) -> Result<Stop, Error> {
        let (chunk, mut at, mut end) = self.lines.rest();
        let bytes = chunk.as_bytes();
        let stop = loop {
            if bytes.get(at) == Some(&b'\n') {
                at += 1;
                if self.block.has_data() {
                    break Stop::Event;
                }
                self.block.end();
                break Stop::Blank;
            }
            if end < at {
                end = lines::find_near(b'\n', bytes, at);
            }
            let Some(line) = bytes.get(at..end) else {
                break Stop::End;
            };
            if end == bytes.len() {
                break Stop::End;
            }
            let start = at;
            at = end + 1;
            if line.len() > self.limits.line {
                return Err(Error::line_too_long(self.limits.line));
            }
            let limit = self.limits.event;
            let taken = match field::data(line) {
                Some(from) => self.block.data_line(chunk, start + from..end, limit),
                None => self.block.line(chunk, start, line, limit),
            };
            taken.map_err(|_| Error::event_too_large(limit))?;
        };
        self.lines.move_to(at, end);
        Ok(stop)
    }

    /// Reads a line of any kind. True means that an event is complete.
    fn read_line(&mut self, line: Line) -> Result<bool, Error> {
        let taken = match line {
            Line::Here(line) if line.is_empty() => {
                if self.block.has_data() {
                    return Ok(true);
                }
                self.block.end();
                return Ok(false);
            }
            Line::Here(line) => {
                self.check_line(line.len())?;
                let chunk = self.lines.chunk();
                let (start, line) = (line.start, &chunk.as_bytes()[line]);
                self.block.line(chunk, start, line, self.limits.event)
            }
            Line::Joined => {
                self.check_line(self.lines.unfinished())?;
                let (chunk, line) = self.lines.joined();
                let taken = self.block.joined(chunk, line, self.limits.event);
                self.lines.clear_joined();
                taken
            }
        };
        taken.map_err(|_| Error::event_too_large(self.limits.event))?;
        Ok(false)
    }

    #[inline]
    fn check_line(&self, length: usize) -> Result<(), Error> {
        if length > self.limits.line {
            return Err(Error::line_too_long(self.limits.line));
        }
        Ok(())
    }

    /// Lets go of everything but what a client resumes with.
    fn fail(&mut self) {
        *self = Self {
            failed: true,
            block: self.block.outlast(self.lines.chunk()),
            limits: self.limits,
            ..Self::default()
        };
    }
}

impl Iterator for Decoder {
    type Item = Result<Message, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_used_up() {
            return None;
        }
        if self.is_at_data() || self.skip_to_data() {
            let memory = self.memory();
            if let Some(data) = self.take_line() {
                return Some(Ok(Message::of_data(memory, data)));
            }
        } else if self.is_at_joined() {
            let memory = self.take_joined();
            self.look_ahead();
            return Some(Ok(Message::of_all(memory)));
        }
        Some(match self.seek()? {
            Ok(()) => Ok(self.take_found()),
            Err(error) => Err(error),
        })
    }
}

/// The largest chunk that is read in one piece.
const CHUNK: usize = 1 << 30;
