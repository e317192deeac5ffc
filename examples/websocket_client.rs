//! A client over hyper-util's pooled client, which opens its WebSocket again when it is lost.
//!
//! `cargo run --example websocket_client ws://127.0.0.1:3000/chat`

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower_realtime::{
    BoxError,
    rt::Tokio,
    ws::{Connector, Redirects},
};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let url = std::env::args().nth(1);
    follow(&url.ok_or("usage: websocket_client URL")?).await
}

pub(crate) async fn follow(url: &str) -> Result<(), BoxError> {
    // Your client brings TLS, proxies, names and pools; any tower client will do.
    let client = Client::builder(TokioExecutor::new()).build_http();
    let connector = Connector::new()
        .protocols(["chat.v2", "chat.v1"])
        .redirects(Redirects::same_origin(3));

    let mut connections = connector
        .reconnecting(client, Tokio, || async {
            // Called for every attempt: the place for a fresh token.
            Request::get(url).body(Empty::<Bytes>::new())
        })
        .on_failure(|failure| println!("again in {:?}: {}", failure.after, failure.cause));
    loop {
        // Waits as the backoff says. It fails when trying again would not help, a 403 for one.
        let (mut socket, _) = connections.next().await?;
        println!("open, speaking {:?}", socket.protocol());
        socket.send("hello").await?;
        while let Ok(Some(message)) = socket.recv().await {
            println!("{message:?}");
        }
        println!("lost: {:?}", socket.closed().await);
    }
}
