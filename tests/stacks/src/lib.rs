//! What every stack serves here, and what is asked of it.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response, StatusCode, header::ORIGIN};
use http_body_util::Empty;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tower::Service;
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
        _ => Response::new(Body::from("a page")),
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
    assert!(!response.headers().contains_key("content-encoding"));
    echoes(socket).await;

    let foreign = request(address, "ws", "/ws", Some("https://evil.example"));
    let refused = connect
        .connect(client.clone(), foreign)
        .await
        .err()
        .expect("a refusal");
    assert_eq!(refused.status(), Some(StatusCode::FORBIDDEN));

    let page = client
        .request(request(address, "http", "/page", None))
        .await
        .expect("a page");
    assert_eq!(page.status(), StatusCode::OK);
}

/// Asks for the event stream, compressed where the stack does that.
pub async fn check_sse(address: SocketAddr) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut request = request(address, "http", "/sse", None);
    request.headers_mut().insert(
        "accept",
        http::HeaderValue::from_static("text/event-stream"),
    );
    let response = client.request(request).await.expect("an event stream");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut events = EventStream::new(response.into_body());
    let first = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
    let first = first
        .expect("in time")
        .expect("an event")
        .expect("no error");
    assert_eq!(
        (first.data.as_str(), first.last_event_id.as_str()),
        ("tick", "7")
    );
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
        .err()
        .expect("a refusal");
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
    let origin = origin.map(http::HeaderValue::from_static);
    request
        .headers_mut()
        .extend(origin.map(|origin| (ORIGIN, origin)));
    request
}
