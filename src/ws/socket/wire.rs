//! The transport with its decoder, which exists only while there is something to decode or to send.

use std::{
    mem,
    task::{Context, Poll},
};

use futures_io::{AsyncRead, AsyncWrite};

use super::{
    inspector::Data,
    io::{End, Io},
    params::Role,
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

/// What reading led to.
pub(super) enum Read {
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

impl Budget {
    pub(super) const fn new() -> Self {
        Self {
            messages: 1024,
            bytes: 256 << 10,
        }
    }

    pub(super) const fn is_spent(&self) -> bool {
        self.messages == 0 || self.bytes == 0
    }

    const fn spend(&mut self, messages: usize, bytes: usize) {
        self.messages = self.messages.saturating_sub(messages);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire<T> {
    /// The decoder and encoder; wakes up if need be. `None` when the transport is gone.
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

    /// Gives the decoder up. What is in it is lost, unless it is clean.
    pub(super) fn sleep(&mut self) {
        if let Self::Awake(_) = self {
            if let Self::Awake(framer) = mem::replace(self, Self::Gone) {
                *self = Self::Asleep(framer.into_io());
            }
        }
    }

    /// Whether the decoder holds nothing that would be missed.
    pub(super) fn is_clean(&self) -> bool {
        match self {
            Self::Awake(framer) => framer.is_clean(),
            Self::Asleep(_) | Self::Gone => true,
        }
    }

    pub(super) fn io(&mut self) -> Option<&mut Io<T>> {
        match self {
            Self::Asleep(io) => Some(io),
            Self::Awake(framer) => Some(framer.io()),
            Self::Gone => None,
        }
    }

    /// Reads on, up to the next message. `heard` is set when something came, whatever it was.
    pub(super) fn read(
        &mut self,
        role: Role,
        cx: &mut Context<'_>,
        budget: &mut Budget,
        heard: &mut bool,
    ) -> Read {
        loop {
            if budget.is_spent() {
                return Read::Spent;
            }
            if let Some(read) = self.decode(role, cx, budget) {
                return read;
            }
            let Some(io) = self.io() else {
                return Read::End(End::Eof);
            };
            if let Some(end) = io.found.end.take() {
                return Read::End(*end);
            }
            match io.poll_fill(cx) {
                Poll::Pending => return Read::Dry,
                Poll::Ready(Some(bytes)) => {
                    *heard = true;
                    budget.spend(0, bytes);
                }
                Poll::Ready(None) => {}
            }
        }
    }

    /// The next message of what has been read, if there is a whole one.
    fn decode(&mut self, role: Role, cx: &mut Context<'_>, budget: &mut Budget) -> Option<Read> {
        let io = self.io()?;
        io.inspect();
        let read = match self.decoded(role, cx) {
            Some(Err(end)) => return Some(Read::End(end)),
            Some(Ok(message)) => Data::Message(message),
            // What was put together comes after what the decoder had.
            None => {
                let io = self.io()?;
                match io.found.data.take() {
                    Some(data) => *data,
                    None if io.inspector().is_held() => return Some(Read::Held),
                    None => return None,
                }
            }
        };
        budget.spend(1, 0);
        Some(Read::Data(read))
    }

    /// The next message that comes out of the decoder.
    fn decoded(&mut self, role: Role, cx: &mut Context<'_>) -> Option<Result<Message, End>> {
        if let Self::Asleep(io) = self {
            if !io.has_pass() {
                return None;
            }
        }
        let framer = self.awake(role)?;
        // An attempt without input costs the zeroing of the decoder's buffer.
        if !framer.has_input() {
            return None;
        }
        framer.next(cx)
    }
}
