//! The end of a connection: what is queued, the close frame, the peer's, the transport's.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_io::{AsyncRead, AsyncWrite};

use super::{
    clock::Rare,
    driver::{Driver, Next},
    io::End,
    params::Role,
    writing::Sent,
};
use crate::ws::{CloseCode, CloseFrame, Closed, ClosedBy};

/// How much is read and dropped, so that the close frame does not get lost to a reset: a transport that is closed
/// with unread input tells the peer so, and the peer then drops what it has not read yet.
const DRAIN: usize = 1 << 20;

/// How much is read and dropped before the peer's close frame, where there is no clock to bound it: more than is on
/// its way when a peer that keeps the rules sees ours.
const TIMELESS: usize = 16 << 20;

/// How a connection is being closed (RFC 6455, section 7).
#[derive(Debug)]
pub(super) struct Closing {
    by: ClosedBy,
    step: Step,
    /// What is sent: the first close frame, or the answer to it.
    frame: Option<CloseFrame>,
    /// What is reported: the first close frame of the two.
    first: Option<CloseFrame>,
    /// Whether the peer's close frame has come, or is to be waited for.
    peer: Peer,
    sent: bool,
    /// Bytes that came before the peer's close frame, and after.
    awaited: usize,
    drained: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Closed,
    Awaited,
    /// It broke a rule, or is gone: nothing is expected of it.
    Ignored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Queue,
    Frame,
    Flush,
    Peer,
    Shutdown,
    Drain,
    Done,
}

impl Closing {
    /// This side goes first.
    pub(super) fn ask(frame: Option<CloseFrame>) -> Self {
        Self::new(
            ClosedBy::Local,
            frame.clone(),
            frame,
            Peer::Awaited,
            Step::Queue,
        )
    }

    /// The peer went first: it gets its own code back.
    pub(super) fn answer(frame: Option<CloseFrame>) -> Self {
        let answer = frame.as_ref().map(|frame| CloseFrame::new(frame.code()));
        Self::new(ClosedBy::Peer, answer, frame, Peer::Closed, Step::Queue)
    }

    /// The peer is told what it did, and nothing more is expected of it (RFC 6455, section 7.1.7).
    pub(super) fn fail(by: ClosedBy, code: CloseCode, what: &'static str) -> Self {
        let frame = CloseFrame::new(code).reason(what);
        let first = (by == ClosedBy::Local).then(|| frame.clone());
        Self::new(by, Some(frame), first, Peer::Ignored, Step::Frame)
    }

    const fn new(
        by: ClosedBy,
        frame: Option<CloseFrame>,
        first: Option<CloseFrame>,
        peer: Peer,
        step: Step,
    ) -> Self {
        Self {
            by,
            step,
            frame,
            first,
            peer,
            sent: false,
            awaited: 0,
            drained: 0,
        }
    }

    /// What is reported of it, as far as it came.
    pub(super) fn closed(&self) -> Closed {
        let clean = self.sent && self.peer == Peer::Closed;
        Closed::new(self.by, self.first.clone(), clean)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    /// Goes on closing.
    pub(super) fn poll_closing(&mut self, cx: &mut Context<'_>) -> Next {
        let close_timeout = self.settings.close_timeout;
        let late = self.rings(Rare::Deadline, close_timeout, cx);
        // Two steps take part in every loop, so the bound is far above what is ever needed.
        for _ in 0..64 {
            let super::driver::Phase::Closing(closing) = &mut self.phase else {
                return Next::Ended;
            };
            if closing.step == Step::Done || late {
                let closed = closing.closed();
                self.finish(closed);
                return Next::Again;
            }
            let step = closing.step;
            match self.closing_step(step, cx) {
                Ok(Poll::Ready(next)) => self.set_step(next),
                Ok(Poll::Pending) => return Next::Wait,
                Err(end) => {
                    self.lost(end);
                    return Next::Again;
                }
            }
        }
        cx.waker().wake_by_ref();
        Next::Wait
    }

    fn closing_step(&mut self, step: Step, cx: &mut Context<'_>) -> Result<Poll<Step>, End> {
        match step {
            Step::Queue => {
                let mut sent = Sent::default();
                let encoded = self.encode(cx, &mut sent);
                self.settle(&sent, cx);
                encoded?;
                if self.blocked {
                    return Ok(self.unblock(cx));
                }
                // What was queued while the transport took nothing is behind what it took now.
                self.load();
                Ok(Poll::Ready(match self.tx.is_empty() {
                    true => Step::Frame,
                    false => Step::Queue,
                }))
            }
            Step::Frame => self.send_close(cx).map(Poll::Ready),
            Step::Flush => {
                if self.flush(cx)?.is_pending() {
                    return Ok(self.unblock(cx));
                }
                self.settle(&Sent::default(), cx);
                Ok(Poll::Ready(self.after_flush()))
            }
            Step::Peer => Ok(self.await_peer(cx)),
            Step::Shutdown => Ok(self.shut_down(cx)),
            Step::Drain => Ok(self.drain(cx)),
            Step::Done => Ok(Poll::Ready(Step::Done)),
        }
    }

    /// Counts what left, and tells those who wait for it; the handler of this task is polled once more.
    fn settle(&mut self, sent: &Sent, cx: &mut Context<'_>) {
        if self.unload(sent, cx) {
            cx.waker().wake_by_ref();
        }
    }

    fn set_step(&mut self, next: Step) {
        if let super::driver::Phase::Closing(closing) = &mut self.phase {
            closing.step = next;
        }
    }

    fn closing(&mut self) -> Option<&mut Closing> {
        match &mut self.phase {
            super::driver::Phase::Closing(closing) => Some(closing),
            _ => None,
        }
    }

    fn send_close(&mut self, cx: &mut Context<'_>) -> Result<Step, End> {
        let frame = self.closing().and_then(|closing| closing.frame.take());
        let Some(framer) = self.wire.awake(self.role) else {
            return Err(End::Eof);
        };
        framer.send_close(frame, cx)?;
        self.dirty = true;
        Ok(Step::Flush)
    }

    /// The close frame is out: the encoder has done its work.
    fn after_flush(&mut self) -> Step {
        self.wire.sleep();
        let role = self.role;
        let Some(closing) = self.closing() else {
            return Step::Done;
        };
        closing.sent = true;
        match (closing.peer, role) {
            (Peer::Awaited, _) => Step::Peer,
            (Peer::Ignored, _) | (Peer::Closed, Role::Server) => Step::Shutdown,
            // The server ends the transport first, so that it is the one to remember it (section 7.1.1).
            (Peer::Closed, Role::Client) => Step::Drain,
        }
    }

    /// A peer that does not read may be waiting for us to read: both would wait for ever.
    fn unblock(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        match self.await_peer(cx) {
            // It sends for ever, and takes nothing.
            _ if self.is_flooded() => Poll::Ready(Step::Done),
            Poll::Ready(Step::Peer) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Pending,
        }
    }

    /// Whether so much came instead of a close frame that there will be none, as far as can be told without a clock.
    fn is_flooded(&mut self) -> bool {
        let timeless = self.timer.is_none();
        timeless
            && self
                .closing()
                .is_some_and(|closing| closing.awaited > TIMELESS)
    }

    /// Reads and drops until the peer's close frame. `Ready(Step::Peer)` when there may be more to read.
    fn await_peer(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let role = self.role;
        let Some(io) = self.wire.io() else {
            return Poll::Ready(Step::Done);
        };
        match io.poll_discard(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(bytes)) => {
                if let Some(closing) = self.closing() {
                    closing.awaited = closing.awaited.saturating_add(bytes);
                }
                Poll::Ready(match self.is_flooded() {
                    true => Step::Shutdown,
                    false => Step::Peer,
                })
            }
            Poll::Ready(None) => {
                let closed = matches!(io.found.end.as_deref(), Some(End::Close(_)));
                if let Some(closing) = self
                    .closing()
                    .filter(|closing| closing.peer == Peer::Awaited)
                {
                    closing.peer = if closed { Peer::Closed } else { Peer::Ignored };
                }
                Poll::Ready(match role {
                    Role::Client if closed => Step::Drain,
                    Role::Client | Role::Server => Step::Shutdown,
                })
            }
        }
    }

    /// Half-closes: the peer sees the end, and what it sent can still be read.
    fn shut_down(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let Some(io) = self.wire.io() else {
            return Poll::Ready(Step::Done);
        };
        match Pin::new(io.transport()).poll_close(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(Step::Drain),
            Poll::Ready(Err(_)) => Poll::Ready(Step::Done),
        }
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let timeless = self.timer.is_none();
        let Some(io) = self.wire.io() else {
            return Poll::Ready(Step::Done);
        };
        let read = io.poll_drain(cx);
        let Some(closing) = self.closing() else {
            return Poll::Ready(Step::Done);
        };
        match read {
            // Nothing would end the wait for a peer that keeps its side open.
            Poll::Pending if timeless => Poll::Ready(Step::Done),
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(Step::Done),
            Poll::Ready(Some(bytes)) => {
                closing.drained += bytes;
                Poll::Ready(if closing.drained > DRAIN {
                    Step::Done
                } else {
                    Step::Drain
                })
            }
        }
    }
}
