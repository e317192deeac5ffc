//! An open WebSocket, until its transport is gone. The transport is a script, the clock stands until it is turned.

use std::{
    io::ErrorKind::{BrokenPipe, ConnectionReset, Other},
    sync::{Arc, Mutex},
};

use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};
use tower_realtime::ws::{
    self, CloseCode, CloseFrame, Closed, Endpoint, Message, WebSocket,
    deflate::{self, Agreed, Deflate},
};

use super::{
    peer::{Machine, Peer},
    script::Frame,
};

/// Who is under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// A server, driven beside its handler.
    Served,
    /// The same, with permessage-deflate, of whose codec all bytes go through.
    Deflated,
    /// The same, with a handler that takes messages in parts.
    Parts,
    /// A server, driven by its own methods.
    Opened,
    Client,
}

const SIDES: [Side; 5] = [
    Side::Parts,
    Side::Served,
    Side::Deflated,
    Side::Opened,
    Side::Client,
];

/// How far the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    InHeader,
    InLength,
    InMask,
    InPayload,
    BetweenFragments,
    InFragment,
    InPing,
    InClose,
    /// An echo is half written, and the transport takes no more.
    Blocked,
    /// The same, and the peer's close frame has come: it will be answered behind the echo.
    Answering,
    /// This side has sent its close frame.
    CloseSent,
    /// The peer's close frame has come, and the answer is half written.
    CloseCame,
    /// Both close frames have gone.
    Answered,
    /// This side failed the connection, and reads what comes.
    Draining,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    ReadFails,
    WriteFails,
    FlushFails,
    ShutdownFails,
    /// Writes take two bytes, and then they fail.
    WriteIsCut,
    /// Writes say that they took nothing.
    TakesNothing,
    /// Reads and writes fail as they do when the peer is gone.
    Reset,
    /// The peer ends its side.
    End,
    /// Nothing comes and nothing goes any more.
    Stall,
    /// Nothing comes any more.
    Silence,
    /// The task is dropped.
    Dropped,
    /// No faults, but a nuisance: each write takes one byte.
    OneByteWrites,
    /// The task is woken for nothing.
    Wakes,
}

use Fault::*;
use State::*;

const FAULTS: [Fault; 13] = [
    ReadFails,
    WriteFails,
    FlushFails,
    ShutdownFails,
    WriteIsCut,
    TakesNothing,
    Reset,
    End,
    Stall,
    Silence,
    Dropped,
    OneByteWrites,
    Wakes,
];

const STATES: [State; 15] = [
    Idle,
    InHeader,
    InLength,
    InMask,
    InPayload,
    BetweenFragments,
    InFragment,
    InPing,
    InClose,
    Blocked,
    Answering,
    CloseSent,
    CloseCame,
    Answered,
    Draining,
];

impl State {
    /// What the peer sends to lead there, and what it sends to lead out of it.
    fn script(self, side: Side) -> (Vec<u8>, Vec<u8>) {
        let encode = |frames: &[Frame]| {
            let frames = frames.iter().map(|frame| match side {
                Side::Client => frame.plain(),
                _ => frame.masked(),
            });
            frames.collect::<Vec<_>>().concat()
        };
        let two = || Frame::text(two());
        let (frames, at) = match self {
            Idle => (encode(&[two()]), 0),
            InHeader => (encode(&[two()]), 1),
            InLength => (encode(&[two()]), 3),
            InMask => (encode(&[two()]), if side == Side::Client { 4 } else { 6 }),
            InPayload => (encode(&[two()]), 100),
            BetweenFragments => {
                let first = encode(&[Frame::new(0x01, &two().payload[..9])]);
                let rest = encode(&[Frame::new(0x80, &two().payload[9..])]);
                let at = first.len();
                ([first, rest].concat(), at)
            }
            InFragment => {
                let first = encode(&[Frame::new(0x01, &two().payload[..9])]);
                let rest = encode(&[Frame::new(0x80, &two().payload[9..])]);
                let at = first.len() + 20;
                ([first, rest].concat(), at)
            }
            InPing => (encode(&[Frame::ping("are you there"), two()]), 10),
            InClose => (encode(&[Frame::close(1000, "that is all")]), 10),
            Blocked => (encode(&[two()]), usize::MAX),
            Answering => (encode(&[two(), Frame::close(4000, "")]), usize::MAX),
            CloseSent => (
                encode(&[Frame::text("bye"), Frame::close(4001, "")]),
                encode(&[Frame::text("bye")]).len(),
            ),
            CloseCame | Answered => (encode(&[Frame::close(4000, "")]), usize::MAX),
            Draining => (encode(&[Frame::new(0x83, "no opcode"), two()]), 15),
        };
        let at = at.min(frames.len());
        (frames[..at].to_vec(), frames[at..].to_vec())
    }

    /// Whether all of the second message has been sent when the fault comes.
    fn has_two(self) -> bool {
        matches!(self, Blocked | Answering)
    }

    /// Whether it is sent, sooner or later.
    fn brings_two(self) -> bool {
        !matches!(self, InClose | CloseSent | CloseCame | Answered | Draining)
    }
}

/// Long enough for a length of 16 bits.
fn two() -> String {
    "two ".repeat(50)
}

#[derive(Default)]
struct Log {
    received: Vec<String>,
    end: Option<&'static str>,
}

/// Echoes, and notes what it sees. It closes when it is told goodbye.
async fn talk(socket: &mut WebSocket, side: Side, log: &Mutex<Log>) {
    let end = loop {
        let received = match side {
            Side::Parts => recv_in_parts(socket).await,
            _ => socket.recv().await,
        };
        match received {
            Ok(Some(message)) => {
                let text = message.as_text().unwrap().to_owned();
                let bye = text == "bye";
                log.lock().unwrap().received.push(text);
                if bye {
                    let code = CloseCode::from_static(4001);
                    socket.close(CloseFrame::new(code)).await;
                    break "none";
                }
                let echo = async {
                    socket.send(message).await?;
                    socket.flush().await
                };
                match echo.await {
                    // `recv` says why.
                    Err(error) if !error.is_closed() => break kind(&error),
                    Ok(()) | Err(_) => {}
                }
            }
            Ok(None) => break "none",
            Err(error) => break kind(&error),
        }
    };
    log.lock().unwrap().end = Some(end);
}

/// The next message that comes whole, put together from its parts.
async fn recv_in_parts(socket: &mut WebSocket) -> Result<Option<Message>, ws::Error> {
    while let Some(mut message) = socket.recv_stream().await? {
        let mut text = String::new();
        loop {
            match message.part().await {
                Ok(Some(part)) => text.push_str(part.as_text().unwrap()),
                Ok(None) => return Ok(Some(text.into())),
                // It ends within the message; how, is still to be told.
                Err(error) if error.is_cut() => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(None)
}

fn kind(error: &ws::Error) -> &'static str {
    match () {
        () if error.is_closed() => "closed",
        () if error.is_io() => "io",
        () if error.is_timeout() => "timeout",
        () if error.is_protocol() => "protocol",
        () if error.is_too_large() => "too large",
        () => "other",
    }
}

/// Compression that never takes place, so that frames can be read off the wire.
fn agreed() -> Agreed {
    let mut offers = HeaderMap::new();
    let offer = HeaderValue::from_static("permessage-deflate");
    offers.insert(SEC_WEBSOCKET_EXTENSIONS, offer);
    deflate::answer(&Deflate::new().threshold(1 << 20), &offers).unwrap()
}

struct Play {
    peer: Peer<Closed>,
    log: Arc<Mutex<Log>>,
}

impl Play {
    fn new(side: Side) -> Self {
        let log = Arc::new(Mutex::new(Log::default()));
        let notes = Arc::clone(&log);
        let endpoint = match side {
            Side::Client => Endpoint::client(),
            Side::Served | Side::Parts | Side::Opened => Endpoint::server(),
            Side::Deflated => Endpoint::server().deflate(agreed()),
        };
        let peer = Peer::of(|near, clock| -> Machine<Closed> {
            let endpoint = endpoint.timer(clock.timer());
            match side {
                Side::Served | Side::Deflated | Side::Parts => {
                    let handler =
                        async move |mut socket: WebSocket| talk(&mut socket, side, &notes).await;
                    Box::pin(endpoint.serve(near, handler))
                }
                Side::Opened | Side::Client => {
                    let mut socket = endpoint.open(near);
                    Box::pin(async move {
                        talk(&mut socket, side, &notes).await;
                        socket.closed().await
                    })
                }
            }
        });
        Self { peer, log }
    }

    fn enter(&mut self, state: State, side: Side) -> Vec<u8> {
        self.peer.go();
        let one = Frame::text("one");
        self.peer.send(&if side == Side::Client {
            one.plain()
        } else {
            one.masked()
        });
        match state {
            Blocked | Answering => self.peer.far.room(2),
            CloseCame => self.peer.far.room(1),
            _ => {}
        }
        let (way, rest) = state.script(side);
        self.peer.send(&way);
        assert!(!self.peer.is_done());
        rest
    }

    fn strike(&mut self, fault: Fault, rest: &[u8], side: Side) {
        match fault {
            ReadFails => self.peer.far.fail(Other),
            WriteFails => self.peer.far.fail_writes(Other),
            FlushFails => self.peer.far.fail_flushes(Other),
            ShutdownFails => self.peer.far.fail_shutdown(Other),
            WriteIsCut => self.peer.far.room(2),
            TakesNothing => self.peer.far.take_nothing(),
            Reset => {
                self.peer.far.fail_writes(BrokenPipe);
                self.peer.far.fail(ConnectionReset);
            }
            End => self.peer.far.end(),
            Stall => self.peer.far.room(0),
            Dropped => self.peer.run = None,
            OneByteWrites => self.peer.far.piece(1),
            Silence | Wakes => {}
        }
        if fault == Wakes {
            for _ in 0..3 {
                self.peer.far.wake();
                let before = self.peer.written.len();
                self.peer.go();
                assert!(
                    !self.peer.is_done() && self.peer.written.len() == before,
                    "it was woken for nothing"
                );
            }
        }
        if matches!(
            fault,
            WriteFails | FlushFails | ShutdownFails | WriteIsCut | TakesNothing | Stall
        ) {
            self.peer.send(rest);
        }
        if matches!(fault, FlushFails | ShutdownFails | OneByteWrites | Wakes) {
            self.peer.far.room(None);
        }
        if fault == WriteIsCut {
            self.peer.far.fail_writes(Other);
        }
        if matches!(fault, ShutdownFails | OneByteWrites | Wakes) {
            if fault != ShutdownFails {
                self.peer.send(rest);
            }
            let bye = Frame::close(1000, "");
            self.peer.send(&if side == Side::Client {
                bye.plain()
            } else {
                bye.masked()
            });
            self.peer.far.end();
        }
        // Everything that waits for ever has a limit.
        self.peer.wait_out();
    }

    /// `who code clean error`.
    fn outcome(&self) -> String {
        let Some(run) = &self.peer.run else {
            return "dropped".to_owned();
        };
        let Some(closed) = &run.output else {
            return "hangs".to_owned();
        };
        let clean = if closed.is_clean() { "clean" } else { "torn" };
        let end = self.log.lock().unwrap().end.unwrap_or("never");
        format!("{:?} {} {clean}, {end}", closed.by(), closed.code())
    }
}

fn play(side: Side, state: State, fault: Fault) -> Play {
    let mut play = Play::new(side);
    let rest = play.enter(state, side);
    play.strike(fault, &rest, side);
    play
}

/// What comes of it: the first row that fits. No states or no faults are all of them.
#[rustfmt::skip]
const TABLE: &[(&[State], &[Fault], &str)] = &[
    (&[], &[Dropped], "dropped"),
    // Both close frames have gone: nothing can spoil that.
    (&[Answered], &[], "Peer 4000 clean, none"),
    (&[Draining], &[], "Local 1002 torn, protocol"),
    // Nothing is left to be written, so only what keeps the peer's close frame away matters.
    (&[CloseSent], &[ReadFails, Reset, End, Silence], "Local 4001 torn, none"),
    (&[CloseSent], &[], "Local 4001 clean, none"),
    (&[Answering, CloseCame], &[ShutdownFails, OneByteWrites, Wakes], "Peer 4000 clean, none"),
    (&[Answering, CloseCame], &[], "Peer 4000 torn, none"),
    (&[], &[ShutdownFails, OneByteWrites, Wakes], "Peer 1000 clean, none"),
    // The answer to the close frame does not go out.
    (&[InClose], &[WriteFails, FlushFails, WriteIsCut, TakesNothing, Stall], "Peer 1000 torn, none"),
    (&[], &[ReadFails, WriteFails, FlushFails, WriteIsCut], "Nobody 1006 torn, io"),
    // A peer that is gone is no failure of the transport.
    (&[], &[TakesNothing, Reset, End], "Nobody 1006 torn, none"),
    // No pong came.
    (&[Idle, Blocked], &[Silence], "Local 1008 torn, timeout"),
    (&[], &[Stall], "Local 1008 torn, timeout"),
    // A message that was begun has its own time.
    (&[], &[Silence], "Local 1008 torn, too large"),
];

fn expected(state: State, fault: Fault) -> &'static str {
    let row = TABLE.iter().find(|(states, faults, _)| {
        (states.is_empty() || states.contains(&state))
            && (faults.is_empty() || faults.contains(&fault))
    });
    row.expect("each pair has a row").2
}

impl Play {
    /// Nothing is lost or repeated of what went whole, and nothing follows a close frame.
    fn check_data(&self, state: State, nuisance: bool, what: &str) {
        let received = self.log.lock().unwrap().received.clone();
        let second = if state == CloseSent {
            "bye".to_owned()
        } else {
            two()
        };
        let sent = ["one".to_owned(), second];
        assert!(sent.starts_with(&received), "{what}: received {received:?}");
        let whole = state.has_two() || state == CloseSent || nuisance && state.brings_two();
        assert!(
            !received.is_empty() && (received.len() == 2 || !whole),
            "{what}: received {received:?}"
        );

        // What comes behind the end is no data.
        let over = matches!(state, InClose | CloseCame | Answered | Draining);
        assert!(
            !over || received.len() == 1,
            "{what}: received {received:?}"
        );

        let (mut frames, rest) = self.peer.far.whole_frames_of(&self.peer.written);
        let end = frames.iter().position(|frame| frame.first == 0x88);
        assert!(
            end.is_none_or(|at| at + 1 == frames.len() && rest.is_empty()),
            "{what}: {frames:?}, {rest:?}"
        );
        frames.retain(|frame| frame.first == 0x81);
        let echoes: Vec<_> = received
            .iter()
            .filter(|text| *text != "bye")
            .map(Frame::text)
            .collect();
        assert!(echoes.starts_with(&frames), "{what}: {frames:?}");
        assert!(
            !nuisance || frames == echoes && rest.is_empty(),
            "{what}: {frames:?}"
        );
    }
}

#[test]
fn each_state_survives_each_fault() {
    for side in SIDES {
        for state in STATES {
            for fault in FAULTS {
                let what = format!("{side:?} {state:?} {fault:?}");
                let play = play(side, state, fault);
                let mut want = expected(state, fault);
                // The codec knows of a frame when it has its whole head.
                if side == Side::Deflated
                    && fault == Silence
                    && matches!(state, InHeader | InLength | InMask)
                {
                    want = "Local 1008 torn, timeout";
                }
                assert_eq!(play.outcome(), want, "{what}");
                assert!(play.peer.far.is_dropped(), "{what}: the transport is kept");
                play.check_data(state, matches!(fault, OneByteWrites | Wakes), &what);
            }
        }
    }
}

/// RFC 6455, section 5.5.1: both sides may close at the same time. The peer's frame comes while this side's is still
/// on its way out, or has just left.
#[test]
fn close_frames_that_cross_are_a_clean_end() {
    for side in SIDES {
        for room in [Some(0), Some(1), None] {
            let encode = |frame: Frame| {
                if side == Side::Client {
                    frame.plain()
                } else {
                    frame.masked()
                }
            };
            let mut play = Play::new(side);
            play.peer.go();
            play.peer.far.room(room);
            play.peer.send(&encode(Frame::text("bye")));
            play.peer.send(&encode(Frame::close(4000, "")));
            play.peer.far.room(None);
            play.peer.far.end();
            play.peer.go();
            assert_eq!(
                play.outcome(),
                "Local 4001 clean, none",
                "{side:?} {room:?}"
            );
            assert_eq!(
                play.peer.far.frames_of(&play.peer.written),
                [Frame::close(4001, "")]
            );
            assert!(play.peer.far.is_dropped());
        }
    }
}
