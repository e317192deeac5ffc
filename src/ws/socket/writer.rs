use std::{
    fmt,
    future::poll_fn,
    io, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures_io::AsyncWrite;

use super::{
    header::{BINARY, CONTINUATION, TEXT},
    shared::{Shared, State},
    utf8::Utf8Check,
    websocket::Drive,
};
use crate::ws::{CloseCode, CloseFrame, Error, MessageKind, Outgoing};

/// The largest frame in bytes. Pings and closes go between frames, so they wait for one at most.
const FRAME: usize = 16 << 10;

/// A message whose parts are sent as they are written. Made by [`WebSocket::send_stream`](super::WebSocket::send_stream).
///
/// It leaves in frames of at most 16 KiB, whatever the size of the parts: small ones are gathered, large ones are cut.
/// [`write`](Self::write) waits while the peer does not read. It is also an [`AsyncWrite`], whose close is
/// [`finish`](Self::finish).
///
/// When it is dropped before it is finished and none of it has been queued, nothing is sent. Otherwise the message
/// can't be ended without a lie: the connection is closed with 1011.
///
/// While it is in progress nothing but pings, pongs and a close can be sent: WebSocket has no other way to tell two
/// messages apart.
///
/// ```
/// use tower_realtime::ws::{self, MessageKind, WebSocket};
///
/// async fn answer(socket: &mut WebSocket, words: &[&'static str]) -> Result<(), ws::Error> {
///     let mut message = socket.send_stream(MessageKind::Text);
///     for word in words {
///         message.write(*word).await?;
///         message.flush().await?; // each is seen at once
///     }
///     message.finish().await
/// }
/// ```
#[must_use = "a message that is not finished closes the connection"]
pub struct MessageWriter<'a> {
    shared: &'a Shared,
    /// What drives the connection, when nobody else does.
    driver: Option<&'a mut (dyn Drive + Send + 'static)>,
    kind: MessageKind,
    utf8: Utf8Check,
    /// What does not fill a frame yet.
    gathered: BytesMut,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    /// Frames of it have been queued.
    Begun,
    /// The last frame has been queued, or never will be.
    Ended,
}

impl<'a> MessageWriter<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        driver: Option<&'a mut (dyn Drive + Send + 'static)>,
        kind: MessageKind,
    ) -> Self {
        Self {
            shared,
            driver,
            kind,
            utf8: Utf8Check::default(),
            gathered: BytesMut::new(),
            stage: Stage::New,
        }
    }

    /// Adds to the message. It waits only while the peer does not read and the queue is over its
    /// [bound](crate::ws::Limits::queued_bytes), or while another message is in progress.
    ///
    /// A text may be cut anywhere, also inside of a character.
    ///
    /// # Errors
    ///
    /// [`Error::is_closed`] when the connection has ended or is being closed. [`Error::is_encode`] when a text is not
    /// UTF-8: then nothing of this part was added.
    ///
    /// # Cancel safety
    ///
    /// A part is added whole or not at all.
    pub async fn write(&mut self, part: impl Into<Bytes>) -> Result<(), Error> {
        let part = part.into();
        poll_fn(|cx| self.poll_add(&part, cx)).await
    }

    /// Sends what was gathered, and waits until it is with the transport.
    ///
    /// # Errors
    ///
    /// When the connection ended before that: [`Error::is_closed`].
    ///
    /// # Cancel safety
    ///
    /// Safe: what was written stays queued.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_hand_over(cx)).await?;
        let mark = self.shared.lock().queued;
        poll_fn(|cx| {
            self.drive(cx);
            self.shared.poll_left(mark, false, cx)
        })
        .await
    }

    /// Ends the message.
    ///
    /// # Errors
    ///
    /// [`Error::is_closed`] when the connection has ended or is being closed. [`Error::is_encode`] when a text ends
    /// inside of a character: then the message is dropped unfinished.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped while it waits for another message, this one is dropped unfinished.
    pub async fn finish(mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_finish(cx)).await
    }

    fn poll_add(&mut self, part: &Bytes, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut utf8 = self.utf8.clone();
        if self.kind == MessageKind::Text && utf8.push(part).is_err() {
            return Poll::Ready(Err(Error::encode("text that is not UTF-8".into())));
        }
        if self.gathered.len() + part.len() < FRAME {
            if self.shared.lock().output_ended {
                return Poll::Ready(Err(Error::closed()));
            }
            self.gathered.extend_from_slice(part);
        } else {
            ready!(self.poll_queue(part, false, cx))?;
        }
        self.utf8 = utf8;
        Poll::Ready(Ok(()))
    }

    fn poll_hand_over(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.gathered.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.poll_queue(&Bytes::new(), true, cx)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if !self.utf8.may_end() {
            return Poll::Ready(Err(Error::encode("half of a character".into())));
        }
        let rest = self.gathered.split().freeze();
        let ended = self.shared.update(|state| {
            if state.may_begin(self.stage) {
                let frame = self.frame(rest.clone(), true);
                state.end_message(frame)
            } else {
                state.wait_for_room(cx);
                Poll::Pending
            }
        });
        match ended {
            // What was gathered is still to be sent.
            Poll::Pending => self.gathered = rest.into(),
            Poll::Ready(_) => self.stage = Stage::Ended,
        }
        self.drive(cx);
        ended
    }

    /// Queues what was gathered and `part`, all of it or none, but for what does not fill a frame.
    fn poll_queue(
        &mut self,
        part: &Bytes,
        all: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let mut queued = self.poll_frames(part, all, cx);
        if queued.is_pending() && self.drive(cx) {
            queued = self.poll_frames(part, all, cx);
        } else {
            self.drive(cx);
        }
        queued
    }

    fn poll_frames(
        &mut self,
        part: &Bytes,
        all: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        self.shared.update(|state| {
            if state.is_closing() {
                return Poll::Ready(Err(Error::closed()));
            }
            if !state.may_begin(self.stage) || !state.outbox.has_room(&state.bounds) {
                state.wait_for_room(cx);
                return Poll::Pending;
            }
            // Its frame is filled first, so that no frame but the last one is small.
            let fill = (FRAME - self.gathered.len()).min(part.len());
            self.gathered.extend_from_slice(&part[..fill]);
            let mut rest = part.slice(fill..);
            let first = mem::take(&mut self.gathered).freeze();
            state.queue(self.frame(first, false));
            state.writing = true;
            self.stage = Stage::Begun;
            while rest.len() >= FRAME {
                state.queue(self.frame(rest.split_to(FRAME), false));
            }
            self.gathered.extend_from_slice(&rest);
            debug_assert!(
                !all || rest.is_empty(),
                "only what was gathered is asked for"
            );
            Poll::Ready(Ok(()))
        })
    }

    fn frame(&self, payload: Bytes, last: bool) -> Outgoing {
        let opcode = match (self.stage, self.kind) {
            (Stage::New, MessageKind::Text) => TEXT,
            (Stage::New, MessageKind::Binary) => BINARY,
            _ => CONTINUATION,
        };
        Outgoing::fragment(payload, opcode, last)
    }

    /// Gives the driver a turn. Whether there is one: somebody else may poll it.
    fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.driver {
            Some(driver) => {
                driver.poll_drive(cx);
                true
            }
            None => false,
        }
    }
}

impl State {
    /// Whether a message in this stage may go on: only one is in progress at a time.
    fn may_begin(&self, stage: Stage) -> bool {
        stage == Stage::Begun || !self.writing || self.is_closing()
    }

    /// Queues the last frame of a message, and what had to wait for that.
    fn end_message(&mut self, frame: Outgoing) -> Poll<Result<(), Error>> {
        if self.is_closing() {
            return Poll::Ready(Err(Error::closed()));
        }
        self.queue(frame);
        self.writing = false;
        let mut delayed = mem::take(&mut self.delayed);
        while let Some(message) = delayed.pop() {
            self.queue(message);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for MessageWriter<'_> {
    fn drop(&mut self) {
        if self.stage == Stage::Begun {
            let frame = CloseFrame::new(CloseCode::INTERNAL).reason("a message was not finished");
            self.shared.close(Some(frame));
        }
    }
}

impl AsyncWrite for MessageWriter<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let part = Bytes::copy_from_slice(&bytes[..bytes.len().min(4 * FRAME)]);
        ready!(self.poll_add(&part, cx)).map_err(io::Error::from)?;
        Poll::Ready(Ok(part.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_hand_over(cx)).map_err(io::Error::from)?;
        self.drive(cx);
        let mark = self.shared.lock().queued;
        self.shared
            .poll_left(mark, false, cx)
            .map_err(io::Error::from)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stage != Stage::Ended {
            ready!(self.poll_finish(cx)).map_err(io::Error::from)?;
        }
        self.drive(cx);
        let mark = self.shared.lock().queued;
        self.shared
            .poll_left(mark, false, cx)
            .map_err(io::Error::from)
    }
}

impl fmt::Debug for MessageWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter")
            .field("kind", &self.kind)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
