use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, COOKIE, ORIGIN,
    },
};
use http_body::Body;
use http_body_util::BodyExt;
use tower_realtime::{
    BoxError,
    sse::{Comment, Encoded, Event, EventName, KeepAlive, Sse},
    topic::{OnLag, Topic},
};

use crate::endpoints::{self, query, status, text};

const UPDATE: EventName = EventName::from_static("update");
const JSON: EventName = EventName::from_static("json");
const END: EventName = EventName::from_static("end");
const SEEN: EventName = EventName::from_static("seen");

/// What is published with [`publish`], for as long as the client stays.
pub(crate) fn subscribe(topic: &Topic<Encoded>) -> Response<endpoints::Body> {
    let events = topic.subscribe().on_lag(OnLag::DropOldest).joined();
    response(Sse::new(events).keep_alive(KeepAlive::new(tokio::time::sleep)))
}

/// How many clients of [`subscribe`] there are.
pub(crate) fn listeners(topic: &Topic<Encoded>) -> Response<endpoints::Body> {
    endpoints::number(topic.subscribers())
}

/// Publishes the body of the request as the data of `count` events.
pub(crate) async fn publish<B>(
    topic: &Topic<Encoded>,
    count: &str,
    request: Request<B>,
) -> Response<endpoints::Body>
where
    B: Body<Data = Bytes>,
{
    let Ok(count) = count.parse::<usize>() else {
        return status(StatusCode::NOT_FOUND);
    };
    let Ok(body) = request.into_body().collect().await else {
        return status(StatusCode::BAD_REQUEST);
    };
    let body = body.to_bytes();
    let Ok(data) = std::str::from_utf8(&body) else {
        return status(StatusCode::BAD_REQUEST);
    };
    let event = Encoded::from(Event::new(data));
    topic.publish_all(std::iter::repeat_n(event, count));
    text("text/plain", "ok")
}

/// Every kind of event, and then nothing but comments.
pub(crate) fn kinds() -> Response<endpoints::Body> {
    let events = [
        Comment::new("hello").into(),
        Event::new("plain").into(),
        Event::new("named").name(UPDATE).into(),
        Event::new("line 1\nline 2\n\nline 4").into(),
        Event::new(" leading space").into(),
        Event::new("snowman \u{2603} clef \u{1d11e}").into(),
        Event::new("with id")
            .id(tower_realtime::sse::EventId::from_static("id-7"))
            .into(),
        Event::new(r#"{"a":[1,2]}"#).name(JSON).into(),
        Event::new("").into(),
        Event::new("end").name(END).into(),
    ];
    let events = stream::iter(events.map(Ok::<Encoded, Infallible>)).chain(stream::pending());
    let often = KeepAlive::new(tokio::time::sleep).interval(Duration::from_millis(200));
    response(Sse::new(events).keep_alive(often))
}

/// Counts from where the client was, a few at a time, until all `n` are sent.
pub(crate) fn count<B>(request: &Request<B>, unending: bool) -> Response<endpoints::Body> {
    let n = query(request, "n", 5);
    let per = query(request, "per", 2);
    let last: u64 = last_event_id(request.headers())
        .and_then(|id| id.parse().ok())
        .unwrap_or(0);
    if last >= n {
        return status(StatusCode::NO_CONTENT);
    }
    let retry = Event::empty().retry(Duration::from_millis(query(request, "retry", 100)));
    let ticks =
        (last + 1..=n.min(last.saturating_add(per))).map(|i| Event::new(format!("tick {i}")).id(i));
    let ticks = std::iter::once(retry).chain(ticks);
    if unending {
        return events(stream::iter(ticks).chain(stream::pending()));
    }
    finite(ticks)
}

/// Says which `Last-Event-ID` came.
pub(crate) fn echo_id<B>(request: &Request<B>) -> Response<endpoints::Body> {
    let last = last_event_id(request.headers());
    let next = last
        .and_then(|id| id.parse::<u64>().ok())
        .unwrap_or(0)
        .saturating_add(1);
    let wait = Duration::from_millis(query(request, "retry", 300));
    let seen = Event::new(last.unwrap_or("(none)")).name(SEEN).id(next);
    finite([Event::empty().retry(wait), seen])
}

/// Says which cookies came, for any origin.
pub(crate) fn cors<B>(request: &Request<B>) -> Response<endpoints::Body> {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let cookie = header(COOKIE).unwrap_or_default();
    let event = Event::new(format!("cookie={cookie}")).retry(Duration::from_secs(60));
    let mut response = finite([event]);
    if let Some(origin) = request.headers().get(ORIGIN) {
        response
            .headers_mut()
            .insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.headers_mut().insert(
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }
    response
}

/// For no other origin.
pub(crate) fn no_cors() -> Response<endpoints::Body> {
    finite([Event::new("secret")])
}

/// Events under a content type that is none of theirs.
pub(crate) fn wrong_type() -> Response<endpoints::Body> {
    let mut response = finite([Event::new("never seen")]);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

fn finite<I>(events: I) -> Response<endpoints::Body>
where
    I: IntoIterator<Item = Event>,
    I::IntoIter: Send + 'static,
{
    self::events(stream::iter(events))
}

fn events<S>(events: S) -> Response<endpoints::Body>
where
    S: Stream<Item = Event> + Send + 'static,
{
    let events = events.map(Ok::<_, Infallible>);
    response(Sse::new(events).keep_alive(KeepAlive::new(tokio::time::sleep)))
}

fn response<S, T>(sse: Sse<S, T>) -> Response<endpoints::Body>
where
    T: tower_realtime::rt::Timer,
    Sse<S, T>: Body<Data = Bytes, Error = BoxError> + Send + 'static,
{
    sse.into_response().map(BodyExt::boxed_unsync)
}

fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("last-event-id")?.to_str().ok()
}
