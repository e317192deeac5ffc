//! Clients that stop reading, on real connections of hyper over a pipe in memory. Time is tokio's, paused.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/guarded.rs"]
mod guarded;
#[path = "support/watched.rs"]
mod watched;

use std::{
    convert::Infallible,
    ops::RangeInclusive,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    time::Instant,
};
use tower::{Layer, service_fn};
use tower_realtime::{
    layers::{ObserveLayer, StallLimit, StreamLimitLayer},
    lifecycle::{EndReason, StreamEnd, StreamInfo, StreamLimit},
    rt::Tokio,
};
use watched::{Freezing, Watched};

const SECOND: Duration = Duration::from_secs(1);
const TIME: Duration = Duration::from_secs(30);
const NEVER: Duration = Duration::from_secs(1 << 30);

fn after(time: Duration) -> StallLimit {
    StallLimit::new(Tokio, time)
}

#[derive(Clone)]
struct Seen {
    ends: Arc<Mutex<Vec<EndReason>>>,
    limit: StreamLimit,
}

/// Serves event streams of frames of `size` bytes without end on one end of a pipe.
///
/// The first limit is the connection's, the second that of its HTTP/2 streams.
fn serve(io: DuplexStream, size: usize, limit: &StallLimit, of_streams: &StallLimit) -> Seen {
    let seen = Seen {
        ends: Arc::default(),
        limit: StreamLimit::new(10),
    };
    let ends = Arc::clone(&seen.ends);
    let observer = move |_: &StreamInfo, end: &StreamEnd| ends.lock().unwrap().push(end.reason);
    let layers = (
        ObserveLayer::new().observer(observer),
        StreamLimitLayer::new(&seen.limit),
    );
    let frame = Bytes::from([vec![b':'; size - 2], b"\n\n".to_vec()].concat());
    let app = layers.layer(service_fn(move |request: Request<Incoming>| {
        // One path is quiet, so that only what is read or not read decides about the others.
        let frames = stream::repeat(Ok::<_, Infallible>(frame.clone()));
        let body = match request.uri().path() {
            "/quiet" => Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()),
            _ => Body::from_stream(frames),
        };
        let response = Response::builder()
            .header("content-type", "text/event-stream")
            .body(body);
        async { Ok::<_, Infallible>(response.unwrap()) }
    }));
    guarded::serve(io, app, limit, of_streams);
    seen
}

fn request(version: Version, path: &str) -> Request<Empty<Bytes>> {
    let uri = format!("http://localhost{path}");
    Request::get(uri)
        .version(version)
        .body(Empty::new())
        .unwrap()
}

async fn until_ended(seen: &Seen, count: usize) -> Vec<EndReason> {
    let waited = async {
        while seen.ends.lock().unwrap().len() < count {
            tokio::time::sleep(SECOND / 10).await;
        }
    };
    tokio::time::timeout(TIME * 10, waited)
        .await
        .expect("the stream never ended");
    seen.ends.lock().unwrap().clone()
}

fn took(started: Instant, seconds: RangeInclusive<u64>) {
    let time = started.elapsed();
    assert!(seconds.contains(&time.as_secs()), "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_freed_over_http1() {
    for size in [20, 1 << 10, 64 << 10, 1 << 20, 16 << 20] {
        let (mut client, server) = tokio::io::duplex(64 << 10);
        let seen = serve(server, size, &after(TIME), &after(NEVER));
        let head = "GET / HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n\r\n";
        client.write_all(head.as_bytes()).await.unwrap();
        client.read_u8().await.unwrap();
        let started = Instant::now();
        assert_eq!(until_ended(&seen, 1).await, [EndReason::Stalled], "{size}");
        took(started, 30..=61);
        assert_eq!(seen.limit.open(), 0);
    }
}

async fn http2(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    window: u32,
) -> conn::http2::SendRequest<Empty<Bytes>> {
    let (send, connection) = conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(window)
        // hyper closes connections with many small unread frames, by a budget of half of this.
        .initial_connection_window_size(window * 32)
        .handshake(TokioIo::new(io))
        .await
        .unwrap();
    tokio::spawn(connection);
    send
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_freed_over_http2() {
    for size in [20, 1 << 10, 64 << 10, 1 << 20, 16 << 20] {
        // A pipe that is smaller than the window: the transport is what is full.
        let (client, server) = tokio::io::duplex(4 << 10);
        let seen = serve(server, size, &after(TIME), &after(NEVER));
        let mut send = http2(Watched(client, Freezing(4 << 10)), 128 << 10).await;
        let response = send
            .send_request(request(Version::HTTP_2, "/"))
            .await
            .unwrap();
        let started = Instant::now();
        assert_eq!(until_ended(&seen, 1).await, [EndReason::Stalled], "{size}");
        took(started, 29..=61);
        assert_eq!(seen.limit.open(), 0);
        drop(response);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_read_is_freed_and_its_connection_lives() {
    for size in [20, 1 << 10, 64 << 10, 1 << 20, 16 << 20] {
        let (client, server) = tokio::io::duplex(1 << 20);
        let seen = serve(server, size, &after(NEVER), &after(TIME));
        let mut send = http2(client, 64 << 10).await;
        let mut quiet = send
            .send_request(request(Version::HTTP_2, "/quiet"))
            .await
            .unwrap();
        let mut unread = send
            .send_request(request(Version::HTTP_2, "/"))
            .await
            .unwrap();
        let started = Instant::now();
        assert_eq!(until_ended(&seen, 1).await, [EndReason::Stalled], "{size}");
        took(started, 30..=31);
        assert_eq!(seen.limit.open(), 1, "the other stream is open");
        let waiting = tokio::time::timeout(TIME * 3, quiet.frame()).await;
        assert!(waiting.is_err(), "a quiet stream is no stalled one");
        let rest = async { while unread.frame().await.unwrap().is_ok() {} };
        rest.await; // what was in the window, then the reset
        let again = send
            .send_request(request(Version::HTTP_2, "/"))
            .await
            .unwrap();
        assert_eq!(again.status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_is_spared_unless_there_is_a_rate() {
    for (rate, ends) in [(0, false), (100, true)] {
        let (mut client, server) = tokio::io::duplex(1 << 10);
        let seen = serve(server, 4 << 10, &after(TIME).min_rate(rate), &after(NEVER));
        client
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        for _ in 0..30 {
            let mut some = [0; 64];
            let _ = client.read(&mut some).await;
            tokio::time::sleep(10 * SECOND).await;
        }
        assert_eq!(!seen.ends.lock().unwrap().is_empty(), ends, "at {rate} B/s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_and_a_fast_reader_are_never_stalled() {
    let (client, server) = tokio::io::duplex(1 << 10);
    let seen = serve(server, 20, &after(TIME).min_rate(1 << 20), &after(NEVER));
    let (mut send, connection) = conn::http1::handshake(TokioIo::new(client)).await.unwrap();
    tokio::spawn(connection);
    let mut body = send
        .send_request(request(Version::HTTP_11, "/quiet"))
        .await
        .unwrap();
    let waiting = tokio::time::timeout(TIME * 10, body.frame()).await;
    assert!(waiting.is_err());
    assert!(seen.ends.lock().unwrap().is_empty());
    drop((body, send));
    assert_eq!(until_ended(&seen, 1).await, [EndReason::Disconnected]);
}
