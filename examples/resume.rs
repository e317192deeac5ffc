//! Events that a client can resume, over event streams and WebSockets: `cargo run --example resume`, then
//! `curl -N http://127.0.0.1:3000/events`, and again with `-H 'Last-Event-ID: …'` of an event that you have seen.

use std::{io, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::{any, get},
};
use tokio::{net::TcpListener, time};
use tower_realtime::{
    log::EventLog,
    rt::Tokio,
    sse::{Event, EventName, KeepAlive, Sse},
    ws::{self, Acceptor, WebSocket},
};

/// Tells a page to load everything again: `addEventListener("reload", …)`.
fn reset() -> Event {
    Event::new("reload").name(EventName::from_static("reload"))
}

async fn events(State(log): State<EventLog>, request: Request) -> Response {
    // What the client has missed comes first. If that is not kept any longer, it loads everything again.
    let events = log.resume(&request).or_reset(reset());
    let response = Sse::new(events)
        .keep_alive(KeepAlive::new(Tokio))
        .into_response();
    response.map(Body::new)
}

/// The same for a page that connects to `/socket?lastEventId=…`.
async fn socket(State(log): State<EventLog>, request: Request) -> Response {
    let events = log.resume(&request).or_reset(reset());
    Acceptor::new().upgrade(request, Tokio, |socket| listen(socket.feed_from(events)))
}

async fn listen(mut socket: WebSocket) -> Result<(), ws::Error> {
    while socket.recv().await?.is_some() {}
    Ok(())
}

pub(crate) async fn serve(listener: TcpListener, every: Duration) -> io::Result<()> {
    let log = EventLog::new(1024);
    let publisher = log.clone();
    tokio::spawn(async move {
        for n in 1_u64.. {
            publisher.publish(Event::display(n));
            time::sleep(every).await;
        }
    });
    let app = Router::new()
        .route("/events", get(events))
        .route("/socket", any(socket))
        .with_state(log);
    axum::serve(listener, app).await
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}/events", listener.local_addr()?);
    serve(listener, Duration::from_secs(1)).await
}
