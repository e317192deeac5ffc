use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::rt::{Read, ReadBufCursor, Write};

use super::progress::Progress;
use crate::{
    lifecycle::StallSignal,
    rt::{BoxSleep, DynTimer, Timer},
};

/// For how long a client may not read before it is given up.
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::{layers::StallLimit, rt::Tokio};
///
/// // Nothing for 30 seconds, or less than 1 KB a second while there is more:
/// let limit = StallLimit::new(Tokio, Duration::from_secs(30)).min_rate(1_000);
/// # let _ = limit;
/// ```
#[derive(Clone, Debug)]
pub struct StallLimit {
    pub(super) timer: DynTimer,
    pub(super) time: Duration,
    least: u64,
}

impl StallLimit {
    /// A client that takes nothing for `time` is given up, at twice the time at the latest. Only the time counts in
    /// which there is something for it to take. 30 s is a good start: it spares a phone in a tunnel.
    #[must_use]
    pub fn new<T>(timer: T, time: Duration) -> Self
    where
        T: Timer + Send + Sync + 'static,
        T::Sleep: Send + 'static,
    {
        Self {
            timer: DynTimer::new(timer),
            time,
            least: 1,
        }
    }

    /// A client must also take that many bytes per second, on average over the time, while there are more waiting.
    ///
    /// It stops those who take one byte now and then. Choose it far below the slowest honest link.
    #[must_use]
    pub fn min_rate(mut self, bytes_per_second: u64) -> Self {
        let millis = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        self.least = (bytes_per_second.saturating_mul(millis) / 1000).max(1);
        self
    }
}

/// A connection that fails when its client does not read.
///
/// A body can't free itself: the HTTP stack polls it only when it can write more, so a client that stops reading
/// holds its stream, its permit and the frame on the way for as long as it likes. Wrapped around what is given to
/// hyper, this lets a write fail that makes no progress, which ends the connection and all its streams.
///
/// ```
/// # use std::{convert::Infallible, time::Duration};
/// # use axum::{Router, body::Body};
/// use http::Request;
/// use hyper_util::{rt::{TokioExecutor, TokioIo}, server::conn::auto, service::TowerToHyperService};
/// use tower::ServiceBuilder;
/// use tower_realtime::layers::{StallExecutor, StallGuard, StallLimit};
///
/// # async fn serve(tcp: tokio::net::TcpStream, app: Router) {
/// let limit = StallLimit::new(tokio::time::sleep, Duration::from_secs(30));
/// let io = StallGuard::new(TokioIo::new(tcp), &limit);
/// let signal = io.signal(); // lets streams end as stalled, not as disconnected
/// let service = ServiceBuilder::new()
///     .map_request(move |mut request: Request<_>| {
///         request.extensions_mut().insert(signal.clone());
///         request
///     })
///     .service(app);
/// let executor = StallExecutor::new(TokioExecutor::new(), &limit); // for HTTP/2
/// auto::Builder::new(executor)
///     .serve_connection_with_upgrades(io, TowerToHyperService::new(service))
///     .await
///     .ok();
/// # }
/// ```
///
/// Over HTTP/2 it sees a client that reads nothing at all. One that reads the connection, but not one of its streams,
/// is [`StallExecutor`](super::StallExecutor)'s.
pub struct StallGuard<Io> {
    io: Io,
    limit: StallLimit,
    signal: StallSignal,
    progress: Progress,
    sleep: Option<BoxSleep>,
}

impl<Io> StallGuard<Io> {
    /// Watches the writes of `io`.
    #[must_use]
    pub fn new(io: Io, limit: &StallLimit) -> Self {
        Self {
            io,
            limit: limit.clone(),
            signal: StallSignal::default(),
            progress: Progress::default(),
            sleep: None,
        }
    }

    /// Whether it stalled, for the extensions of the requests of this connection.
    pub fn signal(&self) -> StallSignal {
        self.signal.clone()
    }

    /// The connection within.
    pub const fn get_ref(&self) -> &Io {
        &self.io
    }

    /// The connection within.
    pub const fn get_mut(&mut self) -> &mut Io {
        &mut self.io
    }

    /// The connection without the guard.
    #[must_use]
    pub fn into_inner(self) -> Io {
        self.io
    }

    /// Something waits to be written.
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        self.progress.blocked();
        loop {
            let limit = &self.limit;
            let sleep = self
                .sleep
                .get_or_insert_with(|| limit.timer.sleep(limit.time));
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
            if self.progress.tick(self.limit.least) {
                self.signal.set();
                let error = io::Error::new(io::ErrorKind::TimedOut, "the client does not read");
                return Poll::Ready(error);
            }
        }
    }

    fn wrote(&mut self, result: io::Result<usize>) -> io::Result<usize> {
        let bytes = *result.as_ref().unwrap_or(&0);
        self.progress
            .wrote(u64::try_from(bytes).unwrap_or(u64::MAX));
        result
    }

    /// All is written: a window that has begun says nothing about the next burst.
    fn rest(&mut self, result: io::Result<()>) -> io::Result<()> {
        self.sleep = None;
        self.progress = Progress::default();
        result
    }
}

impl<Io: Read + Unpin> Read for StallGuard<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<Io: Write + Unpin> Write for StallGuard<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.io).poll_write(cx, buf) {
            Poll::Ready(result) => Poll::Ready(self.wrote(result)),
            Poll::Pending => self.poll_stall(cx).map(Err),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.io).poll_write_vectored(cx, bufs) {
            Poll::Ready(result) => Poll::Ready(self.wrote(result)),
            Poll::Pending => self.poll_stall(cx).map(Err),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.io).poll_flush(cx) {
            Poll::Ready(result) => Poll::Ready(self.rest(result)),
            Poll::Pending => self.poll_stall(cx).map(Err),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.io).poll_shutdown(cx) {
            Poll::Ready(result) => Poll::Ready(self.rest(result)),
            Poll::Pending => self.poll_stall(cx).map(Err),
        }
    }
}

impl<Io: fmt::Debug> fmt::Debug for StallGuard<Io> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StallGuard")
            .field("io", &self.io)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}
