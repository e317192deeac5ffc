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
        self.entries += 1;
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
        if !self.tx.is_empty() {
            let Some(framer) = self.wire.awake(self.role) else {
                return Err(End::Eof);
            };
            let before = sent.entries;
            let stuck = framer.send_all(&mut self.tx, sent, cx)?;
            if sent.entries > before {
                self.dirty = true;
                self.fragmenting = sent.unfinished;
            }
            if stuck {
                self.blocked = true;
                return Ok(());
            }
        }
        self.encode_feed(cx)?;
        if self.dirty {
            let _ = self.flush(cx)?;
        }
        Ok(())
    }

    /// Pongs and pings go before data: they must not wait behind it.
    fn encode_control(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let pings = match self.wire.io() {
            Some(io) => std::mem::take(&mut io.found.pings),
            None => return Err(End::Eof),
        };
        if pings.is_empty() && !self.ping.due {
            return Ok(());
        }
        let Some(framer) = self.wire.awake(self.role) else {
            return Err(End::Eof);
        };
        for payload in pings {
            framer.send_pong(payload, cx)?;
        }
        if std::mem::take(&mut self.ping.due) {
            self.ping.count = self.ping.count.wrapping_add(1);
            self.ping.sent = Some(Instant::now());
            framer.send_ping(Bytes::copy_from_slice(&self.ping.count.to_be_bytes()), cx)?;
        }
        self.dirty = true;
        Ok(())
    }

    /// Sends what the feed has ready, a batch at most.
    fn encode_feed(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        // A message of the feed must not come between two frames of another one.
        if self.feed.is_none() || self.fragmenting || !matches!(self.phase, Phase::Open) {
            return Ok(());
        }
        for _ in 0..self.settings.limits.queued_messages {
            let Some(feed) = &mut self.feed else { break };
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
                Poll::Ready(Some(Ok(message))) => {
                    let Some(framer) = self.wire.awake(self.role) else {
                        return Err(End::Eof);
                    };
                    let bytes = message.len();
                    framer.send(message, cx)?;
                    self.dirty = true;
                    self.pulse.used();
                    self.note_moved(1, bytes);
                    self.count(|guard| guard.sent(1, bytes as u64));
                }
            }
        }
        // A feed that is always ready gets its next turn after the others.
        if self.feed.is_some() {
            cx.waker().wake_by_ref();
        }
        Ok(())
    }

    pub(super) fn flush(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, End> {
        let Some(framer) = self.wire.awake(self.role) else {
            return Err(End::Eof);
        };
        let flushed = framer.poll_flush(cx)?;
        self.blocked = flushed.is_pending();
        self.dirty = self.blocked;
        Ok(flushed)
    }
}
