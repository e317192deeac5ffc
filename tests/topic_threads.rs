//! `Topic` and `EventLog` on real threads: nothing lost, nothing twice, every miss counted.
//!
//! Short by default; `STRESS_SECONDS` makes it longer, and `scripts/stress-topics` runs it for five minutes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, StreamExt};
use tower_realtime::{
    log::{EventLog, Gap},
    sse::Event,
    topic::{OnLag, Subscription, Topic, Topics},
};

const PUBLISHERS: usize = 3;

fn duration() -> Duration {
    let seconds = std::env::var("STRESS_SECONDS").ok();
    let seconds = seconds.and_then(|seconds| seconds.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(0.5))
}

/// Calls `publish` with rising numbers until the time is over; all publishers have their own numbers.
fn publish_for_a_while(publish: impl Fn(usize, u64) + Sync) -> u64 {
    let end = Instant::now() + duration();
    let total = AtomicU64::new(0);
    thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let (publish, total) = (&publish, &total);
            scope.spawn(move || {
                let mut n = 0;
                while Instant::now() < end {
                    for _ in 0..64 {
                        publish(publisher, n);
                        n += 1;
                    }
                    // Gives the readers a chance to be in step, to wait, and to be woken.
                    if n % 1_024 == 0 {
                        thread::sleep(Duration::from_micros(200));
                    }
                }
                total.fetch_add(n, Ordering::SeqCst);
            });
        }
    });
    total.into_inner()
}

/// Reads to the end, and counts: every publisher's items in order, and with those missed all of them.
async fn read_to_the_end(mut reader: Subscription<(usize, u64)>) -> u64 {
    let mut next = [0; PUBLISHERS];
    let (mut got, mut told) = (0, 0);
    while let Some(item) = reader.next().await {
        match item {
            Ok((publisher, n)) => {
                assert!(
                    n >= next[publisher],
                    "{n} of publisher {publisher} came again"
                );
                next[publisher] = n + 1;
                got += 1;
            }
            Err(lagged) => told += lagged.missed(),
        }
    }
    assert!(told == reader.missed() || told == 0);
    got + reader.missed()
}

#[test]
fn every_item_is_read_once_or_counted_as_missed() {
    let topic = Topic::new(256);
    let policies = [OnLag::Report, OnLag::SkipToLive, OnLag::DropOldest];
    let readers: Vec<_> = (0..6)
        .map(|n| topic.subscribe().on_lag(policies[n % policies.len()]))
        .map(|reader| thread::spawn(move || smol::block_on(read_to_the_end(reader))))
        .collect();
    let done = Arc::new(AtomicBool::new(false));
    let churn = thread::spawn({
        let (topic, done) = (topic.clone(), Arc::clone(&done));
        move || {
            while !done.load(Ordering::SeqCst) {
                let mut guests: Vec<_> = (0..10).map(|_| topic.subscribe()).collect();
                for guest in guests.iter_mut().step_by(2) {
                    let _ = guest.next().now_or_never();
                }
            }
        }
    });
    let published = publish_for_a_while(|publisher, n| {
        topic.publish((publisher, n));
    });
    done.store(true, Ordering::SeqCst);
    churn.join().expect("no guest fails");
    assert_eq!(topic.subscribers(), 6);
    drop(topic);
    for reader in readers {
        assert_eq!(reader.join().expect("no reader fails"), published);
    }
}

#[test]
fn resuming_again_and_again_loses_and_repeats_nothing() {
    let log = EventLog::new(4_096);
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (1..4_usize)
        .map(|patience| {
            let (log, done) = (log.clone(), Arc::clone(&done));
            let first = log.subscribe();
            thread::spawn(move || smol::block_on(follow(&log, first, patience * 97, &done)))
        })
        .collect();
    let published = publish_for_a_while(|publisher, n| {
        log.publish(Event::display(format_args!("{publisher} {n}")));
    });
    done.store(true, Ordering::SeqCst);
    // Wakes who waits for one more.
    log.publish(Event::new("end"));
    for client in clients {
        let (got, gaps) = client.join().expect("no client fails");
        assert!(
            got == published || gaps > 0,
            "{got} of {published} without a gap"
        );
    }
}

/// Reads, drops the connection after every `patience` events, and resumes with the last id.
async fn follow(
    log: &EventLog,
    first: tower_realtime::log::Events,
    patience: usize,
    done: &AtomicBool,
) -> (u64, u64) {
    let (mut events, mut last) = (first, String::new());
    let mut next = [0; PUBLISHERS];
    let (mut got, mut gaps, mut patience_left) = (0, 0, patience);
    loop {
        let missed = match events.next().await {
            Some(Ok(entry)) if entry.data() == "end" && done.load(Ordering::SeqCst) => {
                return (got, gaps);
            }
            Some(Ok(entry)) => {
                let data = entry.data();
                let (publisher, n) = data.split_once(' ').expect("two numbers");
                let publisher: usize = publisher.parse().expect("a number");
                let n: u64 = n.parse().expect("a number");
                let due = &mut next[publisher];
                assert!(
                    n == *due || gaps > 0 && n > *due,
                    "{n} in the place of {due}"
                );
                *due = n + 1;
                got += 1;
                entry
                    .id()
                    .expect("a log's events have ids")
                    .clone_into(&mut last);
                patience_left -= 1;
                false
            }
            _ => true,
        };
        if missed || patience_left == 0 {
            patience_left = patience;
            if last.is_empty() {
                // Too slow for the very first event: a client without an id is a new one, and told of no gap.
                gaps += 1;
                events = log.replay();
                continue;
            }
            let resume = log.resume(&last);
            events = resume.complete().unwrap_or_else(|gap| {
                assert_eq!(gap, Gap::TooOld);
                gaps += 1;
                log.replay()
            });
        }
    }
}

#[test]
fn rooms_come_and_go_without_a_leak() {
    let rooms = Topics::<u64, u64>::new(8);
    let published = publish_for_a_while(|publisher, n| {
        let room = n % 7;
        let mut reader = rooms.subscribe(room);
        assert!(rooms.publish(&room, n) >= 1);
        // Others publish in the room as well: ours comes, or is counted.
        let mut found = reader.missed() > 0;
        while let Some(Some(item)) = reader.next().now_or_never() {
            found |= item.map_or(true, |item| item == n);
        }
        assert!(
            found,
            "publisher {publisher} got everything but its own {n}"
        );
    });
    assert!(published > 0 && rooms.is_empty());
}
