//! What leaves a connection while its server drains, frame by frame, on hyper and on `axum::serve`; and what a drain
//! does about handlers that never return. Time is tokio's, paused; connections are pipes in memory.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/watched.rs"]
mod watched;

use std::{
    convert::Infallible,
    future::pending,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request, connect_info::Connected},
    response::Response,
    routing::{any, get},
    serve::{IncomingStream, Listener},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Version;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
    task::JoinHandle,
    time::Instant,
};
use tower::{Layer, service_fn};
use tower_realtime::{
    layers::{ObserveLayer, StallGuard, StallLimit, StreamLimitLayer},
    lifecycle::{
        Drain, DrainPolicy, DrainReport, EndReason, StallSignal, StreamEnd, StreamInfo, StreamLimit,
    },
    rt::Tokio,
    sse::{Event, Sse},
    ws::{self, Acceptor, Connector, Http2Layer, WebSocket},
};
use watched::{Freezing, Watch, Watched};

const SECOND: Duration = Duration::from_secs(1);
const SOCKETS: usize = 5;
const EVENT_STREAMS: usize = 5;

fn policy() -> DrainPolicy {
    DrainPolicy::default()
        .spread(4 * SECOND)
        .deadline(10 * SECOND)
}

async fn events() -> Response {
    let first = stream::iter([Ok::<_, Infallible>(Event::new("hello"))]);
    Sse::new(first.chain(stream::pending()))
        .into_response()
        .map(axum::body::Body::new)
}

async fn flood() -> Response {
    let events = stream::repeat_with(|| Ok::<_, Infallible>(Event::new("x".repeat(1000))));
    Sse::new(events).into_response().map(axum::body::Body::new)
}

async fn socket(request: Request) -> Response {
    Acceptor::new().upgrade(request, Tokio, silent)
}

async fn silent(mut socket: WebSocket) -> Result<(), ws::Error> {
    socket.send("hello").await?;
    while socket.recv().await?.is_some() {}
    Ok(())
}

/// Says hello, waits for the end of its socket, and does not end itself.
async fn deaf(request: Request) -> Response {
    Acceptor::new().upgrade(request, Tokio, async |mut socket: WebSocket| {
        socket.send("hello").await.unwrap();
        while let Ok(Some(_)) = socket.recv().await {}
        pending::<()>().await;
    })
}

fn app() -> Router {
    Router::new()
        .route("/sse", get(events))
        .route("/flood", get(flood))
        .route("/ws", any(socket))
        .route("/deaf", any(deaf))
        .route("/plain", get(async || ()))
}

/// Keeps what the server has said.
struct Tap(Arc<Mutex<Vec<u8>>>);

impl Watch for Tap {
    fn was_read(&mut self, bytes: &[u8]) {
        self.0.lock().unwrap().extend(bytes);
    }
}

/// What matters of the frames of HTTP/2 (RFC 9113, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// A DATA frame with a WebSocket's close of this code.
    Close(u16),
    EndStream,
    Reset,
    GoAway,
}

fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    const DATA: u8 = 0;
    const RST_STREAM: u8 = 3;
    const GOAWAY: u8 = 7;
    const END_STREAM: u8 = 1;
    let mut frames = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let (payload, rest) = rest.split_at(length);
        bytes = rest;
        match head[3] {
            DATA => {
                if let [0x88, _, code @ ..] = payload {
                    frames.push(Frame::Close(u16::from_be_bytes([code[0], code[1]])));
                }
                if head[4] & END_STREAM != 0 {
                    frames.push(Frame::EndStream);
                }
            }
            RST_STREAM => frames.push(Frame::Reset),
            GOAWAY => frames.push(Frame::GoAway),
            _ => (),
        }
    }
    frames
}

/// One connection with many streams of both kinds, until the server has closed it.
async fn client(io: DuplexStream) -> (SendRequest<Empty<Bytes>>, JoinHandle<Vec<Frame>>) {
    let said = Arc::default();
    let tap = Watched(io, Tap(Arc::clone(&said)));
    let (send, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tap))
        .await
        .unwrap();
    let gone = tokio::spawn(async move {
        connection.await.unwrap();
        let said = said.lock().unwrap();
        frames(&said)
    });
    get_from(&send, "/plain").await; // the server's settings come before the answer
    for _ in 0..SOCKETS {
        let mut socket = open(&send, "/ws").await;
        tokio::spawn(async move { while let Ok(Some(_)) = socket.recv().await {} });
    }
    for _ in 0..EVENT_STREAMS {
        let mut body = get_from(&send, "/sse").await.into_body();
        body.frame().await.unwrap().unwrap();
        tokio::spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
    }
    (send, gone)
}

fn request(path: &str) -> http::Request<Empty<Bytes>> {
    let uri = format!("http://localhost{path}");
    http::Request::get(uri).body(Empty::new()).unwrap()
}

async fn get_from(
    send: &SendRequest<Empty<Bytes>>,
    path: &str,
) -> http::Response<hyper::body::Incoming> {
    send.clone().send_request(request(path)).await.unwrap()
}

async fn open(send: &SendRequest<Empty<Bytes>>, path: &str) -> WebSocket {
    let send = send.clone();
    let client = service_fn(move |request| send.clone().send_request(request));
    let connector = Connector::new().http2();
    let (mut socket, _) = connector.connect(client, request(path)).await.unwrap();
    assert!(socket.recv().await.unwrap().is_some());
    socket
}

fn sockets_came_first(frames: &[Frame]) {
    let count = |wanted| frames.iter().filter(|frame| **frame == wanted).count();
    assert_eq!(count(Frame::Close(1001)), SOCKETS, "{frames:?}");
    let first = frames.iter().position(|frame| *frame == Frame::GoAway);
    let after = &frames[first.expect("a GOAWAY")..];
    let late = |frame: &&Frame| matches!(frame, Frame::Close(_) | Frame::EndStream | Frame::Reset);
    assert_eq!(after.iter().find(late), None, "{frames:?}");
}

/// One connection to a hyper server, whose graceful shutdown is handed out.
fn on_hyper(drain: &Drain) -> (GracefulShutdown, DuplexStream) {
    let app = Http2Layer::new().layer(app().layer(drain.layer()));
    let (near, far) = tokio::io::duplex(64 << 10);
    let graceful = GracefulShutdown::new();
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http2().enable_connect_protocol();
    let service = TowerToHyperService::new(app);
    let connection = server.serve_connection_with_upgrades(TokioIo::new(near), service);
    tokio::spawn(graceful.watch(connection.into_owned()));
    (graceful, far)
}

#[tokio::test(start_paused = true)]
async fn on_hyper_goaway_comes_after_the_sockets() {
    let drain = Drain::new(Tokio);
    let (graceful, far) = on_hyper(&drain);
    let (_send, gone) = client(far).await;
    assert_eq!(drain.open(), SOCKETS + EVENT_STREAMS);
    let started = Instant::now();
    drain.start_with(policy());
    let report = drain.finished().await;
    assert!(started.elapsed() <= 5 * SECOND, "{:?}", started.elapsed());
    assert_eq!((report.closed, report.forced), (SOCKETS + EVENT_STREAMS, 0));
    graceful.shutdown().await;
    sockets_came_first(&gone.await.unwrap());
}

/// Without the drain before it, GOAWAY is the first thing that the client hears: the test above can fail.
#[tokio::test(start_paused = true)]
async fn shut_down_at_once_goaway_comes_first() {
    let drain = Drain::new(Tokio);
    let (graceful, far) = on_hyper(&drain);
    let (_send, gone) = client(far).await;
    let shutdown = tokio::spawn(graceful.shutdown());
    tokio::time::sleep(SECOND).await;
    drain.start_with(policy());
    drain.finished().await;
    shutdown.await.unwrap();
    let frames = gone.await.unwrap();
    assert_eq!(frames[0], Frame::GoAway, "{frames:?}");
}

/// Accepts pipes, each behind a [`StallGuard`].
struct Pipes(mpsc::Receiver<DuplexStream>, StallLimit);

impl Listener for Pipes {
    type Io = TokioIo<StallGuard<TokioIo<DuplexStream>>>;
    type Addr = ();

    async fn accept(&mut self) -> (Self::Io, ()) {
        match self.0.recv().await {
            Some(pipe) => (
                TokioIo::new(StallGuard::new(TokioIo::new(pipe), &self.1)),
                (),
            ),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Brings the signal of a connection to its requests.
#[derive(Clone)]
struct Stalling(StallSignal);

impl Connected<IncomingStream<'_, Pipes>> for Stalling {
    fn connect_info(stream: IncomingStream<'_, Pipes>) -> Self {
        Self(stream.io().inner().signal())
    }
}

struct Axum {
    pipes: mpsc::Sender<DuplexStream>,
    drain: Drain,
    limit: StreamLimit,
    ends: Arc<Mutex<Vec<EndReason>>>,
    done: JoinHandle<DrainReport>,
}

/// `axum::serve` with a drain before its graceful shutdown.
fn serve() -> Axum {
    let (pipes, piped) = mpsc::channel(1);
    let drain = Drain::new(Tokio);
    let limit = StreamLimit::new(100);
    let ends: Arc<Mutex<Vec<EndReason>>> = Arc::default();
    let seen = Arc::clone(&ends);
    let observer = move |_: &StreamInfo, end: &StreamEnd| seen.lock().unwrap().push(end.reason);
    let app = app()
        .layer(drain.layer())
        .layer(StreamLimitLayer::new(&limit))
        .layer(ObserveLayer::new().observer(observer))
        .layer(axum::middleware::map_request(
            async |ConnectInfo(Stalling(signal)), mut request: Request| {
                request.extensions_mut().insert::<StallSignal>(signal);
                request
            },
        ));
    let listener = Pipes(piped, StallLimit::new(Tokio, 5 * SECOND));
    let app = app.into_make_service_with_connect_info::<Stalling>();
    let stop = drain.clone();
    let done = tokio::spawn(async move {
        let report = stop.clone();
        let stopped = async move {
            stop.started().await;
            stop.finished().await;
        };
        axum::serve(listener, app)
            .with_graceful_shutdown(stopped)
            .await
            .unwrap();
        report.finished().await
    });
    Axum {
        pipes,
        drain,
        limit,
        ends,
        done,
    }
}

impl Axum {
    async fn pipe(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(16 << 10);
        self.pipes.send(near).await.unwrap();
        far
    }

    async fn until_ended(&self) -> Vec<EndReason> {
        let ended = async {
            while self.ends.lock().unwrap().is_empty() {
                tokio::time::sleep(SECOND / 10).await;
            }
        };
        tokio::time::timeout(60 * SECOND, ended)
            .await
            .expect("it never ended");
        self.ends.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn on_axum_goaway_comes_after_the_sockets() {
    let axum = serve();
    let (_send, gone) = client(axum.pipe().await).await;
    axum.drain.start_with(policy());
    let report = axum.done.await.unwrap();
    assert_eq!((report.closed, report.forced), (SOCKETS + EVENT_STREAMS, 0));
    sockets_came_first(&gone.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn on_axum_a_client_that_does_not_read_is_freed() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let axum = serve();
        let mut pipe = axum.pipe().await;
        let _kept: Box<dyn std::any::Any> = if version == Version::HTTP_11 {
            let head = "GET /flood HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n\r\n";
            pipe.write_all(head.as_bytes()).await.unwrap();
            pipe.read_u8().await.unwrap();
            Box::new(pipe)
        } else {
            Box::new(frozen(pipe).await)
        };
        let started = Instant::now();
        assert_eq!(
            axum.until_ended().await,
            [EndReason::Stalled],
            "{version:?}"
        );
        let took = started.elapsed().as_secs();
        assert!((4..=11).contains(&took), "{took} s");
        assert_eq!((axum.limit.open(), axum.drain.open()), (0, 0));
    }
}

/// A client of HTTP/2 whose windows are large and who reads nothing behind the first kilobytes.
async fn frozen(pipe: DuplexStream) -> impl Sized {
    let (mut send, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(32 << 20)
        .handshake(TokioIo::new(Watched(pipe, Freezing(4 << 10))))
        .await
        .unwrap();
    tokio::spawn(connection);
    let response = send.send_request(request("/flood")).await.unwrap();
    (send, response)
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_returns_is_ended_at_the_deadline() {
    let axum = serve();
    let (send, _gone) = client(axum.pipe().await).await;
    let mut left = open(&send, "/deaf").await;
    let here = open(&send, "/deaf").await;
    // One client has gone: its handler still runs, and holds the permit.
    left.close(None).await;
    drop(left);
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(axum.limit.open(), SOCKETS + EVENT_STREAMS + 2);

    let started = Instant::now();
    axum.drain.start_with(policy());
    let report = axum.drain.finished().await;
    assert!(started.elapsed() <= 11 * SECOND, "{:?}", started.elapsed());
    assert_eq!((report.closed, report.forced), (SOCKETS + EVENT_STREAMS, 2));
    assert_eq!((axum.limit.open(), axum.drain.open()), (0, 0));
    drop((here, send));
    axum.done.await.unwrap();
}
