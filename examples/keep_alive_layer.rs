//! Keeps event streams open that somebody else makes: here axum's own, but it might be a proxied response as well.
//! `cargo run --example keep_alive_layer`, then `curl -N http://127.0.0.1:3000/theirs`.

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    response::sse::{Event, Sse},
    routing::get,
};
use futures_util::{Stream, StreamExt, stream};
use tower_realtime::sse::{KeepAlive, KeepAliveLayer};

/// One event, and then nothing for a long time.
async fn theirs() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let hello = stream::iter([Ok(Event::default().data("hello"))]);
    Sse::new(hello.chain(stream::pending()))
}

async fn page() -> &'static str {
    "Only responses of text/event-stream are touched.\n"
}

pub(crate) fn app(interval: Duration) -> Router {
    let keep_alive = KeepAlive::new(tokio::time::sleep).interval(interval);
    Router::new()
        .route("/", get(page))
        .route("/theirs", get(theirs))
        .layer(KeepAliveLayer::new(keep_alive))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}/theirs", listener.local_addr()?);
    axum::serve(listener, app(Duration::from_secs(5))).await
}
