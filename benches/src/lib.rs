//! What the measurements share: rows that are run in turns, so that a slow minute of the machine hits all of them.

pub mod fanout;
pub mod held;

use std::{
    hint::black_box,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use http_body::Body;

/// One thing to measure: does its work once, and says how many units that was.
pub struct Row {
    name: &'static str,
    work: Box<dyn FnMut() -> u64>,
}

impl Row {
    /// A row of the table.
    pub fn new(name: &'static str, work: impl FnMut() -> u64 + 'static) -> Self {
        Self {
            name,
            work: Box::new(work),
        }
    }
}

/// Runs all rows in turns and prints nanoseconds per unit: the minimum and the median, how many times those of the
/// first row they are, and the maximum.
///
/// The first argument of the program is the number of rounds, 51 by default; the second, where there is one, a part
/// of the titles of the wanted tables, and the third one of the names of the wanted rows. A sample is short, so that
/// some are not cut by the machine's other work.
pub fn table(title: &str, mut rows: Vec<Row>) {
    let mut args = std::env::args().skip(1);
    let rounds = args.next().and_then(|n| n.parse().ok()).unwrap_or(51);
    if args.next().is_some_and(|part| !title.contains(&part)) {
        return;
    }
    if let Some(part) = args.next() {
        rows.retain(|row| row.name.contains(&part));
    }
    let mut times = vec![Vec::new(); rows.len()];
    for round in 0..=rounds {
        for (row, times) in rows.iter_mut().zip(&mut times) {
            let (start, mut units) = (Instant::now(), 0);
            while units == 0 || start.elapsed() < SAMPLE {
                units += (row.work)();
            }
            if round > 0 {
                times.push(start.elapsed().as_nanos() as f64 / units as f64);
            }
        }
    }
    println!("\n{title}");
    let mut first = None;
    for (row, times) in rows.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        let (least, median, most) = (times[0], times[times.len() / 2], times[times.len() - 1]);
        let (first_least, first_median) = *first.get_or_insert((least, median));
        println!(
            "  {:34} min {least:9.1} ns {:6.2}x   median {median:9.1} ns {:6.2}x   max {most:9.1} ns",
            row.name,
            least / first_least,
            median / first_median,
        );
    }
}

/// How long a sample is at least.
const SAMPLE: Duration = Duration::from_millis(2);

/// Polls a body to its end; pauses are polled over. Says how many bytes came.
pub fn drain<B: Body<Data = bytes::Bytes>>(body: B) -> usize {
    let mut body = std::pin::pin!(body);
    let mut bytes = 0;
    while let Some(frame) = next(body.as_mut()) {
        bytes += black_box(frame).len();
    }
    bytes
}

/// The next frame, over any number of pauses.
pub fn next<B: Body<Data = bytes::Bytes>>(mut body: Pin<&mut B>) -> Option<bytes::Bytes> {
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => return frame.into_data().ok(),
            Poll::Ready(_) => return None,
            Poll::Pending => {}
        }
    }
}
