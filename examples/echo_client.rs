//! Connects to a WebSocket server and sends every message back, until the server closes.
//!
//! `cargo run --example echo_client ws://127.0.0.1:3000/ws [--http2] [--deflate]`
//!
//! What public test suites ask of a client; a real one would have something to say.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::TcpStream;
use tower_realtime::{
    BoxError,
    rt::Tokio,
    ws::{Connector, Heartbeat, Limits, WebSocket, deflate::Deflate, upgrade::Http2Client},
};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag| arguments.iter().any(|argument| argument == flag);
    let url = arguments.iter().find(|word| !word.starts_with("--"));
    let url = url.ok_or("usage: echo_client URL [--http2] [--deflate]")?;

    let limits = Limits::new().message(64 << 20).frame(64 << 20);
    let connector = Connector::new()
        .timer(Tokio)
        .deflate(has("--deflate").then(|| Deflate::new().threshold(0)))
        .limits(limits.fragments(u32::MAX))
        // Suites count every frame, and on a slow machine a case takes longer than the default lets pass without a ping.
        .heartbeat(Heartbeat::new().interval(Duration::from_secs(120)));
    let request = Request::get(url).body(Empty::<Bytes>::new())?;
    if has("--http2") {
        return over_http2(connector, request).await;
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    echo(connector.connect(client, request).await?.0).await
}

/// HTTP/2 with prior knowledge: there is no TLS to agree on it.
async fn over_http2(connector: Connector, request: Request<Empty<Bytes>>) -> Result<(), BoxError> {
    let uri = request.uri();
    let host = uri.host().ok_or("the URL has no host")?;
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80))).await?;
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let (client, connection) = Http2Client::new(sender, connection, Tokio);
    let connection = tokio::spawn(connection);
    echo(connector.http2().connect(client, request).await?.0).await?;
    // The stream has ended; the connection still has its last frames to write.
    Ok(connection.await??)
}

async fn echo(mut socket: WebSocket) -> Result<(), BoxError> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    // Completes the closing handshake.
    println!("{:?}", socket.closed().await);
    Ok(())
}
