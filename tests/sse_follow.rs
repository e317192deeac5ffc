//! `EventSource` follows a real server on loopback, which is killed and started again on its port: no id is lost, and
//! none comes twice.

#![allow(clippy::unwrap_used)]

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{Router, extract::State, response::IntoResponse, routing::get};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request};
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{net::TcpSocket, sync::watch};
use tower_realtime::{
    lifecycle::Backoff,
    sse::{Event, EventSource, Sse},
};

/// How far the numbered events have come. They are there for ever, and sent from the id on that a client names.
type Log = watch::Receiver<u64>;

async fn events(State(log): State<Log>, headers: HeaderMap) -> impl IntoResponse {
    let last = headers
        .get("last-event-id")
        .map_or(0, |id| id.to_str().unwrap().parse().unwrap());
    let numbers = stream::unfold((last + 1, log), |(next, mut log)| async move {
        log.wait_for(|&newest| newest >= next).await.ok()?;
        let event = Event::new(format!("number {next}"))
            .id(next)
            .retry(Duration::from_millis(20));
        Some((Ok::<_, Infallible>(event), (next + 1, log)))
    });
    Sse::new(numbers).into_response()
}

/// A server in a runtime of its own. Dropping the runtime kills it with all its connections, in mid-stream.
fn serve(address: SocketAddr, log: &Log) -> (tokio::runtime::Runtime, SocketAddr) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let app = Router::new()
        .route("/events", get(events))
        .with_state(log.clone());
    let bound = runtime.block_on(async {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option");
        socket.bind(address).expect("the port is free");
        let listener = socket.listen(64).expect("a listener");
        let bound = listener.local_addr().expect("an address");
        tokio::spawn(async { axum::serve(listener, app).await });
        bound
    });
    (runtime, bound)
}

#[test]
fn a_server_is_followed_through_kills_and_restarts() {
    let (publish, log) = watch::channel(0);
    let (mut server, address) = serve(([127, 0, 0, 1], 0).into(), &log);
    let client = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let client = client.unwrap();
    let (seen, mut numbers) = tokio::sync::mpsc::unbounded_channel();
    client.spawn(async move {
        let request = Request::get(format!("http://{address}/events"));
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let transport = Client::builder(TokioExecutor::new()).build_http();
        let mut events = EventSource::new(transport, request, tokio::time::sleep)
            .backoff(Backoff::new().cap(Duration::from_millis(50)));
        while let Some(message) = events.next().await {
            let message = message.expect("no end while the server is away");
            seen.send((
                message.last_event_id().to_string(),
                message.data().to_string(),
            ))
            .unwrap();
        }
    });
    let mut received = Vec::new();
    for round in 1..=8 {
        publish.send(round * 25).unwrap();
        // It is killed when some, none or all of the round have been read.
        while received.len() < (round * 25) as usize - [0, 7, 24][round as usize % 3] {
            received.push(numbers.blocking_recv().unwrap());
        }
        server.shutdown_background();
        publish.send(round * 25 + 10).unwrap();
        (server, _) = restart(address, &log);
    }
    publish.send(250).unwrap();
    while received.len() < 250 {
        received.push(numbers.blocking_recv().unwrap());
    }
    let want: Vec<_> = (1..=250)
        .map(|n| (n.to_string(), format!("number {n}")))
        .collect();
    assert_eq!(received, want, "none lost, none twice");
    assert!(numbers.try_recv().is_err());
    server.shutdown_background();
    client.shutdown_background();
}

/// The port is free once the last server's sockets are gone, which takes its runtime a moment.
fn restart(address: SocketAddr, log: &Log) -> (tokio::runtime::Runtime, SocketAddr) {
    while std::net::TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    serve(address, log)
}
