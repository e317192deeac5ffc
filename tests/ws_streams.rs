//! Messages that are taken and sent in parts: at every split, cancelled anywhere, from peers that stall and cheat.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "support/script.rs"]
mod script;

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use script::{Clock, Far, Frame, Run, transport};
use tower_realtime::ws::{Closed, Endpoint, Error, Limits, Message, MessageReader, WebSocket};

/// What a handler saw, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn show(message: &Message) -> String {
    match message {
        Message::Text(text) => text.as_str().to_owned(),
        Message::Binary(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn kind(error: &Error) -> &'static str {
    match () {
        () if error.is_cut() => "cut",
        () if error.is_too_large() => "too large",
        () if error.is_invalid_data() => "invalid",
        () if error.is_protocol() => "protocol",
        () if error.is_timeout() => "late",
        () => "other",
    }
}

/// All of a message, part by part; an error and what came before it.
async fn join(message: &mut MessageReader<'_>) -> String {
    let mut all = String::new();
    loop {
        match message.part().await {
            Ok(Some(part)) => {
                assert!(!part.is_empty());
                assert_eq!(part.kind(), message.kind());
                all += &show(&part);
            }
            Ok(None) => return all,
            Err(error) => return format!("{all}!{}", kind(&error)),
        }
    }
}

async fn log_streams(mut socket: WebSocket, log: Log) {
    loop {
        match socket.recv_stream().await {
            Ok(Some(mut message)) => log.add(join(&mut message).await),
            Ok(None) => return log.add("end"),
            Err(error) => log.add(format!("!{}", kind(&error))),
        }
    }
}

fn serve(limits: Limits) -> (Run<impl Future<Output = Closed>>, Far, Log) {
    let (near, far) = transport();
    let log = Log::default();
    let endpoint = Endpoint::server().limits(limits);
    let seen = log.clone();
    let run = Run::new(endpoint.serve(near, move |socket| log_streams(socket, seen)));
    (run, far, log)
}

fn large() -> Limits {
    Limits::new()
        .message(8)
        .frame(6)
        .fragments(2)
        .streamed(1000)
}

/// Messages in frames of all kinds, and what they say.
fn conversation() -> (Vec<u8>, [&'static str; 6]) {
    let frames = [
        Frame::text("hé€𝄞!"),
        Frame::new(0x01, "é€"),
        Frame::ping("p"),
        Frame::new(0x00, b"\xf0\x9d"),
        Frame::new(0x00, ""),
        Frame::new(0x80, b"\x84\x9e."),
        Frame::binary(""),
        Frame::new(0x02, "\u{1}"),
        Frame::new(0x80, ""),
        Frame::text("plain"),
        Frame::binary([7; 9]),
    ];
    let bytes = frames.iter().flat_map(Frame::masked).collect();
    (
        bytes,
        ["hé€𝄞!", "é€𝄞.", "", "01", "plain", "070707070707070707"],
    )
}

#[test]
fn takes_messages_in_parts_at_every_split() {
    let (input, expected) = conversation();
    for limits in [Limits::new(), large()] {
        for cut in 0..=input.len() {
            let (mut run, far, log) = serve(limits.clone());
            far.send(&input[..cut]);
            run.go();
            far.send(&input[cut..]);
            run.go();
            assert_eq!(log.take(), expected, "{cut}");
            assert_eq!(far.frames(), [Frame::pong("p")], "{cut}");
        }
    }
}

#[test]
fn takes_messages_in_parts_when_every_byte_comes_alone() {
    let (input, expected) = conversation();
    for limits in [Limits::new(), large()] {
        let (mut run, far, log) = serve(limits);
        for byte in input.chunks(1) {
            far.send(byte);
            run.go();
        }
        assert_eq!(log.take(), expected);
    }
}

/// A handler that tells of every part.
async fn log_parts(mut socket: WebSocket, log: Log) {
    while let Ok(Some(mut message)) = socket.recv_stream().await {
        log.add("message");
        while let Ok(Some(part)) = message.part().await {
            log.add(show(&part));
        }
    }
}

#[test]
fn parts_come_before_the_message_is_whole() {
    let (near, far) = transport();
    let log = Log::default();
    let mut run = Run::new(Endpoint::server().serve(near, |socket| log_parts(socket, log.clone())));
    let input = Frame::text("é and more").masked();
    far.send(&input[..7]);
    run.go();
    // Half of a character makes no part.
    assert_eq!(log.take(), ["message"]);
    far.send(&input[7..8]);
    run.go();
    assert_eq!(log.take(), ["é"]);
    far.send(&input[8..11]);
    run.go();
    assert_eq!(log.take(), [" an"]);
    far.send(&input[11..]);
    run.go();
    assert_eq!(log.take(), ["d more"]);
}

#[test]
fn memory_is_bounded_while_a_slow_reader_takes_parts() {
    async fn stop_after_one(mut socket: WebSocket) {
        let mut message = socket.recv_stream().await.unwrap().unwrap();
        message.part().await.unwrap();
        std::future::pending::<()>().await;
    }
    let (near, far) = transport();
    let endpoint = Endpoint::server().limits(Limits::new().streamed(1 << 40));
    let mut run = Run::new(endpoint.serve(near, stop_after_one));
    let mut input = vec![0x82, 0xff];
    input.extend((1_u64 << 39).to_be_bytes());
    input.extend([0; 4]);
    far.send(input);
    for _ in 0..100 {
        far.send(vec![0; 16 << 10]);
    }
    run.go();
    let taken = (1600 << 10) - far.unread();
    assert!(taken <= 320 << 10, "{taken} bytes were taken");
}

/// How a peer misbehaves, what the handler sees, and the code that leaves.
#[test]
fn every_fault_inside_of_a_streamed_message_has_its_code() {
    let begun = || Frame::new(0x01, "begun").masked();
    let then = |frame: Frame| [begun(), frame.masked()].concat();
    let rows: &[(&str, Vec<u8>, &str, u16)] = &[
        (
            "bad UTF-8",
            then(Frame::new(0x00, [0xff])),
            "begun!invalid",
            1007,
        ),
        (
            "half of a character at the end",
            then(Frame::new(0x80, [0xc3])),
            "begun!invalid",
            1007,
        ),
        (
            "over its limit",
            then(Frame::new(0x80, [b'x'; 996])),
            "begun!too large",
            1009,
        ),
        (
            "a message inside",
            then(Frame::text("x")),
            "begun!protocol",
            1002,
        ),
        (
            "a close inside",
            then(Frame::close(1001, "")),
            "begun!cut",
            1001,
        ),
    ];
    for (name, input, expected, code) in rows {
        let (mut run, far, log) = serve(large());
        far.send(begun());
        run.go();
        far.send(&input[begun().len()..]);
        far.end();
        run.go();
        assert_eq!(log.take(), [expected, "end"], "{name}");
        let frame = far.frames().pop().unwrap();
        assert_eq!(frame.payload[..2], code.to_be_bytes(), "{name}");
        assert!(run.is_done(), "{name}");
    }
}

#[test]
fn a_peer_that_vanishes_leaves_no_whole_message() {
    let (mut run, far, log) = serve(large());
    far.send(&Frame::text("begun").masked()[..9]);
    run.go();
    far.end();
    run.go();
    assert_eq!(log.take(), ["beg!cut", "end"]);
    assert!(run.is_done());
}

#[test]
fn what_is_too_large_waits_for_who_takes_it() {
    /// Takes messages as the numbers say: 0 whole, 1 in parts.
    async fn take(mut socket: WebSocket, log: Log, turns: &'static [u8]) -> Result<(), Error> {
        for turn in turns {
            match turn {
                0 => {
                    let got = socket.recv().await?;
                    log.add(got.as_ref().map_or_else(|| "end".into(), show));
                }
                _ => match socket.recv_stream().await? {
                    Some(mut message) => log.add(join(&mut message).await),
                    None => log.add("end"),
                },
            }
        }
        std::future::pending().await
    }
    let rows: &[(&'static [u8], &[&str], Option<u16>)] = &[
        (&[0, 1, 0], &["one", "much too large", "two"], None),
        (&[1, 1, 1], &["one", "much too large", "two"], None),
        (&[0, 0, 0], &["one"], Some(1009)),
        (&[0], &["one"], None),
    ];
    for (turns, expected, code) in rows {
        let input = [
            Frame::text("one").masked(),
            Frame::text("much too large").masked(),
            Frame::text("two").masked(),
        ]
        .concat();
        for cut in 0..=input.len() {
            let (near, far) = transport();
            let log = Log::default();
            let endpoint = Endpoint::server().limits(large());
            let handler = |socket| take(socket, log.clone(), turns);
            let mut run = Run::new(endpoint.serve(near, handler));
            far.send(&input[..cut]);
            run.go();
            far.send(&input[cut..]);
            run.go();
            assert_eq!(log.take(), *expected, "{turns:?} {cut}");
            let last = far.frames().pop();
            let got = last.map(|frame| u16::from_be_bytes([frame.payload[0], frame.payload[1]]));
            assert_eq!(got, *code, "{turns:?} {cut}");
        }
    }
}

#[test]
fn without_a_limit_of_its_own_a_streamed_message_has_that_of_whole_ones() {
    let (mut run, far, log) = serve(Limits::new().message(8));
    far.send(Frame::text("much too large").masked());
    run.go();
    assert_eq!(log.take(), ["!too large", "end"]);
    assert_eq!(far.frames().pop().unwrap().payload[..2], [0x03, 0xf1]);
}

#[test]
fn a_dropped_reader_skips_the_rest_of_its_message() {
    async fn skip(mut socket: WebSocket, log: Log) {
        while let Some(mut message) = socket.recv_stream().await.unwrap() {
            let part = message.part().await.unwrap();
            log.add(part.as_ref().map_or_else(|| "end".into(), show));
        }
    }
    let first = Frame::text("0123456789").masked();
    let second = Frame::text("next").masked();
    let input = [first.clone(), second].concat();
    for cut in 7..first.len() {
        let (near, far) = transport();
        let log = Log::default();
        let mut run = Run::new(Endpoint::server().serve(near, |socket| skip(socket, log.clone())));
        far.send(&input[..cut]);
        run.go();
        for byte in input[cut..].chunks(1) {
            far.send(byte);
            run.go();
        }
        let got = log.take();
        assert!("0123456789".starts_with(&got[0]), "{cut}: {got:?}");
        // The second message comes byte by byte as well, and only its first part is looked at.
        assert_eq!(got[1..], ["n"], "{cut}");
    }
}

#[test]
fn a_peer_that_stalls_inside_of_a_message_is_closed_in_time() {
    let (near, far) = transport();
    let (clock, log) = (Clock::default(), Log::default());
    let endpoint = Endpoint::server().limits(large()).timer(clock.timer());
    let mut run = Run::new(endpoint.serve(near, |socket| log_streams(socket, log.clone())));
    // As long as something comes, a message may take longer than a whole one.
    far.send(Frame::new(0x02, [1]).masked());
    for _ in 0..4 {
        far.send(Frame::new(0x00, [1]).masked());
        run.go();
        clock.turn(Duration::from_secs(19));
        run.go();
        far.frames();
        assert!(!run.is_done());
    }
    far.send(Frame::pong("").masked());
    run.go();
    clock.turn(Duration::from_secs(11));
    run.go();
    let frame = far.frames().pop().unwrap();
    assert_eq!(frame.payload[..2], 1008_u16.to_be_bytes());
    assert_eq!(log.take(), ["0101010101!too large", "end"]);
}

/// The peer is not to blame while nobody takes what it sent.
#[test]
fn a_reader_that_stalls_is_not_held_against_the_peer() {
    async fn wait(mut socket: WebSocket) {
        let mut message = socket.recv_stream().await.unwrap().unwrap();
        message.part().await.unwrap();
        std::future::pending::<()>().await;
    }
    let (near, far) = transport();
    let clock = Clock::default();
    let limits = Limits::new().streamed(1 << 30).queued_bytes(1000);
    let endpoint = Endpoint::server().limits(limits).timer(clock.timer());
    let mut run = Run::new(endpoint.serve(near, wait));
    let input = Frame::binary(vec![1; 1 << 20]).masked();
    far.send(&input[..64 << 10]);
    run.go();
    far.send(&input[64 << 10..128 << 10]);
    run.go();
    for _ in 0..10 {
        clock.turn(Duration::from_secs(20));
        run.go();
    }
    assert!(far.frames().iter().all(|frame| frame.first == 0x89));
    assert!(!run.is_done());
}

/// More than half of the bound waits, and the connection is still read and still woken.
#[test]
fn a_queue_that_is_nearly_full_is_filled() {
    let (near, far) = transport();
    let (log, clock) = (Log::default(), Clock::default());
    let (seen, wait) = (log.clone(), clock.sleep(Duration::from_secs(1)));
    let handler = async move |mut socket: WebSocket| {
        let mut message = socket.recv_stream().await.unwrap().unwrap();
        wait.await;
        seen.add(join(&mut message).await);
    };
    let endpoint = Endpoint::server().limits(Limits::new().queued_bytes(10));
    let mut run = Run::new(endpoint.serve(near, handler));
    let input = Frame::text("0123456789abcdefghij").masked();
    for bytes in [&input[..7], &input[7..14], &input[14..16]] {
        far.send(bytes);
        run.go();
    }
    clock.turn(Duration::from_secs(1));
    run.go();
    far.send(&input[16..]);
    run.go();
    assert_eq!(log.take(), ["0123456789abcdefghij"]);
}
