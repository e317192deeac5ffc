//! Files of any size, up and down, through little memory: `cargo run --example large_messages`, then send a binary
//! message of up to 1 GiB to `ws://127.0.0.1:3000/files`; its size comes back. A text, such as `1000000`, asks for so many zeros.

use std::io;

use axum::{Router, extract::Request, response::Response, routing::any};
use bytes::Bytes;
use tokio::net::TcpListener;
use tower_realtime::{
    rt::Tokio,
    ws::{self, Acceptor, Limits, MessageKind, WebSocket},
};

async fn files(mut socket: WebSocket) -> Result<(), ws::Error> {
    loop {
        let Some(mut message) = socket.recv_stream().await? else {
            return Ok(());
        };
        let (kind, mut size, mut wanted) = (message.kind(), 0, 0);
        // The next part is read when this one has been dealt with: a slow disk slows the peer down.
        while let Some(part) = message.part().await? {
            size += part.len();
            wanted = part.as_text().map_or(0, |text| text.parse().unwrap_or(0));
        }
        drop(message);
        match kind {
            MessageKind::Text => send(&mut socket, wanted).await?,
            MessageKind::Binary => socket.send(format!("{size} bytes")).await?,
        }
    }
}

async fn send(socket: &mut WebSocket, mut bytes: usize) -> Result<(), ws::Error> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut message = socket.send_stream(MessageKind::Binary);
    while bytes > 0 {
        let part = &ZEROS[..bytes.min(ZEROS.len())];
        // Waits while the peer does not read. A message without its `finish` never looks like a whole one.
        message.write(Bytes::from_static(part)).await?;
        bytes -= part.len();
    }
    message.finish().await
}

async fn upgrade(request: Request) -> Response {
    // Without this, messages over 1 MiB are refused with 1009.
    let limits = Limits::new().streamed(1 << 30);
    Acceptor::new()
        .limits(limits)
        .upgrade(request, Tokio, files)
}

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    axum::serve(listener, Router::new().route("/files", any(upgrade))).await
}

#[tokio::main]
async fn main() -> io::Result<()> {
    serve(TcpListener::bind("127.0.0.1:3000").await?).await
}
