//! What control frames say, and what is wrong with frames. Pure.

use bytes::Bytes;

pub(super) use crate::ws::Fault;
use crate::ws::{CloseCode, CloseFrame, Text};

/// A control frame (RFC 6455, section 5.5).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Control {
    Ping(Bytes),
    Pong(Bytes),
    /// A goodbye; `None` is an empty one.
    Close(Option<CloseFrame>),
}

/// The payload of a close frame (RFC 6455, section 5.5.1).
pub(super) fn close(payload: &Bytes) -> Result<Option<CloseFrame>, Fault> {
    let [high, low, ..] = payload[..] else {
        return match payload.len() {
            0 => Ok(None),
            _ => Err(Fault::protocol("half of a close code")),
        };
    };
    let code = CloseCode::new(u16::from_be_bytes([high, low]))
        .ok_or_else(|| Fault::protocol("a close code that may not travel"))?;
    let reason = Text::try_from(payload.slice(2..)).map_err(|_| NOT_UTF8)?;
    Ok(Some(CloseFrame::new(code).reason(reason)))
}

pub(super) const NOT_UTF8: Fault = Fault::new(CloseCode::INVALID_DATA, "text that is not UTF-8");
