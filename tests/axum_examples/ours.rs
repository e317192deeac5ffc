//! What the extractors can do that axum's have no word for.

use std::{
    io,
    sync::{Arc, Mutex},
};

use axum::{
    Extension, Router,
    body::Body,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::any,
};
use futures_util::StreamExt;
use tokio::sync::oneshot;
use tower::ServiceExt;
use tower_realtime::{
    axum::ws::WebSocketUpgrade,
    sse::EventStream,
    ws::{Acceptor, ClosedBy, OriginPolicy, Rejection, upgrade::OnUpgrade},
};

use crate::support::{VERSIONS, connect, serve, text};

/// One route for a page and for its socket.
async fn page_or_socket(upgrade: Option<WebSocketUpgrade>) -> Response {
    let Some(upgrade) = upgrade else {
        return "a page".into_response();
    };
    upgrade.max_message_size(5).on_upgrade(async |mut socket| {
        while let Some(Ok(message)) = socket.recv().await {
            let _ = socket.send(message).await;
        }
    })
}

async fn socket_only(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |socket| drop(socket))
}

fn app() -> Router {
    Router::new()
        .route("/either", any(page_or_socket))
        .route("/socket", any(socket_only))
}

fn asking(origin: &str) -> Request {
    Request::get("/socket")
        .header("host", "example.com")
        .header("origin", origin)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn ok_one_route_for_a_page_and_a_socket() {
    let request = Request::get("/either").body(Body::empty()).unwrap();
    let response = app().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let address = serve(app()).await;
    for version in VERSIONS {
        let mut socket = connect(address, "/either", version).await;
        socket.send("short").await.unwrap();
        assert_eq!(text(&mut socket).await, "short");
        socket.send("too long").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), None);
        let closed = socket.closed().await;
        assert_eq!((closed.by(), closed.code()), (ClosedBy::Peer, 1009));
    }
}

#[tokio::test]
async fn ok_a_socket_that_is_dropped_is_closed() {
    let address = serve(app()).await;
    for version in VERSIONS {
        let mut socket = connect(address, "/socket", version).await;
        assert_eq!(socket.recv().await.unwrap(), None);
        assert_eq!(socket.closed().await.code(), 1000);
    }
}

#[tokio::test]
async fn ok_what_no_field_can_have_is_replaced() {
    use tower_realtime::axum::sse::{Event, Sse};

    let event = Event::default().event("a\nb").id("1\r\0").data("x");
    let events = futures_util::stream::iter([Ok::<_, io::Error>(event)]);
    let mut events = EventStream::new(Sse::new(events).into_response().into_body());
    let event = events.next().await.unwrap().unwrap();
    assert_eq!(event.event(), "a\u{fffd}b");
    assert_eq!(event.last_event_id(), "1\u{fffd}\u{fffd}");
}

#[tokio::test]
async fn err_what_is_no_websocket_is_told_why() {
    let request = Request::get("/socket").body(Body::empty()).unwrap();
    let response = app().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
    let why = response.extensions().get();
    assert_eq!(why, Some(&Rejection::MissingUpgrade));
}

#[tokio::test]
async fn err_other_origins_unless_a_layer_allows_them() {
    let origin = "https://app.example";
    let response = app().oneshot(asking(origin)).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let allowed = OriginPolicy::same_origin().allow(origin).unwrap();
    let app = app().layer(Extension(Acceptor::new().origins(allowed)));
    let response = app.oneshot(asking(origin)).await.unwrap();
    // Nothing in this test could be upgraded, but the origin was taken.
    assert_eq!(response.extensions().get(), Some(&Rejection::NotUpgradable));
}

#[tokio::test]
async fn ok_a_connection_that_never_comes_is_reported() {
    let (report, reported) = oneshot::channel();
    let report = Arc::new(Mutex::new(Some(report)));
    let handler = async move |upgrade: WebSocketUpgrade| {
        let report = report.lock().unwrap().take().unwrap();
        upgrade
            .on_failed_upgrade(|error| report.send(error.to_string()).unwrap())
            .on_upgrade(async |socket| drop(socket))
    };
    let app: Router = Router::new().route("/socket", any(handler));
    let mut request = asking("http://example.com");
    let lost = async { Err(io::Error::other("the cable is cut")) };
    request.extensions_mut().insert(OnUpgrade::new(lost));
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(reported.await.unwrap(), "the transport failed");
}
