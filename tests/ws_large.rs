//! Large messages, which a server writes without a copy: whole and in order, wherever the transport stops.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "support/script.rs"]
mod script;

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_io::{AsyncRead, AsyncWrite};

use script::{Far, Frame, Near, Run, transport, trickle};
use tower_realtime::ws::{self, Closed, Endpoint, Limits, Message, Outgoing, WebSocket};

/// Small ones before, between and behind large ones; 16 KiB is where a message is large. With the least and the most
/// of each form of length (RFC 6455, section 5.2).
const SIZES: [usize; 10] = [
    125, 16_384, 65_535, 65_536, 0, 126, 16_383, 70_000, 20_000, 7,
];

fn messages() -> Vec<Message> {
    let pairs = SIZES.into_iter().enumerate();
    pairs
        .map(|(n, size)| match n % 2 {
            0 => Message::from("t".repeat(size)),
            _ => Message::from(vec![n as u8; size]),
        })
        .collect()
}

fn frames() -> Vec<Frame> {
    let all = messages().into_iter();
    all.map(|message| match &message {
        Message::Text(text) => Frame::text(text.as_str()),
        Message::Binary(bytes) => Frame::binary(bytes),
    })
    .collect()
}

/// The ends of headers and payloads, and what is around them.
fn splits() -> Vec<usize> {
    let mut at = 0;
    let mut splits = Vec::new();
    for frame in frames() {
        splits.extend(at..at + 12);
        at += frame.plain().len();
        splits.push(at - 1);
    }
    splits.retain(|split| *split <= at);
    splits.push(at);
    splits
}

/// A connection that sends `items` at once, and then answers what comes.
fn sending(items: Vec<Outgoing>) -> (Run<impl Future<Output = Closed>>, Far) {
    sending_over(items, true)
}

fn sending_over(items: Vec<Outgoing>, vectored: bool) -> (Run<impl Future<Output = Closed>>, Far) {
    let (near, far) = transport();
    let near = Counted::new(near, vectored);
    let limits = Limits::new().queued_bytes(1 << 20);
    let server = Endpoint::server().limits(limits);
    let run = Run::new(server.serve(near, async move |mut socket: WebSocket| {
        for item in items {
            socket.send(item).await?;
        }
        while let Some(message) = socket.recv().await? {
            socket.send(message).await?;
        }
        Ok::<_, ws::Error>(())
    }));
    (run, far)
}

#[test]
fn they_are_whole_at_every_split_of_the_output() {
    let kinds: [fn(Message) -> Outgoing; 2] = [Outgoing::from, Message::uncompressed];
    for first in splits() {
        for (kind, vectored) in [(kinds[0], true), (kinds[1], true), (kinds[0], false)] {
            let items = messages().into_iter().map(kind).collect();
            let (mut run, far) = sending_over(items, vectored);
            far.room(first);
            run.go();
            let written = trickle(&mut run, &far, 9000);
            assert!(far.frames_of(&written) == frames(), "{first}, {vectored}");
        }
    }
    for piece in [1, 3, 11, 999] {
        let (mut run, far) = sending(messages().into_iter().map(Outgoing::from).collect());
        far.piece(piece);
        run.go();
        assert!(far.frames() == frames(), "pieces of {piece}");
    }
}

/// Pings, answers and the close go behind what has begun, and not into it.
#[test]
fn what_comes_meanwhile_waits_for_the_rest() {
    let splits = splits().into_iter().filter(|first| *first > 0);
    for (first, vectored) in splits.flat_map(|first| [(first, true), (first, false)]) {
        let items = messages().into_iter().map(Outgoing::from).collect();
        let (mut run, far) = sending_over(items, vectored);
        far.room(first);
        run.go();
        far.send(Frame::ping("p").masked());
        far.send(Frame::text("answer me").masked());
        far.send(Frame::close(1000, "").masked());
        run.go();
        let written = trickle(&mut run, &far, 9000);
        let mut got = far.frames_of(&written);
        let pong = got.iter().position(|frame| *frame == Frame::pong("p"));
        got.remove(pong.unwrap());
        let behind = [Frame::text("answer me"), Frame::close(1000, "")];
        assert!(got == [frames(), behind.to_vec()].concat(), "{first}");
        assert!(run.output.unwrap().is_clean(), "{first}");
    }
}

#[test]
fn a_transport_that_fails_within_one_ends_the_connection() {
    let faults: [fn(&Far); 2] = [
        |far| far.fail_writes(io::ErrorKind::BrokenPipe),
        Far::take_nothing,
    ];
    for fault in faults {
        for first in [0, 8, 30_000] {
            let (mut run, far) = sending(messages().into_iter().map(Outgoing::from).collect());
            far.room(first);
            run.go();
            fault(&far);
            run.go();
            assert!(!run.output.unwrap().is_clean(), "{first}");
        }
    }
}

/// A transport that counts its writes and says where what it is given lies. It takes one slice at a time, as a transport
/// does that knows no better, or all.
struct Counted {
    near: Near,
    vectored: bool,
    writes: Arc<AtomicUsize>,
    places: Arc<Mutex<Vec<usize>>>,
}

impl Counted {
    fn new(near: Near, vectored: bool) -> Self {
        Self {
            near,
            vectored,
            writes: Arc::default(),
            places: Arc::default(),
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.near).poll_read(cx, out)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.near).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let places = slices.iter().map(|slice| slice.as_ptr() as usize);
        self.places.lock().unwrap().extend(places);
        let slices = if self.vectored { slices } else { &slices[..1] };
        Pin::new(&mut self.near).poll_write_vectored(cx, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_close(cx)
    }
}

/// Where both are taken together nothing is copied. Where only the first slice is, no header goes alone but the first,
/// and a message that is not much larger than one record of TLS is one write.
#[test]
fn no_header_leaves_alone() {
    const LARGE: usize = 1 << 20;
    for (vectored, small, large) in [(true, 1, 1), (false, 1, 2)] {
        let (near, far) = transport();
        let transport = Counted::new(near, vectored);
        let (writes, places) = (Arc::clone(&transport.writes), Arc::clone(&transport.places));
        let payloads: Vec<Bytes> = [20_000, 16_384, 30_000, LARGE, 20_000]
            .into_iter()
            .map(|size| Bytes::from(vec![size as u8; size]))
            .collect();
        let (sent, items) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
        let mut items = items;
        let mut run = Run::new(Endpoint::server().serve(
            transport,
            async move |socket: WebSocket| {
                let mut socket = socket;
                while let Some(item) = items.recv().await {
                    socket.send(item).await?;
                }
                Ok::<_, ws::Error>(())
            },
        ));
        run.go();
        for (n, payload) in payloads.iter().enumerate() {
            writes.store(0, Ordering::Relaxed);
            sent.send(payload.clone()).unwrap();
            run.go();
            assert!(far.frames() == [Frame::binary(payload)]);
            let expected = match payload.len() {
                LARGE => large,
                // What the transport can't do is learnt by the first.
                _ if n == 0 && !vectored => 2,
                _ => small,
            };
            assert_eq!(writes.load(Ordering::Relaxed), expected, "{vectored} {n}");
            let places = std::mem::take(&mut *places.lock().unwrap());
            let copied = !places.contains(&(payload.as_ptr() as usize));
            assert_eq!(copied, !vectored && n > 0);
            assert!(payload.is_unique(), "it is not kept");
        }
    }
}
