//! The examples about the life of a stream do what their first lines say.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{net::TcpListener, sync::oneshot};

#[allow(dead_code)]
#[path = "../examples/drain.rs"]
mod drain;
#[allow(dead_code)]
#[path = "../examples/limits.rs"]
mod limits;
#[allow(dead_code)]
#[path = "../examples/observability.rs"]
mod observability;

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn get(address: SocketAddr, path: &str) -> Response<Incoming> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(format!("http://{address}{path}"))
        .header("accept", "text/event-stream")
        .body(Empty::<Bytes>::new());
    client.request(request.unwrap()).await.unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .into(),
    )
    .unwrap()
}

#[tokio::test]
async fn drain() {
    let (listener, address) = listener().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(drain::run(listener, async { stopped.await.unwrap() }));
    let mut response = get(address, "/ticks").await;
    response.frame().await.unwrap().unwrap();
    stop.send(()).unwrap();
    let rest = text(response).await;
    let last = rest.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.starts_with("retry: "), "{rest}");
    let report = server.await.unwrap().unwrap();
    assert_eq!((report.closed, report.forced), (1, 0));
}

#[tokio::test]
async fn limits() {
    let (listener, address) = listener().await;
    tokio::spawn(limits::run(listener));
    let two = [get(address, "/ticks").await, get(address, "/ticks").await];
    let third = text(get(address, "/ticks").await).await;
    assert!(third.starts_with("retry: "), "{third}");
    drop(two);
}

#[tokio::test]
async fn observability() {
    let (listener, address) = listener().await;
    tokio::spawn(async { axum::serve(listener, observability::app()).await });
    let mut response = get(address, "/ticks").await;
    response.frame().await.unwrap().unwrap();
    assert_eq!(get(address, "/closed").await.status(), 403);
    let open = text(get(address, "/metrics").await).await;
    assert!(
        open.contains("streams_open{kind=\"event_stream\"} 1\n"),
        "{open}"
    );
    drop(response);
    let ended = "streams_ended_total{kind=\"event_stream\",reason=\"disconnected\"} 1\n";
    let scraped = async {
        loop {
            let metrics = text(get(address, "/metrics").await).await;
            if metrics.contains(ended) {
                return metrics;
            }
            tokio::task::yield_now().await;
        }
    };
    let metrics = tokio::time::timeout(Duration::from_secs(20), scraped)
        .await
        .unwrap();
    for line in [
        "# TYPE streams_open gauge\n",
        "streams_open{kind=\"event_stream\"} 0\n",
        "streams_refused_total{kind=\"event_stream\",status=\"403\"} 1\n",
        "stream_duration_seconds_count{kind=\"event_stream\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let sent = metrics
        .lines()
        .find_map(|line| line.strip_prefix("stream_events_sent_total{kind=\"event_stream\"} "));
    assert!(sent.unwrap().parse::<u64>().unwrap() >= 1);
}
