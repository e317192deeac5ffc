use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use http::Extensions;

use super::{
    Closing, EndReason, Life, Pace, Permit, Stats, StreamControl, StreamEnd, StreamInfo,
    StreamKind, StreamObserver, Tally,
    drain::Member,
    slot::Slot,
    span::Span,
    stall::{self, StallSignal},
    times::Times,
};
use crate::rt::DynTimer;

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
    hot: Hot,
    /// The order that was given.
    pace: Option<Pace>,
    record: Record,
    times: Times,
    permits: Vec<Permit>,
    members: Vec<Member>,
}

/// What every poll touches, side by side: with thousands of streams none of it is in the processor's cache.
struct Hot {
    life: Arc<Life>,
    /// The waker that `life` has.
    waker: Option<Waker>,
    events_sent: u64,
    bytes_sent: u64,
    /// Somebody sees the span.
    has_span: bool,
    /// Foreign code is running; still set at the end, it panicked.
    inside: bool,
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
    info: Option<StreamInfo>,
    observers: Vec<Arc<dyn StreamObserver>>,
    stall: Option<StallSignal>,
    span: Span,
}

impl StreamGuard {
    pub(super) fn new(life: Arc<Life>, stall: Option<StallSignal>) -> Self {
        Self(Box::new(Inner {
            hot: Hot {
                life,
                waker: None,
                events_sent: 0,
                bytes_sent: 0,
                has_span: false,
                inside: false,
            },
            pace: None,
            record: Record {
                born: Instant::now(),
                kind: None,
                stats: Stats::default(),
                tally: None,
                close_code: None,
                reason: None,
                ordered: None,
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
        StreamControl(Arc::clone(&self.0.hot.life))
    }

    /// Waits for the order to end the stream.
    ///
    /// Each order is more urgent than the one before, so there are at most three. The owner polls this with the
    /// context of its own task, at the end of each of its polls and until it is pending.
    #[inline]
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Closing> {
        let this = &mut *self.0;
        if !this.hot.wakes(cx.waker()) {
            this.listen(cx.waker());
        }
        if this.hot.life.has_news() {
            this.obey()
        } else {
            Poll::Pending
        }
    }

    /// Counts events or messages that were sent, and their bytes.
    pub const fn sent(&mut self, events: u64, bytes: u64) {
        let hot = &mut self.0.hot;
        hot.events_sent += events;
        hot.bytes_sent += bytes;
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
        self.0.hot.inside = true;
        let result = if self.0.hot.has_span {
            self.0.record.run(run)
        } else {
            run()
        };
        self.0.hot.inside = false;
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
        let hot = &self.0.hot;
        !hot.wakes(cx.waker()) || hot.life.has_news()
    }

    /// Like [`end`](Self::end), for an owner that cannot give the guard away.
    pub(crate) fn note(&mut self, reason: EndReason) {
        self.0.record.reason = Some(reason);
    }
}

/// For the layers that add to a stream before it begins.
impl StreamGuard {
    pub(crate) fn hold(&mut self, permit: Permit) {
        push(&mut self.0.permits, permit);
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
        if let Some(observer) = observer {
            record.info.get_or_insert_with(|| info.detached());
            record.observers.push(observer);
        }
        record.span = Span::of(info);
        self.0.hot.has_span = !record.span.is_disabled();
    }

    pub(crate) fn limit_age(&mut self, timer: DynTimer, age: Duration) {
        self.0.times.limit_age(timer, age);
    }

    pub(crate) fn count_with(&mut self, tally: Tally) {
        self.0.record.tally = Some(tally);
    }

    pub(super) fn join(&mut self, member: Member) {
        push(&mut self.0.members, member);
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.0.members
    }

    pub(super) fn life(&self) -> &Arc<Life> {
        &self.0.hot.life
    }
}

/// Most streams have one of each, and a vector would make room for four.
fn push<T>(all: &mut Vec<T>, one: T) {
    all.reserve_exact(1);
    all.push(one);
}

impl Hot {
    #[inline]
    fn wakes(&self, waker: &Waker) -> bool {
        let known = self.waker.as_ref();
        known.is_some_and(|known| known.will_wake(waker))
    }
}

impl Inner {
    /// Registered before looking: an order that comes in between wakes this task.
    #[cold]
    fn listen(&mut self, waker: &Waker) {
        if self.hot.waker.replace(waker.clone()).is_none() {
            self.hot.life.look_again(); // the timers do not run yet
        }
        self.hot.life.listen(waker.clone());
    }

    /// Reads the orders, and looks at the timers.
    #[cold]
    fn obey(&mut self) -> Poll<Closing> {
        // Their waker stays the same, whatever task polls this.
        let alarm = Waker::from(Arc::clone(&self.hot.life));
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
            self.hot.life.look_again(); // a timer that was made just now does not run yet
            return Poll::Ready(closing);
        }
        Poll::Pending
    }

    /// Reads the orders.
    fn hear(&mut self) -> Option<Closing> {
        let times = &mut self.times;
        let (closing, _replaced) = self.hot.life.news(|orders| {
            let replaced = orders.expiry.take().map(|new| times.expire(new));
            if let Some(order) = orders.drain.take() {
                times.drain(order, orders.finish_first);
            }
            (orders.close.take(), replaced)
        })?;
        closing
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.hot.life.end();
        self.record.report(&self.hot);
    }
}

impl Record {
    /// Apart, so that a stream whose span nobody sees does not make room for it.
    #[inline(never)]
    fn run<T>(&self, run: impl FnOnce() -> T) -> T {
        let _entered = self.span.enter();
        run()
    }

    /// What is counted in two places.
    const fn stats(&self, hot: &Hot) -> Stats {
        Stats {
            events_sent: hot.events_sent,
            bytes_sent: hot.bytes_sent,
            ..self.stats
        }
    }

    fn report(&mut self, hot: &Hot) {
        if self.kind.is_none() {
            return;
        }
        let reason = self.reason(hot.inside);
        self.stats = self.stats(hot);
        if let Some(tally) = &self.tally {
            tally.end(reason);
            self.stats.events_sent += tally.events();
        }
        self.stats.duration = self.born.elapsed();
        let end = StreamEnd {
            reason,
            close_code: self.close_code,
            stats: self.stats,
        };
        self.span.end(&end);
        let Some(info) = &self.info else { return };
        for observer in &self.observers {
            observer.ended(info, &end);
        }
    }

    fn reason(&self, has_panicked: bool) -> EndReason {
        // The maker of events may know better: that the last event tells of a failure, for instance.
        let said = self.tally.as_ref().and_then(Tally::reason).or(self.reason);
        let said = said.unwrap_or(EndReason::Disconnected);
        let lost = matches!(said, EndReason::Disconnected | EndReason::Failed);
        let stalled = stall::is_dropping() || self.stall.as_ref().is_some_and(StallSignal::is_set);
        match self.ordered {
            _ if has_panicked || said == EndReason::Panicked => EndReason::Panicked,
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
            .field("stats", &record.stats(&self.0.hot))
            .finish_non_exhaustive()
    }
}
