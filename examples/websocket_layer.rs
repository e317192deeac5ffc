//! WebSockets in front of a service that knows nothing of them, on hyper, over HTTP/1.1 and HTTP/2.
//!
//! `cargo run --example websocket_layer`, then `new WebSocket("ws://127.0.0.1:3000/any/path")`.

use std::convert::Infallible;

use http::{Request, Response, request::Parts};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};
use tower_realtime::{
    BoxError,
    rt::Tokio,
    ws::{self, WebSocket, WebSocketLayer},
};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener).await
}

pub(crate) async fn serve(listener: TcpListener) -> Result<(), BoxError> {
    let service = ServiceBuilder::new()
        .layer(WebSocketLayer::new(Tokio, greet))
        .service(service_fn(page));
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let mut server = Builder::new(TokioExecutor::new());
            server.http2().enable_connect_protocol(); // WebSockets over HTTP/2
            let io = TokioIo::new(stream);
            if let Err(error) = server.serve_connection_with_upgrades(io, service).await {
                eprintln!("connection: {error}");
            }
        });
    }
}

async fn greet(mut socket: WebSocket, head: Parts) -> Result<(), ws::Error> {
    socket.send(format!("you came by {}", head.uri)).await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

async fn page(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
    Ok(Response::new("this one is no WebSocket\n".to_owned()))
}
