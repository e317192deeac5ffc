//! From an event's data to the frames of a body, and to the bytes of one event.

use std::{convert::Infallible, hint::black_box};

use axum::response::{IntoResponse, sse as theirs};
use futures_util::{StreamExt, stream};
use tower_realtime::sse::{Encoded, Event, Sse};
use tower_realtime_benches::{Row, drain, table};

const EVENTS: u64 = 1000;

fn main() {
    for (size, line) in [
        (100, None),
        (100, Some(25)),
        (10_240, None),
        (10_240, Some(80)),
    ] {
        let is_break = |i: usize| line.is_some_and(|line| i % line == line - 1);
        let letter = |i: usize| {
            if is_break(i) {
                '\n'
            } else {
                char::from(b'a' + (i % 26) as u8)
            }
        };
        let data: &'static str = String::leak((0..size).map(letter).collect());
        let title = match line {
            None => format!("encode, {size} B"),
            Some(line) => format!("encode, {size} B, a line break every {line} B"),
        };
        table(&title, rows(data));
    }
}

fn rows(data: &'static str) -> Vec<Row> {
    let encoded = Encoded::from(Event::new(data));
    vec![
        Row::new("tower-realtime, body", move || {
            let events =
                stream::iter(0..EVENTS).map(|_| Ok::<_, Infallible>(Event::new(black_box(data))));
            drain(Sse::new(events));
            EVENTS
        }),
        Row::new("tower-realtime, encoded once, body", move || {
            let encoded = encoded.clone();
            let events = stream::iter(0..EVENTS).map(move |_| Ok::<_, Infallible>(encoded.clone()));
            drain(Sse::new(events));
            EVENTS
        }),
        Row::new("tower-realtime, one event", move || {
            for _ in 0..EVENTS {
                black_box(Encoded::from(Event::new(black_box(data))));
            }
            EVENTS
        }),
        Row::new("axum, body", move || {
            let events = stream::iter(0..EVENTS)
                .map(move |_| Ok::<_, Infallible>(theirs::Event::default().data(black_box(data))));
            drain(theirs::Sse::new(events).into_response().into_body());
            EVENTS
        }),
        Row::new("axum, one event", move || {
            for _ in 0..EVENTS {
                black_box(theirs::Event::default().data(black_box(data)));
            }
            EVENTS
        }),
        Row::new("sse-stream, body", move || {
            let events = stream::iter(0..EVENTS).map(move |_| {
                Ok::<_, Infallible>(sse_stream::Sse::default().data(black_box(data)))
            });
            drain(sse_stream::SseBody::new(events));
            EVENTS
        }),
        Row::new("sse-stream, one event", move || {
            for _ in 0..EVENTS {
                black_box(
                    sse_stream::Sse::default()
                        .data(black_box(data))
                        .encode()
                        .ok(),
                );
            }
            EVENTS
        }),
        Row::new("limit: allocate, scan, copy", move || {
            for _ in 0..EVENTS {
                let data = black_box(data).as_bytes();
                let mut out = Vec::with_capacity(data.len() + 8);
                black_box(memchr::memchr2(b'\n', b'\r', data));
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(data);
                out.extend_from_slice(b"\n\n");
                black_box(bytes::Bytes::from(out));
            }
            EVENTS
        }),
    ]
}
