use std::sync::Arc;

/// The `:protocol` of an extended CONNECT (RFC 8441), in the extensions of the request.
///
/// Made from `hyper::ext::Protocol` where that is found (feature `http2`); another HTTP/2 or HTTP/3 server inserts
/// it itself. [`Http2Layer`](crate::ws::Http2Layer) leaves it in the requests that it makes look like HTTP/1.1, so
/// that a handler can tell.
///
/// ```
/// use http::{Method, Request};
/// use tower_realtime::ws::upgrade::ConnectProtocol;
///
/// /// What a server for HTTP/3 does with an extended CONNECT.
/// fn opened(mut request: Request<()>, protocol: &str) -> Request<()> {
///     assert_eq!(request.method(), Method::CONNECT);
///     request.extensions_mut().insert(ConnectProtocol::new(protocol));
///     request
/// }
/// # let request = opened(Request::connect("https://a.example/chat").body(()).expect("a request"), "websocket");
/// let protocol = request.extensions().get::<ConnectProtocol>().expect("an extended CONNECT");
/// assert_eq!(protocol.as_str(), "websocket");
/// ```
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
