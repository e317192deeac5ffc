//! What control frames say, and what is wrong with frames. Pure.

use bytes::Bytes;

use crate::ws::{CloseCode, CloseFrame, Text};

/// A control frame (RFC 6455, section 5.5).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Control {
    Ping(Bytes),
    Pong(Bytes),
    /// A goodbye; `None` is an empty one.
    Close(Option<CloseFrame>),
}

/// A broken rule, and the code that it is closed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: CloseCode,
    pub(super) what: &'static str,
}

/// The payload of a close frame (RFC 6455, section 5.5.1).
pub(super) fn close(payload: &Bytes) -> Result<Option<CloseFrame>, Fault> {
    let [high, low, ..] = payload[..] else {
        return match payload.len() {
            0 => Ok(None),
            _ => Err(protocol("half of a close code")),
        };
    };
    let code = CloseCode::new(u16::from_be_bytes([high, low]))
        .ok_or_else(|| protocol("a close code that may not travel"))?;
    let reason = Text::try_from(payload.slice(2..)).map_err(|_| NOT_UTF8)?;
    Ok(Some(CloseFrame::new(code).reason(reason)))
}

pub(super) const NOT_UTF8: Fault = Fault {
    code: CloseCode::INVALID_DATA,
    what: "text that is not UTF-8",
};

pub(super) const fn protocol(what: &'static str) -> Fault {
    Fault {
        code: CloseCode::PROTOCOL,
        what,
    }
}

pub(super) const fn too_big(what: &'static str) -> Fault {
    Fault {
        code: CloseCode::TOO_BIG,
        what,
    }
}
