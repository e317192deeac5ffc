use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::Timer;

/// A clock that stands still until a test moves it.
///
/// Clones share the time. Nothing here sleeps: a time-out of an hour fires as soon as the test says that the hour
/// has passed, and never before.
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::rt::{ManualClock, Timer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let clock = ManualClock::new();
/// let sleep = clock.sleep(Duration::from_secs(3600));
/// clock.advance(Duration::from_secs(3600));
/// sleep.await;
/// # }
/// ```
///
/// How far it went, and whether anybody waits for it at all, can be asked:
///
/// ```
/// use std::time::Duration;
/// use futures_util::FutureExt;
/// use tower_realtime::rt::{ManualClock, Timer};
///
/// let clock = ManualClock::new();
/// let mut sleep = clock.sleep(Duration::from_secs(60));
/// assert!((&mut sleep).now_or_never().is_none());
/// assert_eq!(clock.sleepers(), 1);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!((clock.now(), clock.sleepers()), (Duration::from_secs(60), 0));
/// ```
#[derive(Clone, Default)]
pub struct ManualClock(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    now: Duration,
    /// One for each sleep that is waited for, found again by its number.
    waiting: Vec<(u64, Duration, Waker)>,
    next: u64,
}

impl ManualClock {
    /// A clock at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How far the clock has been moved.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.state().now
    }

    /// Moves the clock, and wakes who waited for no more than that.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.now = state.now.saturating_add(by);
        let now = state.now;
        let (due, waiting) = std::mem::take(&mut state.waiting)
            .into_iter()
            .partition::<Vec<_>, _>(|(_, deadline, _)| *deadline <= now);
        state.waiting = waiting;
        drop(state);
        for (_, _, waker) in due {
            waker.wake();
        }
    }

    /// How many sleeps are being waited for.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.state().waiting.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes out who waits for the sleep of this number, to be dropped after the lock: the last waker of a task may
    /// drop the task, and with it other sleeps of this clock.
    #[must_use = "foreign code runs when it drops"]
    fn forget(&mut self, number: u64) -> Option<Waker> {
        let at = self
            .waiting
            .iter()
            .position(|(waiting, ..)| *waiting == number)?;
        Some(self.waiting.remove(at).2)
    }
}

impl Timer for ManualClock {
    type Sleep = ManualSleep;

    fn sleep(&self, duration: Duration) -> ManualSleep {
        let mut state = self.state();
        state.next += 1;
        ManualSleep {
            clock: self.clone(),
            number: state.next,
            deadline: state.now.saturating_add(duration),
        }
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}

/// The sleep of a [`ManualClock`].
#[derive(Debug)]
#[must_use = "a sleep does nothing unless it is polled"]
pub struct ManualSleep {
    clock: ManualClock,
    number: u64,
    deadline: Duration,
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone(); // foreign code too
        let mut state = self.clock.state();
        let replaced = state.forget(self.number);
        let is_over = state.now >= self.deadline;
        let unused = if is_over {
            Some(waker)
        } else {
            state.waiting.push((self.number, self.deadline, waker));
            None
        };
        drop(state);
        drop((replaced, unused));
        if is_over {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        let waker = self.clock.state().forget(self.number);
        drop(waker);
    }
}
