//! Bounds what clients can hold: how many streams, whose, how old, and unread for how long. `cargo run --example
//! limits`, then `curl -N 127.0.0.1:3000/ticks` three times.

use std::{io, net::IpAddr, time::Duration};

use axum::{Router, response::IntoResponse, routing::get};
use futures_util::stream;
use http::Request;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_realtime::{
    layers::{AgeLayer, StallExecutor, StallGuard, StallLimit, StreamLimitLayer},
    lifecycle::{MaxAge, StreamLimit},
    rt::Tokio,
    sse::{Event, KeepAlive, Sse},
};

async fn quiet() -> impl IntoResponse {
    let events = stream::pending::<Result<Event, io::Error>>();
    Sse::new(events).keep_alive(KeepAlive::new(Tokio))
}

pub(crate) async fn run(listener: TcpListener) -> io::Result<()> {
    let second = Duration::from_secs(1);
    // 10,000 streams, two of one address, and 200 new ones per second.
    let limit = StreamLimit::new(10_000).per_key(2).rate(200, second);
    let per_address = StreamLimitLayer::new(&limit)
        .key(|head| head.extensions.get::<IpAddr>().copied())
        .refuse_as_event_stream(); // browsers give up for good on a 429
    let a_day = AgeLayer::new(Tokio, MaxAge::new(24 * 3600 * second));
    let app = Router::new().route("/ticks", get(quiet));
    let app = app.layer(a_day).layer(per_address);
    // Nothing read for 30 s, or less than 64 bytes per second: gone.
    let unread = StallLimit::new(Tokio, 30 * second).min_rate(64);
    loop {
        let (tcp, peer) = listener.accept().await?;
        let io = StallGuard::new(TokioIo::new(tcp), &unread);
        let stalled = io.signal();
        let service = app.clone().map_request(move |mut request: Request<_>| {
            request.extensions_mut().insert(peer.ip());
            request.extensions_mut().insert(stalled.clone());
            request
        });
        let server = auto::Builder::new(StallExecutor::new(TokioExecutor::new(), &unread));
        tokio::spawn(async move {
            let service = TowerToHyperService::new(service);
            let _ = server.serve_connection_with_upgrades(io, service).await;
        });
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}/ticks", listener.local_addr()?);
    run(listener).await
}
