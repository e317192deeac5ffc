//! `examples/websockets`.

use axum::{Router, body::Bytes, response::IntoResponse, routing::any};
use std::{net::SocketAddr, ops::ControlFlow};
use tower_realtime::axum::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade}; // was: axum::extract::ws

// Allows extracting the IP of the connecting user
use axum::extract::connect_info::ConnectInfo;
use tower_realtime::axum::ws::CloseFrame; // was: axum::extract::ws

// Allows splitting the websocket stream into separate TX and RX branches
use futures_util::{sink::SinkExt, stream::StreamExt};

fn app() -> Router {
    Router::new().route("/ws", any(ws_handler))
}

async fn ws_handler(
    ws: WebSocketUpgrade,
    ConnectInfo(addr): ConnectInfo<SocketAddr>,
) -> impl IntoResponse {
    // finalize the upgrade process by returning upgrade callback.
    // we can customize the callback by sending additional info such as address.
    ws.on_upgrade(move |socket| handle_socket(socket, addr))
}

/// Actual websocket statemachine (one will be spawned per connection)
async fn handle_socket(mut socket: WebSocket, who: SocketAddr) {
    // send a ping (unsupported by some browsers) just to kick things off and get a response
    if socket
        .send(Message::Ping(Bytes::from_static(&[1, 2, 3])))
        .await
        .is_ok()
    {
        println!("Pinged {who}...");
    } else {
        println!("Could not send ping {who}!");
        return;
    }

    // receive single message from a client (we can either receive or send with socket).
    if let Some(msg) = socket.recv().await {
        if let Ok(msg) = msg {
            if process_message(msg, who).is_break() {
                return;
            }
        } else {
            println!("client {who} abruptly disconnected");
            return;
        }
    }

    for i in 1..5 {
        if socket
            .send(Message::Text(format!("Hi {i} times!").into()))
            .await
            .is_err()
        {
            println!("client {who} abruptly disconnected");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }

    // By splitting socket we can send and receive at the same time. In this example we will send
    // unsolicited messages to client based on some sort of server's internal event (i.e .timer).
    let (mut sender, mut receiver) = socket.split();

    // Spawn a task that will push several messages to the client (does not matter what client does)
    let mut send_task = tokio::spawn(async move {
        let n_msg = 20;
        for i in 0..n_msg {
            // In case of any websocket error, we exit.
            if sender
                .send(Message::Text(format!("Server message {i} ...").into()))
                .await
                .is_err()
            {
                return i;
            }

            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }

        println!("Sending close to {who}...");
        if let Err(e) = sender
            .send(Message::Close(Some(CloseFrame {
                code: tower_realtime::axum::ws::close_code::NORMAL, // was: axum::extract::ws
                reason: Utf8Bytes::from_static("Goodbye"),
            })))
            .await
        {
            println!("Could not send Close due to {e}, probably it is ok?");
        }
        n_msg
    });

    // This second task will receive messages from client and print them on server console
    let mut recv_task = tokio::spawn(async move {
        let mut cnt = 0;
        while let Some(Ok(msg)) = receiver.next().await {
            cnt += 1;
            // print message and break if instructed to do so
            if process_message(msg, who).is_break() {
                break;
            }
        }
        cnt
    });

    // If any one of the tasks exit, abort the other.
    tokio::select! {
        rv_a = (&mut send_task) => {
            match rv_a {
                Ok(a) => println!("{a} messages sent to {who}"),
                Err(a) => println!("Error sending messages {a:?}")
            }
            recv_task.abort();
        },
        rv_b = (&mut recv_task) => {
            match rv_b {
                Ok(b) => println!("Received {b} messages"),
                Err(b) => println!("Error receiving messages {b:?}")
            }
            send_task.abort();
        }
    }

    // returning from the handler closes the websocket connection
    println!("Websocket context {who} destroyed");
}

/// helper to print contents of messages to stdout. Has special treatment for Close.
fn process_message(msg: Message, who: SocketAddr) -> ControlFlow<(), ()> {
    match msg {
        Message::Text(t) => {
            println!(">>> {who} sent str: {t:?}");
        }
        Message::Binary(d) => {
            println!(">>> {who} sent {} bytes: {d:?}", d.len());
        }
        Message::Close(c) => {
            if let Some(cf) = c {
                println!(
                    ">>> {who} sent close with code {} and reason `{}`",
                    cf.code, cf.reason
                );
            } else {
                println!(">>> {who} somehow sent close message without CloseFrame");
            }
            return ControlFlow::Break(());
        }

        Message::Pong(v) => {
            println!(">>> {who} sent pong with {v:?}");
        }
        // You should never need to manually handle Message::Ping, as axum's websocket library
        // will do so for you automagically by replying with Pong and copying the v according to
        // spec. But if you need the contents of the pings you can see them here.
        Message::Ping(v) => {
            println!(">>> {who} sent ping with {v:?}");
        }
    }
    ControlFlow::Continue(())
}

mod tests {
    use tower_realtime::ws;

    use super::*;
    use crate::support::{VERSIONS, connect, serve, text};

    /// Its clock is tokio's, so the seven seconds of the example pass at once.
    #[tokio::test]
    async fn ok_greetings_then_messages_then_goodbye() {
        let address = serve(app()).await;
        let talk = async |version| {
            let mut socket = connect(address, "/ws", version).await;
            socket.send("Hello, Server!").await.unwrap();
            for i in 1..5 {
                assert_eq!(text(&mut socket).await, format!("Hi {i} times!"));
            }
            for i in 0..20 {
                assert_eq!(text(&mut socket).await, format!("Server message {i} ..."));
            }
            assert_eq!(socket.recv().await.unwrap(), None);
            let closed = socket.closed().await;
            assert_eq!((closed.code(), closed.reason()), (1000, "Goodbye"));
            assert!(closed.is_clean());
        };
        tokio::join!(talk(VERSIONS[0]), talk(VERSIONS[1]));
    }

    #[tokio::test]
    async fn ends_when_the_client_closes_first() {
        let address = serve(app()).await;
        for version in VERSIONS {
            let mut socket = connect(address, "/ws", version).await;
            let bye = ws::CloseFrame::new(ws::CloseCode::from_static(4321)).reason("bye");
            let closed = socket.close(bye).await;
            assert!(closed.is_clean(), "{version:?} {closed:?}");
        }
    }
}
