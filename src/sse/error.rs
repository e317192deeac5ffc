use std::{error, fmt};

use crate::BoxError;

/// What went wrong while an event stream was read.
///
/// Ask it with the `is_*` methods; the words of its message are not promised. What caused it is its
/// [`source`](error::Error::source).
pub struct Error(Box<Kind>);

#[derive(Debug)]
enum Kind {
    Body(BoxError),
    EventTooLarge(usize),
    LineTooLong(usize),
}

impl Error {
    /// Whether the stream broke off: reading the body failed.
    #[must_use]
    pub fn is_body(&self) -> bool {
        matches!(*self.0, Kind::Body(_))
    }

    /// Whether the server sent a line or an event over the [`Limits`](super::Limits).
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(*self.0, Kind::EventTooLarge(_) | Kind::LineTooLong(_))
    }
}

impl Error {
    pub(super) fn body(cause: impl Into<BoxError>) -> Self {
        Self::new(Kind::Body(cause.into()))
    }

    pub(super) fn event_too_large(limit: usize) -> Self {
        Self::new(Kind::EventTooLarge(limit))
    }

    pub(super) fn line_too_long(limit: usize) -> Self {
        Self::new(Kind::LineTooLong(limit))
    }

    #[cold]
    fn new(kind: Kind) -> Self {
        Self(Box::new(kind))
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &*self.0 {
            Kind::Body(cause) => Some(&**cause),
            Kind::EventTooLarge(_) | Kind::LineTooLong(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Body(_) => write!(f, "the event stream broke off"),
            Kind::EventTooLarge(limit) => write!(f, "an event is larger than {limit} bytes"),
            Kind::LineTooLong(limit) => write!(f, "a line is longer than {limit} bytes"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("sse::Error").field(&self.0).finish()
    }
}
