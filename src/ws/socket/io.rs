//! The byte stream, each of its frames checked.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_io::AsyncRead;

use super::{
    ahead::Ahead,
    control::{Control, Fault},
    inspector::{Data, Inspector, Step, Taking},
    line::Line,
    params::Settings,
    past::Rest,
    plain::User,
};
use crate::ws::{CloseFrame, deflate::DeflateIo};

/// The most pongs that wait to be sent. A peer that pings and does not read gets the newest ones.
const MAX_PONGS: usize = 16;
/// So many bytes of a large message count as one: none is copied, looked at or handed over in small pieces, and a turn
/// that ends in the middle of a message is dear, since the others push it out of the cache. One of 1 MiB fits a turn.
const CHEAP: usize = 8;

/// A transport, the bytes read ahead of it, and what was found in them.
///
/// The driver alone decides when to read, and knows which waker the transport holds.
#[derive(Debug)]
pub(super) struct Io<T> {
    pub(super) transport: DeflateIo<T>,
    ahead: Ahead,
    inspector: Inspector,
    settings: Arc<Settings>,
    /// So many unread bytes are whole messages, to be decoded.
    pass: u32,
    pub(super) found: Found,
    pub(super) rest: Rest,
    _user: User,
}

/// What the inspected bytes held beside data.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Payloads of pings that want an answer, the oldest first.
    pub(super) pings: Line<Bytes>,
    /// The payload of the last pong, where it is one of ours: the number of the ping.
    pub(super) pong: Option<u32>,
    /// How many pings and pongs came.
    pub(super) controls: u32,
    /// A message, or a part of one, that came after everything that was passed on.
    // Boxed, as is the end: they are large, and most connections are idle.
    pub(super) data: Option<Box<Data>>,
    /// How the peer's part ended.
    pub(super) end: Option<Box<End>>,
}

/// Why nothing more comes from the peer.
#[derive(Debug)]
pub(super) enum End {
    /// A close frame; `None` is an empty one.
    Close(Option<CloseFrame>),
    /// It broke a rule.
    Fault(Fault),
    /// The transport ended.
    Eof,
    /// The transport failed.
    Failed(io::Error),
}

impl<T> Io<T> {
    pub(super) fn new(
        transport: DeflateIo<T>,
        inspector: Inspector,
        settings: Arc<Settings>,
    ) -> Self {
        Self {
            transport,
            ahead: Ahead::default(),
            inspector,
            settings,
            pass: 0,
            found: Found::default(),
            rest: Rest::default(),
            _user: User::new(),
        }
    }

    pub(super) const fn inspector(&self) -> &Inspector {
        &self.inspector
    }

    pub(super) const fn inspector_mut(&mut self) -> &mut Inspector {
        &mut self.inspector
    }

    pub(super) const fn transport(&mut self) -> &mut DeflateIo<T> {
        &mut self.transport
    }

    pub(super) const fn has_unread(&self) -> bool {
        !self.ahead.is_empty() || self.found.data.is_some()
    }

    /// Whether there are whole messages to be decoded.
    pub(super) const fn has_pass(&self) -> bool {
        self.pass > 0
    }

    /// Unread bytes will have to wait.
    pub(super) fn settle(&mut self) {
        self.ahead.settle();
    }

    /// Looks at unread bytes, up to whole messages, or what somebody else has to deal with.
    pub(super) fn inspect(&mut self) {
        while self.pass == 0 && self.found.data.is_none() && self.found.end.is_none() {
            if self.inspector.is_held() {
                return;
            }
            let unread = self.ahead.unread();
            let any = unread.is_empty() && !self.inspector.is_due();
            match self.inspector.part(any) {
                Ok(Some(part)) => {
                    let part = Data::Piece { part, last: false };
                    self.found.data = Some(Box::new(part));
                    return;
                }
                Ok(None) if any => return,
                Ok(None) => {}
                Err(fault) => return self.fail(fault),
            }
            self.step();
        }
    }

    fn step(&mut self) {
        let unread = self.ahead.unread();
        let whole = self.inspector.whole(unread.len());
        let step = match whole.and_then(|count| self.ahead.take(count)) {
            Some(payload) => self.inspector.adopt(payload),
            None => self
                .inspector
                .step(self.ahead.unread(), &self.settings.limits),
        };
        self.take(step);
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Pass(count) => self.pass = count as u32,
            Step::Drop(count) => self.ahead.consume(count),
            Step::Control(count, control) => {
                self.ahead.consume(count);
                self.found.control(control);
            }
            Step::Data(count, data) => {
                self.ahead.consume(count);
                self.found.data = Some(Box::new(data));
            }
            Step::Fault(fault) => self.fail(fault),
        }
    }

    /// The peer broke a rule: nothing more of it is looked at.
    fn fail(&mut self, fault: Fault) {
        self.found.end = Some(Box::new(End::Fault(fault)));
    }

    /// A message that is too large, and that nobody takes in parts.
    pub(super) fn decline(&mut self) {
        if let Some(fault) = self.inspector.decline() {
            self.fail(fault);
        }
    }

    /// The bytes of whole messages that come next.
    pub(super) fn pass(&self) -> &[u8] {
        &self.ahead.unread()[..self.pass as usize]
    }

    /// A message of so many bytes has been taken out of them.
    pub(super) fn passed(&mut self, count: usize) {
        self.pass -= count as u32;
        self.ahead.consume(count);
    }

    /// Drops what has been read.
    fn discard(&mut self) {
        self.found.data = None;
        while self.has_unread() && self.found.end.is_none() {
            self.inspector.take_as(Taking::Nothing);
            self.inspect();
            self.ahead.consume(std::mem::take(&mut self.pass) as usize);
            self.found.data = None;
        }
    }
}

impl<T: AsyncRead + Unpin> Io<T> {
    /// Reads what the transport has, that of a large message to where it will stay; only when nothing is unread. What
    /// it cost, in bytes; `None` when the peer's part has ended.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        let Some(room) = self.inspector.room() else {
            return self.poll_fill(cx);
        };
        let read = ready!(Pin::new(&mut self.transport).poll_read(cx, room));
        let count = self.came(read);
        if let Some(count) = count {
            let step = self.inspector.filled(count);
            self.take(step);
        }
        Poll::Ready(count.map(|count| count / CHEAP))
    }

    /// Reads what the transport has; only when nothing is unread. How much it was; `None` when the peer's part has
    /// ended.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        if self.found.end.is_some() {
            return Poll::Ready(None);
        }
        let read = ready!(self.ahead.fill(&mut self.transport, cx));
        Poll::Ready(self.came(read))
    }

    fn came(&mut self, read: io::Result<usize>) -> Option<usize> {
        let end = match read {
            Ok(0) => End::Eof,
            Ok(count) => return Some(count),
            Err(error) => End::of(error),
        };
        self.found.end = Some(Box::new(end));
        None
    }

    /// Reads and drops everything, until the peer's close frame or the end. `Ready` says how many bytes went by.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        loop {
            self.discard();
            if self.found.end.is_some() {
                self.ahead.clear();
                return Poll::Ready(None);
            }
            if self.ahead.is_empty() {
                return self.poll_fill(cx);
            }
        }
    }

    /// Reads and drops everything, also after the peer's close frame. `Ready` says how many bytes went by, or that
    /// the transport ended.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        self.pass = 0;
        self.ahead.clear();
        self.ahead
            .fill(&mut self.transport, cx)
            .map(|read| read.ok().filter(|&count| count > 0))
    }
}

impl Found {
    fn control(&mut self, control: Control) {
        match control {
            Control::Ping(payload) => {
                self.controls = self.controls.saturating_add(1);
                if self.pings.len() == MAX_PONGS {
                    self.pings.pop();
                }
                self.pings.push(payload);
            }
            Control::Pong(payload) => {
                self.controls = self.controls.saturating_add(1);
                self.pong = payload[..].try_into().ok().map(u32::from_be_bytes);
            }
            Control::Close(frame) => self.end = Some(Box::new(End::Close(frame))),
        }
    }
}

impl End {
    /// A peer that vanishes is an end like another; it shows in `Closed` that it was not clean.
    pub(super) fn of(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        // What lies below this may inspect the bytes as well.
        let below = error
            .get_ref()
            .and_then(|cause| cause.downcast_ref::<Fault>());
        if let Some(fault) = below {
            return Self::Fault(*fault);
        }
        match error.kind() {
            Kind::BrokenPipe
            | Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::NotConnected
            // TLS without its goodbye.
            | Kind::UnexpectedEof
            // It takes nothing more. tungstenite calls that a reset.
            | Kind::WriteZero => Self::Eof,
            _ => Self::Failed(error),
        }
    }
}
