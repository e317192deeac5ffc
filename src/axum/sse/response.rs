use std::fmt;

use axum_core::response::{IntoResponse, Response};
use futures_core::Stream;

use super::KeepAlive;
use crate::{
    BoxError,
    sse::{Encoded, Sse as Inner},
};

/// A response of a stream of events, whose type has the stream as its only parameter, as axum's has.
///
/// The stream's items are [`Event`](super::Event)s, or anything else that becomes [`Encoded`].
#[derive(Clone)]
#[must_use]
pub struct Sse<S> {
    events: S,
    keep_alive: Option<KeepAlive>,
}

impl<S> Sse<S> {
    /// A response of `stream`.
    pub fn new<T, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<T, E>> + Send + 'static,
        T: Into<Encoded>,
        E: Into<BoxError>,
    {
        Self {
            events: stream,
            keep_alive: None,
        }
    }

    /// Keeps the stream open while there are no events.
    pub fn keep_alive(mut self, keep_alive: KeepAlive) -> Self {
        self.keep_alive = Some(keep_alive);
        self
    }
}

impl<S, T, E> IntoResponse for Sse<S>
where
    S: Stream<Item = Result<T, E>> + Send + 'static,
    T: Into<Encoded> + 'static,
    E: Into<BoxError>,
{
    fn into_response(self) -> Response {
        let sse = Inner::new(self.events);
        match self.keep_alive {
            Some(KeepAlive(keep_alive)) => IntoResponse::into_response(sse.keep_alive(keep_alive)),
            None => IntoResponse::into_response(sse),
        }
    }
}

impl<S> fmt::Debug for Sse<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sse")
            .field("keep_alive", &self.keep_alive)
            .finish_non_exhaustive()
    }
}
