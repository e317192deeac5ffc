use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use http::{
    HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
    request,
};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{
    Encoded, KeepAlive, NoKeepAlive, OnError, accepts_events,
    gather::EventBody,
    keep_alive::{KeepAliveBody, KeptAlive},
};
use crate::{BoxError, lifecycle::EndReason, rt::Timer};

pin_project! {
    /// A response whose body is a stream of events.
    ///
    /// It is an [`http_body::Body`], so every stack that speaks `http` can send it: [`into_response`] adds the head.
    /// Events that are ready at the same time leave in one frame of up to 16 KiB. The stream is polled only when
    /// the client can take more, and dropped when the client has gone.
    ///
    /// An error of the stream aborts the response, so that the client sees that something is missing and connects
    /// again.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use futures_util::{StreamExt, stream};
    /// use tower_realtime::sse::{Event, KeepAlive, Sse};
    ///
    /// let events = stream::iter(0..10u64).map(|n| Ok::<_, Infallible>(Event::new(n.to_string()).id(n)));
    /// let response = Sse::new(events)
    ///     .keep_alive(KeepAlive::new(tokio::time::sleep))
    ///     .into_response();
    /// assert_eq!(response.headers()["content-type"], "text/event-stream");
    /// ```
    ///
    /// [`into_response`]: Self::into_response
    #[must_use = "a response does nothing until it is returned"]
    pub struct Sse<S, T: Timer = NoKeepAlive> {
        #[pin]
        body: KeepAliveBody<EventBody<S>, T>,
    }
}

impl<S> Sse<S> {
    /// A response of `events`.
    ///
    /// Its items are anything that becomes [`Encoded`]: an [`Event`](super::Event), or an `Encoded` that was prepared
    /// once for many.
    pub fn new<T, E>(events: S) -> Self
    where
        S: Stream<Item = Result<T, E>>,
        T: Into<Encoded>,
        E: Into<BoxError>,
    {
        Self {
            body: KeepAliveBody::maybe(EventBody::new(events), None),
        }
    }
}

impl<S, T: Timer> Sse<S, T> {
    /// Keeps the stream open while there are no events.
    ///
    /// The response is marked, so that a [`KeepAliveLayer`](super::KeepAliveLayer) around it adds nothing.
    pub fn keep_alive<U: Timer>(self, keep_alive: KeepAlive<U>) -> Sse<S, U> {
        Sse {
            body: self.body.with(keep_alive),
        }
    }

    /// Ends the stream in order where it would fail: with a last event made of the error, instead of an aborted
    /// response.
    ///
    /// The client has then seen all there is, and connects again with the id of that event or the one before it.
    ///
    /// ```
    /// use futures_util::stream;
    /// use tower_realtime::sse::{Event, EventName, Sse};
    ///
    /// const ERROR: EventName = EventName::from_static("error");
    ///
    /// let events = stream::iter([Ok(Event::new("1")), Err("the database has gone")]);
    /// let sse = Sse::new(events).on_error(|error| Event::new(error).name(ERROR));
    /// # let _ = sse;
    /// ```
    pub fn on_error<F, U, E, L>(self, last: F) -> Sse<OnError<S, F>, T>
    where
        S: Stream<Item = Result<U, E>>,
        U: Into<Encoded>,
        F: FnMut(E) -> L,
        L: Into<Encoded>,
    {
        Sse {
            body: self
                .body
                .map(|body| body.map(|events, tally| OnError::new(events, last, tally.clone()))),
        }
    }

    /// Calls `hook` when the stream has ended, with the reason; a second hook replaces the first.
    ///
    /// The stream itself is dropped before. The hook runs where the body is polled or dropped: it must not block,
    /// and must not panic.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use futures_util::stream;
    /// use tower_realtime::sse::{Event, Sse};
    ///
    /// let events = stream::pending::<Result<Event, Infallible>>();
    /// let sse = Sse::new(events).on_end(|reason| println!("a listener left: {reason}"));
    /// # let _ = sse;
    /// ```
    pub fn on_end(self, hook: impl FnOnce(EndReason) + Send + 'static) -> Self {
        Self {
            body: self.body.map(|mut body| {
                body.on_end(hook);
                body
            }),
        }
    }

    /// The response: status 200, and the headers that keep proxies and caches from holding events back.
    ///
    /// | header | value | why |
    /// |---|---|---|
    /// | `Content-Type` | `text/event-stream` | what clients ask for |
    /// | `Cache-Control` | `no-cache, no-transform` | no stale copies, and no compression that holds events back |
    /// | `X-Accel-Buffering` | `no` | nginx, and what is built on it, passes each event on at once |
    ///
    /// To override one, [insert](http::HeaderMap::insert) another value into the headers of the response, or remove
    /// it.
    pub fn into_response(self) -> Response<Self> {
        let is_kept_alive = self.body.is_kept_alive();
        let tally = self.body.get_ref().map(|body| body.tally().clone());
        let mut response = Response::new(self);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, EVENT_STREAM);
        headers.insert(CACHE_CONTROL, NO_TRANSFORM);
        headers.insert(X_ACCEL_BUFFERING, NO);
        if let Some(tally) = tally {
            response.extensions_mut().insert(tally);
        }
        if is_kept_alive {
            response.extensions_mut().insert(KeptAlive);
        }
        response
    }
}

impl<S, T: Timer> Sse<S, T> {
    /// The answer to the request with this head: [`into_response`](Self::into_response) where the client takes events.
    ///
    /// A client whose `Accept` excludes them gets 406. On HEAD there are the headers alone, and the stream is dropped
    /// before it was polled.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use futures_util::stream;
    /// use http::{Request, StatusCode};
    /// use tower_realtime::sse::{Event, Sse};
    ///
    /// # fn main() -> http::Result<()> {
    /// let (head, ()) = Request::get("/").header("accept", "image/png").body(())?.into_parts();
    /// let events = stream::iter([Ok::<_, Infallible>(Event::new("hello"))]);
    /// assert_eq!(Sse::new(events).answer(&head).status(), StatusCode::NOT_ACCEPTABLE);
    /// # Ok(())
    /// # }
    /// ```
    pub fn answer(mut self, head: &request::Parts) -> Response<Self> {
        if !accepts_events(&head.headers) {
            self.body = self.body.map(EventBody::ended);
            let mut refusal = Response::new(self);
            *refusal.status_mut() = StatusCode::NOT_ACCEPTABLE;
            return refusal;
        }
        if head.method == Method::HEAD {
            self.body = self.body.map(EventBody::ended);
        }
        self.into_response()
    }
}

impl<S, T, U, E> Body for Sse<S, T>
where
    S: Stream<Item = Result<U, E>>,
    T: Timer,
    U: Into<Encoded> + 'static,
    E: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<S, T: Timer> fmt::Debug for Sse<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sse")
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

pub(super) const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
// `no-cache` alone does not keep a proxy from compressing, and so from holding back: `no-transform` does.
const NO_TRANSFORM: HeaderValue = HeaderValue::from_static("no-cache, no-transform");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const NO: HeaderValue = HeaderValue::from_static("no");

/// The answer to a client that should not come back: 204, at which an `EventSource` stops to reconnect.
///
/// To end a stream is not enough, because it means "come back"; so this answers the reconnect.
///
/// ```
/// use http::{Response, StatusCode};
/// use tower_realtime::sse;
///
/// let response: Response<String> = sse::no_more_events();
/// assert_eq!(response.status(), StatusCode::NO_CONTENT);
/// ```
#[must_use]
pub fn no_more_events<B: Default>() -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
