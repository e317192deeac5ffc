//! `Fault`: why a connection has to be failed, and with which close code.

use std::error::Error;
use std::fmt;

use super::CloseCode;

/// What the peer did wrong, and the close code that is due for it.
///
/// It travels inside a [`std::io::Error`] through whatever frames the messages;
/// who drives the connection takes it out again and closes with [`Fault::close_code`].
///
/// ```
/// use std::io;
/// use tower_realtime::ws::Fault;
///
/// /// What to close with, for who reads a `deflate::DeflateIo`.
/// fn farewell(error: &io::Error) -> (u16, &'static str) {
///     let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<Fault>());
///     fault.map_or((1011, ""), |fault| (fault.close_code(), fault.reason()))
/// }
/// # assert_eq!(farewell(&io::ErrorKind::Other.into()), (1011, ""));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub(super) code: CloseCode,
    pub(super) what: &'static str,
}

impl Fault {
    pub(super) const fn new(code: CloseCode, what: &'static str) -> Self {
        Self { code, what }
    }

    /// A violation of RFC 6455 or RFC 7692.
    pub(super) const fn protocol(what: &'static str) -> Self {
        Self::new(CloseCode::PROTOCOL, what)
    }

    /// A frame or a message over its limit.
    pub(super) const fn too_big(what: &'static str) -> Self {
        Self::new(CloseCode::TOO_BIG, what)
    }

    /// The close code that is due (RFC 6455, section 7.4.1).
    #[must_use]
    pub const fn close_code(&self) -> u16 {
        self.code.get()
    }

    /// What was wrong, in a few words; fits a close frame.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.what
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl Error for Fault {}
