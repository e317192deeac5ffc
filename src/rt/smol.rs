use std::{sync::LazyLock, time::Duration};

use super::{DynTimer, Spawn, Task, Timer};

/// smol's clock and global executor: [`smol::Timer::after`] and [`smol::spawn`], with a name.
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::rt::{Smol, Spawn, Timer};
///
/// smol::block_on(async {
///     let (done, is_done) = smol::channel::bounded(1);
///     Smol.spawn(Box::pin(async move {
///         Smol.sleep(Duration::from_millis(1)).await;
///         done.send(()).await.ok();
///     }));
///     is_done.recv().await.expect("it ran");
/// });
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a unit value that users write by its name"
)]
pub struct Smol;

impl Timer for Smol {
    type Sleep = smol::Timer;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        smol::Timer::after(duration)
    }
}

impl Spawn for Smol {
    fn spawn(&self, task: Task) {
        smol::spawn(task).detach();
    }

    fn spawn_future<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        smol::spawn(future).detach();
    }

    fn timer(&self) -> Option<DynTimer> {
        // One for all connections.
        static TIMER: LazyLock<DynTimer> = LazyLock::new(|| DynTimer::new(Smol));
        Some(TIMER.clone())
    }
}
