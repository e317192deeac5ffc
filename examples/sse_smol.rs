//! A stream of events on smol, without tokio: `cargo run --example sse_smol`, then `curl -N http://127.0.0.1:3000`.

use std::{convert::Infallible, io, time::Duration};

use futures_util::{Stream, stream};
use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use smol::net::TcpListener;
use smol_hyper::rt::FuturesIo;
use tower_realtime::{
    BoxError,
    sse::{Event, KeepAlive, Sse},
};

async fn ticks(
    _: Request<Incoming>,
) -> Result<Response<impl Body<Data = bytes::Bytes, Error = BoxError>>, Infallible> {
    Ok(Sse::new(every(Duration::from_millis(500)))
        .keep_alive(KeepAlive::new(smol::Timer::after)) // the only line that knows the runtime
        .into_response())
}

fn every(pause: Duration) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(0, move |n| async move {
        smol::Timer::after(pause).await;
        Some((Ok(Event::new(format!("tick {n}")).id(n)), n + 1))
    })
}

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let connection = http1::Builder::new();
        let served = connection.serve_connection(FuturesIo::new(stream), service_fn(ticks));
        smol::spawn(async move {
            if let Err(error) = served.await {
                eprintln!("connection: {error}");
            }
        })
        .detach();
    }
}

fn main() -> io::Result<()> {
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:3000").await?;
        println!("http://{}", listener.local_addr()?);
        serve(listener).await
    })
}
