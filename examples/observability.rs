//! Metrics of streams, as Prometheus reads them: `cargo run --example observability`, open
//! `curl -N 127.0.0.1:3000/ticks`, stop it, and look at `curl 127.0.0.1:3000/metrics`.

use std::{convert::Infallible, io, time::Duration};

use axum::{Router, response::IntoResponse, routing::get};
use futures_util::stream;
use http::StatusCode;
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::PrometheusBuilder;
use tower_realtime::{
    layers::ObserveLayer,
    lifecycle::{StreamEnd, StreamInfo, StreamObserver},
    sse::{Event, Sse},
};

struct Metrics;

impl StreamObserver for Metrics {
    fn started(&self, stream: &StreamInfo) {
        gauge!("streams_open", "kind" => stream.kind.as_str()).increment(1);
    }

    fn ended(&self, stream: &StreamInfo, end: &StreamEnd) {
        let kind = stream.kind.as_str();
        gauge!("streams_open", "kind" => kind).decrement(1);
        let reason = end.reason.as_str();
        counter!("streams_ended_total", "kind" => kind, "reason" => reason).increment(1);
        counter!("stream_events_sent_total", "kind" => kind).increment(end.stats.events_sent);
        histogram!("stream_duration_seconds", "kind" => kind).record(end.stats.duration);
    }

    fn refused(&self, stream: &StreamInfo, status: StatusCode) {
        let (kind, status) = (stream.kind.as_str(), status.as_str().to_owned());
        counter!("streams_refused_total", "kind" => kind, "status" => status).increment(1);
    }
}

async fn ticks() -> impl IntoResponse {
    Sse::new(stream::unfold(0, async |n: u64| {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Some((Ok::<_, Infallible>(Event::new(n.to_string())), n + 1))
    }))
}

pub(crate) fn app() -> Router {
    let recorder = PrometheusBuilder::new().install_recorder();
    let prometheus = recorder.expect("no other recorder");
    Router::new()
        .route("/ticks", get(ticks))
        .route("/closed", get(async || StatusCode::FORBIDDEN))
        .layer(ObserveLayer::new().observer(Metrics))
        .route("/metrics", get(async move || prometheus.render()))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}/metrics", listener.local_addr()?);
    axum::serve(listener, app()).await
}
