//! The half of the driver that writes.

use std::{
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use futures_io::{AsyncRead, AsyncWrite};

use super::{
    driver::{Driver, Phase},
    io::End,
    params::Role,
    past::is_worth_a_write,
    wire::Wire,
};
use crate::ws::outgoing::Outgoing;

/// What a turn has encoded of the outbox.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    /// Messages, and frames of messages that are sent in parts.
    pub(super) entries: usize,
    pub(super) messages: usize,
    pub(super) bytes: usize,
    /// The last one is not the last of its message.
    pub(super) unfinished: bool,
}

impl Sent {
    pub(super) fn count(&mut self, outgoing: &Outgoing) {
        self.entries += outgoing.entries();
        self.messages += outgoing.ends();
        self.bytes += outgoing.len();
        self.unfinished = outgoing.is_unfinished();
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    /// Encodes what waits and flushes it, as far as the transport takes it.
    pub(super) fn encode(&mut self, cx: &mut Context<'_>, sent: &mut Sent) -> Result<(), End> {
        if self.blocked && self.flush(cx)?.is_pending() {
            return Ok(());
        }
        self.encode_control(cx)?;
        self.encode_queue(cx, sent)?;
        if !self.blocked {
            self.encode_feed(cx)?;
        }
        if self.dirty && !self.blocked {
            let _ = self.flush(cx)?;
        }
        Ok(())
    }

    /// Pongs and pings go before data: they must not wait behind it.
    fn encode_control(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let mut pings = match self.wire.io() {
            Some(io) => std::mem::take(&mut io.found.pings),
            None => return Err(End::Eof),
        };
        if pings.is_empty() && !self.ping.due {
            return Ok(());
        }
        let Some(framer) = self.wire.awake(self.role) else {
            return Err(End::Eof);
        };
        while let Some(payload) = pings.pop() {
            framer.send_pong(payload, cx)?;
        }
        if std::mem::take(&mut self.ping.due) {
            self.ping.count = self.ping.count.wrapping_add(1);
            self.ping.sent = Some(Box::new(Instant::now()));
            framer.send_ping(Bytes::copy_from_slice(&self.ping.count.to_be_bytes()), cx)?;
        }
        self.dirty = true;
        Ok(())
    }

    fn encode_queue(&mut self, cx: &mut Context<'_>, sent: &mut Sent) -> Result<(), End> {
        let past = self.role == Role::Server && self.is_plain();
        while !self.tx.is_empty() && !self.blocked {
            // Pongs, and what a feed has sent: they go first.
            if past && self.wire.is_holding() && self.flush(cx)?.is_pending() {
                break;
            }
            let before = sent.entries;
            self.dirty = true;
            if past {
                let Some(io) = self.wire.io() else {
                    return Err(End::Eof);
                };
                io.write_queue(&mut self.tx, sent, cx)?;
                self.blocked = !io.rest.is_none();
            } else if self.may_write_past() && self.is_next_alone() {
                if let Some(first) = self.tx.pop() {
                    sent.count(&first);
                    self.send_alone(first, cx)?;
                }
            } else {
                let Some(framer) = self.wire.awake(self.role) else {
                    return Err(End::Eof);
                };
                self.blocked = framer.send_all(&mut self.tx, sent, cx)?;
            }
            // Where nothing was sent, a message in fragments goes on being one.
            if sent.entries > before {
                self.fragmenting = sent.unfinished;
            }
        }
        Ok(())
    }

    /// Whether nothing follows the next message, or it is large.
    fn is_next_alone(&self) -> bool {
        self.tx.len() == 1 || self.tx.front().is_some_and(is_worth_a_write)
    }

    /// Whether frames can be written past the encoder now.
    fn may_write_past(&self) -> bool {
        self.role == Role::Server && !self.wire.is_holding()
    }

    /// Whether what is sent is what goes over the wire.
    fn is_plain(&mut self) -> bool {
        self.wire.io().is_some_and(|io| io.transport().is_plain())
    }

    /// Sends a message that nothing follows, or that is large: past the encoder, if that [may be](Self::may_write_past).
    fn send_alone(&mut self, outgoing: Outgoing, cx: &mut Context<'_>) -> Result<(), End> {
        let Some(io) = self.wire.io() else {
            return Err(End::Eof);
        };
        self.dirty = true;
        if let Some(outgoing) = io.write_past(outgoing, cx)? {
            return self.send(outgoing, cx);
        }
        self.blocked = !io.rest.is_none();
        Ok(())
    }

    fn send(&mut self, outgoing: Outgoing, cx: &mut Context<'_>) -> Result<(), End> {
        let Some(framer) = self.wire.awake(self.role) else {
            return Err(End::Eof);
        };
        self.dirty = true;
        framer.send(outgoing, cx)
    }

    /// Sends what the feed has ready, a batch at most: as much as may wait in a queue.
    fn encode_feed(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        // A message of the feed must not come between two frames of another one.
        if self.feed.is_none() || self.fragmenting || !matches!(self.phase, Phase::Open) {
            return Ok(());
        }
        let (mut fed, mut last) = (Sent::default(), None);
        let mut result = self.take_feed(&mut last, &mut fed, cx);
        if let Some(last) = last {
            result = result.and_then(|()| self.send_alone(last, cx));
        }
        if fed.entries > 0 {
            self.pulse.used();
            self.count(|guard| guard.sent(fed.messages as u64, fed.bytes as u64));
        }
        if self.wire.is_holding() {
            // What leaves past the encoder is no reason to keep one.
            self.note_moved(fed.messages, fed.bytes);
        }
        result
    }

    /// Sends what the feed has ready, but for the `last` one if nothing is before it.
    fn take_feed(
        &mut self,
        last: &mut Option<Outgoing>,
        fed: &mut Sent,
        cx: &mut Context<'_>,
    ) -> Result<(), End> {
        let limits = &self.settings.limits;
        let (messages, bytes) = (limits.queued_messages, limits.queued_bytes);
        while fed.entries < messages && fed.bytes < bytes {
            let Some(feed) = &mut self.feed else {
                return Ok(());
            };
            // Asked before the feed is, since an item that was taken can't be put back.
            if let Wire::Awake(framer) = &mut self.wire {
                if framer.poll_ready(cx)?.is_pending() {
                    self.blocked = true;
                    return Ok(());
                }
            }
            match feed.poll_next(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(None) => self.feed = None,
                Poll::Ready(Some(Err(failure))) => {
                    self.feed = None;
                    self.reason.get_or_insert(failure.reason);
                    self.shared.close(Some(failure.frame));
                }
                Poll::Ready(Some(Ok(outgoing))) => {
                    fed.count(&outgoing);
                    if let Some(before) = last.take() {
                        self.send(before, cx)?;
                    }
                    if !self.may_write_past() {
                        self.send(outgoing, cx)?;
                    } else if is_worth_a_write(&outgoing) {
                        self.send_alone(outgoing, cx)?;
                        if self.blocked {
                            return Ok(());
                        }
                    } else {
                        *last = Some(outgoing);
                    }
                }
            }
        }
        // A feed that is always ready gets its next turn after the others.
        cx.waker().wake_by_ref();
        Ok(())
    }

    pub(super) fn flush(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, End> {
        let flushed = self.wire.poll_flush(cx)?;
        self.blocked = flushed.is_pending();
        self.dirty = self.blocked;
        if flushed.is_ready() {
            // However much follows at once: who waits for what was before need not wait for that.
            self.flushed = match self.tx.is_empty() {
                true => self.mark,
                false => self.before,
            };
        }
        Ok(flushed)
    }
}
