//! One task receives, others send: `cargo run --example split`, then connect to `ws://127.0.0.1:3000/work`.

use std::{io, time::Duration};

use axum::{Router, extract::Request, response::Response, routing::any};
use tokio::net::TcpListener;
use tower_realtime::{
    rt::Tokio,
    ws::{self, Acceptor, WebSocket},
};

/// Answers each message when its work is done, in whatever order that is.
async fn work(socket: WebSocket) -> Result<(), ws::Error> {
    // The third part drives the connection; in a handler it is driven already.
    let (sender, mut receiver, _driving) = socket.split();
    while let Some(message) = receiver.recv().await? {
        let sender = sender.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(message.len() as u64)).await;
            // An error says that the peer is gone, and nobody wants the answer.
            let _ = sender.send(message).await;
        });
    }
    Ok(())
}

async fn upgrade(request: Request) -> Response {
    Acceptor::new().upgrade(request, Tokio, work)
}

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    axum::serve(listener, Router::new().route("/work", any(upgrade))).await
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("ws://{}/work", listener.local_addr()?);
    serve(listener).await
}
