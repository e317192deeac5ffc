//! Counts the bytes that `docs/guide/choosing.md` gives for each way to carry a message.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Body, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tower_realtime::{
    BoxError,
    rt::Tokio,
    sse::{Event, Sse},
    ws::{Acceptor, Endpoint, WebSocket, upgrade::HyperIo},
};

const GUIDE: &str = include_str!("../docs/guide/choosing.md");
const POLL: &str = "GET /messages HTTP/1.1\r\nhost: a.example\r\n\r\n";
const EVENTS: &str =
    "GET /messages HTTP/1.1\r\nhost: a.example\r\naccept: text/event-stream\r\n\r\n";
const SOCKET: &str = "GET /messages HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// What hyper sends for `request`, until it closes.
async fn served<B>(request: &str, answer: impl Fn(Request<Incoming>) -> Response<B>) -> Vec<u8>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + 'static,
{
    let (mut client, server) = duplex(1 << 20);
    client.write_all(request.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    let service = service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(request))));
    http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(server), service)
        .with_upgrades()
        .await
        .unwrap();
    let mut sent = Vec::new();
    client.read_to_end(&mut sent).await.unwrap();
    sent
}

fn text(bytes: usize) -> String {
    "x".repeat(bytes)
}

async fn poll(bytes: usize) -> usize {
    let mut answers = Vec::new();
    for count in 1..=2 {
        let answer = |_| {
            let mut response = Response::new(Full::new(Bytes::from(text(bytes))));
            let plain = http::HeaderValue::from_static("text/plain");
            response.headers_mut().insert("content-type", plain);
            response
        };
        answers.push(served(&POLL.repeat(count), answer).await.len());
    }
    answers[1] - answers[0] + POLL.len()
}

/// Each event comes on its own, as it does when there is one now and then.
async fn events(count: usize, bytes: usize) -> usize {
    let answer = |_| {
        Sse::new(stream::unfold(0, move |sent| async move {
            tokio::task::yield_now().await;
            (sent < count).then(|| (Ok::<_, Infallible>(Event::new(text(bytes))), sent + 1))
        }))
        .into_response()
    };
    served(EVENTS, answer).await.len()
}

fn pipe() -> (HyperIo<TokioIo<DuplexStream>>, DuplexStream) {
    let (ours, theirs) = duplex(1 << 20);
    (HyperIo::new(TokioIo::new(ours)), theirs)
}

async fn frame(server: bool, bytes: usize) -> usize {
    let (ours, mut theirs) = pipe();
    let mut lengths = Vec::new();
    let mut socket = if server {
        Endpoint::server()
    } else {
        Endpoint::client()
    }
    .open(ours);
    for _ in 0..2 {
        socket.send(text(bytes)).await.unwrap();
        socket.flush().await.unwrap();
        let mut sent = vec![0; 1 << 16];
        lengths.push(theirs.read(&mut sent).await.unwrap());
    }
    assert_eq!(lengths[0], lengths[1]);
    lengths[0]
}

#[tokio::test]
async fn the_guide_says_what_was_counted() {
    let mut rows = Vec::new();
    for (size, name) in [(16, "16 B"), (100, "100 B"), (1000, "1,000 B")] {
        let event = events(2, size).await - events(1, size).await;
        let (down, up) = (frame(true, size).await, frame(false, size).await);
        rows.push(format!(
            "| {name} | {} | {} | {} | {} |",
            poll(size).await - size,
            event - size,
            down - size,
            up - size
        ));
    }

    let open = events(0, 0).await - "0\r\n\r\n".len();
    let handshake = served(SOCKET, |request| {
        Acceptor::new().upgrade::<_, Full<Bytes>, _, _, _>(
            request,
            Tokio,
            |socket: WebSocket| async {
                drop(socket);
            },
        )
    });
    let head = String::from_utf8_lossy(&handshake.await)
        .find("\r\n\r\n")
        .unwrap()
        + 4;
    rows.push(format!(
        "| opening | 0 | {} + {open} | {} + {head} | |",
        EVENTS.len(),
        SOCKET.len()
    ));
    let rows = rows.join("\n");
    assert!(GUIDE.contains(&rows), "the guide does not have\n{rows}");
}
