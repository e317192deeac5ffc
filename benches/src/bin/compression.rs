//! How much memory a compressed event stream holds while it waits: `compression`, on Linux.

use std::{
    convert::Infallible,
    hint::black_box,
    pin::Pin,
    process::Command,
    task::{Context, Poll, Waker},
};

use axum::http::{Request, Response};
use futures_util::{FutureExt, StreamExt, stream};
use http_body::Body;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::compression::CompressionLayer;
use tower_realtime::sse::{CompressEvents, Event, Sse};

const STREAMS: u64 = 50;

/// Each measurement is a process of its own, because freed memory is used again.
fn main() {
    let mut arguments = std::env::args().skip(1);
    if let (Some(encoding), Some(events)) = (arguments.next(), arguments.next()) {
        return measure(&encoding, events.parse().expect("a number"));
    }
    let me = std::env::current_exe().expect("this program");
    for events in ["50", "20000"] {
        for encoding in ["identity", "gzip", "br", "zstd"] {
            let status = Command::new(&me).args([encoding, events]).status();
            assert!(status.is_ok_and(|status| status.success()));
        }
    }
}

fn measure(encoding: &str, events: u64) {
    let before = resident();
    let mut streams: Vec<_> = (0..STREAMS).map(|_| open(encoding, events)).collect();
    let mut wire = 0;
    for body in &mut streams {
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut *body).poll_frame(&mut cx) {
            wire += frame.into_data().map_or(0, |data| data.len() as u64);
        }
    }
    let each = (resident() - before) / STREAMS / 1024;
    println!(
        "{encoding:8} after {events:5} events: {each:5} KiB a stream, {:7} B on the wire",
        wire / STREAMS
    );
    black_box(streams);
}

/// A stream of a few events that then waits.
fn open(
    encoding: &str,
    events: u64,
) -> Pin<Box<dyn Body<Data = bytes::Bytes, Error = axum::BoxError>>> {
    let events = (0..events).map(|n| {
        Ok::<_, Infallible>(Event::display(format_args!(
            "{{\"symbol\":\"TWR\",\"price\":{n},\"volume\":{}}}",
            n * n
        )))
    });
    let inner = service_fn(move |_: Request<String>| {
        let events = stream::iter(events.clone()).chain(stream::pending());
        async { Ok::<_, Infallible>(Sse::new(events).into_response()) }
    });
    let layer = CompressionLayer::new().compress_when(CompressEvents::new());
    let request = Request::get("/")
        .header("accept-encoding", encoding)
        .body(String::new());
    let response: Response<_> = layer
        .layer(inner)
        .oneshot(request.expect("a request"))
        .now_or_never()
        .expect("ready")
        .unwrap_or_else(|never| match never {});
    Box::pin(response.into_body())
}

/// The resident memory of this process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = status
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a number");
    pages * 4096
}
