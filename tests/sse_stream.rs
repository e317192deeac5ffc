//! `EventStream`: a body to messages. What it decodes is told in `sse_decode.rs`.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http::HeaderMap;
use http_body::{Body, Frame};
use tower_realtime::sse::{Decoder, EventStream, Limits};

/// A body that plays a script. At the end of the script it is pending.
#[derive(Default)]
struct Script(VecDeque<Step>);

enum Step {
    Data(&'static str),
    Trailers,
    Fail,
    End,
    Wait,
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match self.0.pop_front() {
            Some(Step::Data(text)) => Some(Ok(Frame::data(Bytes::from(text)))),
            Some(Step::Trailers) => Some(Ok(Frame::trailers(HeaderMap::new()))),
            Some(Step::Fail) => Some(Err(io::Error::other("cut"))),
            Some(Step::End) => None,
            Some(Step::Wait) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            None => return Poll::Pending,
        })
    }
}

fn messages(steps: impl IntoIterator<Item = Step>) -> EventStream<Script> {
    EventStream::new(Script(steps.into_iter().collect()))
}

/// The data of the next message, if it is there now.
fn now<B>(stream: &mut EventStream<B>) -> Option<Option<String>>
where
    B: Body<Error: Into<tower_realtime::BoxError>> + Unpin,
{
    let next = stream.next().now_or_never()?;
    Some(next.map(|message| message.expect("a message").data().to_string()))
}

#[test]
fn the_end_of_the_body_is_an_end_and_no_error() {
    let mut stream = messages([Step::Data("data: a\n\ndata: b"), Step::End]);
    assert_eq!(now(&mut stream), Some(Some("a".to_owned())));
    assert_eq!(now(&mut stream), Some(None));
    assert_eq!(now(&mut stream), Some(None), "and stays one");
}

#[test]
fn messages_come_before_the_body_ends() {
    let mut stream = messages([Step::Data("data: a\n\n"), Step::Data("data: b\r\r")]);
    assert_eq!(now(&mut stream), Some(Some("a".to_owned())));
    assert_eq!(now(&mut stream), Some(Some("b".to_owned())));
    assert_eq!(now(&mut stream), None);
}

#[test]
fn a_broken_body_is_one_error_and_then_the_end() {
    let mut stream = messages([Step::Data("id: 4\ndata: a\n\ndata: b\n"), Step::Fail]);
    assert_eq!(now(&mut stream), Some(Some("a".to_owned())));
    let error = stream.next().now_or_never().unwrap().unwrap().unwrap_err();
    assert!(error.is_body() && !error.is_too_large());
    let cause = std::error::Error::source(&error).unwrap();
    assert!(cause.is::<io::Error>());
    assert_eq!(now(&mut stream), Some(None));
    assert_eq!(stream.last_event_id(), "4");
}

#[test]
fn a_limit_is_one_error_and_then_the_end() {
    let body = Script([Step::Data("data: a long line\n\ndata: b\n\n")].into());
    let decoder = Decoder::new().limits(Limits::new().line(8));
    let mut stream = EventStream::with_decoder(body, decoder);
    let error = stream.next().now_or_never().unwrap().unwrap().unwrap_err();
    assert!(error.is_too_large());
    assert_eq!(now(&mut stream), Some(None));
}

#[test]
fn trailers_and_dropped_futures_lose_nothing() {
    let mut stream = messages([
        Step::Data("data: "),
        Step::Wait,
        Step::Data("a\n"),
        Step::Wait,
        Step::Data("\n"),
        Step::Trailers,
        Step::End,
    ]);
    // Each of these drops its `next()`.
    assert_eq!(now(&mut stream), None);
    assert_eq!(now(&mut stream), None);
    assert_eq!(now(&mut stream), Some(Some("a".to_owned())));
    assert_eq!(now(&mut stream), Some(None));
}

#[test]
fn a_body_of_comments_does_not_keep_the_task() {
    let comments = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(b": x\n\n")));
    let mut stream = EventStream::from_stream(comments);
    assert_eq!(now(&mut stream), None, "it gives way");
}

const STREAMS: [&str; 6] = [
    "data: one\n\n",
    "id: 7\nevent: e\ndata: one\ndata: two\n\ndata: three\n\n",
    "id: 7\n\ndata: one\n\ndata: unfin",
    ": a comment\ndata: one\r\n\r\nid: 8\ndata: two\n\n",
    "data: one\r\r: a comm",
    "event: e\nid: 9\ndata: a\ndata\ndata: b\n\n\n:c\nretry: 5\ndata: d\n\n",
];

/// A stream may be idle for hours, and its last chunk be a slice of a large buffer.
#[test]
fn who_waits_for_the_body_holds_none_of_its_chunks() {
    for text in STREAMS {
        let chunk = Bytes::from(text.to_owned());
        let body = stream::iter([Ok::<_, io::Error>(chunk.clone())]).chain(stream::pending());
        let mut events = EventStream::from_stream(body);
        while events.next().now_or_never().is_some() {}
        assert!(chunk.is_unique(), "{text:?}");
    }
}

#[test]
fn waits_anywhere_change_nothing() {
    for text in STREAMS {
        let mut decoder = Decoder::new();
        decoder.push_bytes(Bytes::from(text));
        let whole: Vec<_> = decoder.map(|message| format!("{message:?}")).collect();
        for piece in 1..=text.len() {
            let pieces = (0..text.len()).step_by(piece);
            let steps = pieces.flat_map(|at| {
                let piece = &text[at..text.len().min(at + piece)];
                [Step::Wait, Step::Data(piece), Step::Wait]
            });
            let mut events = messages(steps);
            let mut got = Vec::new();
            for _poll in 0..4 * text.len() {
                got.extend(events.next().now_or_never().flatten());
            }
            let got: Vec<_> = got.iter().map(|message| format!("{message:?}")).collect();
            assert_eq!(got, whole, "{text:?} in pieces of {piece}");
        }
    }
}

#[test]
fn a_stream_of_bytes_will_do() {
    let bytes = stream::iter(["retry: 5\nda", "ta: a\n\n"]);
    let mut stream =
        EventStream::from_stream(bytes.map(|text| Ok::<_, io::Error>(text.as_bytes())));
    assert_eq!(now(&mut stream), Some(Some("a".to_owned())));
    assert_eq!(stream.retry().unwrap().as_millis(), 5);
}

#[test]
fn it_is_send_and_unpin_as_its_body_is() {
    fn check<T: Send + Sync + Unpin>() {}
    check::<EventStream<http_body_util::Full<Bytes>>>();
}
