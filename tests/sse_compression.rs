//! Compressed event streams that still stream: an event can be read when it was sent, and so can a comment.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{convert::Infallible, task::Poll, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::{compression::CompressionLayer, decompression::DecompressionLayer};
use tower_realtime::sse::{self, CompressEvents, Event, KeepAlive, KeepAliveLayer, Sender, Sse};

#[path = "support/clock.rs"]
mod clock;

use clock::Clock;

/// A client that takes one encoding, in front of a server with compression around its keep-alive.
fn exchange(
    encoding: &str,
    clock: &Clock,
    identity: bool,
) -> (Sender, Response<impl Body<Data = Bytes> + Unpin + use<>>) {
    let (sender, events) = sse::channel(16);
    let mut response = Some(Sse::new(events).into_response());
    if identity {
        let headers = response.as_mut().unwrap().headers_mut();
        headers.insert("content-encoding", HeaderValue::from_static("identity"));
    }
    let inner = service_fn(move |_: Request<String>| {
        std::future::ready(Ok::<_, Infallible>(response.take().unwrap()))
    });
    let kept_alive = KeepAliveLayer::new(KeepAlive::new(clock.clone())).layer(inner);
    let compressed = CompressionLayer::new()
        .compress_when(CompressEvents::new())
        .layer(kept_alive);
    let client = DecompressionLayer::new()
        .gzip(encoding == "gzip")
        .br(encoding == "br")
        .zstd(encoding == "zstd")
        .deflate(false)
        .layer(compressed);
    let request = Request::get("/")
        .header("accept-encoding", encoding)
        .body(String::new())
        .unwrap();
    let response = client.oneshot(request).now_or_never().unwrap().unwrap();
    (sender, response.map(Box::pin))
}

/// All that can be read now.
fn now<B: Body<Data = Bytes> + Unpin>(body: &mut B) -> String {
    let mut out = Vec::new();
    while let Some(Some(Ok(frame))) = body.frame().now_or_never() {
        out.extend_from_slice(&frame.into_data().unwrap());
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn an_event_can_be_read_when_it_was_sent() {
    for encoding in ["gzip", "br", "zstd"] {
        let clock = Clock::default();
        let (sender, mut response) = exchange(encoding, &clock, false);
        assert_eq!(
            response.headers()["vary"],
            "accept-encoding",
            "{encoding} was used"
        );
        let body = response.body_mut();
        for n in 0..50 {
            let event = Event::new(format!(
                "{{\"price\":{n},\"name\":\"something that comes again\"}}"
            ));
            let text = String::from_utf8(sse::Encoded::from(&event).into_bytes().into()).unwrap();
            sender.try_send(event).unwrap();
            assert_eq!(now(body), text, "{encoding}");
            assert_eq!(now(body), "", "{encoding}");
        }
        let pause = || clock.advance(Duration::from_millis(7_500));
        let mut comments = String::new();
        for _ in 0..3 {
            pause();
            comments += &now(body);
        }
        assert_eq!(comments, ":\n", "{encoding}");
        drop(sender);
        assert!(
            matches!(body.frame().now_or_never(), Some(None)),
            "{encoding}"
        );
    }
}

#[test]
fn a_stream_with_secrets_stays_as_it_is() {
    let (sender, mut response) = exchange("gzip", &Clock::default(), true);
    assert_eq!(response.headers()["content-encoding"], "identity");
    sender.try_send(Event::new("secret")).unwrap();
    assert_eq!(now(response.body_mut()), "data: secret\n\n");
}

#[test]
fn repeating_events_shrink() {
    let (sender, events) = sse::channel(1000);
    let mut response = Some(Sse::new(events).into_response());
    let inner = service_fn(move |_: Request<String>| {
        std::future::ready(Ok::<_, Infallible>(response.take().unwrap()))
    });
    let compressed = CompressionLayer::new()
        .compress_when(CompressEvents::new())
        .layer(inner);
    let request = Request::get("/")
        .header("accept-encoding", "gzip")
        .body(String::new())
        .unwrap();
    let response = compressed.oneshot(request).now_or_never().unwrap().unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let mut body = Box::pin(response.into_body());
    let (mut plain, mut wire) = (0, 0);
    for n in 0..200 {
        let event = sse::Encoded::from(Event::new(format!(
            "{{\"price\":{n},\"name\":\"something that comes again\"}}"
        )));
        plain += event.as_bytes().len();
        sender.try_send(event).unwrap();
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
            wire += frame.unwrap().into_data().unwrap().len();
        }
    }
    assert!(
        wire * 2 < plain,
        "{wire} bytes of {plain}, each event flushed by itself"
    );
}
