use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body::Body;

use crate::{
    rt::{BoxSleep, DynTimer, Timer},
    sse::{Decoder, Error, Message},
};

use super::{
    connect::Incoming,
    idle::{self, Idle},
};

/// A connection that is open.
pub(super) struct Reading {
    body: Incoming,
    decoder: Decoder,
    /// Ends when the connection counts as healthy; then it is gone.
    healthy: Option<BoxSleep>,
    /// An event has come.
    useful: bool,
    ended: bool,
}

impl Reading {
    pub(super) fn new(body: Incoming, decoder: Decoder, healthy: Option<BoxSleep>) -> Self {
        Self {
            body,
            decoder,
            healthy,
            useful: false,
            ended: false,
        }
    }

    pub(super) fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The next message, or why there is none.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        watch: &mut Option<Watch>,
    ) -> Poll<Result<Message, Error>> {
        for _ in 0..FRAMES {
            if let Some(message) = self.decoder.next() {
                self.useful |= message.is_ok();
                return Poll::Ready(message);
            }
            if self.ended {
                return Poll::Ready(Err(Error::end()));
            }
            // What is there is read before a timer is asked: a program that comes late does not time out.
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Some(watch) = watch {
                        watch.active();
                    }
                    if let Ok(data) = frame.into_data() {
                        self.decoder.push_bytes(data);
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(Error::body(error))),
                Poll::Ready(None) => self.ended = true,
                Poll::Pending => {
                    self.decoder.release();
                    self.is_healthy(cx);
                    return match watch {
                        Some(watch) => watch.poll(cx).map(Err),
                        None => Poll::Pending,
                    };
                }
            }
        }
        // A body that is always ready and says nothing must not keep the task for itself.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether the connection was a good one, which `error` has ended: it has lasted long enough, or the server gave
    /// something and ended it in good order, as those do that are asked again and again.
    pub(super) fn was_good(&mut self, error: &Error, cx: &mut Context<'_>) -> bool {
        self.is_healthy(cx) || (self.useful && error.is_end())
    }

    /// Whether the connection has lasted long enough.
    fn is_healthy(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(sleep) = &mut self.healthy {
            if sleep.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.healthy = None;
        }
        true
    }
}

/// The idle time-out.
pub(super) struct Watch {
    idle: Idle,
    time: Duration,
    timer: DynTimer,
    tick: BoxSleep,
}

impl Watch {
    pub(super) fn new(timer: &DynTimer, time: Duration) -> Self {
        Self {
            idle: Idle::default(),
            time,
            timer: timer.clone(),
            tick: timer.sleep(time / u32::from(idle::TICKS)),
        }
    }

    pub(super) fn active(&mut self) {
        self.idle.active();
    }

    /// Is ready when there was no byte for the whole time.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        while self.tick.as_mut().poll(cx).is_ready() {
            if self.idle.tick() {
                return Poll::Ready(Error::idle(self.time));
            }
            self.tick = self.timer.sleep(self.time / u32::from(idle::TICKS));
        }
        Poll::Pending
    }
}

/// How many frames without an event are read before others get their turn.
const FRAMES: usize = 256;
