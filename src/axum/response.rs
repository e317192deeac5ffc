//! What handlers may return.

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use futures_core::Stream;

use crate::{
    BoxError,
    lifecycle::Refusal,
    rt::Timer,
    sse::{Encoded, Sse},
};

impl<S, T, U, E> IntoResponse for Sse<S, T>
where
    S: Stream<Item = Result<U, E>> + Send + 'static,
    T: Timer + Send + 'static,
    T::Sleep: Send,
    U: Into<Encoded> + 'static,
    E: Into<BoxError>,
{
    fn into_response(self) -> Response {
        Self::into_response(self).map(Body::new)
    }
}

/// Its status, with the reason as text. The layers' own answer has a `Retry-After` as well.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.to_string()).into_response();
        response.extensions_mut().insert(self);
        response
    }
}
