//! The WebSocket connection over a scripted transport: what goes in, what comes out, and how it ends.

#[path = "support/script.rs"]
mod script;

use std::time::Duration;

use script::{Clock, Far, Frame, Near, Run, transport};
use tower_realtime::ws::{
    self, CloseCode, CloseFrame, Closed, ClosedBy, Endpoint, Heartbeat, WebSocket,
};

async fn echo(mut socket: WebSocket) -> Result<(), ws::Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

fn serve_echo() -> (Run<impl Future<Output = Closed>>, Far) {
    let (near, far) = transport();
    (Run::new(Endpoint::server().serve(near, echo)), far)
}

fn outcome(run: &Run<impl Future<Output = Closed>>) -> (ClosedBy, u16, bool) {
    let closed = run.output.as_ref().expect("the connection has ended");
    (closed.by(), closed.code(), closed.is_clean())
}

#[test]
fn echoes_every_kind_and_size() {
    let (mut run, far) = serve_echo();
    run.go();
    for size in [0, 1, 125, 126, 127, 4096, 65535, 65536, 300_000] {
        for first in [0x81, 0x82] {
            let frame = Frame::new(first, vec![b'x'; size]);
            far.send(frame.masked());
            run.go();
            assert_eq!(far.frames(), [frame], "{size}");
        }
    }
    assert!(!run.is_done());
}

#[test]
fn echoes_at_every_split_of_its_input() {
    let frames = [
        Frame::text("hé"),
        Frame::new(0x01, "fra"),
        Frame::ping("p"),
        Frame::new(0x80, "gment"),
        Frame::binary([0xff; 200]),
    ];
    let input: Vec<u8> = frames.iter().flat_map(Frame::masked).collect();
    let mut expected = [
        Frame::text("hé"),
        Frame::text("fragment"),
        Frame::pong("p"),
        Frame::binary([0xff; 200]),
    ];
    expected.sort_by_key(|frame| frame.payload.len());
    for cut in 0..=input.len() {
        let (mut run, far) = serve_echo();
        far.send(&input[..cut]);
        run.go();
        let mut got = far.frames();
        far.send(&input[cut..]);
        run.go();
        got.extend(far.frames());
        got.sort_by_key(|frame| frame.payload.len());
        assert_eq!(got, expected, "{cut}");
    }
}

#[test]
fn echoes_when_every_byte_comes_and_goes_alone() {
    let (mut run, far) = serve_echo();
    far.piece(1);
    far.send(Frame::text("hello").masked());
    far.send(Frame::binary(vec![7; 300]).masked());
    run.go();
    assert_eq!(
        far.frames(),
        [Frame::text("hello"), Frame::binary(vec![7; 300])]
    );
}

#[test]
fn answers_what_is_ready_with_one_write() {
    let (mut run, far) = serve_echo();
    far.room(0);
    let input: Vec<u8> = (0..500)
        .flat_map(|n: u32| Frame::binary(n.to_be_bytes()).masked())
        .collect();
    far.send(input);
    run.go();
    far.room(usize::MAX);
    assert!(run.go() <= 2);
    assert_eq!(far.frames().len(), 500);
}

#[test]
fn stops_reading_from_a_peer_that_does_not_read() {
    let (mut run, far) = serve_echo();
    far.room(0);
    for _ in 0..1000 {
        far.send(Frame::binary(vec![0; 16 << 10]).masked());
    }
    run.go();
    let taken = 1000 * (16 << 10) - far.unread();
    assert!(taken < 512 << 10, "{taken} bytes were taken");
    far.room(None);
    run.go();
    assert_eq!(far.frames().len(), 1000);
}

#[test]
fn closes_every_fault_with_its_code() {
    let text = Frame::text("x");
    let rows: &[(&str, Vec<u8>, u16)] = &[
        ("reserved bit 1", Frame::new(0xc1, "x").masked(), 1002),
        ("reserved bit 3", Frame::new(0x91, "x").masked(), 1002),
        (
            "reserved bit on a ping",
            Frame::new(0xc9, "x").masked(),
            1002,
        ),
        ("opcode 3", Frame::new(0x83, "x").masked(), 1002),
        ("opcode 11", Frame::new(0x8b, "x").masked(), 1002),
        ("unmasked", text.plain(), 1002),
        ("unmasked ping", Frame::ping("").plain(), 1002),
        ("fragmented ping", Frame::new(0x09, "x").masked(), 1002),
        ("ping of 126", Frame::ping([0; 126]).masked(), 1002),
        (
            "continuation of nothing",
            Frame::new(0x80, "x").masked(),
            1002,
        ),
        (
            "text inside",
            [Frame::new(0x01, "x").masked(), text.masked()].concat(),
            1002,
        ),
        (
            "length of 64 bits",
            [&[0x82, 0xff][..], &[0xff; 8], &[0; 4]].concat(),
            1002,
        ),
        (
            "length too long",
            [&[0x82, 0xff][..], &[0, 0, 1, 0, 0, 0, 0, 0], &[0; 4]].concat(),
            1009,
        ),
        (
            "length not minimal",
            vec![0x81, 0xfe, 0, 1, 0, 0, 0, 0, b'x'],
            1002,
        ),
        ("close of one byte", Frame::new(0x88, "x").masked(), 1002),
        ("close with 1005", Frame::close(1005, "").masked(), 1002),
        ("close with 2999", Frame::close(2999, "").masked(), 1002),
        (
            "close with bad text",
            Frame::new(0x88, b"\x03\xe8\xff").masked(),
            1007,
        ),
        ("bad text", Frame::text(b"a\xff").masked(), 1007),
        ("cut text", Frame::text(b"a\xc3").masked(), 1007),
        (
            "bad text in fragments",
            [
                Frame::new(0x01, b"\xc3").masked(),
                Frame::new(0x00, "x").masked(),
            ]
            .concat(),
            1007,
        ),
        (
            "bad text in a frame that goes on",
            Frame::text(b"ab\xffcdefgh").masked()[..9].to_vec(),
            1007,
        ),
        (
            "too many fragments",
            [
                Frame::new(0x02, "").masked(),
                Frame::new(0x00, "").masked().repeat(1024),
            ]
            .concat(),
            1008,
        ),
        (
            "too big in fragments",
            Frame::new(0x02, vec![0; 1 << 20])
                .masked()
                .into_iter()
                .chain(Frame::new(0x80, "x").masked())
                .collect(),
            1009,
        ),
    ];
    for (what, bytes, code) in rows {
        for piece in [0, 1] {
            let (mut run, far) = serve_echo();
            far.piece(if bytes.len() < 10_000 { piece } else { 0 });
            far.send(Frame::text("before").masked());
            far.send(bytes);
            run.go();
            let frames = far.frames();
            assert_eq!(frames[0], Frame::text("before"), "{what}");
            assert_eq!(frames.len(), 2, "{what}: {frames:?}");
            assert_eq!(frames[1].first, 0x88, "{what}");
            assert_eq!(frames[1].payload[..2], code.to_be_bytes(), "{what}");
            assert!(far.is_shut(), "{what}");
            far.end();
            run.go();
            assert_eq!(outcome(&run), (ClosedBy::Local, *code, false), "{what}");
            assert!(far.is_dropped());
        }
    }
}

#[test]
fn answers_a_close_with_its_code_and_ends() {
    for (sent, answer, code) in [
        (Frame::close(1000, "bye"), Frame::close(1000, ""), 1000),
        (Frame::close(4999, ""), Frame::close(4999, ""), 4999),
        (Frame::new(0x88, ""), Frame::new(0x88, ""), 1005),
    ] {
        let (mut run, far) = serve_echo();
        far.send(Frame::text("last").masked());
        far.send(sent.masked());
        far.send(Frame::text("too late").masked());
        run.go();
        assert_eq!(far.frames(), [Frame::text("last"), answer]);
        assert!(far.is_shut());
        assert_eq!(outcome(&run), (ClosedBy::Peer, code, true));
    }
}

#[test]
fn tells_a_peer_that_ends_without_a_close() {
    for partial in [&b""[..], &[0x81], &[0x81, 0x85, 1, 2]] {
        let (mut run, far) = serve_echo();
        far.send(Frame::text("last").masked());
        far.send(partial);
        far.end();
        run.go();
        let frames = far.frames();
        assert_eq!(frames[0], Frame::text("last"));
        assert_eq!(frames[1].payload[..2], 1002u16.to_be_bytes());
        assert_eq!(outcome(&run), (ClosedBy::Nobody, 1006, false));
    }
}

#[test]
fn ends_when_the_transport_fails() {
    use std::io::ErrorKind::{ConnectionReset, Other};
    for (kind, is_io) in [(ConnectionReset, false), (Other, true)] {
        let (near, far) = transport();
        let seen = std::sync::Arc::new(std::sync::Mutex::new(None));
        let seen2 = seen.clone();
        let mut run = Run::new(Endpoint::server().serve(
            near,
            async move |mut socket: WebSocket| {
                *seen2.lock().unwrap() = Some(socket.recv().await);
            },
        ));
        run.go();
        far.fail_writes(kind);
        far.fail(kind);
        run.go();
        assert_eq!(outcome(&run), (ClosedBy::Nobody, 1006, false));
        match seen.lock().unwrap().take().unwrap() {
            Ok(None) => assert!(!is_io),
            Err(error) => assert!(error.is_io() && is_io),
            Ok(Some(message)) => panic!("{message:?}"),
        };
    }
}

async fn returns(_: WebSocket) {}
async fn fails(_socket: WebSocket) -> Result<(), &'static str> {
    Err("no")
}
async fn panics(_socket: WebSocket) {
    panic!("a handler panics (on purpose)");
}

#[test]
fn closes_as_the_handler_ends() {
    fn ends<O: ws::Outcome, Fut: Future<Output = O>>(
        handler: impl FnOnce(WebSocket) -> Fut,
        code: u16,
    ) {
        let (near, far) = transport();
        let mut run = Run::new(Endpoint::server().serve(near, handler));
        run.go();
        assert_eq!(far.frames(), [Frame::close(code, "")]);
        assert!(!far.is_shut(), "the peer's close is awaited");
        far.send(Frame::close(code, "").masked());
        run.go();
        assert!(far.is_shut());
        assert_eq!(outcome(&run), (ClosedBy::Local, code, true));
    }
    ends(returns, 1000);
    ends(fails, 1011);
    ends(panics, 1011);
}

#[test]
fn closes_with_a_frame_of_ones_own() {
    let (near, far) = transport();
    let mut run = Run::new(
        Endpoint::server().serve(near, async |mut socket: WebSocket| {
            socket.send("first").await.unwrap();
            let bye = CloseFrame::new(CloseCode::from_static(4000)).reason("é".repeat(100));
            let closed = socket.close(bye).await;
            assert_eq!((closed.code(), closed.is_clean()), (4000, true));
            assert!(socket.send("more").await.unwrap_err().is_closed());
            assert_eq!(socket.recv().await.unwrap(), None);
        }),
    );
    run.go();
    assert_eq!(
        far.frames(),
        [Frame::text("first"), Frame::close(4000, &"é".repeat(61))]
    );
    far.send(Frame::text("ignored").masked());
    far.send(Frame::close(4000, "").masked());
    run.go();
    assert!(run.is_done());
}

fn client() -> (WebSocket, Far) {
    let (near, far): (Near, Far) = transport();
    (Endpoint::client().open(near), far)
}

#[test]
fn a_client_sends_and_receives_by_itself() {
    let (mut socket, far) = client();
    let mut run = Run::new(async move {
        socket.send("hi").await.unwrap();
        let answer = socket.recv().await.unwrap();
        socket.close(CloseCode::NORMAL).await;
        answer
    });
    run.go();
    let sent = far.written();
    assert_eq!(sent[1] & 0x80, 0x80, "a client masks");
    far.send(Frame::text("hello").plain());
    run.go();
    let close = far.frames();
    assert_eq!(close, [Frame::close(1000, "")]);
    far.send(Frame::close(1000, "").plain());
    run.go();
    assert_eq!(run.output.unwrap().unwrap().as_text(), Some("hello"));
}

/// On a clock that stands: nothing here ends by a time-out.
#[test]
fn recv_completes_the_close_before_it_says_none() {
    for client in [true, false] {
        let (near, far) = transport();
        let (endpoint, close) = if client {
            (Endpoint::client(), Frame::close(4001, "bye").plain())
        } else {
            (Endpoint::server(), Frame::close(4001, "bye").masked())
        };
        let mut socket = endpoint.timer(Clock::default().timer()).open(near);
        let mut run = Run::new(async move { (socket.recv().await.unwrap(), socket) });
        far.room(3);
        far.send(close);
        run.go();
        assert!(!run.is_done(), "the answer is not out, client: {client}");
        far.room(None);
        run.go();
        assert_eq!(far.frames(), [Frame::close(4001, "")]);
        // The server ends the transport first (RFC 6455, section 7.1.1).
        assert_eq!(far.is_shut(), !client);
        assert!(
            !run.is_done(),
            "the peer's end has not come, client: {client}"
        );
        far.end();
        run.go();
        let (message, _socket) = run.output.unwrap();
        assert_eq!(message, None);
    }
}

/// Whoever is polled first, and whoever is woken: the task that drives is the one that waits for what it reads.
#[test]
fn a_client_can_be_split_and_joined_in_one_task() {
    for driving_first in [true, false] {
        let (socket, far) = client();
        let mut run = Run::new(async move {
            let (sender, mut receiver, driving) = socket.split();
            let receive = async move {
                let mut count = 0;
                while let Some(message) = receiver.recv().await.unwrap() {
                    sender.send(message).await.unwrap();
                    sender.flush().await.unwrap();
                    count += 1;
                }
                count
            };
            if driving_first {
                futures_util::join!(driving, receive).1
            } else {
                futures_util::join!(receive, driving).0
            }
        });
        for n in 0..3 {
            run.go();
            far.send(Frame::text(n.to_string()).plain());
            run.go();
            let echoed = far.frames();
            assert_eq!(echoed, [Frame::text(n.to_string())], "{driving_first}");
        }
        far.send(Frame::close(1000, "").plain());
        far.end();
        run.go();
        assert_eq!(run.output, Some(3), "{driving_first}");
    }
}

/// RFC 6455, section 7.1.7: the peer is told before the one who receives is, who may drop the socket at once.
#[test]
fn a_client_has_told_the_peer_what_it_did_before_it_sees_the_error() {
    let (text, begun) = (Frame::text("before").plain(), Frame::new(0x01, "begun"));
    let bad = Frame::new(0xa1, "a reserved bit").plain();
    let close = Frame::close(1002, "a reserved bit is set");
    for in_parts in [false, true] {
        let (near, far) = transport();
        let mut socket = Endpoint::client()
            .timer(Clock::default().timer())
            .open(near);
        let mut run = Run::new(async move {
            let message = socket.recv().await.unwrap().unwrap();
            socket.send(message).await.unwrap();
            if !in_parts {
                return socket.recv().await.unwrap_err();
            }
            let mut message = socket.recv_stream().await.unwrap().unwrap();
            assert_eq!(message.part().await.unwrap(), Some("begun".into()));
            message.part().await.unwrap_err()
        });
        far.room(6 + 3);
        far.send(&text);
        if in_parts {
            far.send(begun.plain());
            run.go();
        }
        far.send(&bad);
        run.go();
        assert!(!run.is_done(), "nothing is out, in parts: {in_parts}");
        far.room(None);
        run.go();
        assert_eq!(far.frames(), [Frame::text("before"), close.clone()]);
        assert!(far.is_shut());
        assert!(
            !run.is_done(),
            "the peer's end has not come, in parts: {in_parts}"
        );
        far.end();
        run.go();
        assert!(run.output.unwrap().is_protocol(), "in parts: {in_parts}");
    }
}

/// Nothing is expected of a peer that fell silent: who reconnects does so at once.
#[test]
fn a_client_does_not_wait_for_a_silent_peer() {
    let ((near, far), clock) = (transport(), Clock::default());
    let beat = Heartbeat::new()
        .interval(Duration::from_secs(10))
        .timeout(Duration::from_secs(10));
    let mut socket = Endpoint::client()
        .timer(clock.timer())
        .heartbeat(beat)
        .open(near);
    let mut run = Run::new(async move { socket.recv().await });
    run.go();
    for _ in 0..20 {
        assert!(!run.is_done());
        clock.turn(Duration::from_secs(1));
        run.go();
    }
    assert!(run.output.unwrap().unwrap_err().is_timeout());
    assert_eq!(far.frames().len(), 2, "a ping and a close");
}

#[test]
fn recv_waits_for_the_close_as_long_as_its_timeout_at_most() {
    let ((near, far), clock) = (transport(), Clock::default());
    let mut socket = Endpoint::client().timer(clock.timer()).open(near);
    let mut run = Run::new(async move { socket.recv().await });
    far.room(0);
    far.send(Frame::close(1000, "").plain());
    run.go();
    clock.turn(Duration::from_millis(4_999));
    run.go();
    assert!(!run.is_done());
    clock.turn(Duration::from_millis(1));
    run.go();
    assert_eq!(run.output.unwrap().unwrap(), None);
}

#[test]
fn a_client_refuses_masked_frames() {
    let (mut socket, far) = client();
    let mut run = Run::new(async move { socket.recv().await.unwrap_err().is_protocol() });
    far.send(Frame::text("x").masked());
    run.go();
    assert_eq!(run.output, Some(true));
}

#[test]
fn a_dropped_client_says_goodbye() {
    let (socket, far) = client();
    drop(socket);
    assert_eq!(far.frames(), [Frame::close(1000, "")]);
    assert!(far.is_dropped());
}

/// RFC 6455, sections 5.3 and 10.3: the keys of two frames do not follow from each other.
#[test]
fn a_client_takes_a_new_key_for_each_frame() {
    let (mut socket, far) = client();
    let mut run = Run::new(async move {
        for _ in 0..100 {
            socket.send("the same").await.unwrap();
        }
        socket
    });
    run.go();
    let sent = far.written();
    let frames = sent.chunks(2 + 4 + "the same".len());
    let keys: std::collections::HashSet<_> = frames.map(|frame| frame[2..6].to_vec()).collect();
    // Four bytes: the odds that two of a hundred are alike by chance are one in a million.
    assert_eq!(keys.len(), 100);
}
