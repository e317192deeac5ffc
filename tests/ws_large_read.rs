//! Large messages that come: read to where they stay, into memory that others had before them.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "support/script.rs"]
mod script;

use std::{cell::RefCell, future::Future, rc::Rc};

use script::{Far, Frame, Run, transport};
use tower_realtime::ws::{self, Endpoint, Limits, Message, WebSocket};

/// Around what is put together as it comes, what is read past the buffer of the thread, and what is used again.
const SIZES: [usize; 15] = [
    8_191, 8_193, 16_383, 16_385, 32_767, 32_769, 44_000, 65_522, 65_536, 65_537, 65_600, 131_072,
    262_145, 600_000, 1_048_576,
];
/// What one read brings; 0 for all that it can take.
const PIECES: [usize; 9] = [
    0, 999, 4096, 16_384, 16_399, 65_536, 65_601, 70_001, 300_000,
];

type Got = Rc<RefCell<Vec<Message>>>;

/// A connection that keeps what comes.
fn keeping(limits: Limits) -> (Run<impl Future<Output = ws::Closed>>, Far, Got) {
    let got = Got::default();
    let kept = Rc::clone(&got);
    let (near, far) = transport();
    let server = Endpoint::server().limits(limits);
    let run = Run::new(server.serve(near, async move |mut socket: WebSocket| {
        while let Some(message) = socket.recv().await? {
            kept.borrow_mut().push(message);
        }
        Ok::<_, ws::Error>(())
    }));
    (run, far, got)
}

/// Every byte depends on where it is, and on which message it is.
fn binary(size: usize, salt: usize) -> Vec<u8> {
    (0..size)
        .map(|at| (at * 31 + at / 251 + salt) as u8)
        .collect()
}

/// Characters of one to four bytes, so that reads end within them.
fn text(size: usize, salt: usize) -> String {
    let alphabet = ["e", "é", "€", "😀"];
    let mut text = String::with_capacity(size);
    let mut at = salt;
    while text.len() + 4 <= size {
        text.push_str(alphabet[at % 4]);
        at += 1 + at % 3;
    }
    text.extend(std::iter::repeat_n('.', size - text.len()));
    text
}

fn message(size: usize, salt: usize) -> Message {
    match salt % 2 {
        0 => Message::from(binary(size, salt)),
        _ => Message::from(text(size, salt)),
    }
}

fn frame(message: &Message) -> Frame {
    match message {
        Message::Text(text) => Frame::text(text.as_str()),
        Message::Binary(bytes) => Frame::binary(bytes),
    }
}

/// In frames of the size, with pings between them.
fn fragments(message: &Message, size: usize) -> Vec<u8> {
    let whole = frame(message);
    let count = whole.payload.len().div_ceil(size);
    let parts = whole.payload.chunks(size).enumerate();
    parts
        .flat_map(|(n, part)| {
            let opcode = if n == 0 { whole.first & 0x0f } else { 0 };
            let fin = if n + 1 == count { 0x80 } else { 0 };
            let ping = Frame::ping("between").masked();
            [Frame::new(fin | opcode, part).masked(), ping].concat()
        })
        .collect()
}

#[test]
fn each_is_what_was_sent_however_it_comes() {
    for piece in PIECES {
        let (mut run, far, got) = keeping(Limits::new());
        far.piece(piece);
        for (n, size) in SIZES.into_iter().enumerate() {
            let large = message(size, n);
            let small = Message::from("small");
            let all = [&small, &large, &large, &small].map(|message| frame(message).masked());
            // Together, and then each in as many reads as it takes.
            far.send(all.concat());
            run.go();
            assert!(
                *got.take() == [&small, &large, &large, &small].map(Clone::clone),
                "{size}, {piece}"
            );
        }
    }
}

#[test]
fn fragments_of_any_size_are_one_message() {
    for piece in PIECES {
        for part in [1_000, 16_384, 40_000, 65_536, 200_000] {
            let (mut run, far, got) = keeping(Limits::new().fragments(2_000));
            far.piece(piece);
            for (n, size) in SIZES.into_iter().enumerate() {
                let large = message(size, n);
                far.send(fragments(&large, part));
                run.go();
                assert!(*got.take() == [large], "{size} in {part}, {piece}");
            }
        }
    }
}

/// The memory of a message is used again when the last handle to it is gone, and not before.
#[test]
fn a_message_that_is_kept_stays_what_it_was() {
    let (mut run, far, got) = keeping(Limits::new());
    let sent = |round: usize| SIZES.map(move |size| message(size, size + round));
    for round in 0..6 {
        for message in sent(round) {
            far.send(frame(&message).masked());
            run.go();
        }
        // Every second one goes, or only a slice of it stays.
        let kept = std::mem::take(&mut *got.borrow_mut())
            .into_iter()
            .enumerate();
        let kept = kept.filter_map(|(n, message)| (n % 2 == 0).then_some(message));
        got.borrow_mut().extend(kept);
    }
    let all = (0..6).fold(Vec::new(), |before: Vec<Message>, round| {
        let both = before.into_iter().chain(sent(round)).enumerate();
        both.filter_map(|(n, message)| (n % 2 == 0).then_some(message))
            .collect()
    });
    assert!(*got.borrow() == all);
}

/// RFC 6455, section 8.1: at once, wherever it is, and whatever has not come yet.
#[test]
fn a_bad_byte_of_text_ends_it_at_once() {
    let size = 1 << 20;
    for piece in PIECES {
        for bad in [0, 1, 65_521, 65_522, 65_600, 70_000, 500_000, size - 1] {
            let (mut run, far, got) = keeping(Limits::new());
            far.piece(piece);
            let mut payload = vec![b'.'; size];
            payload[bad] = 0xff;
            let bytes = Frame::text(payload).masked();
            let header = bytes.len() - size;
            far.send(&bytes[..header + bad]);
            run.go();
            assert!(far.written().is_empty(), "{bad}, {piece}: before it came");
            far.send(&bytes[header + bad..=header + bad]);
            run.go();
            let frames = far.frames();
            assert!(
                frames.len() == 1 && frames[0].payload.starts_with(&1007_u16.to_be_bytes()),
                "{bad}, {piece}"
            );
            assert!(got.take().is_empty());
        }
    }
}

/// A transport that always has a little more must not keep the thread from the others.
#[test]
fn a_turn_has_so_many_reads() {
    for piece in [1, 7, 64, 4096, 0] {
        let (mut run, far, got) = keeping(Limits::new());
        far.piece(piece);
        let size = if piece == 1 { 100_000 } else { 1 << 20 };
        let frame = Frame::binary(vec![7; size]).masked();
        let reads = frame
            .len()
            .div_ceil(if piece == 0 { 65_550 } else { piece });
        far.send(frame);
        let turns = run.go();
        assert_eq!(got.take().len(), 1);
        assert!(
            turns * 1100 >= reads,
            "{piece}: {reads} reads in {turns} turns"
        );
    }
}

/// What a peer stops in is no message, and not a panic.
#[test]
fn one_that_is_cut_is_none() {
    for piece in PIECES {
        for come in [
            14,
            15,
            65_536,
            65_600,
            65_615,
            70_000,
            900_000,
            (1 << 20) + 13,
        ] {
            let (mut run, far, got) = keeping(Limits::new());
            far.piece(piece);
            far.send(&Frame::binary(vec![7; 1 << 20]).masked()[..come]);
            far.end();
            run.go();
            assert!(got.take().is_empty(), "{come}, {piece}");
            assert!(!run.output.unwrap().is_clean(), "{come}, {piece}");
        }
    }
}
