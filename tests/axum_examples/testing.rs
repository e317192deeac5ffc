//! `examples/testing-websockets`.

use axum::{Router, response::Response, routing::any};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tower_realtime::axum::ws::{Message, WebSocket, WebSocketUpgrade}; // was: axum::extract

fn app() -> Router {
    Router::new()
        .route("/integration-testable", any(integration_testable_handler))
        .route("/unit-testable", any(unit_testable_handler))
}

// A WebSocket handler that echos any message it receives.
//
// This one we'll be integration testing so it can be written in the regular way.
async fn integration_testable_handler(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(integration_testable_handle_socket)
}

async fn integration_testable_handle_socket(mut socket: WebSocket) {
    while let Some(Ok(msg)) = socket.recv().await {
        if let Message::Text(msg) = msg {
            if socket
                .send(Message::Text(format!("You said: {msg}").into()))
                .await
                .is_err()
            {
                break;
            }
        }
    }
}

// The unit testable version requires some changes.
//
// By splitting the socket into an `impl Sink` and `impl Stream` we can test without providing a
// real socket and instead using channels, which also implement `Sink` and `Stream`.
async fn unit_testable_handler(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(|socket| {
        let (write, read) = socket.split();
        unit_testable_handle_socket(write, read)
    })
}

// The implementation is largely the same as `integration_testable_handle_socket` except we call
// methods from `SinkExt` and `StreamExt`.
async fn unit_testable_handle_socket<W, R>(mut write: W, mut read: R)
where
    W: Sink<Message> + Unpin,
    R: Stream<Item = Result<Message, axum::Error>> + Unpin,
{
    while let Some(Ok(msg)) = read.next().await {
        if let Message::Text(msg) = msg {
            if write
                .send(Message::Text(format!("You said: {msg}").into()))
                .await
                .is_err()
            {
                break;
            }
        }
    }
}

mod tests {
    use super::*;
    use crate::support::{VERSIONS, connect, serve, text};

    #[tokio::test]
    async fn integration_test() {
        let address = serve(app()).await;
        for version in VERSIONS {
            for path in ["/integration-testable", "/unit-testable"] {
                let mut socket = connect(address, path, version).await;
                socket.send("foo").await.unwrap();
                assert_eq!(text(&mut socket).await, "You said: foo");
                assert!(socket.close(None).await.is_clean());
            }
        }
    }

    // A vector and an iterator in place of axum's channels: they are a sink and a stream as well.
    #[tokio::test]
    async fn unit_test() {
        let mut written = Vec::new();
        let read = futures_util::stream::iter([Ok(Message::Text("foo".into()))]);
        unit_testable_handle_socket(&mut written, read).await;
        assert_eq!(written, [Message::text("You said: foo")]);
    }
}
