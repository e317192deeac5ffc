//! Messages that are sent in parts: how they are cut, who waits, and what becomes of one that is not finished.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "support/insist.rs"]
mod insist;
#[path = "support/script.rs"]
mod script;

use std::sync::{Arc, Mutex};

use futures_util::{AsyncWriteExt, io::copy};
use insist::insist;
use script::{Frame, Run, serve, transport};
use tower_realtime::{
    topic::Topic,
    ws::{Endpoint, Error, Limits, MessageKind, WebSocket},
};

const FRAME: usize = 16 << 10;

/// The data frames, joined; they have to be legal.
fn joined(frames: &[Frame]) -> Vec<(u8, Vec<u8>)> {
    let mut messages: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut open = false;
    for frame in frames.iter().filter(|frame| frame.first & 0x08 == 0) {
        assert!(frame.payload.len() <= FRAME, "a frame is too large");
        assert_eq!(frame.first & 0x0f == 0, open, "a message inside of one");
        assert_eq!(frame.first & 0x70, 0);
        match open {
            true => messages
                .last_mut()
                .unwrap()
                .1
                .extend_from_slice(&frame.payload),
            false => messages.push((frame.first & 0x0f, frame.payload.clone())),
        }
        open = frame.first & 0x80 == 0;
    }
    assert!(!open, "a message has no end");
    messages
}

fn close_code(frames: &[Frame]) -> u16 {
    let frame = frames.last().unwrap();
    assert_eq!(frame.first, 0x88);
    u16::from_be_bytes([frame.payload[0], frame.payload[1]])
}

/// The sizes of the parts, and of the frames.
#[test]
fn parts_are_gathered_and_cut() {
    let rows: &[(&[usize], &[usize])] = &[
        (&[], &[0]),
        (&[0], &[0]),
        (&[1], &[1]),
        (&[1, 2, 3], &[6]),
        (&[FRAME - 1], &[FRAME - 1]),
        (&[FRAME], &[FRAME, 0]),
        (&[FRAME + 1], &[FRAME, 1]),
        (&[1, FRAME], &[FRAME, 1]),
        (&[FRAME - 1, 1, 1], &[FRAME, 1]),
        (&[3 * FRAME + 5, 7], &[FRAME, FRAME, FRAME, 12]),
        (&[10_000, 10_000, 10_000], &[FRAME, 30_000 - FRAME]),
    ];
    for (parts, expected) in rows {
        for kind in [MessageKind::Text, MessageKind::Binary] {
            let (mut run, far) = serve(async |mut socket: WebSocket| {
                let mut message = socket.send_stream(kind);
                for &size in *parts {
                    message.write(vec![b'x'; size]).await?;
                }
                message.finish().await?;
                socket.send("next").await
            });
            run.go();
            let mut frames = far.frames();
            assert_eq!(close_code(&frames), 1000);
            frames.pop();
            assert_eq!(frames.pop(), Some(Frame::text("next")));
            let sizes: Vec<_> = frames.iter().map(|frame| frame.payload.len()).collect();
            assert_eq!(sizes, *expected, "{parts:?}");
            assert_eq!(joined(&frames).len(), 1);
            let opcode = if kind == MessageKind::Text { 1 } else { 2 };
            assert_eq!(frames[0].first & 0x0f, opcode);
        }
    }
}

#[test]
fn a_flush_sends_what_was_gathered() {
    let (mut run, far) = serve(async |mut socket: WebSocket| {
        let mut message = socket.send_stream(MessageKind::Text);
        message
            .write("half of é: \u{e9}".as_bytes()[..13].to_vec())
            .await?;
        message.flush().await?;
        message.flush().await?;
        std::future::pending().await
    });
    run.go();
    assert_eq!(
        far.frames(),
        [Frame::new(0x01, &"half of é: \u{e9}".as_bytes()[..13])]
    );
    far.send(Frame::ping("still here").masked());
    run.go();
    assert_eq!(far.frames(), [Frame::pong("still here")]);
}

/// What is written, whether it is finished, and what leaves: messages, and the close code.
#[test]
fn a_message_that_is_not_finished_is_never_ended() {
    type Row = (&'static [&'static [u8]], bool, usize, u16);
    const LONG: &[u8] = &[b'x'; FRAME];
    let rows: &[Row] = &[
        // Nothing of it has left: nothing has to.
        (&[], false, 0, 1000),
        (&[b"little"], false, 0, 1000),
        (&[LONG], false, 1, 1011),
        (&[LONG, b"more"], false, 1, 1011),
        // Text that is not UTF-8 is not added.
        (&[b"little", b"\xff"], false, 0, 1000),
        (&[LONG, b"\xff"], false, 1, 1011),
        // Half of a character is no end.
        (&[b"half\xc3"], true, 0, 1000),
        (&[LONG, b"\xc3"], true, 1, 1011),
        (&[LONG, b"\xc3", b"\xa9"], true, 2, 1000),
        (&[b"\xf0", b"\x9d", b"\x84", b"\x9e"], true, 1, 1000),
    ];
    for (parts, finish, frames, code) in rows {
        let (mut run, far) = serve(async |mut socket: WebSocket| {
            let mut message = socket.send_stream(MessageKind::Text);
            for part in *parts {
                if let Err(error) = message.write(*part).await {
                    assert!(error.is_encode());
                }
            }
            if *finish {
                if let Err(error) = message.finish().await {
                    assert!(error.is_encode());
                }
            } else {
                drop(message);
            }
            Ok(())
        });
        run.go();
        let sent = far.frames();
        assert_eq!(close_code(&sent), *code, "{parts:?}");
        assert_eq!(sent.len() - 1, *frames, "{parts:?}");
        let ended = sent.iter().any(|frame| frame.first & 0x88 == 0x80);
        assert_eq!(ended, *frames > 0 && *code == 1000, "{parts:?}");
    }
}

#[test]
fn a_handler_that_panics_inside_of_a_message_leaves_1011() {
    let (mut run, far) = serve(async |mut socket: WebSocket| {
        let mut message = socket.send_stream(MessageKind::Binary);
        message.write(vec![0; FRAME]).await?;
        panic!("as the test wants it");
    });
    run.go();
    assert_eq!(close_code(&far.frames()), 1011);
}

#[test]
fn pongs_go_between_frames_and_nothing_else_does() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let (mut run, far) = serve(async move |socket: WebSocket| {
        let (sender, mut receiver, driving) = socket.split();
        let (other, late) = (sender.clone(), sender.clone());
        let write = async {
            let mut message = sender.send_stream(MessageKind::Binary);
            for _ in 0..20 {
                message.write(vec![1; FRAME]).await?;
            }
            seen.lock().unwrap().push("written");
            message.finish().await
        };
        let interrupt = async {
            // After the first frames have been queued.
            other.send("other").await?;
            seen.lock().unwrap().push("other");
            Ok::<_, Error>(())
        };
        let second = async {
            let mut message = late.send_stream(MessageKind::Text);
            message.write(vec![b'y'; 2 * FRAME]).await?;
            message.finish().await
        };
        let receive = async { while let Ok(Some(_)) = receiver.recv().await {} };
        let (a, b, c) = futures_util::join!(write, interrupt, second);
        a.and(b).and(c)?;
        futures_util::join!(receive, driving);
        Ok(())
    });
    far.room(FRAME);
    run.go();
    far.send(Frame::ping("p").masked());
    run.go();
    assert!(events.lock().unwrap().is_empty());
    far.room(None);
    run.go();
    let frames = far.frames();
    let pong = frames.iter().position(|frame| frame.first == 0x8a).unwrap();
    assert!(
        frames[pong + 1].first & 0x0f == 0,
        "a pong waits for the message"
    );
    let messages = joined(&frames);
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[0].1.len(), 20 * FRAME);
    assert_eq!(events.lock().unwrap().len(), 2);
}

#[test]
fn a_feed_waits_for_the_end_of_a_message() {
    let (mut run, far) = serve(async |socket: WebSocket| {
        let topic = Topic::new(8);
        let mut socket = socket.feed_from(topic.subscribe());
        let mut message = socket.send_stream(MessageKind::Binary);
        message.write(vec![1; FRAME]).await?;
        message.flush().await?;
        topic.publish("fed");
        insist::pause().await;
        message.write(vec![2; FRAME]).await?;
        message.finish().await?;
        std::future::pending().await
    });
    run.go();
    // Anything that wakes the task.
    far.send(Frame::ping("").masked());
    run.go();
    let messages = joined(&far.frames());
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].1.len(), 2 * FRAME);
    assert_eq!(messages[1].1, b"fed");
}

#[test]
fn writing_waits_for_a_peer_that_does_not_read() {
    let written = Arc::new(Mutex::new(0));
    let count = Arc::clone(&written);
    let (mut run, far) = serve(async move |mut socket: WebSocket| {
        let mut message = socket.send_stream(MessageKind::Binary);
        for _ in 0..1000 {
            message.write(vec![1; FRAME]).await?;
            *count.lock().unwrap() += FRAME;
        }
        message.finish().await
    });
    far.room(0);
    run.go();
    let queued = *written.lock().unwrap();
    assert!(queued <= 256 << 10, "{queued} bytes wait");
    far.room(None);
    run.go();
    assert_eq!(joined(&far.frames())[0].1.len(), 1000 * FRAME);
}

/// Takes each message in parts and sends it on in parts, every future dropped after so many polls.
async fn impatient_relay(socket: WebSocket, polls: usize) -> Result<(), Error> {
    let (sender, mut receiver, driving) = socket.split();
    let relay = async {
        loop {
            let Some(mut message) = insist!(polls, receiver.recv_stream())? else {
                return Ok(());
            };
            let mut copy = sender.send_stream(message.kind());
            while let Some(part) = insist!(polls, message.part())? {
                let bytes = part.into_bytes();
                insist!(polls, copy.write(bytes.clone()))?;
                insist!(polls, copy.flush())?;
            }
            copy.finish().await?;
        }
    };
    futures_util::join!(relay, driving).0
}

#[test]
fn nothing_is_lost_when_every_future_is_dropped_at_every_poll() {
    let messages: Vec<Frame> = (0..12)
        .map(|n| Frame::text(format!("{n}é:").repeat(1 + n % 5)))
        .collect();
    let input: Vec<u8> = messages.iter().flat_map(Frame::masked).collect();
    for polls in 1..4 {
        for piece in [1, 2, 3, 7, 50, 1000] {
            let (near, far) = transport();
            let limits = Limits::new().queued_messages(3).queued_bytes(20);
            let endpoint = Endpoint::server().limits(limits);
            let mut run = Run::new(endpoint.serve(near, |socket| impatient_relay(socket, polls)));
            let got = far.play(&input, piece, || run.go());
            let got = joined(&far.frames_of(&got));
            let expected: Vec<_> = messages.iter().map(|m| (1, m.payload.clone())).collect();
            assert_eq!(got, expected, "{polls} {piece}");
            far.room(None);
            far.send(Frame::close(1000, "").masked());
            run.go();
            assert!(run.output.unwrap().is_clean(), "{polls} {piece}");
        }
    }
}

#[test]
fn reads_and_writes_as_bytes() {
    let (mut run, far) = serve(async |socket: WebSocket| {
        let (sender, mut receiver, driving) = socket.split();
        let relay = async {
            while let Some(mut message) = receiver.recv_stream().await? {
                let mut out = sender.send_stream(message.kind());
                copy(&mut message, &mut out).await.unwrap();
                out.close().await.unwrap();
            }
            Ok(())
        };
        futures_util::join!(relay, driving).0
    });
    let frame = Frame::binary(vec![9; 100_000]);
    for bytes in frame.masked().chunks(999) {
        far.send(bytes);
        run.go();
    }
    assert_eq!(joined(&far.frames()), [(2, frame.payload)]);
}

#[test]
fn a_client_masks_every_frame() {
    let (near, far) = transport();
    let mut socket = Endpoint::client().open(near);
    let mut run = Run::new(async move {
        let mut message = socket.send_stream(MessageKind::Binary);
        message.write(vec![5; 2 * FRAME]).await.unwrap();
        message.finish().await.unwrap();
        socket.flush().await.unwrap();
        socket
    });
    run.go();
    let written = far.written();
    assert_eq!(written[1] & 0x80, 0x80);
    assert_eq!(joined(&far.frames_of(&written)), [(2, vec![5; 2 * FRAME])]);
    assert!(run.is_done());
}
