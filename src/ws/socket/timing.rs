//! The part of the driver that keeps time.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_io::{AsyncRead, AsyncWrite};

use super::{
    clock::Rare,
    driver::{Driver, Phase},
    io::End,
};
use crate::{
    lifecycle::{EndReason, Pace, StreamGuard},
    ws::{CloseCode, CloseFrame, Error, heartbeat::Beat},
};

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    /// Hears what is ordered from outside: a drain, an age that is reached, a revocation.
    pub(super) fn obey(&mut self, cx: &mut Context<'_>) {
        let Some(guard) = &mut self.guard else {
            return;
        };
        while let Poll::Ready(order) = guard.poll_close(cx) {
            if order.pace == Pace::Forced {
                return self.abandon(order.reason);
            }
            let code = CloseCode::new(order.code).unwrap_or(CloseCode::GOING_AWAY);
            let frame = CloseFrame::new(code).reason(order.text.into_owned());
            self.reason.get_or_insert(order.reason);
            self.shared.close(Some(frame));
        }
    }

    /// Ends at once, in whatever state, and the handler too.
    fn abandon(&mut self, reason: EndReason) {
        self.forced = true;
        self.reason.get_or_insert(reason);
        if !matches!(self.phase, Phase::Ended) {
            self.lost(End::Eof);
        }
    }

    /// For the statistics, where somebody keeps them.
    pub(super) fn count(&mut self, count: impl FnOnce(&mut StreamGuard)) {
        if let Some(guard) = &mut self.guard {
            count(guard);
        }
    }

    /// Whether a rare alarm rings, `after` it was first asked for.
    pub(super) fn rings(&mut self, which: Rare, after: Duration, cx: &mut Context<'_>) -> bool {
        self.rares
            .poll(which, self.timer.as_ref(), after, cx)
            .is_ready()
    }

    /// Looks at every clock that matters now.
    pub(super) fn keep_time(&mut self, cx: &mut Context<'_>) {
        if matches!(self.phase, Phase::Answering(_)) {
            let close_timeout = self.settings.close_timeout;
            if self.rings(Rare::Deadline, close_timeout, cx) {
                self.answer_end();
            }
            return;
        }
        self.keep_message_time(cx);
        self.keep_control_rate(cx);
        if matches!(self.phase, Phase::Open) {
            self.keep_beat(cx);
        }
    }

    /// Most peers never send so many that the clock has to be looked at.
    fn keep_control_rate(&mut self, cx: &mut Context<'_>) {
        let limit = self.settings.limits.control_frames;
        let Some(io) = self.wire.io() else { return };
        let count = io.found.controls;
        if count <= limit / 2 || self.timer.is_none() {
            return;
        }
        let second = self.rares.poll(
            Rare::Controls,
            self.timer.as_ref(),
            Duration::from_secs(1),
            cx,
        );
        if count > limit {
            let (code, what) = (CloseCode::POLICY, "too many control frames");
            self.fail(code, what, Error::fault(code, what), EndReason::Protocol);
        } else if second.is_ready() {
            io.found.controls = 0;
        }
    }

    fn keep_message_time(&mut self, cx: &mut Context<'_>) {
        let Some(limit) = self.settings.limits.message_time else {
            return;
        };
        // While this side does not read, the peer is not to blame.
        let began = match self.wire.io() {
            Some(io) if !io.has_unread() => !io.inspector().is_between_messages(),
            _ => false,
        } && !self.shared.lock().stalled;
        if !began {
            self.rares.reset(Rare::Message);
        } else if self.rings(Rare::Message, limit, cx) {
            let (code, what) = (CloseCode::POLICY, "a message took too long");
            self.fail(code, what, Error::fault(code, what), EndReason::Protocol);
        }
    }

    fn keep_beat(&mut self, cx: &mut Context<'_>) {
        self.measure_round_trip();
        let settings = Arc::clone(&self.settings);
        while let Some(pause) = self.pulse.pause(&settings.heartbeat) {
            if self.beat.poll(self.timer.as_ref(), pause, cx).is_pending() {
                return;
            }
            if let Some(io) = self.wire.io() {
                io.transport().rest();
                io.found.controls = 0;
            }
            // The second of that count is over as well.
            self.rares.reset(Rare::Controls);
            let deaf = self.shared.lock().stalled;
            match self.pulse.tick(&settings.heartbeat, deaf) {
                Beat::Nothing => {}
                Beat::Ping => self.ping.due = true,
                Beat::Lost => {
                    let (code, what) = (CloseCode::POLICY, "no answer to a ping");
                    // A peer that takes nothing can't have read the ping either.
                    let reason = match self.blocked {
                        true => EndReason::Stalled,
                        false => EndReason::Unresponsive,
                    };
                    return self.fail(code, what, Error::timeout(what), reason);
                }
                Beat::Idle => {
                    let (code, what) = (CloseCode::GOING_AWAY, "no message for too long");
                    return self.fail(code, what, Error::timeout(what), EndReason::Expired);
                }
            }
        }
    }

    fn measure_round_trip(&mut self) {
        let Some(pong) = self.wire.io().and_then(|io| io.found.pong.take()) else {
            return;
        };
        if pong == self.ping.count {
            if let Some(sent) = self.ping.sent.take().as_deref() {
                let elapsed = sent.elapsed();
                self.shared.lock().round_trip = Some(elapsed);
                self.count(|guard| guard.round_trip(elapsed));
            }
        }
    }
}
