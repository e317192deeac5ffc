//! A stream of events in hyper without a framework, over HTTP/1.1 and HTTP/2: `cargo run --example sse_hyper`, then
//! `curl -N http://127.0.0.1:3000`.

use std::{convert::Infallible, io, time::Duration};

use futures_util::{Stream, stream};
use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::net::TcpListener;
use tower_realtime::{
    BoxError,
    sse::{Event, KeepAlive, Sse},
};

async fn ticks(
    request: Request<Incoming>,
) -> Result<Response<impl Body<Data = bytes::Bytes, Error = BoxError>>, Infallible> {
    let (head, _) = request.into_parts();
    Ok(Sse::new(every(Duration::from_millis(500)))
        .keep_alive(KeepAlive::new(tokio::time::sleep))
        .answer(&head)) // 406 for a client that takes no events, headers alone on HEAD
}

fn every(pause: Duration) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(0, move |n| async move {
        tokio::time::sleep(pause).await;
        Some((Ok(Event::new(format!("tick {n}")).id(n)), n + 1))
    })
}

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let connection = auto::Builder::new(TokioExecutor::new());
            let served = connection.serve_connection(TokioIo::new(stream), service_fn(ticks));
            if let Err(error) = served.await {
                eprintln!("connection: {error}");
            }
        });
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}", listener.local_addr()?);
    serve(listener).await
}
