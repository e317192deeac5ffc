//! A client that opens its WebSocket again, at a pace that servers survive. Hours pass at once.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use http::{Request, Response};
use tower::{Service, service_fn};
use tower_realtime::{
    lifecycle::Backoff,
    loopback::{Faults, Loopback},
    rt::{ManualClock, Tokio},
    ws::{Acceptor, Connector, Message, WebSocket},
};

/// A server that answers with the given statuses in turn, and then with an echo.
fn server(
    statuses: &[(u16, &'static str)],
    faults: &Faults,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ use<> {
    let statuses = Arc::new(Mutex::new(VecDeque::from(statuses.to_vec())));
    let service = service_fn(move |request: Request<Body>| {
        let next = statuses.lock().unwrap().pop_front();
        async move {
            Ok(match next {
                None => Acceptor::new().upgrade(request, Tokio, echo),
                Some((status, retry_after)) => {
                    let response = Response::builder().status(status);
                    response
                        .header("retry-after", retry_after)
                        .header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
                        .body(Body::empty())
                        .unwrap()
                }
            })
        }
    });
    Loopback::new(service).faults(faults.clone())
}

async fn echo(mut socket: WebSocket) {
    while let Ok(Some(message)) = socket.recv().await {
        let _ = socket.send(message).await;
    }
}

/// Moves the clock in steps until the task has ended; how far it had to go.
async fn until<T>(clock: &ManualClock, task: &tokio::task::JoinHandle<T>) -> Duration {
    in_steps(clock, task, Duration::from_millis(50)).await
}

async fn in_steps<T>(
    clock: &ManualClock,
    task: &tokio::task::JoinHandle<T>,
    step: Duration,
) -> Duration {
    let start = clock.now();
    for _ in 0..1_000_000 {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        if task.is_finished() {
            break;
        }
        clock.advance(step);
    }
    clock.now() - start
}

fn request() -> Result<Request<Body>, http::Error> {
    Request::get("ws://example.com/").body(Body::empty())
}

#[tokio::test]
async fn tries_again_until_it_is_open() {
    let clock = ManualClock::new();
    let made = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&made);
    let server = server(&[(503, ""), (429, "7"), (500, "")], &Faults::new());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&seen);
    let mut connections = Connector::new()
        .reconnecting(server, clock.clone(), move || {
            count.fetch_add(1, Ordering::Relaxed);
            async { request() }
        })
        .on_failure(move |failure| tell.lock().unwrap().push(failure));
    let task = tokio::spawn(async move { connections.next().await.unwrap().0 });
    let waited = until(&clock, &task).await;
    // Up to 1 s, from 7 s on, up to 4 s.
    assert!(waited >= Duration::from_secs(7), "{waited:?}");
    assert!(waited <= Duration::from_secs(1 + 30 + 8), "{waited:?}");
    assert_eq!(made.load(Ordering::Relaxed), 4);
    let seen: Vec<_> = std::mem::take(&mut *seen.lock().unwrap());
    let told = seen
        .iter()
        .map(|one| (one.failed, one.cause.status().unwrap().as_u16()));
    assert!(told.eq([(1, 503), (2, 429), (3, 500)]), "{seen:?}");
    let waits: Duration = seen.iter().map(|one| one.after).sum();
    assert!(waits <= waited && waited < waits + Duration::from_secs(1));
    let mut socket = task.await.unwrap();
    socket.send("hi").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some(Message::text("hi")));
}

/// A date is held against the server's own; and nobody is made to wait for more than an hour.
#[tokio::test]
async fn waits_until_the_date_that_the_server_names() {
    for (retry_after, seconds) in [
        ("Sun, 06 Nov 1994 08:50:07 GMT", 30),
        ("Mon, 07 Nov 1994 08:49:37 GMT", 3600),
        ("7200", 3600),
    ] {
        let clock = ManualClock::new();
        let server = server(&[(503, retry_after)], &Faults::new());
        let mut connections =
            Connector::new().reconnecting(server, clock.clone(), async || request());
        let task = tokio::spawn(async move { connections.next().await.unwrap().0 });
        let waited = in_steps(&clock, &task, Duration::from_secs(1)).await;
        let least = Duration::from_secs(seconds);
        assert!(
            (least..=least * 2).contains(&waited),
            "{retry_after}: {waited:?}"
        );
    }
}

#[tokio::test]
async fn does_not_repeat_what_will_not_help() {
    for status in [400, 401, 403, 404, 426, 501] {
        let clock = ManualClock::new();
        let server = server(&[(status, "")], &Faults::new());
        let mut connections = Connector::new()
            .reconnecting(server, clock, async || request())
            .on_failure(|failure| panic!("the last is returned: {failure:?}"));
        let error = connections.next().await.err().unwrap();
        assert_eq!(error.status().unwrap(), status);
    }
}

#[tokio::test]
async fn a_lost_connection_is_followed_by_another() {
    let (clock, faults) = (ManualClock::new(), Faults::new());
    let mut connections =
        Connector::new().reconnecting(server(&[], &faults), clock.clone(), async || request());
    for _ in 0..3 {
        let task = tokio::spawn(async move {
            let (socket, _) = connections.next().await.unwrap();
            (socket, connections)
        });
        until(&clock, &task).await;
        let (mut socket, rest) = task.await.unwrap();
        connections = rest;
        faults.reset();
        assert!(!matches!(socket.recv().await, Ok(Some(_))));
    }
}

#[tokio::test]
async fn connections_that_do_not_last_are_backed_off_from() {
    let (clock, faults) = (ManualClock::new(), Faults::new());
    let backoff = Backoff::new()
        .max_attempts(3)
        .healthy_after(Duration::from_secs(10));
    let mut connections = Connector::new()
        .reconnecting(server(&[], &faults), clock.clone(), async || request())
        .backoff(backoff);
    let mut opened = 0;
    loop {
        let task = tokio::spawn(async move { (connections.next().await, connections) });
        until(&clock, &task).await;
        let (result, rest) = task.await.unwrap();
        connections = rest;
        let Ok((socket, _)) = result else { break };
        opened += 1;
        if opened == 2 {
            clock.advance(Duration::from_secs(10)); // this one was healthy
        }
        drop(socket);
    }
    // The first did not last, the second did, and then three did not.
    assert_eq!(opened, 5);
}

#[tokio::test]
async fn a_request_that_cannot_be_made_is_the_end() {
    let mut connections = Connector::new().reconnecting(
        server(&[], &Faults::new()),
        ManualClock::new(),
        async || Err::<Request<Body>, _>("no token"),
    );
    let error = connections.next().await.err().unwrap();
    assert!(error.is_request());
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "no token"
    );
}
