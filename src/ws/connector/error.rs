use std::{
    error, fmt, io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::{Response, StatusCode};

use crate::{BoxError, lifecycle::retry_after, ws::handshake::InvalidAnswer};

/// A WebSocket could not be opened.
///
/// Where the server refused, its response is inside, with its body: [`into_response`](Self::into_response).
///
/// ```
/// use tower_realtime::ws::ConnectError;
///
/// fn advice<R>(error: ConnectError<R>) -> String {
///     match error.status() {
///         Some(status) if error.may_pass() => return format!("{status}: busy, try again later"),
///         Some(status) => return format!("{status}: it will not have us"), // `is_refused`; `into_response` has the rest
///         None => {}
///     }
///     match error {
///         _ if error.is_transport() || error.is_timeout() => "is the network there?",
///         _ if error.is_invalid_answer() => "this is no WebSocket server",
///         _ if error.is_request() => "the request is wrong",
///         _ => "connections do not last", // `Reconnecting` gave up
///     }
///     .to_owned()
/// }
/// # fn f<R>(error: ConnectError<R>) -> bool { error.is_refused() }
/// ```
pub struct ConnectError<R>(Box<Kind<R>>);

enum Kind<R> {
    Answer(InvalidAnswer),
    Client(BoxError),
    Factory(BoxError),
    GaveUp,
    Io(io::Error),
    /// The body is in a mutex only so that the error is `Sync` whatever the body is.
    Refused(StatusCode, Mutex<Response<R>>),
    Request(&'static str),
    Timeout,
}

impl<R> ConnectError<R> {
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
            Kind::Refused(status, _) => match status.as_u16() {
                408 | 425 | 429 => true,
                501 | 505 => false,
                _ => status.is_server_error(),
            },
            Kind::Answer(_) | Kind::Factory(_) | Kind::GaveUp | Kind::Request(_) => false,
        }
    }

    /// With which status the server refused.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match &*self.0 {
            Kind::Refused(status, _) => Some(*status),
            _ => None,
        }
    }

    /// The response with which the server refused.
    #[must_use]
    pub fn into_response(self) -> Option<Response<R>> {
        match *self.0 {
            Kind::Refused(_, response) => Some(
                response
                    .into_inner()
                    .unwrap_or_else(PoisonError::into_inner),
            ),
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
    pub(super) fn retry_after(&mut self) -> Option<Duration> {
        let Kind::Refused(_, response) = &mut *self.0 else {
            return None;
        };
        let response = response.get_mut().unwrap_or_else(PoisonError::into_inner);
        retry_after(response.headers()).map(|wait| wait.min(Duration::from_secs(3600)))
    }

    pub(super) fn io(error: io::Error) -> Self {
        Self(Box::new(Kind::Io(error)))
    }

    pub(super) fn refused(response: Response<R>) -> Self {
        Self(Box::new(Kind::Refused(
            response.status(),
            Mutex::new(response),
        )))
    }

    pub(super) fn request(what: &'static str) -> Self {
        Self(Box::new(Kind::Request(what)))
    }

    pub(super) fn timeout() -> Self {
        Self(Box::new(Kind::Timeout))
    }
}

impl<R> fmt::Debug for ConnectError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_tuple("ConnectError");
        match &*self.0 {
            Kind::Answer(fault) => debug.field(fault),
            Kind::Client(error) | Kind::Factory(error) => debug.field(error),
            Kind::GaveUp => debug.field(&"gave up"),
            Kind::Io(error) => debug.field(error),
            Kind::Refused(status, _) => debug.field(status),
            Kind::Request(what) => debug.field(what),
            Kind::Timeout => debug.field(&"timeout"),
        };
        debug.finish()
    }
}

impl<R> fmt::Display for ConnectError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Answer(_) => f.write_str("the server's answer to the handshake is not valid"),
            Kind::Client(_) => f.write_str("the client failed to send the request"),
            Kind::Factory(_) => f.write_str("the request could not be made"),
            Kind::GaveUp => f.write_str("too many connections in a row did not last"),
            Kind::Io(_) => f.write_str("the connection failed during the handshake"),
            Kind::Refused(status, _) => write!(f, "the server refused the WebSocket with {status}"),
            Kind::Request(what) => f.write_str(what),
            Kind::Timeout => f.write_str("the server did not answer in time"),
        }
    }
}

impl<R> error::Error for ConnectError<R> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &*self.0 {
            Kind::Answer(fault) => Some(fault),
            Kind::Client(error) | Kind::Factory(error) => Some(&**error),
            Kind::Io(error) => Some(error),
            Kind::GaveUp | Kind::Refused(..) | Kind::Request(_) | Kind::Timeout => None,
        }
    }
}
