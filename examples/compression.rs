//! Compressed events that still come one by one: `cargo run --example compression`, then
//! `curl -N --compressed http://127.0.0.1:3000/prices`.

use std::{convert::Infallible, time::Duration};

use axum::{Router, response::IntoResponse, routing::get};
use futures_util::{Stream, stream};
use tower_http::compression::CompressionLayer;
use tower_realtime::sse::{CompressEvents, Event, KeepAlive, KeepAliveLayer, Sse};

async fn prices() -> impl IntoResponse {
    Sse::new(every(Duration::from_millis(500))).into_response()
}

fn every(pause: Duration) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(0, move |n| async move {
        tokio::time::sleep(pause).await;
        let price = serde_json::json!({"symbol": "TWR", "price": 100 + n % 7, "volume": n});
        let event = Event::json(&price).expect("a JSON value has a form in JSON");
        Some((Ok(event.id(n)), n + 1))
    })
}

pub(crate) fn app() -> Router {
    // The last layer is the outermost: comments have to be compressed like everything else.
    Router::new()
        .route("/prices", get(prices))
        .layer(KeepAliveLayer::new(KeepAlive::new(tokio::time::sleep)))
        .layer(CompressionLayer::new().compress_when(CompressEvents::new()))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}/prices", listener.local_addr()?);
    axum::serve(listener, app()).await
}
