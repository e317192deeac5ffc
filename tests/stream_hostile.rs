//! What nobody should do to the life of a stream, and what must come of it all the same.
#![allow(missing_docs, clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http::{Extensions, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_realtime::{
    layers::{AgeLayer, StreamLimitLayer},
    lifecycle::{
        Drain, DrainPolicy, EndReason, MaxAge, Pace, StreamGuard, StreamKind, StreamLimit,
    },
    rt::ManualClock,
};

const SECOND: Duration = Duration::from_secs(1);

type Body = StreamBody<stream::Pending<Result<Frame<Bytes>, Infallible>>>;

/// What a handler has kept of its requests.
type Kept = Arc<Mutex<Vec<Extensions>>>;

/// A handler of event streams that stay silent, which keeps the extensions of its requests.
fn handler() -> (
    impl Service<Request<()>, Response = Response<Body>, Error = Infallible> + Clone,
    Kept,
) {
    let kept = Kept::default();
    let keep = Arc::clone(&kept);
    let service = service_fn(move |request: Request<()>| {
        keep.lock().unwrap().push(request.into_parts().0.extensions);
        let response = Response::builder()
            .header("content-type", "text/event-stream")
            .body(StreamBody::new(stream::pending()));
        async { Ok(response.unwrap()) }
    });
    (service, kept)
}

/// The answer to a browser's `EventSource`.
fn ask<S, R>(service: S) -> Response<R>
where
    S: Service<Request<()>, Response = Response<R>, Error = Infallible>,
{
    let request = Request::get("/").header("accept", "text/event-stream");
    let asked = service.oneshot(request.body(()).unwrap());
    asked.now_or_never().unwrap().unwrap()
}

/// The guard of the last stream, which has begun.
fn guard(kept: &Kept) -> StreamGuard {
    let mut guard = StreamGuard::take(kept.lock().unwrap().last().unwrap()).unwrap();
    guard.start(StreamKind::EventStream);
    guard
}

/// How urgent the order to close is, if there is one.
fn order(guard: &mut StreamGuard) -> Option<Pace> {
    let cx = &mut Context::from_waker(Waker::noop());
    match guard.poll_close(cx) {
        Poll::Ready(closing) => Some(closing.pace),
        Poll::Pending => None,
    }
}

#[test]
fn what_may_finish_first_is_forced_at_the_deadline_too() {
    let (clock, (service, kept)) = (ManualClock::new(), handler());
    let drain = Drain::new(clock.clone());
    let _response = ask(drain.layer().finish_first().layer(service));
    let mut guard = guard(&kept);
    drain.start_with(DrainPolicy::default().deadline(100 * SECOND));
    assert_eq!(order(&mut guard), None);
    clock.advance(90 * SECOND);
    assert_eq!(order(&mut guard), Some(Pace::Gentle));
    assert_eq!(order(&mut guard), None);
    clock.advance(10 * SECOND);
    assert_eq!(order(&mut guard), Some(Pace::Forced));
    drop(guard);
    let report = drain.finished().now_or_never().unwrap();
    assert_eq!((report.closed, report.forced), (0, 1));
}

#[test]
fn a_stream_that_does_not_end_at_its_age_still_expires() {
    let (clock, (service, kept)) = (ManualClock::new(), handler());
    let age = MaxAge::new(10 * SECOND).jitter_percent(0);
    let _response = ask(AgeLayer::new(clock.clone(), age).layer(service));
    let mut guard = guard(&kept);
    let sleep = tower_realtime::rt::Timer::sleep(&clock, 20 * SECOND);
    guard.control().expire_when(sleep);
    assert_eq!(order(&mut guard), None);
    clock.advance(10 * SECOND);
    assert_eq!(order(&mut guard), Some(Pace::Gentle));
    assert_eq!(order(&mut guard), None);
    clock.advance(10 * SECOND);
    assert_eq!(order(&mut guard), Some(Pace::Prompt));
    guard.end(EndReason::Finished, None);
}

#[test]
fn a_body_that_is_never_read_gives_its_permit_back() {
    let (service, kept) = handler();
    let limit = StreamLimit::new(1);
    let response = ask(StreamLimitLayer::new(&limit).layer(service));
    assert_eq!(limit.open(), 1);
    drop(response);
    assert_eq!(
        limit.open(),
        0,
        "{} request kept",
        kept.lock().unwrap().len()
    );
}

#[test]
fn an_expiry_that_comes_after_the_end_is_not_kept() {
    let (service, kept) = handler();
    let _response = ask(StreamLimitLayer::new(&StreamLimit::new(1)).layer(service));
    let guard = guard(&kept);
    let control = guard.control();
    drop(guard);
    let held = Arc::new(());
    let weak = Arc::downgrade(&held);
    control.expire_when(async move { drop(held) });
    assert!(control.is_ended() && weak.upgrade().is_none());
}

#[test]
fn no_time_is_too_long() {
    let (service, kept) = handler();
    let limit = StreamLimit::new(9).rate(1, Duration::MAX);
    let limited = StreamLimitLayer::new(&limit).layer(service.clone());
    assert_eq!(ask(limited).status(), StatusCode::OK);
    let limited = StreamLimitLayer::new(&limit).retry_after(Duration::MAX);
    let refused = ask(limited.layer(service.clone()));
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let wait = refused.headers()["retry-after"].to_str().unwrap();
    assert!(wait.parse::<u64>().unwrap() > 1_000_000);

    let drain = Drain::new(ManualClock::new());
    let mut open = [(); 3].map(|()| {
        let response = ask(drain.layer().layer(service.clone()));
        (guard(&kept), response)
    });
    let policy = DrainPolicy::default().deadline(Duration::MAX);
    drain.start_with(policy.spread(Duration::MAX).retry(Duration::MAX));
    for (guard, _) in &mut open {
        assert_eq!(order(guard), None);
    }
    assert_eq!(drain.finished().now_or_never(), None);
}
