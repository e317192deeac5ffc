//! A chat with rooms, for WebSockets and event streams at once: `cargo run --example broadcast`, then connect to
//! `ws://127.0.0.1:3000/rooms/lobby`, or read along with `curl -N http://127.0.0.1:3000/rooms/lobby/events`.

use std::io;

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    response::Response,
    routing::{any, get},
};
use futures_util::TryStreamExt;
use tokio::net::TcpListener;
use tower_realtime::{
    rt::Tokio,
    sse::{Event, KeepAlive, Sse},
    topic::{Topic, Topics},
    ws::{self, Acceptor, Message, Prepared, WebSocket},
};

/// A room appears with its first guest and goes with its last.
type Rooms = State<Topics<String, Prepared>>;

async fn chat(State(rooms): Rooms, Path(room): Path<String>, request: Request) -> Response {
    let room = rooms.topic(room);
    Acceptor::new().upgrade(request, Tokio, |socket| join(room, socket))
}

async fn join(room: Topic<Prepared>, socket: WebSocket) -> Result<(), ws::Error> {
    // What is said is framed once for all, and a burst of it is one piece for all.
    let mut socket = socket.feed_from(room.subscribe().joined());
    while let Some(message) = socket.recv().await? {
        if message.is_text() {
            room.publish(Prepared::new(message));
        }
    }
    Ok(())
}

async fn read_along(State(rooms): Rooms, Path(room): Path<String>) -> Response {
    let said = rooms.subscribe(room).map_ok(|said| {
        Event::new(
            said.messages()
                .filter_map(Message::as_text)
                .collect::<String>(),
        )
    });
    let response = Sse::new(said)
        .keep_alive(KeepAlive::new(Tokio))
        .into_response();
    response.map(Body::new)
}

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    let app = Router::new()
        .route("/rooms/{room}", any(chat))
        .route("/rooms/{room}/events", get(read_along))
        .with_state(Topics::<String, Prepared>::new(64));
    axum::serve(listener, app).await
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("ws://{}/rooms/lobby", listener.local_addr()?);
    serve(listener).await
}
