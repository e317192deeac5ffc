//! How much memory a compressed event stream holds while it waits: `compression`, on Linux.

use std::{
    convert::Infallible,
    hint::black_box,
    pin::Pin,
    task::{Context, Waker},
};

use axum::http::{Request, Response};
use futures_util::{FutureExt, StreamExt, stream};
use http_body::Body;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::compression::CompressionLayer;
use tower_realtime::sse::{CompressEvents, Event, Sse};

const STREAMS: u64 = 200;

fn main() {
    for encoding in ["identity", "gzip", "br", "zstd"] {
        let before = resident();
        let mut streams: Vec<_> = (0..STREAMS).map(|_| open(encoding)).collect();
        let mut wire = 0;
        for body in &mut streams {
            let mut cx = Context::from_waker(Waker::noop());
            while let std::task::Poll::Ready(Some(Ok(frame))) =
                Pin::new(&mut *body).poll_frame(&mut cx)
            {
                wire += frame.into_data().map_or(0, |data| data.len());
            }
        }
        let each = resident().saturating_sub(before) / STREAMS;
        println!(
            "{encoding:8} {:6} KiB a stream, {} B on the wire",
            each / 1024,
            wire as u64 / STREAMS
        );
        black_box(streams);
    }
}

/// A stream of a few events that then waits.
fn open(encoding: &str) -> Pin<Box<dyn Body<Data = bytes::Bytes, Error = axum::BoxError>>> {
    let events = (0..50u64).map(|n| {
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
