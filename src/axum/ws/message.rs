use axum_core::Error;
use bytes::Bytes;

use super::Utf8Bytes;
use crate::ws::{self, Closed, ClosedBy, payloads::payloads};

/// A close code as a number; [`close_code`](super::close_code) has names for them.
///
/// [`CloseFrame`] has one.
pub type CloseCode = u16;

/// How one side says goodbye.
///
/// ```
/// use tower_realtime::axum::ws::{CloseFrame, Message, close_code};
///
/// let bye = Message::Close(Some(CloseFrame { code: close_code::AWAY, reason: "we restart".into() }));
/// assert_eq!(bye.to_text().expect("UTF-8"), "we restart");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "axum's handlers write it out")]
pub struct CloseFrame {
    /// The code.
    pub code: CloseCode,
    /// Why, empty when there is nothing to say.
    pub reason: Utf8Bytes,
}

/// A message, in axum's five kinds.
///
/// Pings and pongs are the connection's own business here: it pings by itself and answers by itself. A handler never
/// receives one, and one that it sends goes nowhere.
///
/// ```
/// use tower_realtime::axum::ws::Message;
///
/// let binary = Message::binary(vec![104, 105]);
/// assert_eq!(binary.to_text().expect("UTF-8"), "hi");
/// assert_eq!(binary.clone().into_text().expect("UTF-8"), "hi");
/// assert_eq!(binary.into_data(), "hi");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "axum's handlers match it without a last arm"
)]
pub enum Message {
    /// UTF-8 text.
    Text(Utf8Bytes),
    /// Bytes without a meaning to the protocol.
    Binary(Bytes),
    /// Never received. Sent, it goes nowhere: the [heartbeat](crate::ws::Heartbeat) pings.
    Ping(Bytes),
    /// Never received. Sent, it goes nowhere: pings are answered already.
    Pong(Bytes),
    /// Received: the peer has closed, and this is the last message. Sent: this side closes.
    Close(Option<CloseFrame>),
}

impl Message {
    /// A text message.
    pub fn text(text: impl Into<Utf8Bytes>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// The payload; of a close, its reason.
    #[must_use]
    pub fn into_data(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(data) | Self::Ping(data) | Self::Pong(data) => data,
            Self::Close(None) => Bytes::new(),
            Self::Close(Some(frame)) => frame.reason.into(),
        }
    }

    /// The payload as text.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8.
    pub fn into_text(self) -> Result<Utf8Bytes, Error> {
        match self {
            Self::Text(text) => Ok(text),
            other => Utf8Bytes::try_from(other.into_data()).map_err(Error::new),
        }
    }

    /// The payload as text.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8.
    pub fn to_text(&self) -> Result<&str, Error> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Binary(data) | Self::Ping(data) | Self::Pong(data) => {
                std::str::from_utf8(data).map_err(Error::new)
            }
            Self::Close(None) => Ok(""),
            Self::Close(Some(frame)) => Ok(&frame.reason),
        }
    }

    /// The end of a connection, if it was the peer that closed it.
    pub(super) fn goodbye(closed: &Closed) -> Option<Self> {
        let frame = closed.frame().map(|frame| CloseFrame {
            code: frame.code().get(),
            reason: frame.as_reason().into(),
        });
        (closed.by() == ClosedBy::Peer).then_some(Self::Close(frame))
    }
}

impl CloseFrame {
    /// The same, checked: codes that only report something can't be sent (RFC 6455, section 7.4.1).
    pub(super) fn check(self) -> Result<ws::CloseFrame, Error> {
        let code = ws::CloseCode::try_from(self.code).map_err(Error::new)?;
        Ok(ws::CloseFrame::new(code).reason(self.reason))
    }
}

impl From<ws::Message> for Message {
    fn from(message: ws::Message) -> Self {
        match message {
            ws::Message::Text(text) => Self::Text(text),
            ws::Message::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

payloads!(Message);

impl From<Message> for Vec<u8> {
    fn from(message: Message) -> Self {
        message.into_data().into()
    }
}
