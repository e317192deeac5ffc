//! Messages as values: `cargo run --example typed_chat`, then connect to `ws://127.0.0.1:3000/chat` and send
//! `{"say":"hello"}`.

use std::io;

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::any,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tower_realtime::{
    rt::Tokio,
    topic::Topic,
    ws::{self, Acceptor, Encode, Json, Message, WebSocket},
};

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Command {
    Say(String),
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Event {
    Said(String),
    Welcome,
}

async fn join(room: Topic<Message>, socket: WebSocket) -> Result<(), ws::Error> {
    let socket = socket.feed_from(room.subscribe());
    let mut socket = socket.typed::<Json<Command>, Json<Event>>();
    socket.send(&Event::Welcome).await?;
    while let Some(Command::Say(text)) = socket.recv().await? {
        // Encoded once, for everybody.
        if let Ok(message) = Json::encode(&Event::Said(text)) {
            room.publish(message);
        }
    }
    Ok(())
}

async fn upgrade(State(room): State<Topic<Message>>, request: Request) -> Response {
    Acceptor::new().upgrade(request, Tokio, |socket| join(room, socket))
}

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    let room = Topic::new(64);
    axum::serve(
        listener,
        Router::new().route("/chat", any(upgrade)).with_state(room),
    )
    .await
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("ws://{}/chat", listener.local_addr()?);
    serve(listener).await
}
