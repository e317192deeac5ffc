//! The one file that speaks both vocabularies: ours, and that of the framing library.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use async_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self,
        protocol::{
            CloseFrame as WireClose, WebSocketConfig,
            frame::{
                Frame, FrameHeader,
                coding::{CloseCode as WireCode, Data, OpCode},
            },
        },
    },
};
use bytes::Bytes;
use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use futures_sink::Sink;
use futures_util::FutureExt;

use super::{
    control::{Fault, NOT_UTF8},
    io::{End, Io},
    params::Role,
};
use crate::ws::{
    CloseCode, CloseFrame, Message, Text,
    outgoing::{Form, Outgoing},
};

/// Bytes that are known to be UTF-8: the payload of [`Text`], so that text crosses the border without a second check.
pub(crate) type Utf8 = tungstenite::Utf8Bytes;

/// The decoder's own buffer. It is zeroed on every attempt to read, so it is small; the read-ahead below it is not.
const READ_BUFFER: usize = 8 << 10;
/// What may gather before it is written without a flush.
const WRITE_BUFFER: usize = 64 << 10;

/// A connection that is awake: decodes and encodes data frames over an [`Io`].
#[derive(Debug)]
pub(super) struct Framer<T> {
    // Boxed: it is large, and a connection that sleeps has none.
    stream: Box<WebSocketStream<Io<T>>>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Framer<T> {
    pub(super) fn new(io: Io<T>, role: Role) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            // The bounds are those of the outbox; here a large message would only be refused.
            .max_write_buffer_size(usize::MAX)
            // The inspector has checked the sizes already.
            .max_message_size(None)
            .max_frame_size(None);
        let role = match role {
            Role::Server => tungstenite::protocol::Role::Server,
            Role::Client => tungstenite::protocol::Role::Client,
        };
        let stream = WebSocketStream::from_raw_socket(io, role, Some(config))
            .now_or_never()
            .expect("without a handshake there is nothing to wait for");
        Self {
            stream: Box::new(stream),
        }
    }

    pub(super) fn io(&mut self) -> &mut Io<T> {
        self.stream.get_mut()
    }

    pub(super) fn into_io(self) -> Io<T> {
        self.stream.into_inner()
    }

    /// Whether nothing is in the decoder that is not in the [`Io`].
    pub(super) fn is_clean(&self) -> bool {
        !self.has_input()
    }

    /// Whether there may be a message in what has been read.
    pub(super) fn has_input(&self) -> bool {
        let io = self.stream.get_ref();
        io.has_pass() || io.is_decoding()
    }

    /// The next message in what has been read; `Pending` when that holds no more.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, End>> {
        let message = match Pin::new(&mut *self.stream).poll_next(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Ok(message))) => message,
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(end(error))),
            Poll::Ready(None) => return Poll::Ready(Err(End::Eof)),
        };
        self.io().decoded();
        Poll::Ready(match message {
            tungstenite::Message::Text(text) => Ok(Message::Text(Text::from_utf8(text))),
            tungstenite::Message::Binary(bytes) => Ok(Message::Binary(bytes)),
            _ => Err(End::Fault(Fault {
                code: CloseCode::INTERNAL,
                what: "a control frame passed the inspector",
            })),
        })
    }

    /// Ready when the encoder's buffer is not stuck.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        Pin::new(&mut *self.stream).poll_ready(cx).map_err(end)
    }

    pub(super) fn send(&mut self, outgoing: Outgoing) -> Result<(), End> {
        let form = self.stream.get_ref().form(&outgoing);
        let message = outgoing.message;
        let text = message.is_text();
        self.start(match (form, message) {
            (Form::Plain, Message::Text(text)) => tungstenite::Message::Text(text.into_utf8()),
            (Form::Plain, Message::Binary(bytes)) => tungstenite::Message::Binary(bytes),
            // The marks that `DeflateIo` looks for.
            (Form::Uncompressed, message) => marked(text, message.into_bytes(), |header| {
                header.rsv3 = true;
            }),
            (Form::Fragment { opcode, last }, message) => {
                let header = FrameHeader {
                    is_final: last,
                    opcode: OpCode::from(opcode),
                    ..FrameHeader::default()
                };
                tungstenite::Message::Frame(Frame::from_payload(header, message.into_bytes()))
            }
            (Form::Compressed(payload), _) => marked(text, payload, |header| {
                header.rsv1 = true;
            }),
        })
    }

    pub(super) fn send_ping(&mut self, payload: Bytes) -> Result<(), End> {
        self.start(tungstenite::Message::Ping(payload))
    }

    pub(super) fn send_pong(&mut self, payload: Bytes) -> Result<(), End> {
        self.start(tungstenite::Message::Pong(payload))
    }

    /// Nothing can be sent after this.
    pub(super) fn send_close(&mut self, frame: Option<CloseFrame>) -> Result<(), End> {
        let frame = frame.map(|frame| {
            let (code, reason) = frame.into_parts();
            WireClose {
                code: WireCode::from(code.get()),
                reason: reason.into_utf8(),
            }
        });
        self.start(tungstenite::Message::Close(frame))
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        Pin::new(&mut *self.stream).poll_flush(cx).map_err(end)
    }

    fn start(&mut self, message: tungstenite::Message) -> Result<(), End> {
        Pin::new(&mut *self.stream).start_send(message).map_err(end)
    }
}

/// A data frame with a mark in its reserved bits.
fn marked(text: bool, payload: Bytes, mark: fn(&mut FrameHeader)) -> tungstenite::Message {
    let data = if text { Data::Text } else { Data::Binary };
    let mut header = FrameHeader {
        opcode: OpCode::Data(data),
        ..FrameHeader::default()
    };
    mark(&mut header);
    tungstenite::Message::Frame(Frame::from_payload(header, payload))
}

/// The inspector lets nothing pass that the decoder could refuse, but for the text of whole frames.
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
