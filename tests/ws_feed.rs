//! What a stream that feeds a socket ends with, and what the peer and the handler learn of it.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "support/script.rs"]
mod script;

use std::{error::Error, fmt, future::Future};

use futures_util::{Stream, StreamExt, stream};
use script::{Far, Frame, Run, transport};
use tower_realtime::{
    BoxError,
    log::EventLog,
    sse::Event,
    topic::{Lagged, Topic},
    ws::{Closed, Endpoint, WebSocket},
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
