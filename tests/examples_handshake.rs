//! The examples about who gets in, and over what, do what their first lines say.
#![allow(missing_docs, clippy::unwrap_used)]

use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode};
use tower_realtime::{
    loopback::Loopback,
    rt::Tokio,
    ws::{Acceptor, Connector, Message, WebSocket},
};

#[allow(dead_code)]
#[path = "../examples/subprotocols_and_origins.rs"]
mod subprotocols_and_origins;
#[allow(dead_code)]
#[path = "../examples/websocket_client.rs"]
mod websocket_client;
#[allow(dead_code)]
#[path = "../examples/websocket_http2.rs"]
mod websocket_http2;
#[allow(dead_code)]
#[path = "../examples/websocket_layer.rs"]
mod websocket_layer;

fn request(uri: &str, origin: Option<&'static str>) -> Request<Body> {
    let mut request = Request::get(uri).body(Body::empty()).unwrap();
    let origin = origin.map(HeaderValue::from_static);
    request
        .headers_mut()
        .extend(origin.map(|origin| (http::header::ORIGIN, origin)));
    request
}

#[tokio::test]
async fn subprotocols_and_origins() {
    let connect = async |uri, origin| {
        let app = Loopback::new(subprotocols_and_origins::app().unwrap());
        let connector = Connector::new().protocols(["chat.v1", "chat.v2"]);
        connector.connect(app, request(uri, origin)).await
    };
    let local = "ws://localhost:3000/chat";
    for origin in [
        None,
        Some("http://localhost:3000"),
        Some("https://app.example"),
        Some("https://a.preview.example"),
    ] {
        let (mut socket, _) = connect(local, origin).await.unwrap();
        let said = socket.recv().await.unwrap();
        assert_eq!(said, Some(Message::text("we speak chat.v2")));
    }
    for (uri, origin) in [
        (local, Some("https://evil.example")),
        (local, Some("https://preview.example")),
        (local, Some("null")),
        (
            "ws://rebound.example:3000/chat",
            Some("http://rebound.example:3000"),
        ),
    ] {
        let refused = connect(uri, origin).await.err().unwrap();
        assert_eq!(refused.status(), Some(StatusCode::FORBIDDEN));
    }
}

#[tokio::test]
async fn websocket_http2() {
    websocket_http2::run().await.unwrap();
}

#[tokio::test]
async fn websocket_layer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(websocket_layer::serve(listener));
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<Body>();
    let connecting = request(&format!("ws://{address}/any/path"), None);
    let (mut socket, _) = Connector::new()
        .connect(client.clone(), connecting)
        .await
        .unwrap();
    let said = socket.recv().await.unwrap();
    assert_eq!(said, Some(Message::text("you came by /any/path")));
    let page = client
        .request(request(&format!("http://{address}/"), None))
        .await
        .unwrap();
    assert_eq!(page.status(), StatusCode::OK);
}

/// A server that takes one visitor, says goodbye, and wants no other.
#[tokio::test]
async fn websocket_client() {
    let visits = std::sync::atomic::AtomicU32::new(0);
    let visits: &'static _ = Box::leak(Box::new(visits));
    let app =
        axum::Router::new().fallback(async |request: axum::extract::Request| -> Response<Body> {
            if visits.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
                let greet = async |mut socket: WebSocket| drop(socket.recv().await);
                return Acceptor::new().upgrade(request, Tokio, greet);
            }
            Response::builder().status(403).body(Body::empty()).unwrap()
        });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let error = websocket_client::follow(&format!("ws://{address}/"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server refused the WebSocket with 403 Forbidden"
    );
    assert_eq!(visits.load(std::sync::atomic::Ordering::Relaxed), 2);
}
