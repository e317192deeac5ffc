//! What a server writes past its encoder: frames that are as they will be on the wire.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use futures_io::AsyncWrite;

use super::{
    io::{End, Io},
    tungstenite::put_frame,
};
use crate::ws::{
    Message, Outgoing,
    outgoing::{Content, Packing},
};

/// The largest payload that is copied behind its header, in bytes.
const SMALL: usize = 4 << 10;
/// From so many bytes of payload on, prepared frames are worth a write of their own.
const LARGE: usize = 4 << 10;

thread_local! {
    /// Where every connection of a thread puts a frame together: it holds nothing between two calls.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What the transport has not taken of frames that are written past the encoder. It goes before everything else.
#[derive(Debug, Default)]
// Boxed: hardly any connection has one.
pub(super) struct Rest(Option<Box<Bytes>>);

/// Whether a message is worth a write of its own, also when others follow at once.
pub(super) fn is_worth_a_write(outgoing: &Outgoing) -> bool {
    match &outgoing.0 {
        Content::Message(..) => false,
        Content::Prepared(prepared) => prepared.len() >= LARGE,
    }
}

impl<T: AsyncWrite + Unpin> Io<T> {
    /// Writes a message of a server, whose encoder holds nothing, if its frame is there or easily made; it comes back
    /// if not. What the transport does not take is kept, and goes with the next write or flush.
    pub(super) fn write_past(
        &mut self,
        outgoing: Outgoing,
        cx: &mut Context<'_>,
    ) -> Result<Option<Outgoing>, End> {
        debug_assert!(self.rest.is_none(), "something else is to be written first");
        match &outgoing.0 {
            Content::Message(message, Packing::Free | Packing::Never)
                if message.len() <= SMALL && self.transport().is_plain() =>
            {
                self.write_small(message, cx).map_err(End::of)?;
            }
            Content::Prepared(prepared) => {
                let Some(frames) = self.transport().take_frames(prepared) else {
                    return Ok(Some(outgoing));
                };
                let taken = self.write_some(&frames, cx).map_err(End::of)?;
                self.rest.put(&frames, taken);
            }
            Content::Message(..) => return Ok(Some(outgoing)),
        }
        Ok(None)
    }

    fn write_small(&mut self, message: &Message, cx: &mut Context<'_>) -> io::Result<()> {
        let mut frame = SCRATCH.take();
        frame.clear();
        put_frame(message.is_text(), false, message.as_bytes(), &mut frame);
        let taken = self.write_some(&frame, cx);
        if let Ok(taken) = taken {
            if taken < frame.len() {
                self.rest.put(&Bytes::copy_from_slice(&frame[taken..]), 0);
            }
        }
        SCRATCH.set(frame);
        taken.map(drop)
    }

    /// Writes until the transport takes no more: how much it took.
    fn write_some(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> io::Result<usize> {
        let mut taken = 0;
        while taken < bytes.len() {
            let transport = Pin::new(self.transport().get_mut());
            match transport.poll_write(cx, &bytes[taken..]) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => taken += count,
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        Ok(taken)
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(mut rest) = self.rest.0.take() else {
            return Poll::Ready(Ok(()));
        };
        let taken = self.write_some(&rest, cx)?;
        rest.advance(taken);
        if rest.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.rest.0 = Some(rest);
        Poll::Pending
    }

    /// Writes what comes out of the encoder.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_rest(cx))?;
        Pin::new(self.transport()).poll_write(cx, bytes)
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_rest(cx))?;
        Pin::new(self.transport()).poll_flush(cx)
    }
}

impl Rest {
    pub(super) const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    fn put(&mut self, bytes: &Bytes, taken: usize) {
        if taken < bytes.len() {
            self.0 = Some(Box::new(bytes.slice(taken..)));
        }
    }
}
