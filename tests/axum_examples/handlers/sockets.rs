//! Sockets in one piece: the extractor with its setters, and every kind of message.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{
    Router,
    extract::{ConnectInfo, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;

use super::{
    WebSocketUpgradeRejection,
    ws::{CloseCode, CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code},
};

type Visits = Arc<AtomicU32>;

pub(crate) fn app() -> Router {
    Router::new()
        .route("/louder", any(louder))
        .route("/small", any(small))
        .route("/visits", any(visits))
        .route("/dialect", any(dialect))
        .route("/newest", any(newest))
        .route("/polite", any(polite))
        .with_state(Visits::default())
}

async fn louder(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(answer)
}

async fn small(upgrade: WebSocketUpgrade) -> Response {
    let upgrade = upgrade.max_message_size(8).max_frame_size(8);
    let report = |error: axum::Error| panic!("the connection never came: {error}");
    upgrade.on_failed_upgrade(report).on_upgrade(answer)
}

async fn answer(mut socket: WebSocket) {
    while let Some(Ok(heard)) = socket.recv().await {
        let reply = match heard {
            Message::Text(words) => Message::text(words.to_uppercase()),
            Message::Binary(data) => data.iter().rev().copied().collect::<Vec<u8>>().into(),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => continue,
        };
        if socket.send(reply).await.is_err() {
            break;
        }
    }
}

/// What a closure captures comes along: the state, and who is there.
async fn visits(
    State(visits): State<Visits>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    upgrade: WebSocketUpgrade,
) -> impl IntoResponse {
    let count = visits.fetch_add(1, Ordering::Relaxed) + 1;
    upgrade.on_upgrade(move |socket| async move {
        let greeting = format!("visit {count} from {}", peer.ip());
        say_goodbye(socket, greeting, close_code::NORMAL).await;
    })
}

async fn dialect(upgrade: WebSocketUpgrade) -> Response {
    let upgrade = upgrade.protocols(["chess.v2", "chess.v1"]);
    upgrade.on_upgrade(say_protocol)
}

/// Chooses what sorts last, whatever the order.
async fn newest(mut upgrade: WebSocketUpgrade) -> Response {
    if let Some(best) = upgrade.requested_protocols().max().cloned() {
        upgrade.set_selected_protocol(best);
    }
    let chosen = upgrade.selected_protocol().cloned();
    upgrade.on_upgrade(move |socket| async move {
        assert_eq!(socket.protocol(), chosen.as_ref());
        say_protocol(socket).await;
    })
}

async fn say_protocol(socket: WebSocket) {
    let protocol = socket.protocol().and_then(|name| name.to_str().ok());
    let protocol = protocol.unwrap_or("no protocol").to_owned();
    say_goodbye(socket, protocol, close_code::AWAY).await;
}

async fn polite(upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>) -> Response {
    match upgrade {
        Ok(upgrade) => upgrade.on_upgrade(answer),
        Err(rejection) => {
            let excuse = format!("sockets only, please: {rejection}");
            assert!(rejection.into_response().status().is_client_error());
            (StatusCode::IM_A_TEAPOT, excuse).into_response()
        }
    }
}

/// Says one thing, closes, and waits until the peer has closed as well.
async fn say_goodbye(mut socket: WebSocket, last: String, code: CloseCode) {
    let reason = Utf8Bytes::from_static("that was all");
    let farewell = Message::Close(Some(CloseFrame { code, reason }));
    for message in [
        Message::Ping(Bytes::from_static(b"?")),
        last.into(),
        farewell,
    ] {
        if socket.send(message).await.is_err() {
            return;
        }
    }
    while let Some(Ok(_)) = socket.recv().await {}
}

#[test]
fn ok_messages_are_what_they_were_made_of() -> Result<(), axum::Error> {
    let frame = CloseFrame {
        code: close_code::POLICY,
        reason: "no".into(),
    };
    for (message, content) in [
        (Message::text("words"), "words"),
        (Message::from("words"), "words"),
        (Message::from(String::from("words")), "words"),
        (Message::binary("bytes"), "bytes"),
        (Message::from(b"bytes".as_slice()), "bytes"),
        (Message::from(Bytes::from("bytes")), "bytes"),
        (Message::Pong(Bytes::from("bytes")), "bytes"),
        (Message::Close(Some(frame)), "no"),
        (Message::Close(None), ""),
    ] {
        assert_eq!(message.to_text()?, content);
        assert_eq!(message.clone().into_text()?.as_str(), content);
        assert_eq!(Vec::from(message.clone()), content.as_bytes());
        assert_eq!(message.into_data(), content.as_bytes());
    }
    assert!(Message::binary(vec![0xff]).into_text().is_err());
    assert!(Message::binary(vec![0xff]).to_text().is_err());
    Ok(())
}
