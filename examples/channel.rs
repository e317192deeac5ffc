//! Events that are pushed: work that reports its progress, and stops when nobody listens any more.
//! `cargo run --example channel`, then `curl -N http://127.0.0.1:3000/work`, and interrupt it.

use std::time::Duration;

use axum::{Router, response::IntoResponse, routing::get};
use tower_realtime::sse::{self, Closed, Event, EventName, KeepAlive, Sender, Sse};

const PROGRESS: EventName = EventName::from_static("progress");
const DONE: EventName = EventName::from_static("done");
const FAILED: EventName = EventName::from_static("failed");

async fn start() -> impl IntoResponse {
    let (sender, events) = sse::channel(16);
    tokio::spawn(async move {
        tokio::select! {
            done = work(&sender) => println!("work: {done:?}"),
            () = sender.closed() => println!("work: stopped, the client has gone"),
        }
    });
    Sse::new(events)
        .on_error(|error| Event::new(error.to_string()).name(FAILED))
        .on_end(|reason| println!("stream: {reason}"))
        .keep_alive(KeepAlive::new(tokio::time::sleep))
        .into_response()
}

async fn work(sender: &Sender) -> Result<(), Closed> {
    for percent in (0..=100u64).step_by(10) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let event = Event::display(format_args!("{percent} %"));
        sender.send(event.name(PROGRESS).id(percent)).await?;
    }
    sender.send(Event::new("").name(DONE)).await
}

pub(crate) fn app() -> Router {
    Router::new().route("/work", get(start))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}/work", listener.local_addr()?);
    axum::serve(listener, app()).await
}
