//! A WebSocket that says whom it lets in, and which subprotocols it speaks.
//!
//! `cargo run --example subprotocols_and_origins`, then from a page of the same origin
//! `new WebSocket("ws://127.0.0.1:3000/chat", ["chat.v2", "chat.v1"])`.

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::any,
};
use tower_realtime::{
    BoxError,
    rt::Tokio,
    ws::{self, Acceptor, HostPolicy, OriginPolicy, WebSocket},
};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app()?).await?)
}

pub(crate) fn app() -> Result<Router, BoxError> {
    let origins = OriginPolicy::same_origin() // the default, spelled out
        .allow("https://app.example")?
        .allow_subdomains("https://preview.example")?;
    let acceptor = Acceptor::new()
        .origins(origins)
        .hosts(HostPolicy::loopback_only()) // a local tool, safe from DNS rebinding
        .protocols(["chat.v2", "chat.v1"]); // the best first
    Ok(Router::new()
        .route("/chat", any(upgrade))
        .with_state(acceptor))
}

async fn upgrade(State(acceptor): State<Acceptor>, request: Request) -> Response {
    acceptor.upgrade(request, Tokio, chat)
}

async fn chat(mut socket: WebSocket) -> Result<(), ws::Error> {
    let protocol = socket.protocol().unwrap_or("no subprotocol").to_owned();
    socket.send(format!("we speak {protocol}")).await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
