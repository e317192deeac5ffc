//! Drains servers with many streams of both kinds, on axum and on hyper, over both HTTP versions and real sockets, and
//! sees the clients come back to another server, spread over the chosen time.
//!
//! `scripts/drain-test` runs it with 2,000 streams. Here there are `DRAIN_STREAMS`, or 200, and they end within
//! `DRAIN_SPREAD` seconds, or 2.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Version;
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tower::{Layer, Service};
use tower_realtime::{
    lifecycle::{Drain, DrainPolicy, DrainReport},
    rt::Tokio,
    sse::{Event, Sse},
    ws::{self, Acceptor, Connector, Http2Layer, WebSocket},
};

const RETRY: Duration = Duration::from_millis(500);
/// Streams of one HTTP/2 connection.
const SHARE: usize = 100;

fn policy() -> DrainPolicy {
    DrainPolicy::default()
        .spread(spread())
        .deadline(deadline())
        .retry(RETRY)
}

fn variable(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

fn count() -> usize {
    variable("DRAIN_STREAMS", 200)
}

fn spread() -> Duration {
    Duration::from_secs(variable("DRAIN_SPREAD", 2) as u64)
}

/// An eighth of the spread.
fn bin() -> Duration {
    spread() / 8
}

fn deadline() -> Duration {
    spread() + Duration::from_secs(8)
}

/// An endless event stream.
async fn events() -> impl IntoResponse {
    let first = stream::iter([Ok::<_, Infallible>(Event::new("hello"))]);
    Sse::new(first.chain(stream::pending())).into_response()
}

/// An endless socket.
async fn socket(request: Request) -> Response {
    Acceptor::new().upgrade(request, Tokio, silent)
}

async fn silent(mut socket: WebSocket) -> Result<(), ws::Error> {
    socket.send("hello").await?;
    while socket.recv().await?.is_some() {}
    Ok(())
}

fn app() -> Router {
    Router::new()
        .route("/sse", get(events))
        .route("/ws", any(socket))
        .route("/plain", get(async || ()))
}

/// A running server: where it is, what stops it, and how it went.
struct Server {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<DrainReport>,
}

async fn axum(drain: Option<Drain>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let app = match &drain {
        Some(drain) => app().layer(drain.layer()),
        None => app(),
    };
    let done = tokio::spawn(async move {
        let drains = drain.clone();
        let shutdown = async move {
            let _ = stopped.await;
            if let Some(drain) = drains {
                drain.start_with(policy());
                drain.finished().await; // sockets first, GOAWAY after
            }
        };
        axum::serve(listener, app)
            .with_graceful_shutdown(shutdown)
            .await
            .unwrap();
        match drain {
            Some(drain) => drain.finished().await,
            None => DrainReport::default(),
        }
    });
    Server {
        address,
        stop,
        done,
    }
}

async fn hyper(drain: Option<Drain>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, mut stopped) = oneshot::channel::<()>();
    let app = match &drain {
        Some(drain) => app().layer(drain.layer()),
        None => app(),
    };
    let app = Http2Layer::new().layer(app);
    let done = tokio::spawn(async move {
        let graceful = GracefulShutdown::new();
        let mut server = auto::Builder::new(TokioExecutor::new());
        server.http2().enable_connect_protocol();
        loop {
            let tcp = tokio::select! {
                accepted = listener.accept() => accepted.unwrap().0,
                _ = &mut stopped => break,
            };
            let service = TowerToHyperService::new(app.clone());
            let connection = server.serve_connection_with_upgrades(TokioIo::new(tcp), service);
            tokio::spawn(graceful.watch(connection.into_owned()));
        }
        drop(listener); // from here on, clients reach another server
        let report = match drain {
            Some(drain) => {
                drain.start_with(policy());
                drain.finished().await
            }
            None => DrainReport::default(),
        };
        graceful.shutdown().await;
        report
    });
    Server {
        address,
        stop,
        done,
    }
}

/// One connection of a client.
#[derive(Clone)]
enum Client {
    Http1(Arc<std::sync::Mutex<conn::http1::SendRequest<Empty<Bytes>>>>),
    Http2(conn::http2::SendRequest<Empty<Bytes>>),
}

impl Client {
    async fn new(address: std::net::SocketAddr, version: Version) -> Self {
        let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
        if version == Version::HTTP_11 {
            let (send, connection) = conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection.with_upgrades());
            return Self::Http1(Arc::new(std::sync::Mutex::new(send)));
        }
        let (send, connection) = conn::http2::handshake(TokioExecutor::new(), io)
            .await
            .unwrap();
        tokio::spawn(connection);
        let mut client = Self::Http2(send);
        // The server's settings, which allow WebSockets, come before the answer.
        client.call(request("/plain")).await.unwrap();
        client
    }
}

impl Service<http::Request<Empty<Bytes>>> for Client {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Empty<Bytes>>) -> Self::Future {
        match self {
            Self::Http1(send) => Box::pin(send.lock().unwrap().send_request(request)),
            Self::Http2(send) => Box::pin(send.send_request(request)),
        }
    }
}

fn request(path: &str) -> http::Request<Empty<Bytes>> {
    http::Request::get(format!("http://localhost{path}"))
        .body(Empty::new())
        .unwrap()
}

/// Follows an event stream to its end; how long it is told to wait.
async fn follow(mut client: Client, opened: &mpsc::Sender<()>) -> Option<Duration> {
    let mut body = client.call(request("/sse")).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    opened.send(()).await.unwrap();
    let mut retry = None;
    while let Some(Ok(frame)) = body.frame().await {
        let text = frame.into_data().unwrap();
        let millis = std::str::from_utf8(&text)
            .unwrap()
            .trim()
            .strip_prefix("retry: ");
        retry = millis.map(|millis| Duration::from_millis(millis.parse().unwrap()));
    }
    retry
}

/// Listens to a socket to its end; the code that it is closed with.
async fn listen(client: Client, version: Version, opened: &mpsc::Sender<()>) -> u16 {
    let connector = Connector::new();
    let connector = if version == Version::HTTP_2 {
        connector.http2()
    } else {
        connector
    };
    let (mut socket, _) = connector.connect(client, request("/ws")).await.unwrap();
    assert!(socket.recv().await.unwrap().is_some());
    opened.send(()).await.unwrap();
    while let Ok(Some(_)) = socket.recv().await {}
    socket.close(None).await.code()
}

/// Who came back, and when.
#[derive(Default)]
struct Returns {
    began: std::sync::OnceLock<Instant>,
    at_millis: std::sync::Mutex<Vec<(bool, u64)>>,
    codes: AtomicU64,
    told: AtomicUsize,
}

impl Returns {
    fn note(&self, is_socket: bool) {
        let at = self
            .began
            .get()
            .map_or(0, |began| began.elapsed().as_millis());
        self.at_millis
            .lock()
            .unwrap()
            .push((is_socket, u64::try_from(at).unwrap()));
    }

    /// Bins of an eighth of the spread: event streams and sockets.
    fn histogram(&self) -> Vec<(usize, usize)> {
        let mut bins = Vec::new();
        for (is_socket, at) in self.at_millis.lock().unwrap().iter() {
            let bin = usize::try_from(u128::from(*at) / bin().as_millis()).unwrap();
            bins.resize(bins.len().max(bin + 1), (0, 0));
            if *is_socket {
                bins[bin].1 += 1
            } else {
                bins[bin].0 += 1
            }
        }
        bins
    }
}

/// Opens `total` streams, half of them sockets; each client goes to `second` when its stream has ended.
async fn open(
    total: usize,
    version: Version,
    first: &Server,
    second: &Server,
) -> (Arc<Returns>, mpsc::Receiver<()>) {
    let returns = Arc::new(Returns::default());
    let (opened, mut openings) = mpsc::channel(total);
    let (returned, arrivals) = mpsc::channel(total);
    let (from, to) = (first.address, second.address);
    for share in 0..total.div_ceil(SHARE) {
        let in_share = SHARE.min(total - share * SHARE);
        let shared = match version {
            Version::HTTP_2 => Some((
                Client::new(from, version).await,
                Client::new(to, version).await,
            )),
            _ => None,
        };
        for index in 0..in_share {
            let (shared, returns) = (shared.clone(), Arc::clone(&returns));
            let (opened, returned) = (opened.clone(), returned.clone());
            tokio::spawn(async move {
                let client = match &shared {
                    Some((client, _)) => client.clone(),
                    None => Client::new(from, version).await,
                };
                let is_socket = index % 2 == 0;
                if is_socket {
                    let code = listen(client, version, &opened).await;
                    returns.codes.fetch_add(u64::from(code == 1001), Relaxed);
                } else if let Some(retry) = follow(client, &opened).await {
                    returns.told.fetch_add(1, Relaxed);
                    tokio::time::sleep(retry).await;
                }
                let client = match shared {
                    Some((_, client)) => client,
                    None => Client::new(to, version).await,
                };
                let (again, mut came) = mpsc::channel(1);
                let stays = async {
                    if is_socket {
                        listen(client, version, &again).await;
                    } else {
                        follow(client, &again).await;
                    }
                };
                let arrives = async {
                    came.recv().await.unwrap();
                    returns.note(is_socket);
                    returned.send(()).await.unwrap();
                    std::future::pending::<()>().await;
                };
                tokio::join!(stays, arrives);
            });
        }
        for _ in 0..in_share {
            openings.recv().await.unwrap();
        }
    }
    (returns, arrivals)
}

async fn drains(name: &str, version: Version, first: Server, second: Server, drain: Drain) {
    let total = count();
    let (returns, mut arrivals) = open(total, version, &first, &second).await;
    assert_eq!(drain.open(), total);
    let began = *returns.began.get_or_init(Instant::now);
    first.stop.send(()).unwrap();
    let report = tokio::time::timeout(deadline() + Duration::from_secs(1), first.done).await;
    let report = report.expect("the server is gone in time").unwrap();
    let took = began.elapsed();
    for _ in 0..total {
        arrivals.recv().await.unwrap();
    }
    let bins = returns.histogram();
    println!(
        "{name} {version:?}: {total} streams, {report:?}, gone after {took:.2?}; back, by time:"
    );
    for (index, (events, sockets)) in bins.iter().enumerate() {
        println!(
            "{:>6} ms  {events:>4} event streams  {sockets:>4} sockets",
            index as u128 * bin().as_millis()
        );
    }
    assert_eq!((report.closed, report.forced), (total, 0));
    assert_eq!(
        returns.codes.load(Relaxed),
        total as u64 / 2,
        "sockets closed with 1001"
    );
    assert_eq!(
        returns.told.load(Relaxed),
        total / 2,
        "event streams told when to come back"
    );
    // Evenly it would be an eighth each.
    let most = bins.iter().map(|(_, sockets)| *sockets).max().unwrap();
    assert!(most <= total / 4, "{most} of {} sockets at once", total / 2);
    drop(second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axum_drains_over_http1() {
    let drain = Drain::new(Tokio);
    let (first, second) = (axum(Some(drain.clone())).await, axum(None).await);
    drains("axum", Version::HTTP_11, first, second, drain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axum_drains_over_http2() {
    let drain = Drain::new(Tokio);
    let (first, second) = (axum(Some(drain.clone())).await, axum(None).await);
    drains("axum", Version::HTTP_2, first, second, drain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hyper_drains_over_http1() {
    let drain = Drain::new(Tokio);
    let (first, second) = (hyper(Some(drain.clone())).await, hyper(None).await);
    drains("hyper", Version::HTTP_11, first, second, drain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hyper_drains_over_http2() {
    let drain = Drain::new(Tokio);
    let (first, second) = (hyper(Some(drain.clone())).await, hyper(None).await);
    drains("hyper", Version::HTTP_2, first, second, drain).await;
}

/// The same servers without the layer, so that it is seen what the layer is for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_layer_nothing_ends() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        for name in ["axum", "hyper"] {
            let (first, second) = match name {
                "axum" => (axum(None).await, axum(None).await),
                _ => (hyper(None).await, hyper(None).await),
            };
            let (returns, _arrivals) = open(20, version, &first, &second).await;
            first.stop.send(()).unwrap();
            let hangs = tokio::time::timeout(spread(), first.done).await.is_err();
            assert!(hangs, "{name} {version:?} ended by itself");
            assert!(
                returns.at_millis.lock().unwrap().is_empty(),
                "nobody was told anything"
            );
            println!("{name} {version:?} without the layer: hangs, and 20 clients know nothing");
        }
    }
}
