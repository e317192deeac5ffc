use std::{fmt, time::Duration};

use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{ConnectError, Connector};
use crate::{
    BoxError,
    lifecycle::{Attempts, Backoff, random},
    rt::{BoxSleep, DynTimer, Timer},
    trace::debug,
    ws::WebSocket,
};

/// Opens a WebSocket again and again: each [`next`](Self::next) is a new connection.
///
/// It paces the attempts with the [`Backoff`] that `EventSource` uses, full jitter included, so that a server that
/// comes back is not met by everybody at once. What a lost connection means for the conversation only you know:
/// subscribe again, or ask for what was missed.
///
/// ```no_run
/// use bytes::Bytes;
/// use http::Request;
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower_realtime::{rt::Tokio, ws::Connector};
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let client = Client::builder(TokioExecutor::new()).build_http();
/// let mut connections = Connector::new().reconnecting(client, Tokio, || async {
///     let token = "fresh for each attempt";
///     Request::get("ws://localhost:3000/prices")
///         .header("authorization", format!("Bearer {token}"))
///         .body(Empty::<Bytes>::new())
/// });
/// loop {
///     let (mut socket, _) = connections.next().await?; // waits as long as it has to
///     socket.send("subscribe").await?;
///     while let Ok(Some(message)) = socket.recv().await {
///         println!("{message:?}");
///     }
/// }
/// # }
/// ```
///
/// Attempts can have an end:
///
/// ```
/// use std::time::Duration;
/// use http::Request;
/// use tower_realtime::{lifecycle::Backoff, rt::Tokio, ws::Connector};
///
/// # fn f<C>(client: C) {
/// let connections = Connector::new()
///     .reconnecting(client, Tokio, || async { Request::get("ws://localhost:3000/prices").body(()) })
///     .backoff(Backoff::new().cap(Duration::from_secs(10)).max_attempts(20));
/// # let _ = connections;
/// # }
/// ```
///
/// What fails in between can be watched:
///
/// ```
/// use tower_realtime::ws::{FailedAttempt, Reconnecting};
///
/// fn watched<C, F>(connections: Reconnecting<C, F>) -> Reconnecting<C, F> {
///     connections.on_failure(|FailedAttempt { cause, after, failed, .. }| {
///         eprintln!("{failed} failed in a row, the last with: {cause}; again in {after:?}");
///     })
/// }
/// ```
pub struct Reconnecting<C, F> {
    connector: Connector,
    client: C,
    request: F,
    timer: DynTimer,
    attempts: Attempts,
    on_failure: Option<OnFailure>,
    /// Ready once the last connection has lasted long enough to count as a good one.
    healthy: Option<BoxSleep>,
    /// The wait that stands before the next attempt.
    wait: Option<BoxSleep>,
}

type OnFailure = Box<dyn FnMut(FailedAttempt) + Send>;

/// An attempt to open a WebSocket failed, and another follows: see [`Reconnecting::on_failure`].
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedAttempt {
    /// How long it waits before the next.
    pub after: Duration,
    /// What went wrong.
    pub cause: ConnectError,
    /// How many attempts in a row have brought no healthy connection, this one included.
    pub failed: u32,
}

impl Connector {
    /// Opens connections to what `request` asks for, one after the other.
    ///
    /// `request` is called before every attempt, so that each can carry fresh credentials; where it fails, so does
    /// the attempt. The timer is that of the waits, and of everything else where none was
    /// [set](Self::timer).
    ///
    /// [`Reconnecting`] has an example.
    pub fn reconnecting<C, T, F>(mut self, client: C, timer: T, request: F) -> Reconnecting<C, F>
    where
        T: Timer + Send + Sync + 'static,
        T::Sleep: Send + 'static,
    {
        let timer = DynTimer::new(timer);
        self.timer.get_or_insert_with(|| timer.clone());
        Reconnecting {
            connector: self,
            client,
            request,
            timer,
            attempts: Attempts::default(),
            on_failure: None,
            healthy: None,
            wait: None,
        }
    }
}

impl<C, F> Reconnecting<C, F> {
    /// Sets how attempts are paced, and after how many to give up; [`Backoff::new`] by default.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.attempts = Attempts::new(backoff);
        self
    }

    /// Calls `tell` for each attempt that fails and is followed by another; [`next`](Self::next) is silent about them.
    ///
    /// The failure that is the last is what `next` returns.
    #[must_use]
    pub fn on_failure(mut self, tell: impl FnMut(FailedAttempt) + Send + 'static) -> Self {
        self.on_failure = Some(Box::new(tell));
        self
    }

    /// The next connection, as soon as there is one.
    ///
    /// The last one counts as over. Failures that may pass are tried again: of the network, time-outs, 408, 425,
    /// 429 and 5xx, after what `Retry-After` says at the least.
    ///
    /// # Errors
    ///
    /// When trying again would not help, such as a 403, or a request that can't be made; or when the
    /// [`Backoff`] gives up.
    ///
    /// # Cancel safety
    ///
    /// Safe: a wait goes on where it was, an attempt starts anew.
    pub async fn next<B, R, Fut, E>(&mut self) -> Result<(WebSocket, Response<()>), ConnectError>
    where
        C: Service<Request<B>, Response = Response<R>>,
        C::Error: Into<BoxError>,
        R: Body,
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<Request<B>, E>>,
        E: Into<BoxError>,
        B: Default,
    {
        if let Some(mut healthy) = self.healthy.take() {
            let lasted = (&mut healthy).now_or_never().is_some();
            if self.plan(lasted, None).is_none() {
                return Err(ConnectError::gave_up());
            }
        }
        loop {
            if let Some(wait) = &mut self.wait {
                wait.await;
                self.wait = None;
            }
            let request = (self.request)().await.map_err(ConnectError::factory)?;
            match self.connector.connect(&mut self.client, request).await {
                Ok(open) => {
                    self.healthy = Some(self.timer.sleep(self.attempts.healthy_after()));
                    return Ok(open);
                }
                Err(cause) => self.failed(cause)?,
            }
        }
    }

    /// Tells of a failure, unless it is the last.
    fn failed(&mut self, cause: ConnectError) -> Result<(), ConnectError> {
        debug!(%cause, "could not open a WebSocket");
        if !cause.may_pass() {
            return Err(cause);
        }
        let Some(after) = self.plan(false, cause.retry_after()) else {
            return Err(cause);
        };
        if let Some(tell) = &mut self.on_failure {
            let failed = self.attempts.failed();
            tell(FailedAttempt {
                after,
                cause,
                failed,
            });
        }
        Ok(())
    }

    /// Sets the wait before the next attempt, unless there is to be none.
    fn plan(&mut self, healthy: bool, asked: Option<Duration>) -> Option<Duration> {
        let wait = self.attempts.after(healthy, asked, random());
        self.wait = wait.map(|wait| self.timer.sleep(wait));
        wait
    }
}

impl<C, F> fmt::Debug for Reconnecting<C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnecting")
            .field("connector", &self.connector)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
