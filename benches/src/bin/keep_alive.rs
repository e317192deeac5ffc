//! What keep-alive costs an event: with and without, in bursts and one by one.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::response::{IntoResponse, sse as theirs};
use futures_util::Stream;
use tower_realtime::{
    rt::Tokio,
    sse::{Encoded, Event, KeepAlive, Sse},
};
use tower_realtime_benches::{Row, drain, table};

const EVENTS: u64 = 10_000;

/// Events in bursts: behind each there is nothing for one poll, as on a connection that waits for the next.
struct Bursts<T> {
    item: T,
    left: u64,
    burst: u64,
    paused: bool,
}

impl<T: Clone + Unpin> Stream for Bursts<T> {
    type Item = Result<T, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if self.left.is_multiple_of(self.burst) && !self.paused {
            self.paused = true;
            return Poll::Pending;
        }
        self.paused = false;
        self.left -= 1;
        Poll::Ready(Some(Ok(self.item.clone())))
    }
}

fn bursts<T>(item: T, burst: u64) -> Bursts<T> {
    Bursts {
        item,
        left: EVENTS,
        burst,
        paused: false,
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    // Entered and not run: a poll outside of a task has no budget that runs out.
    let _entered = runtime.enter();
    for burst in [1, 100] {
        let title = format!("keep-alive, per event, {burst} in a burst");
        table(&title, rows(burst));
    }
}

fn rows(burst: u64) -> Vec<Row> {
    let ours = Encoded::from(Event::new("x"));
    let same = ours.clone();
    let axums = theirs::Event::default().data("x");
    let same_axums = axums.clone();
    vec![
        Row::new("tower-realtime, without", move || {
            drain(Sse::new(bursts(ours.clone(), burst)));
            EVENTS
        }),
        Row::new("tower-realtime, with", move || {
            drain(Sse::new(bursts(same.clone(), burst)).keep_alive(KeepAlive::new(Tokio)));
            EVENTS
        }),
        Row::new("axum, without", move || {
            let sse = theirs::Sse::new(bursts(axums.clone(), burst));
            drain(sse.into_response().into_body());
            EVENTS
        }),
        Row::new("axum, with", move || {
            let sse = theirs::Sse::new(bursts(same_axums.clone(), burst));
            drain(
                sse.keep_alive(theirs::KeepAlive::new())
                    .into_response()
                    .into_body(),
            );
            EVENTS
        }),
    ]
}
