use std::{pin::Pin, time::Duration};

use super::{Spawn, Task, Timer};

/// A [`hyper::rt::Timer`] as a [`Timer`], so that every runtime with a hyper integration has one.
///
/// ```
/// use hyper_util::rt::TokioTimer;
/// use tower_realtime::{rt::HyperTimer, sse::KeepAlive};
///
/// let keep_alive = KeepAlive::new(HyperTimer::new(TokioTimer::new()));
/// # let _ = keep_alive;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HyperTimer<T>(T);

impl<T> HyperTimer<T> {
    /// Wraps the timer of a hyper integration, for instance `hyper_util::rt::TokioTimer::new()`.
    #[must_use]
    pub const fn new(timer: T) -> Self {
        Self(timer)
    }
}

impl<T: hyper::rt::Timer> Timer for HyperTimer<T> {
    type Sleep = Pin<Box<dyn hyper::rt::Sleep>>;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }
}

/// A [`hyper::rt::Executor`] as a [`Spawn`].
///
/// ```
/// use http::request::Parts;
/// use hyper_util::rt::TokioExecutor;
/// use tower_realtime::{rt::HyperExecutor, ws::{WebSocket, WebSocketLayer}};
///
/// let spawn = HyperExecutor::new(TokioExecutor::new());
/// let layer = WebSocketLayer::new(spawn, |socket: WebSocket, _: Parts| async { drop(socket) });
/// # let _ = layer;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HyperExecutor<E>(E);

impl<E> HyperExecutor<E> {
    /// Wraps the executor of a hyper integration, for instance `hyper_util::rt::TokioExecutor::new()`.
    #[must_use]
    pub const fn new(executor: E) -> Self {
        Self(executor)
    }
}

impl<E: hyper::rt::Executor<Task>> Spawn for HyperExecutor<E> {
    fn spawn(&self, task: Task) {
        self.0.execute(task);
    }
}
