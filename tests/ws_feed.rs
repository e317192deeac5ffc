//! What a stream that feeds a socket ends with, and what the peer and the handler learn of it.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "support/script.rs"]
mod script;

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use script::{Far, Frame, Run, transport};
use tower_realtime::{
    BoxError,
    log::EventLog,
    sse::Event,
    topic::{Lagged, Topic},
    ws::{Closed, Endpoint, Limits, Outgoing, Prepared, WebSocket},
};

/// A connection that is fed, and whose handler only receives.
fn feed<S, E>(items: S) -> (Run<impl Future<Output = Closed>>, Far)
where
    S: Stream<Item = Result<&'static str, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    let (near, far) = transport();
    let handler = |socket: WebSocket| async move {
        let mut socket = socket.feed_from(items);
        assert_eq!(socket.recv().await.unwrap(), None);
    };
    let mut run = Run::new(Endpoint::server().serve(near, handler));
    run.go();
    (run, far)
}

/// The peer gets the items and then the code, and so does whoever waits for the end.
#[track_caller]
fn closes<S, E>(items: S, expected: &[&str], code: u16)
where
    S: Stream<Item = Result<&'static str, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    let (mut run, far) = feed(items);
    let mut frames = far.frames();
    let close = frames.pop().unwrap();
    assert_eq!(close.first, 0x88);
    assert_eq!(close.payload[..2], code.to_be_bytes());
    let expected: Vec<_> = expected.iter().map(Frame::text).collect();
    assert_eq!(frames, expected);
    far.send(Frame::close(code, "").masked());
    far.end();
    run.go();
    let closed = run.output.unwrap();
    assert_eq!((closed.code(), closed.is_clean()), (code, true));
}

#[test]
fn a_reader_that_lags_is_told_to_come_back() {
    let topic = Topic::new(2);
    let reader = topic.subscribe();
    topic.publish_all(["1", "2", "3"]);
    closes(reader, &[], 1013);
}

#[test]
fn a_reader_of_a_log_whose_events_are_gone_is_told_to_come_back() {
    let log = EventLog::new(2);
    log.publish(Event::display(0));
    let reader = log.replay();
    for n in 1..100 {
        log.publish(Event::display(n));
    }
    closes(reader.map(|entry| entry.map(|_| "event")), &[], 1013);
}

#[test]
fn the_cause_counts_however_deep_it_is() {
    let topic = Topic::new(1);
    let reader = topic.subscribe();
    topic.publish_all(["1", "2"]);
    #[derive(Debug)]
    struct Wrapped(Lagged);
    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("wrapped")
        }
    }
    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    closes(reader.map(|item| item.map_err(Wrapped)), &[], 1013);
}

#[test]
fn any_other_failure_is_internal() {
    let items = stream::iter([Ok("1"), Err("out of order"), Ok("2")]);
    closes(items, &["1"], 1011);
}

#[test]
fn a_stream_that_panics_is_a_failure_that_the_handler_sees() {
    let items = stream::iter(1..).map(|n| match n {
        3 => panic!("as the test wants it"),
        _ => Ok::<_, BoxError>("item"),
    });
    closes(items, &["item", "item"], 1011);
}

#[test]
fn the_end_of_a_stream_is_no_end_of_the_connection() {
    let (mut run, far) = feed(stream::iter([Ok::<_, BoxError>("1")]));
    assert_eq!(far.frames(), [Frame::text("1")]);
    far.send(Frame::ping("still there").masked());
    run.go();
    assert_eq!(far.frames(), [Frame::pong("still there")]);
}

/// A feed that always has a message of `size` bytes, and how many bytes of it were taken.
fn endless(
    size: usize,
    prepared: bool,
) -> (
    impl Stream<Item = Result<Outgoing, BoxError>> + Send + 'static,
    Arc<AtomicUsize>,
) {
    let payload = Bytes::from(vec![b'x'; size]);
    let all = Arc::new(AtomicUsize::new(0));
    let taken = Arc::clone(&all);
    let items = stream::repeat_with(move || {
        taken.fetch_add(size, Ordering::Relaxed);
        Ok(match prepared {
            true => Prepared::new(payload.clone()).into(),
            false => payload.clone().into(),
        })
    });
    (items, all)
}

async fn fed(
    socket: WebSocket,
    items: impl Stream<Item = Result<Outgoing, BoxError>> + Send + 'static,
) {
    let mut socket = socket.feed_from(items);
    while let Ok(Some(_)) = socket.recv().await {}
}

/// Whatever the sizes: what waits for a transport that takes nothing is the bound of the queue, what is put together
/// for one write, and a message more.
#[test]
fn a_feed_waits_for_the_transport() {
    const SIZES: [usize; 6] = [100, 1000, 10_000, 20_000, 100_000, 1 << 20];
    const BOUND: usize = 64 << 10;
    for endpoint in [Endpoint::server(), Endpoint::client()] {
        for (size, prepared) in SIZES
            .into_iter()
            .flat_map(|size| [(size, false), (size, true)])
        {
            let (near, far) = transport();
            let (items, all) = endless(size, prepared);
            far.room(0);
            let mut run = Run::new(endpoint.serve(near, |socket| fed(socket, items)));
            let mut written = 0;
            for _ in 0..5 {
                run.go();
                written += far.written().len();
                let waiting = all.load(Ordering::Relaxed).saturating_sub(written);
                assert!(waiting <= 2 * BOUND + size, "{size}, {prepared}: {waiting}");
                far.room(3 << 20);
            }
        }
    }
}

/// Also where the transport takes everything, a feed that always has more leaves the thread to others.
#[test]
fn a_feed_has_a_share_of_the_thread_by_bytes() {
    for endpoint in [Endpoint::server(), Endpoint::client()] {
        for (size, limit) in [
            (10_000, 64 << 10),
            (100_000, 64 << 10),
            (100_000, 1 << 20),
            (10, 0),
        ] {
            let (near, _far) = transport();
            let (items, all) = endless(size, false);
            let endpoint = endpoint.clone().limits(Limits::new().queued_bytes(limit));
            let mut run = pin!(endpoint.serve(near, |socket| fed(socket, items)));
            let mut before = 0;
            for _ in 0..5 {
                let turn = run.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(turn.is_pending());
                let all = all.load(Ordering::Relaxed);
                let moved = all - before;
                assert!(
                    moved >= limit.min(size) && moved <= limit + size,
                    "{size}: {moved}"
                );
                before = all;
            }
        }
    }
}
