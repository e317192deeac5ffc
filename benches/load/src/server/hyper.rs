//! hyper with a body that hands on bytes: what an event stream costs before anybody adds anything.

use std::{
    convert::Infallible,
    error::Error,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Either, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::broadcast};
use tokio_stream::wrappers::BroadcastStream;

use super::{QUEUE, carrier};

type Events = broadcast::Sender<Bytes>;

/// The same for both versions of HTTP, behind TLS where there is a certificate.
pub async fn carried(listener: TcpListener, pair: &[String]) -> Result<(), Box<dyn Error>> {
    let (events, _) = broadcast::channel(QUEUE);
    let service = service_fn(move |request| answer(events.clone(), request));
    carrier::run(listener, pair, service).await
}

pub async fn run(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let (events, _) = broadcast::channel(QUEUE);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let events = events.clone();
        let service = service_fn(move |request| answer(events.clone(), request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn answer(
    events: Events,
    request: Request<Incoming>,
) -> Result<Response<Either<Raw, Full<Bytes>>>, Box<dyn Error + Send + Sync>> {
    if request.uri().path() == "/sse" {
        let raw = Raw(BroadcastStream::new(events.subscribe()));
        let response = Response::builder().header("content-type", "text/event-stream");
        return Ok(response.body(Either::Left(raw))?);
    }
    let count = request.uri().path().rsplit('/').next().unwrap_or_default();
    let count: usize = count.parse()?;
    let body = request.into_body().collect().await?.to_bytes();
    let event = Bytes::from([b"data: ", &*body, b"\n\n"].concat());
    for _ in 0..count {
        let _ = events.send(event.clone());
    }
    Ok(Response::new(Either::Right(Full::new(Bytes::from_static(
        b"ok",
    )))))
}

/// Each item as a frame of its own.
struct Raw(BroadcastStream<Bytes>);

impl Body for Raw {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            match ready!(Pin::new(&mut self.0).poll_next(context)) {
                Some(Ok(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Err(_)) => {}
                None => return Poll::Ready(None),
            }
        }
    }
}
