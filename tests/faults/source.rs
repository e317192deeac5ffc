//! An `EventSource` in each of its states. The clock is tokio's paused one.

use std::{convert::Infallible, future::ready, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use http::{HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{Empty, StreamBody};
use tower_realtime::sse::{EventSource, ReadyState};

use super::event_server::{Play, Server, Step, events, stop};

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has asked, and no answer has come.
    Connecting,
    /// It is open, and nothing has come.
    Open,
    /// Between two events.
    Between,
    /// Within a line.
    InLine,
    /// Within a comment inside an event.
    InComment,
    /// Between CR and LF.
    InLineEnd,
    /// Between two lines of an event.
    InEvent,
    /// After a comment.
    AfterComment,
    /// It waits, to ask again.
    Waiting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The body fails; there is no answer.
    Breaks,
    /// The body ends well.
    Ends,
    /// Nothing comes any more.
    Silence,
    /// The future of the next event is dropped, again and again.
    Dropped,
    /// The source is closed.
    Closed,
    /// Not a fault: the rest comes.
    Nothing,
}

use Fault::*;
use State::*;

const STATES: [State; 9] = [
    Connecting,
    Open,
    Between,
    InLine,
    InComment,
    InLineEnd,
    InEvent,
    AfterComment,
    Waiting,
];
const FAULTS: [Fault; 6] = [Breaks, Ends, Silence, Dropped, Closed, Nothing];

const SECOND: Duration = Duration::from_secs(1);

impl State {
    /// What has come, and what would have come.
    fn script(self) -> (&'static str, &'static str) {
        match self {
            Connecting | Open | Waiting => ("", "id: 2\ndata: two\n\n"),
            Between => ("id: 1\ndata: one\n\n", "id: 2\ndata: two\n\n"),
            InLine => ("id: 1\ndata: one\n\nid: 2\ndata: t", "wo\n\n"),
            InComment => ("id: 1\ndata: one\n\nid: 2\ndata: two\n: ", "\u{2603}\n\n"),
            InLineEnd => ("id: 1\r\ndata: one\r\n\r\nid: 2\r\ndata: two\r", "\n\r\n"),
            InEvent => ("id: 1\ndata: one\n\nid: 2\ndata: two\n", "\n"),
            AfterComment => ("id: 1\ndata: one\n\n: still here\n", "id: 2\ndata: two\n\n"),
        }
    }

    fn has_one(self) -> bool {
        !matches!(self, Connecting | Open | Waiting)
    }
}

fn plays(state: State, fault: Fault) -> Vec<Play> {
    let (way, rest) = state.script();
    let last = [events([Step::Send("id: 3\ndata: three\n\n")]), stop()];
    let mut steps = vec![Step::Send(way)];
    steps.retain(|step| !matches!(step, Step::Send("")));
    match fault {
        Breaks => steps.push(Step::Break),
        Ends => {}
        Silence | Closed => steps.push(Step::Hold),
        Dropped | Nothing => {
            steps.push(Step::Wait(3 * SECOND));
            steps.push(Step::Send(rest));
        }
    }
    let first = match (state, fault) {
        (Connecting, Breaks) => Play::Refuse,
        (Connecting, Silence | Closed) => Play::Silence,
        _ => events(steps),
    };
    let waits = (state == Waiting).then_some(Play::Refuse);
    waits.into_iter().chain([first]).chain(last).collect()
}

/// What comes, and after which ids it was asked for.
async fn run(state: State, fault: Fault) -> (Vec<String>, Vec<String>) {
    let server = Server::new(plays(state, fault));
    let request = Request::get("http://here.test/events").body(Empty::<Bytes>::new());
    let source = EventSource::new(server.client(), request.unwrap(), tokio::time::sleep);
    let mut source = source.idle_timeout(45 * SECOND);
    let mut data = Vec::new();
    let mut next = async |source: &mut EventSource| {
        let message = if fault == Dropped {
            loop {
                if let Some(message) = source.next().now_or_never() {
                    break message;
                }
                tokio::time::sleep(SECOND / 20).await;
            }
        } else {
            source.next().await
        };
        let message = message?.expect("each fault is followed by another attempt");
        data.push(message.data().to_string());
        Some(())
    };
    if fault == Closed {
        if state.has_one() {
            next(&mut source).await;
        }
        // It has to stand where it is to be closed.
        let mut pending = pin!(source.next());
        assert!(pending.as_mut().now_or_never().is_none());
        let _ = tokio::time::timeout(SECOND / 1000, pending).await;
        source.close();
    }
    while next(&mut source).await.is_some() {}
    assert_eq!(source.ready_state(), ReadyState::Closed);
    let id = |head: http::request::Parts| {
        let id = head
            .headers
            .get("last-event-id")
            .map(|id| id.to_str().expect("text").to_owned());
        id.unwrap_or_default()
    };
    (data, server.asked().into_iter().map(id).collect())
}

#[tokio::test(start_paused = true)]
async fn each_state_survives_each_fault() {
    for state in STATES {
        for fault in FAULTS {
            let what = format!("{state:?} {fault:?}");
            let whole = tokio::time::timeout(600 * SECOND, run(state, fault));
            let (data, asked) = whole.await.unwrap_or_else(|_| panic!("{what}: it hangs"));
            // Each whole event once, no half of one, and the next attempt goes on behind the last whole one.
            let mut want: Vec<&str> = Vec::new();
            let mut ids = if state == Waiting {
                vec!["", ""]
            } else {
                vec![""]
            };
            if state.has_one() {
                want.push("one");
            }
            if matches!(fault, Dropped | Nothing) {
                want.push("two");
            }
            if fault == Closed {
                // While it waits it has asked once.
                ids.truncate(1);
            } else {
                ids.push(match want.last() {
                    None => "",
                    Some(&"one") => "1",
                    Some(_) => "2",
                });
                ids.push("3");
                want.push("three");
            }
            assert_eq!(data, want, "{what}");
            assert_eq!(asked, ids, "{what}");
        }
    }
}

/// HTML 9.2.9, as far as it goes without a garbage collector.
#[tokio::test(start_paused = true)]
async fn a_source_that_is_dropped_lets_go_of_its_connection() {
    for polls in [1, 2, 3] {
        let held = Arc::new(());
        let given = Arc::clone(&held);
        let client = tower::service_fn(move |_: Request<Empty<Bytes>>| {
            let given = Arc::clone(&given);
            let events = futures_util::stream::iter(["data: one\n\n", "data: tw"]);
            let events = events
                .chain(futures_util::stream::pending())
                .map(move |text| {
                    let _held = &given;
                    Ok::<_, Infallible>(Frame::data(Bytes::from_static(text.as_bytes())))
                });
            let mut response = Response::new(StreamBody::new(Box::pin(events)));
            let kind = HeaderValue::from_static("text/event-stream");
            response.headers_mut().insert("content-type", kind);
            ready(Ok::<_, Infallible>(response))
        });
        let request = Request::get("http://here.test/events").body(Empty::new());
        let mut source = EventSource::new(client, request.unwrap(), tokio::time::sleep);
        for _ in 0..polls {
            let _ = tokio::time::timeout(SECOND, source.next()).await;
        }
        assert_eq!(source.ready_state(), ReadyState::Open);
        // The service, and the body.
        assert!(Arc::strong_count(&held) > 2, "{polls}");
        drop(source);
        assert_eq!(Arc::strong_count(&held), 1, "{polls}");
    }
}
