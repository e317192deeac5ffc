//! `Subscription::joined`: what waits together comes as one, made once for all, and nothing is lost by it.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use http::{Request, Response};
use http_body_util::BodyExt;
use proptest::prelude::*;
use tower::{Layer, ServiceExt, service_fn};
use tower_realtime::{
    layers::ObserveLayer,
    lifecycle::{StreamEnd, StreamInfo},
    sse::{Encoded, Event, Sse},
    topic::{Join, Limits, OnLag, Subscription, Topic},
};

fn event(text: impl std::fmt::Display) -> Encoded {
    Event::display(text).into()
}

fn next<T: Clone>(reader: &mut Subscription<T>) -> Option<T> {
    let item = reader.next().now_or_never()??;
    Some(item.unwrap_or_else(|lagged| panic!("{lagged}")))
}

#[test]
fn readers_at_one_place_share_the_bytes() {
    let topic = Topic::new(1_000);
    let mut readers = [(); 3].map(|()| topic.subscribe().joined());
    let mut plain = topic.subscribe();
    topic.publish_all((0..100).map(event));
    let expected: String = (0..100).map(|n| format!("data: {n}\n\n")).collect();
    let first = next(&mut readers[0]).unwrap();
    assert_eq!(first.as_bytes(), expected.as_bytes());
    assert_eq!(next(&mut readers[0]), None);

    // Who comes when more was published still gets what the others got, and then the rest.
    topic.publish_all([event("a"), event("b")]);
    for reader in &mut readers[1..] {
        let same = next(reader).unwrap();
        assert_eq!(same.as_bytes().as_ptr(), first.as_bytes().as_ptr());
        assert_eq!(next(reader).unwrap().as_bytes(), "data: a\n\ndata: b\n\n");
    }
    assert_eq!(
        next(&mut readers[0]).unwrap().as_bytes(),
        "data: a\n\ndata: b\n\n"
    );
    topic.publish(event("alone"));
    assert_eq!(next(&mut readers[0]).unwrap().as_bytes(), "data: alone\n\n");
    assert_eq!(std::iter::from_fn(|| next(&mut plain)).count(), 103);
}

#[test]
fn a_joined_event_is_no_longer_than_a_frame_and_a_large_one_is_not_copied() {
    let topic = Topic::new(100);
    let mut reader = topic.subscribe().joined();
    let large = event("x".repeat(16_000));
    let small = event("y".repeat(300));
    topic.publish_all([&small, &small, &large, &small, &large, &large].map(Clone::clone));
    let lengths: Vec<_> = std::iter::from_fn(|| next(&mut reader))
        .map(|item| {
            let is_copy = item.as_bytes().as_ptr() != large.as_bytes().as_ptr();
            (item.as_bytes().len(), is_copy)
        })
        .collect();
    let (l, s) = (large.as_bytes().len(), small.as_bytes().len());
    assert_eq!(
        lengths,
        [(2 * s, true), (l + s, true), (l, false), (l, false)]
    );
}

#[test]
fn a_value_that_was_replaced_is_not_joined() {
    let key = |event: &Encoded| event.as_bytes()[6];
    let topic = Topic::with_limits(Limits::items(100).coalesce_by(key));
    let (mut one, mut two) = (topic.subscribe().joined(), topic.subscribe().joined());
    topic.publish_all(["a1", "b1"].map(event));
    assert_eq!(
        next(&mut one).unwrap().as_bytes(),
        "data: a1\n\ndata: b1\n\n"
    );
    topic.publish(event("a2"));
    assert_eq!(next(&mut one).unwrap().as_bytes(), "data: a2\n\n");
    assert_eq!(
        next(&mut two).unwrap().as_bytes(),
        "data: b1\n\ndata: a2\n\n"
    );
}

/// Says how many of it there are.
struct Counted(Arc<AtomicUsize>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Join for Counted {
    fn join(items: &mut dyn Iterator<Item = &Self>) -> (Self, usize) {
        let all: Vec<_> = items.collect();
        (all[0].clone(), all.len())
    }
}

#[test]
fn nothing_is_kept_when_everybody_has_read_or_left() {
    for leaves in [false, true] {
        let count = Arc::new(AtomicUsize::new(1));
        let sample = Counted(Arc::clone(&count));
        let topic = Topic::new(100);
        let (mut one, mut two) = (topic.subscribe().joined(), topic.subscribe().joined());
        topic.publish_all(std::iter::repeat_n(sample.clone(), 10));
        drop(next(&mut one));
        assert_eq!(topic.unread(), 10);
        if leaves {
            drop(two);
        } else {
            drop(next(&mut two));
        }
        assert_eq!((topic.unread(), count.load(Ordering::SeqCst)), (0, 1));
        drop(sample);
    }
}

#[tokio::test]
async fn its_events_are_counted_one_by_one() {
    let topic = Topic::new(100);
    let ends = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&ends);
    let observe = ObserveLayer::new().observer(move |_: &StreamInfo, end: &StreamEnd| {
        noted.lock().unwrap().push(end.stats.events_sent);
    });
    let topics = topic.clone();
    let handler = service_fn(move |_: Request<()>| {
        let sse = Sse::new(topics.subscribe().joined());
        async move { Ok::<Response<_>, std::convert::Infallible>(sse.into_response()) }
    });
    let request = Request::get("/").header("accept", "text/event-stream");
    let service = observe.layer(handler);
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    let mut body = response.into_body();
    topic.publish_all((0..7).map(event));
    let frame: Bytes = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(frame.len(), 7 * "data: 0\n\n".len());
    topic.publish_all((0..2).map(event).collect::<Vec<_>>().into_iter());
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(*ends.lock().unwrap(), [9]);
}

#[test]
fn encoded_events_can_be_collected() {
    let three: Encoded = (0..3).map(event).collect();
    assert_eq!(three.as_bytes(), "data: 0\n\ndata: 1\n\ndata: 2\n\n");
    let one = event("x");
    let same: Encoded = std::iter::once(one.clone()).collect();
    assert_eq!(same.as_bytes().as_ptr(), one.as_bytes().as_ptr());
    assert!(
        std::iter::empty::<Encoded>()
            .collect::<Encoded>()
            .as_bytes()
            .is_empty()
    );
}

/// A number, or a few.
#[derive(Clone, Debug, PartialEq)]
struct Numbers(Vec<u64>);

impl Join for Numbers {
    fn join(items: &mut dyn Iterator<Item = &Self>) -> (Self, usize) {
        let some: Vec<_> = items.take(5).map(|item| item.0[0]).collect();
        let count = some.len();
        (Self(some), count)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Publish(u8),
    Subscribe { joined: bool },
    Read(usize),
    Leave(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..12u8).prop_map(Step::Publish),
        1 => any::<bool>().prop_map(|joined| Step::Subscribe { joined }),
        6 => any::<usize>().prop_map(Step::Read),
        1 => any::<usize>().prop_map(Step::Leave),
    ]
}

/// A reader, what it has yet to get if it never lags, and what it read ahead.
struct Reader(Subscription<Numbers>, VecDeque<u64>);

proptest! {
    #[test]
    fn every_reader_gets_all_that_the_bound_left_it(
        steps in prop::collection::vec(step(), 1..200),
        modulus in prop::option::of(2..6u64),
    ) {
        const BOUND: usize = 20;
        let limits = Limits::items(BOUND);
        let topic = Topic::with_limits(match modulus {
            Some(modulus) => limits.coalesce_by(move |item: &Numbers| item.0[0] % modulus),
            None => limits,
        });
        let (mut readers, mut n) = (Vec::<Reader>::new(), 0);
        for step in steps {
            match step {
                Step::Publish(count) => {
                    let all: Vec<_> = (n..n + u64::from(count)).collect();
                    n += u64::from(count);
                    for Reader(_, wanted) in &mut readers {
                        wanted.extend(&all);
                    }
                    topic.publish_all(all.into_iter().map(|n| Numbers(vec![n])));
                }
                Step::Subscribe { joined } => {
                    let reader = topic.subscribe().on_lag(OnLag::DropOldest);
                    let reader = if joined { reader.joined() } else { reader };
                    readers.push(Reader(reader, VecDeque::new()));
                }
                Step::Read(which) if !readers.is_empty() => {
                    let index = which % readers.len();
                    let Reader(reader, wanted) = &mut readers[index];
                    match next(reader) {
                        Some(Numbers(got)) => for got in got {
                            // In order, and what is left out was dropped or replaced.
                            let at = wanted.iter().position(|wanted| *wanted == got);
                            prop_assert!(at.is_some(), "{got} twice, or out of order");
                            let left_out: Vec<_> = wanted.drain(..=at.unwrap()).collect();
                            for lost in &left_out[..left_out.len() - 1] {
                                let replaced = modulus.is_some_and(|modulus| {
                                    wanted.iter().chain([&got]).chain(&left_out).any(|later| later > lost && later % modulus == lost % modulus)
                                });
                                prop_assert!(replaced || n - lost > BOUND as u64, "{lost} is missing");
                            }
                        },
                        None => prop_assert!(wanted.is_empty(), "{wanted:?} is missing"),
                    }
                }
                Step::Leave(which) if !readers.is_empty() => {
                    let index = which % readers.len();
                    readers.swap_remove(index);
                }
                Step::Read(_) | Step::Leave(_) => {}
            }
            prop_assert!(topic.unread() <= BOUND);
            prop_assert_eq!(topic.subscribers(), readers.len());
        }
        for Reader(reader, _) in &mut readers {
            while next(reader).is_some() {}
        }
        prop_assert_eq!(topic.unread(), 0);
    }
}
