//! Wakers of tasks that nobody else knows: when the last one drops, so does what the task holds.
#![allow(missing_docs, clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    sync::{Arc, Mutex, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt};
use tower_realtime::{
    lifecycle::Drain,
    rt::{ManualClock, Timer},
    sse,
    topic::Topic,
};

const SECOND: Duration = Duration::from_secs(1);

/// A waker whose end is the end of what it holds, like that of a task which nobody else knows.
struct Holds<T>(Mutex<Option<T>>);

impl<T: Send> Wake for Holds<T> {
    fn wake(self: Arc<Self>) {}
}

/// Polls with a waker that holds `held`, then with another, and says whether that came to an end.
fn moves<T: Send + 'static>(held: T, mut poll: impl FnMut(&mut Context<'_>) + Send + 'static) {
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        let holder = Waker::from(Arc::new(Holds(Mutex::new(Some(held)))));
        poll(&mut Context::from_waker(&holder));
        drop(holder);
        poll(&mut Context::from_waker(Waker::noop()));
        done.send(()).unwrap();
    });
    assert_eq!(ended.recv_timeout(10 * SECOND), Ok(()), "locked for ever");
}

#[test]
fn a_waker_that_is_replaced_may_use_what_it_waits_for() {
    // Nothing of it stays here, where a lock that is held for ever would hold this test too.
    let (sender, mut events) = sse::channel(1);
    moves(sender, move |cx| drop(events.poll_next_unpin(cx)));

    let topic = Topic::<u8>::new(1);
    let mut reader = topic.subscribe();
    moves((topic.subscribe(), topic), move |cx| {
        assert!(!matches!(reader.poll_next_unpin(cx), Poll::Ready(Some(_))));
    });

    let drain = Drain::new(ManualClock::new());
    let (mut held, mut started) = (Box::pin(drain.started()), Box::pin(drain.started()));
    assert!(held.as_mut().now_or_never().is_none());
    moves((held, drain), move |cx| {
        assert!(started.poll_unpin(cx).is_pending());
    });

    let clock = ManualClock::new();
    let (mut held, mut sleep) = (Box::pin(clock.sleep(SECOND)), clock.sleep(SECOND));
    assert!(held.as_mut().now_or_never().is_none());
    moves((held, clock), move |cx| {
        assert!(sleep.poll_unpin(cx).is_pending());
    });
}

#[test]
fn a_sleep_that_is_given_up_may_hold_the_last_waker_of_another() {
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        let clock = ManualClock::new();
        let (mut held, mut sleep) = (Box::pin(clock.sleep(SECOND)), clock.sleep(SECOND));
        assert!(held.as_mut().now_or_never().is_none());
        let holder = Waker::from(Arc::new(Holds(Mutex::new(Some(held)))));
        let pending = sleep.poll_unpin(&mut Context::from_waker(&holder));
        drop(holder);
        drop(sleep);
        done.send((pending, clock.sleepers())).unwrap();
    });
    let ended = ended.recv_timeout(10 * SECOND);
    assert_eq!(ended, Ok((Poll::Pending, 0)), "locked for ever");
}

#[test]
fn a_receiver_that_is_gone_keeps_no_waker() {
    let (sender, mut events) = sse::channel(1);
    let holder = Arc::new(Holds(Mutex::new(Some(()))));
    let waker = Waker::from(Arc::clone(&holder));
    assert!(
        events
            .poll_next_unpin(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop((waker, events));
    assert_eq!(Arc::strong_count(&holder), 1);
    assert!(sender.is_closed());
}
