//! The whole connection: what a handler sends and receives, and what is on the wire.

use std::time::Duration;

use tower_realtime::topic::Topic;
use tower_realtime::ws::{
    Closed, Endpoint, Heartbeat, Limits, Message, Outgoing, Prepared, WebSocket, deflate::Deflate,
};

use super::{
    script::{Clock, Far, Run, transport},
    support::{self, BINARY, FIN, Frame, RSV1, TEXT, Unzip, Zip, agreed},
};

fn server(deflate: Deflate) -> Endpoint {
    Endpoint::server().deflate(agreed(support::Role::Server, deflate, ""))
}

async fn echo(mut socket: WebSocket) {
    while let Ok(Some(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

fn chat(n: usize) -> String {
    format!(
        r#"{{"type":"message","room":"lobby","user":"user-{n}","text":"{}"}}"#,
        "well ".repeat(80)
    )
}

fn written(far: &Far) -> Vec<Frame> {
    support::frames(&far.written())
}

fn packed(zip: &mut Zip, text: &str) -> Vec<u8> {
    let payload = zip.message(text.as_bytes(), false);
    Frame::new(FIN | RSV1 | TEXT, payload).masked(true).bytes()
}

/// Runs `endpoint` with a handler that sends `messages` and returns: the frames on the wire, without the close.
fn sent(endpoint: &Endpoint, messages: Vec<Outgoing>) -> Vec<Frame> {
    let (near, far) = transport();
    let mut run = Run::new(endpoint.serve(near, async move |mut socket: WebSocket| {
        for message in messages {
            socket.send(message).await.unwrap();
        }
    }));
    run.go();
    let mut frames = written(&far);
    assert_eq!(frames.pop().unwrap().first, FIN | 8);
    frames
}

#[test]
fn messages_are_echoed_compressed() {
    for piece in [0, 1, 7] {
        let (near, far) = transport();
        far.piece(piece);
        let mut run = Run::new(server(Deflate::new()).serve(near, echo));
        let (mut zip, mut unzip) = (Zip::new(6, 15, true), Unzip::new(15, true));
        for n in 0..10 {
            far.send(packed(&mut zip, &chat(n)));
            run.go();
        }
        let frames = written(&far);
        let read: Vec<_> = frames
            .iter()
            .map(|frame| unzip.message(&frame.payload, 4096))
            .collect();
        let expected: Vec<_> = (0..10).map(|n| chat(n).into_bytes()).collect();
        assert_eq!(read, expected);
        assert!(
            frames
                .iter()
                .all(|frame| frame.first == FIN | RSV1 | TEXT && frame.payload.len() < 120)
        );
    }
}

#[test]
fn a_client_and_a_server_talk() {
    let (near, far) = transport();
    let client = Endpoint::client().deflate(agreed(support::Role::Client, Deflate::new(), ""));
    let mut socket = client.open(near);
    let mut run = Run::new(async move {
        for n in 0..3 {
            socket.send(chat(n)).await.unwrap();
        }
        let mut read = Vec::new();
        while let Ok(Some(message)) = socket.recv().await {
            read.push(message);
        }
        read
    });
    run.go();
    let (other_near, other) = transport();
    let mut server = Run::new(server(Deflate::new()).serve(other_near, echo));
    let wire = far.written();
    assert!(wire.len() < 600);
    other.send(wire);
    server.go();
    far.send(other.written());
    far.end();
    run.go();
    assert_eq!(
        run.output.unwrap(),
        (0..3).map(|n| Message::from(chat(n))).collect::<Vec<_>>()
    );
}

/// Every fault below the frames leaves as its close code.
#[test]
fn faults_close_with_the_code_that_is_due() {
    let bomb = Zip::new(9, 15, true).message(&vec![0; 3 << 20], false);
    let not_text = Zip::new(9, 15, true).message(&[0xff; 400], false);
    let rows = [
        (Frame::new(FIN | RSV1 | 9, []), 1002),
        (Frame::new(FIN | RSV1 | TEXT, [0xff, 0xff]), 1007),
        (Frame::new(FIN | RSV1 | TEXT, not_text), 1007),
        (Frame::new(FIN | RSV1 | BINARY, bomb), 1009),
    ];
    for (frame, code) in rows {
        let (near, far) = transport();
        let mut run = Run::new(server(Deflate::new()).serve(near, echo));
        far.send(Frame::new(FIN | TEXT, *b"before").masked(true).bytes());
        far.send(frame.masked(true).bytes());
        // What follows is only drained, or the transport would be reset and the close be lost.
        far.send(vec![0xff; 10_000]);
        run.go();
        far.end();
        run.go();
        let frames = written(&far);
        assert_eq!(frames[0].payload, b"before");
        assert_eq!(
            frames[1].payload[..2],
            u16::to_be_bytes(code),
            "{:?}",
            frames[1]
        );
        assert_eq!(frames.len(), 2);
        assert_eq!(far.unread(), 0);
        let closed: Closed = run.output.unwrap();
        assert_eq!(closed.code(), code);
    }
}

/// Limits are those of the message, not of our fragments of it.
#[test]
fn long_messages_stay_within_the_limits() {
    let limits = Limits::new().message(3 << 20).frame(20_000).fragments(4);
    let (near, far) = transport();
    let mut run = Run::new(
        server(Deflate::new().level(9))
            .limits(limits)
            .serve(near, echo),
    );
    let payload = Zip::new(9, 15, true).message(&vec![b'x'; 3 << 20], false);
    far.send(Frame::new(FIN | RSV1 | TEXT, payload).masked(true).bytes());
    run.go();
    let [frame] = written(&far).try_into().unwrap();
    assert_eq!(
        Unzip::new(15, true).message(&frame.payload, 3 << 20),
        vec![b'x'; 3 << 20]
    );
}

#[test]
fn secrets_leave_as_they_are() {
    let secret = Message::from(chat(1)).uncompressed();
    let frames = sent(
        &server(Deflate::new()),
        vec![chat(1).into(), secret.clone(), chat(1).into()],
    );
    assert_eq!(
        (frames[1].first, &frames[1].payload),
        (FIN | TEXT, &chat(1).into_bytes())
    );
    assert!(
        frames[2].payload.len() < 50,
        "the window is that of before the secret"
    );
    // And so they do where nothing is compressed.
    let frames = sent(&Endpoint::server(), vec![secret]);
    assert_eq!(
        (frames[0].first, &frames[0].payload),
        (FIN | TEXT, &chat(1).into_bytes())
    );
}

#[test]
fn prepared_messages_are_compressed_once_for_all() {
    let prepared = Prepared::new(chat(1));
    let binary = Prepared::new(chat(2).into_bytes());
    let short = Prepared::new("short");
    let messages = || -> Vec<Outgoing> {
        vec![
            chat(1).into(),
            prepared.clone().into(),
            chat(1).into(),
            binary.clone().into(),
            prepared.clone().into(),
            short.clone().into(),
        ]
    };
    for takeover in [true, false] {
        let deflate = Deflate::new().send_context_takeover(takeover);
        let [a, b] = [(); 2].map(|()| sent(&server(deflate), messages()));
        assert_eq!(a, b);
        assert_eq!(a[1].payload, a[4].payload);
        assert_eq!(a[3].first, FIN | RSV1 | BINARY);
        assert_eq!(
            (a[5].first, a[5].payload.as_slice()),
            (FIN | TEXT, b"short".as_slice())
        );
        let mut unzip = Unzip::new(15, takeover);
        for (frame, n) in a.iter().zip([1, 1, 1, 2, 1]) {
            assert_eq!(unzip.message(&frame.payload, 4096), chat(n).into_bytes());
        }
    }
    // Where nothing was agreed they are as they are.
    let frames = sent(&Endpoint::server(), messages());
    assert_eq!(frames[1].payload, chat(1).into_bytes());
}

/// What waits together is compressed message by message, once for all, and leaves in one piece.
#[test]
fn joined_messages_are_compressed_once_for_all() {
    let texts: Vec<String> = (0..12)
        .map(|n| if n % 3 == 0 { format!("{n}") } else { chat(n) })
        .collect();
    for takeover in [true, false] {
        let deflate = Deflate::new().send_context_takeover(takeover);
        let topic = Topic::new(100);
        let (mut runs, mut fars) = (Vec::new(), Vec::new());
        for endpoint in [server(deflate), server(deflate), Endpoint::server()] {
            let (near, far) = transport();
            let reader = topic.subscribe().joined();
            let mut run = Run::new(endpoint.serve(near, async move |socket: WebSocket| {
                let mut socket = socket.feed_from(reader);
                while let Ok(Some(message)) = socket.recv().await {
                    socket.send(message).await.unwrap();
                }
            }));
            run.go();
            runs.push(run);
            fars.push(far);
        }
        let mut written = [Vec::new(), Vec::new(), Vec::new()];
        for first in 0..40 {
            for (far, run) in fars.iter().zip(&mut runs) {
                // Its own messages and those for all take turns.
                far.send(Frame::new(FIN | TEXT, chat(77)).masked(true).bytes());
                run.go();
                far.room(first * 20);
            }
            topic.publish_all(texts.iter().map(|text| Prepared::new(text.as_str())));
            for ((far, run), written) in fars.iter().zip(&mut runs).zip(&mut written) {
                run.go();
                far.room(None);
                run.go();
                written.extend(far.written());
            }
        }
        assert_eq!(written[0], written[1]);
        assert!(written[0].len() < written[2].len() / 3);
        let mut unzip = Unzip::new(15, takeover);
        let frames = support::frames(&written[0]);
        for (frame, plain) in frames.iter().zip(support::frames(&written[2])) {
            let payload = match frame.first & RSV1 {
                0 => frame.payload.clone(),
                _ => unzip.message(&frame.payload, 4096),
            };
            assert_eq!(payload, plain.payload);
        }
        assert_eq!(frames.len(), 40 * 13);
    }
}

/// The compressor of a silent connection goes with the heartbeat; the peer's window stays.
#[test]
fn idle_connections_free_their_compressor() {
    for (keep, smaller) in [(false, false), (true, true)] {
        let (near, far) = transport();
        let clock = Clock::default();
        let beat = Heartbeat::new().interval(Duration::from_secs(20));
        let endpoint = server(Deflate::new().keep_when_idle(keep))
            .timer(clock.timer())
            .heartbeat(beat);
        let mut run = Run::new(endpoint.serve(near, echo));
        let (mut zip, mut unzip) = (Zip::new(6, 15, true), Unzip::new(15, true));
        let mut lengths = Vec::new();
        for _ in 0..3 {
            far.send(packed(&mut zip, &chat(1)));
            run.go();
            let [frame] = written(&far).try_into().unwrap();
            assert_eq!(unzip.message(&frame.payload, 4096), chat(1).into_bytes());
            lengths.push(frame.payload.len());
            for _ in 0..10 {
                clock.turn(Duration::from_secs(5));
                run.go();
                for ping in written(&far) {
                    far.send(Frame::new(FIN | 10, ping.payload).masked(true).bytes());
                }
                run.go();
            }
        }
        assert_eq!(lengths[2] < lengths[0], smaller, "{lengths:?}");
    }
}
