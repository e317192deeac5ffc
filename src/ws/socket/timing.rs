//! The part of the driver that keeps time.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_io::{AsyncRead, AsyncWrite};

use super::driver::{Driver, Phase};
use crate::ws::{CloseCode, Error, heartbeat::Beat};

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    /// Looks at every clock that matters now.
    pub(super) fn keep_time(&mut self, cx: &mut Context<'_>) {
        if let Some(stop) = &mut self.stop {
            if let Poll::Ready(frame) = stop.as_mut().poll(cx) {
                self.stop = None;
                self.shared.lock().close.get_or_insert(Some(frame));
            }
        }
        if matches!(self.phase, Phase::Answering(_)) {
            let close_timeout = self.settings.close_timeout;
            if self
                .deadline
                .poll(self.timer.as_ref(), close_timeout, cx)
                .is_ready()
            {
                self.answer_end();
            }
            return;
        }
        self.keep_message_time(cx);
        self.keep_beat(cx);
    }

    fn keep_message_time(&mut self, cx: &mut Context<'_>) {
        let Some(limit) = self.settings.limits.message_time else {
            return;
        };
        // While this side does not read, the peer is not to blame.
        let began = match self.wire.io() {
            Some(io) if !io.has_unread() => !io.inspector().is_between_messages(),
            _ => false,
        };
        if !began {
            self.message_time.reset();
        } else if self
            .message_time
            .poll(self.timer.as_ref(), limit, cx)
            .is_ready()
        {
            self.fail(CloseCode::POLICY, "a message took too long", Error::fault);
        }
    }

    fn keep_beat(&mut self, cx: &mut Context<'_>) {
        self.measure_round_trip();
        let settings = Arc::clone(&self.settings);
        while let Some(pause) = self.pulse.pause(&settings.heartbeat) {
            if self.beat.poll(self.timer.as_ref(), pause, cx).is_pending() {
                return;
            }
            let deaf = self.shared.lock().stalled;
            match self.pulse.tick(&settings.heartbeat, deaf) {
                Beat::Nothing => {}
                Beat::Ping => self.ping.due = true,
                Beat::Lost => {
                    return self.fail(CloseCode::POLICY, "no answer to a ping", |_, what| {
                        Error::timeout(what)
                    });
                }
                Beat::Idle => {
                    return self.fail(
                        CloseCode::GOING_AWAY,
                        "no message for too long",
                        |_, what| Error::timeout(what),
                    );
                }
            }
        }
    }

    fn measure_round_trip(&mut self) {
        let Some(pong) = self.wire.io().and_then(|io| io.found.pong.take()) else {
            return;
        };
        if pong[..] == self.ping.count.to_be_bytes() {
            if let Some(sent) = self.ping.sent.take() {
                self.shared.lock().round_trip = Some(sent.elapsed());
            }
        }
    }
}
