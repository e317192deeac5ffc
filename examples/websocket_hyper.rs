//! A WebSocket echo in plain hyper, as a layer: `cargo run --example websocket_hyper`, then connect to
//! `ws://127.0.0.1:3000`. All other requests reach the service inside.

use std::{convert::Infallible, io};

use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};
use tower_realtime::{
    rt::Tokio,
    ws::{self, WebSocket, WebSocketLayer},
};

async fn echo(mut socket: WebSocket, _head: Parts) -> Result<(), ws::Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

async fn not_found(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("There is only a WebSocket here.\n"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let service = ServiceBuilder::new()
            .layer(WebSocketLayer::new(Tokio, echo))
            .service(service_fn(not_found));
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .with_upgrades();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("connection: {error}");
            }
        });
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("ws://{}", listener.local_addr()?);
    serve(listener).await
}
