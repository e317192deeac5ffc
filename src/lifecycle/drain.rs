use std::{
    collections::HashMap,
    fmt,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use super::{DrainPolicy, Life, Refusal, StreamGuard, age, control::DrainOrder, random::random};
use crate::{
    rt::{DynTimer, Timer},
    wakers::{Key, WakerSet},
};

/// Ends all streams of a server in an orderly way, and says when they are gone.
///
/// Neither hyper nor axum does: an open event stream keeps a graceful shutdown waiting for ever, and an upgraded
/// WebSocket is not waited for at all. A drain, once [started](Self::start),
///
/// - ends event streams between two events, after a `retry:` that differs from client to client;
/// - closes WebSockets with 1001;
/// - spreads both over a time, so that the clients do not come back all at once;
/// - refuses new streams with 503 and `Retry-After`;
/// - forces what is left at its deadline, and reports how many that were.
///
/// Its streams are those behind its [`DrainLayer`](crate::layers::DrainLayer). It is cheap to clone; clones are
/// the same drain. There is no way back from started.
///
/// ```
/// use axum::Router;
/// use tower_realtime::{layers::DrainLayer, lifecycle::Drain, rt::Tokio};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let drain = Drain::new(Tokio);
/// let app: Router = Router::new().layer(DrainLayer::new(&drain));
/// # let _ = app;
/// drain.start(); // on a signal
/// let report = drain.finished().await;
/// println!("{report:?}");
/// # }
/// ```
#[derive(Clone)]
pub struct Drain(Arc<Shared>);

struct Shared {
    timer: DynTimer,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    started: Option<Started>,
    /// The open streams, by the address of their lives.
    open: HashMap<usize, Arc<Life>>,
    report: DrainReport,
    waiting: WakerSet,
}

struct Started {
    at: Instant,
    policy: DrainPolicy,
}

/// How a drain went.
///
/// ```
/// use tower_realtime::lifecycle::DrainReport;
///
/// fn exit_code(report: &DrainReport) -> u8 {
///     println!("{} streams ended in good order, {} were cut", report.closed, report.forced);
///     u8::from(report.forced > 0)
/// }
/// # assert_eq!(exit_code(&DrainReport::default()), 0);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainReport {
    /// Streams that ended in good order after the start.
    pub closed: usize,
    /// Streams that were cut at the deadline, or that even that could not end.
    pub forced: usize,
}

impl Drain {
    /// A drain that has not started. Its clock is `timer`, for instance [`rt::Tokio`](crate::rt::Tokio) or
    /// `tokio::time::sleep`.
    #[must_use]
    pub fn new<T>(timer: T) -> Self
    where
        T: Timer + Send + Sync + 'static,
        T::Sleep: Send + 'static,
    {
        Self(Arc::new(Shared {
            timer: DynTimer::new(timer),
            state: Mutex::default(),
        }))
    }

    /// Starts with the default [`DrainPolicy`].
    pub fn start(&self) {
        self.start_with(DrainPolicy::default());
    }

    /// Starts. The first start counts, others change nothing.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_realtime::{lifecycle::{Drain, DrainPolicy}, rt::ManualClock};
    ///
    /// # smol::block_on(async {
    /// let drain = Drain::new(ManualClock::new());
    /// drain.start_with(DrainPolicy::default().spread(Duration::from_secs(20)).deadline(Duration::from_secs(60)));
    /// drain.started().await; // it was, a line ago
    /// assert_eq!((drain.open(), drain.finished().await.closed), (0, 0));
    /// # });
    /// ```
    pub fn start_with(&self, policy: DrainPolicy) {
        let mut state = self.0.lock();
        if state.started.is_some() {
            return;
        }
        let open: Vec<_> = state.open.values().cloned().collect();
        state.started = Some(Started {
            at: Instant::now(),
            policy,
        });
        let waiting = state.waiting.take();
        drop(state);
        waiting.wake();
        self.0.order(policy, open);
    }

    /// Whether it has started, for a readiness probe.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_realtime::lifecycle::Drain;
    ///
    /// async fn ready(drain: Drain) -> StatusCode {
    ///     if drain.is_started() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    /// }
    /// ```
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.0.lock().started.is_some()
    }

    /// How many streams are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.0.lock().open.len()
    }

    /// Waits until it has started.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time.
    pub fn started(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut waiting = Waiting::new(&self.0);
        poll_fn(move |cx| waiting.poll(cx, |state| state.started.as_ref().map(|_| ())))
    }

    /// Waits until all streams have ended after a start, or until the deadline, and says how it went.
    ///
    /// Those that have not ended at the deadline, because their clients read nothing and no
    /// [`StallGuard`](crate::layers::StallGuard) frees them, count as forced.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time. Every call gives the same report in the end.
    pub fn finished(&self) -> impl Future<Output = DrainReport> + Send + 'static + use<> {
        let mut waiting = Waiting::new(&self.0);
        let mut deadline = None;
        poll_fn(move |cx| {
            let started = |state: &mut State| state.started.as_ref().map(Started::rest);
            let rest = ready!(waiting.poll(cx, started));
            if let Poll::Ready(report) = waiting.poll(cx, State::done) {
                return Poll::Ready(report);
            }
            let shared = &waiting.drain;
            let deadline = deadline.get_or_insert_with(|| shared.timer.sleep(rest));
            deadline.as_mut().poll(cx).map(|()| shared.lock().give_up())
        })
    }

    /// Makes `guard` one of its streams.
    pub(crate) fn join(&self, guard: &mut StreamGuard) -> Result<(), Refusal> {
        let joined = |member: &Member| Arc::ptr_eq(&member.drain, &self.0);
        if guard.members().iter().any(joined) {
            return Ok(()); // two layers of one drain
        }
        let life = Arc::clone(guard.life());
        let key = Arc::as_ptr(&life).addr();
        let mut state = self.0.lock();
        if state.started.is_some() {
            return Err(Refusal::Draining);
        }
        state.open.insert(key, life);
        drop(state);
        guard.join(Member {
            drain: Arc::clone(&self.0),
            key,
            forced: false,
        });
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells every stream when it is its turn.
    fn order(&self, policy: DrainPolicy, open: Vec<Arc<Life>>) {
        let count = u32::try_from(open.len()).unwrap_or(u32::MAX);
        let spread = policy.spread.min(policy.deadline);
        for (index, life) in (0..).zip(open) {
            let order = DrainOrder {
                timer: self.timer.clone(),
                after: age::slot(spread, index, count, random()),
                deadline: policy.deadline,
                closing: policy.closing(),
            };
            life.tell(|orders| orders.drain = Some(order));
        }
    }
}

impl State {
    fn done(&mut self) -> Option<DrainReport> {
        self.open.is_empty().then_some(self.report)
    }

    /// What is still there never ends.
    fn give_up(&mut self) -> DrainReport {
        DrainReport {
            closed: self.report.closed,
            forced: self.report.forced + self.open.len(),
        }
    }
}

impl Started {
    /// What is left until the deadline, and a little for the streams to notice it first.
    fn rest(&self) -> Duration {
        let rest = self.policy.deadline.saturating_sub(self.at.elapsed());
        rest.saturating_add(Duration::from_millis(250))
    }
}

/// One who waits for a change of the state.
struct Waiting {
    drain: Arc<Shared>,
    key: Option<Key>,
}

impl Waiting {
    fn new(drain: &Arc<Shared>) -> Self {
        Self {
            drain: Arc::clone(drain),
            key: None,
        }
    }

    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        look: impl FnOnce(&mut State) -> Option<T>,
    ) -> Poll<T> {
        let mut state = self.drain.lock();
        if let Some(found) = look(&mut state) {
            return Poll::Ready(found);
        }
        let key = self.key.get_or_insert_with(|| state.waiting.insert());
        let replaced = state.waiting.wait(key, cx.waker());
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let mut state = self.drain.lock();
            let waker = state.waiting.remove(key);
            drop(state);
            drop(waker);
        }
    }
}

/// One stream's membership of a drain, left by its drop.
pub(crate) struct Member {
    drain: Arc<Shared>,
    key: usize,
    forced: bool,
}

impl Member {
    /// The stream is cut at the deadline.
    pub(super) const fn force(&mut self) {
        self.forced = true;
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.drain.lock();
        let life = state.open.remove(&self.key);
        let started = state.started.is_some();
        state.report.closed += usize::from(started && !self.forced);
        state.report.forced += usize::from(started && self.forced);
        let last = started && state.open.is_empty();
        let waiting = last.then(|| state.waiting.take());
        drop(state);
        drop(life); // may hold foreign futures and wakers
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("Drain")
            .field("started", &state.started.is_some())
            .field("open", &state.open.len())
            .finish_non_exhaustive()
    }
}
