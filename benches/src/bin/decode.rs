//! From the chunks of a body to messages, beside other decoders, and beside a search for line ends with a check of
//! the text, which is what no decoder can do without.
//!
//! Most others don't do all of it: what they leave out is in the tests of the decoder.

use std::{
    convert::Infallible,
    hint::black_box,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tower_realtime::sse::{Decoder, EventStream, Limits};
use tower_realtime_benches::{Row, table};

fn main() {
    let token = |n: usize| {
        format!(
            "data: {{\"id\":\"chatcmpl-{:08x}\",\"object\":\"chat.completion.chunk\",\"model\":\"m-1\",\"choices\":\
             [{{\"index\":0,\"delta\":{{\"content\":\" tok{:<40}\"}},\"finish_reason\":null}}],\"p\":\"{:<19}\"}}\n\n",
            n * 2_654_435_761 % 0xffff_ffff,
            n % 977,
            ""
        )
    };
    run(
        "tokens of a language model",
        (0..20_000).map(token),
        &[1024, 16_384, 1],
    );
    let cyrillic = |n: usize| {
        format!(
            "data: {{\"текст\":\" слово{}, и ещё одно {}\"}}\n\n",
            n % 977,
            n % 7
        )
    };
    run(
        "tokens that are not ASCII",
        (0..20_000).map(cyrillic),
        &[1024, 16_384],
    );
    let large = |n: usize| {
        format!(
            "data: {{\"n\":{n},\"b\":\"{}\"}}\n\n",
            "abcdefghijklmnopqrstuvwxyz012345".repeat(2048)
        )
    };
    run(
        "64 KB of data",
        (0..64).map(large),
        &[1024, 16_384, 65_536, 1 << 20],
    );
    let comments = |_: usize| format!("{}data: x\n\n", ": ka\n\n".repeat(99));
    run(
        "comments, and 1 % events",
        (0..2000).map(comments),
        &[1024, 16_384],
    );
    let lines = |n: usize| {
        format!(
            "event: update\nid: {n}\ndata: line one of the event {n}\ndata: line two, a little longer than the first\n\
             data:\ndata: line four\n\n"
        )
    };
    run(
        "name, id and four lines",
        (0..5000).map(lines),
        &[1024, 16_384],
    );
    sizes();
}

/// One event per unit, in chunks of each size. Shared memory is what a transport hands out; static memory is what
/// others are measured with, and spares a reference count.
fn run(title: &str, events: impl Iterator<Item = String>, sizes: &[usize]) {
    let events: Vec<String> = events.collect();
    let count = events.len() as u64;
    let stream = events.concat();
    let bytes = stream.len();
    let whole: &'static [u8] = Vec::leak(stream.into_bytes());
    for &size in sizes {
        let title = format!(
            "decode, {title}, {} B an event, chunks of {size} B",
            bytes as u64 / count
        );
        let mut rows = rows(whole, size, count);
        if !title.contains("lines") {
            rows.pop();
        }
        table(&title, rows);
    }
}

fn rows(whole: &'static [u8], size: usize, count: u64) -> Vec<Row> {
    let shared = Bytes::from(whole.to_vec());
    let fixed = move || Chunks::new(Bytes::from_static(whole), size);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let check = move |events: u64| {
        assert_eq!(events, count);
        count
    };
    vec![
        Row::new("tower-realtime", move || {
            check(drive(EventStream::from_stream(fixed())))
        }),
        Row::new("tower-realtime, shared memory", move || {
            check(drive(EventStream::from_stream(Chunks::new(
                shared.clone(),
                size,
            ))))
        }),
        Row::new("sse-stream", move || {
            let stream = sse_stream::SseByteStream::new(fixed());
            check(drive(stream.filter(|event| {
                std::future::ready(event.as_ref().is_ok_and(|event| event.data.is_some()))
            })))
        }),
        Row::new("sseer", move || {
            check(drive(sseer::event_stream::EventStream::new(fixed())))
        }),
        Row::new("eventsource-stream", move || {
            check(drive(eventsource_stream::Eventsource::eventsource(fixed())))
        }),
        Row::new("eventsource-client", move || {
            check(runtime.block_on(eventsource_client(Transport(whole, size), count)))
        }),
        Row::new("limit: line ends and UTF-8", move || {
            for chunk in whole.chunks(size) {
                black_box(memchr::memchr_iter(b'\n', chunk).count());
                black_box(simdutf8::basic::from_utf8(chunk).is_ok());
            }
            count
        }),
        // An event in several chunks is to be one string: the least for that is one copy, to memory of its size.
        Row::new("limit, and one copy of each event", move || {
            let (mut rest, mut event) = (whole.len() / count as usize, Vec::new());
            for chunk in whole.chunks(size) {
                black_box(memchr::memchr_iter(b'\n', chunk).count());
                black_box(simdutf8::basic::from_utf8(chunk).is_ok());
                let mut chunk = chunk;
                while !chunk.is_empty() {
                    if event.capacity() == 0 {
                        rest = whole.len() / count as usize;
                        event = Vec::with_capacity(rest);
                    }
                    let (now, later) = chunk.split_at(chunk.len().min(rest));
                    event.extend_from_slice(now);
                    (chunk, rest) = (later, rest - now.len());
                    if rest == 0 {
                        black_box(std::mem::take(&mut event));
                    }
                }
            }
            count
        }),
        // What is made of several lines is memory of its own, to which each line is copied.
        Row::new("limit, and one copy of each line", move || {
            let (size_of_event, mut event) = (whole.len() / count as usize, Vec::new());
            for chunk in whole.chunks(size) {
                black_box(simdutf8::basic::from_utf8(chunk).is_ok());
                let mut start = 0;
                for end in memchr::memchr_iter(b'\n', chunk) {
                    if start == end {
                        black_box(std::mem::take(&mut event));
                    } else if event.capacity() == 0 {
                        event = Vec::with_capacity(size_of_event);
                    }
                    event.extend_from_slice(&chunk[start..end]);
                    start = end + 1;
                }
                event.extend_from_slice(&chunk[start..]);
            }
            count
        }),
    ]
}

/// A megabyte of one event, for events of 1 to 64 MiB: the time must not grow.
fn sizes() {
    let mut rows = Vec::new();
    for mib in [1_usize, 4, 16, 64] {
        let event = format!("data: {}\n\n", "x".repeat(mib << 20));
        let whole = Bytes::from(event);
        let copied = whole.clone();
        let name: &'static str = String::leak(format!("{mib} MiB in one event"));
        rows.push(Row::new(name, move || {
            let limits = Limits::new().line(usize::MAX).event(usize::MAX);
            let mut decoder = Decoder::new().limits(limits);
            let mut events = 0;
            for at in (0..whole.len()).step_by(16_384) {
                decoder.push_bytes(whole.slice(at..whole.len().min(at + 16_384)));
                events += decoder.by_ref().map(black_box).count();
            }
            assert_eq!(events, 1);
            mib as u64
        }));
        // What an allocator and the kernel take for memory of that size, which the event is handed over in.
        let name: &'static str = String::leak(format!("{mib} MiB copied to a new vector"));
        rows.push(Row::new(name, move || {
            let mut copy = Vec::new();
            for chunk in copied.chunks(16_384) {
                copy.extend_from_slice(chunk);
            }
            black_box(copy);
            mib as u64
        }));
    }
    table("decode, one large event, a MiB of it", rows);
}

#[derive(Clone)]
struct Chunks {
    rest: Bytes,
    size: usize,
}

impl Chunks {
    fn new(rest: Bytes, size: usize) -> Self {
        Self { rest, size }
    }
}

impl Stream for Chunks {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let size = self.size.min(self.rest.len());
        Poll::Ready(Some(Ok(self.rest.split_to(size))))
    }
}

/// How many items there are.
fn drive<S: Stream>(stream: S) -> u64 {
    let mut stream = std::pin::pin!(stream);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut items = 0;
    loop {
        match stream.as_mut().poll_next(&mut cx) {
            Poll::Ready(Some(item)) => {
                black_box(&item);
                items += 1;
            }
            Poll::Ready(None) => return items,
            Poll::Pending => {}
        }
    }
}

#[derive(Clone)]
struct Transport(&'static [u8], usize);

impl launchdarkly_sdk_transport::HttpTransport for Transport {
    fn request(
        &self,
        _: http::Request<Option<Bytes>>,
    ) -> launchdarkly_sdk_transport::ResponseFuture {
        let chunks = Chunks::new(Bytes::from_static(self.0), self.1);
        let body: launchdarkly_sdk_transport::ByteStream =
            Box::pin(chunks.map(|chunk| Ok(chunk.unwrap_or_default())));
        let response = http::Response::builder()
            .header("content-type", "text/event-stream")
            .body(body);
        Box::pin(std::future::ready(Ok(response.expect("a response"))))
    }
}

/// It connects again at the end, so that it is stopped after the last event.
async fn eventsource_client(transport: Transport, count: u64) -> u64 {
    use eventsource_client::{Client, ClientBuilder, ReconnectOptions, SSE};
    let options = ReconnectOptions::reconnect(false).build();
    let client = ClientBuilder::for_url("http://localhost/").expect("an address");
    let client = client.reconnect(options).build_with_transport(transport);
    let (mut stream, mut events) = (client.stream(), 0);
    while events < count {
        match stream.next().await {
            Some(Ok(SSE::Event(event))) => {
                black_box(&event);
                events += 1;
            }
            Some(Ok(_)) => {}
            _ => break,
        }
    }
    events
}
