//! What every stack serves here, and what is asked of it.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, ORIGIN},
};
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tower::{Service, ServiceBuilder, service_fn};
use tower_http::{
    compression::CompressionLayer,
    cors::CorsLayer,
    map_response_body::MapResponseBodyLayer,
    timeout::TimeoutLayer,
    trace::{HttpMakeClassifier, TraceLayer},
};
use tower_realtime::{
    BoxError,
    rt::Tokio,
    sse::{Event, EventStream, Sse},
    ws::{self, Acceptor, Connector, Message, WebSocket, upgrade::Http2Client},
};

/// The application: `/ws` echoes, `/sse` ticks, everything else is a page.
pub async fn answer<B>(request: Request<B>) -> Response<Body> {
    match request.uri().path() {
        "/ws" => Acceptor::new().upgrade(request, Tokio, echo),
        "/sse" => ticks(),
        _ => Response::new(Body::from(page())),
    }
}

/// Long enough for tower-http to compress it.
pub fn page() -> String {
    "a page ".repeat(100)
}

/// What most servers have around them.
pub fn layers() -> (
    TraceLayer<HttpMakeClassifier>,
    CorsLayer,
    CompressionLayer,
    TimeoutLayer,
) {
    let timeout = Duration::from_secs(10);
    (
        TraceLayer::new_for_http(),
        CorsLayer::permissive(),
        CompressionLayer::new(),
        TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, timeout),
    )
}

/// The application in its layers, for adapters that take a tower service.
pub fn application<B: hyper::body::Body + Send + 'static>()
-> impl Service<Request<B>, Response = Response<Exclusive>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync {
    ServiceBuilder::new()
        .layer(MapResponseBodyLayer::new(|body| {
            Exclusive::new(Body::new(body))
        }))
        .layer(layers())
        .service(service_fn(async |request: Request<B>| {
            Ok::<_, Infallible>(answer(request).await)
        }))
}

/// A body that is `Sync` whatever is inside, as the adapters of warp, poem and salvo want it. Nobody ever waits for
/// its lock.
pub struct Exclusive(Mutex<Body>);

impl Exclusive {
    pub fn new(body: Body) -> Self {
        Self(Mutex::new(body))
    }
}

impl hyper::body::Body for Exclusive {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        let body = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        Pin::new(body).poll_frame(cx)
    }
}

pub async fn echo(mut socket: WebSocket) -> Result<(), ws::Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

/// One event, and then an open stream.
pub fn ticks() -> Response<Body> {
    let tick = stream::iter([Ok::<_, Infallible>(Event::new("tick").id(7u64))]);
    Sse::new(tick.chain(stream::pending()))
        .into_response()
        .map(Body::new)
}

/// A listener of a test.
pub async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// Serves a tower service on hyper, over HTTP/1.1 and HTTP/2.
pub async fn serve<S, B>(listener: TcpListener, service: S)
where
    S: Service<Request<hyper::body::Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let mut server = Builder::new(TokioExecutor::new());
            server.http2().enable_connect_protocol();
            let _ = server
                .serve_connection_with_upgrades(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Asks all that a stack has to do over HTTP/1.1.
pub async fn check_http1(address: SocketAddr) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let connect = Connector::new().timer(Tokio);

    let (socket, response) = connect
        .connect(client.clone(), request(address, "ws", "/ws", None))
        .await
        .expect("a WebSocket");
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    check_layers(response.headers());
    echoes(socket).await;

    let foreign = request(address, "ws", "/ws", Some("https://evil.example"));
    let refused = connect
        .connect(client.clone(), foreign)
        .await
        .expect_err("a refusal");
    assert_eq!(refused.status(), Some(StatusCode::FORBIDDEN));

    let response = client
        .request(request(address, "http", "/page", None))
        .await
        .expect("a page");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let body = response.into_body().collect().await.expect("a whole page");
    assert!((1..page().len()).contains(&body.to_bytes().len()));
}

/// The layers are there, and leave a WebSocket as it is.
fn check_layers(headers: &HeaderMap) {
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert!(!headers.contains_key("content-encoding"));
}

/// Asks for the event stream, which no layer holds back.
pub async fn check_sse(address: SocketAddr) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut request = request(address, "http", "/sse", None);
    let accept = HeaderValue::from_static("text/event-stream");
    request.headers_mut().insert(ACCEPT, accept);
    let response = client.request(request).await.expect("an event stream");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    check_layers(response.headers());
    let mut events = EventStream::new(response.into_body());
    let first = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
    let first = first
        .expect("in time")
        .expect("an event")
        .expect("no error");
    assert_eq!((first.data(), first.last_event_id()), ("tick", "7"));
}

/// Asks all that a stack has to do over HTTP/2.
pub async fn check_http2(address: SocketAddr) {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let executor = TokioExecutor::new();
    let handshake = hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await;
    let (sender, connection) = handshake.expect("HTTP/2");
    let (client, connection) = Http2Client::new(sender, connection, Tokio);
    tokio::spawn(connection);
    let connect = Connector::new().timer(Tokio).http2();

    for _ in 0..2 {
        let (socket, response) = connect
            .connect(client.clone(), request(address, "ws", "/ws", None))
            .await
            .expect("a WebSocket");
        assert_eq!(response.status(), StatusCode::OK);
        check_layers(response.headers());
        for header in [
            "connection",
            "upgrade",
            "sec-websocket-accept",
            "content-length",
        ] {
            assert!(!response.headers().contains_key(header), "{header}");
        }
        echoes(socket).await;
    }
    let foreign = request(address, "ws", "/ws", Some("https://evil.example"));
    let refused = connect
        .connect(client.clone(), foreign)
        .await
        .expect_err("a refusal");
    assert_eq!(refused.status(), Some(StatusCode::FORBIDDEN));
}

async fn echoes(mut socket: WebSocket) {
    for text in ["hi", &"long ".repeat(50_000)] {
        socket.send(text).await.expect("it is open");
        let back = socket.recv().await.expect("no error");
        assert_eq!(back, Some(Message::text(text)));
    }
    assert!(socket.close(None).await.is_clean());
}

fn request(
    address: SocketAddr,
    scheme: &str,
    path: &str,
    origin: Option<&'static str>,
) -> Request<Empty<Bytes>> {
    let request = Request::get(format!("{scheme}://{address}{path}"));
    let mut request = request.body(Empty::new()).expect("a request");
    let origin = origin.map(HeaderValue::from_static);
    let headers = request.headers_mut();
    headers.extend(origin.map(|origin| (ORIGIN, origin)));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    request
}
