//! `Topic`, `Subscription`, `Topics`: who gets what, who is told what, and what is freed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use futures_util::{FutureExt, Stream, StreamExt, stream::FusedStream};
use tower_realtime::topic::{Lagged, Limits, OnLag, Subscription, Topic, Topics};

/// What can be read now: items as themselves, a miss of `n` as `-n`; `None` if the stream waits.
fn now<S: Stream<Item = Result<i64, Lagged>> + Unpin>(stream: &mut S) -> Vec<i64> {
    let told = |lagged: Lagged| -i64::try_from(lagged.missed()).expect("small numbers");
    std::iter::from_fn(|| stream.next().now_or_never().flatten())
        .map(|item| item.unwrap_or_else(told))
        .collect()
}

fn ended<T: Clone>(subscription: &mut Subscription<T>) -> bool {
    subscription
        .next()
        .now_or_never()
        .is_some_and(|item| item.is_none())
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn everybody_gets_what_is_published_after_they_came() {
    let topic = Topic::new(100);
    let mut early = topic.subscribe();
    assert_eq!(topic.publish(1), 1);
    let mut late = topic.subscribe();
    assert_eq!(topic.publish_all(2..80), 2);
    assert_eq!(now(&mut early), (1..80).collect::<Vec<_>>());
    assert_eq!(now(&mut late), (2..80).collect::<Vec<_>>());
    assert_eq!(topic.unread(), 0);
}

#[test]
fn a_batch_wakes_each_waiting_reader_once_and_others_never() {
    let topic = Topic::new(100);
    let mut readers: Vec<_> = (0..10).map(|_| topic.subscribe()).collect();
    let _never_polled = topic.subscribe();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    for reader in &mut readers {
        let polled = reader.poll_next_unpin(&mut Context::from_waker(&waker));
        assert_eq!(polled, Poll::Pending);
    }
    topic.publish_all(0..50);
    topic.publish(50);
    assert_eq!(woken.0.load(Ordering::SeqCst), 10);
}

#[test]
fn each_policy_does_what_it_says() {
    #[rustfmt::skip]
    let rows: [(OnLag, &[i64], bool); 4] = [
        (OnLag::Report,     &[-6, 6, 7, 8, 9, 10], false),
        (OnLag::SkipToLive, &[-10, 10],            false),
        (OnLag::DropOldest, &[6, 7, 8, 9, 10],     false),
        (OnLag::Disconnect, &[-6],                 true),
    ];
    for (policy, expected, ends) in rows {
        let topic = Topic::new(4);
        let mut reader = topic.subscribe().on_lag(policy);
        topic.publish_all(0..10);
        let mut read = now(&mut reader);
        topic.publish(10);
        read.extend(now(&mut reader));
        assert_eq!(
            (&read[..], ended(&mut reader)),
            (expected, ends),
            "{policy:?}"
        );
        let missed = if policy == OnLag::SkipToLive { 10 } else { 6 };
        assert_eq!((reader.missed(), topic.unread()), (missed, 0), "{policy:?}");
    }
}

#[test]
fn one_slow_reader_holds_its_bound_and_the_others_miss_nothing() {
    let topic = Topic::with_limits(Limits::items(1_000).bytes(640, |_| 64));
    let (mut quick, mut slow) = (topic.subscribe(), topic.subscribe());
    for n in 0..10_000 {
        topic.publish(n);
        assert_eq!(now(&mut quick), [n]);
        assert!(topic.unread() <= 10);
    }
    assert_eq!(now(&mut slow)[..2], [-9_990, 9_990]);
}

#[test]
fn coalescing_keeps_the_newest_of_each_key() {
    let topic = Topic::with_limits(Limits::items(3).coalesce_by(|n: &i64| n % 3));
    let (mut quick, mut slow) = (topic.subscribe(), topic.subscribe());
    for n in 0..1_000 {
        topic.publish(n);
        assert_eq!(now(&mut quick), [n]);
    }
    assert_eq!(now(&mut slow), [997, 998, 999]);

    // One key too many: an oldest value is really lost, and that is said.
    let topic = Topic::with_limits(Limits::items(3).coalesce_by(|n: &i64| *n));
    let mut slow = topic.subscribe();
    topic.publish_all([1, 2, 3, 1, 4]);
    assert_eq!(now(&mut slow), [-2, 3, 1, 4]);
}

#[test]
fn what_is_too_old_is_missed() {
    let topic = Topic::with_limits(Limits::items(10).age(Duration::ZERO));
    let mut reader = topic.subscribe();
    topic.publish(1);
    let published = Instant::now();
    while published.elapsed() == Duration::ZERO {}
    assert_eq!((now(&mut reader), topic.unread()), (vec![-1], 0));
}

#[test]
fn a_topic_ends_with_its_last_handle_and_after_its_last_item() {
    let topic = Topic::new(4);
    let mut reader = topic.subscribe();
    let second = topic.clone();
    drop(topic);
    second.publish(1);
    drop(second);
    assert_eq!(now(&mut reader), [1]);
    assert!(ended(&mut reader) && reader.is_terminated());

    let topic = Topic::new(4);
    let mut reader = topic.subscribe();
    topic.close();
    assert_eq!(topic.publish(1), 0);
    assert!(ended(&mut reader));
}

#[test]
fn a_reader_that_leaves_frees_what_was_kept_for_it() {
    let item = Arc::new(());
    let topic = Topic::new(100);
    topic.publish(Arc::clone(&item));
    assert_eq!(Arc::strong_count(&item), 1);
    let (reader, other) = (topic.subscribe(), topic.subscribe());
    topic.publish_all((0..50).map(|_| Arc::clone(&item)));
    drop(reader);
    assert_eq!((topic.subscribers(), Arc::strong_count(&item)), (1, 51));
    drop(other);
    assert_eq!((topic.subscribers(), Arc::strong_count(&item)), (0, 1));
}

#[test]
fn items_may_use_their_topic_when_they_are_dropped() {
    struct Nosy(Topic<Arc<Self>>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            let _ = self.0.subscribers();
        }
    }
    let topic = Topic::new(2);
    let nosy = || Arc::new(Nosy(topic.clone()));
    topic.publish(nosy());
    let reader = topic.subscribe();
    topic.publish_all([nosy(), nosy(), nosy(), nosy()]);
    drop(reader);
    assert_eq!(topic.unread(), 0);
}

#[test]
fn names_go_with_their_last_user() {
    let rooms = Topics::<u32, i64>::new(8);
    let handle = rooms.topic(1);
    let mut reader = rooms.subscribe(1);
    drop(handle);
    assert_eq!(rooms.publish(&1, 7), 1);
    assert_eq!((now(&mut reader), rooms.names()), (vec![7], vec![1]));
    drop(reader);
    assert!(rooms.is_empty() && rooms.get(&1).is_none());
    assert_eq!(rooms.publish(&1, 8), 0);
    // A younger topic of the same name is not taken for the old one.
    let mut reader = rooms.subscribe(1);
    assert_eq!((rooms.publish(&1, 9), now(&mut reader)), (1, vec![9]));
}

#[test]
fn the_two_sides_may_go_anywhere() {
    fn anywhere<T: Clone + Send + Sync>() {}
    fn moves<T: Send + Unpin>() {}
    anywhere::<Topic<std::cell::Cell<u8>>>();
    anywhere::<Topics<String, std::cell::Cell<u8>>>();
    moves::<Subscription<std::cell::Cell<u8>>>();
}
