//! Three servers behind HAProxy and one Redis, with many clients of both kinds, while everything breaks.
//!
//! Run it with `scripts/cluster-test`: it needs `haproxy`, `redis-server` and the example `cluster`.

#[path = "support/haproxy.rs"]
mod haproxy;
#[path = "support/redis_server.rs"]
mod redis_server;

use std::{
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt;
use haproxy::Proxy;
use http::Request;
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use redis_server::{Server, Wire, free_port};
use tokio::{task::JoinHandle, time::sleep};
use tower_realtime::{sse::EventSource, ws::Connector};

const NODES: usize = 3;

/// One server process, and its way to Redis.
struct Node {
    port: u16,
    wire: Wire,
    child: Option<Child>,
}

impl Node {
    async fn start(redis: &Server) -> Self {
        let mut node = Self {
            port: free_port(),
            wire: Wire::to(redis.port).await,
            child: None,
        };
        node.up();
        node
    }

    fn up(&mut self) {
        let test = std::env::current_exe().expect("a path");
        let target = test.ancestors().nth(2).expect("target/debug/deps/cluster");
        let child = Command::new(target.join("examples/cluster"))
            .args([format!("127.0.0.1:{}", self.port), self.wire.url()])
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("`cargo build --example cluster` first"));
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn proxy(port: u16, nodes: &[Node]) -> Proxy {
    let mut config = format!(
        "global\n  maxconn 4000\ndefaults\n  mode http\n  timeout connect 1s\n  timeout client 1h\n  \
         timeout server 1h\n  timeout tunnel 1h\n  retries 3\n  option redispatch\n\
         listen front\n  bind 127.0.0.1:{port}\n  balance roundrobin\n"
    );
    for node in nodes {
        let port = node.port;
        config += &format!("  server s{port} 127.0.0.1:{port} check inter 200ms fall 1 rise 1\n");
    }
    Proxy::start(port, &config)
}

fn number(name: &str, default: usize) -> usize {
    let number = std::env::var(name).ok();
    number.map_or(default, |number| number.parse().expect("a number"))
}

/// What one client has seen, event by event; `reload` stands for a gap.
type Seen = Vec<String>;

/// A browser's event source: it reconnects by itself.
async fn event_source(url: String, ready: Arc<AtomicUsize>) -> (Seen, usize) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(format!("{url}/events")).body(Empty::<Bytes>::new());
    let mut events = EventSource::new(client, request.expect("a request"), sleep);
    let (mut seen, mut last) = (Seen::new(), None);
    while let Some(message) = events.next().await {
        let message = message.expect("an event source goes on");
        match message.data() {
            "ready" if last.is_none() => drop(ready.fetch_add(1, Ordering::SeqCst)),
            "ready" => continue,
            "end" => break,
            data => seen.push(data.into()),
        }
        last = Some(());
    }
    (seen, 0)
}

/// A page with a WebSocket, which does by hand what an event source does by itself.
async fn socket(url: String, ready: Arc<AtomicUsize>) -> (Seen, usize) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let (mut seen, mut last, mut connected) = (Seen::new(), String::new(), 0);
    loop {
        let request = Request::get(format!("{url}/socket?lastEventId={last}"));
        let request = request.body(Empty::<Bytes>::new()).expect("a request");
        let Ok((mut socket, _)) = Connector::new().connect(client.clone(), request).await else {
            sleep(Duration::from_millis(200)).await;
            continue;
        };
        connected += 1;
        while let Ok(Some(message)) = socket.recv().await {
            let text = message.as_text().expect("text").to_owned();
            let field = |prefix| text.lines().find_map(|line| line.strip_prefix(prefix));
            match field("data: ").expect("data") {
                "ready" if last.is_empty() => drop(ready.fetch_add(1, Ordering::SeqCst)),
                "ready" => {}
                "end" => return (seen, connected - 1),
                data => seen.push(data.into()),
            }
            if let Some(id) = field("id: ") {
                id.clone_into(&mut last);
            }
        }
    }
}

/// POSTs to a server until it answers that it is published. A server that dies while it publishes may have done it,
/// so the text is numbered, and who published says how often it asked.
async fn publish(url: &str, text: &str) -> usize {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    for asked in 1.. {
        let request = Request::post(format!("{url}/publish")).body(Full::from(text.to_owned()));
        let answer = client.request(request.expect("a request")).await;
        if let Ok(answer) = answer {
            let published = answer.status().is_success();
            if answer.into_body().collect().await.is_ok() && published {
                return asked;
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
    unreachable!("it asks for ever")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs haproxy and a redis-server: scripts/cluster-test"]
async fn every_client_sees_every_event_once_and_in_order() {
    let (clients, events) = (number("CLIENTS", 60), number("EVENTS", 100));
    let mut redis = Server::start();
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(Node::start(&redis).await);
    }
    let port = free_port();
    let _proxy = proxy(port, &nodes);
    let front = format!("http://127.0.0.1:{port}");
    publish(&front, "warm up").await;

    let ready = Arc::new(AtomicUsize::new(0));
    let readers: Vec<JoinHandle<(Seen, usize)>> = (0..clients)
        .map(|n| match n % 2 {
            0 => tokio::spawn(event_source(front.clone(), Arc::clone(&ready))),
            _ => tokio::spawn(socket(front.clone(), Arc::clone(&ready))),
        })
        .collect();
    // Everybody has an id before the trouble begins: before it, there is nothing to resume.
    while ready.load(Ordering::SeqCst) < clients {
        publish(&front, "ready").await;
        sleep(Duration::from_millis(200)).await;
    }
    println!("{clients} clients are connected, half of them event streams, half WebSockets");

    let publishers: Vec<_> = (0..NODES)
        .map(|n| (n, format!("http://127.0.0.1:{}", nodes[n].port)))
        .map(|(n, url)| {
            tokio::spawn(async move {
                let mut again = Vec::new();
                for m in 0..events {
                    if publish(&url, &format!("{n} {m}")).await > 1 {
                        again.push(m);
                    }
                    sleep(Duration::from_millis(40)).await;
                }
                again
            })
        })
        .collect();
    let pause = Duration::from_millis(500);
    sleep(pause).await;
    println!("the links to Redis are cut");
    nodes.iter().for_each(|node| node.wire.cut());
    sleep(pause).await;
    println!("one server is killed");
    nodes[0].kill();
    sleep(pause).await;
    println!("Redis is killed and started again");
    redis.kill();
    sleep(pause).await;
    redis.up();
    sleep(pause).await;
    println!("the server is started again, another one is killed");
    nodes[0].up();
    nodes[1].kill();
    sleep(pause).await;
    nodes[1].up();

    let mut again = Vec::new();
    for publisher in publishers {
        again.push(publisher.await.expect("no publisher fails"));
    }
    publish(&front, "end").await;
    let mut all = Vec::new();
    for reader in readers {
        all.push(reader.await.expect("no client fails"));
    }
    report(&all, &again, events);
}

fn report(all: &[(Seen, usize)], again: &[Vec<usize>], events: usize) {
    let (mut lost, mut repeated, mut gaps, mut twice) = (0, 0, 0, 0);
    for (seen, _) in all {
        gaps += seen.iter().filter(|data| *data == "reload").count();
        for (publisher, again) in again.iter().enumerate() {
            let prefix = format!("{publisher} ");
            let numbers = seen.iter().filter_map(|data| data.strip_prefix(&prefix));
            let mut numbers: Vec<usize> = numbers.map(|n| n.parse().expect("a number")).collect();
            assert!(numbers.is_sorted(), "out of order: {numbers:?}");
            let total = numbers.len();
            numbers.dedup();
            lost += events - numbers.len();
            // A server that died while it published may have done it, and was then asked again.
            let excused = again.len().min(total - numbers.len());
            twice += excused;
            repeated += total - numbers.len() - excused;
        }
    }
    let reconnects: usize = all.iter().map(|(_, reconnects)| reconnects).sum();
    println!(
        "{} clients, {} events each; WebSockets connected again {reconnects} times; lost {lost}, repeated {repeated}, \
         gaps {gaps}; published twice because a server died while it was asked: {} of {}",
        all.len(),
        events * NODES,
        twice / all.len(),
        again.iter().map(Vec::len).sum::<usize>(),
    );
    assert_eq!((lost, repeated, gaps), (0, 0, 0));
    assert!(
        all.iter().all(|(seen, _)| *seen == all[0].0),
        "all see the same, in the same order"
    );
}
