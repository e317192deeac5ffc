use std::{error, fmt, time::Duration};

use bytes::Bytes;
use http::{Response, header::CONTENT_TYPE};

use crate::{BoxError, lifecycle::Words};

/// What went wrong while an event stream was asked for or read.
///
/// Ask it with the `is_*` methods; the words of its message are not promised. What caused it is its
/// [`source`](error::Error::source), and what a server answered instead of a stream is its
/// [`response`](Self::response).
///
/// ```
/// use tower_realtime::sse::Error;
///
/// fn advice(error: &Error) -> String {
///     if let Some(answer) = error.response() {
///         // `is_status`, `is_content_type`, `is_redirect`: the server answered something else
///         return format!("{}: {}", answer.status(), String::from_utf8_lossy(answer.body()));
///     }
///     match error {
///         _ if error.is_exhausted() => "nobody has answered for long: give up",
///         _ if error.is_connect() || error.is_timeout() => "is the network there?",
///         _ if error.is_body() || error.is_end() => "it will connect again",
///         _ if error.is_too_large() => "raise the limits, or mistrust the server",
///         _ => "the request could not be made", // `is_request`
///     }
///     .to_owned()
/// }
///
/// let mut decoder = tower_realtime::sse::Decoder::new().limits(tower_realtime::sse::Limits::new().line(8));
/// decoder.push(b"data: much more than that\n");
/// let error = decoder.next().expect("an error").expect_err("too long");
/// assert!(error.is_too_large() && !error.is_status() && !error.is_content_type());
/// assert!(!error.is_redirect() && !error.is_request());
/// assert_eq!(advice(&error), "raise the limits, or mistrust the server");
/// ```
pub struct Error(Box<Kind>);

#[derive(Debug)]
enum Kind {
    Body(BoxError),
    Connect(BoxError),
    ContentType(Response<Bytes>),
    Ended,
    EventTooLarge(usize),
    Exhausted(Error),
    Idle(Duration),
    LineTooLong(usize),
    Redirect(&'static str, Response<Bytes>),
    Request(BoxError),
    Status(Response<Bytes>),
}

impl Error {
    /// Whether the stream broke off: reading the body failed.
    #[must_use]
    pub fn is_body(&self) -> bool {
        matches!(*self.0, Kind::Body(_))
    }

    /// Whether there was no answer: the client that carries the requests failed.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(*self.0, Kind::Connect(_))
    }

    /// Whether the server answered with 200 and something else than an event stream.
    #[must_use]
    pub fn is_content_type(&self) -> bool {
        matches!(*self.0, Kind::ContentType(_))
    }

    /// Whether the stream just ended, as streams do. It is a cause to connect again, and never a reason to fail.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(*self.0, Kind::Ended)
    }

    /// Whether [`max_attempts`](crate::lifecycle::Backoff::max_attempts) were made in vain. The source is what ended
    /// the last.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        matches!(*self.0, Kind::Exhausted(_))
    }

    /// Whether a redirect could not be followed, or there were too many.
    #[must_use]
    pub fn is_redirect(&self) -> bool {
        matches!(*self.0, Kind::Redirect(..))
    }

    /// Whether no request could be made: the function that makes them failed.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(*self.0, Kind::Request(_))
    }

    /// Whether the server answered with another status than 200.
    #[must_use]
    pub fn is_status(&self) -> bool {
        matches!(*self.0, Kind::Status(_))
    }

    /// Whether the connection was silent for longer than the idle time-out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(*self.0, Kind::Idle(_))
    }

    /// Whether the server sent a line or an event over the [`Limits`](super::Limits).
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(*self.0, Kind::EventTooLarge(_) | Kind::LineTooLong(_))
    }

    /// What the server answered instead of an event stream: status, headers, and the first 4 KiB of the body.
    #[must_use]
    pub fn response(&self) -> Option<&Response<Bytes>> {
        match &*self.0 {
            Kind::ContentType(response) | Kind::Redirect(_, response) | Kind::Status(response) => {
                Some(response)
            }
            Kind::Exhausted(last) => last.response(),
            _ => None,
        }
    }
}

impl Error {
    pub(super) fn body(cause: impl Into<BoxError>) -> Self {
        Self::new(Kind::Body(cause.into()))
    }

    pub(super) fn connect(cause: impl Into<BoxError>) -> Self {
        Self::new(Kind::Connect(cause.into()))
    }

    pub(super) fn content_type(response: Response<Bytes>) -> Self {
        Self::new(Kind::ContentType(response))
    }

    pub(super) fn end() -> Self {
        Self::new(Kind::Ended)
    }

    pub(super) fn event_too_large(limit: usize) -> Self {
        Self::new(Kind::EventTooLarge(limit))
    }

    pub(super) fn exhausted(last: Self) -> Self {
        Self::new(Kind::Exhausted(last))
    }

    pub(super) fn line_too_long(limit: usize) -> Self {
        Self::new(Kind::LineTooLong(limit))
    }

    pub(super) fn redirect(why: &'static str, response: Response<Bytes>) -> Self {
        Self::new(Kind::Redirect(why, response))
    }

    pub(super) fn request(cause: impl Into<BoxError>) -> Self {
        Self::new(Kind::Request(cause.into()))
    }

    pub(super) fn status(response: Response<Bytes>) -> Self {
        Self::new(Kind::Status(response))
    }

    pub(super) fn idle(time: Duration) -> Self {
        Self::new(Kind::Idle(time))
    }

    #[cold]
    fn new(kind: Kind) -> Self {
        Self(Box::new(kind))
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &*self.0 {
            Kind::Body(cause) | Kind::Connect(cause) | Kind::Request(cause) => Some(&**cause),
            Kind::Exhausted(last) => Some(last),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Body(_) => write!(f, "the event stream broke off"),
            Kind::Connect(_) => write!(f, "no answer to the request for an event stream"),
            Kind::ContentType(response) => match response.headers().get(CONTENT_TYPE) {
                Some(other) => write!(f, "the answer is no event stream, but {other:?}"),
                None => write!(f, "the answer is no event stream: it has no type"),
            },
            Kind::Ended => write!(f, "the event stream ended"),
            Kind::EventTooLarge(limit) => write!(f, "an event is larger than {limit} bytes"),
            Kind::Exhausted(_) => write!(f, "all attempts to connect have failed"),
            Kind::Idle(time) => write!(f, "the event stream was silent for {time:?}"),
            Kind::LineTooLong(limit) => write!(f, "a line is longer than {limit} bytes"),
            Kind::Redirect(why, _) => write!(f, "the redirect can't be followed: {why}"),
            Kind::Request(_) => write!(f, "the request could not be made"),
            Kind::Status(response) => {
                let words = Words(response.body());
                write!(f, "the server answered with {}{words}", response.status())
            }
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("sse::Error").field(&self.0).finish()
    }
}
