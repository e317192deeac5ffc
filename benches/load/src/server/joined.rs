//! The least that a server on hyper can do for a burst: a body that hands on what came as one piece of bytes.
//!
//! The piece is made once for all connections. A body has its place in the list of pieces and no queue, no stream, no
//! timer, and it is woken once. No event stream under hyper can be below this, whatever makes its bytes.

use std::{
    convert::Infallible,
    error::Error,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Either, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[derive(Default)]
struct Log(Mutex<Bursts>);

#[derive(Default)]
struct Bursts {
    all: Vec<Bytes>,
    waiting: Vec<Waker>,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Bursts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub async fn run(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let log = Arc::new(Log::default());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let log = Arc::clone(&log);
        let service = service_fn(move |request| answer(Arc::clone(&log), request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn answer(
    log: Arc<Log>,
    request: Request<Incoming>,
) -> Result<Response<Either<Joined, Full<Bytes>>>, Box<dyn Error + Send + Sync>> {
    if request.uri().path() == "/sse" {
        let at = log.lock().all.len();
        let joined = Joined {
            log,
            at,
            waits: None,
        };
        let response = Response::builder().header("content-type", "text/event-stream");
        return Ok(response.body(Either::Left(joined))?);
    }
    let count = request.uri().path().rsplit('/').next().unwrap_or_default();
    let count: usize = count.parse()?;
    let body = request.into_body().collect().await?.to_bytes();
    let burst = [b"data: ", &*body, b"\n\n"].concat().repeat(count);
    let waiting = {
        let mut bursts = log.lock();
        bursts.all.push(burst.into());
        std::mem::take(&mut bursts.waiting)
    };
    waiting.into_iter().for_each(Waker::wake);
    Ok(Response::new(Either::Right(Full::new(Bytes::from_static(
        b"ok",
    )))))
}

struct Joined {
    log: Arc<Log>,
    at: usize,
    /// Where it stood when it gave away its waker: hyper polls more often than it is woken.
    waits: Option<usize>,
}

impl Body for Joined {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let mut bursts = this.log.lock();
        if let Some(burst) = bursts.all.get(this.at) {
            this.at += 1;
            return Poll::Ready(Some(Ok(Frame::data(burst.clone()))));
        }
        if this.waits.replace(this.at) != Some(this.at) {
            bursts.waiting.push(context.waker().clone());
        }
        Poll::Pending
    }
}
