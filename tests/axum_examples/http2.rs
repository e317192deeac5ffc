//! `examples/websockets-http2`.

use axum::{Router, extract::State, http::Version, routing::any};
use tokio::sync::broadcast;
use tower_realtime::axum::ws::{self, WebSocketUpgrade}; // was: axum::extract::ws

fn app() -> Router {
    Router::new()
        .route("/ws", any(ws_handler))
        .with_state(broadcast::channel::<String>(16).0)
}

async fn ws_handler(
    ws: WebSocketUpgrade,
    version: Version,
    State(sender): State<broadcast::Sender<String>>,
) -> axum::response::Response {
    println!("accepted a WebSocket using {version:?}");
    let mut receiver = sender.subscribe();
    ws.on_upgrade(|mut ws| async move {
        loop {
            tokio::select! {
                // Since `ws` is a `Stream`, it is by nature cancel-safe.
                res = ws.recv() => {
                    match res {
                        Some(Ok(ws::Message::Text(s))) => {
                            let _ = sender.send(s.to_string());
                        }
                        Some(Ok(_)) => {}
                        Some(Err(e)) => println!("client disconnected abruptly: {e}"),
                        None => break,
                    }
                }
                // Tokio guarantees that `broadcast::Receiver::recv` is cancel-safe.
                res = receiver.recv() => {
                    match res {
                        Ok(msg) => if let Err(e) = ws.send(ws::Message::Text(msg.into())).await {
                            println!("client disconnected abruptly: {e}");
                        }
                        Err(_) => continue,
                    }
                }
            }
        }
    })
}

mod tests {
    use super::*;
    use crate::support::{VERSIONS, connect, serve, text};

    #[tokio::test]
    async fn ok_what_one_says_everybody_hears_whatever_the_version() {
        let address = serve(app()).await;
        let mut old = connect(address, "/ws", VERSIONS[0]).await;
        let mut new = connect(address, "/ws", VERSIONS[1]).await;
        old.send("from HTTP/1.1").await.unwrap();
        assert_eq!(text(&mut new).await, "from HTTP/1.1");
        assert_eq!(text(&mut old).await, "from HTTP/1.1");
        new.send("from HTTP/2").await.unwrap();
        assert_eq!(text(&mut old).await, "from HTTP/2");
        assert!(old.close(None).await.is_clean());
        assert!(new.close(None).await.is_clean());
    }
}
