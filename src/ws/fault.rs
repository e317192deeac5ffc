//! `Fault`: why a connection has to be failed, and with which close code.

use std::error::Error;
use std::fmt;

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
    code: u16,
    reason: &'static str,
}

impl Fault {
    pub(crate) const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }

    /// A violation of RFC 6455 or RFC 7692: 1002.
    #[allow(dead_code, reason = "used only where a feature needs it")]
    pub(crate) const fn protocol(reason: &'static str) -> Self {
        Self::new(1002, reason)
    }

    /// The close code that is due (RFC 6455, section 7.4.1).
    #[must_use]
    pub const fn close_code(&self) -> u16 {
        self.code
    }

    /// What was wrong, in a few words; fits a close frame.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.reason
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl Error for Fault {}
