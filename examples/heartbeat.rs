//! Notices dead peers and unused connections: `cargo run --example heartbeat`, then connect to
//! `ws://127.0.0.1:3000/clock` and pull the plug.

use std::{io, time::Duration};

use axum::{Router, extract::Request, response::Response, routing::any};
use tokio::net::TcpListener;
use tower_realtime::{
    rt::Tokio,
    ws::{self, Acceptor, Heartbeat, WebSocket},
};

/// It never reads, and is told of the end all the same: by the error of `send`, or by `closed`.
async fn clock(mut socket: WebSocket) -> Result<(), ws::Error> {
    for second in 0u64.. {
        socket.send(second.to_string()).await?;
        tokio::select! {
            closed = socket.closed() => {
                println!("closed with {} by {:?}", closed.code(), closed.by());
                break;
            }
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        if let Some(time) = socket.round_trip() {
            println!("the last ping took {time:?}");
        }
    }
    Ok(())
}

async fn upgrade(request: Request) -> Response {
    let beat = Heartbeat::new()
        .interval(Duration::from_secs(5))
        .timeout(Duration::from_secs(3));
    Acceptor::new()
        .heartbeat(beat)
        .upgrade(request, Tokio, clock)
}

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    axum::serve(listener, Router::new().route("/clock", any(upgrade))).await
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("ws://{}/clock", listener.local_addr()?);
    serve(listener).await
}
