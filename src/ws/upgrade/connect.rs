use std::sync::Arc;

/// The `:protocol` of an extended CONNECT (RFC 8441), in the extensions of the request.
///
/// Made from `hyper::ext::Protocol` where that is found (feature `http2`); another HTTP/2 or HTTP/3 server inserts
/// it itself. [`Http2Layer`](crate::ws::Http2Layer) leaves it in the requests that it makes look like HTTP/1.1, so
/// that a handler can tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnectProtocol(Arc<str>);

impl ConnectProtocol {
    /// Wraps the value of the pseudo-header.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The value of the pseudo-header: `websocket`, for one.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
