//! A live event stream and a chat in your browser: `cargo run --example demo`
//!
//! `feed.rs` is the Server-Sent Events side, `chat.rs` the WebSocket side; the page is plain HTML beside them.
//! Another address to listen on may be given: `cargo run --example demo -- 127.0.0.1:8080`.

mod chat;
mod counters;
mod feed;

use std::{io, sync::Arc};

use axum::{Router, response::Html, routing::get};
use tokio::net::TcpListener;
use tower_realtime::BoxError;

use self::{chat::Chat, counters::Counters, feed::Feed};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let counters = Arc::new(Counters::default());
    let chat = Arc::new(Chat::new(Arc::clone(&counters)));
    let feed = Arc::new(Feed::new(Arc::clone(&counters)));
    tokio::spawn(feed::run(Arc::clone(&feed), Arc::clone(&chat)));

    let app = Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .merge(feed::routes(feed))
        .merge(chat::routes(chat));
    let listener = listen().await?;
    println!("The demo is ready: open http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// Listens where the command line says, else on port 3000, else on any free port of loopback.
async fn listen() -> io::Result<TcpListener> {
    if let Some(address) = std::env::args().nth(1) {
        return TcpListener::bind(address).await;
    }
    match TcpListener::bind("127.0.0.1:3000").await {
        Err(fault) if fault.kind() == io::ErrorKind::AddrInUse => {
            TcpListener::bind("127.0.0.1:0").await
        }
        outcome => outcome,
    }
}
