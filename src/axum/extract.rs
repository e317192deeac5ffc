use std::convert::Infallible;

use axum_core::extract::FromRequestParts;
use http::request::Parts;

use crate::sse::LastEventId;

/// From the header, or else from the query: [`LastEventId::from_head`]. A first visit is no error.
impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::from_head(parts))
    }
}
