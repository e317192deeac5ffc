//! A stream of events in axum, with no axum feature: `cargo run --example sse_axum`, then
//! `curl -N http://127.0.0.1:3000/ticks`.

use std::{convert::Infallible, time::Duration};

use axum::{Router, response::IntoResponse, routing::get};
use futures_util::{Stream, stream};
use tower_realtime::sse::{Event, EventName, KeepAlive, Sse};

const TICK: EventName = EventName::from_static("tick"); // a bad name would be a compile error

async fn ticks() -> impl IntoResponse {
    Sse::new(every(Duration::from_millis(500)))
        .keep_alive(KeepAlive::new(tokio::time::sleep))
        .into_response()
}

fn every(pause: Duration) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(0, move |n| async move {
        tokio::time::sleep(pause).await;
        Some((Ok(Event::new(format!("tick {n}")).name(TICK).id(n)), n + 1))
    })
}

pub(crate) fn app() -> Router {
    Router::new().route("/ticks", get(ticks))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}/ticks", listener.local_addr()?);
    axum::serve(listener, app()).await
}
