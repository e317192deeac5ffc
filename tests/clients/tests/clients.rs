//! `EventSource` over clients that people have: hyper-util's, reqwest's own tower service, and an axum `Router` in the
//! same process. Each is followed over the end of a stream, with and without layers of tower in between.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::HttpBody,
    extract::State,
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, StatusCode, header::AUTHORIZATION};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{BoxError, Service, ServiceBuilder};
use tower_http::{compression::CompressionLayer, decompression::DecompressionLayer};
use tower_realtime::{
    lifecycle::Backoff,
    sse::{CompressEvents, Event, EventSource, Sse},
};

/// What the server was asked.
#[derive(Clone, Default)]
struct Seen {
    requests: Arc<AtomicU32>,
    authorized: Arc<AtomicU32>,
    compressed: Arc<AtomicU32>,
}

type Full = http_body_util::Full<Bytes>;

/// Three events from the id on that the client names, of ten; then it says stop.
async fn events(State(seen): State<Seen>, headers: HeaderMap) -> Response {
    seen.requests.fetch_add(1, Ordering::Relaxed);
    if headers.contains_key(AUTHORIZATION) {
        seen.authorized.fetch_add(1, Ordering::Relaxed);
    }
    if headers.contains_key("accept-encoding") {
        seen.compressed.fetch_add(1, Ordering::Relaxed);
    }
    assert_eq!(headers["accept"], "text/event-stream");
    let last = headers
        .get("last-event-id")
        .map_or(0, |id| id.to_str().unwrap().parse::<u64>().unwrap());
    if last == 10 {
        return StatusCode::NO_CONTENT.into_response();
    }
    let events = (last + 1..=10).take(3).map(|n| {
        let event = Event::new(format!("event {n}")).id(n);
        Ok::<_, Infallible>(event.retry(Duration::from_millis(100)))
    });
    let response = Sse::new(stream::iter(events)).into_response();
    response.map(axum::body::Body::new)
}

fn app(seen: &Seen) -> Router {
    Router::new()
        .route("/events", get(events))
        .route(
            "/moved",
            get(|| async { axum::response::Redirect::permanent("/events") }),
        )
        .with_state(seen.clone())
}

async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

/// Follows it to the stop; everything has to come once and in order.
async fn follow(source: EventSource, seen: &Seen) {
    let before = seen.requests.load(Ordering::Relaxed);
    let source = source.backoff(Backoff::new().max_attempts(3));
    let got = source.map(|message| {
        let message = message.expect("no failure");
        (
            message.last_event_id().to_string(),
            message.data().to_string(),
        )
    });
    let got: Vec<_> = tokio::time::timeout(Duration::from_secs(60), got.collect())
        .await
        .expect("it ends");
    let want = (1..=10).map(|n| (n.to_string(), format!("event {n}")));
    assert_eq!(got, want.collect::<Vec<_>>());
    assert_eq!(seen.requests.load(Ordering::Relaxed) - before, 5);
}

fn get_of<B: Default>(uri: &str) -> Request<B> {
    Request::get(uri).body(B::default()).unwrap()
}

/// `client` itself, with the requests that it wants.
fn plain<S, B, R>(client: S, uri: &str) -> EventSource
where
    S: Service<Request<B>, Response = http::Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Clone + Default + Send + 'static,
    R: HttpBody<Error: Into<BoxError>> + Send + 'static,
{
    EventSource::new(client, get_of(uri), tokio::time::sleep)
}

/// The one of `docs/guide/clients.md`.
fn reqwest_source(client: reqwest::Client, request: Request<Bytes>) -> EventSource {
    let client = ServiceBuilder::new()
        .map_response(http::Response::<reqwest::Body>::from)
        .filter(|request: Request<Bytes>| {
            reqwest::Request::try_from(request).map_err(BoxError::from)
        })
        .service(client);
    EventSource::new(client, request, tokio::time::sleep)
}

#[test]
fn the_guide_shows_what_is_tested() {
    let part = |text: &str| {
        let from = text.find("fn reqwest_source(").expect("it is there");
        let end = text[from..].find("\n}").expect("it ends");
        text[from..from + end]
            .split_whitespace()
            .collect::<String>()
    };
    let guide = include_str!("../../../docs/guide/clients.md");
    assert_eq!(part(guide), part(include_str!("clients.rs")));
}

#[tokio::test]
async fn hyper_utils_client() {
    let seen = Seen::default();
    let address = serve(app(&seen)).await;
    let http1 = Client::builder(TokioExecutor::new()).build_http::<Full>();
    let http2 = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Full>();
    follow(
        plain(http1.clone(), &format!("http://{address}/events")),
        &seen,
    )
    .await;
    follow(plain(http1, &format!("http://{address}/moved")), &seen).await;
    follow(plain(http2, &format!("http://{address}/events")), &seen).await;
}

#[tokio::test]
async fn a_router_in_the_same_process() {
    let seen = Seen::default();
    follow(plain::<_, Full, _>(app(&seen), "/events"), &seen).await;
    follow(plain::<_, Full, _>(app(&seen), "/moved"), &seen).await;
}

#[tokio::test]
async fn reqwests_own_service() {
    let seen = Seen::default();
    let address = serve(app(&seen)).await;
    // It follows redirects itself; without, that is up to `EventSource`.
    let own = reqwest::Client::builder().no_proxy();
    let none = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    for client in [own, none] {
        let client = client.build().unwrap();
        for path in ["events", "moved"] {
            let request = get_of(&format!("http://{address}/{path}"));
            follow(reqwest_source(client.clone(), request), &seen).await;
        }
    }
}

/// Credentials, a time-out, decompression, and a layer that tries again, over a client.
fn layered<S, B, R>(client: S, uri: &str) -> EventSource
where
    S: Service<Request<B>, Response = http::Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError> + 'static,
    B: Clone + Default + Send + 'static,
    R: HttpBody<Error: Into<BoxError> + Send, Data: Send> + Send + 'static,
{
    let client = ServiceBuilder::new()
        .retry(Twice)
        .timeout(Duration::from_secs(10))
        .map_request(|mut request: Request<B>| {
            let token = http::HeaderValue::from_static("Bearer secret");
            request.headers_mut().insert(AUTHORIZATION, token);
            request
        })
        .layer(DecompressionLayer::new())
        .map_err(Into::<BoxError>::into)
        .service(client);
    EventSource::new(client, get_of(uri), tokio::time::sleep)
}

/// Asks once more where there was no answer at all.
#[derive(Clone)]
struct Twice;

impl<B: Clone, R> tower::retry::Policy<Request<B>, R, BoxError> for Twice {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<B>,
        result: &mut Result<R, BoxError>,
    ) -> Option<Self::Future> {
        result.is_err().then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn layers_under_each() {
    let seen = Seen::default();
    let compressed = app(&seen)
        .layer(CompressionLayer::new().compress_when(CompressEvents::new()))
        .layer(middleware::map_response(async |response: Response| {
            let known = response.status() != StatusCode::OK
                || response.headers().contains_key("content-encoding");
            assert!(known, "{response:?}");
            response
        }));
    let address = serve(compressed.clone()).await;
    let uri = format!("http://{address}/events");
    let hyper = Client::builder(TokioExecutor::new()).build_http::<Full>();
    follow(layered(hyper, &uri), &seen).await;
    let reqwest = reqwest::Client::builder().no_proxy().build().unwrap();
    let reqwest = ServiceBuilder::new()
        .map_response(http::Response::<reqwest::Body>::from)
        .filter(|request: Request<Bytes>| {
            reqwest::Request::try_from(request).map_err(BoxError::from)
        })
        .service(reqwest);
    follow(layered(reqwest, &uri), &seen).await;
    follow(layered::<_, Full, _>(compressed, "/events"), &seen).await;
    assert_eq!(seen.authorized.load(Ordering::Relaxed), 15);
    assert_eq!(seen.compressed.load(Ordering::Relaxed), 15);
}
