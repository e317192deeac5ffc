//! Why a connection ends: codes, frames, and what became of it. Pure.

use std::{error, fmt};

use super::Text;

/// A close code that may travel: 1000 to 1003, 1007 to 1014, and 3000 to 4999 (RFC 6455, section 7.4).
///
/// The codes that only report something (1005, 1006, 1015) and the unassigned ones are no values of this type, so
/// they can't be sent.
///
/// ```
/// use tower_realtime::ws::CloseCode;
///
/// const KICKED: CloseCode = CloseCode::from_static(4001); // a code that may not travel is a compile error
/// assert_eq!(KICKED.get(), 4001);
/// assert_eq!(CloseCode::new(1000), Some(CloseCode::NORMAL));
/// assert_eq!(CloseCode::new(1006), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: what the connection was for is done.
    pub const NORMAL: Self = Self(1000);
    /// 1001: a server goes down, or a browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// 1003: a kind of message that is not taken here.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1007: a text message that is not UTF-8, or a message that is not what it should be.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: against the rules of this server.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message over the limit.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: a client misses an extension.
    pub const EXTENSION: Self = Self(1010);
    /// 1011: something failed on this side.
    pub const INTERNAL: Self = Self(1011);
    /// 1012: the server restarts; come back.
    pub const RESTART: Self = Self(1012);
    /// 1013: too busy, or the reader is too slow; come back later.
    pub const TRY_AGAIN: Self = Self(1013);
    /// 1014: a gateway got a wrong answer.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The code, if it may travel.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// A code of the program itself, checked when it is compiled.
    ///
    /// # Panics
    ///
    /// At compile time in a constant, when the code may not travel.
    #[must_use]
    pub const fn from_static(code: u16) -> Self {
        match Self::new(code) {
            Some(code) => code,
            None => panic!("this close code may not be sent (RFC 6455, section 7.4)"),
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for CloseCode {
    type Error = InvalidCloseCode;

    fn try_from(code: u16) -> Result<Self, InvalidCloseCode> {
        Self::new(code).ok_or(InvalidCloseCode(code))
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number that is no [`CloseCode`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidCloseCode(u16);

impl fmt::Display for InvalidCloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "close code {} may not be sent", self.0)
    }
}

impl error::Error for InvalidCloseCode {}

/// A code and a reason: how one side says goodbye.
///
/// ```
/// use tower_realtime::ws::{CloseCode, CloseFrame};
///
/// let bye = CloseFrame::new(CloseCode::NORMAL).reason("see you");
/// assert_eq!((bye.code().get(), bye.as_reason()), (1000, "see you"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CloseFrame {
    code: CloseCode,
    reason: Text,
}

impl CloseFrame {
    /// The longest reason in bytes: a control frame carries 125, the code takes two (RFC 6455, section 5.5).
    pub const MAX_REASON: usize = 123;

    /// A goodbye without a reason.
    #[must_use]
    pub const fn new(code: CloseCode) -> Self {
        Self {
            code,
            reason: Text::from_static(""),
        }
    }

    /// Says why. What is over [`MAX_REASON`](Self::MAX_REASON) bytes is cut off before the character that would
    /// cross it: a long reason must not cost the close.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<Text>) -> Self {
        let reason = reason.into();
        self.reason = match floor_char(&reason, Self::MAX_REASON) {
            end if end == reason.len() => reason,
            end => Text::from(&reason[..end]),
        };
        self
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> CloseCode {
        self.code
    }

    /// The reason, empty when there is none.
    #[must_use]
    pub fn as_reason(&self) -> &str {
        self.reason.as_str()
    }

    pub(super) fn into_parts(self) -> (CloseCode, Text) {
        (self.code, self.reason)
    }
}

impl From<CloseCode> for CloseFrame {
    fn from(code: CloseCode) -> Self {
        Self::new(code)
    }
}

impl From<CloseCode> for Option<CloseFrame> {
    fn from(code: CloseCode) -> Self {
        Some(CloseFrame::new(code))
    }
}

/// Who ended a connection.
///
/// ```
/// use tower_realtime::ws::{Closed, ClosedBy};
///
/// fn told(closed: &Closed) -> String {
///     match closed.by() {
///         ClosedBy::Peer => format!("the client left with {}", closed.code()),
///         ClosedBy::Local => format!("we closed with {}", closed.code()),
///         _ => "the connection broke".to_owned(), // `Nobody`
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClosedBy {
    /// This side: the handler ended, a limit or the protocol was broken by the peer, time was up.
    Local,
    /// Nobody: the transport ended without a close frame of either side.
    Nobody,
    /// The peer, with a close frame.
    Peer,
}

/// How a connection ended: what the handler, the span and the statistics see.
///
/// ```
/// use tower_realtime::ws::WebSocket;
///
/// async fn until_the_end(mut socket: WebSocket) {
///     let closed = socket.closed().await;
///     println!("{} ({}), by {:?}", closed.code(), closed.reason(), closed.by());
///     if !closed.is_clean() {
///         println!("what was sent last may be lost");
///     }
///     if let Some(frame) = closed.frame() {
///         println!("the first close frame said {}", frame.code());
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    by: ClosedBy,
    frame: Option<CloseFrame>,
    clean: bool,
}

impl Closed {
    pub(super) const fn new(by: ClosedBy, frame: Option<CloseFrame>, clean: bool) -> Self {
        Self { by, frame, clean }
    }

    /// Who sent the first close frame.
    #[must_use]
    pub const fn by(&self) -> ClosedBy {
        self.by
    }

    /// The code as RFC 6455 reports it: that of the first close frame, 1005 when that frame carried none, 1006 when
    /// there was no close frame.
    #[must_use]
    pub fn code(&self) -> u16 {
        match (&self.frame, self.by) {
            (Some(frame), _) => frame.code.get(),
            (None, ClosedBy::Nobody) => 1006,
            (None, ClosedBy::Local | ClosedBy::Peer) => 1005,
        }
    }

    /// The reason of the first close frame, empty when there is none. When the peer sent it, it is the peer's text:
    /// treat it as such.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.frame.as_ref().map_or("", CloseFrame::as_reason)
    }

    /// The first close frame, unless it was empty or never came.
    #[must_use]
    pub const fn frame(&self) -> Option<&CloseFrame> {
        self.frame.as_ref()
    }

    /// Whether both sides sent a close frame: nothing that was sent before got lost.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.clean
    }
}

/// The last boundary of a character at or before `at`.
fn floor_char(text: &str, at: usize) -> usize {
    if text.len() <= at {
        return text.len();
    }
    (0..=at)
        .rev()
        .find(|&end| text.is_char_boundary(end))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_only_codes_that_may_travel() {
        for code in 0..=u16::MAX {
            let legal = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            assert_eq!(CloseCode::new(code).is_some(), legal, "{code}");
        }
    }

    #[test]
    fn cuts_a_reason_between_characters() {
        for pad in 0..8 {
            let reason = "x".repeat(118 + pad) + "é€𝄞";
            let cut = CloseFrame::new(CloseCode::NORMAL).reason(reason.as_str());
            assert!(cut.as_reason().len() <= CloseFrame::MAX_REASON);
            assert!(reason.starts_with(cut.as_reason()));
            assert!(cut.as_reason().len() + 4 > CloseFrame::MAX_REASON.min(reason.len()));
        }
    }
}
