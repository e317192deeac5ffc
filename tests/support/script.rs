//! A transport that a test holds the other end of, a clock that it turns, and the frames to send over it.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "shared by tests, of which each uses its part"
)]

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use futures_io::{AsyncRead, AsyncWrite};
use http::Request;
use tower_realtime::ws::{
    Closed, Endpoint, Error, WebSocket,
    upgrade::{OnUpgrade, Upgraded},
};

/// The test's end of a transport.
#[derive(Clone, Default)]
pub struct Far(Arc<Mutex<Pipe>>);

/// The end under test.
pub struct Near(Arc<Mutex<Pipe>>);

#[derive(Default)]
struct Pipe {
    to_read: VecDeque<In>,
    written: Vec<u8>,
    /// How many bytes a read or a write moves at most; 0 for no limit.
    piece: usize,
    /// How many more bytes may be written; `None` for no limit.
    room: Option<usize>,
    write_error: Option<io::ErrorKind>,
    flush_error: Option<io::ErrorKind>,
    shut_error: Option<io::ErrorKind>,
    /// Writes say that they took nothing.
    takes_nothing: bool,
    shut: bool,
    dropped: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

enum In {
    Bytes(VecDeque<u8>),
    Eof,
    Error(io::ErrorKind),
}

pub fn transport() -> (Near, Far) {
    let far = Far::default();
    (Near(Arc::clone(&far.0)), far)
}

impl Far {
    /// Plays a peer that reads and writes a few bytes at a time; what it got. `go` runs the other side, as [`Run::go`].
    pub fn play(&self, input: &[u8], piece: usize, mut go: impl FnMut() -> usize) -> Vec<u8> {
        self.room(0);
        let mut got = Vec::new();
        for bytes in input.chunks(piece) {
            self.send(bytes);
            go();
            self.room(piece);
            go();
            got.extend(self.written());
        }
        loop {
            self.room(1000);
            let turns = go();
            got.extend(self.written());
            if turns == 0 {
                return got;
            }
        }
    }

    /// Bytes for the near end to read.
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        // An empty read would be the end.
        if !bytes.as_ref().is_empty() {
            self.push(In::Bytes(bytes.as_ref().iter().copied().collect()));
        }
    }

    /// The far end sends nothing more.
    pub fn end(&self) {
        self.push(In::Eof);
    }

    pub fn fail(&self, kind: io::ErrorKind) {
        self.push(In::Error(kind));
    }

    fn push(&self, item: In) {
        let mut pipe = self.0.lock().unwrap();
        pipe.to_read.push_back(item);
        if let Some(waker) = pipe.reader.take() {
            waker.wake();
        }
    }

    /// Every read and write moves at most so many bytes.
    pub fn piece(&self, bytes: usize) {
        self.0.lock().unwrap().piece = bytes;
    }

    /// So many more bytes may be written.
    pub fn room(&self, bytes: impl Into<Option<usize>>) {
        let mut pipe = self.0.lock().unwrap();
        pipe.room = bytes.into();
        if let Some(waker) = pipe.writer.take() {
            waker.wake();
        }
    }

    pub fn fail_writes(&self, kind: io::ErrorKind) {
        self.write_fault(|pipe| pipe.write_error = Some(kind));
    }

    pub fn fail_flushes(&self, kind: io::ErrorKind) {
        self.write_fault(|pipe| pipe.flush_error = Some(kind));
    }

    pub fn fail_shutdown(&self, kind: io::ErrorKind) {
        self.write_fault(|pipe| pipe.shut_error = Some(kind));
    }

    /// Writes take nothing and say so, which no transport should do.
    pub fn take_nothing(&self) {
        self.write_fault(|pipe| pipe.takes_nothing = true);
    }

    fn write_fault(&self, set: impl FnOnce(&mut Pipe)) {
        let mut pipe = self.0.lock().unwrap();
        set(&mut pipe);
        if let Some(waker) = pipe.writer.take() {
            waker.wake();
        }
    }

    /// Wakes who waits, for nothing.
    pub fn wake(&self) {
        let mut pipe = self.0.lock().unwrap();
        let wakers = [pipe.reader.take(), pipe.writer.take()];
        drop(pipe);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// What was written since the last call.
    pub fn written(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap().written)
    }

    /// The frames that were written since the last call.
    pub fn frames(&self) -> Vec<Frame> {
        self.frames_of(&self.written())
    }

    /// The frames that the bytes are.
    pub fn frames_of(&self, bytes: &[u8]) -> Vec<Frame> {
        let (frames, rest) = self.whole_frames_of(bytes);
        assert!(rest.is_empty(), "half a frame was written: {rest:x?}");
        frames
    }

    /// The frames that are whole, and the rest.
    pub fn whole_frames_of<'a>(&self, bytes: &'a [u8]) -> (Vec<Frame>, &'a [u8]) {
        let mut rest = bytes;
        let mut frames = Vec::new();
        while let Some((frame, tail)) = Frame::parse(rest) {
            frames.push(frame);
            rest = tail;
        }
        (frames, rest)
    }

    /// Whether the near end said that it writes no more.
    pub fn is_shut(&self) -> bool {
        self.0.lock().unwrap().shut
    }

    /// Whether the near end is gone.
    pub fn is_dropped(&self) -> bool {
        self.0.lock().unwrap().dropped
    }

    /// How many bytes the near end has not read.
    pub fn unread(&self) -> usize {
        let pipe = self.0.lock().unwrap();
        pipe.to_read
            .iter()
            .map(|item| match item {
                In::Bytes(bytes) => bytes.len(),
                In::Eof | In::Error(_) => 0,
            })
            .sum()
    }
}

impl AsyncRead for Near {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.0.lock().unwrap();
        let most = if pipe.piece == 0 {
            out.len()
        } else {
            pipe.piece.min(out.len())
        };
        match pipe.to_read.front_mut() {
            None => {
                pipe.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(In::Eof) => Poll::Ready(Ok(0)),
            Some(In::Error(kind)) => Poll::Ready(Err((*kind).into())),
            Some(In::Bytes(bytes)) => {
                let count = bytes.len().min(most);
                for (to, from) in out.iter_mut().zip(bytes.drain(..count)) {
                    *to = from;
                }
                if bytes.is_empty() {
                    pipe.to_read.pop_front();
                }
                Poll::Ready(Ok(count))
            }
        }
    }
}

impl AsyncWrite for Near {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.0.lock().unwrap();
        if let Some(kind) = pipe.write_error {
            return Poll::Ready(Err(kind.into()));
        }
        assert!(!pipe.shut, "written after the shutdown");
        if pipe.takes_nothing {
            return Poll::Ready(Ok(0));
        }
        let mut count = bytes.len();
        if pipe.piece > 0 {
            count = count.min(pipe.piece);
        }
        if let Some(room) = &mut pipe.room {
            count = count.min(*room);
            *room -= count;
            if count == 0 {
                pipe.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        pipe.written.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    /// Takes all of them together, as far as one write may go.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write(
            cx,
            &pieces
                .iter()
                .map(|piece| &**piece)
                .collect::<Vec<_>>()
                .concat(),
        )
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0.lock().unwrap().flush_error {
            Some(kind) => Poll::Ready(Err(kind.into())),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.0.lock().unwrap();
        if let Some(kind) = pipe.shut_error {
            return Poll::Ready(Err(kind.into()));
        }
        pipe.shut = true;
        Poll::Ready(Ok(()))
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        self.0.lock().unwrap().dropped = true;
    }
}

/// A future that is polled by hand, and only when it was woken, as an executor does it.
pub struct Run<F: Future> {
    future: Pin<Box<F>>,
    flag: Arc<Flag>,
    pub output: Option<F::Output>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<F: Future> Run<F> {
    pub fn new(future: F) -> Self {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        Self {
            future: Box::pin(future),
            flag,
            output: None,
        }
    }

    /// Polls until it waits for something that has not happened. How many polls it took.
    pub fn go(&mut self) -> usize {
        let waker = Waker::from(Arc::clone(&self.flag));
        let mut polls = 0;
        while self.output.is_none() && self.flag.0.swap(false, Ordering::SeqCst) {
            polls += 1;
            assert!(polls < 100_000, "it wakes itself for ever");
            if let Poll::Ready(output) = self.future.as_mut().poll(&mut Context::from_waker(&waker))
            {
                self.output = Some(output);
            }
        }
        polls
    }

    pub fn is_done(&self) -> bool {
        self.output.is_some()
    }
}

/// A clock that stands until it is turned.
#[derive(Clone, Default)]
pub struct Clock(Arc<Mutex<Hands>>);

#[derive(Default)]
struct Hands {
    now: Duration,
    sleepers: Vec<(Duration, Waker)>,
}

impl Clock {
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        let hands = Arc::clone(&self.0);
        let until = hands.lock().unwrap().now + duration;
        std::future::poll_fn(move |cx| {
            let mut hands = hands.lock().unwrap();
            if hands.now >= until {
                return Poll::Ready(());
            }
            hands.sleepers.push((until, cx.waker().clone()));
            Poll::Pending
        })
    }

    pub fn timer(
        &self,
    ) -> impl Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Clone + use<> {
        let clock = self.clone();
        move |duration| Box::pin(clock.sleep(duration))
    }

    pub fn turn(&self, by: Duration) {
        let mut hands = self.0.lock().unwrap();
        hands.now += by;
        let now = hands.now;
        let (due, waiting) = std::mem::take(&mut hands.sleepers)
            .into_iter()
            .partition::<Vec<_>, _>(|(until, _)| *until <= now);
        hands.sleepers = waiting;
        drop(hands);
        for (_, waker) in due {
            waker.wake();
        }
    }
}

/// A WebSocket frame, right or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub first: u8,
    pub masked: bool,
    pub payload: Vec<u8>,
}

pub const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

impl Frame {
    pub fn text(payload: impl AsRef<[u8]>) -> Self {
        Self::new(0x81, payload)
    }

    pub fn binary(payload: impl AsRef<[u8]>) -> Self {
        Self::new(0x82, payload)
    }

    pub fn ping(payload: impl AsRef<[u8]>) -> Self {
        Self::new(0x89, payload)
    }

    pub fn pong(payload: impl AsRef<[u8]>) -> Self {
        Self::new(0x8a, payload)
    }

    pub fn close(code: u16, reason: &str) -> Self {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        Self::new(0x88, payload)
    }

    /// With any first byte: FIN, reserved bits, opcode.
    pub fn new(first: u8, payload: impl AsRef<[u8]>) -> Self {
        Self {
            first,
            masked: false,
            payload: payload.as_ref().to_vec(),
        }
    }

    /// As a client sends it.
    pub fn masked(&self) -> Vec<u8> {
        self.encode(true)
    }

    /// As a server sends it.
    pub fn plain(&self) -> Vec<u8> {
        self.encode(false)
    }

    fn encode(&self, masked: bool) -> Vec<u8> {
        let bit = if masked { 0x80 } else { 0 };
        let mut out = vec![self.first];
        match self.payload.len() {
            length @ 0..126 => out.push(bit | length as u8),
            length @ 126..0x1_0000 => {
                out.push(bit | 126);
                out.extend((length as u16).to_be_bytes());
            }
            length => {
                out.push(bit | 127);
                out.extend((length as u64).to_be_bytes());
            }
        }
        if masked {
            out.extend(MASK);
            out.extend(
                self.payload
                    .iter()
                    .zip(MASK.iter().cycle())
                    .map(|(byte, mask)| byte ^ mask),
            );
        } else {
            out.extend(&self.payload);
        }
        out
    }

    fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
        let (length, rest) = match second & 0x7f {
            126 => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk::<8>()?;
                (u64::from_be_bytes(*length) as usize, rest)
            }
            short => (usize::from(short), rest),
        };
        let masked = second & 0x80 != 0;
        let (mask, rest) = if masked {
            let (mask, rest) = rest.split_first_chunk::<4>()?;
            (*mask, rest)
        } else {
            ([0; 4], rest)
        };
        let payload = rest.get(..length)?;
        let payload = payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        Some((
            Self {
                first,
                masked: false,
                payload,
            },
            &rest[length..],
        ))
    }
}

/// A server's connection with `handler`, and the other end.
pub fn serve<F, Fut>(handler: F) -> (Run<impl Future<Output = Closed>>, Far)
where
    F: FnOnce(WebSocket) -> Fut,
    Fut: Future<Output = Result<(), Error>>,
{
    let (near, far) = transport();
    (Run::new(Endpoint::server().serve(near, handler)), far)
}

/// A request for a WebSocket, whose connection will be `near`.
pub fn upgrade(near: Near) -> Request<()> {
    Request::get("/")
        .header("host", "here.test")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .extension(OnUpgrade::new(async { Ok(Upgraded::new(near)) }))
        .body(())
        .unwrap()
}

/// Lets the transport take `step` bytes at a time, until nothing moves any more; all that was written.
pub fn trickle(run: &mut Run<impl Future>, far: &Far, step: usize) -> Vec<u8> {
    let mut written = Vec::new();
    loop {
        written.extend(far.written());
        far.room(step);
        if run.go() == 0 {
            written.extend(far.written());
            return written;
        }
    }
}
