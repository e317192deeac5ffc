//! The one file that speaks both vocabularies: ours, and that of the framing library.

use std::{
    io::{self, ErrorKind, Read, Write},
    task::{Context, Poll},
};

use async_tungstenite::tungstenite::{
    self,
    protocol::{
        CloseFrame as WireClose, WebSocketConfig, WebSocketContext,
        frame::{
            Frame, FrameHeader,
            coding::{CloseCode as WireCode, Data, OpCode},
        },
    },
};
use bytes::Bytes;
use futures_io::{AsyncRead, AsyncWrite};

use super::{
    control::{Fault, NOT_UTF8},
    io::{End, Io},
    line::Line,
    params::Role,
    past::LARGE_ONE,
    writing::Sent,
};
use crate::ws::{
    CloseCode, CloseFrame, Message, Prepared,
    outgoing::{Content, Form, Outgoing},
};

/// Bytes that are known to be UTF-8: the payload of [`Text`], so that text crosses the border without a second check.
pub(crate) type Utf8 = tungstenite::Utf8Bytes;

/// What may gather before it is written without a flush.
const WRITE_BUFFER: usize = 64 << 10;

/// A connection that is awake: encodes frames over an [`Io`], where they are not written past it.
///
/// The codec is driven without `WebSocketStream`, whose two wakers for either direction are registered anew for each
/// message: here one task reads and writes, and the driver knows which waker the transport holds.
#[derive(Debug)]
pub(super) struct Framer<T>(Box<Inner<T>>);

// Boxed: it is large, and a connection that sleeps has none.
#[derive(Debug)]
struct Inner<T> {
    encoder: WebSocketContext,
    io: Io<T>,
    /// The encoder's buffer may hold something.
    holding: bool,
    /// The transport did not take what was encoded.
    stuck: bool,
    /// The encoder's buffer has held a large message, and has grown with it.
    bulky: bool,
}

/// The byte stream of one call to the codec.
struct Port<'a, 'b, T> {
    io: &'a mut Io<T>,
    cx: &'a mut Context<'b>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Framer<T> {
    pub(super) fn new(io: Io<T>, role: Role) -> Self {
        Self(Box::new(Inner {
            encoder: WebSocketContext::new(wire_role(role), Some(config())),
            io,
            holding: false,
            stuck: false,
            bulky: false,
        }))
    }

    pub(super) const fn io(&mut self) -> &mut Io<T> {
        &mut self.0.io
    }

    pub(super) fn into_io(self) -> Io<T> {
        self.0.io
    }

    /// Whether the encoder's buffer may hold something.
    pub(super) const fn is_holding(&self) -> bool {
        self.0.holding
    }

    /// Whether the encoder holds more memory than it is worth.
    pub(super) const fn is_bulky(&self) -> bool {
        self.0.bulky
    }

    /// Ready when the encoder's buffer is not stuck.
    #[inline]
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        if self.0.stuck {
            self.poll_flush(cx)
        } else {
            Poll::Ready(Ok(()))
        }
    }

    /// Encodes messages until the queue is empty, or the encoder's buffer is stuck: whether it is.
    pub(super) fn send_all(
        &mut self,
        queue: &mut Line<Outgoing>,
        sent: &mut Sent,
        cx: &mut Context<'_>,
    ) -> Result<bool, End> {
        while !queue.is_empty() {
            if self.poll_ready(cx)?.is_pending() {
                return Ok(true);
            }
            if let Some(outgoing) = queue.pop() {
                sent.count(&outgoing);
                self.send(outgoing, cx)?;
            }
        }
        Ok(false)
    }

    #[inline]
    pub(super) fn send(&mut self, outgoing: Outgoing, cx: &mut Context<'_>) -> Result<(), End> {
        match outgoing.0 {
            Content::Message(message, packing) => {
                self.0.bulky |= message.len() >= LARGE_ONE;
                let form = self.0.io.transport().form(packing);
                self.start(wire_message(message, form), cx)
            }
            Content::Prepared(prepared) => self.send_prepared(&prepared, cx),
        }
    }

    fn send_prepared(&mut self, prepared: &Prepared, cx: &mut Context<'_>) -> Result<(), End> {
        for part in prepared.parts() {
            let form = self.0.io.transport().prepared_form(part);
            self.0.bulky |= part.len() >= LARGE_ONE;
            if let Some(message) = part.messages().next() {
                self.start(wire_message(message.clone(), form), cx)?;
            }
        }
        Ok(())
    }

    pub(super) fn send_ping(&mut self, payload: Bytes, cx: &mut Context<'_>) -> Result<(), End> {
        self.start(tungstenite::Message::Ping(payload), cx)
    }

    pub(super) fn send_pong(&mut self, payload: Bytes, cx: &mut Context<'_>) -> Result<(), End> {
        self.start(tungstenite::Message::Pong(payload), cx)
    }

    /// Nothing can be sent after this.
    pub(super) fn send_close(
        &mut self,
        frame: Option<CloseFrame>,
        cx: &mut Context<'_>,
    ) -> Result<(), End> {
        let frame = frame.map(|frame| {
            let (code, reason) = frame.into_parts();
            WireClose {
                code: WireCode::from(code.get()),
                reason: reason.into_utf8(),
            }
        });
        self.start(tungstenite::Message::Close(frame), cx)
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let Inner {
            encoder,
            io,
            holding,
            ..
        } = &mut *self.0;
        if !*holding {
            return io.poll_flush(cx).map_err(End::of);
        }
        let flushed = match encoder.flush(&mut Port { io, cx }) {
            Ok(()) => Ok(()),
            Err(error) if is_blocked(&error) => return Poll::Pending,
            Err(error) => Err(end(error)),
        };
        (self.0.holding, self.0.stuck) = (false, false);
        Poll::Ready(flushed)
    }

    #[inline]
    fn start(&mut self, message: tungstenite::Message, cx: &mut Context<'_>) -> Result<(), End> {
        let Inner {
            encoder,
            io,
            holding,
            ..
        } = &mut *self.0;
        *holding = true;
        match encoder.write(&mut Port { io, cx }, message) {
            Ok(()) => Ok(()),
            // The message is in the buffer.
            Err(error) if is_blocked(&error) => {
                self.0.stuck = true;
                Ok(())
            }
            Err(error) => Err(end(error)),
        }
    }
}

/// The encoder does not read.
impl<T> Read for Port<'_, '_, T> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }
}

impl<T: AsyncWrite + Unpin> Write for Port<'_, '_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        or_blocked(self.io.poll_write(self.cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        or_blocked(self.io.poll_flush(self.cx))
    }
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        // Bytes are handed in, never read.
        .read_buffer_size(0)
        .write_buffer_size(WRITE_BUFFER)
        // The bounds are those of the outbox; here a large message would only be refused.
        .max_write_buffer_size(usize::MAX)
        // The inspector has checked the sizes already.
        .max_message_size(None)
        .max_frame_size(None)
}

const fn wire_role(role: Role) -> tungstenite::protocol::Role {
    match role {
        Role::Server => tungstenite::protocol::Role::Server,
        Role::Client => tungstenite::protocol::Role::Client,
    }
}

#[inline]
fn wire_message(message: Message, form: Form) -> tungstenite::Message {
    match (form, message) {
        (Form::Plain, Message::Text(text)) => tungstenite::Message::Text(text.into_utf8()),
        (Form::Plain, Message::Binary(bytes)) => tungstenite::Message::Binary(bytes),
        // The marks that `DeflateIo` looks for.
        (Form::Uncompressed, message) => {
            marked(message.is_text(), message.into_bytes(), |header| {
                header.rsv3 = true;
            })
        }
        (Form::Fragment { opcode, last }, message) => {
            let header = FrameHeader {
                is_final: last,
                opcode: OpCode::from(opcode),
                ..FrameHeader::default()
            };
            tungstenite::Message::Frame(Frame::from_payload(header, message.into_bytes()))
        }
        (Form::Compressed(payload), message) => marked(message.is_text(), payload, |header| {
            header.rsv1 = true;
        }),
    }
}

fn data_header(text: bool) -> FrameHeader {
    let data = if text { Data::Text } else { Data::Binary };
    FrameHeader {
        opcode: OpCode::Data(data),
        ..FrameHeader::default()
    }
}

fn or_blocked<R>(poll: Poll<io::Result<R>>) -> io::Result<R> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

fn is_blocked(error: &tungstenite::Error) -> bool {
    matches!(error, tungstenite::Error::Io(error) if error.kind() == ErrorKind::WouldBlock)
}

/// A data frame with a mark in its reserved bits.
fn marked(text: bool, payload: Bytes, mark: fn(&mut FrameHeader)) -> tungstenite::Message {
    let mut header = data_header(text);
    mark(&mut header);
    tungstenite::Message::Frame(Frame::from_payload(header, payload))
}

fn end(error: tungstenite::Error) -> End {
    use tungstenite::Error as Wire;
    match error {
        Wire::Utf8(_) => End::Fault(NOT_UTF8),
        Wire::Io(error) => End::of(error),
        Wire::ConnectionClosed | Wire::AlreadyClosed => End::Eof,
        _ => End::Fault(Fault {
            code: CloseCode::PROTOCOL,
            what: "a frame that can't be decoded",
        }),
    }
}
