//! The part of the driver that knows who ended the connection, and how.

use std::{io, task::Waker};

use futures_io::{AsyncRead, AsyncWrite};

use super::{
    closing::Closing,
    driver::{Driver, Phase},
    io::End,
    line::Line,
    wire::Wire,
};
use crate::{
    lifecycle::EndReason,
    trace::debug,
    ws::{CloseCode, CloseFrame, Closed, ClosedBy, Error},
};

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    /// Nothing more comes from the peer.
    pub(super) fn input_ended(&mut self, end: End) {
        debug!(?end, "the peer's part of a WebSocket has ended");
        let error = match &end {
            End::Close(_) | End::Eof => None,
            End::Fault(fault) => Some(Error::fault(fault.code, fault.what)),
            End::Failed(error) => Some(Error::io(io::Error::new(error.kind(), error.to_string()))),
        };
        self.reason.get_or_insert(match &end {
            End::Close(_) => EndReason::ClientClosed,
            End::Fault(_) => EndReason::Protocol,
            End::Eof | End::Failed(_) => EndReason::Disconnected,
        });
        self.phase = Phase::Answering(Box::new(end));
        self.end_input(error);
    }

    fn end_input(&self, error: Option<Error>) {
        let mut state = self.shared.lock();
        if !state.input_ended {
            state.input_ended = true;
            state.error = error;
        }
        state.stalled = false;
        // It will never be whole.
        state.offer = None;
        let receiver = state.receiver.take();
        drop(state);
        // Also when it is this task: the end is rare, and one more poll is simpler than to tell who waits.
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }

    /// All that came before the end of the peer has been answered, or time is up: now the end itself.
    pub(super) fn answer_end(&mut self) {
        let Phase::Answering(end) = std::mem::replace(&mut self.phase, Phase::Ended) else {
            return;
        };
        let closing = match *end {
            End::Close(frame) => Closing::answer(frame),
            End::Fault(fault) => Closing::fail(ClosedBy::Local, fault.code, fault.what),
            // Half of the transport may still stand: the peer is told that it was no clean end.
            End::Eof => Closing::fail(
                ClosedBy::Nobody,
                CloseCode::PROTOCOL,
                "the end without a close frame",
            ),
            End::Failed(_) => return self.finish(Closed::new(ClosedBy::Nobody, None, false)),
        };
        self.begin_closing(closing);
    }

    /// This side wants the end.
    pub(super) fn close_locally(&mut self, frame: Option<CloseFrame>) {
        match self.phase {
            Phase::Open => {
                self.reason.get_or_insert(EndReason::Finished);
                self.end_input(None);
                self.begin_closing(Closing::ask(frame));
            }
            // The peer was first.
            Phase::Answering(_) => self.answer_end(),
            Phase::Closing(_) | Phase::Ended => {}
        }
    }

    /// The peer did something that ends the connection, by our rules.
    pub(super) fn fail(
        &mut self,
        code: CloseCode,
        what: &'static str,
        error: Error,
        reason: EndReason,
    ) {
        debug!(code = code.get(), what, "a WebSocket is closed");
        self.reason.get_or_insert(reason);
        self.end_input(Some(error));
        self.begin_closing(Closing::fail(ClosedBy::Local, code, what));
    }

    fn begin_closing(&mut self, closing: Closing) {
        self.feed = None;
        self.beat.reset();
        self.rares.reset_all();
        self.phase = Phase::Closing(Box::new(closing));
        let mut state = self.shared.lock();
        state.output_ended = true;
        state.stalled = false;
        // What is still to be sent goes first; what nobody will read goes.
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        waiters.into_iter().for_each(Waker::wake);
        self.load();
    }

    /// The transport failed while it was written to.
    pub(super) fn lost(&mut self, end: End) {
        debug!(?end, "the transport of a WebSocket is lost");
        let closed = match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Closing(closing) => closing.closed(),
            Phase::Answering(end) => match *end {
                End::Close(frame) => Closed::new(ClosedBy::Peer, frame, false),
                _ => Closed::new(ClosedBy::Nobody, None, false),
            },
            Phase::Open | Phase::Ended => Closed::new(ClosedBy::Nobody, None, false),
        };
        self.reason.get_or_insert(EndReason::Disconnected);
        let error = match end {
            End::Failed(error) => Some(Error::io(error)),
            End::Close(_) | End::Eof | End::Fault(_) => None,
        };
        self.end_input(error);
        self.finish(closed);
    }

    /// The connection and its handler have ended.
    pub(super) fn end_guard(&mut self) {
        if let Some(guard) = self.guard.take() {
            let code = self.shared.lock().closed.as_deref().map(Closed::code);
            guard.end(self.reason.unwrap_or(EndReason::Finished), code);
        }
    }

    /// The connection has ended: the transport goes, and everybody learns of it.
    pub(super) fn finish(&mut self, closed: Closed) {
        debug!(
            code = closed.code(),
            clean = closed.is_clean(),
            "a WebSocket has ended"
        );
        self.phase = Phase::Ended;
        self.wire = Wire::Gone;
        self.tx = Line::new();
        self.feed = None;
        let mut state = self.shared.lock();
        state.output_ended = true;
        state.input_ended = true;
        state.outbox.clear();
        state.closed = Some(Box::new(closed));
        let mut waiters = std::mem::take(&mut state.waiters);
        waiters.extend(state.receiver.take());
        drop(state);
        waiters.into_iter().for_each(Waker::wake);
    }
}
