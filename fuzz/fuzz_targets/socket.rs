//! Two ends of a connection, or any bytes at a server: whatever is done, cancelled and cut, nothing panics, nothing
//! is lost, and nothing comes twice or out of order.
#![no_main]

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use futures_io::{AsyncRead, AsyncWrite};
use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};
use libfuzzer_sys::fuzz_target;
use tower_realtime::ws::{
    CloseCode, Endpoint, Limits, Message, MessageKind, WebSocket,
    deflate::{Deflate, answer, check, offer},
};

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((0, bytes)) => hostile(bytes, Endpoint::server()),
        Some((1, bytes)) => hostile(bytes, endpoints(Some(Deflate::new())).0),
        Some((2, script)) => workload(script, 1, endpoints(Some(Deflate::new().threshold(0)))),
        Some((3, script)) => {
            let deflate = Deflate::new()
                .threshold(0)
                .send_context_takeover(false)
                .receive_context_takeover(false);
            workload(script, 1, endpoints(Some(deflate)));
        }
        Some((4, script)) => workload(script, LARGE, endpoints(None)),
        Some((5, script)) => workload(script, LARGE, endpoints(Some(Deflate::new()))),
        Some((_, script)) => workload(script, 1, endpoints(None)),
        None => {}
    }
});

/// So much larger are all sizes where large messages are the subject, which are read in a way of their own.
const LARGE: usize = 512;

/// A server and a client that have agreed on compression, or on none.
fn endpoints(deflate: Option<Deflate>) -> (Endpoint, Endpoint) {
    let Some(deflate) = deflate else {
        return (Endpoint::server(), Endpoint::client());
    };
    let headers = |value: HeaderValue| HeaderMap::from_iter([(SEC_WEBSOCKET_EXTENSIONS, value)]);
    let server = answer(&deflate, &headers(offer(&deflate))).expect("our own offer");
    let client = check(&deflate, &headers(server.header())).expect("our own answer");
    (
        Endpoint::server().deflate(server),
        Endpoint::client().deflate(client.expect("an agreement")),
    )
}

/// The input, byte by byte; what comes after its end is patience.
#[derive(Clone)]
struct Script(Arc<Mutex<VecDeque<u8>>>);

impl Script {
    fn new(bytes: &[u8]) -> Self {
        Self(Arc::new(Mutex::new(bytes.iter().copied().collect())))
    }

    fn next(&self) -> Option<u8> {
        self.0.lock().unwrap().pop_front()
    }
}

#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    /// How many bytes went in and out.
    moved: usize,
    ended: bool,
}

/// One end of a transport that moves as much at a time as the script says.
struct End {
    from: Arc<Mutex<Pipe>>,
    to: Arc<Mutex<Pipe>>,
    script: Script,
    scale: usize,
}

const CAPACITY: usize = 512;

impl End {
    fn amount(&self, most: usize) -> usize {
        most.min(
            self.script
                .next()
                .map_or(usize::MAX, |byte| usize::from(byte % 32) * self.scale),
        )
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.from.lock().unwrap();
        if pipe.bytes.is_empty() {
            return if pipe.ended {
                Poll::Ready(Ok(0))
            } else {
                Poll::Pending
            };
        }
        match self.amount(out.len().min(pipe.bytes.len())) {
            0 => Poll::Pending,
            count => {
                for (to, from) in out.iter_mut().zip(pipe.bytes.drain(..count)) {
                    *to = from;
                }
                pipe.moved += count;
                Poll::Ready(Ok(count))
            }
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.to.lock().unwrap();
        assert!(!pipe.ended, "written after the end");
        match self.amount(bytes.len().min(CAPACITY * self.scale - pipe.bytes.len())) {
            0 => Poll::Pending,
            count => {
                pipe.bytes.extend(&bytes[..count]);
                pipe.moved += count;
                Poll::Ready(Ok(count))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.to.lock().unwrap().ended = true;
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.to.lock().unwrap().ended = true;
    }
}

/// Polls so many times, and drops.
fn at_most<F: Future>(polls: u8, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(output) = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            return Some(output);
        }
    }
    None
}

struct Side {
    socket: WebSocket,
    /// What the other side has sent and this one not received.
    expected: VecDeque<Message>,
}

impl Side {
    /// Takes a message in parts, as far as the patience goes; what is left of one is skipped. Whether something came.
    fn recv_stream(&mut self, polls: u8, closing: bool) -> bool {
        let mut message = match at_most(polls, self.socket.recv_stream()) {
            None => return false,
            Some(Ok(Some(message))) => message,
            Some(Ok(None)) => {
                assert!(closing, "an end that nobody asked for");
                return false;
            }
            Some(Err(error)) => panic!("{error}"),
        };
        let expected = self
            .expected
            .pop_front()
            .expect("a message that nobody sent");
        assert_eq!(message.kind(), expected.kind());
        let (mut all, mut patience) = (Vec::new(), 16);
        loop {
            match at_most(polls, message.part()) {
                Some(Ok(Some(part))) => all.extend_from_slice(part.as_bytes()),
                Some(Ok(None)) => {
                    assert_eq!(all, expected.as_bytes());
                    return true;
                }
                Some(Err(error)) => {
                    assert!(closing && error.is_cut(), "{error}");
                    return true;
                }
                None if patience == 0 => {
                    assert!(expected.as_bytes().starts_with(&all));
                    return true;
                }
                None => patience -= 1,
            }
        }
    }

    /// Whether something came.
    fn recv(&mut self, polls: u8, closing: bool) -> bool {
        match at_most(polls, self.socket.recv()) {
            None => false,
            Some(Ok(Some(message))) => {
                assert_eq!(Some(message), self.expected.pop_front());
                true
            }
            Some(Ok(None)) => {
                assert!(closing, "an end that nobody asked for");
                false
            }
            Some(Err(error)) => panic!("{error}"),
        }
    }
}

/// Every byte depends on where it is.
fn payload(seed: u8, length: usize) -> Vec<u8> {
    let bytes = (0..length).map(|at| (at * 31 + at / 251) as u8 ^ seed);
    bytes.collect()
}

fn workload(bytes: &[u8], scale: usize, (server, client): (Endpoint, Endpoint)) {
    let script = Script::new(bytes);
    let (there, back) = <(Arc<Mutex<Pipe>>, Arc<Mutex<Pipe>>)>::default();
    let limits = Limits::new().queued_messages(3).queued_bytes(300 * scale);
    let pipes = [there.clone(), back.clone()];
    let moved = || -> usize { pipes.iter().map(|pipe| pipe.lock().unwrap().moved).sum() };
    let near = End {
        from: there.clone(),
        to: back.clone(),
        script: script.clone(),
        scale,
    };
    let far = End {
        from: back,
        to: there,
        script: script.clone(),
        scale,
    };
    let mut sides = [
        Side {
            socket: server.limits(limits.clone()).open(near),
            expected: VecDeque::new(),
        },
        Side {
            socket: client.limits(limits).open(far),
            expected: VecDeque::new(),
        },
    ];
    let mut closing = false;
    while let Some(op) = script.next() {
        let (this, polls) = (usize::from(op & 1), 1 + (op >> 1 & 3));
        match op >> 3 {
            0..8 => _ = sides[this].recv(polls, closing),
            8..18 => {
                let length = usize::from(script.next().unwrap_or(0))
                    * usize::from(1 + (op >> 3) % 3)
                    * scale;
                let message = match op >> 3 & 1 {
                    0 => Message::from("é".repeat(length / 2)),
                    _ => Message::from(payload(op, length)),
                };
                match at_most(polls, sides[this].socket.send(message.clone())) {
                    Some(Ok(())) => sides[1 - this].expected.push_back(message),
                    Some(Err(error)) => assert!(closing && error.is_closed()),
                    None => {}
                }
            }
            18..24 => match at_most(polls, sides[this].socket.flush()) {
                Some(Err(error)) => assert!(closing && error.is_closed()),
                Some(Ok(())) | None => {}
            },
            24..26 => _ = sides[this].recv_stream(polls, closing),
            26..28 => {
                let (count, size) = (
                    script.next().unwrap_or(0) % 8,
                    usize::from(script.next().unwrap_or(0)) * 150,
                );
                let mut sent = Vec::new();
                let mut message = sides[this].socket.send_stream(MessageKind::Binary);
                for _ in 0..count {
                    match at_most(polls, message.write(vec![op; size])) {
                        Some(Ok(())) => sent.resize(sent.len() + size, op),
                        Some(Err(error)) => assert!(closing && error.is_closed()),
                        None => {}
                    }
                }
                if op & 2 == 0 {
                    _ = at_most(polls, message.flush());
                }
                match at_most(1, message.finish()) {
                    Some(Ok(())) => sides[1 - this].expected.push_back(Message::from(sent)),
                    Some(Err(error)) => assert!(closing && error.is_closed()),
                    None => unreachable!("nobody else sends"),
                }
            }
            28..31 => _ = at_most(polls, sides[this].socket.ready()),
            _ => {
                closing = true;
                let _ = at_most(polls, sides[this].socket.close(CloseCode::NORMAL));
            }
        }
    }
    // A large message takes many turns through a small pipe: it goes on while anything moves.
    let mut still = 0;
    while still < 8 {
        let before = moved();
        let [server, client] = &mut sides;
        let came = server.recv(3, closing) | client.recv(3, closing);
        still = if came || moved() > before {
            0
        } else {
            still + 1
        };
    }
    assert!(
        closing || sides.iter().all(|side| side.expected.is_empty()),
        "a message is lost"
    );
}

/// Any bytes at a server that echoes.
fn hostile(bytes: &[u8], endpoint: Endpoint) {
    let (there, back) = <(Arc<Mutex<Pipe>>, Arc<Mutex<Pipe>>)>::default();
    there.lock().unwrap().bytes.extend(bytes);
    there.lock().unwrap().ended = true;
    let io = End {
        from: there,
        to: back.clone(),
        script: Script::new(&[]),
        scale: 1,
    };
    let serve = endpoint.clone().limits(Limits::new().message(1000)).serve(
        io,
        async |mut socket: WebSocket| {
            while let Ok(Some(message)) = socket.recv().await {
                let _ = socket.send(message).await;
            }
        },
    );
    until_end(serve, &back);
    let (there, back) = <(Arc<Mutex<Pipe>>, Arc<Mutex<Pipe>>)>::default();
    there.lock().unwrap().bytes.extend(bytes);
    there.lock().unwrap().ended = true;
    let io = End {
        from: there,
        to: back.clone(),
        script: Script::new(&[]),
        scale: 1,
    };
    let limits = Limits::new()
        .message(100)
        .fragments(4)
        .streamed(1000)
        .queued_bytes(50);
    let serve = endpoint
        .limits(limits)
        .serve(io, async |mut socket: WebSocket| {
            while let Ok(Some(mut message)) = socket.recv_stream().await {
                while let Ok(Some(part)) = message.part().await {
                    assert!(!part.is_empty());
                }
            }
        });
    until_end(serve, &back);
}

fn until_end(serve: impl Future, back: &Mutex<Pipe>) {
    let mut serve = pin!(serve);
    for _ in 0..10_000 {
        back.lock().unwrap().bytes.clear();
        if serve
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
        {
            return;
        }
    }
    panic!("it does not end");
}
