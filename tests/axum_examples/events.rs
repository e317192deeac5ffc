//! `axum::response::sse` and `examples/sse`.

use axum::{Router, routing::get};
use futures_util::stream::{self, Stream};
use std::{convert::Infallible, time::Duration};
use tokio_stream::StreamExt as _;
use tower_realtime::axum::sse::{Event, KeepAlive, Sse}; // was: axum::response::sse

async fn sse_handler() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // A `Stream` that repeats an event every second
    let stream = stream::repeat_with(|| Event::default().data("hi!"))
        .map(Ok)
        .throttle(Duration::from_secs(1));

    Sse::new(stream).keep_alive(KeepAlive::default())
}

async fn example_handler() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stream = stream::repeat_with(|| Event::default().data("hi!"))
        .map(Ok)
        .throttle(Duration::from_secs(1));

    Sse::new(stream).keep_alive(
        KeepAlive::new()
            .interval(Duration::from_secs(1))
            .text("keep-alive-text"),
    )
}

async fn failing() -> Sse<impl Stream<Item = Result<Event, axum::Error>>> {
    Sse::new(stream::iter([
        Event::default().event("a\nb").id("1\r\0").json_data([1, 2]),
        Err(axum::Error::new("no more")),
    ]))
}

fn app() -> Router {
    Router::new()
        .route("/documented", get(sse_handler))
        .route("/example", get(example_handler))
        .route("/failing", get(failing))
}

mod tests {
    use axum::body::Body;
    use bytes::Bytes;
    use http::Request;
    use http_body_util::Empty;
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    use tower::ServiceExt;
    use tower_realtime::sse::{EventSource, EventStream};

    use super::*;
    use crate::support;

    #[tokio::test(start_paused = true)]
    async fn ok_events_arrive() {
        for path in ["/documented", "/example"] {
            let request = Request::get(path).body(Empty::<Bytes>::new()).unwrap();
            let mut events = EventSource::new(app(), request, tokio::time::sleep);
            for _ in 0..3 {
                assert_eq!(events.next().await.unwrap().unwrap().data, "hi!");
            }
        }
    }

    #[tokio::test]
    async fn ok_over_the_network() {
        let address = support::serve(app()).await;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::get(format!("http://{address}/documented"))
            .body(Empty::<Bytes>::new())
            .unwrap();
        let mut events = EventSource::new(client, request, tokio::time::sleep);
        assert_eq!(events.next().await.unwrap().unwrap().data, "hi!");
    }

    #[tokio::test]
    async fn what_no_field_can_have_is_replaced_and_an_error_aborts() {
        let request = Request::get("/failing").body(Body::empty()).unwrap();
        let response = app().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut events = EventStream::new(response.into_body());
        let event = events.next().await.unwrap().unwrap();
        assert_eq!(event.event, "a\u{fffd}b");
        assert_eq!(event.last_event_id, "1\u{fffd}\u{fffd}");
        assert_eq!(event.data, "[1,2]");
        assert!(events.next().await.unwrap().is_err());
    }
}
