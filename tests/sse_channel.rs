//! Events that are pushed: room, the end on both sides, and who is told.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::{FutureExt, StreamExt, stream};
use http_body_util::BodyExt;
use tower_realtime::{
    BoxError,
    lifecycle::EndReason,
    sse::{self, Closed, Encoded, Event, Sse},
};

fn event(n: u64) -> Event {
    Event::new(n.to_string())
}

fn data(encoded: Option<Result<Encoded, BoxError>>) -> String {
    String::from_utf8(encoded.unwrap().unwrap().into_bytes().into()).unwrap()
}

#[test]
fn events_come_in_order_and_the_stream_ends_with_the_last_sender() {
    let (sender, mut events) = sse::channel(8);
    let other = sender.clone();
    assert!(sender.send(event(1)).now_or_never().unwrap().is_ok());
    assert!(other.try_send(event(2)).is_ok());
    drop(sender);
    assert_eq!(data(events.next().now_or_never().unwrap()), "data: 1\n\n");
    assert_eq!(data(events.next().now_or_never().unwrap()), "data: 2\n\n");
    assert!(events.next().now_or_never().is_none(), "a sender is left");
    drop(other);
    assert!(events.next().now_or_never().unwrap().is_none());
}

#[test]
fn a_full_channel_says_so_and_gives_the_event_back() {
    let (sender, mut events) = sse::channel(2);
    sender.try_send(event(1)).unwrap();
    sender.try_send(event(2)).unwrap();
    let error = sender.try_send(event(3)).unwrap_err();
    assert!(!error.is_closed());
    assert_eq!(error.into_event(), event(3).into());
    assert!(sender.send(event(3)).now_or_never().is_none());
    assert_eq!(data(events.next().now_or_never().unwrap()), "data: 1\n\n");
    sender.try_send(event(4)).unwrap();
    assert_eq!(data(events.next().now_or_never().unwrap()), "data: 2\n\n");
    assert_eq!(
        data(events.next().now_or_never().unwrap()),
        "data: 4\n\n",
        "3 was dropped with its future"
    );
}

#[test]
fn a_bound_of_nothing_is_one() {
    let (sender, _events) = sse::channel(0);
    assert!(sender.try_send(event(1)).is_ok());
    assert!(sender.try_send(event(2)).is_err());
}

#[tokio::test]
async fn many_senders_wait_and_all_arrive() {
    let (sender, events) = sse::channel(3);
    for n in 0..20 {
        let sender = sender.clone();
        tokio::spawn(async move {
            for i in 0..50 {
                sender.send(event(n * 50 + i)).await.unwrap();
            }
        });
    }
    drop(sender);
    let mut seen: Vec<u64> = events
        .map(|event| data(Some(event)).trim()[6..].parse::<u64>().unwrap())
        .collect()
        .await;
    for sender in 0..20 {
        let of_one: Vec<_> = seen.iter().filter(|n| **n / 50 == sender).collect();
        assert!(of_one.is_sorted(), "what one sends keeps its order");
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..1000).collect::<Vec<_>>());
}

/// A task that is polled by hand, and knows whether it was woken.
struct Task<'a> {
    future: Pin<Box<dyn Future<Output = Result<(), Closed>> + 'a>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<'a> Task<'a> {
    /// Sends, and is polled once.
    fn send(sender: &'a sse::Sender, n: u64) -> Self {
        let mut task = Self {
            future: Box::pin(sender.send(event(n))),
            woken: Arc::default(),
        };
        assert!(!task.poll());
        task
    }

    fn was_woken(&self) -> bool {
        self.woken.0.swap(false, Ordering::Relaxed)
    }

    /// Whether it is done.
    fn poll(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.woken));
        let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
        polled.is_ready()
    }
}

fn next(events: &mut sse::Receiver) -> String {
    let data = data(events.next().now_or_never().unwrap());
    data.trim_end()["data: ".len()..].to_owned()
}

/// One handle, and a task that comes later: it does not take the room that another waits for.
#[test]
fn nobody_overtakes_those_who_wait() {
    let (sender, mut events) = sse::channel(2);
    sender.try_send(event(1)).unwrap();
    sender.try_send(event(2)).unwrap();
    let mut waits = Task::send(&sender, 3);
    assert_eq!(next(&mut events), "1");
    // There is room, and it is the other's.
    assert!(!sender.try_send(event(4)).unwrap_err().is_closed());
    let mut later = Task::send(&sender, 5);
    assert!(waits.was_woken() && !later.poll());
    assert!(waits.poll());
    assert!(sender.try_send(event(4)).is_err(), "full");
    assert_eq!(next(&mut events), "2");
    assert!(later.was_woken() && later.poll());
    assert_eq!(next(&mut events), "3");
    sender.try_send(event(6)).unwrap();
    assert_eq!([next(&mut events), next(&mut events)], ["5", "6"]);
}

/// Each that is done or gives up lets the next one in, whoever is polled first.
#[test]
fn who_gives_up_lets_the_next_one_in() {
    for gives_up in 0..4 {
        for backwards in [false, true] {
            let (sender, mut events) = sse::channel(4);
            for n in 0..4 {
                sender.try_send(event(n)).unwrap();
            }
            let mut waiting: Vec<_> = (4..8).map(|n| Some(Task::send(&sender, n))).collect();
            let mut seen = vec![next(&mut events), next(&mut events)];
            let woken: Vec<_> = waiting.iter().flatten().map(Task::was_woken).collect();
            assert_eq!(
                woken,
                [true, true, false, false],
                "as many as there is room"
            );
            if gives_up < 2 {
                // Woken, and gone: the one after the second has to learn of the room.
                waiting[gives_up] = None;
            }
            let mut rounds = 0;
            while waiting.iter().any(Option::is_some) {
                rounds += 1;
                assert!(rounds < 50, "somebody was not woken");
                let mut order: Vec<usize> = (0..4).collect();
                if backwards {
                    order.reverse();
                }
                for n in order {
                    if n == gives_up {
                        waiting[n] = None;
                    }
                    let woken = woken[n] && rounds == 1;
                    let due = waiting[n]
                        .as_ref()
                        .is_some_and(|task| task.was_woken() | woken);
                    if due && waiting[n].as_mut().unwrap().poll() {
                        waiting[n] = None;
                    }
                }
                while let Some(Some(event)) = events.next().now_or_never() {
                    seen.push(data(Some(event)).trim_end()["data: ".len()..].to_owned());
                }
            }
            while let Some(Some(event)) = events.next().now_or_never() {
                seen.push(data(Some(event)).trim_end()["data: ".len()..].to_owned());
            }
            let expected = (0..8).filter(|n| *n != 4 + gives_up);
            let expected: Vec<_> = expected.map(|n| n.to_string()).collect();
            assert_eq!(seen, expected, "{gives_up} {backwards}");
        }
    }
}

#[tokio::test]
async fn every_sender_learns_at_once_that_the_client_has_gone() {
    let (sender, events) = sse::channel(1);
    sender.try_send(event(1)).unwrap();
    let (waits, watches) = (sender.clone(), sender.clone());
    let waits = tokio::spawn(async move { waits.send(event(2)).await });
    let watches = tokio::spawn(async move { watches.closed().await });
    tokio::task::yield_now().await;
    assert!(!sender.is_closed() && !watches.is_finished());
    drop(Sse::new(events).into_response());
    assert!(sender.is_closed());
    assert_eq!(waits.await.unwrap(), Err(Closed::default()));
    watches.await.unwrap();
    sender.closed().now_or_never().unwrap();
    assert!(sender.try_send(event(3)).unwrap_err().is_closed());
}

#[test]
fn a_failure_comes_behind_what_is_queued() {
    let (sender, mut events) = sse::channel(4);
    sender.try_send(event(1)).unwrap();
    sender.fail("broken");
    assert!(sender.try_send(event(2)).is_err());
    assert_eq!(data(events.next().now_or_never().unwrap()), "data: 1\n\n");
    assert_eq!(
        events
            .next()
            .now_or_never()
            .unwrap()
            .unwrap()
            .unwrap_err()
            .to_string(),
        "broken"
    );
    assert!(events.next().now_or_never().unwrap().is_none());
}

/// Where a hook writes its reason.
#[derive(Clone, Default)]
struct Reason(Arc<Mutex<Vec<EndReason>>>);

impl Reason {
    fn hook(&self) -> impl FnOnce(EndReason) + Send + use<> {
        let reasons = Arc::clone(&self.0);
        move |reason| reasons.lock().unwrap().push(reason)
    }

    fn get(&self) -> Vec<EndReason> {
        self.0.lock().unwrap().clone()
    }
}

#[test]
fn the_hook_runs_once_with_the_reason() {
    let reason = Reason::default();
    let sse = Sse::new(stream::iter([Ok::<_, Infallible>(event(1))])).on_end(reason.hook());
    sse.collect().now_or_never().unwrap().unwrap();
    assert_eq!(reason.get(), [EndReason::Finished]);

    let reason = Reason::default();
    let sse = Sse::new(stream::iter([Err::<Event, _>("broken")])).on_end(reason.hook());
    assert!(sse.collect().now_or_never().unwrap().is_err());
    assert_eq!(reason.get(), [EndReason::Failed]);

    let reason = Reason::default();
    let sse = Sse::new(stream::pending::<Result<Event, Infallible>>()).on_end(reason.hook());
    assert!(sse.collect().now_or_never().is_none());
    assert_eq!(reason.get(), [EndReason::Disconnected]);

    let reason = Reason::default();
    let panics =
        stream::poll_fn(|_| -> Poll<Option<Result<Event, Infallible>>> { panic!("on purpose") });
    let sse = Sse::new(panics).on_end(reason.hook());
    assert!(
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sse
            .collect()
            .now_or_never()))
        .is_err()
    );
    assert_eq!(reason.get(), [EndReason::Panicked]);
}

#[test]
fn an_error_becomes_a_last_event_and_an_orderly_end() {
    let reason = Reason::default();
    let items = [Ok(event(1)), Err("broken"), Ok(event(2))];
    let sse = Sse::new(stream::iter(items))
        .on_error(Event::new)
        .on_end(reason.hook());
    let body = sse.collect().now_or_never().unwrap().unwrap().to_bytes();
    assert_eq!(body, "data: 1\n\ndata: broken\n\n");
    assert_eq!(reason.get(), [EndReason::Failed]);
}
