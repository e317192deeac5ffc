//! Stops a server without cutting its streams: `cargo run --example drain`, open `curl -N 127.0.0.1:3000/ticks`, then
//! press ctrl-c in the server's terminal, or `kill` it as Kubernetes and systemd do.

use std::{convert::Infallible, io, time::Duration};

use axum::{Router, response::IntoResponse, routing::get};
use futures_util::stream;
use tokio::net::TcpListener;
use tower_realtime::{
    lifecycle::{Drain, DrainPolicy, DrainReport},
    rt::Tokio,
    sse::{Event, Sse},
};

async fn ticks() -> impl IntoResponse {
    Sse::new(stream::unfold(0, async |n: u64| {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Some((Ok::<_, Infallible>(Event::new(n.to_string())), n + 1))
    }))
    .into_response()
}

/// Serves until `stop`, and then until the streams have ended.
pub(crate) async fn run(
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<DrainReport> {
    let drain = Drain::new(Tokio);
    let app = Router::new()
        .route("/ticks", get(ticks))
        .layer(drain.layer());
    let policy = DrainPolicy::default()
        .spread(Duration::from_secs(2))
        .deadline(Duration::from_secs(20));
    let draining = drain.clone();
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            stop.await;
            draining.start_with(policy);
        })
        .await?;
    Ok(drain.finished().await) // sockets outlive the server
}

/// SIGINT from a terminal, SIGTERM from Kubernetes, systemd and Docker.
async fn stopped() {
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        let mut signals = signal(SignalKind::terminate()).expect("a handler for SIGTERM");
        signals.recv().await;
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}/ticks", listener.local_addr()?);
    let report = run(listener, stopped()).await?;
    println!(
        "{} streams ended, {} were forced",
        report.closed, report.forced
    );
    Ok(())
}
