//! A WebSocket echo in axum: `cargo run --example websocket_axum`, then connect to `ws://127.0.0.1:3000/echo`.

use std::io;

use axum::{Router, extract::Request, response::Response, routing::any};
use tokio::net::TcpListener;
use tower_realtime::{
    rt::Tokio,
    ws::{self, Acceptor, WebSocket},
};

async fn echo(mut socket: WebSocket) -> Result<(), ws::Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

async fn upgrade(request: Request) -> Response {
    Acceptor::new().upgrade(request, Tokio, echo)
}

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    // `any` and not `get`: over HTTP/2 a WebSocket is a CONNECT.
    axum::serve(listener, Router::new().route("/echo", any(upgrade))).await
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("ws://{}/echo", listener.local_addr()?);
    serve(listener).await
}
