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
use libfuzzer_sys::fuzz_target;
use tower_realtime::ws::{CloseCode, Endpoint, Limits, Message, WebSocket};

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((0, bytes)) => hostile(bytes),
        Some((_, script)) => workload(script),
        None => {}
    }
});

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
    ended: bool,
}

/// One end of a transport that moves as much at a time as the script says.
struct End {
    from: Arc<Mutex<Pipe>>,
    to: Arc<Mutex<Pipe>>,
    script: Script,
}

const CAPACITY: usize = 512;

impl End {
    fn amount(&self, most: usize) -> usize {
        most.min(self.script.next().map_or(usize::MAX, |byte| usize::from(byte % 32)))
    }
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut pipe = self.from.lock().unwrap();
        if pipe.bytes.is_empty() {
            return if pipe.ended { Poll::Ready(Ok(0)) } else { Poll::Pending };
        }
        match self.amount(out.len().min(pipe.bytes.len())) {
            0 => Poll::Pending,
            count => {
                for (to, from) in out.iter_mut().zip(pipe.bytes.drain(..count)) {
                    *to = from;
                }
                Poll::Ready(Ok(count))
            }
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut pipe = self.to.lock().unwrap();
        assert!(!pipe.ended, "written after the end");
        match self.amount(bytes.len().min(CAPACITY - pipe.bytes.len())) {
            0 => Poll::Pending,
            count => {
                pipe.bytes.extend(&bytes[..count]);
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
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
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

fn workload(bytes: &[u8]) {
    let script = Script::new(bytes);
    let (there, back) = <(Arc<Mutex<Pipe>>, Arc<Mutex<Pipe>>)>::default();
    let limits = Limits::new().queued_messages(3).queued_bytes(300);
    let server = End { from: there.clone(), to: back.clone(), script: script.clone() };
    let client = End { from: back, to: there, script: script.clone() };
    let mut sides = [
        Side { socket: Endpoint::server().limits(limits.clone()).open(server), expected: VecDeque::new() },
        Side { socket: Endpoint::client().limits(limits).open(client), expected: VecDeque::new() },
    ];
    let mut closing = false;
    while let Some(op) = script.next() {
        let (this, polls) = (usize::from(op & 1), 1 + (op >> 1 & 3));
        match op >> 3 {
            0..8 => _ = sides[this].recv(polls, closing),
            8..18 => {
                let length = usize::from(script.next().unwrap_or(0)) * usize::from(1 + (op >> 3) % 3);
                let message = match op >> 3 & 1 {
                    0 => Message::from("é".repeat(length / 2)),
                    _ => Message::from(vec![op; length]),
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
            24..31 => _ = at_most(polls, sides[this].socket.ready()),
            _ => {
                closing = true;
                let _ = at_most(polls, sides[this].socket.close(CloseCode::NORMAL));
            }
        }
    }
    let mut still = 0;
    while still < 4 {
        let [server, client] = &mut sides;
        let came = server.recv(3, closing) | client.recv(3, closing);
        still = if came { 0 } else { still + 1 };
    }
    assert!(closing || sides.iter().all(|side| side.expected.is_empty()), "a message is lost");
}

/// Any bytes at a server that echoes.
fn hostile(bytes: &[u8]) {
    let (there, back) = <(Arc<Mutex<Pipe>>, Arc<Mutex<Pipe>>)>::default();
    there.lock().unwrap().bytes.extend(bytes);
    there.lock().unwrap().ended = true;
    let io = End { from: there, to: back.clone(), script: Script::new(&[]) };
    let serve = Endpoint::server().limits(Limits::new().message(1000)).serve(io, async |mut socket: WebSocket| {
        while let Ok(Some(message)) = socket.recv().await {
            let _ = socket.send(message).await;
        }
    });
    let mut serve = pin!(serve);
    for _ in 0..10_000 {
        back.lock().unwrap().bytes.clear();
        if serve.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
    }
    panic!("it does not end");
}
