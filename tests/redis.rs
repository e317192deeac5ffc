//! Logs in Redis, against a real server that is restarted and whose connections are cut.
//!
//! Run it with `scripts/redis-test`, which sees to it that there is a `redis-server`; each test starts its own, with
//! an append-only file in a directory of its own.

#[path = "support/haproxy.rs"]
mod haproxy;
#[path = "support/redis_server.rs"]
mod redis_server;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures_util::{StreamExt, future::join_all};
use haproxy::Proxy;
use redis_server::{Server, Wire, free_port};
use tokio::time::sleep;
use tower_realtime::{
    log::{
        EventLog, Gap, Resume, Store, conformance,
        redis::{Redis, RedisStream},
    },
    rt,
    sse::Event,
};

fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

/// Follows a log from its oldest event until it has seen `end`, resuming where the stream ends. Says what came.
async fn follow(log: EventLog<RedisStream>, patience: usize) -> Vec<String> {
    let (mut seen, mut last) = (Vec::new(), String::new());
    loop {
        let resume = match log.try_resume(&last).await {
            Ok(resume) => resume,
            Err(error) if error.is_unreachable() => continue,
            Err(error) => panic!("{error:?}"),
        };
        let events = match resume {
            Resume::Complete(events) if last.is_empty() => events.from_oldest(),
            Resume::Complete(events) => events,
            Resume::Gap(events) => panic!("a gap after {last}: {:?}", events.gap()),
        };
        let mut events = events.take(patience);
        while let Some(Ok(entry)) = events.next().await {
            if entry.data() == "end" {
                return seen;
            }
            entry.id().expect("an id").clone_into(&mut last);
            seen.push(entry.data().into_owned());
        }
    }
}

/// Two processes' worth of handles, publishers and followers on both, while `trouble` happens.
async fn nothing_is_lost_or_repeated(url: [String; 2], trouble: impl AsyncFnOnce()) {
    const EVENTS: usize = 400;
    let open = |url: &str| {
        Redis::open(url, rt::Tokio)
            .expect("a URL")
            .keep(100_000)
            .attempts(30)
    };
    let nodes = [open(&url[0]), open(&url[1])];
    let followers: Vec<_> = (0..8)
        .map(|n| {
            (
                nodes[n % 2].log("news"),
                if n < 4 { usize::MAX } else { 17 * n },
            )
        })
        .map(|(log, patience)| tokio::spawn(follow(log, patience)))
        .collect();
    let publishers: Vec<_> = (0..4)
        .map(|n| (n, nodes[n % 2].log("news")))
        .map(|(n, log)| {
            tokio::spawn(async move {
                for m in 0..EVENTS {
                    let event = Event::display(format_args!("{n} {m}"));
                    log.try_publish(event)
                        .await
                        .expect("it is published in the end");
                    sleep(Duration::from_millis(5)).await;
                }
            })
        })
        .collect();
    trouble().await;
    for publisher in publishers {
        publisher.await.expect("no publisher fails");
    }
    let end = nodes[0].log("news").try_publish(Event::new("end")).await;
    end.expect("it is published in the end");
    let mut all = Vec::new();
    for follower in followers {
        all.push(follower.await.expect("no follower fails"));
    }
    assert!(all.iter().all(|seen| *seen == all[0]), "all see the same");
    for publisher in 0..4 {
        let prefix = format!("{publisher} ");
        let numbers = all[0].iter().filter_map(|data| data.strip_prefix(&prefix));
        let numbers: Vec<usize> = numbers.map(|n| n.parse().expect("a number")).collect();
        let expected: Vec<_> = (0..EVENTS).collect();
        assert_eq!(numbers, expected, "publisher {publisher}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a redis-server: scripts/redis-test"]
async fn a_store_in_redis_keeps_the_promises() {
    let server = Server::start();
    let redis = Redis::open(&url(server.port), rt::Tokio).unwrap();
    let number = AtomicU32::new(0);
    let make = async |keep| {
        let name = format!("log {}", number.fetch_add(1, Ordering::Relaxed));
        redis.clone().keep(keep).stream(&name)
    };
    conformance::check(make).await.unwrap();
}

#[test]
#[ignore = "needs a redis-server: scripts/redis-test"]
fn a_store_in_redis_keeps_the_promises_on_smol() {
    let server = Server::start();
    let redis = Redis::open(&url(server.port), rt::Smol).unwrap();
    let number = AtomicU32::new(0);
    let make = async |keep| {
        let name = format!("log {}", number.fetch_add(1, Ordering::Relaxed));
        redis.clone().keep(keep).stream(&name)
    };
    smol::block_on(conformance::check(make)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a redis-server: scripts/redis-test"]
async fn cut_connections_lose_and_repeat_nothing() {
    let server = Server::start();
    let wires = [Wire::to(server.port).await, Wire::to(server.port).await];
    let urls = [wires[0].url(), wires[1].url()];
    nothing_is_lost_or_repeated(urls, async || {
        for n in 0..30 {
            sleep(Duration::from_millis(70 + n)).await;
            wires[n as usize % 2].cut();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a redis-server: scripts/redis-test"]
async fn restarts_and_crashes_lose_and_repeat_nothing() {
    let mut server = Server::start();
    let urls = [url(server.port), url(server.port)];
    nothing_is_lost_or_repeated(urls, async || {
        for _ in 0..3 {
            sleep(Duration::from_millis(400)).await;
            server.kill();
            sleep(Duration::from_millis(300)).await;
            server.up();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a redis-server: scripts/redis-test"]
async fn a_server_that_lost_its_memory_makes_gaps() {
    let server = Server::start();
    let wire = Wire::to(server.port).await;
    let log = Redis::open(&wire.url(), rt::Tokio).unwrap().log("news");
    let mut live = log.try_resume("").await.unwrap().or_oldest();
    let id = log.try_publish(Event::new("1")).await.unwrap();
    assert_eq!(live.next().await.unwrap().unwrap().data(), "1");
    server.command(&["FLUSHALL"]);
    log.try_publish(Event::new("2")).await.unwrap();
    assert!(live.next().await.unwrap().unwrap_err().is_gap());
    let gap = log.try_resume(&id).await.unwrap().complete().unwrap_err();
    assert_eq!(gap, Gap::TooOld);

    // Also while the connection is away, and nothing is published.
    let resume = log.try_resume("").await.unwrap();
    let mut live = resume.complete().unwrap().from_oldest();
    assert_eq!(live.next().await.unwrap().unwrap().data(), "2");
    server.command(&["FLUSHALL"]);
    wire.cut();
    assert!(live.next().await.is_none());
}

/// A replica that has everything its master has.
fn replica_of(master: &Server) -> Server {
    let replica = Server::start();
    replica.command(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]);
    replica.until(&["INFO", "replication"], "master_link_status:up");
    replica
}

/// A planned failover: the master hands over to its replica, and the address leads there, now soon and now late, with
/// and without the end of the connections to the old one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a redis-server: scripts/redis-test"]
async fn a_failover_of_everything_loses_and_repeats_nothing() {
    let servers = [Server::start(), Server::start()];
    let port = |n: usize| servers[n].port.to_string();
    servers[1].command(&["REPLICAOF", "127.0.0.1", &port(0)]);
    let wires = [
        Wire::to(servers[0].port).await,
        Wire::to(servers[0].port).await,
    ];
    let urls = [wires[0].url(), wires[1].url()];
    nothing_is_lost_or_repeated(urls, async || {
        for n in 0..4 {
            let (old, new) = (n % 2, (n + 1) % 2);
            servers[new].until(&["INFO", "replication"], "master_link_status:up");
            sleep(Duration::from_millis(300)).await;
            let started = servers[old].command(&["FAILOVER", "TO", "127.0.0.1", &port(new)]);
            assert!(started.contains("OK"), "{started}");
            servers[new].until(&["INFO", "replication"], "role:master");
            sleep(Duration::from_millis(100 * n as u64)).await;
            for wire in &wires {
                wire.server.store(servers[new].port, Ordering::SeqCst);
                if n != 2 {
                    wire.cut();
                }
            }
        }
    })
    .await;
}

/// An unplanned one: the master dies with events that its replica does not have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a redis-server: scripts/redis-test"]
async fn a_failover_tells_of_what_was_not_replicated() {
    let mut master = Server::start();
    let replica = replica_of(&master);
    let wire = Wire::to(master.port).await;
    let log = Redis::open(&wire.url(), rt::Tokio).unwrap().log("news");
    let mut live = log.try_resume("").await.unwrap().or_oldest();
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(log.try_publish(Event::display(n)).await.unwrap());
    }
    assert!(master.command(&["WAIT", "1", "0"]).contains(":1"));
    let offset = |server: &Server| {
        let info = server.command(&["INFO", "replication"]);
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("master_repl_offset:"));
        line.map(str::to_owned)
    };
    while offset(&master) != offset(&replica) {
        sleep(Duration::from_millis(5)).await;
    }
    replica.command(&["REPLICAOF", "NO", "ONE"]);
    for n in 10..15 {
        ids.push(log.try_publish(Event::display(n)).await.unwrap());
    }
    for n in 0..15 {
        assert_eq!(live.next().await.unwrap().unwrap().data(), n.to_string());
    }
    master.kill();
    wire.server.store(replica.port, Ordering::SeqCst);
    wire.cut();

    // Who has seen what is gone is told, whether or not something came in its place.
    assert!(!matches!(live.next().await, Some(Ok(_))));
    let gap = log
        .try_resume(&ids[14])
        .await
        .unwrap()
        .complete()
        .unwrap_err();
    assert!(matches!(gap, Gap::Future | Gap::TooOld), "{gap:?}");
    ids.push(log.try_publish(Event::new("15")).await.unwrap());
    for id in &ids[10..15] {
        let resume = log.try_resume(id).await.unwrap();
        assert_eq!(resume.complete().unwrap_err(), Gap::TooOld, "{id}");
    }
    // And nobody else is.
    for (n, id) in ids[..10].iter().enumerate() {
        let mut events = log.try_resume(id).await.unwrap().complete().unwrap();
        for n in (n + 1..10).chain([15]) {
            assert_eq!(events.next().await.unwrap().unwrap().data(), n.to_string());
        }
    }
}

/// A master may be told to take nothing while too few replicas have it (`min-replicas-to-write`), as it is for a moment
/// after a failover: that passes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a redis-server: scripts/redis-test"]
async fn a_master_without_replicas_is_waited_for() {
    let master = Server::start_with(&["--min-replicas-to-write", "1"]);
    let redis = Redis::open(&url(master.port), rt::Tokio).unwrap();
    let impatient = redis.clone().attempts(2).log("news");
    let error = impatient.try_publish(Event::new("0")).await.unwrap_err();
    assert!(
        error.is_unreachable() && !error.may_be_published(),
        "{error:?}"
    );
    let log = redis.attempts(30).log("news");
    let patient = tokio::spawn(async move { log.try_publish(Event::new("1")).await.map(drop) });
    let _replica = replica_of(&master);
    patient.await.unwrap().unwrap();
    let length = master.command(&["XLEN", "tower-realtime:news"]);
    assert_eq!(length, ":1\r\n");
}

/// The configuration of the guide on scaling, with our ports in place of its addresses.
fn behind_haproxy(port: u16, servers: &[Server; 2], sentinel: &Server) -> Proxy {
    let guide = include_str!("../docs/guide/scaling.md");
    let (_, config) = guide.split_once("```haproxy\n").expect("a configuration");
    let (config, _) = config.split_once("```").expect("its end");
    let mut config = config
        .replace("bind :6379", &format!("bind 127.0.0.1:{port}"))
        .replace("10.0.0.3:26379", &format!("127.0.0.1:{}", sentinel.port));
    for (server, name) in servers.iter().zip(["10.0.0.1", "10.0.0.2"]) {
        let port = server.port.to_string();
        let expected = format!("127.0.0.1\\r\\n${}\\r\\n{port}", port.len());
        config = config
            .replace(&format!("{name}\\r\\n$4\\r\\n6379"), &expected)
            .replace(&format!("{name}:6379"), &format!("127.0.0.1:{port}"));
    }
    assert!(!config.contains("10.0.0."), "{config}");
    Proxy::start(port, &config)
}

fn sentinel_of(master: &Server) -> Server {
    Server::run(|dir, port| {
        let config = format!(
            "bind 127.0.0.1\nport {port}\nsentinel monitor logs 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds logs 500\nsentinel failover-timeout logs 5000\n",
            master.port
        );
        let path = dir.join("sentinel.conf");
        std::fs::write(&path, config).expect("a file");
        vec![path.display().to_string(), "--sentinel".into()]
    })
}

/// The master dies and Sentinel takes the replica for it; later the old one comes back, for a while as a second master
/// that has missed everything since. What was replicated is there once, what is published meanwhile waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a redis-server: scripts/redis-test"]
async fn a_failover_of_sentinel_behind_haproxy_loses_and_repeats_nothing() {
    const EVENTS: usize = 100;
    let master = Server::start();
    let replica = replica_of(&master);
    let mut servers = [master, replica];
    let sentinel = sentinel_of(&servers[0]);
    sentinel.until(
        &["SENTINEL", "REPLICAS", "logs"],
        "master-link-status\r\n$2\r\nok",
    );
    let port = free_port();
    let _proxy = behind_haproxy(port, &servers, &sentinel);
    let redis = Redis::open(&url(port), rt::Tokio).unwrap().attempts(60);
    let log = redis.keep(10_000).log("news");
    let publish = async |from: usize, to: usize| {
        for n in from..to {
            log.try_publish(Event::display(n)).await.unwrap();
        }
    };

    publish(0, EVENTS).await;
    let followers: Vec<_> = [usize::MAX, 7]
        .map(|patience| tokio::spawn(follow(log.clone(), patience)))
        .into();
    publish(EVENTS, 2 * EVENTS).await;
    let replicated = format!(":{}\r\n", 2 * EVENTS);
    servers[1].until(&["XLEN", "tower-realtime:news"], &replicated);
    servers[0].kill();
    publish(2 * EVENTS, 3 * EVENTS).await;
    // It believes to be the master, until Sentinel tells it what happened.
    servers[0].up();
    assert!(servers[0].command(&["ROLE"]).contains("master"));
    publish(3 * EVENTS, 4 * EVENTS).await;
    servers[0].until(&["INFO", "replication"], "master_link_status:up");
    publish(4 * EVENTS, 5 * EVENTS).await;
    log.try_publish(Event::new("end")).await.unwrap();
    let expected: Vec<_> = (0..5 * EVENTS).map(|n| n.to_string()).collect();
    for follower in followers {
        assert!(follower.await.unwrap() == expected);
    }
}

/// Certificates that `scripts/redis-test` has made: `ca.pem` is believed, `stranger.pem` is not.
fn tls(certificate: &str, port: u16) -> Vec<String> {
    let dir = std::env::var("REDIS_TLS").expect("scripts/redis-test makes certificates");
    let file = |end| format!("{dir}/{certificate}.{end}");
    [
        ["--tls-port", &port.to_string()],
        ["--tls-cert-file", &file("pem")],
        ["--tls-key-file", &file("key")],
        ["--tls-ca-cert-file", &format!("{dir}/ca.pem")],
        ["--tls-auth-clients", "no"],
    ]
    .concat()
    .into_iter()
    .map(str::to_owned)
    .collect()
}

fn start_with_tls(certificate: &str) -> (Server, u16) {
    let port = free_port();
    let arguments = tls(certificate, port);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    (Server::start_with(&arguments), port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a redis-server: scripts/redis-test"]
async fn the_url_brings_tls_and_a_user() {
    let (server, port) = start_with_tls("server");
    for rules in [
        ["app", "on", ">se:cret", "~tower-realtime:*", "+@all"],
        ["default", "off", "nopass", "~*", "+@all"],
    ] {
        let done = server.command(&[&["ACL", "SETUSER"], &rules[..]].concat());
        assert!(done.contains("OK"), "{done}");
    }
    let wires = [Wire::to(port).await, Wire::to(port).await];
    let url = |wire: &Wire| format!("rediss://app:se%3Acret@127.0.0.1:{}", wire.port);
    nothing_is_lost_or_repeated([url(&wires[0]), url(&wires[1])], async || {
        for n in 0..6 {
            sleep(Duration::from_millis(300)).await;
            wires[n % 2].cut();
        }
    })
    .await;

    let (_stranger, strange) = start_with_tls("stranger");
    for (url, refused) in [
        (format!("rediss://app:wrong@127.0.0.1:{port}"), true),
        (format!("rediss://127.0.0.1:{port}"), true),
        // No plain text where TLS is spoken, no TLS where plain text is, no certificate of a stranger.
        (format!("redis://app:se%3Acret@127.0.0.1:{port}"), false),
        (
            format!("rediss://app:se%3Acret@127.0.0.1:{}", server.port),
            false,
        ),
        (format!("rediss://127.0.0.1:{strange}"), false),
    ] {
        let redis = Redis::open(&url, rt::Tokio).unwrap().attempts(2);
        let failed = redis.log("news").try_publish(Event::new("1")).await;
        let error = failed.expect_err(&url);
        assert_eq!(error.is_refused(), refused, "{url}: {error:?}");
        assert!(!error.may_be_published(), "{url}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a redis-server: scripts/redis-test"]
async fn errors_are_clear_and_come_in_time() {
    let mut server = Server::start();
    let redis = Redis::open(&url(server.port), rt::Tokio)
        .unwrap()
        .attempts(2);
    let log = redis.log("news");
    log.try_publish(Event::new("1")).await.unwrap();
    server.command(&["SET", "tower-realtime:text", "no stream"]);
    let error = redis
        .log("text")
        .try_publish(Event::new("1"))
        .await
        .unwrap_err();
    assert!(error.is_refused() && !error.may_be_published(), "{error:?}");
    server.command(&["CONFIG", "SET", "requirepass", "secret"]);
    let with = |auth: &str| format!("redis://{auth}127.0.0.1:{}", server.port);
    let stranger = Redis::open(&with(""), rt::Tokio).unwrap();
    let error = stranger
        .log("news")
        .try_publish(Event::new("2"))
        .await
        .unwrap_err();
    assert!(error.is_refused(), "{error:?}");
    let friend = Redis::open(&with(":secret@"), rt::Tokio).unwrap();
    friend
        .log("news")
        .try_publish(Event::new("2"))
        .await
        .unwrap();
    server.kill();
    let error = log.try_publish(Event::new("3")).await.unwrap_err();
    assert!(error.is_unreachable(), "{error:?}");
    assert!(Redis::open("no url", rt::Tokio).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a redis-server: scripts/redis-test"]
async fn many_logs_share_one_reader_and_are_forgotten() {
    let server = Server::start();
    let redis = Redis::open(&url(server.port), rt::Tokio).unwrap();
    let logs: Vec<_> = (0..200).map(|n| redis.log(&format!("room {n}"))).collect();
    let mut live = Vec::new();
    for log in &logs {
        live.push(log.try_resume("").await.unwrap().or_oldest());
    }
    let clients = server.command(&["INFO", "clients"]);
    assert!(clients.contains("connected_clients:3"), "{clients}");
    join_all(logs.iter().enumerate().map(async |(n, log)| {
        log.try_publish(Event::display(n)).await.unwrap();
    }))
    .await;
    for (n, live) in live.iter_mut().enumerate() {
        assert_eq!(live.next().await.unwrap().unwrap().data(), n.to_string());
    }
    drop(live);
    // The reader wakes, sees that nobody follows anything, and its connection goes.
    while !server
        .command(&["INFO", "clients"])
        .contains("connected_clients:2")
    {
        sleep(Duration::from_millis(100)).await;
    }
    let stream = logs[0].store();
    assert_eq!(
        stream
            .read(tower_realtime::log::Start::Oldest, 9)
            .await
            .unwrap()
            .events
            .len(),
        1
    );
}

/// Of `INFO`: the number behind a name.
fn number(server: &Server, section: &str, name: &str) -> f64 {
    let info = server.command(&["INFO", section]);
    let value = info.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key == name).then(|| value.parse().expect("a number"))
    });
    value.expect("every server tells")
}

/// Microseconds of its processor time that a server has used.
fn processor(server: &Server) -> f64 {
    1e6 * (number(server, "cpu", "used_cpu_user") + number(server, "cpu", "used_cpu_sys"))
}

/// Where the figures of the guide on scaling come from: `scripts/redis-test costs --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a redis-server: scripts/redis-test"]
async fn what_it_costs_the_server() {
    const EVENTS: usize = 10_000;
    // Without the append-only file, whose cost is the disk's.
    let server = Server::start_with(&["--appendonly", "no"]);
    let redis = Redis::open(&url(server.port), rt::Tokio)
        .unwrap()
        .keep(100_000);
    for size in [100, 1_000] {
        let log = redis.log(&format!("events of {size}"));
        log.try_publish(Event::new("first")).await.unwrap();
        let before = (processor(&server), number(&server, "memory", "used_memory"));
        for _ in 0..EVENTS / 100 {
            let some = (0..100).map(|_| log.try_publish(Event::new("x".repeat(size))));
            for published in join_all(some).await {
                published.unwrap();
            }
        }
        let cpu = (processor(&server) - before.0) / EVENTS as f64;
        let memory = (number(&server, "memory", "used_memory") - before.1) / EVENTS as f64;
        println!("{size} B: {cpu:.1} us of Redis for each event published, {memory:.0} B held");
        assert!(memory < size as f64 + 300.0, "{memory} B");
    }
    for logs in [1, 100, 1_000, 5_000] {
        let redis = redis.clone().prefix(&format!("{logs}:"));
        let all: Vec<_> = (0..logs).map(|n| redis.log(&n.to_string())).collect();
        let mut live = Vec::new();
        for log in &all {
            live.push(log.try_resume("").await.unwrap().or_oldest());
        }
        sleep(Duration::from_millis(500)).await;
        let before = processor(&server);
        for n in 0..200 {
            all[n % logs].try_publish(Event::new("x")).await.unwrap();
            live[n % logs].next().await.unwrap().unwrap();
        }
        let each = (processor(&server) - before) / 200.0;
        println!(
            "{logs} logs followed: {each:.0} us of Redis for an event published and read alone"
        );
    }
}
