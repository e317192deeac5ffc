//! The layers over the life of a stream, on event streams without a connection. Time is tokio's, paused.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http::{Request, Response, StatusCode, Uri, Version, request::Parts};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_realtime::{
    layers::{AgeLayer, ObserveLayer, StreamLimitLayer},
    lifecycle::{
        Drain, DrainPolicy, EndReason, MaxAge, Refusal, StreamControl, StreamEnd, StreamInfo,
        StreamKind, StreamLimit, StreamObserver,
    },
    rt::Tokio,
    ws::{Acceptor, WebSocket, upgrade::OnUpgrade},
};

const SECOND: Duration = Duration::from_secs(1);

type Body = UnsyncBoxBody<Bytes, String>;
type Feed = tokio::sync::mpsc::UnboundedSender<Result<&'static str, String>>;

/// What the handler made: where to write events, and what ends the stream.
type Made = Arc<Mutex<Vec<(Feed, Option<StreamControl>)>>>;

/// A handler of open event streams, and what it made.
fn handler() -> (
    impl Service<Request<()>, Response = Response<Body>, Error = Infallible> + Clone,
    Made,
) {
    let made = Made::default();
    let feeds = Arc::clone(&made);
    let service = service_fn(move |request: Request<()>| {
        let (feed, mut events) = tokio::sync::mpsc::unbounded_channel();
        let control = StreamControl::of(request.extensions());
        feeds.lock().unwrap().push((feed, control));
        let frames =
            stream::poll_fn(move |cx| events.poll_recv(cx)).map(|text: Result<&str, String>| {
                text.map(|text| Frame::data(Bytes::from_static(text.as_bytes())))
            });
        let response = Response::builder()
            .header("content-type", "text/event-stream")
            .body(StreamBody::new(frames).boxed_unsync());
        async { Ok(response.unwrap()) }
    });
    (service, made)
}

/// A request as a browser's `EventSource` makes it.
fn event_source() -> Request<()> {
    Request::get("/news?user=7")
        .header("accept", "text/event-stream")
        .body(())
        .unwrap()
}

/// A request that does not say that it wants a stream.
fn vague() -> Request<()> {
    Request::get("/news?user=7").body(()).unwrap()
}

async fn frame<B>(body: &mut B) -> Option<Result<String, B::Error>>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let frame = body.frame().await?;
    Some(
        frame.map(|frame| String::from_utf8(frame.into_data().unwrap_or_default().into()).unwrap()),
    )
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn push(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

impl StreamObserver for Log {
    fn started(&self, stream: &StreamInfo) {
        self.push(format!("+ {} {}", stream.kind, stream.uri.path()));
    }

    fn ended(&self, _: &StreamInfo, end: &StreamEnd) {
        let stats = end.stats;
        self.push(format!(
            "- {} {}/{}",
            end.reason, stats.events_sent, stats.bytes_sent
        ));
    }

    fn refused(&self, stream: &StreamInfo, status: StatusCode) {
        self.push(format!("! {} {}", stream.kind, status.as_u16()));
    }
}

/// What hyper hands out of a head are parts of its read buffer, which a stream must not keep for as long as it lives.
#[tokio::test]
async fn a_stream_does_not_keep_the_buffer_of_its_request() {
    for target in ["/news?user=7", "http://here.test/news?user=7"] {
        let (service, _made) = handler();
        let log = Log::default();
        let layers = (
            ObserveLayer::new().observer(log.clone()),
            ObserveLayer::new(),
            StreamLimitLayer::new(&StreamLimit::new(9)),
            Drain::new(Tokio).layer(),
            AgeLayer::new(Tokio, MaxAge::new(SECOND)),
        );
        let buffer = Bytes::from(target.as_bytes().to_vec());
        let mut request = event_source();
        *request.uri_mut() = Uri::from_maybe_shared(buffer.clone()).unwrap();
        let response = layers.layer(service).oneshot(request).await.unwrap();
        let mut body = response.into_body();
        assert!(frame(&mut body).now_or_never().is_none());
        assert!(buffer.is_unique(), "{target}");
        assert_eq!(log.take(), ["+ event_stream /news"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_a_stream_between_two_events() {
    for (sent, waits) in [
        ("", false),
        ("data: 1\n\n", false),
        ("data: 1\n", true),
        ("data: 1", true),
    ] {
        let (service, made) = handler();
        let drain = Drain::new(Tokio);
        let log = Log::default();
        let layers = (ObserveLayer::new().observer(log.clone()), drain.layer());
        let response = layers.layer(service).oneshot(event_source()).await.unwrap();
        let mut body = response.into_body();
        let feed = made.lock().unwrap()[0].0.clone();
        feed.send(Ok(sent)).unwrap();
        assert_eq!(frame(&mut body).await.unwrap().unwrap(), sent);
        assert!(frame(&mut body).now_or_never().is_none());
        assert_eq!(drain.open(), 1);

        drain.start_with(DrainPolicy::default().spread(SECOND).retry(SECOND));
        let started = Instant::now();
        if waits {
            let wait = tokio::time::timeout(10 * SECOND, frame(&mut body)).await;
            assert!(wait.is_err(), "ended within an event: {sent:?}");
            feed.send(Ok("\ndata: 2\n\n")).unwrap();
            assert_eq!(frame(&mut body).await.unwrap().unwrap(), "\ndata: 2\n\n");
        }
        let last = frame(&mut body).await.unwrap().unwrap();
        assert!(waits || started.elapsed() <= SECOND + Duration::from_millis(1));
        let retry: u64 = last
            .strip_prefix("retry: ")
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        assert!((1000..2000).contains(&retry), "{retry}");
        assert!(feed.is_closed(), "the producer learns it at once");
        assert!(http_body::Body::is_end_stream(&body));
        assert_eq!(drain.open(), 1, "the end is when the body is gone");
        assert!(frame(&mut body).await.is_none());
        let report = drain.finished().await;
        assert_eq!((report.closed, report.forced), (1, 0));
        assert!(log.take()[1].starts_with("- drained"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_is_forced_at_the_deadline() {
    let (service, made) = handler();
    let drain = Drain::new(Tokio);
    let service = drain.layer().layer(service);
    let mut within = service
        .clone()
        .oneshot(event_source())
        .await
        .unwrap()
        .into_body();
    let _unread = service.oneshot(event_source()).await.unwrap().into_body();
    made.lock().unwrap()[0].0.send(Ok("data: half")).unwrap();
    assert_eq!(frame(&mut within).await.unwrap().unwrap(), "data: half");
    let started = Instant::now();
    drain.start_with(DrainPolicy::default().deadline(7 * SECOND));
    let mut finished = Box::pin(drain.finished());
    assert!(finished.as_mut().now_or_never().is_none());
    assert!(frame(&mut within).await.is_none());
    drop(within);
    assert!(started.elapsed() >= 7 * SECOND);
    let report = finished.await;
    assert_eq!((report.closed, report.forced), (0, 2));
    assert!(started.elapsed() < 8 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_stream_with_an_end_of_its_own_may_come_to_it() {
    let (service, made) = handler();
    let drain = Drain::new(Tokio);
    let route = drain.layer().finish_first().layer(service);
    let mut service = drain.layer().layer(route);
    let mut answer = service.call(event_source()).await.unwrap().into_body();
    let mut endless = service.call(event_source()).await.unwrap().into_body();
    assert_eq!(drain.open(), 2, "two layers of one drain count once");
    assert!(frame(&mut answer).now_or_never().is_none());
    assert!(frame(&mut endless).now_or_never().is_none());

    drain.start_with(DrainPolicy::default().deadline(10 * SECOND).retry(None));
    let started = Instant::now();
    assert!(
        frame(&mut endless).now_or_never().is_none(),
        "the order woke it"
    );
    let wait = tokio::time::timeout(8 * SECOND, frame(&mut answer)).await;
    assert!(wait.is_err());
    let (feed, _) = made.lock().unwrap().remove(0);
    feed.send(Ok("data: done\n\n")).unwrap();
    drop(feed);
    assert_eq!(frame(&mut answer).await.unwrap().unwrap(), "data: done\n\n");
    assert!(frame(&mut answer).await.is_none());
    assert!(
        frame(&mut endless).await.is_none(),
        "asked to end, before it is forced"
    );
    assert_eq!(started.elapsed().as_secs(), 9);
    assert_eq!(drain.finished().await.closed, 2);
}

#[tokio::test]
async fn a_drain_refuses_new_streams_and_nothing_else() {
    let (service, made) = handler();
    let drain = Drain::new(Tokio);
    assert!(drain.started().now_or_never().is_none());
    drain.start();
    drain.started().await;
    let log = Log::default();
    let observe = ObserveLayer::new().observer(log.clone());
    let service = observe.layer(drain.layer().layer(service));
    let upgrade = Request::get("/")
        .header("upgrade", "websocket")
        .body(())
        .unwrap();
    for request in [event_source(), vague(), upgrade] {
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 503);
        let wait: u64 = response.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((5..=10).contains(&wait));
        assert_eq!(response.headers()["connection"], "close");
        assert_eq!(response.extensions().get(), Some(&Refusal::Draining));
    }
    assert_eq!(
        log.take(),
        [
            "! event_stream 503",
            "! event_stream 503",
            "! websocket 503"
        ]
    );
    assert_eq!(
        made.lock().unwrap().len(),
        1,
        "who says what it wants is refused before the handler"
    );

    let plain = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(http_body_util::Full::<Bytes>::from("hello")))
    });
    let response = drain.layer().layer(plain).oneshot(vague()).await.unwrap();
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "hello"
    );
    assert_eq!(drain.finished().await, drain.finished().await);
}

#[tokio::test]
async fn browsers_come_back_after_a_refusal_if_it_is_an_event_stream() {
    let (service, _) = handler();
    let drain = Drain::new(Tokio);
    drain.start();
    let layer = drain
        .layer()
        .refuse_as_event_stream()
        .retry_after(2 * SECOND);
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut request = event_source();
        *request.version_mut() = version;
        let response = layer.layer(service.clone()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(
            response.headers().contains_key("connection"),
            version == Version::HTTP_11
        );
        let text = response.into_body().collect().await.unwrap().to_bytes();
        let wait = std::str::from_utf8(&text)
            .unwrap()
            .strip_prefix("retry: ")
            .unwrap();
        assert!((2000..=4000).contains(&wait.trim().parse::<u32>().unwrap()));
    }
}

#[tokio::test]
async fn permits_live_as_long_as_their_streams() {
    let (service, _) = handler();
    let limit = StreamLimit::new(2).per_key(1);
    let key = |head: &Parts| head.uri.query().map(str::to_owned);
    let service = StreamLimitLayer::new(&limit).key(key).layer(service);
    let other = || Request::get("/?user=8").body(()).unwrap();

    let mine = service.clone().oneshot(event_source()).await.unwrap();
    let again = service.clone().oneshot(vague()).await.unwrap();
    assert_eq!(again.status(), 429);
    assert_eq!(again.extensions().get(), Some(&Refusal::KeyLimit));
    let others = service.clone().oneshot(other()).await.unwrap();
    assert_eq!(limit.open(), 2);
    let third = Request::get("/?user=9").body(()).unwrap();
    assert_eq!(service.clone().oneshot(third).await.unwrap().status(), 503);
    assert_eq!(limit.open(), 2, "nobody is evicted");
    drop((mine, others));
    assert_eq!(limit.open(), 0, "though no body was polled");
    assert_eq!(service.oneshot(vague()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_request_that_is_given_up_or_becomes_no_stream_gives_its_permit_back() {
    let limit = StreamLimit::new(9);
    let layer = StreamLimitLayer::new(&limit);
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeps = Arc::clone(&kept);
    let slow = service_fn(move |request: Request<()>| {
        keeps.lock().unwrap().push(request); // with its extensions
        std::future::pending::<Result<Response<Body>, Infallible>>()
    });
    let mut call = Box::pin(layer.layer(slow).oneshot(event_source()));
    assert!(call.as_mut().now_or_never().is_none());
    assert_eq!(limit.open(), 1);
    drop(call);
    assert_eq!(limit.open(), 0);

    let missing = service_fn(|_: Request<()>| async {
        let response = Response::builder()
            .status(404)
            .header("content-type", "text/event-stream");
        Ok::<_, Infallible>(
            response
                .body(http_body_util::Full::<Bytes>::from("no"))
                .unwrap(),
        )
    });
    let response = layer.layer(missing).oneshot(event_source()).await.unwrap();
    assert_eq!((response.status().as_u16(), limit.open()), (404, 0));
}

#[tokio::test]
async fn new_streams_come_at_a_rate() {
    let (service, _) = handler();
    let limit = StreamLimit::new(100).rate(2, Duration::from_secs(3600));
    let service = StreamLimitLayer::new(&limit).layer(service);
    for status in [200, 200, 503] {
        let response = service.clone().oneshot(vague()).await.unwrap();
        assert_eq!(response.status(), status);
        if let Some(wait) = response.headers().get("retry-after") {
            let wait: u64 = wait.to_str().unwrap().parse().unwrap();
            assert!((1790..=3600).contains(&wait), "{wait}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_refused_further_in_spends_nothing_of_the_rate() {
    let limit = StreamLimit::new(100).rate(2, Duration::from_secs(3600));
    let sockets =
        Acceptor::new().service(Tokio, |socket: WebSocket, _: Parts| async { drop(socket) });
    let service = StreamLimitLayer::new(&limit)
        .layer(StreamLimitLayer::new(&limit).layer(ObserveLayer::new().layer(sockets)));
    let from = |origin| {
        Request::get("/")
            .header("host", "ours.example")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("origin", origin)
            .extension(OnUpgrade::new(std::future::pending()))
            .body(())
            .unwrap()
    };
    for _ in 0..5 {
        let stranger = from("https://theirs.example");
        let response = service.clone().oneshot(stranger).await.unwrap();
        assert_eq!((response.status().as_u16(), limit.open()), (403, 0));
    }
    for status in [101, 101, 503] {
        let response = service.clone().oneshot(from("https://ours.example")).await;
        assert_eq!(response.unwrap().status(), status);
    }
}

#[tokio::test]
async fn two_layers_of_one_limit_count_a_stream_once() {
    let (service, _) = handler();
    let limit = StreamLimit::new(2).per_key(1).rate(2, SECOND * 3600);
    let key = |head: &Parts| head.uri.query().map(str::to_owned);
    let inner = StreamLimitLayer::new(&limit).key(key).layer(service);
    let service = StreamLimitLayer::new(&limit).layer(inner);
    let other = Request::get("/?user=8").body(()).unwrap();

    // Both ways to ask: known from the request, and known from the response.
    let mine = service.clone().oneshot(event_source()).await.unwrap();
    let again = service.clone().oneshot(event_source()).await.unwrap();
    assert_eq!((again.status().as_u16(), limit.open()), (429, 1));
    let others = service.clone().oneshot(other).await.unwrap();
    assert_eq!((others.status().as_u16(), limit.open()), (200, 2));
    drop((mine, others));
    assert_eq!(limit.open(), 0);
    let third = service.clone().oneshot(event_source()).await.unwrap();
    assert_eq!(third.status(), 503, "the rate");
}

#[tokio::test(start_paused = true)]
async fn streams_end_at_their_age() {
    let (service, made) = handler();
    let log = Log::default();
    let age = AgeLayer::new(Tokio, MaxAge::new(100 * SECOND));
    let layers = (ObserveLayer::new().observer(log.clone()), age);
    let mut body = layers
        .layer(service)
        .oneshot(vague())
        .await
        .unwrap()
        .into_body();
    made.lock().unwrap()[0]
        .0
        .send(Ok("data: 1\n\n: 2\n\n"))
        .unwrap();
    let started = Instant::now();
    assert!(frame(&mut body).await.is_some());
    assert!(
        frame(&mut body)
            .await
            .unwrap()
            .unwrap()
            .starts_with("retry: ")
    );
    assert!(frame(&mut body).await.is_none());
    assert!((90..=100).contains(&started.elapsed().as_secs()));
    assert_eq!(log.take(), ["+ event_stream /news", "- expired 2/14"]);
}

#[tokio::test(start_paused = true)]
async fn streams_end_when_they_are_revoked_or_expire() {
    for (reason, expected) in [
        ("revoked", EndReason::Revoked),
        ("expires", EndReason::Expired),
    ] {
        let (service, made) = handler();
        let log = Log::default();
        let layer = ObserveLayer::new().observer(log.clone());
        let mut body = layer
            .layer(service)
            .oneshot(vague())
            .await
            .unwrap()
            .into_body();
        let (feed, control) = made.lock().unwrap()[0].clone();
        let control = control.unwrap();
        feed.send(Ok("data: half")).unwrap();
        assert!(frame(&mut body).await.is_some());
        control.expire_when(tokio::time::sleep(SECOND));
        control.expire_when(tokio::time::sleep(5 * SECOND)); // renewed
        let waiting = tokio::spawn(async move { frame(&mut body).await.is_none() });
        tokio::time::sleep(2 * SECOND).await;
        assert!(!waiting.is_finished() && !control.is_ended());
        if reason == "revoked" {
            control.revoke("logged out");
        }
        assert!(
            waiting.await.unwrap(),
            "an event may be cut, for nothing more is to be sent"
        );
        assert!(control.is_ended() && feed.is_closed());
        assert_eq!(log.take()[1], format!("- {expected} 0/10"));
    }
}

#[tokio::test]
async fn a_revocation_before_the_stream_begins_is_not_lost() {
    let (service, made) = handler();
    let response = ObserveLayer::new()
        .layer(service)
        .oneshot(vague())
        .await
        .unwrap();
    made.lock().unwrap()[0].1.as_ref().unwrap().revoke("gone");
    assert!(frame(&mut response.into_body()).await.is_none());
}

#[tokio::test]
async fn each_end_has_its_reason() {
    type End = fn(Feed);
    let ends: [(End, EndReason, bool); 3] = [
        (|feed| drop(feed), EndReason::Finished, true),
        (
            |feed| feed.send(Err("broken".into())).unwrap(),
            EndReason::Failed,
            true,
        ),
        (|_| (), EndReason::Disconnected, false),
    ];
    for (end, reason, is_polled) in ends {
        let (service, made) = handler();
        let (log, limit) = (Log::default(), StreamLimit::new(1));
        let layers = (
            ObserveLayer::new().observer(log.clone()),
            StreamLimitLayer::new(&limit),
        );
        let mut body = layers
            .layer(service)
            .oneshot(vague())
            .await
            .unwrap()
            .into_body();
        let (feed, _) = made.lock().unwrap().pop().unwrap();
        feed.send(Ok("data: 1\n\n")).unwrap();
        assert!(frame(&mut body).await.is_some());
        end(feed);
        if is_polled {
            frame(&mut body).await;
        }
        drop(body);
        assert_eq!(
            log.take(),
            ["+ event_stream /news".to_owned(), format!("- {reason} 1/9")]
        );
        assert_eq!(limit.open(), 0);
    }
}

#[tokio::test]
async fn a_panic_of_the_producer_is_told_apart() {
    let (log, limit) = (Log::default(), StreamLimit::new(1));
    let layers = (
        ObserveLayer::new().observer(log.clone()),
        StreamLimitLayer::new(&limit),
    );
    let service = service_fn(|_: Request<()>| async {
        let frames = stream::poll_fn(
            |_| -> std::task::Poll<Option<Result<Frame<Bytes>, String>>> {
                panic!("of the producer")
            },
        );
        let response = Response::builder().header("content-type", "text/event-stream");
        Ok::<_, Infallible>(response.body(StreamBody::new(frames)).unwrap())
    });
    let mut body = layers
        .layer(service)
        .oneshot(vague())
        .await
        .unwrap()
        .into_body();
    let panicked = std::panic::AssertUnwindSafe(frame(&mut body))
        .catch_unwind()
        .await;
    assert!(panicked.is_err());
    drop(body);
    assert_eq!(log.take()[1], "- panicked 0/0");
    assert_eq!(limit.open(), 0);
}

#[tokio::test]
async fn a_document_that_calls_itself_an_event_stream_is_none() {
    let drain = Drain::new(Tokio);
    let service = service_fn(|_: Request<()>| async {
        let body = http_body_util::Full::<Bytes>::from("data: 1\n\n");
        let response = Response::builder().header("content-type", "text/event-stream");
        Ok::<_, Infallible>(response.header("content-length", 9).body(body).unwrap())
    });
    let response = drain.layer().layer(service).oneshot(vague()).await.unwrap();
    assert_eq!(drain.open(), 0);
    assert_eq!(http_body::Body::size_hint(response.body()).exact(), Some(9));
}

#[test]
fn the_kinds_have_words() {
    assert_eq!(StreamKind::WebSocket.to_string(), "websocket");
}
