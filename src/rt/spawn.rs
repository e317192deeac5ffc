use std::pin::Pin;

use super::DynTimer;

/// A future that runs beside the others until it ends. It owns what it needs and may move between threads.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs a [`Task`] in the background.
///
/// Every `Fn(Task)` is one. It returns nothing on purpose: a handle whose drop cancels the task, as smol's does,
/// has to be detached knowingly.
///
/// ```
/// use tower_realtime::rt::{Spawn, Task};
///
/// fn takes(_: impl Spawn) {}
///
/// takes(|task: Task| drop(tokio::spawn(task)));
/// takes(|task: Task| smol::spawn(task).detach());
/// ```
pub trait Spawn {
    /// Starts `task` and returns at once.
    fn spawn(&self, task: Task);

    /// Starts a future that is not in a box of its own.
    ///
    /// By default it is put into one. The named runtimes hold it where they hold the rest of the task, which is one
    /// allocation less for each connection.
    ///
    /// ```
    /// use tower_realtime::rt::{Spawn, Tokio};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// Tokio.spawn_future(async { println!("beside the others") });
    /// # tokio::task::yield_now().await;
    /// # });
    /// ```
    fn spawn_future<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
        Self: Sized,
    {
        self.spawn(Box::pin(future));
    }

    /// The timer of the same runtime, where it is known.
    ///
    /// The named runtimes know it, so that what they spawn has its time-outs and heartbeats without another
    /// argument; a bare closure does not.
    ///
    /// ```
    /// use tower_realtime::rt::{Spawn, Task, Tokio};
    ///
    /// assert!(Tokio.timer().is_some());
    /// assert!((|task: Task| drop(tokio::spawn(task))).timer().is_none());
    /// ```
    fn timer(&self) -> Option<DynTimer> {
        None
    }
}

impl<F> Spawn for F
where
    F: Fn(Task),
{
    fn spawn(&self, task: Task) {
        self(task);
    }
}
