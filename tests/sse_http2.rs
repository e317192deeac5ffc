//! On the wire of HTTP/2: a burst leaves in few DATA frames, and HEAD starts nothing.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
};

use futures_util::stream;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tower_realtime::{
    BoxError,
    sse::{Event, Sse},
};

/// Passes the frames of a server on, and counts those of DATA that carry something (RFC 9113, section 4.1).
async fn count(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    frames: Arc<AtomicUsize>,
) {
    let mut head = [0; 9];
    while from.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        from.read_exact(&mut payload).await.unwrap();
        frames.fetch_add(usize::from(head[3] == 0 && length > 0), Relaxed);
        if to.write_all(&[&head[..], &payload].concat()).await.is_err() {
            return;
        }
    }
}

/// A connection to a server that answers with `respond`; counts the DATA frames that it sends.
async fn connect<F, B>(
    respond: F,
) -> (
    hyper::client::conn::http2::SendRequest<Empty<bytes::Bytes>>,
    Arc<AtomicUsize>,
)
where
    F: Fn(Request<Incoming>) -> Response<B> + Clone + Send + 'static,
    B: Body<Data = bytes::Bytes, Error = BoxError> + Send + 'static,
{
    let frames = Arc::new(AtomicUsize::new(0));
    let (client, to_client): (DuplexStream, DuplexStream) = tokio::io::duplex(1 << 20);
    let (to_server, server) = tokio::io::duplex(1 << 20);
    let (mut client_reads, client_writes) = tokio::io::split(to_client);
    let (server_reads, mut server_writes) = tokio::io::split(to_server);
    tokio::spawn(count(server_reads, client_writes, Arc::clone(&frames)));
    tokio::spawn(async move { tokio::io::copy(&mut client_reads, &mut server_writes).await });
    tokio::spawn(async move {
        let service = service_fn(move |request| {
            let response = respond(request);
            async { Ok::<_, Infallible>(response) }
        });
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(server), service)
            .await
    });
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(client))
            .await
            .unwrap();
    tokio::spawn(connection);
    (sender, frames)
}

#[tokio::test]
async fn a_burst_leaves_in_few_data_frames() {
    let (mut sender, frames) = connect(|_| {
        Sse::new(stream::iter((0..1000u64).map(|n| {
            Ok::<_, Infallible>(Event::new("a burst of events").id(n))
        })))
        .into_response()
    })
    .await;
    let response = sender
        .send_request(Request::new(Empty::new()))
        .await
        .unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body.iter().filter(|byte| **byte == b'\n').count(), 3 * 1000);
    let frames = frames.load(Relaxed);
    assert!(
        frames <= body.len().div_ceil(16 * 1024) + 1,
        "{frames} frames for {} bytes",
        body.len()
    );
}

#[tokio::test]
async fn head_does_not_start_the_producer() {
    let (mut sender, frames) = connect(|request: Request<Incoming>| {
        let never =
            stream::poll_fn(|_| -> Poll<Option<Result<Event, Infallible>>> { panic!("polled") });
        Sse::new(never).answer(&request.into_parts().0)
    })
    .await;
    let request = Request::builder()
        .method(Method::HEAD)
        .body(Empty::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(!response.headers().contains_key("content-length"));
    response.into_body().collect().await.unwrap();
    assert_eq!(frames.load(Relaxed), 0);
}
