use axum_core::response::{IntoResponse, Response};
use http::StatusCode;

use crate::sse::JsonError;

/// 500: a value of this program has no form in JSON. What exactly is for the log, not for the client.
impl IntoResponse for JsonError {
    fn into_response(self) -> Response {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
