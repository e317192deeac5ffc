//! `axum::extract::ws`: the examples of its documentation.

use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{any, get},
};
use futures_util::{
    sink::SinkExt,
    stream::{SplitSink, SplitStream, StreamExt},
};
use tower_realtime::axum::ws::{Message, WebSocket, WebSocketUpgrade}; // was: axum::extract::ws

async fn handler(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(handle_socket)
}

async fn handle_socket(mut socket: WebSocket) {
    while let Some(msg) = socket.recv().await {
        let msg = if let Ok(msg) = msg {
            msg
        } else {
            // client disconnected
            return;
        };

        if socket.send(msg).await.is_err() {
            // client disconnected
            return;
        }
    }
}

#[derive(Clone)]
struct AppState {
    greeting: &'static str,
}

async fn with_state(ws: WebSocketUpgrade, State(state): State<AppState>) -> Response {
    ws.on_upgrade(|socket| handle_socket_with_state(socket, state))
}

async fn handle_socket_with_state(mut socket: WebSocket, state: AppState) {
    let _ = socket.send(state.greeting.into()).await;
}

async fn concurrently(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(handle_socket_concurrently)
}

async fn handle_socket_concurrently(socket: WebSocket) {
    let (sender, receiver) = socket.split();
    let (relay, relayed) = tokio::sync::mpsc::channel(1);

    tokio::spawn(write(sender, relayed));
    tokio::spawn(read(receiver, relay));
}

async fn read(mut receiver: SplitStream<WebSocket>, relay: tokio::sync::mpsc::Sender<Message>) {
    while let Some(Ok(message)) = receiver.next().await {
        if matches!(message, Message::Close(_)) || relay.send(message).await.is_err() {
            break;
        }
    }
}

async fn write(
    mut sender: SplitSink<WebSocket, Message>,
    mut relayed: tokio::sync::mpsc::Receiver<Message>,
) {
    while let Some(message) = relayed.recv().await {
        sender.send(message).await.unwrap();
    }
    sender.close().await.unwrap();
}

async fn with_protocols(ws: WebSocketUpgrade) -> Response {
    ws.protocols(["graphql-ws", "graphql-transport-ws"])
        .on_upgrade(|mut socket| async move {
            let protocol = socket.protocol().map(|name| name.to_str().unwrap());
            let answer = Message::text(protocol.unwrap_or("none"));
            socket.send(answer).await.unwrap();
        })
}

async fn with_a_report(ws: WebSocketUpgrade) -> Response {
    ws.on_failed_upgrade(|error| {
        report_error(error);
    })
    .on_upgrade(|socket| async { drop(socket) })
}

fn report_error(error: axum::Error) {
    panic!("{error}");
}

/// One route for a page and for its socket: what axum's extractor has no word for.
async fn page_or_socket(ws: Option<WebSocketUpgrade>) -> Response {
    use axum::response::IntoResponse as _;
    match ws {
        Some(ws) => ws.max_message_size(5).on_upgrade(handle_socket),
        None => "a page".into_response(),
    }
}

fn app() -> Router {
    let state = AppState { greeting: "hello" };
    Router::new()
        .route("/ws", any(handler))
        .route("/state", any(with_state))
        .route("/concurrently", any(concurrently))
        .route("/protocols", any(with_protocols))
        .route("/report", any(with_a_report))
        .route("/either", any(page_or_socket))
        .route("/get", get(handler))
        .with_state(state)
}

mod tests {
    use axum::{Extension, body::Body, extract::Request};
    use http::StatusCode;
    use tower::ServiceExt;
    use tower_realtime::ws::{self, Acceptor, ClosedBy, OriginPolicy, Rejection};

    use super::*;
    use crate::support::{VERSIONS, connect, open, serve, text};

    #[tokio::test]
    async fn ok_echoes_until_the_peer_closes() {
        let address = serve(app()).await;
        for version in VERSIONS {
            for path in ["/ws", "/concurrently"] {
                let mut socket = connect(address, path, version).await;
                for message in [ws::Message::text("one"), ws::Message::binary(vec![2])] {
                    socket.send(message.clone()).await.unwrap();
                    assert_eq!(socket.recv().await.unwrap(), Some(message), "{path}");
                }
                let closed = socket
                    .close(ws::CloseFrame::new(ws::CloseCode::NORMAL))
                    .await;
                assert!(closed.is_clean(), "{path} {version:?} {closed:?}");
            }
        }
    }

    #[tokio::test]
    async fn ok_state_is_passed_and_the_end_of_the_handler_closes() {
        let address = serve(app()).await;
        for version in VERSIONS {
            let mut socket = connect(address, "/state", version).await;
            assert_eq!(text(&mut socket).await, "hello");
            assert_eq!(socket.recv().await.unwrap(), None);
            assert_eq!(socket.closed().await.code(), 1000);
        }
    }

    #[tokio::test]
    async fn ok_a_protocol_is_chosen_in_the_order_of_the_server() {
        let address = serve(app()).await;
        for version in VERSIONS {
            let offered = &["graphql-transport-ws", "graphql-ws"];
            let (mut socket, response) = open(address, "/protocols", version, offered).await;
            assert_eq!(response.headers()["sec-websocket-protocol"], "graphql-ws");
            assert_eq!(text(&mut socket).await, "graphql-ws");
        }
        let mut socket = connect(address, "/protocols", VERSIONS[0]).await;
        assert_eq!(text(&mut socket).await, "none");
    }

    #[tokio::test]
    async fn ok_one_route_for_a_page_and_a_socket() {
        let request = Request::get("/either").body(Body::empty()).unwrap();
        let response = app().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let address = serve(app()).await;
        for version in VERSIONS {
            let mut socket = connect(address, "/either", version).await;
            socket.send("too long").await.unwrap();
            assert_eq!(socket.recv().await.unwrap(), None);
            let closed = socket.closed().await;
            assert_eq!((closed.by(), closed.code()), (ClosedBy::Peer, 1009));
        }
    }

    fn asking(origin: &str) -> Request {
        Request::get("/report")
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
    async fn err_what_is_no_websocket_is_told_why() {
        let request = Request::get("/ws").body(Body::empty()).unwrap();
        let response = app().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
        assert_eq!(
            response.extensions().get(),
            Some(&Rejection::MissingUpgrade)
        );
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
        let (report, reported) = tokio::sync::oneshot::channel();
        let report = std::sync::Arc::new(std::sync::Mutex::new(Some(report)));
        let handler = async move |ws: WebSocketUpgrade| {
            let report = report.lock().unwrap().take().unwrap();
            ws.on_failed_upgrade(|error| report.send(error.to_string()).unwrap())
                .on_upgrade(|socket| async { drop(socket) })
        };
        let app: Router = Router::new().route("/report", any(handler));
        let mut request = asking("http://example.com");
        let lost = async { Err(std::io::Error::other("the cable is cut")) };
        request
            .extensions_mut()
            .insert(ws::upgrade::OnUpgrade::new(lost));
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(reported.await.unwrap(), "the transport failed");
    }
}
