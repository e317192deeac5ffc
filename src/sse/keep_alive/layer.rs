use tower_layer::Layer;

use super::{KeepAlive, KeepAliveService};

/// Keeps every event stream of the service below it open.
///
/// It recognizes event streams by their `Content-Type`, whoever made them; every other response passes as it is, and
/// so do those that are kept alive or compressed already: put a compression layer around this one.
///
/// ```
/// use std::time::Duration;
/// use axum::{Router, routing::get};
/// use tower_realtime::sse::{KeepAlive, KeepAliveLayer};
///
/// # async fn proxied() {}
/// let keep_alive = KeepAlive::new(tokio::time::sleep).interval(Duration::from_secs(20));
/// let app: Router = Router::new()
///     .route("/upstream", get(proxied))
///     .layer(KeepAliveLayer::new(keep_alive));
/// ```
#[derive(Clone, Debug)]
pub struct KeepAliveLayer<T> {
    keep_alive: KeepAlive<T>,
}

impl<T> KeepAliveLayer<T> {
    /// A layer that keeps event streams alive in this way.
    #[must_use]
    pub const fn new(keep_alive: KeepAlive<T>) -> Self {
        Self { keep_alive }
    }
}

impl<S, T: Clone> Layer<S> for KeepAliveLayer<T> {
    type Service = KeepAliveService<S, T>;

    fn layer(&self, inner: S) -> Self::Service {
        KeepAliveService::new(inner, self.keep_alive.clone())
    }
}
