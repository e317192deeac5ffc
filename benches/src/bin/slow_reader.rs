//! What a client that reads nothing costs the others, and how much memory: a topic with many readers over real sockets,
//! as event streams and as WebSockets, in turns without and with slow clients among them.
//!
//! `slow_reader [CLIENTS [ROUNDS [SLOW]]]`: 1,000 clients, 100 rounds of 10 events of 1 KB, 1 slow client by default.

use std::time::Duration;

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::get,
};
use tokio::{net::TcpStream, task::LocalSet};
use tower_realtime::{
    rt::Tokio,
    sse::{Encoded, Event, Sse},
    topic::{Limits, OnLag, Topic},
    ws::{self, Acceptor, Heartbeat, Message, WebSocket},
};
use tower_realtime_benches::{
    fanout::{self, Count, Crowd, Server, WEBSOCKET},
    held,
};

#[global_allocator]
static COUNTING: held::Counting = held::Counting;

const EVENTS: usize = 10;
const SIZE: usize = 1000;
/// What a topic keeps for those who are behind.
const KEPT: usize = 1024;
const EVENT_STREAM: &str = "Accept: text/event-stream\r\n";

#[derive(Clone)]
struct Rooms {
    events: Topic<Encoded>,
    messages: Topic<Message>,
}

async fn events(State(rooms): State<Rooms>) -> Response {
    let events = rooms.events.subscribe().on_lag(OnLag::DropOldest);
    Sse::new(events).into_response().map(axum::body::Body::new)
}

async fn messages(State(rooms): State<Rooms>, request: Request) -> Response {
    // The clients only count frames: they answer no ping.
    let acceptor = Acceptor::new().heartbeat(Heartbeat::off());
    acceptor.upgrade(request, Tokio, |socket| listen(socket, rooms.messages))
}

async fn listen(socket: WebSocket, room: Topic<Message>) -> Result<(), ws::Error> {
    let mut socket = socket.feed_from(room.subscribe().on_lag(OnLag::DropOldest));
    while socket.recv().await?.is_some() {}
    Ok(())
}

impl Rooms {
    fn publish(&self, sse: bool) {
        let data = format!("{:x<1$}", "@", SIZE);
        if sse {
            let event = Encoded::from(Event::new(data));
            for _ in 0..EVENTS {
                self.events.publish(event.clone());
            }
        } else {
            let message = Message::from(data);
            for _ in 0..EVENTS {
                self.messages.publish(message.clone());
            }
        }
    }

    fn readers(&self, sse: bool) -> usize {
        match sse {
            true => self.events.subscribers(),
            false => self.messages.subscribers(),
        }
    }

    fn unread(&self, sse: bool) -> usize {
        match sse {
            true => self.events.unread(),
            false => self.messages.unread(),
        }
    }
}

fn argument(index: usize, default: usize) -> usize {
    std::env::args()
        .nth(index)
        .map_or(default, |value| value.parse().expect("a number"))
}

fn main() {
    fanout::raise_descriptors();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        for sse in [true, false] {
            measure(sse, argument(1, 1000), argument(2, 100), argument(3, 1)).await;
        }
    });
}

#[derive(Default)]
struct Found {
    latencies: Vec<Duration>,
    cpu: Vec<f64>,
}

async fn measure(sse: bool, n: usize, rounds: usize, slow: usize) {
    let rooms = Rooms {
        events: Topic::with_limits(Limits::items(KEPT)),
        messages: Topic::with_limits(Limits::items(KEPT)),
    };
    let app = Router::new()
        .route("/sse", get(events))
        .route("/ws", get(messages))
        .with_state(rooms.clone());
    let server = Server::start(app);
    let (path, headers, count) = match sse {
        true => ("/sse", EVENT_STREAM, Count::Marks),
        false => ("/ws", WEBSOCKET, Count::Frames),
    };
    let crowd = Crowd::open(&server, n, path, headers, count).await;
    until(|| rooms.readers(sse) == n).await;
    let mut found = [Found::default(), Found::default()];
    let (mut most, mut extra) = (0, 0);
    // Phases in turns, so that a slow minute of the machine hits both.
    for phase in 0..10 {
        let with = phase % 2;
        run(&crowd, &server, &rooms, sse, n, 2).await; // warms up
        crowd.latencies();
        let alone = held::held();
        let mut sleepers: Vec<TcpStream> = Vec::new();
        for _ in 0..slow * with {
            sleepers.push(fanout::ask(server.address, path, headers).await.0);
        }
        until(|| rooms.readers(sse) == n + slow * with).await;
        if with == 1 {
            // Until the kernel takes no more for them, and the topic keeps as much as it may.
            while rooms.unread(sse) < KEPT {
                run(&crowd, &server, &rooms, sse, n, 10).await;
            }
            crowd.latencies();
        }
        found[with]
            .cpu
            .extend(run(&crowd, &server, &rooms, sse, n, rounds / 5).await);
        found[with].latencies.extend(crowd.latencies());
        if with == 1 {
            most = most.max(rooms.unread(sse));
            extra = extra.max(held::held() - alone);
        }
        drop(sleepers);
        until(|| rooms.readers(sse) == n).await;
    }
    let kind = if sse { "event streams" } else { "WebSockets" };
    println!("\n{n} {kind}, rounds of {EVENTS} events of {SIZE} B");
    let names = ["all of them read", "with slow clients"];
    for (name, mut found) in names.into_iter().zip(found) {
        found.latencies.sort_unstable();
        found.cpu.sort_by(f64::total_cmp);
        let at =
            |share: f64| found.latencies[((found.latencies.len() - 1) as f64 * share) as usize];
        println!(
            "  {name:18} p50 {:>10.2?}  p99 {:>10.2?}  CPU for each delivery: min {:5.0} ns, median {:5.0} ns",
            at(0.5),
            at(0.99),
            found.cpu[0],
            found.cpu[found.cpu.len() / 2],
        );
    }
    println!(
        "  {slow} slow: {most} events kept (the bound is {KEPT}), {:.0} KB more held by the server",
        extra as f64 / 1000.0
    );
}

async fn run(
    crowd: &Crowd,
    server: &Server,
    rooms: &Rooms,
    sse: bool,
    n: usize,
    rounds: usize,
) -> Vec<f64> {
    let mut found = Vec::new();
    for _ in 0..rounds {
        let rooms = rooms.clone();
        let (cpu, _) = crowd
            .round(server, n * EVENTS, move || rooms.publish(sse))
            .await;
        found.push(cpu.as_secs_f64() * 1e9 / (n * EVENTS) as f64);
    }
    found
}

async fn until(mut is: impl FnMut() -> bool) {
    while !is() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
