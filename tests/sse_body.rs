//! How events leave: what is gathered into one frame, what the body says about its end, and when it polls.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http::{Method, Request, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use tower_realtime::{
    sse::{Encoded, Event, KeepAlive, Sse},
    topic::Topic,
};

/// What one poll yields: a frame's bytes, the end, or nothing yet.
fn poll<B>(body: &mut Pin<Box<B>>) -> Poll<Option<Result<Bytes, B::Error>>>
where
    B: Body<Data = Bytes>,
{
    let mut cx = Context::from_waker(Waker::noop());
    body.as_mut()
        .poll_frame(&mut cx)
        .map_ok(|frame| frame.into_data().unwrap())
}

fn ready<B>(body: &mut Pin<Box<B>>) -> Option<Bytes>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    match poll(body) {
        Poll::Ready(frame) => frame.map(|frame| frame.unwrap()),
        Poll::Pending => panic!("pending"),
    }
}

fn events(data: &[&str]) -> Vec<Result<Event, Infallible>> {
    data.iter().map(|data| Ok(Event::new(data))).collect()
}

#[test]
fn ready_events_leave_in_one_frame() {
    let ready_now = stream::iter(events(&["1", "2", "3"]));
    let mut body = Box::pin(Sse::new(ready_now.chain(stream::pending())));
    assert_eq!(
        ready(&mut body).unwrap(),
        "data: 1\n\ndata: 2\n\ndata: 3\n\n"
    );
    assert!(poll(&mut body).is_pending());
}

#[test]
fn a_frame_ends_at_16_kib() {
    let text = "x".repeat(1000);
    let many = stream::repeat_with(move || Ok::<_, Infallible>(Event::new(&text))).take(40);
    let mut body = Box::pin(Sse::new(many));
    let mut total = 0;
    while let Some(frame) = ready(&mut body) {
        assert!(frame.len() <= 16 * 1024);
        assert!(frame.ends_with(b"\n\n"));
        total += frame.len();
    }
    assert_eq!(total, 40 * 1008);
}

#[test]
fn a_large_event_is_not_copied() {
    let large = Encoded::from(Event::new("x".repeat(100_000)));
    let items = [
        Encoded::from(Event::new("a")),
        large.clone(),
        Event::new("b").into(),
    ];
    let mut body = Box::pin(Sse::new(stream::iter(items.map(Ok::<_, Infallible>))));
    assert_eq!(ready(&mut body).unwrap(), "data: a\n\n");
    assert_eq!(
        ready(&mut body).unwrap().as_ptr(),
        large.as_bytes().as_ptr()
    );
    assert_eq!(ready(&mut body).unwrap(), "data: b\n\n");
    assert_eq!(ready(&mut body), None);
}

#[test]
fn an_event_alone_is_not_copied() {
    let one = Encoded::from(Event::new("for everybody"));
    let mut body = Box::pin(Sse::new(stream::iter([Ok::<_, Infallible>(one.clone())])));
    assert_eq!(ready(&mut body).unwrap().as_ptr(), one.as_bytes().as_ptr());
}

#[test]
fn an_error_comes_behind_the_events_before_it_and_ends_the_body() {
    let items = [Ok(Event::new("1")), Err("broken"), Ok(Event::new("never"))];
    let mut body = Box::pin(Sse::new(stream::iter(items)));
    assert_eq!(ready(&mut body).unwrap(), "data: 1\n\n");
    assert!(!body.is_end_stream());
    assert!(
        matches!(poll(&mut body), Poll::Ready(Some(Err(error))) if error.to_string() == "broken")
    );
    assert!(body.is_end_stream());
    assert_eq!(ready(&mut body), None);
    assert_eq!(ready(&mut body), None);
}

#[test]
fn the_end_is_known_only_when_it_was_seen() {
    let mut body = Box::pin(Sse::new(stream::iter(events(&["1"]))));
    assert!(!body.is_end_stream());
    assert_eq!(body.size_hint().exact(), None);
    assert!(ready(&mut body).is_some());
    assert_eq!(ready(&mut body), None);
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
}

#[test]
fn empty_items_make_no_frame() {
    let items = [
        Encoded::default(),
        Event::new("1").into(),
        Encoded::default(),
    ];
    let mut body = Box::pin(Sse::new(stream::iter(items.map(Ok::<_, Infallible>))));
    assert_eq!(ready(&mut body).unwrap(), "data: 1\n\n");
    assert_eq!(ready(&mut body), None);
}

#[test]
fn headers_suit_proxies_and_can_be_overridden() {
    let mut response = Sse::new(stream::iter(events(&[]))).into_response();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(
        response.headers()["cache-control"],
        "no-cache, no-transform"
    );
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    assert_eq!(response.headers().len(), 3);
    response.headers_mut().remove("x-accel-buffering");
    assert_eq!(response.headers().len(), 2);
}

#[test]
fn head_does_not_start_the_producer() {
    let never =
        stream::poll_fn(|_| -> Poll<Option<Result<Event, Infallible>>> { panic!("polled") });
    let (head, ()) = Request::head("/").body(()).unwrap().into_parts();
    assert_eq!(head.method, Method::HEAD);
    let response = Sse::new(never).answer(&head);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
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
fn a_client_that_takes_no_events_gets_406() {
    for (accept, status) in [
        ("text/event-stream", 200),
        ("TEXT/Event-Stream;q=0.5", 200),
        ("text/*", 200),
        ("application/json, */*", 200),
        ("application/json", 406),
        ("text/event-stream;q=0, */*", 406),
        ("text/event-stream; q=0.000", 406),
        ("*/*;q=0, text/event-stream", 200),
        ("text/*;q=0, */*", 406),
        ("", 406),
    ] {
        let (head, ()) = Request::get("/")
            .header("accept", accept)
            .body(())
            .unwrap()
            .into_parts();
        let response = Sse::new(stream::iter(events(&["1"]))).answer(&head);
        assert_eq!(
            response.status(),
            StatusCode::from_u16(status).unwrap(),
            "{accept}"
        );
        assert_eq!(response.body().is_end_stream(), status == 406, "{accept}");
    }
}

#[tokio::test(start_paused = true)]
async fn comments_come_while_there_are_no_events() {
    let items = stream::unfold(0u64, |n| async move {
        tokio::time::sleep(Duration::from_secs(40)).await;
        (n < 2).then(|| (Ok::<_, Infallible>(Event::new(n.to_string())), n + 1))
    });
    let sse = Sse::new(items).keep_alive(KeepAlive::new(tokio::time::sleep));
    let start = tokio::time::Instant::now();
    let mut body = Box::pin(sse);
    let mut seen = Vec::new();
    while let Some(frame) = body.frame().await {
        let at = start.elapsed().as_millis();
        seen.push((
            at,
            String::from_utf8(frame.unwrap().into_data().unwrap().into()).unwrap(),
        ));
    }
    let texts: String = seen.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts.replace(":\n", ""), "data: 0\n\ndata: 1\n\n");
    let times: Vec<_> = seen.iter().map(|(at, _)| *at).collect();
    let (first, second) = (40_000, 80_000);
    assert_eq!(
        times,
        [
            15_000, 30_000, first, 52_500, 67_500, second, 90_000, 105_000
        ]
    );
}

#[test]
fn a_body_is_sync_where_its_events_are() {
    fn anywhere(_: &(impl Send + Sync)) {}
    let events = stream::empty::<Result<Event, Infallible>>();
    let kept_alive = Sse::new(events).keep_alive(KeepAlive::new(tokio::time::sleep));
    anywhere(&kept_alive.on_end(|_| ()));
    anywhere(&Sse::new(Topic::<Encoded>::new(1).subscribe().joined()));
}

#[test]
fn a_body_is_small() {
    // What an idle stream costs beyond its own state: the goal is 4 % of the 11 KB that hyper needs.
    type Items = stream::Iter<std::vec::IntoIter<Result<Event, Infallible>>>;
    let own = size_of::<Items>();
    assert!(
        size_of::<Sse<Items>>() - own <= 160,
        "{}",
        size_of::<Sse<Items>>() - own
    );
}

#[tokio::test]
async fn axum_and_hyper_take_it_as_it_is() {
    use axum::response::IntoResponse;
    use tower::ServiceExt;

    async fn ticks() -> impl IntoResponse {
        let events = stream::iter(0..3u64).map(|n| Ok::<_, Infallible>(Event::new("tick").id(n)));
        Sse::new(events)
            .keep_alive(KeepAlive::new(tokio::time::sleep))
            .into_response()
    }
    let app: axum::Router = axum::Router::new().route("/", axum::routing::get(ticks));
    let request = Request::get("/").body(axum::body::Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(
        body,
        "id: 0\ndata: tick\n\nid: 1\ndata: tick\n\nid: 2\ndata: tick\n\n"
    );

    let (client, server) = tokio::io::duplex(4096);
    let service = hyper::service::service_fn(|_| async {
        let events = stream::iter(0..3u64).map(|n| Ok::<_, Infallible>(Event::new("tick").id(n)));
        let sse = Sse::new(events).keep_alive(KeepAlive::new(tokio::time::sleep));
        Ok::<_, Infallible>(sse.into_response())
    });
    let io = hyper_util::rt::TokioIo::new(server);
    tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(io, service));
    let io = hyper_util::rt::TokioIo::new(client);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/").body(String::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        body
    );
}
