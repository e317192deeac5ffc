use std::{error, fmt, io, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    BoxError,
    lifecycle::{Words, retry_after},
    ws::handshake::InvalidAnswer,
};

/// A WebSocket could not be opened.
///
/// Where the server refused, what it said is inside, [`response`](Self::response), and its first words are shown:
/// `the server refused the WebSocket with 403 Forbidden: "members only"`. They are the server's, so line breaks and
/// control characters are escaped.
///
/// ```
/// use tower_realtime::ws::ConnectError;
///
/// fn advice(error: &ConnectError) -> String {
///     if let Some(answer) = error.response() {
///         // `is_refused`: the server answered something else than yes
///         let when = if error.may_pass() { "busy, try later" } else { "it will not have us" };
///         return format!("{when}: {}", String::from_utf8_lossy(answer.body()));
///     }
///     match error {
///         _ if error.is_transport() || error.is_timeout() => "is the network there?",
///         _ if error.is_invalid_answer() => "this is no WebSocket server",
///         _ if error.is_request() => "the request is wrong",
///         _ => "connections do not last", // `Reconnecting` gave up
///     }
///     .to_owned()
/// }
///
/// # fn f(error: &ConnectError) -> bool { error.is_refused() }
/// fn needs_login(error: &ConnectError) -> bool {
///     error.status().is_some_and(|status| status == 401)
/// }
/// ```
pub struct ConnectError(Box<Kind>);

enum Kind {
    Answer(InvalidAnswer),
    Client(BoxError),
    Factory(BoxError),
    GaveUp,
    Io(io::Error),
    Refused(Response<Bytes>),
    Request(&'static str),
    Timeout,
}

impl ConnectError {
    /// The server answered something else than yes.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(*self.0, Kind::Refused(..))
    }

    /// The server said yes in a way that breaks the rules. The source is an [`InvalidAnswer`].
    #[must_use]
    pub fn is_invalid_answer(&self) -> bool {
        matches!(*self.0, Kind::Answer(_))
    }

    /// The request can't be one for a WebSocket.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(*self.0, Kind::Factory(_) | Kind::Request(_))
    }

    /// There was no answer in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(*self.0, Kind::Timeout)
    }

    /// The client or the connection failed.
    #[must_use]
    pub fn is_transport(&self) -> bool {
        matches!(*self.0, Kind::Client(_) | Kind::Io(_))
    }

    /// Whether the same request may fare better later: after a failure of the network or a time-out, and where the
    /// server says so with 408, 425, 429 or 5xx.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match &*self.0 {
            Kind::Client(_) | Kind::Io(_) | Kind::Timeout => true,
            Kind::Refused(response) => match response.status().as_u16() {
                408 | 425 | 429 => true,
                501 | 505 => false,
                _ => response.status().is_server_error(),
            },
            Kind::Answer(_) | Kind::Factory(_) | Kind::GaveUp | Kind::Request(_) => false,
        }
    }

    /// With which status the server refused.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.response().map(Response::status)
    }

    /// What the server refused with: status, headers, and the first 4 KiB of the body.
    ///
    /// With a [timer](super::Connector::timer) as much of the body is there as came within 2 s, or within the
    /// [handshake time-out](super::Connector::handshake_timeout) where that is less. Without one, a body is waited
    /// for if its length was announced, and of others there is what came with the head.
    #[must_use]
    pub fn response(&self) -> Option<&Response<Bytes>> {
        match &*self.0 {
            Kind::Refused(response) => Some(response),
            _ => None,
        }
    }

    /// [`response`](Self::response), taken out.
    #[must_use]
    pub fn into_response(self) -> Option<Response<Bytes>> {
        match *self.0 {
            Kind::Refused(response) => Some(response),
            _ => None,
        }
    }

    pub(super) fn answer(fault: InvalidAnswer) -> Self {
        Self(Box::new(Kind::Answer(fault)))
    }

    pub(super) fn client(error: impl Into<BoxError>) -> Self {
        Self(Box::new(Kind::Client(error.into())))
    }

    pub(super) fn factory(error: impl Into<BoxError>) -> Self {
        Self(Box::new(Kind::Factory(error.into())))
    }

    pub(super) fn gave_up() -> Self {
        Self(Box::new(Kind::GaveUp))
    }

    /// How long the server asks to be left alone. An hour at most.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let wait = retry_after(self.response()?.headers())?;
        Some(wait.min(Duration::from_secs(3600)))
    }

    pub(super) fn io(error: io::Error) -> Self {
        Self(Box::new(Kind::Io(error)))
    }

    pub(super) fn refused(response: Response<Bytes>) -> Self {
        Self(Box::new(Kind::Refused(response)))
    }

    pub(super) fn request(what: &'static str) -> Self {
        Self(Box::new(Kind::Request(what)))
    }

    pub(super) fn timeout() -> Self {
        Self(Box::new(Kind::Timeout))
    }
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_tuple("ConnectError");
        match &*self.0 {
            Kind::Answer(fault) => debug.field(fault),
            Kind::Client(error) | Kind::Factory(error) => debug.field(error),
            Kind::GaveUp => debug.field(&"gave up"),
            Kind::Io(error) => debug.field(error),
            Kind::Refused(response) => debug.field(&response.status()).field(response.body()),
            Kind::Request(what) => debug.field(what),
            Kind::Timeout => debug.field(&"timeout"),
        };
        debug.finish()
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Answer(_) => f.write_str("the server's answer to the handshake is not valid"),
            Kind::Client(_) => f.write_str("the client failed to send the request"),
            Kind::Factory(_) => f.write_str("the request could not be made"),
            Kind::GaveUp => f.write_str("too many connections in a row did not last"),
            Kind::Io(_) => f.write_str("the connection failed during the handshake"),
            Kind::Refused(response) => {
                let (status, words) = (response.status(), Words(response.body()));
                write!(f, "the server refused the WebSocket with {status}{words}")
            }
            Kind::Request(what) => f.write_str(what),
            Kind::Timeout => f.write_str("the server did not answer in time"),
        }
    }
}

impl error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &*self.0 {
            Kind::Answer(fault) => Some(fault),
            Kind::Client(error) | Kind::Factory(error) => Some(&**error),
            Kind::Io(error) => Some(error),
            Kind::GaveUp | Kind::Refused(..) | Kind::Request(_) | Kind::Timeout => None,
        }
    }
}
