use http::{
    HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{HOST, SEC_WEBSOCKET_VERSION},
};
use tower::ServiceExt;
use tower_service::Service;

use crate::{trace::warn, ws::upgrade::extended_connect};

/// Asks an application, at its start, which of its WebSocket routes would answer 405 over HTTP/2.
///
/// A server that offers extended CONNECT while its routes know only `GET` breaks the WebSockets of every browser
/// that comes over HTTP/2. Give this the whole application, as it is served, and the paths of its WebSockets. It
/// returns those that browsers would not reach, and warns of each in the log; [`Http2Layer`](super::Http2Layer)
/// around the application mends them.
///
/// The requests are for a version of the protocol that nobody speaks, so no WebSocket opens.
///
/// ```
/// use axum::{Router, body::Body, routing::{any, get}};
/// use tower::Layer as _;
/// use tower_realtime::ws::{Http2Layer, check_http2};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let app: Router = Router::new().route("/one", get(|| async {})).route("/two", any(|| async {}));
/// assert_eq!(check_http2::<_, Body, _>(app.clone(), ["/one", "/two"]).await, ["/one"]);
/// let app = Http2Layer::new().layer(app);
/// assert!(check_http2::<_, Body, _>(app, ["/one", "/two"]).await.is_empty());
/// # }
/// ```
pub async fn check_http2<S, B, R>(
    mut app: S,
    paths: impl IntoIterator<Item = &'static str>,
) -> Vec<&'static str>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Default,
{
    let mut unreachable = Vec::new();
    for path in paths {
        let Ok(app) = app.ready().await else { break };
        let answer = app.call(probe(path)).await;
        let reached = |response: Response<R>| response.status() != StatusCode::METHOD_NOT_ALLOWED;
        if !answer.is_ok_and(reached) {
            warn!(
                path,
                "this WebSocket can't be reached over HTTP/2: put ws::Http2Layer around the application"
            );
            unreachable.push(path);
        }
    }
    unreachable
}

fn probe<B: Default>(path: &str) -> Request<B> {
    let mut request = Request::new(B::default());
    *request.method_mut() = Method::CONNECT;
    *request.version_mut() = Version::HTTP_2;
    let target = format!("https://localhost{path}").parse::<Uri>();
    *request.uri_mut() = target.unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_static("localhost"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("0"));
    extended_connect(request.extensions_mut());
    request
}
