//! A WebSocket before it is open: a client that asks, and a server whose connection is still to come.

use std::{
    io::{self, ErrorKind::Other},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use tower_realtime::ws::{
    Acceptor, Connector, WebSocket,
    handshake::{Offer, Policy},
    upgrade::{OnUpgrade, Upgraded},
};

use super::{
    peer::Peer,
    script::{Clock, Frame, Near, Run, transport},
};

/// How far the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing of the request could be written.
    Asking,
    /// Some of it was.
    InRequest,
    /// All of it was, and no answer has come.
    Waiting,
    /// Half of the answer's head has come.
    InAnswer,
    /// The head of a refusal has come, and half of its body.
    InRefusal,
    /// The answer has come, and half of a frame behind it.
    Behind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    ReadFails,
    WriteFails,
    FlushFails,
    TakesNothing,
    End,
    Silence,
    Dropped,
    OneByteWrites,
    Wakes,
}

use Fault::*;
use State::*;

const STATES: [State; 6] = [Asking, InRequest, Waiting, InAnswer, InRefusal, Behind];
const FAULTS: [Fault; 9] = [
    ReadFails,
    WriteFails,
    FlushFails,
    TakesNothing,
    End,
    Silence,
    Dropped,
    OneByteWrites,
    Wakes,
];

/// What comes of it: the first row that fits. No states or no faults are all of them.
#[rustfmt::skip]
const TABLE: &[(&[State], &[Fault], &str)] = &[
    (&[], &[Dropped], "dropped"),
    (&[InRefusal], &[OneByteWrites, Wakes], "refused with 403, no way"),
    // What has come of the reason is told.
    (&[InRefusal], &[], "refused with 403, no "),
    (&[], &[OneByteWrites, Wakes], "open, hi"),
    // It is open before the fault; what follows is the socket's.
    (&[Behind], &[ReadFails], "open, then failed"),
    (&[Behind], &[End], "open, then ended"),
    (&[Behind], &[Silence], "open, then failed"),
    (&[Behind], &[WriteFails, FlushFails, TakesNothing], "open, hi"),
    // There is nothing to be written any more.
    (&[Waiting, InAnswer], &[WriteFails, FlushFails, TakesNothing], "open, hi"),
    // While the request does not leave, the answer is not looked for.
    (&[Asking, InRequest], &[ReadFails, End, Silence], "timeout"),
    (&[], &[Silence], "timeout"),
    (&[], &[], "transport"),
];

struct Play {
    peer: Peer<String>,
}

impl Play {
    fn new() -> Self {
        let request = Request::get("ws://here.test/ws").body(()).unwrap();
        let asking = async move |near: Near, connector: Connector| {
            let mut socket = match connector.over(near, request).await {
                Ok((socket, _)) => socket,
                Err(error) if error.is_timeout() => return "timeout".to_owned(),
                Err(error) if error.is_transport() => return "transport".to_owned(),
                Err(error) => {
                    let refusal = error.into_response().unwrap();
                    return format!(
                        "refused with {}, {}",
                        refusal.status().as_u16(),
                        String::from_utf8_lossy(refusal.body())
                    );
                }
            };
            match socket.recv().await {
                Ok(Some(message)) => format!("open, {}", message.as_text().unwrap()),
                Ok(None) => "open, then ended".to_owned(),
                Err(_) => "open, then failed".to_owned(),
            }
        };
        let peer =
            Peer::of(|near, clock| Box::pin(asking(near, Connector::new().timer(clock.timer()))));
        Self { peer }
    }

    /// The answer that is due, once the request has been read.
    fn answer(&self, state: State) -> Vec<u8> {
        if state == InRefusal {
            return b"HTTP/1.1 403 Forbidden\r\ncontent-length: 6\r\n\r\nno way".to_vec();
        }
        let head = String::from_utf8(self.peer.written.clone()).unwrap();
        let mut request = Request::get("/");
        for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
            request = request.header(name, value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let offer = Offer::parse(&parts).unwrap();
        let answer: Response<Bytes> = Policy::new().answer(&offer).unwrap().into_response();
        let accept = answer.headers()["sec-websocket-accept"].to_str().unwrap();
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-accept: {accept}\r\n\r\n"
        );
        [head.into_bytes(), Frame::text("hi").plain()].concat()
    }

    fn enter(&mut self, state: State) {
        match state {
            Asking => self.peer.far.room(0),
            InRequest => self.peer.far.room(20),
            _ => {}
        }
        self.peer.go();
        let at = match state {
            Asking | InRequest | Waiting => return,
            InAnswer => 30,
            InRefusal | Behind => self.answer(state).len() - 3,
        };
        let way = self.answer(state)[..at].to_vec();
        self.peer.send(&way);
    }

    /// How much of the answer the state has used up.
    fn rest(&self, state: State) -> Vec<u8> {
        let answer = self.answer(state);
        let at = match state {
            Asking | InRequest | Waiting => 0,
            InAnswer => 30,
            InRefusal | Behind => answer.len() - 3,
        };
        answer[at..].to_vec()
    }

    fn strike(&mut self, state: State, fault: Fault) {
        match fault {
            ReadFails => self.peer.far.fail(Other),
            WriteFails => self.peer.far.fail_writes(Other),
            FlushFails => self.peer.far.fail_flushes(Other),
            TakesNothing => self.peer.far.take_nothing(),
            End => self.peer.far.end(),
            Dropped => self.peer.run = None,
            OneByteWrites => self.peer.far.piece(1),
            Silence | Wakes => {}
        }
        if fault == Wakes {
            for _ in 0..3 {
                self.peer.far.wake();
                self.peer.go();
                assert!(!self.peer.is_done());
            }
        }
        let writes = matches!(fault, WriteFails | FlushFails | TakesNothing);
        if writes || matches!(fault, OneByteWrites | Wakes) {
            self.peer.far.room(None);
            self.peer.go();
            if !self.peer.is_done() {
                // A refusal whose end is awaited gets the end instead.
                if writes && state == InRefusal {
                    self.peer.far.end();
                } else {
                    let rest = self.rest(state);
                    self.peer.send(&rest);
                }
            }
        }
        self.peer.wait_out();
    }

    fn outcome(&self) -> String {
        match &self.peer.run {
            None => "dropped".to_owned(),
            Some(run) => run.output.clone().unwrap_or_else(|| "hangs".to_owned()),
        }
    }
}

#[test]
fn a_client_survives_each_fault_in_each_state() {
    for state in STATES {
        for fault in FAULTS {
            let mut play = Play::new();
            play.enter(state);
            play.strike(state, fault);
            let row = TABLE.iter().find(|(states, faults, _)| {
                (states.is_empty() || states.contains(&state))
                    && (faults.is_empty() || faults.contains(&fault))
            });
            let want = row.expect("each pair has a row").2;
            assert_eq!(play.outcome(), want, "{state:?} {fault:?}");
            assert!(
                play.peer.far.is_dropped(),
                "{state:?} {fault:?}: the transport is kept"
            );
            // The request leaves once, and nothing but frames follows it.
            let heads = play
                .peer
                .written
                .windows(4)
                .filter(|at| at == b"\r\n\r\n")
                .count();
            assert!(heads <= 1, "{state:?} {fault:?}");
        }
    }
}

/// The connection below a request, once HTTP lets go of it: it may fail, never come, or come late.
#[test]
fn a_server_survives_whatever_becomes_of_its_connection() {
    for (what, want) in [
        ("fails", "transport"),
        ("never comes", "timeout"),
        ("is dropped", "dropped"),
        ("wakes and comes late", "hi"),
        ("comes and ends", "none"),
    ] {
        let clock = Clock::default();
        let (near, far) = transport();
        let slot: Arc<Mutex<Option<io::Result<Upgraded>>>> = Arc::default();
        let wake: Arc<Mutex<Option<std::task::Waker>>> = Arc::default();
        let (pending, waker) = (Arc::clone(&slot), Arc::clone(&wake));
        let coming = OnUpgrade::new(std::future::poll_fn(move |cx| {
            let connection = pending.lock().unwrap().take();
            *waker.lock().unwrap() = Some(cx.waker().clone());
            connection.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
        }));
        let mut request = Request::get("/")
            .header("host", "a")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .body(())
            .unwrap();
        request.extensions_mut().insert(coming);
        let acceptor = Acceptor::new().timer(clock.timer());
        let (response, socket) = acceptor.accept::<_, Bytes>(request).unwrap();
        assert_eq!(response.status(), 101);
        let mut run = Some(Run::new(async move {
            let mut socket: WebSocket = match socket.await {
                Ok(socket) => socket,
                Err(error) if error.is_timeout() => return "timeout".to_owned(),
                Err(_) => return "transport".to_owned(),
            };
            match socket.recv().await {
                Ok(Some(message)) => message.as_text().unwrap().to_owned(),
                Ok(None) => "none".to_owned(),
                Err(_) => "failed".to_owned(),
            }
        }));
        let wake_up = || {
            if let Some(waker) = wake.lock().unwrap().take() {
                waker.wake();
            }
        };
        run.as_mut().unwrap().go();
        match what {
            "fails" => *slot.lock().unwrap() = Some(Err(Other.into())),
            "is dropped" => run = None,
            "wakes and comes late" => {
                for _ in 0..3 {
                    wake_up();
                    run.as_mut().unwrap().go();
                }
                assert!(!run.as_ref().unwrap().is_done());
                clock.turn(Duration::from_secs(9));
                far.send(Frame::text("hi").masked());
                *slot.lock().unwrap() = Some(Ok(Upgraded::new(near)));
            }
            "comes and ends" => {
                far.end();
                *slot.lock().unwrap() = Some(Ok(Upgraded::new(near)));
            }
            _ => {}
        }
        wake_up();
        for _ in 0..120 {
            if let Some(run) = &mut run {
                run.go();
            }
            clock.turn(Duration::from_secs(1));
        }
        let outcome = match &run {
            None => "dropped",
            Some(run) => run.output.as_deref().unwrap_or("hangs"),
        };
        assert_eq!(outcome, want, "the connection {what}");
        let came = what.contains("comes") && what != "never comes";
        assert!(
            !came || far.is_dropped(),
            "the connection {what}, and is kept"
        );
    }
}
