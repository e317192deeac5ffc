//! The checks of the event streams, for the handlers with axum's types and with ours.

use axum::{
    Router,
    body::{Body, BodyDataStream},
    http::Request,
};
use futures_util::StreamExt;
use tower::ServiceExt;
use tower_realtime::sse::EventStream;

use crate::{after, before};

fn apps() -> [(&'static str, Router); 2] {
    [
        ("before", before::events::app()),
        ("after", after::events::app()),
    ]
}

async fn get(app: Router, path: &str) -> Body {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response.into_body()
}

#[tokio::test]
async fn ok_every_field_arrives_and_the_stream_ends() {
    for (which, app) in apps() {
        let mut events = EventStream::new(get(app, "/countdown/3").await);
        for left in ["3", "2", "1"] {
            let tick = events.next().await.unwrap().unwrap();
            assert_eq!(tick.event(), "tick", "{which}");
            assert_eq!(tick.last_event_id(), left, "{which}");
            assert_eq!(tick.data(), format!("{left} s\nto go"), "{which}");
        }
        let last = events.next().await.unwrap().unwrap();
        assert_eq!(
            (last.event(), last.data()),
            ("message", "liftoff"),
            "{which}"
        );
        assert!(events.next().await.is_none(), "{which}");
    }
}

#[tokio::test]
async fn ok_comment_and_retry_are_written() {
    for (which, app) in apps() {
        let body = get(app, "/countdown/0").await;
        let body = axum::body::to_bytes(body, 1024).await.unwrap();
        let text = std::str::from_utf8(&body).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.contains(&": the end"), "{which} {text}");
        let retries = ["retry: 2500", "retry:2500"];
        assert!(
            lines.iter().any(|line| retries.contains(line)),
            "{which} {text}"
        );
    }
}

#[tokio::test]
async fn ok_json_then_an_error_that_aborts() {
    for (which, app) in apps() {
        let mut events = EventStream::new(get(app, "/readings").await);
        let reading = events.next().await.unwrap().unwrap();
        assert_eq!(reading.data(), r#"{"celsius":21.5}"#, "{which}");
        assert!(events.next().await.unwrap().is_err(), "{which}");
    }
}

#[tokio::test(start_paused = true)]
async fn ok_keep_alives_while_nothing_happens() {
    for (which, app) in apps() {
        let start = tokio::time::Instant::now();
        let mut body: BodyDataStream = get(app.clone(), "/quiet").await.into_data_stream();
        for _ in 0..3 {
            let comment = body.next().await.unwrap().unwrap();
            assert!(
                comment.starts_with(b": still here\n"),
                "{which} {comment:?}"
            );
        }
        let most = std::time::Duration::from_secs(10);
        assert!(start.elapsed() < most, "{which} {:?}", start.elapsed());

        let mut events = EventStream::new(get(app, "/idle").await);
        for _ in 0..2 {
            let idle = events.next().await.unwrap().unwrap();
            assert_eq!(
                (idle.event(), idle.data()),
                ("idle", "nothing yet"),
                "{which}"
            );
        }
    }
}
