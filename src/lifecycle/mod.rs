//! The life of a stream, from its birth to its real end.
//!
//! HTTP middleware ends its care when the response head leaves: a concurrency limit frees its permit, a trace
//! closes its span, a graceful shutdown waits for ever or not at all. A stream only begins there. What is here
//! lasts until the stream *ends*, for event streams and WebSockets alike, over HTTP/1.1 and HTTP/2.
//!
//! | to | use |
//! |---|---|
//! | stop a server without cutting streams | [`Drain`] and its [`DrainLayer`](crate::layers::DrainLayer) |
//! | bound how many streams there are | [`StreamLimit`] and its [`StreamLimitLayer`](crate::layers::StreamLimitLayer) |
//! | end streams that are old | [`MaxAge`] and its [`AgeLayer`](crate::layers::AgeLayer) |
//! | end one stream from outside | [`StreamControl`] |
//! | see what happens | [`StreamObserver`] and its [`ObserveLayer`](crate::layers::ObserveLayer) |
//!
//! ```
//! use std::convert::Infallible;
//! use bytes::Bytes;
//! use futures_util::stream;
//! use http::{Request, Response};
//! use http_body::Body;
//! use tower::{Layer, ServiceExt};
//! use tower_realtime::{layers::StreamLimitLayer, lifecycle::StreamLimit, sse::{Event, Sse}};
//!
//! async fn forever(_: Request<()>) -> Result<Response<impl Body<Data = Bytes>>, Infallible> {
//!     Ok(Sse::new(stream::pending::<Result<Event, Infallible>>()).into_response())
//! }
//!
//! # smol::block_on(async {
//! let app = StreamLimitLayer::new(&StreamLimit::new(1)).layer(tower::service_fn(forever));
//! let ask = || Request::get("/").header("accept", "text/event-stream").body(()).expect("a request");
//! let first = app.clone().oneshot(ask()).await?;
//! assert_eq!(app.clone().oneshot(ask()).await?.status(), 503);
//! drop(first); // here the first stream ends, and not when its head has left
//! assert_eq!(app.oneshot(ask()).await?.status(), 200);
//! # Ok::<_, Infallible>(())
//! # }).expect("infallible");
//! ```
//!
//! # How a layer reaches the stream
//!
//! There is one mechanism, the [`StreamGuard`], and this contract:
//!
//! 1. The first layer of this crate that a request meets puts a guard, and a [`StreamControl`], into the
//!    *request's* extensions. Every layer adds its part to that guard: a permit, a membership of a drain, an
//!    observer, an age. One that says no answers at once, and the handler is not called.
//! 2. What makes the stream takes the guard and holds it until the real end. For a WebSocket that is
//!    `ws::Acceptor`, which moves it into the socket's task. For an event stream it is the innermost of the
//!    layers: it sees a response of `text/event-stream` and wraps its body. If the request did not tell that it
//!    asks for a stream, the layers add their parts, and may refuse, at this point.
//! 3. A guard that nobody took when the response is there is dropped, and nothing began.
//! 4. The owner asks the guard for orders ([`StreamGuard::poll_close`]), counts with it, and drops it. The drop
//!    is what releases permits, leaves the drain, ends the span and tells the observers; so it happens on every
//!    way out, panics too.
//!
//! A request says by itself that it asks for a stream if it asks for an upgrade to `websocket`, is an extended
//! `CONNECT`, or accepts `text/event-stream` and nothing else, as the `EventSource` of browsers does.

mod age;
mod backoff;
mod bucket;
mod control;
mod drain;
mod excerpt;
mod guard;
mod limit;
mod observer;
mod policy;
mod random;
mod refusal;
mod retry_after;
mod slot;
#[cfg(not(feature = "tracing"))]
#[path = "no_span.rs"]
mod span;
#[cfg(feature = "tracing")]
mod span;
#[cfg_attr(not(feature = "hyper"), allow(dead_code))] // set by `layers::StallGuard`
mod stall;
mod stats;
mod times;

#[cfg(feature = "ws")]
pub(crate) use self::excerpt::{EXCERPT, patience};
#[cfg(feature = "hyper")]
pub(crate) use self::stall::drop_stalled;
pub use self::{
    age::MaxAge,
    backoff::Backoff,
    control::{Closing, Pace, StreamControl},
    drain::{Drain, DrainReport},
    guard::StreamGuard,
    limit::StreamLimit,
    observer::{StreamEnd, StreamInfo, StreamObserver},
    policy::DrainPolicy,
    refusal::Refusal,
    stall::StallSignal,
    stats::{EndReason, Stats, StreamKind},
};
pub(crate) use self::{
    backoff::Attempts,
    control::Life,
    excerpt::{Words, excerpt},
    limit::Permit,
    random::random,
    retry_after::retry_after,
    slot::Slot,
    stall::Turn,
    stats::Tally,
};
