use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Remembers whether a timer has rung, so that one that has not need not be polled.
pub(super) struct Alarm {
    bell: Arc<Bell>,
    /// Whom the bell wakes.
    task: Waker,
}

/// The waker of the timer: it stays the same, whatever task polls the stream.
struct Bell {
    /// Whether the timer has to be polled: it has rung, or it is new.
    rang: AtomicBool,
    task: Mutex<Waker>,
}

impl Alarm {
    /// An alarm for a timer that was not polled yet.
    pub(super) fn new(task: &Waker) -> Self {
        let bell = Bell {
            rang: AtomicBool::new(true),
            task: Mutex::new(task.clone()),
        };
        Self {
            bell: Arc::new(bell),
            task: task.clone(),
        }
    }

    /// Whether [`poll`](Self::poll) would find that nothing has happened.
    #[inline]
    pub(super) fn is_quiet(&self, cx: &Context<'_>) -> bool {
        self.task.will_wake(cx.waker()) && !self.bell.rang.load(Ordering::Acquire)
    }

    /// Polls the timer, if there is a reason to. Once it is ready, the next one is taken for new.
    pub(super) fn poll<S: Future>(&mut self, timer: Pin<&mut S>, cx: &Context<'_>) -> Poll<()> {
        // Followed before looking: a ring that comes in between wakes this task.
        if !self.task.will_wake(cx.waker()) {
            self.follow(cx.waker());
        }
        if self.bell.rang.load(Ordering::Acquire) {
            self.look(timer)
        } else {
            Poll::Pending
        }
    }

    fn look<S: Future>(&self, timer: Pin<&mut S>) -> Poll<()> {
        self.bell.rang.store(false, Ordering::Relaxed);
        let bell = Waker::from(Arc::clone(&self.bell));
        let rang = timer.poll(&mut Context::from_waker(&bell)).map(drop);
        if rang.is_ready() {
            self.bell.rang.store(true, Ordering::Relaxed);
        }
        rang
    }

    fn follow(&mut self, task: &Waker) {
        self.task.clone_from(task);
        let replaced = std::mem::replace(&mut *self.bell.lock(), task.clone());
        drop(replaced); // after the lock: it may run anything
    }
}

impl Bell {
    /// Nothing panics while it is held.
    fn lock(&self) -> MutexGuard<'_, Waker> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rang.store(true, Ordering::Release);
        let task = self.lock().clone();
        task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_timer_is_polled_when_it_rang_and_wakes_who_polled_last() {
        let counts = [(); 2].map(|()| Arc::new(Count::default()));
        let [first, second] = counts.clone().map(Waker::from);
        let (mut polls, bell) = (0, Mutex::new(None));
        let mut timer = std::future::poll_fn(|cx| {
            polls += 1;
            *bell.lock().unwrap() = Some(cx.waker().clone());
            Poll::<()>::Pending
        });
        let mut alarm = Alarm::new(&first);
        for task in [&first, &first, &second] {
            let cx = Context::from_waker(task);
            assert!(alarm.poll(Pin::new(&mut timer), &cx).is_pending());
        }
        let ring = bell.lock().unwrap().take().unwrap();
        ring.wake();
        let cx = Context::from_waker(&second);
        assert!(alarm.poll(Pin::new(&mut timer), &cx).is_pending());
        assert_eq!(polls, 2);
        let woken = counts.map(|count| count.0.load(Ordering::SeqCst));
        assert_eq!(woken, [0, 1]);
    }
}
