use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use hyper::rt::Executor;
use pin_project_lite::pin_project;

use super::StallLimit;
use crate::{
    lifecycle::{Turn, drop_stalled},
    rt::{BoxSleep, Timer},
};

/// An executor for hyper's HTTP/2 server that gives up streams whose client does not read them.
///
/// Over HTTP/2 a client may read its connection and answer pings, but grant one stream no window: a tab that paused
/// its reader. Nothing is blocked that a [`StallGuard`](super::StallGuard) could see, and the body is not polled. But
/// hyper hands each stream to the executor as a task; this one drops a task whose body gave out a frame and was not
/// asked for another in time. The client sees `RST_STREAM`, and the connection's other streams go on.
///
/// It judges event streams that are behind a layer of this module. The rate of a [`StallLimit`] plays no part.
///
/// ```
/// use std::time::Duration;
/// use hyper_util::{rt::TokioExecutor, server::conn::auto};
/// use tower_realtime::layers::{StallExecutor, StallLimit};
///
/// let limit = StallLimit::new(tokio::time::sleep, Duration::from_secs(30));
/// let server = auto::Builder::new(StallExecutor::new(TokioExecutor::new(), &limit));
/// # let _ = server;
/// ```
///
/// [`StallGuard`](super::StallGuard) shows both of them together.
#[derive(Clone, Debug)]
pub struct StallExecutor<E> {
    inner: E,
    limit: StallLimit,
}

impl<E> StallExecutor<E> {
    /// Watches the tasks that go to `inner`.
    #[must_use]
    pub fn new(inner: E, limit: &StallLimit) -> Self {
        Self {
            inner,
            limit: limit.clone(),
        }
    }
}

impl<E, F> Executor<F> for StallExecutor<E>
where
    E: Executor<Watched<F>>,
    F: Future<Output = ()>,
{
    fn execute(&self, task: F) {
        self.inner.execute(Watched {
            task: Some(task),
            limit: self.limit.clone(),
            is_ahead: false,
            sleep: None,
        });
    }
}

pin_project! {
    /// A task of hyper's, started by a [`StallExecutor`], that ends when its stream stalls.
    pub struct Watched<F> {
        #[pin]
        task: Option<F>,
        limit: StallLimit,
        // The body is ahead of the client: it gave out a frame that the client has not taken yet.
        is_ahead: bool,
        sleep: Option<BoxSleep>,
    }
}

impl<F: Future<Output = ()>> Future for Watched<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(task) = this.task.as_mut().as_pin_mut() else {
            return Poll::Ready(());
        };
        let (done, turn) = Turn::during(|| task.poll(cx));
        if done.is_ready() {
            return Poll::Ready(());
        }
        if turn != Turn::Unknown {
            *this.is_ahead = turn == Turn::Wrote;
            *this.sleep = None;
        }
        if !*this.is_ahead {
            return Poll::Pending;
        }
        let limit = &*this.limit;
        let sleep = this
            .sleep
            .get_or_insert_with(|| limit.timer.sleep(limit.time));
        if sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        drop_stalled(|| this.task.set(None));
        Poll::Ready(())
    }
}

impl<F> fmt::Debug for Watched<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("is_ahead", &self.is_ahead)
            .finish_non_exhaustive()
    }
}
