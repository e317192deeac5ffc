//! What a WebSocket library takes to echo messages, without any network: masked frames come from memory in bursts, and
//! what is written is counted.
//!
//! All but `fastwebsockets`, which can't wait with its flush, answer a burst as a batch: they flush when nothing more
//! is there to read.

use std::{
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

use async_tungstenite::{WebSocketStream, tungstenite::protocol as at};
use bytes::Bytes;
use fastwebsockets::{FragmentCollector, OpCode};
use futures_io as fio;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::io as tio;
use tower_realtime::ws::{self, Endpoint, Limits, WebSocket};
use tower_realtime_benches::{Row, table};

/// What was asked of a peer, and what it wrote.
#[derive(Default)]
struct Ends {
    bursts: AtomicUsize,
    written: AtomicUsize,
}

/// A connection whose peer sends the same burst each time that one is asked for.
struct Pipe {
    burst: Bytes,
    at: usize,
    ends: Arc<Ends>,
}

impl Pipe {
    fn read(&mut self, out: &mut [u8]) -> Option<usize> {
        if self.at == self.burst.len() {
            let left = self.ends.bursts.load(Relaxed);
            if left == 0 {
                return None;
            }
            self.ends.bursts.store(left - 1, Relaxed);
            self.at = 0;
        }
        let count = out.len().min(self.burst.len() - self.at);
        out[..count].copy_from_slice(&self.burst[self.at..self.at + count]);
        self.at += count;
        Some(count)
    }

    fn write(&self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.ends.written.load(Relaxed);
        self.ends.written.store(written + bytes.len(), Relaxed);
        Poll::Ready(Ok(bytes.len()))
    }
}

impl fio::AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.read(out)
            .map_or(Poll::Pending, |count| Poll::Ready(Ok(count)))
    }
}

impl fio::AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl tio::AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut tio::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.read(out.initialize_unfilled()) {
            Some(count) => {
                out.advance(count);
                Poll::Ready(Ok(()))
            }
            None => Poll::Pending,
        }
    }
}

impl tio::AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// `count` masked frames with texts of `size` bytes.
fn burst(size: usize, count: usize) -> Bytes {
    let mask = [0x12, 0x34, 0x56, 0x78];
    let mut frame = vec![0x81];
    match size {
        0..=125 => frame.push(0x80 | size as u8),
        126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((size as u16).to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend((size as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend((0..size).map(|at| b'x' ^ mask[at % 4]));
    frame.repeat(count).into()
}

/// One contestant: `serve` echoes over a pipe, and is polled until each burst is answered.
fn row<F: Future>(
    name: &'static str,
    size: usize,
    count: usize,
    serve: impl FnOnce(Pipe) -> F,
) -> Row
where
    F: 'static,
{
    let header = match size {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    };
    let answer = (header + size) * count;
    let ends = Arc::new(Ends::default());
    let burst = burst(size, count);
    let mut server = Box::pin(serve(Pipe {
        at: burst.len(),
        burst,
        ends: ends.clone(),
    }));
    let mut cx = Context::from_waker(Waker::noop());
    let mut expected = 0;
    Row::new(name, move || {
        ends.bursts.store(1, Relaxed);
        expected += answer;
        while ends.written.load(Relaxed) < expected {
            assert!(server.as_mut().poll(&mut cx).is_pending(), "{name} ended");
        }
        count as u64
    })
}

async fn ours(mut socket: WebSocket) -> Result<(), ws::Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

/// Answers all that is there, then flushes.
async fn batched<S, M, E>(socket: S)
where
    S: Stream<Item = Result<M, E>> + Sink<M>,
{
    let mut socket = pin!(socket);
    while let Some(Ok(message)) = socket.next().await {
        let mut message = Some(message);
        let mut batch = 0;
        while let Some(next) = message.take() {
            if socket.feed(next).await.is_err() {
                return;
            }
            batch += 1;
            if batch < 1024 {
                message = socket
                    .next()
                    .now_or_never()
                    .and_then(|message| message?.ok());
            }
        }
        if socket.flush().await.is_err() {
            return;
        }
    }
}

async fn tungstenite(pipe: Pipe, config: at::WebSocketConfig) {
    let config = config.max_frame_size(None).max_message_size(None);
    batched(WebSocketStream::from_raw_socket(pipe, at::Role::Server, Some(config)).await).await;
}

async fn tokio_websockets(pipe: Pipe) {
    let config = tokio_websockets::Config::default().frame_size(usize::MAX);
    let server = tokio_websockets::ServerBuilder::new()
        .limits(tokio_websockets::Limits::unlimited())
        .config(config);
    batched(server.serve(pipe)).await;
}

async fn yawc(pipe: Pipe) {
    let options = yawc::Options::default()
        .without_compression()
        .with_limits(64 << 20, 128 << 20)
        .with_read_buffer_capacity(128 << 10)
        .with_backpressure_boundary(64 << 10);
    let socket = yawc::WebSocket::from_stream(pipe, yawc::Role::Server, options)
        .expect("options that make sense");
    let (sink, stream) = socket.split();
    batched(Both(sink, stream.map(Ok::<_, yawc::WebSocketError>))).await;
}

/// A stream that can't fail and its sink, as one again.
struct Both<K, S>(K, S);

impl<K: Unpin, S: Stream + Unpin> Stream for Both<K, S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.1.poll_next_unpin(cx)
    }
}

impl<M, K: Sink<M> + Unpin, S: Unpin> Sink<M> for Both<K, S> {
    type Error = K::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), K::Error>> {
        self.0.poll_ready_unpin(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: M) -> Result<(), K::Error> {
        self.0.start_send_unpin(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), K::Error>> {
        self.0.poll_flush_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), K::Error>> {
        self.0.poll_close_unpin(cx)
    }
}

async fn fastwebsockets(pipe: Pipe) {
    let mut socket = fastwebsockets::WebSocket::after_handshake(pipe, fastwebsockets::Role::Server);
    socket.set_max_message_size(64 << 20);
    let mut socket = FragmentCollector::new(socket);
    while let Ok(frame) = socket.read_frame().await {
        match frame.opcode {
            OpCode::Text | OpCode::Binary => match socket.write_frame(frame).await {
                Ok(()) => {}
                Err(_) => return,
            },
            _ => return,
        }
    }
}

fn main() {
    let endpoint = Endpoint::server()
        .limits(Limits::new().message(64 << 20).frame(64 << 20))
        // A clock whose hands stand still.
        .timer(|_| std::future::pending::<()>());
    let defaults = at::WebSocketConfig::default();
    let small = defaults
        .read_buffer_size(8 << 10)
        .write_buffer_size(64 << 10);
    for (size, count) in [
        (16, 1000),
        (16, 62),
        (1024, 200),
        (64 << 10, 8),
        (1 << 20, 2),
    ] {
        let rows = vec![
            row("async-tungstenite", size, count, |pipe| {
                tungstenite(pipe, defaults)
            }),
            row("async-tungstenite, small buffers", size, count, |pipe| {
                tungstenite(pipe, small)
            }),
            row("tower-realtime", size, count, |pipe| {
                endpoint.serve(pipe, ours)
            }),
            row("tokio-websockets", size, count, tokio_websockets),
            row("fastwebsockets", size, count, fastwebsockets),
            row("yawc", size, count, yawc),
        ];
        table(&format!("echo of {size} B, {count} at a time"), rows);
    }
}
