use std::{
    error, fmt, io,
    sync::{Mutex, PoisonError},
};

use http::{Response, StatusCode};

use crate::{BoxError, ws::handshake::InvalidAnswer};

/// A WebSocket could not be opened.
///
/// Where the server refused, its response is inside, with its body: [`into_response`](Self::into_response).
pub struct ConnectError<R>(Box<Kind<R>>);

enum Kind<R> {
    Answer(InvalidAnswer),
    Client(BoxError),
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

    /// The server said yes in a way that breaks the rules.
    #[must_use]
    pub fn is_invalid_answer(&self) -> bool {
        matches!(*self.0, Kind::Answer(_))
    }

    /// The request can't be one for a WebSocket.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(*self.0, Kind::Request(_))
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
            Kind::Client(error) => debug.field(error),
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
            Kind::Answer(fault) => fault.fmt(f),
            Kind::Client(_) => f.write_str("the client failed to send the request"),
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
            Kind::Client(error) => Some(&**error),
            Kind::Io(error) => Some(error),
            _ => None,
        }
    }
}
