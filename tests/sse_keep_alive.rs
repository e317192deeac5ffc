//! The keep-alive layer over responses it did not make: what it touches, where comments stand, and where they don't.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http::{HeaderMap, Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;
use tower_realtime::sse::{
    Boundary, Event, EventName, KeepAlive, KeepAliveBody, KeepAliveLayer, Sse,
};

#[path = "support/clock.rs"]
mod clock;
#[path = "support/plain_sse.rs"]
mod plain;

use clock::Clock;

const HALF: Duration = Duration::from_millis(7_500);

#[derive(Clone, Debug)]
enum Step {
    Data(&'static [u8]),
    Chunk(Bytes),
    Pending,
    Trailers,
    Error,
}

/// A body that does what it was told, and panics when it is polled behind its end.
struct Script(VecDeque<Step>, bool);

impl Script {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self(steps.into_iter().collect(), false)
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        assert!(!self.1, "polled behind its end");
        let Some(step) = self.0.pop_front() else {
            self.1 = true;
            return Poll::Ready(None);
        };
        match step {
            Step::Data(data) => Poll::Ready(Some(Ok(Frame::data(data.into())))),
            Step::Chunk(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Step::Pending => Poll::Pending,
            Step::Trailers => Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::new())))),
            Step::Error => Poll::Ready(Some(Err("broken"))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(1)
    }
}

/// Reads to the end, and lets a whole interval pass at every pause.
fn read<B>(body: B, clock: &Clock) -> Vec<String>
where
    B: Body<Data = Bytes, Error = &'static str>,
{
    let mut body = Box::pin(body);
    let mut cx = Context::from_waker(Waker::noop());
    let mut out = Vec::new();
    loop {
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Ready(None) => return out,
            Poll::Ready(Some(Err(error))) => out.push(error.to_owned()),
            Poll::Ready(Some(Ok(frame))) => out.push(match frame.into_data() {
                Ok(data) => String::from_utf8_lossy(&data).into_owned(),
                Err(_) => "trailers".to_owned(),
            }),
            Poll::Pending => (0..2).for_each(|_| {
                clock.advance(HALF);
            }),
        }
    }
}

fn kept_alive(steps: impl IntoIterator<Item = Step>) -> Vec<String> {
    let clock = Clock::default();
    read(
        KeepAliveBody::new(Script::new(steps), KeepAlive::new(clock.clone())),
        &clock,
    )
}

#[test]
fn comments_stand_only_where_the_stream_admits_them() {
    use Step::{Data, Pending};
    // A pause is two steps: the first arms the timer, the second finds that it has rung twice.
    let pause = || [Pending, Pending, Pending];
    for (first, second, expected) in [
        (&b""[..], &b"data: a\n\n"[..], &[":\n", "data: a\n\n"][..]),
        (
            b"data: a\n\n",
            b"data: b\n\n",
            &["data: a\n\n", ":\n", "data: b\n\n"],
        ),
        (b"data: a\n", b"\n", &["data: a\n", ":\n", "\n"]),
        (b"data: a", b"\n\n", &["data: a", "\n\n"]),
        (b"data: a\r", b"\n\r\n", &["data: a\r", "\n\r\n"]),
        (b"data: a\r", b"\r", &["data: a\r", "\r"]),
        (
            b"data: a\r\r",
            b"data: b\r\r",
            &["data: a\r\r", ":\n", "data: b\r\r"],
        ),
        (b"data: a\r\n\r", b"\n", &["data: a\r\n\r", ":\n", "\n"]),
        (b"data: a\r\n", b"\r\n", &["data: a\r\n", ":\n", "\r\n"]),
        (b"\xEF\xBB", b"\xBFdata: a\n\n", &[":\n", "data: a\n\n"]),
    ] {
        let steps = [Data(first)]
            .into_iter()
            .chain(pause())
            .chain([Data(second)]);
        let mut out = kept_alive(steps);
        out.dedup(); // a comment more or less at a pause is not the point here
        assert_eq!(
            out,
            expected,
            "{:?} {:?}",
            first.escape_ascii().to_string(),
            second.escape_ascii().to_string()
        );
    }
}

#[test]
fn nothing_comes_behind_the_end_the_trailers_or_an_error() {
    use Step::{Data, Error, Pending, Trailers};
    let event = || [Data(b"data: a\n\n")].into_iter();
    assert_eq!(
        kept_alive(event().chain([Trailers, Pending, Pending, Pending])),
        ["data: a\n\n", "trailers"]
    );
    assert_eq!(
        kept_alive(event().chain([Error])),
        ["data: a\n\n", "broken"]
    );
    assert_eq!(kept_alive(event()), ["data: a\n\n"]);
}

#[test]
fn an_event_as_beat_waits_for_the_end_of_the_event() {
    use Step::{Data, Pending};
    let clock = Clock::default();
    let beat = Event::new("").name(EventName::from_static("beat"));
    let keep_alive = KeepAlive::new(clock.clone()).event(beat);
    let steps = [
        Data(b"data: a\n"),
        Pending,
        Pending,
        Pending,
        Data(b"\n"),
        Pending,
        Pending,
        Pending,
    ];
    let out = read(KeepAliveBody::new(Script::new(steps), keep_alive), &clock);
    assert_eq!(out, ["data: a\n", "\n", "event: beat\ndata: \n\n"]);
}

#[test]
fn a_comment_of_several_lines_is_no_block() {
    use Step::{Data, Pending};
    let clock = Clock::default();
    let keep_alive = KeepAlive::new(clock.clone()).comment("still\r\nhere");
    let steps = [
        Data(b"data: a\n"),
        Pending,
        Pending,
        Pending,
        Data(b"data: b\n\n"),
    ];
    let out = read(KeepAliveBody::new(Script::new(steps), keep_alive), &clock);
    assert_eq!(out, ["data: a\n", ": still\n: here\n", "data: b\n\n"]);
}

/// Streams with all that is strange, for every split point.
const STREAMS: &[&[u8]] = &[
    b"data: a\n\ndata: b\n\n",
    b"event: e\r\ndata: a\r\ndata: b\r\nid: 1\r\n\r\nid\r\ndata\r\n\r\n",
    b"event: e\rdata: a\rdata: b\rid: 1\r\rdata: c\r\r",
    b"data: a\r\r\n\n\rdata: b\n\r\ndata: c\r\n\ndata: d\n\n",
    b"\xEF\xBB\xBFdata: a\n\n\xEF\xBB\xBFdata: b\n\ndata: c\n\n",
    b"\xEF\xBBdata: a\n\ndata: b\n\n",
    b": comment\n:\n\n: another\rdata: \xE2\x98\x83\xFF\r\n\rretry: 5\n\ndata: unfinished\n",
    b"retry: 10\nid: x\n\n\n\n\r\r\r\ndata:  two\n\n",
    b"",
    b"\xEF\xBB\xBF",
    b"\xEF\xBB",
    b"\r",
];

/// What clients see of the stream in these chunks behind the layer, with a pause before and after each chunk.
fn seen(chunks: &[&[u8]], beat: Option<Event>) -> (plain::Plain, usize) {
    let clock = Clock::default();
    let keep_alive = KeepAlive::new(clock.clone());
    let (keep_alive, is_event) = match beat {
        Some(beat) => (keep_alive.event(beat), true),
        None => (keep_alive, false),
    };
    let steps = chunks.iter().flat_map(|chunk| {
        [
            Step::Pending,
            Step::Pending,
            Step::Pending,
            Step::Chunk(Bytes::copy_from_slice(chunk)),
        ]
    });
    let steps = steps.chain([Step::Pending, Step::Pending, Step::Pending]);
    let clock_ref = &clock;
    let body = KeepAliveBody::new(Script::new(steps), keep_alive);
    let mut body = Box::pin(body);
    let mut cx = Context::from_waker(Waker::noop());
    let mut out = Vec::new();
    loop {
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Ready(None) => break,
            Poll::Ready(Some(frame)) => out.extend_from_slice(&frame.unwrap().into_data().unwrap()),
            Poll::Pending => {
                clock_ref.advance(HALF);
                clock_ref.advance(HALF);
            }
        }
    }
    let mut seen = plain::decode(&out);
    let all = seen.events.len();
    if is_event {
        seen.events.retain(|(name, ..)| name != "beat");
    }
    let beats = if is_event {
        all - seen.events.len()
    } else {
        out.windows(2).filter(|two| *two == b":\n").count()
    };
    (seen, beats)
}

/// What random streams are made of.
const PIECES: &[&[u8]] = &[
    b"\r",
    b"\n",
    b"\r\n",
    b"data",
    b"data: x",
    b"id: 1",
    b":",
    b" ",
    b"event: e",
    b"\xEF",
    b"\xBB",
    b"\xBF",
    b"\xEF\xBB\xBF",
    b"retry: 7",
    b"\0",
];

fn beat() -> Event {
    Event::new("").name(EventName::from_static("beat"))
}

#[test]
fn every_stream_at_every_split_point_says_the_same() {
    for stream in STREAMS {
        let expected = plain::decode(stream);
        for cut in 0..=stream.len() {
            let (first, second) = stream.split_at(cut);
            for beat in [None, Some(beat())] {
                let (seen, beats) = seen(&[first, second], beat);
                assert_eq!(seen, expected, "{} at {cut}", stream.escape_ascii());
                assert!(
                    beats > 0,
                    "the pause before the first byte always has room for one"
                );
            }
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(
            seen(&bytes, None).0,
            expected,
            "{} byte by byte",
            stream.escape_ascii()
        );
        assert_eq!(
            seen(&bytes, Some(beat())).0,
            expected,
            "{} byte by byte",
            stream.escape_ascii()
        );
    }
}

proptest! {
    #[test]
    fn every_stream_in_every_cut_says_the_same(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40),
        cuts in prop::collection::vec(0usize..200, 0..8),
        event in any::<bool>(),
    ) {
        let stream = pieces.concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
        prop_assert_eq!(seen(&chunks, event.then(beat)).0, plain::decode(&stream));
    }

    #[test]
    fn a_boundary_does_not_depend_on_the_cut(
        stream in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'x')], 0..24),
        cut in 0usize..24,
    ) {
        let mut byte_by_byte = Boundary::new();
        stream.chunks(1).for_each(|byte| byte_by_byte.push(byte));
        let (first, second) = stream.split_at(cut.min(stream.len()));
        let mut cut_once = Boundary::new();
        cut_once.push(first);
        cut_once.push(second);
        prop_assert_eq!(cut_once, byte_by_byte);
    }
}

/// Sends one request through the layer to a service that answers with `response`.
fn through<B>(method: Method, response: Response<B>) -> Response<KeepAliveBody<B, Clock>>
where
    B: Body<Data = Bytes>,
{
    let mut response = Some(response);
    let inner = service_fn(move |_: Request<()>| {
        std::future::ready(Ok::<_, Infallible>(response.take().unwrap()))
    });
    let layer = KeepAliveLayer::new(KeepAlive::new(Clock::default()));
    let request = Request::builder().method(method).body(()).unwrap();
    layer
        .layer(inner)
        .oneshot(request)
        .now_or_never()
        .unwrap()
        .unwrap()
}

fn response(content_type: &str) -> http::response::Builder {
    Response::builder()
        .header("content-type", content_type)
        .header("content-length", "9")
}

#[test]
fn the_layer_touches_event_streams_alone() {
    for (content_type, is_touched) in [
        ("text/event-stream", true),
        ("Text/Event-Stream; charset=utf-8", true),
        ("text/event-stream ;x=y", true),
        ("text/plain", false),
        ("text/event-streams", false),
        ("application/json; a=text/event-stream", false),
    ] {
        let body = Full::new(Bytes::from("data: a\n\n"));
        let response = through(Method::GET, response(content_type).body(body).unwrap());
        assert_eq!(
            response.headers().contains_key("content-length"),
            !is_touched,
            "{content_type}"
        );
        let exact = (!is_touched).then_some(9);
        assert_eq!(response.body().size_hint().exact(), exact, "{content_type}");
        let bytes = response
            .into_body()
            .collect()
            .now_or_never()
            .unwrap()
            .unwrap()
            .to_bytes();
        assert_eq!(bytes, "data: a\n\n");
    }
}

#[test]
fn the_layer_leaves_compressed_streams_alone() {
    for (encoding, is_touched) in [("gzip", false), ("br", false), ("identity", true)] {
        let body = Full::new(Bytes::from("data: a\n\n"));
        let inner = response("text/event-stream").header("content-encoding", encoding);
        let response = through(Method::GET, inner.body(body).unwrap());
        assert_eq!(
            response.headers().contains_key("content-length"),
            !is_touched,
            "{encoding}"
        );
    }
}

#[test]
fn the_layer_leaves_what_is_kept_alive_alone() {
    let clock = Clock::default();
    let events = || stream::pending::<Result<Event, Infallible>>();
    let once = Sse::new(events()).keep_alive(KeepAlive::new(clock.clone()));
    let not_yet = Sse::new(events());
    // Only this clock moves; the one of the layer stands still.
    let beats =
        |body: http_body_util::combinators::UnsyncBoxBody<Bytes, tower_realtime::BoxError>| {
            let mut body = Box::pin(body);
            let mut cx = Context::from_waker(Waker::noop());
            let mut beats = 0;
            for _ in 0..5 {
                while body.as_mut().poll_frame(&mut cx).is_ready() {
                    beats += 1;
                }
                clock.advance(HALF);
            }
            beats
        };
    let own = through(Method::GET, once.into_response());
    assert_eq!(
        beats(own.into_body().boxed_unsync()),
        2,
        "of its own, and none of the layer"
    );
    let layers = through(Method::GET, not_yet.into_response());
    assert_eq!(
        beats(layers.into_body().boxed_unsync()),
        0,
        "none of its own"
    );
}

#[test]
fn head_does_not_start_the_producer() {
    struct Never;
    impl Body for Never {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            panic!("polled")
        }
    }
    let response = through(
        Method::HEAD,
        response("text/event-stream").body(Never).unwrap(),
    );
    assert!(!response.headers().contains_key("content-length"));
    assert!(response.body().is_end_stream());
    assert!(
        response
            .into_body()
            .collect()
            .now_or_never()
            .unwrap()
            .unwrap()
            .to_bytes()
            .is_empty()
    );
}

#[test]
fn a_timer_is_asked_for_nothing_while_there_are_events() {
    let never = |_: Duration| -> std::future::Pending<()> { panic!("asked") };
    let steps = [Step::Data(b"data: a\n\n"), Step::Data(b"data: b\n\n")];
    let body = KeepAliveBody::new(Script::new(steps), KeepAlive::new(never));
    assert_eq!(read(body, &Clock::default()).len(), 2);
}

#[test]
fn a_clock_that_always_rings_does_not_hang_the_task() {
    let keep_alive = KeepAlive::new(|_: Duration| std::future::ready(()));
    let steps = [
        Step::Data(b"data: in the middle"),
        Step::Pending,
        Step::Pending,
    ];
    let mut body = Box::pin(KeepAliveBody::new(Script::new(steps), keep_alive));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(body.as_mut().poll_frame(&mut cx).is_ready());
    assert!(body.as_mut().poll_frame(&mut cx).is_pending());
}
