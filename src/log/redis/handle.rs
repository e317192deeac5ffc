use std::{
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    error::Error,
    feed::Feed,
    limits::{self, Limits},
    stream::RedisStream,
    wire::Link,
};
use crate::{
    log::EventLog,
    rt::{DynTimer, Spawn, Task, Timer},
};

/// A Redis server (or a Valkey one) that keeps logs for many processes. A cheap handle, to be cloned freely.
///
/// See the [module docs](super) for an example and for what is promised.
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::{log::{EventLog, redis::Redis}, rt::Tokio};
///
/// # fn f() -> Result<(), tower_realtime::log::redis::Error> {
/// let redis = Redis::open("redis://localhost:6379", Tokio)?
///     .prefix("shop:")
///     .keep(10_000)
///     .age(Duration::from_secs(3600))
///     .idle(Duration::from_secs(7 * 24 * 3600))
///     .attempts(3);
/// let orders = redis.log("orders");
/// let same = EventLog::over(redis.stream("orders"));
/// # let _ = (orders, same);
/// # Ok(()) }
/// # tokio::runtime::Runtime::new().unwrap().block_on(async { f().unwrap() });
/// ```
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
    limits: Limits,
    prefix: Arc<str>,
}

/// What all streams of a process share.
pub(super) struct Shared {
    pub(super) link: Link,
    pub(super) feed: Feed,
    /// The stream that wakes this process's reader.
    pub(super) wake: String,
    spawn: Box<dyn Fn(Task) + Send + Sync>,
    timer: DynTimer,
    /// What no other process has.
    nonce: u64,
    tokens: AtomicU64,
}

impl Redis {
    /// The server at `url`: `redis://user:password@host:6379/0`, or `rediss://` for TLS, which is there if the
    /// application has `redis` with one of its TLS features.
    ///
    /// It connects when it is used first, and again whenever the connection is lost. The `runtime` is
    /// [`rt::Tokio`](crate::rt::Tokio) or [`rt::Smol`](crate::rt::Smol).
    ///
    /// # Errors
    ///
    /// If `url` is no address.
    pub fn open<R>(url: &str, runtime: R) -> Result<Self, Error>
    where
        R: Spawn + Timer + Clone + Send + Sync + 'static,
        R::Sleep: Send + 'static,
    {
        let nonce = random();
        let shared = Shared {
            link: Link::new(url)?,
            feed: Feed::default(),
            wake: format!("tower-realtime:wake:{nonce:x}"),
            timer: DynTimer::new(runtime.clone()),
            spawn: Box::new(move |task| runtime.spawn(task)),
            nonce,
            tokens: AtomicU64::new(0),
        };
        Ok(Self {
            shared: Arc::new(shared),
            limits: Limits::default(),
            prefix: "tower-realtime:".into(),
        })
    }

    /// Keeps about the last `events` of each log, up to a hundred more. The default is 1,024.
    #[must_use]
    pub const fn keep(mut self, events: usize) -> Self {
        self.limits.events = if events == 0 { 1 } else { events };
        self
    }

    /// Keeps nothing that is much older. The default is no limit.
    ///
    /// Redis drops old events when new ones come, up to a hundred late.
    #[must_use]
    pub const fn age(mut self, age: Duration) -> Self {
        self.limits.age = age;
        self
    }

    /// How long a log lives after its last event, so that the rooms of last year do not stay for ever. The default is
    /// a day; zero is no limit.
    #[must_use]
    pub const fn idle(mut self, idle: Duration) -> Self {
        self.limits.idle = idle;
        self
    }

    /// How often a command is tried before it fails. The default is 10, with pauses from 50 ms to 1 s: about six
    /// seconds, which a restart of a server takes.
    #[must_use]
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.limits.attempts = if attempts == 0 { 1 } else { attempts };
        self
    }

    /// What the keys of all logs begin with. The default is `tower-realtime:`.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The log of this name. It is shared by all processes that use the name.
    #[must_use]
    pub fn log(&self, name: &str) -> EventLog<RedisStream> {
        EventLog::over(self.stream(name))
    }

    /// The store of the log of this name.
    #[must_use]
    pub fn stream(&self, name: &str) -> RedisStream {
        let key = format!("{}{name}", self.prefix).into();
        RedisStream::new(Arc::clone(&self.shared), key, self.limits)
    }
}

impl Shared {
    pub(super) fn spawn(&self, task: Task) {
        (self.spawn)(task);
    }

    pub(super) async fn sleep(&self, attempt: u32) {
        self.timer.sleep(limits::pause(attempt, random())).await;
    }

    pub(super) fn token(&self) -> String {
        let count = self.tokens.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{count:x}", self.nonce)
    }
}

/// A number that nobody can foresee: what `std` seeds its maps with.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("limits", &self.limits)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
