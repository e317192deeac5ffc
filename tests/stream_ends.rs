//! Every way a stream can end, over real connections of hyper in memory: the permit comes back, and everybody learns
//! the right reason. Time is tokio's, paused.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/guarded.rs"]
mod guarded;
#[path = "support/watched.rs"]
mod watched;

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::DuplexStream,
    sync::{oneshot, watch},
};
use tower::{Layer, Service, service_fn};
use tower_realtime::{
    layers::{AgeLayer, ObserveLayer, StallLimit, StreamLimitLayer},
    lifecycle::{
        MaxAge, StreamControl, StreamEnd, StreamInfo, StreamKind, StreamLimit, StreamObserver,
    },
    rt::Tokio,
    sse::{Event, Sse},
    ws::{Acceptor, Connector, Message, WebSocket},
};
use watched::{Watch, Watched};

const SECOND: Duration = Duration::from_secs(1);

/// What happens to a stream that has begun and said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    ClientClose,
    Reset,
    Vanish,
    Stall,
    ServerEnd,
    Error,
    Panic,
    Drain,
    Age,
    Revocation,
}

use Way::*;

/// The reasons for an event stream and for a WebSocket.
const TABLE: [(Way, &str, &str); 10] = [
    (ClientClose, "disconnected", "client_closed 1005"),
    (Reset, "disconnected", "disconnected 1006"),
    // Only traffic shows that a link is cut: an event stream's writes fill up, a WebSocket's pings go unanswered.
    (Vanish, "stalled", "unresponsive 1008"),
    (Stall, "stalled", "stalled"),
    (ServerEnd, "finished", "finished 1000"),
    (Error, "failed", "failed 1011"),
    (Panic, "panicked", "panicked 1011"),
    (Drain, "drained", "drained 1001"),
    (Age, "expired", "expired 1001"),
    (Revocation, "revoked", "revoked 1008"),
];

/// What the handlers are told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cue {
    Wait,
    End,
    Fail,
    Panic,
    /// Send without end.
    Flood,
}

/// What the server side shows.
#[derive(Clone)]
struct Seen {
    ends: Arc<Mutex<Vec<String>>>,
    producers: Arc<Mutex<Vec<String>>>,
    refused: Arc<Mutex<Vec<u16>>>,
    controls: Arc<Mutex<Vec<StreamControl>>>,
    limit: StreamLimit,
    drain: tower_realtime::lifecycle::Drain,
    wake: Arc<tokio::sync::Notify>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            ends: Arc::default(),
            producers: Arc::default(),
            refused: Arc::default(),
            controls: Arc::default(),
            limit: StreamLimit::new(1),
            drain: tower_realtime::lifecycle::Drain::new(Tokio),
            wake: Arc::default(),
        }
    }
}

impl StreamObserver for Seen {
    fn ended(&self, stream: &StreamInfo, end: &StreamEnd) {
        let code = end
            .close_code
            .map_or(String::new(), |code| format!(" {code}"));
        assert!(end.stats.events_sent > 0, "{stream:?} {end:?}");
        self.ends
            .lock()
            .unwrap()
            .push(format!("{}{code}", end.reason));
        self.wake.notify_one();
    }

    fn refused(&self, _: &StreamInfo, status: http::StatusCode) {
        self.refused.lock().unwrap().push(status.as_u16());
    }
}

/// Events until the cue says otherwise.
fn events(cue: watch::Receiver<Cue>) -> impl Stream<Item = Result<Event, io::Error>> {
    let first = stream::iter([Ok(Event::new("hello"))]);
    let rest = stream::unfold((), move |()| {
        let mut cue = cue.clone();
        async move {
            match *cue.wait_for(|cue| *cue != Cue::Wait).await.ok()? {
                Cue::Wait | Cue::End => None,
                Cue::Fail => Some((Err(io::Error::other("of the producer")), ())),
                Cue::Panic => panic!("of the producer"),
                Cue::Flood => Some((Ok(Event::new("x".repeat(1000))), ())),
            }
        }
    });
    futures_util::StreamExt::chain(first, rest)
}

async fn talk(mut socket: WebSocket, mut cue: watch::Receiver<Cue>) -> Result<(), io::Error> {
    socket.send("hello").await.unwrap();
    loop {
        let now = *cue.borrow_and_update();
        match now {
            Cue::End => return Ok(()),
            Cue::Fail => return Err(io::Error::other("of the handler")),
            Cue::Panic => panic!("of the handler"),
            Cue::Flood => {
                if socket.send("x".repeat(1000)).await.is_err() {
                    return Ok(());
                }
            }
            Cue::Wait => tokio::select! {
                message = socket.recv() => match message {
                    Ok(Some(_)) => (),
                    _ => return Ok(()),
                },
                _ = cue.changed() => (),
            },
        }
    }
}

/// Serves one connection.
fn serve(io: Resetting, seen: &Seen, way: Way, cue: watch::Receiver<Cue>) {
    let (controls, producers) = (Arc::clone(&seen.controls), Arc::clone(&seen.producers));
    let handler = service_fn(move |request: Request<Incoming>| {
        controls
            .lock()
            .unwrap()
            .extend(StreamControl::of(request.extensions()));
        let (cue, producers) = (cue.clone(), Arc::clone(&producers));
        let response: Response<Body> = match request.uri().path() {
            "/plain" => Response::new(Body::empty()),
            "/sse" => Sse::new(events(cue))
                .on_end(move |reason| producers.lock().unwrap().push(reason.to_string()))
                .into_response()
                .map(Body::new),
            _ => Acceptor::new().upgrade(request, Tokio, |socket| talk(socket, cue)),
        };
        async { Ok::<_, Infallible>(response) }
    });
    let age = if way == Age { 10 } else { 1 << 20 };
    let layers = (
        ObserveLayer::new().observer(seen.clone()),
        StreamLimitLayer::new(&seen.limit),
        seen.drain.layer(),
        AgeLayer::new(Tokio, MaxAge::new(age * SECOND)),
    );
    let app = layers.layer(handler);
    let limit = StallLimit::new(Tokio, 5 * SECOND);
    guarded::serve(io, app, &limit, &limit);
}

/// The server's end of the pipe, which can be reset.
type Resetting = Watched<Reset>;

enum Reset {
    May(oneshot::Receiver<()>),
    Never,
    Was,
}

impl Reset {
    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::May(reset) = self {
            match Pin::new(reset).poll(cx) {
                Poll::Pending => (),
                Poll::Ready(Ok(())) => *self = Self::Was,
                Poll::Ready(Err(_)) => *self = Self::Never,
            }
        }
        Poll::Ready(match self {
            Self::Was => Err(io::ErrorKind::ConnectionReset.into()),
            Self::May(_) | Self::Never => Ok(()),
        })
    }
}

impl Watch for Reset {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_reset(cx)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_reset(cx)
    }
}

/// A client's connection, of either version.
#[derive(Clone)]
enum Client {
    Http1(Arc<Mutex<conn::http1::SendRequest<Empty<Bytes>>>>),
    Http2(conn::http2::SendRequest<Empty<Bytes>>),
}

impl Client {
    async fn new(io: DuplexStream, version: Version) -> Self {
        let io = TokioIo::new(io);
        if version == Version::HTTP_11 {
            let (send, connection) = conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection.with_upgrades());
            return Self::Http1(Arc::new(Mutex::new(send)));
        }
        let (send, connection) = conn::http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(64 << 10)
            .initial_connection_window_size(4 << 20)
            .handshake(io)
            .await
            .unwrap();
        tokio::spawn(connection);
        let mut client = Self::Http2(send);
        client.get("/plain").await; // the server's settings come before the answer
        client
    }

    async fn get(&mut self, path: &str) -> Response<Incoming> {
        let uri = format!("http://localhost{path}");
        let mut request = Request::get(uri);
        if path == "/sse" {
            request = request.header("accept", "text/event-stream");
        }
        self.call(request.body(Empty::new()).unwrap())
            .await
            .unwrap()
    }

    async fn connect(&self) -> Result<WebSocket, u16> {
        let (client, connector) = (self.clone(), Connector::new());
        let connector = match self {
            Self::Http1(_) => connector,
            Self::Http2(_) => connector.http2(),
        };
        let request = Request::get("http://localhost/ws")
            .body(Empty::new())
            .unwrap();
        match connector.connect(client, request).await {
            Ok((socket, _)) => Ok(socket),
            Err(error) => Err(error.status().unwrap().as_u16()),
        }
    }
}

impl Service<Request<Empty<Bytes>>> for Client {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Empty<Bytes>>) -> Self::Future {
        match self {
            Self::Http1(send) => Box::pin(send.lock().unwrap().send_request(request)),
            Self::Http2(send) => Box::pin(send.send_request(request)),
        }
    }
}

/// One connection, with all that can be done to it.
struct Scene {
    version: Version,
    cue: watch::Sender<Cue>,
    reset: oneshot::Sender<()>,
    cut: oneshot::Sender<()>,
    client: Client,
}

impl Scene {
    async fn new(version: Version, seen: &Seen, way: Way) -> Self {
        let (cue, cued) = watch::channel(Cue::Wait);
        let (near, mut far) = tokio::io::duplex(8 << 10);
        let (mut inner, outer) = tokio::io::duplex(8 << 10);
        let (reset, was_reset) = oneshot::channel();
        let (cut, was_cut) = oneshot::channel();
        serve(Watched(near, Reset::May(was_reset)), seen, way, cued);
        tokio::spawn(async move {
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut far, &mut inner) => (),
                // A cut link is no closed one: both ends wait.
                Ok(()) = was_cut => std::future::pending().await,
            }
        });
        let client = Client::new(outer, version).await;
        Self {
            version,
            cue,
            reset,
            cut,
            client,
        }
    }

    /// An event stream that has begun, ends in one way, and is seen to do so.
    async fn event_stream(mut self, way: Way, seen: &Seen) {
        let mut body = self.client.get("/sse").await.into_body();
        body.frame().await.unwrap().unwrap();
        assert_eq!(seen.limit.open(), 1);
        match way {
            ClientClose => drop(body),
            Stall => {
                self.act(way, Cue::Flood, seen);
                seen.until_end().await;
                drop(body);
            }
            _ => {
                tokio::spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
                self.act(way, Cue::Flood, seen);
            }
        }
        seen.until_end().await;
    }

    async fn websocket(self, way: Way, seen: &Seen) {
        let mut socket = self.client.connect().await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(Message::text("hello")));
        assert_eq!(seen.limit.open(), 1);
        match way {
            ClientClose => drop(socket.close(None).await),
            Stall => {
                self.act(way, Cue::Wait, seen);
                seen.until_end().await;
                drop(socket);
            }
            _ => {
                tokio::spawn(async move { while let Ok(Some(_)) = socket.recv().await {} });
                self.act(way, Cue::Wait, seen);
            }
        }
        seen.until_end().await;
    }

    fn act(self, way: Way, traffic: Cue, seen: &Seen) {
        let cue = match way {
            ClientClose | Reset | Drain | Age | Revocation => Cue::Wait,
            Vanish => traffic,
            Stall => Cue::Flood,
            ServerEnd => Cue::End,
            Error => Cue::Fail,
            Panic => Cue::Panic,
        };
        match way {
            Reset => self.reset.send(()).unwrap(),
            Vanish => self.cut.send(()).unwrap(),
            Drain => seen.drain.start(),
            Revocation => seen
                .controls
                .lock()
                .unwrap()
                .last()
                .unwrap()
                .revoke("enough"),
            ClientClose | Stall | ServerEnd | Error | Panic | Age => (),
        }
        self.cue.send_replace(cue);
        // Whoever has acted still holds the connection: only what was done to it is seen.
        tokio::spawn(async move {
            let _kept = (self.client, self.cue, self.version);
            std::future::pending::<()>().await;
        });
    }
}

impl Seen {
    async fn until_end(&self) {
        let ended = async {
            while self.ends.lock().unwrap().is_empty() {
                self.wake.notified().await;
            }
        };
        tokio::time::timeout(300 * SECOND, ended)
            .await
            .expect("the stream never ended");
    }
}

#[tokio::test(start_paused = true)]
async fn every_end_gives_the_permit_back_and_has_its_reason() {
    for (way, of_events, of_socket) in TABLE {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            for kind in [StreamKind::EventStream, StreamKind::WebSocket] {
                let row = format!("{way:?} {version:?} {kind}");
                println!("{row}");
                let seen = Seen::default();
                let scene = Scene::new(version, &seen, way).await;
                let reason = match kind {
                    StreamKind::EventStream => {
                        scene.event_stream(way, &seen).await;
                        // The producer learns what the observer learns.
                        let producers = seen.producers.lock().unwrap().clone();
                        assert_eq!(producers, [of_events], "{row}");
                        of_events
                    }
                    _ => {
                        scene.websocket(way, &seen).await;
                        of_socket
                    }
                };
                let ends = seen.ends.lock().unwrap().clone();
                assert_eq!(ends.len(), 1, "{row}: {ends:?}");
                assert!(ends[0].starts_with(reason), "{row}: {ends:?}");
                assert_eq!((seen.limit.open(), seen.drain.open()), (0, 0), "{row}");
                assert!(
                    seen.controls
                        .lock()
                        .unwrap()
                        .iter()
                        .all(StreamControl::is_ended),
                    "{row}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn over_the_limit_nothing_begins_and_nothing_ends() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let seen = Seen::default();
        let mut first = Scene::new(version, &seen, ServerEnd).await;
        let mut body = first.client.get("/sse").await.into_body();
        body.frame().await.unwrap().unwrap();
        let mut second = Scene::new(version, &seen, ServerEnd).await;
        let refused = second.client.get("/sse").await;
        assert_eq!(refused.status(), 503);
        assert!(refused.headers().contains_key("retry-after"));
        assert_eq!(second.client.connect().await.err(), Some(503));
        assert_eq!(*seen.refused.lock().unwrap(), [503, 503]);
        assert_eq!(seen.limit.open(), 1);
        assert!(seen.ends.lock().unwrap().is_empty(), "nobody is evicted");
        drop((body, first));
        seen.until_end().await;
        assert_eq!(second.client.get("/sse").await.status(), 200);
    }
}
