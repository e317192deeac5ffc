//! The body of an event stream in each of its states. Its events are a script, the clock stands until it is turned.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use http_body::Body;
use tower_realtime::{
    BoxError,
    lifecycle::EndReason,
    sse::{Event, KeepAlive, Sse},
};

use super::script::Clock;

/// How far the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It has not been asked for anything.
    Fresh,
    /// It has been asked, and there was nothing.
    Asked,
    /// Events are ready that nobody has asked for.
    Gathered,
    /// A frame has gone, and nothing has come since.
    Sent,
    /// Comments have gone in between.
    Quiet,
    /// It has ended.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Fails,
    Ends,
    Panics,
    /// The client goes.
    Dropped,
    /// It is woken and asked for nothing.
    Wakes,
    /// Nothing comes any more.
    Silence,
}

use Fault::*;
use State::*;

const STATES: [State; 6] = [Fresh, Asked, Gathered, Sent, Quiet, Ended];
const FAULTS: [Fault; 6] = [Fails, Ends, Panics, Dropped, Wakes, Silence];

enum Item {
    Event(&'static str),
    Fail,
    End,
    Panic,
}

#[derive(Clone, Default)]
struct Source(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    items: VecDeque<Item>,
    waker: Option<Waker>,
    dropped: bool,
}

struct Events(Source);

impl Stream for Events {
    type Item = Result<Event, &'static str>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut inner = self
            .0
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match inner.items.pop_front() {
            None => {
                inner.waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(Item::Event(text)) => Poll::Ready(Some(Ok(Event::new(text)))),
            Some(Item::Fail) => Poll::Ready(Some(Err("broken"))),
            Some(Item::End) => Poll::Ready(None),
            Some(Item::Panic) => {
                drop(inner);
                panic!("a producer panics (on purpose)")
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut inner = self
            .0
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.dropped = true;
    }
}

impl Source {
    fn push(&self, item: Item) {
        let mut inner = self.0.lock().unwrap();
        inner.items.push_back(item);
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

type AnyBody = Pin<Box<dyn Body<Data = Bytes, Error = BoxError>>>;

struct Play {
    body: Option<AnyBody>,
    source: Source,
    clock: Clock,
    flag: Arc<Flag>,
    reason: Arc<Mutex<Vec<EndReason>>>,
    text: String,
    /// How the body ended, if it did.
    end: Option<&'static str>,
}

impl Play {
    fn new() -> Self {
        let source = Source::default();
        let clock = Clock::default();
        let reason = Arc::<Mutex<Vec<EndReason>>>::default();
        let reasons = Arc::clone(&reason);
        let body = Sse::new(Events(source.clone()))
            .keep_alive(KeepAlive::new(clock.timer()))
            .on_end(move |reason| reasons.lock().unwrap().push(reason));
        Self {
            body: Some(Box::pin(body)),
            source,
            clock,
            flag: Arc::default(),
            reason,
            text: String::new(),
            end: None,
        }
    }

    /// Polls as long as there is something.
    fn go(&mut self) {
        let waker = Waker::from(Arc::clone(&self.flag));
        while self.end.is_none() {
            let Some(mut body) = self.body.take() else {
                return;
            };
            self.flag.0.store(false, Ordering::SeqCst);
            // As a server does it, whose task unwinds with what it holds.
            let polled = catch_unwind(AssertUnwindSafe(|| {
                let polled = body.as_mut().poll_frame(&mut Context::from_waker(&waker));
                (body, polled)
            }));
            let Ok((body, polled)) = polled else {
                self.end = Some("panic");
                return;
            };
            self.body = Some(body);
            match polled {
                Poll::Ready(None) => self.end = Some("end"),
                Poll::Ready(Some(Err(_))) => self.end = Some("error"),
                Poll::Ready(Some(Ok(frame))) => {
                    let data = frame.into_data().expect("no trailers");
                    self.text.push_str(std::str::from_utf8(&data).unwrap());
                }
                Poll::Pending => return,
            }
        }
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.clock.turn(Duration::from_secs(1));
            self.go();
        }
    }

    fn enter(&mut self, state: State) {
        match state {
            Fresh => {}
            Asked => self.go(),
            Gathered => {
                self.go();
                self.source.push(Item::Event("one"));
                self.source.push(Item::Event("two"));
            }
            Sent | Quiet | Ended => {
                self.source.push(Item::Event("one"));
                self.source.push(Item::Event("two"));
                self.go();
            }
        }
        match state {
            Quiet => {
                self.pass(40);
                assert!(self.text.ends_with(":\n"), "{:?}", self.text);
            }
            Ended => {
                self.source.push(Item::End);
                self.go();
                assert_eq!(self.end.take(), Some("end"));
            }
            _ => {}
        }
    }

    fn strike(&mut self, fault: Fault) {
        match fault {
            Fails => self.source.push(Item::Fail),
            Ends => self.source.push(Item::End),
            Panics => self.source.push(Item::Panic),
            Dropped => self.body = None,
            Wakes => {
                for _ in 0..3 {
                    self.go();
                }
                self.source.push(Item::Event("three"));
                self.go();
                self.source.push(Item::End);
            }
            Silence => {
                self.pass(120);
            }
        }
        self.go();
    }
}

#[test]
fn each_state_survives_each_fault() {
    for state in STATES {
        for fault in FAULTS {
            let what = format!("{state:?} {fault:?}");
            let mut play = Play::new();
            play.enter(state);
            play.strike(fault);

            let (end, reason) = match (state, fault) {
                // Asked again after its end, it says the end again, and the producer is gone.
                (Ended, Dropped) => (None, EndReason::Finished),
                (Ended, _) => (Some("end"), EndReason::Finished),
                (_, Fails) => (Some("error"), EndReason::Failed),
                (_, Ends | Wakes) => (Some("end"), EndReason::Finished),
                (_, Panics) => (Some("panic"), EndReason::Panicked),
                (_, Dropped | Silence) => (None, EndReason::Disconnected),
            };
            assert_eq!(play.end, end, "{what}");

            // Each event that was ready has gone once and whole, in order; a panic takes those of its own turn along.
            let none = matches!(
                (state, fault),
                (Fresh | Asked, _) | (Gathered, Dropped | Panics)
            );
            let mut want = String::new();
            if !none {
                want.push_str("data: one\n\ndata: two\n\n");
            }
            if fault == Wakes && state != Ended {
                want.push_str("data: three\n\n");
            }
            let comments = play.text.matches(":\n").count();
            assert_eq!(play.text.replace(":\n", ""), want, "{what}");
            assert_eq!(
                comments > 0,
                state == Quiet || fault == Silence && state != Ended,
                "{what}: {comments}"
            );

            // The client's leaving is the last thing: the hook runs once, and the producer goes.
            play.body = None;
            assert_eq!(*play.reason.lock().unwrap(), [reason], "{what}");
            assert!(
                play.source.0.lock().unwrap().dropped,
                "{what}: the producer is kept"
            );
        }
    }
}
