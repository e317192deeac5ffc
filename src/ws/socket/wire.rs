//! The transport with its encoder, which exists only while it has something to send.

use std::{
    mem,
    task::{Context, Poll},
};

use futures_io::{AsyncRead, AsyncWrite};

use super::{
    inspector::Data,
    io::{End, Io},
    line::Line,
    params::Role,
    queue::Room,
    spare::Spare,
    tungstenite::Framer,
};
use crate::ws::Message;

/// A connection's transport. Asleep it is as small as it can be: most connections are idle most of the time.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "most connections are asleep, and would pay for a box and for what is in it"
)]
pub(super) enum Wire<T> {
    Asleep(Io<T>),
    Awake(Framer<T>),
    Gone,
}

/// What a turn may still read, so that one connection does not keep the thread from the others.
#[derive(Debug)]
pub(super) struct Budget {
    messages: usize,
    bytes: usize,
}

/// What a read costs at least, in bytes: a turn has 1,024 of them, however little each brings.
const A_READ: usize = 256;

/// What reading led to.
pub(super) enum Read {
    /// Whole messages are there to be decoded.
    Passed,
    Data(Data),
    /// A message is too large to be held whole, and somebody has to say what becomes of it.
    Held,
    /// Nothing more is there; the transport will wake the task.
    Dry,
    /// Nothing more ever comes.
    End(End),
    /// There may be more, and it is the others' turn.
    Spent,
}

/// Messages on their way to the inbox.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) messages: Line<Message>,
    pub(super) bytes: usize,
    room: Room,
}

impl Budget {
    pub(super) const fn new() -> Self {
        Self {
            messages: 1024,
            bytes: 256 << 10,
        }
    }

    #[inline]
    pub(super) const fn is_spent(&self) -> bool {
        self.messages == 0 || self.bytes == 0
    }

    #[inline]
    pub(super) const fn spend(&mut self, messages: usize, bytes: usize) {
        self.messages = self.messages.saturating_sub(messages);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire<T> {
    /// The encoder; wakes up if need be. `None` when the transport is gone.
    pub(super) fn awake(&mut self, role: Role) -> Option<&mut Framer<T>> {
        if let Self::Asleep(_) = self {
            if let Self::Asleep(io) = mem::replace(self, Self::Gone) {
                *self = Self::Awake(Framer::new(io, role));
            }
        }
        match self {
            Self::Awake(framer) => Some(framer),
            Self::Asleep(_) | Self::Gone => None,
        }
    }

    /// Gives the encoder up, and what is in it.
    pub(super) fn sleep(&mut self) {
        if let Self::Awake(_) = self {
            if let Self::Awake(framer) = mem::replace(self, Self::Gone) {
                *self = Self::Asleep(framer.into_io());
            }
        }
    }

    pub(super) fn io(&mut self) -> Option<&mut Io<T>> {
        match self {
            Self::Asleep(io) => Some(io),
            Self::Awake(framer) => Some(framer.io()),
            Self::Gone => None,
        }
    }

    /// Whether the encoder may hold something.
    pub(super) const fn is_holding(&self) -> bool {
        match self {
            Self::Awake(framer) => framer.is_holding(),
            Self::Asleep(_) | Self::Gone => false,
        }
    }

    /// Whether there is an encoder.
    pub(super) const fn is_awake(&self) -> bool {
        matches!(self, Self::Awake(_))
    }

    /// Whether the encoder holds more memory than it is worth.
    pub(super) const fn is_bulky(&self) -> bool {
        match self {
            Self::Awake(framer) => framer.is_bulky(),
            Self::Asleep(_) | Self::Gone => false,
        }
    }

    /// Ready when everything is with the transport, and has left it.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        match self {
            Self::Awake(framer) => framer.poll_flush(cx),
            Self::Asleep(io) => io.poll_flush(cx).map_err(End::of),
            Self::Gone => Poll::Ready(Err(End::Eof)),
        }
    }

    /// Decodes the whole messages that have been read, as far as there is room.
    pub(super) fn decode(&mut self, batch: &mut Batch, budget: &mut Budget) -> Result<(), End> {
        match self.io() {
            Some(io) => io.decode(batch, budget),
            None => Err(End::Eof),
        }
    }

    /// Reads on, up to the next message. `heard` is set when something came, whatever it was.
    pub(super) fn read(
        &mut self,
        cx: &mut Context<'_>,
        budget: &mut Budget,
        heard: &mut bool,
    ) -> Read {
        loop {
            if budget.is_spent() {
                return Read::Spent;
            }
            let Some(io) = self.io() else {
                return Read::End(End::Eof);
            };
            io.inspect();
            if io.has_pass() {
                return Read::Passed;
            }
            // What was put together comes after what was passed on.
            if let Some(data) = io.found.data.take() {
                budget.spend(1, 0);
                return Read::Data(*data);
            }
            if io.inspector().is_held() {
                return Read::Held;
            }
            if let Some(end) = io.found.end.take() {
                return Read::End(*end);
            }
            match io.poll_read(cx) {
                Poll::Pending => return Read::Dry,
                Poll::Ready(Some(cost)) => {
                    *heard = true;
                    budget.spend(0, cost.max(A_READ));
                }
                Poll::Ready(None) => {}
            }
        }
    }
}

impl Batch {
    pub(super) const fn new(room: Room) -> Self {
        Self {
            messages: Line::new(),
            bytes: 0,
            room,
        }
    }

    #[inline]
    pub(super) const fn has_room(&self) -> bool {
        self.room.is_some()
    }

    /// A message of so many bytes is about to come.
    #[inline]
    pub(super) const fn reserve(&mut self, bytes: usize) {
        self.room.fill(bytes);
    }

    #[inline]
    pub(super) fn push(&mut self, message: Message) {
        if !self.messages.has_memory() {
            self.messages = Message::borrow();
        }
        self.bytes += message.len();
        self.messages.push(message);
    }
}
