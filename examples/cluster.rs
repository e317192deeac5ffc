//! One of many servers that share their events through Redis:
//! `cargo run --example cluster 127.0.0.1:3000 redis://127.0.0.1:6379`.
//!
//! Event streams at `/events`, WebSockets at `/socket`, and a POST to `/publish` reaches the clients of all servers.
//! `scripts/cluster-test` runs three of them behind HAProxy and breaks what can break.

use std::error::Error;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use tokio::net::TcpListener;
use tower_realtime::{
    log::{
        EventLog,
        redis::{Redis, RedisStream},
    },
    rt::Tokio,
    sse::{Event, EventName, KeepAlive, Sse},
    ws::{self, Acceptor, WebSocket},
};

type Log = State<EventLog<RedisStream>>;

/// Tells a page to load everything again: `addEventListener("reload", …)`.
fn reset() -> Event {
    Event::new("reload").name(EventName::from_static("reload"))
}

async fn events(State(log): Log, headers: HeaderMap) -> Response {
    match log.try_resume(&headers).await {
        // The page loads everything again when it sees `reload`.
        Ok(resume) => Sse::new(resume.or_reset(reset()))
            .keep_alive(KeepAlive::new(Tokio))
            .into_response()
            .map(Body::new),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn socket(State(log): Log, request: Request) -> Response {
    let Ok(resume) = log.try_resume(&request).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let events = resume.or_reset(reset());
    Acceptor::new().upgrade(request, Tokio, |socket| listen(socket.feed_from(events)))
}

async fn listen(mut socket: WebSocket) -> Result<(), ws::Error> {
    while socket.recv().await?.is_some() {}
    Ok(())
}

async fn publish(State(log): Log, text: String) -> Response {
    match log.try_publish(Event::new(text)).await {
        Ok(id) => id.to_string().into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3000".into());
    let redis = arguments
        .next()
        .unwrap_or_else(|| "redis://127.0.0.1:6379".into());
    let log = Redis::open(&redis, Tokio)?.keep(100_000).log("news");
    let app = Router::new()
        .route("/events", get(events))
        .route("/socket", any(socket))
        .route("/publish", post(publish))
        .with_state(log);
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
