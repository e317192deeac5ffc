use std::{sync::LazyLock, time::Duration};

use super::{DynTimer, Spawn, Task, Timer};

/// tokio's clock and executor: [`tokio::time::sleep`] and [`tokio::spawn`], with a name.
///
/// ```
/// use tower_realtime::{rt::Tokio, sse::KeepAlive};
///
/// struct Settings {
///     keep_alive: KeepAlive<Tokio>, // a type that can be written down
/// }
/// # let _ = Settings { keep_alive: KeepAlive::new(Tokio) }.keep_alive;
/// ```
///
/// Both want to be called inside of a tokio runtime, and panic outside, as tokio itself does.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a unit value that users write by its name"
)]
pub struct Tokio;

impl Timer for Tokio {
    type Sleep = tokio::time::Sleep;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        tokio::time::sleep(duration)
    }
}

impl Spawn for Tokio {
    fn spawn(&self, task: Task) {
        drop(tokio::spawn(task));
    }

    fn spawn_future<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(tokio::spawn(future));
    }

    fn timer(&self) -> Option<DynTimer> {
        // One for all connections.
        static TIMER: LazyLock<DynTimer> = LazyLock::new(|| DynTimer::new(Tokio));
        Some(TIMER.clone())
    }
}
