//! Topics in one process: what an idle one with a subscriber holds, and what one event to N waiting tasks costs beside
//! tokio's broadcast channel, in turns.
//!
//! `topics [ROUNDS]`: 200 rounds by default.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use tokio::{sync::broadcast, task::LocalSet};
use tower_realtime::topic::{Topic, Topics};
use tower_realtime_benches::held;

#[global_allocator]
static COUNTING: held::Counting = held::Counting;

fn main() {
    held::count_this_thread();
    memory();
    let rounds = std::env::args().nth(1);
    let rounds = rounds.map_or(200, |rounds| rounds.parse().expect("a number"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    for n in [1, 100, 1000, 5000] {
        LocalSet::new().block_on(&runtime, publish(n, rounds));
    }
}

/// Ten thousand rooms with one listener each, that have seen something and are quiet.
fn memory() {
    const ROOMS: usize = 10_000;
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let start = held::held();
    let rooms = Topics::<usize, u64>::new(64);
    let mut readers: Vec<_> = (0..ROOMS).map(|room| rooms.subscribe(room)).collect();
    for (room, reader) in readers.iter_mut().enumerate() {
        for n in 0..3 {
            rooms.publish(&room, n);
        }
        while reader.poll_next_unpin(&mut cx).is_ready() {}
    }
    let each = (held::held() - start) as f64 / ROOMS as f64;
    println!("{ROOMS} topics with one subscriber each: {each:.0} B for each");
    drop(readers);
    assert!(rooms.is_empty());
    println!(
        "after the last subscriber: {} B in all",
        held::held() - start
    );
}

/// One event to `n` tasks that wait, to the last of them.
async fn publish(n: usize, rounds: usize) {
    let (ours, theirs) = (Topic::new(16), broadcast::Sender::new(16));
    let read: Rc<Cell<usize>> = Rc::default();
    for _ in 0..n {
        let (mut reader, count) = (ours.subscribe(), Rc::clone(&read));
        tokio::task::spawn_local(async move {
            while let Some(Ok(item)) = reader.next().await {
                std::hint::black_box::<u64>(item);
                count.set(count.get() + 1);
            }
        });
        let (mut reader, count) = (theirs.subscribe(), Rc::clone(&read));
        tokio::task::spawn_local(async move {
            while let Ok(item) = reader.recv().await {
                std::hint::black_box::<u64>(item);
                count.set(count.get() + 1);
            }
        });
    }
    tokio::task::yield_now().await;
    let mut times = [const { Vec::new() }; 2];
    for round in 0..rounds as u64 {
        for (kind, times) in times.iter_mut().enumerate() {
            tokio::task::yield_now().await;
            read.set(0);
            let start = Instant::now();
            let told = match kind {
                0 => ours.publish(round),
                _ => theirs.send(round).unwrap_or(0),
            };
            let told_after = start.elapsed();
            while read.get() < n {
                tokio::task::yield_now().await;
            }
            assert_eq!(told, n);
            times.push((start.elapsed(), told_after));
        }
    }
    println!("\none event to {n} tasks, for each of them");
    for (name, mut times) in ["Topic", "tokio::sync::broadcast"].into_iter().zip(times) {
        times.sort_unstable();
        let each = |time: Duration| time.as_nanos() as f64 / n as f64;
        let (least, median) = (times[0], times[times.len() / 2]);
        println!(
            "  {name:24} min {:6.0} ns (publishing {:5.0})   median {:6.0} ns",
            each(least.0),
            each(least.1),
            each(median.0),
        );
    }
}
