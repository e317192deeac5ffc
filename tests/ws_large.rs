//! Large messages, which a server writes without a copy: whole and in order, wherever the transport stops.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "support/script.rs"]
mod script;

use std::{future::Future, io};

use script::{Far, Frame, Run, transport, trickle};
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
    let (near, far) = transport();
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
        for kind in kinds {
            let (mut run, far) = sending(messages().into_iter().map(kind).collect());
            far.room(first);
            run.go();
            let written = trickle(&mut run, &far, 9000);
            assert!(far.frames_of(&written) == frames(), "{first}");
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
    for first in splits().into_iter().filter(|first| *first > 0) {
        let (mut run, far) = sending(messages().into_iter().map(Outgoing::from).collect());
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
