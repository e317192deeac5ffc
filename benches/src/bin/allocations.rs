//! How often an event to many clients, and an echo, allocate once things are running. Counts, not times: any build
//! says the same, and the program fails when a count grows.

use std::{convert::Infallible, future::poll_fn, task::Poll};

use allocation_counter::measure;
use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tower::service_fn;
use tower_realtime::{
    rt::Tokio,
    sse::{Encoded, Event, KeepAlive, Sse},
    topic::{OnLag, Topic},
    ws::{self, Acceptor, WebSocket},
};

const CLIENTS: usize = 100;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    println!("allocations per delivered event or echoed message, in the steady state");
    for (title, burst, joined, most) in [
        ("one event to 100 clients", 1, false, 0.02),
        ("one event to 100 clients, joined", 1, true, 0.02),
        ("bursts of 100 to 100 clients", 100, false, 0.06),
        ("bursts of 100 to 100 clients, joined", 100, true, 0.01),
    ] {
        report(title, runtime.block_on(fan_out(burst, joined)), most);
    }
    for (in_flight, per_read) in [(1, PAYLOAD), (10, PAYLOAD + PARTS), (100, PAYLOAD + PARTS)] {
        let title = format!("echo of 16 B, {in_flight} in flight");
        let per = echo(&runtime, in_flight);
        report(&title, per, per_read / in_flight as f64);
    }
}

/// The payloads of small messages that are read at once have one piece of memory, however many they are. The buffer
/// that was read into can't be it: it is the thread's, and a message may be kept for long.
const PAYLOAD: f64 = 1.0;
/// Where they are several, `bytes` counts who holds a part of it, in memory of its own (`Bytes::split_to`). That is the
/// price of messages that are parts, and not a copy each.
const PARTS: f64 = 1.0;

fn report(title: &str, per: f64, most: f64) {
    println!("  {title:42} {per:.4}");
    assert!(
        per <= most,
        "{title}: {per} allocations, and not {most} at most"
    );
}

/// The bodies alone, without an HTTP stack.
async fn fan_out(burst: usize, joined: bool) -> f64 {
    let topic = Topic::new(1024);
    let mut bodies: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let events = topic.subscribe().on_lag(OnLag::DropOldest);
            let events = if joined { events.joined() } else { events };
            Box::pin(Sse::new(events).keep_alive(KeepAlive::new(Tokio)))
        })
        .collect();
    let event = Encoded::from(Event::new("x".repeat(100)));
    poll_fn(|cx| {
        let mut round = || {
            topic.publish_all(std::iter::repeat_n(event.clone(), burst));
            for body in &mut bodies {
                while body.as_mut().poll_frame(cx).is_ready() {}
            }
        };
        (0..10).for_each(|_| round());
        let count = measure(|| (0..100).for_each(|_| round())).count_total;
        Poll::Ready(count as f64 / (100 * CLIENTS * burst) as f64)
    })
    .await
}

/// The whole way through hyper and a socket; the client allocates nothing.
fn echo(runtime: &Runtime, in_flight: usize) -> f64 {
    let mut client = runtime.block_on(open());
    let message = b"\x82\x90abcd0123456789abcdef".repeat(in_flight);
    let mut echoes = vec![0; 18 * in_flight];
    // The server runs on this thread too, while the client waits.
    let mut rounds = |count: usize| {
        runtime.block_on(async {
            for _ in 0..count {
                client.write_all(&message).await.expect("written");
                client.read_exact(&mut echoes).await.expect("read");
            }
        });
    };
    rounds(10);
    let count = measure(|| rounds(100)).count_total;
    count as f64 / (100 * in_flight) as f64
}

async fn open() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let service = TowerToHyperService::new(service_fn(async |request| {
            let answer = Acceptor::new().upgrade(request, Tokio, echoes);
            Ok::<Response<Full<Bytes>>, Infallible>(answer)
        }));
        http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await
    });
    let mut client = TcpStream::connect(address).await.expect("the server");
    client.write_all(HANDSHAKE).await.expect("written");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.expect("a head"));
    }
    client
}

async fn echoes(mut socket: WebSocket) -> Result<(), ws::Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

const HANDSHAKE: &[u8] =
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
