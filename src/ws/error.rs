use std::{error, fmt, io};

use super::CloseCode;
use crate::BoxError;

/// A WebSocket connection failed, or was used after its end.
///
/// The end of the peer is no error: [`recv`](super::WebSocket::recv) answers it with `None`. When the peer broke a
/// rule, it has been told by the close code before this error is seen.
///
/// ```
/// use tower_realtime::ws::{Error, WebSocket};
///
/// async fn receive(mut socket: WebSocket) -> Result<(), Error> {
///     loop {
///         match socket.recv().await {
///             Ok(Some(message)) => println!("{} bytes", message.len()),
///             Ok(None) => return Ok(()), // the end, with or without a farewell
///             Err(error) if error.is_timeout() || error.is_io() => return Ok(()), // the network, not the peer
///             Err(error) => {
///                 println!("{error}, which the peer was told as {:?}", error.close_code());
///                 return Err(error);
///             }
///         }
///     }
/// }
/// ```
///
/// Every kind has a question:
///
/// ```
/// use tower_realtime::ws::Error;
///
/// fn kind(error: &Error) -> &'static str {
///     match error {
///         _ if error.is_closed() => "sent too late",
///         _ if error.is_cut() => "the end came within a message",
///         _ if error.is_protocol() => "the peer broke the protocol",
///         _ if error.is_invalid_data() => "the peer sent what is no text, or not what it should be",
///         _ if error.is_too_large() => "the peer sent too much",
///         _ if error.is_encode() => "a value has no message",
///         _ => "the network", // `is_timeout`, `is_io`
///     }
/// }
/// ```
pub struct Error(Box<Kind>);

#[derive(Debug)]
enum Kind {
    Closed,
    Cut,
    Encode(BoxError),
    Fault { code: CloseCode, what: &'static str },
    Io(io::Error),
    Timeout(&'static str),
}

impl Error {
    /// Something was to be sent, and the connection has ended or is ending.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(*self.0, Kind::Closed)
    }

    /// The connection ended inside of a message that was taken in parts.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        matches!(*self.0, Kind::Cut)
    }

    /// The peer broke the protocol (it was told 1002).
    #[must_use]
    pub fn is_protocol(&self) -> bool {
        self.close_code() == Some(CloseCode::PROTOCOL)
    }

    /// The peer sent text that is not UTF-8, or a message that is not what it should be (it was told 1007).
    #[must_use]
    pub fn is_invalid_data(&self) -> bool {
        self.close_code() == Some(CloseCode::INVALID_DATA)
    }

    /// The peer sent more than the [`Limits`](super::Limits) allow (it was told 1009, or 1008 for fragments and time).
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(
            self.close_code(),
            Some(CloseCode::TOO_BIG | CloseCode::POLICY)
        )
    }

    /// Nothing was heard of the peer in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(*self.0, Kind::Timeout(_))
    }

    /// The transport failed, other than by ending.
    #[must_use]
    pub fn is_io(&self) -> bool {
        matches!(*self.0, Kind::Io(_))
    }

    /// A value could not be made a message. The connection is as it was.
    #[must_use]
    pub fn is_encode(&self) -> bool {
        matches!(*self.0, Kind::Encode(_))
    }

    /// The close code that the peer was told because of its fault.
    #[must_use]
    pub fn close_code(&self) -> Option<CloseCode> {
        match *self.0 {
            Kind::Fault { code, .. } => Some(code),
            Kind::Closed | Kind::Cut | Kind::Encode(_) | Kind::Io(_) | Kind::Timeout(_) => None,
        }
    }

    pub(super) fn closed() -> Self {
        Self(Box::new(Kind::Closed))
    }

    pub(super) fn cut() -> Self {
        Self(Box::new(Kind::Cut))
    }

    pub(super) fn encode(error: BoxError) -> Self {
        Self(Box::new(Kind::Encode(error)))
    }

    pub(super) fn fault(code: CloseCode, what: &'static str) -> Self {
        Self(Box::new(Kind::Fault { code, what }))
    }

    pub(super) fn io(error: io::Error) -> Self {
        Self(Box::new(Kind::Io(error)))
    }

    pub(super) fn timeout(what: &'static str) -> Self {
        Self(Box::new(Kind::Timeout(what)))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Closed => f.write_str("the connection is closed"),
            Kind::Cut => f.write_str("the connection ended inside of a message"),
            Kind::Encode(_) => f.write_str("a value can't be made a message"),
            Kind::Fault { code, what } => write!(f, "the peer was closed with {code}: {what}"),
            Kind::Io(_) => f.write_str("the transport failed"),
            Kind::Timeout(what) => f.write_str(what),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &*self.0 {
            Kind::Io(error) => Some(error),
            Kind::Encode(error) => Some(&**error),
            Kind::Closed | Kind::Cut | Kind::Fault { .. } | Kind::Timeout(_) => None,
        }
    }
}
