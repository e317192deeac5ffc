//! What a server says when it refuses a WebSocket is there to be read, and can't hold anybody up.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{convert::Infallible, io, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody, combinators::BoxBody};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    time::Instant,
};
use tower_realtime::{
    rt::Tokio,
    ws::{
        ConnectError, Connector,
        upgrade::{Http2Client, HyperIo},
    },
};

type Reason = BoxBody<Bytes, io::Error>;

/// A body of these pieces, and then silence for ever.
fn endless(pieces: impl Stream<Item = Bytes> + Send + Sync + 'static) -> Reason {
    let pieces = pieces.chain(stream::pending());
    BodyExt::boxed(StreamBody::new(
        pieces.map(|piece| Ok::<_, io::Error>(Frame::data(piece))),
    ))
}

fn whole(text: &'static str) -> Reason {
    let body = http_body_util::Full::new(Bytes::from_static(text.as_bytes()));
    body.map_err(|never| match never {}).boxed()
}

/// Asks a server of hyper's that answers 403 and `reason`.
async fn refused(
    connector: Connector,
    over_http2: bool,
    reason: impl Fn() -> Reason + Send + 'static,
) -> ConnectError {
    let (near, far) = duplex(1 << 16);
    let service = service_fn(move |_: Request<Incoming>| {
        let answer = Response::builder().status(403).header("x-why", "so");
        let answer = answer.body(reason()).unwrap();
        async { Ok::<_, Infallible>(answer) }
    });
    tokio::spawn(async move {
        let mut server = Builder::new(TokioExecutor::new());
        server.http2().enable_connect_protocol();
        let served = server.serve_connection_with_upgrades(TokioIo::new(far), service);
        served.await.map_err(drop)
    });
    let request = Request::get("ws://here.test/ws").body(Empty::<Bytes>::new());
    let (io, request) = (TokioIo::new(near), request.unwrap());
    let result = if over_http2 {
        let handshake = http2::handshake(TokioExecutor::new(), io).await;
        let (sender, connection) = handshake.unwrap();
        let (client, connection) = Http2Client::new(sender, connection, Tokio);
        tokio::spawn(connection);
        connector.http2().connect(client, request).await
    } else {
        let (mut sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        let client = tower::service_fn(move |request| sender.send_request(request));
        connector.connect(client, request).await
    };
    result.err().unwrap()
}

fn body(error: &ConnectError) -> &[u8] {
    error.response().unwrap().body()
}

#[tokio::test(start_paused = true)]
async fn the_reason_is_shown() {
    for over_http2 in [false, true] {
        for connector in [Connector::new(), Connector::new().timer(Tokio)] {
            let start = Instant::now();
            let error = refused(connector, over_http2, || whole("members only\r\n")).await;
            assert!(error.is_refused() && !error.may_pass());
            assert_eq!(
                error.to_string(),
                "the server refused the WebSocket with 403 Forbidden: \"members only\""
            );
            assert_eq!(
                format!("{error:?}"),
                r#"ConnectError(403, b"members only\r\n")"#
            );
            assert_eq!(body(&error), b"members only\r\n");
            assert_eq!(error.response().unwrap().headers()["x-why"], "so");
            assert!(start.elapsed() < Duration::from_secs(1), "it did not wait");
        }
    }
}

/// The limit is 4 KiB, and 2 s, or less where the handshake may take no more than that.
#[tokio::test(start_paused = true)]
async fn a_reason_without_an_end_holds_nobody_up() {
    let flood = || endless(stream::repeat(Bytes::from_static(&[b'x'; 3000])));
    let slow = || endless(stream::iter([Bytes::from_static(b"wait: ")]));
    let (most, least) = (Duration::from_secs(2), Duration::from_millis(300));
    for over_http2 in [false, true] {
        let timed = || Connector::new().timer(Tokio);
        for connector in [Connector::new(), timed()] {
            let start = Instant::now();
            let error = refused(connector.clone(), over_http2, flood).await;
            assert!(start.elapsed() < least);
            assert!(body(&error).len() <= 4096);
        }
        assert_eq!(body(&refused(timed(), over_http2, flood).await).len(), 4096);
        for (connector, time) in [(timed(), most), (timed().handshake_timeout(least), least)] {
            let start = Instant::now();
            let error = refused(connector, over_http2, slow).await;
            let waited = start.elapsed();
            assert!((time..time + least).contains(&waited), "{waited:?}");
            assert_eq!(error.status().unwrap(), 403);
            assert_eq!(body(&error), b"wait: ");
        }
        // Without a clock there is no waiting for what may never come.
        let start = Instant::now();
        let error = refused(Connector::new(), over_http2, slow).await;
        assert_eq!(error.status().unwrap(), 403);
        assert!(start.elapsed() < least);
    }
}

/// Frames without a byte don't fill the limit, and can come for ever.
#[tokio::test]
async fn a_flood_of_nothing_has_an_end() {
    let client = tower::service_fn(async |_: Request<()>| {
        let nothing = stream::repeat_with(|| Ok::<_, io::Error>(Frame::data(Bytes::new())));
        let answer = Response::builder().status(503);
        Ok::<_, Infallible>(answer.body(StreamBody::new(nothing)).unwrap())
    });
    let request = Request::get("ws://here.test/ws").body(()).unwrap();
    let error = Connector::new()
        .connect(client, request)
        .await
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "the server refused the WebSocket with 503 Service Unavailable"
    );
    assert!(error.may_pass());
}

/// What is kept has come: nobody waits for the rest, also without a timer.
#[tokio::test]
async fn a_bare_stream_waits_for_no_more_than_is_kept() {
    let reason = "n".repeat(4096);
    for (framing, size) in [
        ("content-length: 5000\r\n", ""),
        ("transfer-encoding: chunked\r\n", "1388\r\n"),
    ] {
        let (near, mut far) = duplex(1 << 16);
        let answer = format!("HTTP/1.1 403 No\r\n{framing}\r\n{size}{reason}");
        tokio::spawn(async move {
            let mut head = [0; 1024];
            let _ = far.read(&mut head).await;
            far.write_all(answer.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
        let request = Request::get("ws://here.test/ws").body(()).unwrap();
        let io = HyperIo::new(TokioIo::new(near));
        let error = Connector::new().over(io, request).await.err().unwrap();
        assert_eq!(body(&error), reason.as_bytes(), "{framing}");
    }
}

/// Over a bare stream, whatever the framing; a refusal that is not told to its end is no time-out.
#[tokio::test(start_paused = true)]
async fn a_bare_stream_waits_as_long() {
    for framing in [
        "content-length: 100\r\n",
        "transfer-encoding: chunked\r\n",
        "",
    ] {
        let (near, mut far) = duplex(1 << 16);
        tokio::spawn(async move {
            let mut head = [0; 1024];
            let _ = far.read(&mut head).await;
            let size = if framing.starts_with('t') {
                "ff\r\n"
            } else {
                ""
            };
            let answer = format!("HTTP/1.1 403 No\r\n{framing}\r\n{size}\u{1b}[2Jcut");
            far.write_all(answer.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
        let start = Instant::now();
        let request = Request::get("ws://here.test/ws").body(()).unwrap();
        let io = HyperIo::new(TokioIo::new(near));
        let connector = Connector::new().timer(Tokio);
        let error = connector.over(io, request).await.err().unwrap();
        assert_eq!(
            error.to_string(),
            r#"the server refused the WebSocket with 403 Forbidden: "\u{1b}[2Jcut""#,
        );
        let waited = start.elapsed().as_secs_f32();
        assert!((2.0..2.1).contains(&waited), "{waited}");
    }
}
