use std::task::{Context, Poll};

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{
        ALLOW, CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
        TRANSFER_ENCODING, UPGRADE,
    },
};
use tower_layer::Layer;
use tower_service::Service;

use super::http2_future::Http2Future;
use crate::{
    trace::debug,
    ws::{
        handshake::Rejection,
        upgrade::{ConnectProtocol, adopt},
    },
};

/// Makes WebSocket routes work over HTTP/2 and HTTP/3 as they do over HTTP/1.1 (RFC 8441, RFC 9220).
///
/// Over HTTP/2 a WebSocket starts with `CONNECT` where routes expect `GET`, so that a server which offers it answers
/// 405 where it used to answer 101. Put this around the *whole* application, outside of its router: what comes as
/// an extended CONNECT goes on as the `GET` with `Upgrade` that every router and every WebSocket library knows, and
/// their 101 goes out as the 200 that HTTP/2 wants, with all other headers kept.
///
/// The type of the response stays as it is, so `axum::serve` takes the result. An extended CONNECT for anything else
/// than a WebSocket gets 501.
///
/// The server has to offer extended CONNECT: on hyper `http2::Builder::enable_connect_protocol`; `axum::serve` with
/// axum's feature `http2` always does. A handler sees where a request came from by the
/// [`ConnectProtocol`](crate::ws::upgrade::ConnectProtocol) in its extensions.
///
/// ```
/// use axum::{Router, extract::Request, routing::get};
/// use tower::Layer as _;
/// use tower_realtime::{rt::Tokio, ws::{Acceptor, Http2Layer, WebSocket}};
///
/// let app: Router = Router::new().route(
///     "/ws",
///     get(|request: Request| async {
///         let response: axum::response::Response =
///             Acceptor::new().upgrade(request, Tokio, |socket: WebSocket| async { drop(socket) });
///         response
///     }),
/// );
/// let app = Http2Layer::new().layer(app);
/// # let _ = app;
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Http2Layer(());

impl Http2Layer {
    /// The layer; there is nothing to set.
    pub const fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for Http2Layer {
    type Service = Http2Service<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Http2Service { inner }
    }
}

/// The service of a [`Http2Layer`].
///
/// [`Http2Layer`] has an example.
#[derive(Clone, Copy, Debug)]
pub struct Http2Service<S> {
    inner: S,
}

impl<S> Http2Service<S> {
    /// The application inside.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The application inside.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The application inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for Http2Service<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Http2Future<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match recognize(&mut request) {
            Kind::Other => Http2Future::untouched(self.inner.call(request)),
            Kind::WebSocket => {
                to_http1(&mut request);
                Http2Future::rewritten(self.inner.call(request))
            }
            Kind::Unknown => {
                debug!(uri = %request.uri(), "refused an extended CONNECT for another protocol");
                Http2Future::foreign(self.inner.call(request))
            }
        }
    }
}

enum Kind {
    WebSocket,
    /// An extended CONNECT for something else: a router would take it for a GET, or for a proxy's CONNECT.
    Unknown,
    Other,
}

fn recognize<B>(request: &mut Request<B>) -> Kind {
    if request.version() <= Version::HTTP_11 || request.method() != Method::CONNECT {
        return Kind::Other;
    }
    adopt(request.extensions_mut());
    match request.extensions().get::<ConnectProtocol>() {
        None => Kind::Other,
        Some(protocol) if protocol.as_str().eq_ignore_ascii_case("websocket") => Kind::WebSocket,
        Some(_) => Kind::Unknown,
    }
}

/// The target keeps its scheme and host, as that of every request over HTTP/2, and as HTTP/1.1 allows.
fn to_http1<B>(request: &mut Request<B>) {
    *request.method_mut() = Method::GET;
    *request.version_mut() = Version::HTTP_11;
    let authority = request.uri().authority();
    let host = authority.and_then(|host| HeaderValue::try_from(host.as_str()).ok());
    let headers = request.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    // RFC 8441, section 5: there is no key over HTTP/2. Libraries want one all the same.
    headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static(KEY));
    headers.remove(CONTENT_LENGTH);
    if let Some(host) = host {
        headers.entry(HOST).or_insert(host);
    }
}

/// What a router answered to the rewritten request, as HTTP/2 has it.
///
/// The body is never touched, so that its type stays that of the application: `axum::serve` takes no other.
pub(super) fn to_http2<R>(mut response: Response<R>) -> Response<R> {
    match response.status() {
        StatusCode::SWITCHING_PROTOCOLS => {
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
            // RFC 9110, section 9.3.6: an answer that opens a tunnel has no body.
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        // Any 2xx would open the WebSocket (RFC 8441, section 5); this one is a page.
        status if status.is_success() => refuse(&mut response, Rejection::NotAWebSocket),
        // There is nothing to upgrade (RFC 9113, section 8.6).
        StatusCode::UPGRADE_REQUIRED => *response.status_mut() = StatusCode::BAD_REQUEST,
        _ => {}
    }
    strip(response.headers_mut());
    response
}

/// What a router answered to an extended CONNECT for something else (RFC 9220, section 3).
///
/// A success would open a tunnel that nobody serves, and 405 would say that another method helps.
pub(super) fn to_refusal<R>(mut response: Response<R>) -> Response<R> {
    let status = response.status();
    if status.is_success() || status == StatusCode::METHOD_NOT_ALLOWED {
        refuse(&mut response, Rejection::UnsupportedProtocol);
    }
    response
}

fn refuse<R>(response: &mut Response<R>, rejection: Rejection) {
    *response.status_mut() = rejection.status();
    response.headers_mut().remove(ALLOW);
    response.extensions_mut().insert(rejection);
}

/// RFC 9113, section 8.2.2: no connection headers.
fn strip(headers: &mut HeaderMap) {
    for name in [CONNECTION, UPGRADE, TRANSFER_ENCODING] {
        headers.remove(name);
    }
}

/// Sixteen zeros.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAA==";
