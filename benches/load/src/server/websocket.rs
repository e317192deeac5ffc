//! The WebSocket crates. `-batch` flushes once for what came together, up to 1,024 messages.

use std::error::Error;

use async_tungstenite::{
    WebSocketStream,
    tokio::TokioAdapter,
    tungstenite::{self, Utf8Bytes, protocol::Role, protocol::WebSocketConfig},
};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::broadcast,
};

use super::{
    QUEUE,
    batch::{Batch, Message, echo, receive, send},
};

type Events = broadcast::Sender<Bytes>;

const LIMIT: usize = 64 << 20;

pub async fn run(name: &str, listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let (crate_name, batch) = match name.strip_suffix("-batch") {
        Some(name) => (name, Batch(1024)),
        None => (name, Batch(1)),
    };
    let serve = match crate_name {
        "async-tungstenite" => tungstenite_small,
        "fastwebsockets" => fastwebsockets,
        "tokio-websockets" => tokio_websockets,
        "yawc" => yawc,
        _ => return Err(format!("no server is called {name}").into()),
    };
    let (events, _) = broadcast::channel(QUEUE);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let events = events.clone();
        tokio::spawn(async move {
            if let Some(opened) = Opened::new(stream, events, batch).await {
                serve(opened).await;
            }
        });
    }
}

type Done = std::pin::Pin<Box<dyn Future<Output = Option<()>> + Send>>;

/// A connection after its handshake.
struct Opened {
    stream: TcpStream,
    path: String,
    events: Events,
    batch: Batch,
}

impl Opened {
    /// Just enough of a handshake: the crates differ in it, and it is not what is measured.
    async fn new(mut stream: TcpStream, events: Events, batch: Batch) -> Option<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).ok()?;
        let path = head.split(' ').nth(1)?.to_owned();
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("sec-websocket-key: "))?;
        stream.write_all(accept_head(key).as_bytes()).await.ok()?;
        Some(Self {
            stream,
            path,
            events,
            batch,
        })
    }
}

/// The answer to an opening handshake.
pub(super) fn accept_head(key: &str) -> String {
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    )
}

/// What a socket is for.
async fn drive<S, M, E>(socket: S, path: &str, events: Events, batch: Batch) -> Option<()>
where
    S: futures_util::Stream<Item = Result<M, E>> + futures_util::Sink<M> + Unpin,
    M: Message,
{
    match path {
        "/echo" => echo(socket, batch).await,
        "/sub" => receive(socket, events, batch).await,
        _ => send(socket, events).await,
    }
}

/// With a read buffer of 4 KiB: that of 128 KiB is filled with zeros before each read.
fn tungstenite_small(opened: Opened) -> Done {
    Box::pin(async move {
        let config = WebSocketConfig::default()
            .max_message_size(Some(LIMIT))
            .max_frame_size(Some(LIMIT))
            .read_buffer_size(4096)
            .write_buffer_size(if opened.batch.0 > 1 { 64 << 10 } else { 0 });
        let io = TokioAdapter::new(opened.stream);
        let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        drive(socket, &opened.path, opened.events, opened.batch).await
    })
}

impl Message for tungstenite::Message {
    fn text(text: Bytes) -> Self {
        Self::Text(Utf8Bytes::try_from(text).unwrap_or_default())
    }

    fn data(self) -> Option<Self> {
        (self.is_text() || self.is_binary()).then_some(self)
    }

    fn payload(self) -> Bytes {
        self.into_data()
    }
}

fn tokio_websockets(opened: Opened) -> Done {
    Box::pin(async move {
        let socket = tokio_websockets::ServerBuilder::new()
            .limits(tokio_websockets::Limits::unlimited())
            .config(tokio_websockets::Config::default().frame_size(usize::MAX))
            .serve(opened.stream);
        drive(socket, &opened.path, opened.events, opened.batch).await
    })
}

impl Message for tokio_websockets::Message {
    fn text(text: Bytes) -> Self {
        // It has no way from shared bytes to text without a copy.
        Self::text(String::from_utf8(text.into()).unwrap_or_default())
    }

    fn data(self) -> Option<Self> {
        (self.is_text() || self.is_binary()).then_some(self)
    }

    fn payload(self) -> Bytes {
        self.into_payload().into()
    }
}

fn yawc(opened: Opened) -> Done {
    Box::pin(async move {
        let mut options = yawc::Options::default()
            .with_limits(LIMIT, 2 * LIMIT)
            .without_compression();
        if opened.batch.0 > 1 {
            options = options
                .with_read_buffer_capacity(128 << 10)
                .with_backpressure_boundary(64 << 10);
        }
        let socket =
            yawc::WebSocket::from_stream(opened.stream, yawc::Role::Server, options).ok()?;
        let socket = futures_util::StreamExt::map(socket, Ok::<_, std::convert::Infallible>);
        drive(socket, &opened.path, opened.events, opened.batch).await
    })
}

impl Message for yawc::Frame {
    fn text(text: Bytes) -> Self {
        Self::text(text)
    }

    fn data(self) -> Option<Self> {
        matches!(self.opcode(), yawc::OpCode::Text | yawc::OpCode::Binary).then_some(self)
    }

    fn payload(self) -> Bytes {
        self.into_payload()
    }
}

/// It is no `Sink`, and writes each frame at once. Its receivers never read: it can't read and wait for events at once.
fn fastwebsockets(opened: Opened) -> Done {
    use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role, WebSocket};
    Box::pin(async move {
        let mut socket = WebSocket::after_handshake(opened.stream, Role::Server);
        socket.set_max_message_size(LIMIT);
        if opened.path == "/sub" {
            let mut events = opened.events.subscribe();
            loop {
                let event = events.recv().await.ok()?;
                socket
                    .write_frame(Frame::text(Payload::Borrowed(&event)))
                    .await
                    .ok()?;
            }
        }
        let mut socket = FragmentCollector::new(socket);
        loop {
            let frame = socket.read_frame().await.ok()?;
            match frame.opcode {
                OpCode::Text if opened.path == "/pub" => {
                    let _ = opened.events.send(Bytes::copy_from_slice(&frame.payload));
                }
                OpCode::Text | OpCode::Binary => socket.write_frame(frame).await.ok()?,
                OpCode::Close => return Some(()),
                _ => {}
            }
        }
    })
}
