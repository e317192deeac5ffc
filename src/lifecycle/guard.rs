use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use http::Extensions;

use super::{
    Closing, EndReason, Life, Pace, Permit, Stats, StreamControl, StreamEnd, StreamInfo,
    StreamKind, StreamObserver, Tally,
    control::DrainOrder,
    drain::Member,
    slot::Slot,
    span::Span,
    stall::{self, StallSignal},
};
use crate::rt::{BoxSleep, DynTimer, Task, Timer};

/// Held by whatever is the stream: the body of an event stream, the task of a WebSocket. Its drop is the real end.
///
/// It releases the permits, leaves the drain, fills in the span and tells the observers, however the stream ends.
/// Without a call of [`end`](Self::end), the end counts as [`EndReason::Disconnected`].
///
/// The bodies and sockets of this crate hold theirs by themselves. A stream that is made by something else, for
/// instance a WebSocket of another library, can have the same life: [`take`](Self::take) the guard from the
/// request, move it into the task, [`start`](Self::start) it, and listen to [`poll_close`](Self::poll_close).
///
/// ```
/// use std::{future::poll_fn, pin::pin};
/// use futures_util::future::{Either, select};
/// use tower_realtime::lifecycle::{EndReason, StreamGuard, StreamKind};
///
/// async fn socket_of_another_library(head: http::request::Parts, work: impl Future<Output = ()>) {
///     let Some(mut guard) = StreamGuard::take(&head.extensions) else {
///         return work.await; // no layer that wants to know
///     };
///     guard.start(StreamKind::WebSocket);
///     let order = poll_fn(|cx| guard.poll_close(cx));
///     let code = match select(pin!(work), order).await {
///         Either::Left(((), _)) => 1000,
///         Either::Right((order, _)) => order.code, // what to close with
///     };
///     guard.end(EndReason::Finished, Some(code));
/// }
/// ```
///
/// What such a stream does is counted as it happens, for the statistics, and foreign code runs within its span:
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::lifecycle::StreamGuard;
///
/// fn answered(guard: &mut StreamGuard, question: &[u8], answer: impl FnOnce() -> Vec<u8>) {
///     guard.received(1, question.len() as u64);
///     let answer = guard.within(answer); // should it panic, that is why the stream ended
///     guard.sent(1, answer.len() as u64);
///     guard.queued(answer.len() as u64);
/// }
///
/// fn ponged(guard: &mut StreamGuard, after: Duration) {
///     guard.round_trip(after);
///     if after > Duration::from_secs(5) {
///         guard.control().revoke("too slow");
///     }
/// }
/// ```
pub struct StreamGuard(Box<Inner>);

/// Fields are dropped from the top to the bottom, so a drain is left last, when all else is done.
struct Inner {
    life: Arc<Life>,
    /// The waker that `life` has.
    waker: Option<Waker>,
    /// The order that was given.
    pace: Option<Pace>,
    record: Record,
    times: Times,
    permits: Vec<Permit>,
    members: Vec<Member>,
}

/// What will be reported.
struct Record {
    born: Instant,
    kind: Option<StreamKind>,
    stats: Stats,
    tally: Option<Tally>,
    close_code: Option<u16>,
    /// What the owner says.
    reason: Option<EndReason>,
    /// What somebody ordered.
    ordered: Option<EndReason>,
    /// Foreign code is running; still set at the end, it panicked.
    inside: bool,
    info: Option<StreamInfo>,
    observers: Vec<Arc<dyn StreamObserver>>,
    stall: Option<StallSignal>,
    span: Span,
}

/// What ends the stream in time.
#[derive(Default)]
struct Times {
    age: Age,
    expiry: Option<Task>,
    drain: Draining,
}

#[derive(Default)]
enum Age {
    #[default]
    None,
    Unarmed(DynTimer, Duration),
    Armed(BoxSleep),
}

#[derive(Default)]
enum Draining {
    #[default]
    No,
    /// Until its turn, which is this long after the start.
    Waiting(BoxSleep, Duration, DrainOrder),
    Closing(BoxSleep, Closing),
}

impl StreamGuard {
    pub(super) fn new(life: Arc<Life>, stall: Option<StallSignal>) -> Self {
        Self(Box::new(Inner {
            life,
            waker: None,
            pace: None,
            record: Record {
                born: Instant::now(),
                kind: None,
                stats: Stats::default(),
                tally: None,
                close_code: None,
                reason: None,
                ordered: None,
                inside: false,
                info: None,
                observers: Vec::new(),
                stall,
                span: Span::none(),
            },
            times: Times::default(),
            permits: Vec::new(),
            members: Vec::new(),
        }))
    }

    /// Takes the guard that a layer put into the extensions of a request; `None` without such a layer, or when it
    /// was taken before.
    #[must_use]
    pub fn take(extensions: &Extensions) -> Option<Self> {
        extensions.get::<Slot>()?.take()
    }

    /// The request has become a stream. Until then a drop releases the permits and says nothing to anybody.
    pub fn start(&mut self, kind: StreamKind) {
        let record = &mut self.0.record;
        if record.kind.replace(kind).is_some() {
            return;
        }
        if let Some(info) = &mut record.info {
            info.kind = kind;
            for observer in &record.observers {
                observer.started(info);
            }
        }
    }

    /// What ends this stream from outside.
    #[must_use]
    pub fn control(&self) -> StreamControl {
        StreamControl(Arc::clone(&self.0.life))
    }

    /// Waits for the order to end the stream.
    ///
    /// Each order is more urgent than the one before, so there are at most three. The owner polls this with the
    /// context of its own task, at the end of each of its polls and until it is pending.
    #[inline]
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Closing> {
        let this = &mut *self.0;
        if !this.wakes(cx.waker()) {
            this.listen(cx.waker());
        }
        if this.life.has_news() {
            this.obey()
        } else {
            Poll::Pending
        }
    }

    /// Counts events or messages that were sent, and their bytes.
    pub const fn sent(&mut self, events: u64, bytes: u64) {
        let stats = &mut self.0.record.stats;
        stats.events_sent += events;
        stats.bytes_sent += bytes;
    }

    /// Counts messages that were received, and their bytes.
    pub const fn received(&mut self, events: u64, bytes: u64) {
        let stats = &mut self.0.record.stats;
        stats.events_received += events;
        stats.bytes_received += bytes;
    }

    /// Notes how many bytes wait to be sent, for the peak.
    pub fn queued(&mut self, bytes: u64) {
        let stats = &mut self.0.record.stats;
        stats.peak_queue = stats.peak_queue.max(bytes);
    }

    /// Notes how long a ping took to be answered.
    pub const fn round_trip(&mut self, duration: Duration) {
        self.0.record.stats.round_trip = Some(duration);
    }

    /// Runs foreign code within the stream's span; should it panic, the stream ends as
    /// [`EndReason::Panicked`].
    #[inline]
    pub fn within<T>(&mut self, run: impl FnOnce() -> T) -> T {
        self.0.record.inside = true;
        let result = if self.0.record.span.is_disabled() {
            run()
        } else {
            self.0.record.run(run)
        };
        self.0.record.inside = false;
        result
    }

    /// The real end. An order that was given before stays the reason.
    pub fn end(mut self, reason: EndReason, close_code: Option<u16>) {
        self.0.record.reason = Some(reason);
        self.0.record.close_code = close_code;
    }

    /// Tells the maker of the events why it will be dropped.
    pub(crate) fn announce(&self) {
        let record = &self.0.record;
        if let (Some(tally), Some(reason)) = (&record.tally, record.ordered) {
            tally.end(reason);
        }
    }

    /// Whether [`poll_close`](Self::poll_close) would do anything.
    #[inline]
    pub(crate) fn has_news(&self, cx: &Context<'_>) -> bool {
        !self.0.wakes(cx.waker()) || self.0.life.has_news()
    }

    /// Like [`end`](Self::end), for an owner that cannot give the guard away.
    pub(crate) fn note(&mut self, reason: EndReason) {
        self.0.record.reason = Some(reason);
    }
}

/// For the layers that add to a stream before it begins.
impl StreamGuard {
    pub(crate) fn hold(&mut self, permit: Permit) {
        self.0.permits.push(permit);
    }

    pub(crate) fn permits(&self) -> &[Permit] {
        &self.0.permits
    }

    /// The request was answered with something else than a stream.
    pub(crate) fn refuse(&mut self) {
        self.0.permits.iter_mut().for_each(Permit::refuse);
    }

    pub(crate) fn observe(&mut self, info: &StreamInfo, observer: Option<Arc<dyn StreamObserver>>) {
        let record = &mut self.0.record;
        let info = record.info.get_or_insert_with(|| info.clone());
        record.observers.extend(observer);
        record.span = Span::of(info);
    }

    pub(crate) fn limit_age(&mut self, timer: DynTimer, age: Duration) {
        self.0.times.age = Age::Unarmed(timer, age);
    }

    pub(crate) fn count_with(&mut self, tally: Tally) {
        self.0.record.tally = Some(tally);
    }

    pub(super) fn join(&mut self, member: Member) {
        self.0.members.push(member);
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.0.members
    }

    pub(super) fn life(&self) -> &Arc<Life> {
        &self.0.life
    }
}

impl Inner {
    #[inline]
    fn wakes(&self, waker: &Waker) -> bool {
        let known = self.waker.as_ref();
        known.is_some_and(|known| known.will_wake(waker))
    }

    /// Registered before looking: an order that comes in between wakes this task.
    #[cold]
    fn listen(&mut self, waker: &Waker) {
        if self.waker.replace(waker.clone()).is_none() {
            self.life.look_again(); // the timers do not run yet
        }
        self.life.listen(waker.clone());
    }

    /// Reads the orders, and looks at the timers.
    #[cold]
    fn obey(&mut self) -> Poll<Closing> {
        // Their waker stays the same, whatever task polls this.
        let alarm = Waker::from(Arc::clone(&self.life));
        let mut cx = Context::from_waker(&alarm);
        while let Some(closing) = self.hear().or_else(|| self.times.poll(&mut cx)) {
            if self.pace.is_some_and(|pace| closing.pace <= pace) {
                continue; // two reasons to close are one
            }
            self.pace = Some(closing.pace);
            if closing.pace == Pace::Forced {
                self.members.iter_mut().for_each(Member::force);
            }
            self.record.ordered.get_or_insert(closing.reason);
            self.times.relax(closing.pace);
            self.life.look_again(); // a timer that was made just now does not run yet
            return Poll::Ready(closing);
        }
        Poll::Pending
    }

    /// Reads the orders.
    fn hear(&mut self) -> Option<Closing> {
        let times = &mut self.times;
        let (closing, _replaced) = self.life.news(|orders| {
            let replaced = orders.expiry.take().map(|new| times.expiry.replace(new));
            if let Some(order) = orders.drain.take() {
                let turn = order.turn(orders.finish_first);
                times.drain = Draining::Waiting(order.timer.sleep(turn), turn, order);
            }
            (orders.close.take(), replaced)
        })?;
        closing
    }
}

impl DrainOrder {
    fn turn(&self, finish_first: bool) -> Duration {
        if finish_first {
            self.deadline / 10 * 9
        } else {
            self.after
        }
    }
}

impl Times {
    fn poll(&mut self, cx: &mut Context<'_>) -> Option<Closing> {
        let closing = self.poll_age(cx);
        let closing = closing.or_else(|| self.poll_expiry(cx));
        closing.or_else(|| self.poll_drain(cx))
    }

    fn poll_age(&mut self, cx: &mut Context<'_>) -> Option<Closing> {
        if let Age::Unarmed(timer, age) = &self.age {
            self.age = Age::Armed(timer.sleep(*age));
        }
        let Age::Armed(sleep) = &mut self.age else {
            return None;
        };
        if !ready(sleep, cx) {
            return None;
        }
        self.age = Age::None;
        Some(Closing {
            reason: EndReason::Expired,
            pace: Pace::Gentle,
            code: 1001,
            text: "maximum age".into(),
            // Old streams end one by one, so there is nothing to spread.
            retry: Some(Duration::from_secs(1)),
        })
    }

    fn poll_expiry(&mut self, cx: &mut Context<'_>) -> Option<Closing> {
        let expiry = self.expiry.as_mut()?;
        if !ready(expiry, cx) {
            return None;
        }
        self.expiry = None;
        Some(Closing {
            reason: EndReason::Expired,
            pace: Pace::Prompt,
            code: 1008,
            text: "expired".into(),
            retry: None,
        })
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Option<Closing> {
        match &mut self.drain {
            Draining::No => None,
            Draining::Waiting(sleep, turn, order) => {
                if !ready(sleep, cx) {
                    return None;
                }
                let rest = order.deadline.saturating_sub(*turn);
                let closing = order.closing.clone();
                let forced = Closing {
                    pace: Pace::Forced,
                    ..closing.clone()
                };
                self.drain = Draining::Closing(order.timer.sleep(rest), forced);
                Some(closing)
            }
            Draining::Closing(sleep, forced) => {
                if !ready(sleep, cx) {
                    return None;
                }
                let forced = forced.clone();
                self.drain = Draining::No;
                Some(forced)
            }
        }
    }

    /// Once the stream is closing, only a drain's deadline is left.
    fn relax(&mut self, pace: Pace) {
        self.age = Age::None;
        // What ends gently may stand in the middle of an event for long: it still ends when its entitlement does.
        if pace > Pace::Gentle {
            self.expiry = None;
        }
    }
}

fn ready(sleep: &mut Pin<Box<dyn Future<Output = ()> + Send>>, cx: &mut Context<'_>) -> bool {
    sleep.as_mut().poll(cx).is_ready()
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.life.end();
        self.record.report();
    }
}

impl Record {
    /// Apart, so that a stream whose span nobody sees does not make room for it.
    #[inline(never)]
    fn run<T>(&self, run: impl FnOnce() -> T) -> T {
        let _entered = self.span.enter();
        run()
    }

    fn report(&mut self) {
        if self.kind.is_none() {
            return;
        }
        let reason = self.reason();
        if let Some(tally) = &self.tally {
            tally.end(reason);
            self.stats.events_sent += tally.events();
        }
        let Some(info) = &self.info else { return };
        self.stats.duration = self.born.elapsed();
        let end = StreamEnd {
            reason,
            close_code: self.close_code,
            stats: self.stats,
        };
        self.span.end(&end);
        for observer in &self.observers {
            observer.ended(info, &end);
        }
    }

    fn reason(&self) -> EndReason {
        // The maker of events may know better: that the last event tells of a failure, for instance.
        let said = self.tally.as_ref().and_then(Tally::reason).or(self.reason);
        let said = said.unwrap_or(EndReason::Disconnected);
        let lost = matches!(said, EndReason::Disconnected | EndReason::Failed);
        let stalled = stall::is_dropping() || self.stall.as_ref().is_some_and(StallSignal::is_set);
        match self.ordered {
            _ if self.inside || said == EndReason::Panicked => EndReason::Panicked,
            Some(ordered) => ordered,
            None if lost && stalled => EndReason::Stalled,
            None => said,
        }
    }
}

impl fmt::Debug for StreamGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = &self.0.record;
        f.debug_struct("StreamGuard")
            .field("kind", &record.kind)
            .field("stats", &record.stats)
            .finish_non_exhaustive()
    }
}
