//! What a server writes past its encoder: frames that are as they will be on the wire.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, buf::Chain};
use futures_io::AsyncWrite;

use super::{
    header::{FIN, first_of, put_head},
    io::{End, Io},
    line::Line,
    writing::Sent,
};
use crate::ws::{
    Message, Outgoing,
    outgoing::{Content, Packing},
};

/// From so many bytes of payload on, prepared frames are worth a write of their own.
const LARGE: usize = 4 << 10;
/// From so many bytes of payload on, the frame of any message is.
pub(super) const LARGE_ONE: usize = 16 << 10;
/// As many bytes are put together for one write, and a message more.
const WRITE: usize = 64 << 10;
/// A frame header of a server, in bytes.
const LONGEST_HEAD: usize = 10;
/// As many bytes of a frame go with its header where the transport does not take the two together: a record of TLS.
const RECORD: usize = 16 << 10;

thread_local! {
    /// Where every connection of a thread puts frames together: it holds nothing between two calls.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What the transport has not taken of frames that are written past the encoder. It goes before everything else.
#[derive(Debug, Default)]
// Boxed: hardly any connection has one.
pub(super) struct Rest(Option<Box<Kept>>);

#[derive(Debug)]
struct Kept {
    frames: Chain<Bytes, Bytes>,
    /// The transport writes one slice at a time. It is kept then, for that.
    splits: bool,
}

/// Whether a message is worth a write of its own, also when others follow at once.
pub(super) fn is_worth_a_write(outgoing: &Outgoing) -> bool {
    match &outgoing.0 {
        Content::Message(message, _) => message.len() >= LARGE_ONE,
        Content::Prepared(prepared) => prepared.len() >= LARGE,
    }
}

impl<T: AsyncWrite + Unpin> Io<T> {
    /// Writes the messages of a server, whose encoder holds nothing and which does not compress, until all are gone
    /// or the transport takes no more. What it has not taken of a frame is kept, and goes with the next write or flush.
    pub(super) fn write_queue(
        &mut self,
        queue: &mut Line<Outgoing>,
        sent: &mut Sent,
        cx: &mut Context<'_>,
    ) -> Result<(), End> {
        debug_assert!(self.rest.is_none(), "something else is to be written first");
        while let (Some(first), true) = (queue.front(), self.rest.is_none()) {
            if !is_worth_a_write(first) {
                self.write_small(queue, sent, cx).map_err(End::of)?;
            } else if let Some(large) = queue.pop() {
                sent.count(&large);
                let _written = self.write_past(large, cx)?;
            }
        }
        Ok(())
    }

    /// Writes one message of a server, whose encoder holds nothing, if its frame is there or easily made; it comes
    /// back if not. What the transport does not take is kept.
    pub(super) fn write_past(
        &mut self,
        outgoing: Outgoing,
        cx: &mut Context<'_>,
    ) -> Result<Option<Outgoing>, End> {
        match outgoing.0 {
            Content::Message(message, packing) if self.transport.is_plain() => self
                .write_frame(message, packing, cx)
                .map_err(End::of)
                .map(|()| None),
            Content::Prepared(ref prepared) => {
                let Some(frames) = self.transport.take_frames(prepared) else {
                    return Ok(Some(outgoing));
                };
                let taken = self.write_some(&frames, cx).map_err(End::of)?;
                self.rest.put(&frames, taken);
                Ok(None)
            }
            Content::Message(..) => Ok(Some(outgoing)),
        }
    }

    /// Puts messages together in one piece, up to a large one, and writes that.
    fn write_small(
        &mut self,
        queue: &mut Line<Outgoing>,
        sent: &mut Sent,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        let mut frames = SCRATCH.take();
        frames.clear();
        while queue.front().is_some_and(|next| !is_worth_a_write(next)) && frames.len() < WRITE {
            let Some(outgoing) = queue.pop() else { break };
            sent.count(&outgoing);
            match &outgoing.0 {
                Content::Message(message, packing) => {
                    put_head(first_byte(message, *packing), message.len(), &mut frames);
                    frames.extend_from_slice(message.as_bytes());
                }
                Content::Prepared(prepared) => frames.extend_from_slice(&prepared.plain()),
            }
        }
        let taken = self.write_some(&frames, cx);
        if let Ok(taken) = taken {
            if taken < frames.len() {
                self.rest.put(&Bytes::copy_from_slice(&frames[taken..]), 0);
            }
        }
        SCRATCH.set(frames);
        taken.map(drop)
    }

    /// The payload is not copied: it may be a megabyte. Where the transport would write the header alone, the first of
    /// it goes with that.
    fn write_frame(
        &mut self,
        message: Message,
        packing: Packing,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        let joined = self.rest.joined(message.len());
        let mut head = Vec::with_capacity(LONGEST_HEAD + joined);
        put_head(first_byte(&message, packing), message.len(), &mut head);
        let mut payload = message.into_bytes();
        head.extend_from_slice(&payload.split_to(joined));
        self.rest.keep(Bytes::from(head).chain(payload));
        match self.poll_rest(cx) {
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    /// Writes until the transport takes no more: how much it took.
    fn write_some(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> io::Result<usize> {
        let mut taken = 0;
        while taken < bytes.len() {
            let transport = Pin::new(self.transport.get_mut());
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
        let mut alone = false;
        while let Some(kept) = self.rest.waiting() {
            let mut parts = [IoSlice::new(&[]); 2];
            let count = kept.frames.chunks_vectored(&mut parts);
            let first = parts[0].len();
            let transport = Pin::new(self.transport.get_mut());
            let taken = ready!(transport.poll_write_vectored(cx, &parts[..count]))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            kept.frames.advance(taken);
            // It took the first of two alone, and there was room for more.
            kept.splits |= alone;
            alone = count == 2 && taken == first;
            self.rest.forget();
        }
        Poll::Ready(Ok(()))
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

/// Of the frame of a message, or of a part of one.
#[inline]
const fn first_byte(message: &Message, packing: Packing) -> u8 {
    match packing {
        Packing::Free | Packing::Never => first_of(message.is_text()),
        Packing::Fragment { opcode, last: true } => FIN | opcode,
        Packing::Fragment { opcode, .. } => opcode,
    }
}

impl Rest {
    #[inline]
    pub(super) fn is_none(&self) -> bool {
        !self
            .0
            .as_ref()
            .is_some_and(|kept| kept.frames.has_remaining())
    }

    #[inline]
    fn waiting(&mut self) -> Option<&mut Kept> {
        self.0
            .as_deref_mut()
            .filter(|kept| kept.frames.has_remaining())
    }

    fn put(&mut self, bytes: &Bytes, taken: usize) {
        if taken < bytes.len() {
            self.keep(bytes.slice(taken..).chain(Bytes::new()));
        }
    }

    fn keep(&mut self, frames: Chain<Bytes, Bytes>) {
        match &mut self.0 {
            Some(kept) => kept.frames = frames,
            None => {
                let splits = false;
                self.0 = Some(Box::new(Kept { frames, splits }));
            }
        }
    }

    /// Lets go of what has been written.
    fn forget(&mut self) {
        match &mut self.0 {
            Some(kept) if kept.frames.has_remaining() => {}
            Some(kept) if kept.splits => kept.frames = Bytes::new().chain(Bytes::new()),
            _ => self.0 = None,
        }
    }

    /// How many bytes of a payload go with its header. All of one that is hardly larger than a record: its end would
    /// be a small write of its own.
    fn joined(&self, payload: usize) -> usize {
        match &self.0 {
            Some(kept) if kept.splits && payload <= 2 * RECORD => payload,
            Some(kept) if kept.splits => RECORD - LONGEST_HEAD,
            _ => 0,
        }
    }
}
