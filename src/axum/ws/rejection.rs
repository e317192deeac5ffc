use std::{error, fmt};

use axum_core::response::{IntoResponse, Response};
use http::Version;

use crate::ws::Rejection;

/// A [`Rejection`] as the answer to the request that it is about.
///
/// ```
/// use axum::response::{IntoResponse, Response};
/// use tower_realtime::{axum::ws::{WebSocketUpgrade, WebSocketUpgradeRejection}, ws::Rejection};
///
/// async fn handler(upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>) -> Response {
///     match upgrade {
///         Ok(upgrade) => upgrade.on_upgrade(async |_| {}),
///         Err(error) if error.rejection() == Rejection::MissingUpgrade => "does a proxy drop it?".into_response(),
///         Err(error) => error.into_response(),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct WebSocketUpgradeRejection {
    pub(super) rejection: Rejection,
    /// HTTP/2 has no 426, and none of the headers that belong to one.
    pub(super) version: Version,
}

impl WebSocketUpgradeRejection {
    /// What is wrong with the request.
    #[must_use]
    pub const fn rejection(&self) -> Rejection {
        self.rejection
    }
}

impl IntoResponse for WebSocketUpgradeRejection {
    fn into_response(self) -> Response {
        self.rejection.into_response(self.version)
    }
}

impl fmt::Display for WebSocketUpgradeRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rejection.fmt(f)
    }
}

impl error::Error for WebSocketUpgradeRejection {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.rejection)
    }
}
