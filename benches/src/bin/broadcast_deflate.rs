//! One publishes to many WebSockets with permessage-deflate: compressed once for all (`Prepared`), once for each, and
//! not at all. Processor time of the server's thread for each delivery, and bytes on the wire, in turns.
//!
//! `broadcast_deflate [CLIENTS [ROUNDS [LEVEL]]]`: 1,000 clients of each kind, 40 rounds, level 6 by default.

use axum::{
    Router,
    extract::{Request, State},
    routing::get,
};
use flate2::{Decompress, FlushDecompress};
use tokio::{io::AsyncReadExt, task::LocalSet};
use tower_realtime::{
    rt::Tokio,
    topic::{Limits, Topic},
    ws::{self, Acceptor, Heartbeat, Message, Outgoing, Prepared, WebSocket, deflate::Deflate},
};
use tower_realtime_benches::fanout::{self, Count, Crowd, Server, WEBSOCKET};

const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

#[derive(Clone)]
struct Rooms {
    acceptor: Acceptor,
    plain: Topic<Prepared>,
    once: Topic<Prepared>,
    each: Topic<Message>,
}

async fn listen<T>(socket: WebSocket, room: Topic<T>) -> Result<(), ws::Error>
where
    T: Clone + Into<Outgoing> + Send + 'static,
{
    let mut socket = socket.feed_from(room.subscribe());
    while socket.recv().await?.is_some() {}
    Ok(())
}

fn app(rooms: Rooms) -> Router {
    Router::new()
        .route("/plain", get(plain))
        .route("/once", get(once))
        .route("/each", get(each))
        .with_state(rooms)
}

async fn plain(State(rooms): State<Rooms>, request: Request) -> axum::response::Response {
    rooms
        .acceptor
        .upgrade(request, Tokio, |socket| listen(socket, rooms.plain))
}

async fn once(State(rooms): State<Rooms>, request: Request) -> axum::response::Response {
    rooms
        .acceptor
        .upgrade(request, Tokio, |socket| listen(socket, rooms.once))
}

async fn each(State(rooms): State<Rooms>, request: Request) -> axum::response::Response {
    rooms
        .acceptor
        .upgrade(request, Tokio, |socket| listen(socket, rooms.each))
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
    LocalSet::new().block_on(
        &runtime,
        measure(argument(1, 1000), argument(2, 40), argument(3, 6)),
    );
}

async fn measure(n: usize, rounds: usize, level: usize) {
    let deflate = Deflate::new().level(level as u8).no_context_takeover();
    let rooms = Rooms {
        // The clients only count frames: they answer no ping.
        acceptor: Acceptor::new().deflate(deflate).heartbeat(Heartbeat::off()),
        plain: Topic::with_limits(Limits::items(4096)),
        once: Topic::with_limits(Limits::items(4096)),
        each: Topic::with_limits(Limits::items(4096)),
    };
    let server = Server::start(app(rooms.clone()));
    verify(&server, &rooms).await;
    let compressed = format!("{WEBSOCKET}{DEFLATE}");
    let crowds = [
        Crowd::open(&server, n, "/plain", WEBSOCKET, Count::Frames).await,
        Crowd::open(&server, n, "/once", &compressed, Count::Frames).await,
        Crowd::open(&server, n, "/each", &compressed, Count::Frames).await,
    ];
    while rooms.plain.subscribers() + rooms.once.subscribers() + rooms.each.subscribers() < 3 * n {
        tokio::task::yield_now().await;
    }
    let mut seed = 0;
    for burst in [1, 100] {
        let mut found = [const { Vec::new() }; 3];
        let mut bytes = [0; 3];
        // One event by one is short: more of them make a sample.
        let repeat = if burst == 1 { 10 } else { 1 };
        for round in 0..=rounds {
            for (kind, crowd) in crowds.iter().enumerate() {
                let mut total = 0.0;
                for _ in 0..repeat {
                    let messages: Vec<_> = (seed..seed + burst).map(json).collect();
                    seed += burst;
                    let rooms = rooms.clone();
                    let publish = move || publish(&rooms, kind, messages);
                    let (cpu, came) = crowd.round(&server, n * burst as usize, publish).await;
                    total += cpu.as_secs_f64() * 1e9 / (n as f64 * burst as f64);
                    bytes[kind] = came / (n as u64 * burst);
                }
                // The first round warms up.
                if round > 0 {
                    found[kind].push(total / f64::from(repeat));
                }
            }
        }
        report(n, rounds, burst, level, found, bytes);
    }
}

fn publish(rooms: &Rooms, kind: usize, messages: Vec<String>) {
    match kind {
        0 => rooms
            .plain
            .publish_all(messages.into_iter().map(Prepared::new)),
        1 => rooms
            .once
            .publish_all(messages.into_iter().map(Prepared::new)),
        _ => rooms
            .each
            .publish_all(messages.into_iter().map(Message::from)),
    };
}

fn report(
    n: usize,
    rounds: usize,
    burst: u64,
    level: usize,
    found: [Vec<f64>; 3],
    bytes: [u64; 3],
) {
    println!(
        "\n{burst} at a time to {n} clients, {rounds} rounds, level {level}: CPU for each delivery"
    );
    let mut first = None;
    let names = ["plain", "compressed once for all", "compressed for each"];
    for ((name, mut found), bytes) in names.into_iter().zip(found).zip(bytes) {
        found.sort_by(f64::total_cmp);
        let (least, median) = (found[0], found[found.len() / 2]);
        let (least_plain, median_plain, plain) = *first.get_or_insert((least, median, bytes));
        println!(
            "  {name:24} min {least:8.0} ns {:5.2}x   median {median:8.0} ns {:5.2}x   {bytes:5} B {:.3}",
            least / least_plain,
            median / median_plain,
            bytes as f64 / plain as f64,
        );
    }
}

/// What is compressed once is what was published.
async fn verify(server: &Server, rooms: &Rooms) {
    let headers = format!("{WEBSOCKET}{DEFLATE}");
    let (mut stream, head) = fanout::ask(server.address, "/once", &headers).await;
    assert!(head.contains("permessage-deflate"), "{head}");
    while rooms.once.subscribers() == 0 {
        tokio::task::yield_now().await;
    }
    let topic = rooms.once.clone();
    server
        .run(move || {
            let _ = topic.publish(Prepared::new(json(7)));
        })
        .await;
    let [first, short] = stream.read_u16().await.expect("a header").to_be_bytes();
    assert_eq!(
        (first, short),
        (0xc1, 126),
        "compressed text of two bytes of length"
    );
    let length = usize::from(stream.read_u16().await.expect("a length"));
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.expect("a payload");
    payload.extend([0, 0, 0xff, 0xff]);
    let mut plain = Vec::with_capacity(4096);
    let inflated =
        Decompress::new(false).decompress_vec(&payload, &mut plain, FlushDecompress::Sync);
    assert!(inflated.is_ok() && plain == json(7).into_bytes());
    drop(stream);
    while rooms.once.subscribers() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// JSON of 1 KB whose values differ from message to message.
fn json(seed: u64) -> String {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut json = format!(
        r#"{{"type":"update","id":{},"user":{{"name":"user{}","email":"user{}@example.com","active":{}}},"items":["#,
        random(1_000_000),
        random(9999),
        random(9999),
        random(2) == 0
    );
    while json.len() < 960 {
        json += &format!(
            r#"{{"sku":"{:08x}","qty":{},"price":{}.{:02},"currency":"EUR"}},"#,
            random(1 << 32),
            random(100),
            random(1000),
            random(100)
        );
    }
    json.pop();
    json += r#"],"note":""#;
    while json.len() < 1021 {
        json.push(char::from(b'a' + random(26) as u8));
    }
    json + r#""}"#
}
