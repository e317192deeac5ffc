//! Messages that are taken and sent in parts, compressed: the same promises as without.

use std::{
    future::Future,
    sync::{Arc, Mutex},
};

use tower_realtime::ws::{
    Endpoint, Error, Limits, MessageKind, Sender, WebSocket, deflate::Deflate,
};

use super::{
    insist::insist,
    script::{self, Far, Run, transport},
    support::{BINARY, FIN, Frame, RSV1, Role, TEXT, Unzip, Zip, agreed, frames},
};

const BOTH: [(Role, bool); 4] = [
    (Role::Server, true),
    (Role::Server, false),
    (Role::Client, true),
    (Role::Client, false),
];

/// An endpoint that has agreed on windows that go on, or on such that do not.
fn endpoint(role: Role, takeover: bool) -> Endpoint {
    let deflate = Deflate::new().threshold(0);
    let said = match takeover {
        true => "",
        false => "; client_no_context_takeover; server_no_context_takeover",
    };
    let agreed = agreed(role, deflate, said);
    match role {
        Role::Server => Endpoint::server().deflate(agreed),
        Role::Client => Endpoint::client().deflate(agreed),
    }
}

/// What a handler saw, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Vec<u8>>>>);

impl Log {
    fn add(&self, line: impl Into<Vec<u8>>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Runs `handler` with a socket: beside a driver, or alone, as a client does it.
fn run<F, Fut>(
    endpoint: &Endpoint,
    role: Role,
    handler: F,
) -> (Run<impl Future<Output = ()> + use<F, Fut>>, Far)
where
    F: FnOnce(WebSocket) -> Fut,
    Fut: Future<Output = ()>,
{
    let (near, far) = transport();
    let endpoint = endpoint.clone();
    let run = Run::new(async move {
        match role {
            Role::Server => drop(endpoint.serve(near, handler).await),
            Role::Client => handler(endpoint.open(near)).await,
        }
    });
    (run, far)
}

/// Takes one message whole and the next in parts, and so on; an error is told, and what came before it is not.
async fn take(mut socket: WebSocket, log: Log, mut whole: bool) {
    loop {
        whole = !whole;
        if whole {
            match socket.recv().await {
                Ok(Some(message)) => log.add(message.as_bytes()),
                Ok(None) => return log.add("end"),
                Err(error) => log.add(code(&error)),
            }
            continue;
        }
        let mut message = match socket.recv_stream().await {
            Ok(Some(message)) => message,
            Ok(None) => return log.add("end"),
            Err(error) => {
                log.add(code(&error));
                continue;
            }
        };
        let mut all = Vec::new();
        log.add(loop {
            match message.part().await {
                Ok(Some(part)) => all.extend_from_slice(part.as_bytes()),
                Ok(None) => break all,
                Err(error) => break code(&error).into(),
            }
        });
    }
}

fn code(error: &Error) -> String {
    error
        .close_code()
        .map_or_else(|| format!("{error:?}"), |code| code.get().to_string())
}

/// A message in so many frames, with pings between them.
fn packed(zip: &mut Zip, opcode: u8, plain: &[u8], count: usize) -> Vec<Frame> {
    let payload = zip.message(plain, false);
    let size = payload.len().div_ceil(count).max(1);
    let mut frames = Vec::new();
    for (n, piece) in payload.chunks(size).enumerate() {
        if n > 0 {
            frames.push(Frame::new(FIN | 9, [n as u8]));
        }
        let first = if n == 0 { RSV1 | opcode } else { 0 };
        frames.push(Frame::new(first, piece));
    }
    frames.last_mut().unwrap().first |= FIN;
    frames
}

fn wire(role: Role, frames: Vec<Frame>) -> Vec<u8> {
    let masked = |frame: Frame| frame.masked(role == Role::Server).bytes();
    frames.into_iter().flat_map(masked).collect()
}

/// Frames of all kinds, and the messages that they are.
fn conversation(role: Role, takeover: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut zip = Zip::new(6, 15, takeover);
    let long = "hé€𝄞, and again hé€𝄞! ".repeat(8).into_bytes();
    let bytes: Vec<u8> = (0..400).map(|n| (n * n % 251) as u8).collect();
    let mut all = Vec::new();
    all.extend(packed(&mut zip, TEXT, &long, 3));
    all.extend(packed(&mut zip, TEXT, &long, 1));
    all.push(Frame::new(TEXT, "pla"));
    all.push(Frame::new(FIN, "in"));
    all.extend(packed(&mut zip, BINARY, b"", 1));
    all.extend(packed(&mut zip, BINARY, &bytes, 4));
    all.push(Frame::new(FIN | BINARY, [7; 9]));
    all.extend(packed(&mut zip, TEXT, &long, 2));
    all.extend(packed(&mut zip, BINARY, b"", 1));
    let plain = b"plain".to_vec();
    let messages = [
        &long,
        &long,
        &plain,
        &vec![],
        &bytes,
        &vec![7; 9],
        &long,
        &vec![],
    ];
    (wire(role, all), messages.map(Clone::clone).to_vec())
}

#[test]
fn messages_are_taken_in_parts_at_every_split() {
    for (role, takeover) in BOTH {
        let (input, expected) = conversation(role, takeover);
        let pongs = frames(&input)
            .iter()
            .filter(|frame| frame.first == FIN | 9)
            .count();
        for cut in 0..=input.len() {
            for whole in [true, false] {
                let log = Log::default();
                let handler = |socket| take(socket, log.clone(), whole);
                let (mut run, far) = run(&endpoint(role, takeover), role, handler);
                far.send(&input[..cut]);
                run.go();
                far.send(&input[cut..]);
                run.go();
                assert_eq!(log.take(), expected, "{role:?} {takeover} {cut}");
                let answers = frames(&far.written());
                assert_eq!(answers.len(), pongs);
                assert!(answers.iter().all(|frame| frame.first == FIN | 10));
            }
        }
    }
}

#[test]
fn messages_are_taken_in_parts_when_every_byte_comes_alone() {
    for (role, takeover) in BOTH {
        let (input, expected) = conversation(role, takeover);
        for limits in [
            Limits::new(),
            Limits::new().queued_bytes(5),
            Limits::new().message(4).streamed(1000),
        ] {
            // Whole ones are too large for the last.
            let log = Log::default();
            let parts_only = limits != Limits::new() && limits != Limits::new().queued_bytes(5);
            let endpoint = endpoint(role, takeover).limits(limits);
            let handler = async |socket: WebSocket| {
                if parts_only {
                    take_parts(socket, log.clone()).await;
                } else {
                    take(socket, log.clone(), true).await;
                }
            };
            let (mut run, far) = run(&endpoint, role, handler);
            for byte in input.chunks(1) {
                far.send(byte);
                run.go();
            }
            assert_eq!(log.take(), expected, "{role:?} {takeover}");
        }
    }
}

async fn take_parts(mut socket: WebSocket, log: Log) {
    while let Some(mut message) = socket.recv_stream().await.unwrap() {
        let mut all = Vec::new();
        while let Some(part) = message.part().await.unwrap() {
            all.extend_from_slice(part.as_bytes());
        }
        log.add(all);
    }
}

/// The size that is limited is that of what comes out: how large, how it is taken, what the handler sees.
#[test]
fn the_inflated_size_is_limited() {
    const OVER: &str = "1009";
    let limits = || Limits::new().message(100).frame(40);
    let streamed = || limits().streamed(1000);
    let rows = [
        (limits(), 100, true, None),
        (limits(), 100, false, None),
        (limits(), 101, true, Some(OVER)),
        (limits(), 101, false, Some(OVER)),
        (streamed(), 100, true, None),
        (streamed(), 100, false, None),
        (streamed(), 101, true, Some(OVER)),
        (streamed(), 101, false, None),
        (streamed(), 1000, false, None),
        (streamed(), 1001, false, Some(OVER)),
        (streamed(), 100_000, false, Some(OVER)),
    ];
    for (role, takeover) in BOTH {
        for count in [1, 2] {
            for (limits, size, whole, fails) in rows.clone() {
                let frames_ = packed(
                    &mut Zip::new(9, 15, takeover),
                    BINARY,
                    &vec![5; size],
                    count,
                );
                let input = wire(role, frames_);
                for cut in [0, 3, input.len() - 1, input.len()] {
                    let log = Log::default();
                    let handler = |socket| take(socket, log.clone(), !whole);
                    let endpoint = endpoint(role, takeover).limits(limits.clone());
                    let (mut run, far) = run(&endpoint, role, handler);
                    far.send(&input[..cut]);
                    run.go();
                    far.send(&input[cut..]);
                    run.go();
                    let name = format!("{role:?} {size} {whole} {count} {cut}");
                    let seen = log.take();
                    let Some(fails) = fails else {
                        assert_eq!(seen, [vec![5; size]], "{name}");
                        continue;
                    };
                    assert_eq!(seen[0], fails.as_bytes(), "{name}");
                    let close = frames(&far.written()).pop().unwrap();
                    assert_eq!(close.payload[..2], 1009_u16.to_be_bytes(), "{name}");
                }
            }
        }
    }
}

/// 64 MiB of nothing in 64 KiB: what comes out is bounded, and so is what is read while nobody takes it.
#[test]
fn a_bomb_is_refused_and_never_held() {
    let bomb = Zip::new(9, 15, true).message(&vec![0; 64 << 20], false);
    for role in [Role::Server, Role::Client] {
        let input = wire(role, vec![Frame::new(FIN | RSV1 | BINARY, bomb.clone())]);
        let log = Log::default();
        let seen = log.clone();
        let handler = async move |mut socket: WebSocket| {
            let mut message = socket.recv_stream().await.unwrap().unwrap();
            // All that came before anybody asked may be as large as a whole message.
            let (mut size, mut largest) = (message.part().await.unwrap().unwrap().len(), 0);
            assert!(size <= 1 << 20, "{size}");
            let error = loop {
                match message.part().await {
                    Ok(part) => {
                        let length = part.unwrap().len();
                        (size, largest) = (size + length, largest.max(length));
                    }
                    Err(error) => break error,
                }
            };
            assert!(size <= 3 << 20 && largest <= 160 << 10, "{size} {largest}");
            seen.add(code(&error));
        };
        let limits = Limits::new().streamed(3 << 20);
        let endpoint = endpoint(role, true).limits(limits);
        let (mut run_, far) = run(&endpoint, role, handler);
        far.send(&input);
        run_.go();
        assert_eq!(log.take(), [b"1009"]);
        let close = frames(&far.written()).pop().unwrap();
        assert_eq!(close.payload[..2], 1009_u16.to_be_bytes());

        let stop_after_one = async |mut socket: WebSocket| {
            let mut message = socket.recv_stream().await.unwrap().unwrap();
            message.part().await.unwrap();
            std::future::pending::<()>().await;
        };
        let endpoint = endpoint.limits(Limits::new().streamed(1 << 40));
        let (mut run_, far) = run(&endpoint, role, stop_after_one);
        // Slowly, or all of it were read at once: it fits one read.
        for piece in input.chunks(100) {
            far.send(piece);
            run_.go();
        }
        let taken = input.len() - far.unread();
        assert!(taken <= 1000, "{taken} bytes of a bomb were taken");
    }
}

/// What is wrong in the middle of a message, and the code that leaves.
#[test]
fn faults_inside_of_a_message_in_parts_have_their_codes() {
    for (role, takeover) in BOTH {
        let mut zip = Zip::new(6, 15, takeover);
        let text = zip.message("é and more, é and more".repeat(9).as_bytes(), false);
        let (begin, rest) = text.split_at(text.len() / 2);
        let begin = Frame::new(RSV1 | TEXT, begin);
        let not_text = Zip::new(6, 15, takeover).message(b"text\xff, text\xff", false);
        let rows = [
            (
                "bad deflate",
                begin.clone(),
                Frame::new(FIN, [0xff; 50]),
                "1007",
            ),
            (
                "not text",
                Frame::new(RSV1 | TEXT, &not_text[..1]),
                Frame::new(FIN, &not_text[1..]),
                "1007",
            ),
            (
                "RSV1 again",
                begin.clone(),
                Frame::new(FIN | RSV1, rest),
                "1002",
            ),
            (
                "a message inside",
                begin.clone(),
                Frame::new(FIN | TEXT, "x"),
                "1002",
            ),
            (
                "a compressed one inside",
                begin.clone(),
                Frame::new(FIN | RSV1 | TEXT, rest),
                "1002",
            ),
            (
                "RSV1 on a ping",
                begin.clone(),
                Frame::new(FIN | RSV1 | 9, ""),
                "1002",
            ),
            (
                "a close inside",
                begin.clone(),
                Frame::new(FIN | 8, 1001_u16.to_be_bytes()),
                "Cut",
            ),
        ];
        for (name, first, second, expected) in rows {
            let log = Log::default();
            let handler = |socket| take(socket, log.clone(), true);
            let (mut run, far) = run(&endpoint(role, takeover), role, handler);
            far.send(wire(role, vec![first]));
            run.go();
            far.send(wire(role, vec![second]));
            far.end();
            run.go();
            assert_eq!(log.take(), [expected.as_bytes(), b"end"], "{role:?} {name}");
            let close = frames(&far.written()).pop().unwrap();
            let sent = u16::from_be_bytes([close.payload[0], close.payload[1]]);
            let due = expected.parse().unwrap_or(1001);
            assert_eq!((close.first, sent), (FIN | 8, due), "{role:?} {name}");
            assert!(run.is_done(), "{role:?} {name}");
        }
    }
}

/// The window takes in what nobody wants as well.
#[test]
fn a_dropped_reader_skips_the_rest_and_the_next_message_is_right() {
    async fn first_parts(mut socket: WebSocket, log: Log) {
        let mut message = socket.recv_stream().await.unwrap().unwrap();
        let part = message.part().await.unwrap().unwrap();
        drop(message);
        log.add(part.into_bytes());
        take_parts(socket, log).await;
    }
    let text = |n: u8| -> Vec<u8> { (0..3000).map(|i| (i * i % 97) as u8 ^ n).collect() };
    for (role, takeover) in BOTH {
        let mut zip = Zip::new(6, 15, takeover);
        let [mut all, again] = [text(1), text(1)].map(|text| packed(&mut zip, BINARY, &text, 3));
        all.extend(again);
        let input = wire(role, all);
        for cut in 0..=input.len() {
            let log = Log::default();
            let handler = |socket| first_parts(socket, log.clone());
            let (mut run, far) = run(&endpoint(role, takeover), role, handler);
            far.send(&input[..cut]);
            run.go();
            far.send(&input[cut..]);
            run.go();
            let seen = log.take();
            assert!(text(1).starts_with(&seen[0]), "{role:?} {cut}");
            assert_eq!(seen[1..], [text(1)], "{role:?} {takeover} {cut}");
        }
    }
}

/// Puts messages together again, and inflates them. RSV1 stands on the first frame and nowhere else; control frames
/// are not looked at.
fn inflated(frames: Vec<Frame>, role: Role, takeover: bool) -> Vec<(u8, Vec<u8>)> {
    let mut unzip = Unzip::new(15, takeover);
    let mut messages = Vec::new();
    let mut open: Option<(u8, Vec<u8>)> = None;
    for frame in frames.into_iter().filter(|frame| frame.first & 8 == 0) {
        assert_eq!(frame.mask.is_some(), role == Role::Client);
        let (first, mut payload) = match open.take() {
            None => (frame.first & 0x7f, Vec::new()),
            Some(open) => {
                assert_eq!(frame.first & 0x7f, 0);
                open
            }
        };
        payload.extend(frame.payload);
        if frame.first & FIN == 0 {
            open = Some((first, payload));
        } else if first & RSV1 == 0 {
            messages.push((first, payload));
        } else {
            messages.push((first & 0x0f, unzip.message(&payload, 1 << 20)));
        }
    }
    assert_eq!(open, None, "a message has no end");
    messages
}

const LINE: &str = "a line of text, and one more line of text; ";

/// Three messages in parts, with flushes and without, and whole ones between.
async fn tell(mut socket: WebSocket) {
    for flush in [true, false, true] {
        socket.send(LINE).await.unwrap();
        let mut message = socket.send_stream(MessageKind::Text);
        for _ in 0..20 {
            // Cut inside of a character.
            let part = format!("{LINE}é").into_bytes();
            let (part, rest) = part.split_at(part.len() - 1);
            message.write(part.to_vec()).await.unwrap();
            if flush {
                message.flush().await.unwrap();
            }
            message.write(rest.to_vec()).await.unwrap();
        }
        message.finish().await.unwrap();
        let mut message = socket.send_stream(MessageKind::Binary);
        message.write(vec![7; 40_000]).await.unwrap();
        message.finish().await.unwrap();
    }
    socket.flush().await.unwrap();
    // Pings are answered while it waits.
    while let Ok(Some(_)) = socket.recv().await {}
}

fn told() -> Vec<(u8, Vec<u8>)> {
    let text = format!("{LINE}é").repeat(20).into_bytes();
    let once = [(TEXT, LINE.into()), (TEXT, text), (BINARY, vec![7; 40_000])];
    [once.clone(), once.clone(), once].concat()
}

#[test]
fn messages_are_sent_in_parts_whatever_the_transport_takes() {
    for (role, takeover) in BOTH {
        for room in [1, 2, 3, 7, 20, 100, 100_000] {
            let (mut run, far) = run(&endpoint(role, takeover), role, tell);
            far.room(0);
            run.go();
            let ping = Frame::new(FIN | 9, "now").masked(role == Role::Server);
            let (mut written, mut quiet) = (Vec::new(), 0);
            while quiet < 3 {
                far.room(room);
                run.go();
                let more = far.written();
                quiet = if more.is_empty() { quiet + 1 } else { 0 };
                if written.is_empty() {
                    far.send(ping.bytes());
                }
                written.extend(more);
            }
            let frames = frames(&written);
            let pongs = frames.iter().filter(|frame| frame.first == FIN | 10);
            assert!(pongs.map(|pong| &pong.payload).eq([b"now"]));
            assert_eq!(
                inflated(frames, role, takeover),
                told(),
                "{role:?} {takeover} {room}"
            );
        }
    }
}

#[test]
fn a_window_that_goes_on_pays_over_messages_in_parts() {
    let sizes = [true, false].map(|takeover| {
        let (mut run, far) = run(&endpoint(Role::Server, takeover), Role::Server, tell);
        run.go();
        far.written().len()
    });
    assert!(sizes[0] < sizes[1], "{sizes:?}");
}

/// Some of it may have left: 1011, and no end of it.
#[test]
fn a_message_that_is_not_finished_is_never_ended() {
    for (role, takeover) in BOTH {
        let handler = async |mut socket: WebSocket| {
            let mut message = socket.send_stream(MessageKind::Binary);
            message.write(vec![1; 40_000]).await.unwrap();
            message.flush().await.unwrap();
            drop(message);
            let _ = socket.recv().await;
        };
        let (mut run, far) = run(&endpoint(role, takeover), role, handler);
        run.go();
        let frames = frames(&far.written());
        let (close, data) = frames.split_last().unwrap();
        assert_eq!(close.payload[..2], 1011_u16.to_be_bytes());
        assert!(data.iter().all(|frame| frame.first & FIN == 0) && !data.is_empty());
    }
}

/// Takes each message in parts and sends it on in parts, every future dropped after so many polls.
async fn impatient_relay(socket: WebSocket, polls: usize) {
    let (sender, mut receiver, driving) = socket.split();
    let relay = async {
        loop {
            let Some(mut message) = insist!(polls, receiver.recv_stream()).unwrap() else {
                return;
            };
            let mut copy = Sender::send_stream(&sender, message.kind());
            while let Some(part) = insist!(polls, message.part()).unwrap() {
                let bytes = part.into_bytes();
                insist!(polls, copy.write(bytes.clone())).unwrap();
                insist!(polls, copy.flush()).unwrap();
            }
            copy.finish().await.unwrap();
        }
    };
    futures_util::join!(relay, driving);
}

#[test]
fn nothing_is_lost_when_every_future_is_dropped_at_every_poll() {
    for (role, takeover) in BOTH {
        let (input, expected) = conversation(role, takeover);
        for polls in 1..4 {
            for piece in [1, 2, 3, 7, 50, 1000] {
                let limits = Limits::new().queued_messages(3).queued_bytes(20);
                let endpoint = endpoint(role, takeover).limits(limits);
                let (mut run, far) = run(&endpoint, role, |socket| impatient_relay(socket, polls));
                let got = far.play(&input, piece, || run.go());
                let got = inflated(frames(&got), role, takeover);
                let got: Vec<_> = got.into_iter().map(|(_, message)| message).collect();
                assert_eq!(got, expected, "{role:?} {takeover} {polls} {piece}");
                far.room(None);
                far.send(wire(
                    role,
                    vec![Frame::new(FIN | 8, 1000_u16.to_be_bytes())],
                ));
                far.end();
                run.go();
                assert!(run.is_done(), "{role:?} {takeover} {polls} {piece}");
                let close = script::Frame::close(1000, "");
                assert_eq!(far.frames(), [close]);
            }
        }
    }
}
