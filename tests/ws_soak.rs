//! Connections that live, stall, break and come back for as long as it takes: `scripts/soak`.
//!
//! Every message is echoed, whole or in parts. In a life that ends well each one has to come back, in order; in one
//! that is cut, those that came back have to be the first ones. A third of them is compressed. At the end no task is
//! left, and of the memory not one byte: the allocator is asked, for resident memory would tell of what it keeps.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail, and this one reports"
)]

#[path = "support/pipe.rs"]
mod pipe;

use std::{
    alloc::System,
    env,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};
use pipe::pipe;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};
use tower_realtime::ws::{
    CloseCode, CloseFrame, Endpoint, Error, Heartbeat, Limits, Message, MessageKind, Sender,
    WebSocket,
    deflate::{self, Deflate},
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes that are allocated and not freed.
fn held() -> isize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

/// Repeatable numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

#[derive(Default)]
struct World {
    stop: AtomicBool,
    /// The longest pause between two messages, in milliseconds.
    pause: u64,
    servers: Mutex<Vec<AbortHandle>>,
    lives: AtomicU64,
    compressed: AtomicU64,
    in_one_task: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
    in_parts: AtomicU64,
    stalls: AtomicU64,
    resets: AtomicU64,
    cut: AtomicU64,
    restarts: AtomicU64,
}

fn limits() -> Limits {
    Limits::new()
        .message(50_000)
        .streamed(1 << 20)
        .message_time(Duration::from_secs(120))
}

fn endpoint(endpoint: Endpoint, deflate: Option<deflate::Agreed>) -> Endpoint {
    let endpoint = match deflate {
        Some(agreed) => endpoint.deflate(agreed),
        None => endpoint,
    };
    let beat = Heartbeat::new()
        .interval(Duration::from_secs(5))
        .timeout(Duration::from_secs(60));
    endpoint
        .limits(limits())
        .heartbeat(beat)
        // A busy machine is no fault of the peer.
        .close_timeout(Duration::from_secs(60))
        .timer(sleep)
}

/// What server and client have agreed on: nothing, or compression with a window that goes on or does not.
fn agreed(random: &mut Random) -> [Option<deflate::Agreed>; 2] {
    let ours = match random.below(6) {
        0 => Deflate::new(),
        1 => Deflate::new().send_context_takeover(false),
        _ => return [None, None],
    };
    let headers = |value: HeaderValue| HeaderMap::from_iter([(SEC_WEBSOCKET_EXTENSIONS, value)]);
    let server = deflate::answer(&ours, &headers(deflate::offer(&ours))).unwrap();
    let client = deflate::check(&ours, &headers(server.header())).unwrap();
    [Some(server), client]
}

/// Sends back what comes, whole or in parts.
async fn echo(mut socket: WebSocket, whole: bool) -> Result<(), Error> {
    if !whole {
        let (sender, mut receiver, _) = socket.split();
        while let Some(mut message) = receiver.recv_stream().await? {
            let mut back = sender.send_stream(message.kind());
            while let Some(part) = message.part().await? {
                back.write(part).await?;
            }
            back.finish().await?;
        }
        return Ok(());
    }
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

fn payload(life: u64, n: u64, large: u64) -> Vec<u8> {
    let mut bytes = [life.to_be_bytes(), n.to_be_bytes()].concat();
    let mut random = Random(life * 1_000_003 + n + 1);
    let size = match random.below(200) {
        0 => 20_000 + random.below(large),
        1..10 => random.below(4000),
        _ => random.below(60),
    };
    bytes.resize(16 + size as usize, n as u8);
    bytes
}

async fn send(sender: Sender, life: u64, count: u64, large: u64, world: Arc<World>) -> Sender {
    let mut random = Random(life + 77);
    for n in 0..count {
        let bytes = payload(life, n, large);
        let sent = if random.one_in(8) {
            world.in_parts.fetch_add(1, Relaxed);
            let mut message = sender.send_stream(MessageKind::Binary);
            let written = message.write(bytes).await;
            match written {
                Ok(()) => message.finish().await,
                Err(error) => Err(error),
            }
        } else {
            sender.send(bytes).await
        };
        if let Err(error) = sent {
            assert!(error.is_closed(), "{error}");
            break;
        }
        if random.one_in(3) {
            sleep(Duration::from_millis(random.below(world.pause))).await;
        }
    }
    sender
}

/// One connection from its birth to its end.
async fn live(life: u64, world: &Arc<World>) {
    let mut random = Random(life * 2_654_435_761 + 1);
    let (near, far) = pipe(1 << (9 + random.below(8)));
    // Only who takes messages in parts takes those over the limit of whole ones.
    let whole = random.one_in(2);
    let large = if whole { 29_000 } else { 200_000 };
    let [serving, asking] = agreed(&mut random);
    if serving.is_some() {
        world.compressed.fetch_add(1, Relaxed);
    }
    let serve =
        endpoint(Endpoint::server(), serving).serve(near, move |socket| echo(socket, whole));
    let server = tokio::spawn(serve);
    world.servers.lock().unwrap().push(server.abort_handle());
    let (sender, mut receiver, driving) = endpoint(Endpoint::client(), asking).open(far).split();
    let driving = tokio::spawn(driving);
    let count = 1 + random.below(40);
    let reset_at = if random.one_in(5) {
        random.below(count)
    } else {
        u64::MAX
    };
    let sending = tokio::spawn(send(sender, life, count, large, Arc::clone(world)));
    let mut expected = 0;
    let mut whole_life = true;
    while expected < count {
        if expected == reset_at {
            world.resets.fetch_add(1, Relaxed);
            driving.abort();
        }
        if random.one_in(100) {
            world.stalls.fetch_add(1, Relaxed);
            let pauses = 1 + random.below(5);
            sleep(Duration::from_millis((world.pause * pauses).min(5000))).await;
        }
        let got = match receiver.recv_stream().await {
            Ok(Some(mut message)) => {
                let mut all = Vec::new();
                loop {
                    match message.part().await {
                        Ok(Some(part)) => all.extend_from_slice(part.as_bytes()),
                        Ok(None) => break Some(all),
                        Err(error) => {
                            assert!(error.is_cut(), "{error}");
                            break None;
                        }
                    }
                }
            }
            Ok(None) => None,
            Err(error) => panic!("{error}"),
        };
        let Some(got) = got else {
            whole_life = false;
            break;
        };
        assert_eq!(
            got,
            payload(life, expected, large),
            "lost, twice or out of order"
        );
        world.messages.fetch_add(1, Relaxed);
        world.bytes.fetch_add(got.len() as u64, Relaxed);
        expected += 1;
    }
    let sender = sending.await.unwrap();
    if whole_life {
        let close =
            tokio::spawn(async move { sender.close(CloseFrame::new(CloseCode::NORMAL)).await });
        assert_eq!(receiver.recv().await.unwrap(), None::<Message>);
        let closed = close.await.unwrap();
        // A server that was restarted meanwhile can't answer.
        let served = server.await;
        assert!(
            closed.is_clean() || served.is_err() || reset_at < count,
            "{closed:?} {served:?}"
        );
    } else {
        world.cut.fetch_add(1, Relaxed);
        drop((sender, receiver));
        let _ = timeout(Duration::from_secs(60), driving)
            .await
            .expect("a stuck driver");
        let _ = timeout(Duration::from_secs(60), server)
            .await
            .expect("a stuck server");
    }
    world.lives.fetch_add(1, Relaxed);
}

/// One connection whose client does everything in one task: nobody else's wake-up helps it out.
async fn live_in_one_task(life: u64, world: &Arc<World>) {
    const LARGE: u64 = 29_000;
    let mut random = Random(life * 2_654_435_761 + 1);
    let (near, far) = pipe(1 << (9 + random.below(8)));
    let [serving, asking] = agreed(&mut random);
    // Neither heartbeat nor restart wakes it: it goes on by itself, or stands still for good.
    let quiet = |ends, agreed| {
        let beat = Heartbeat::new().interval(Duration::from_secs(3600));
        endpoint(ends, agreed).heartbeat(beat)
    };
    let serve = quiet(Endpoint::server(), serving).serve(near, |socket| echo(socket, true));
    let server = tokio::spawn(serve);
    let (sender, mut receiver, driving) = quiet(Endpoint::client(), asking).open(far).split();
    let count = 1 + random.below(40);
    let receive = async {
        for n in 0..count {
            let message = receiver.recv().await.unwrap().expect("nobody ended it");
            let expected = payload(life, n, LARGE);
            assert!(
                message.as_bytes() == expected,
                "lost, twice or out of order"
            );
            world.messages.fetch_add(1, Relaxed);
            world.bytes.fetch_add(message.len() as u64, Relaxed);
        }
    };
    let talk = async {
        let sending = send(sender, life, count, LARGE, Arc::clone(world));
        let ((), sender) = futures_util::join!(receive, sending);
        sender.close(CloseFrame::new(CloseCode::NORMAL)).await
    };
    let (closed, _) = futures_util::join!(talk, driving);
    assert!(closed.is_clean() && server.await.is_ok(), "{closed:?}");
    world.in_one_task.fetch_add(1, Relaxed);
    world.lives.fetch_add(1, Relaxed);
}

/// Lives one after the other, at least one.
async fn many(first: u64, step: u64, world: Arc<World>) {
    for life in (first..).step_by(step as usize) {
        if life % 5 == 0 {
            live_in_one_task(life, &world).await;
        } else {
            live(life, &world).await;
        }
        if world.stop.load(Relaxed) {
            return;
        }
    }
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().unwrap())
}

async fn round(first: u64, connections: u64, time: Duration, world: &Arc<World>) {
    let mut lives = JoinSet::new();
    for n in 0..connections {
        lives.spawn(many(first + n, connections, Arc::clone(world)));
    }
    let end = Instant::now() + time;
    let mut restart = Instant::now() + time / 5;
    while Instant::now() < end {
        sleep(Duration::from_millis(200)).await;
        while let Some(ended) = lives.try_join_next() {
            ended.unwrap();
        }
        let mut servers = world.servers.lock().unwrap();
        servers.retain(|server| !server.is_finished());
        if Instant::now() >= restart {
            restart += time / 5;
            world.restarts.fetch_add(1, Relaxed);
            servers.iter().for_each(AbortHandle::abort);
        }
    }
    world.stop.store(true, Relaxed);
    let rest = async {
        while let Some(ended) = lives.join_next().await {
            ended.unwrap();
        }
    };
    timeout(Duration::from_secs(300), rest)
        .await
        .expect("a stuck connection");
    world.stop.store(false, Relaxed);
}

/// Waits until nobody is left, and says how many are, and what they hold.
async fn rest(world: &World) -> (usize, isize) {
    *world.servers.lock().unwrap() = Vec::new();
    let metrics = tokio::runtime::Handle::current().metrics();
    // The last to be dropped are those that were told to end.
    for _ in 0..600 {
        if metrics.num_alive_tasks() == 0 {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    (metrics.num_alive_tasks(), held())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn lives_leave_nothing_behind() {
    let (seconds, connections) = (number("SOAK_SECONDS", 1), number("SOAK_CONNECTIONS", 40));
    // Many connections are slower ones, so that one machine carries them.
    let pause = (connections * 3).clamp(200, 6000);
    let world = || {
        Arc::new(World {
            pause,
            ..World::default()
        })
    };
    // What a process makes once is made now.
    runtime().block_on(round(1 << 30, 20, Duration::from_millis(100), &world()));
    println!("some lives to begin with");
    let world = world();
    let start = held();
    let half = Duration::from_secs(seconds).div_f64(2.0);
    let runtime = runtime();
    let (first, second) = runtime.block_on(async {
        round(1, connections, half, &world).await;
        let first = (rest(&world).await, resident());
        round(1 << 32, connections, half, &world).await;
        (first, (rest(&world).await, resident()))
    });
    drop(runtime);
    // Before anything is printed: the harness keeps it.
    let more_at_the_end = held() - start;
    let load = |count: &AtomicU64| count.load(Relaxed);
    println!(
        "{} lives ({} compressed, {} in one task) on {connections} connections in {seconds} s: {} messages \
         ({} in parts), {} bytes; \
         {} stalls, {} resets, {} restarts, {} lives cut",
        load(&world.lives),
        load(&world.compressed),
        load(&world.in_one_task),
        load(&world.messages),
        load(&world.in_parts),
        load(&world.bytes),
        load(&world.stalls),
        load(&world.resets),
        load(&world.restarts),
        load(&world.cut),
    );
    // Each of two threads keeps buffers to lend, four idle compressors and four inflaters at most.
    let kept = 2 * (2 << 20);
    for (half, ((tasks, held), resident)) in [("first", first), ("second", second)] {
        let more = held - start;
        println!(
            "after the {half} half: {tasks} tasks, {more} bytes more than before, {resident} KiB resident"
        );
        assert_eq!(tasks, 0, "a task is stuck");
        assert!(more <= kept, "more than threads keep");
    }
    println!("at the end: {more_at_the_end} bytes more than before");
    assert_eq!(more_at_the_end, 0, "memory is not given back");
    assert!(
        second.1 <= first.1 + first.1 / 4 + 4096,
        "resident memory grew"
    );
}
