use std::{
    fmt,
    future::{poll_fn, ready},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    BoxError,
    lifecycle::Backoff,
    rt::{DynTimer, Timer},
    sse::{Error, Limits, Message, Text},
};

use super::{Attempt, ReadyState, Update, connect, head, link::Link};

/// An event stream that connects again by itself, over any tower client.
///
/// It is a [`Stream`] of [`Message`]s. It asks as browsers do, checks the answer, follows redirects, and when the
/// stream ends or breaks, waits and asks to go on after the last id. What carries the requests is a clone of
/// `client`, a [`Service`] that gives responses: hyper-util's client, an axum `Router` in the same process, reqwest's
/// own (the guide on clients shows how), and every stack of layers over one.
///
/// ```
/// # async fn follow(uri: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// use bytes::Bytes;
/// use futures_util::StreamExt;
/// use http::Request;
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower_realtime::sse::EventSource;
///
/// let client = Client::builder(TokioExecutor::new()).build_http();
/// let request = Request::get(uri).body(Empty::<Bytes>::new())?;
/// let mut events = EventSource::new(client, request, tokio::time::sleep);
/// while let Some(message) = events.next().await {
///     println!("{}", message?.data());
/// }
/// # Ok(())
/// # }
/// ```
///
/// # When it ends
///
/// - The server answers 204: the stream ends.
/// - It answers with another status than 200: 429 and 5xx are tried again, after what `Retry-After` says at the
///   earliest, and all else is one `Err`, after which the stream ends. [`retry_if`](Self::retry_if) draws the line
///   elsewhere.
/// - It answers with 200 and another type than `text/event-stream`, redirects more than 20 times in a row, or sends
///   more than the [`limits`](Self::limits): one `Err`, after which the stream ends.
/// - There is no answer, the stream ends, breaks off, or is silent for too long: it connects again, after a time that
///   [`backoff`](Self::backoff) and the server's `retry` fields set. Without
///   [`max_attempts`](Backoff::max_attempts) there is no end to that. A stream that gave an event and was ended in
///   good order is no failure: the wait is then what `retry` says, as in browsers, and does not grow.
/// - The method is not idempotent, as `POST` is not: nothing is repeated. The end of the response is the end of the
///   stream, and everything else is one `Err`. [`repeat_any_method`](Self::repeat_any_method) treats it as a `GET`.
///
/// Redirects to another origin are followed without credentials: `Authorization`, `Cookie`, `Proxy-Authorization`,
/// and every header that is [marked as sensitive](http::HeaderValue::set_sensitive) stay behind.
///
/// What can be set, here for a `POST` that may be repeated, in a program that goes on where it was:
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::{lifecycle::Backoff, sse::{EventSource, Limits}};
///
/// fn careful(source: EventSource, last_id: &str) -> EventSource {
///     source
///         .last_event_id(last_id)
///         .only(["price", "news"])
///         .idle_timeout(Duration::from_secs(45))
///         .backoff(Backoff::new().cap(Duration::from_secs(10)).max_attempts(20))
///         .max_wait(Duration::from_secs(300))
///         .limits(Limits::new().event(64 << 10))
///         .retry_if(|answer| answer.status() != 404)
///         .repeat_any_method()
/// }
/// ```
///
/// # Cancel safety
///
/// A dropped `next()` loses nothing. Dropping the source ends the request.
pub struct EventSource {
    link: Link,
    /// The events that are let through; all if there are none.
    only: Vec<Text>,
}

impl EventSource {
    /// Sends `request` by `client`, and a clone of it for every attempt.
    ///
    /// `Accept`, `Cache-Control` and `Last-Event-ID` are set where they are missing. With a `Last-Event-ID` it
    /// begins as if that were the last. `timer` is the runtime's: `tokio::time::sleep` for tokio.
    ///
    /// Nothing is sent before the first poll.
    #[must_use]
    pub fn new<S, B, R, T>(client: S, mut request: Request<B>, timer: T) -> Self
    where
        S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>>,
        S: Clone + Send + 'static,
        S::Future: Send,
        B: Clone + Default + Send + 'static,
        R: Body<Error: Into<BoxError>> + Send + 'static,
        T: Timer<Sleep: Send> + Send + Sync + 'static,
    {
        let last_event_id = head::take_last_event_id(request.headers_mut());
        let requests = move |_: Attempt| ready(Ok::<_, BoxError>(request.clone()));
        Self::with(client, requests, timer).last_event_id(last_event_id)
    }

    /// Sends what `requests` makes for each attempt, so that each carries fresh credentials.
    ///
    /// It is called for every attempt, and once more for each redirect that is followed. Where it fails, that is the
    /// end: one `Err` that [is about the request](Error::is_request).
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, header::AUTHORIZATION};
    /// use http_body_util::Empty;
    /// use tower_realtime::sse::{Attempt, EventSource};
    ///
    /// # fn source<S, R>(client: S) -> EventSource
    /// # where
    /// #     S: tower::Service<Request<Empty<Bytes>>, Response = http::Response<R>> + Clone + Send + 'static,
    /// #     S::Future: Send,
    /// #     S::Error: Into<tower_realtime::BoxError>,
    /// #     R: http_body::Body + Send + 'static,
    /// #     R::Error: Into<tower_realtime::BoxError>,
    /// # {
    /// # async fn fresh_token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// EventSource::with(
    ///     client,
    ///     |_: Attempt| async {
    ///         let token = fresh_token().await?;
    ///         let request = Request::get("https://api.example/events").header(AUTHORIZATION, token);
    ///         Ok::<_, tower_realtime::BoxError>(request.body(Empty::<Bytes>::new())?)
    ///     },
    ///     tokio::time::sleep,
    /// )
    /// # }
    /// ```
    #[must_use]
    pub fn with<S, F, Fut, B, E, R, T>(client: S, requests: F, timer: T) -> Self
    where
        S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>>,
        S: Clone + Send + 'static,
        S::Future: Send,
        F: FnMut(Attempt) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Request<B>, E>> + Send + 'static,
        E: Into<BoxError>,
        B: Default + Send + 'static,
        R: Body<Error: Into<BoxError>> + Send + 'static,
        T: Timer<Sleep: Send> + Send + Sync + 'static,
    {
        let timer = DynTimer::new(timer);
        let connect = connect::connect(client, requests, timer.clone());
        Self {
            link: Link::new(connect, timer),
            only: Vec::new(),
        }
    }

    /// Sets how attempts to connect again are paced, and when it gives up. See [`Backoff`] for the default.
    ///
    /// A `retry` field of the server takes the place of the base, and is then the least wait as well. Less than 100 ms
    /// count as 100 ms.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.link.retry.backoff(backoff);
        self
    }

    /// Connects again when nothing has come for `time`, comments counted. By default it waits for ever.
    ///
    /// It notices servers and networks that are gone without a word, which is otherwise up to TCP and takes many
    /// minutes. 45 s suit a server that sends a comment every 15 s. It counts from the request on, and may take a
    /// quarter longer.
    #[must_use]
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.link.settings.idle = Some(time);
        self
    }

    /// Begins as if `id` had been the last id, to go on where another program stopped.
    #[must_use]
    pub fn last_event_id(mut self, id: impl Into<Text>) -> Self {
        self.link.last_event_id = id.into();
        self
    }

    /// Sets how large lines and events may be. By default 1 MiB and 8 MiB.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.link.settings.limits = limits;
        self
    }

    /// Sets the longest that a server can make it wait with `retry` or `Retry-After`. By default 1 hour.
    #[must_use]
    pub fn max_wait(mut self, time: Duration) -> Self {
        self.link.retry.longest(time);
        self
    }

    /// Lets only events of these names through, as `addEventListener` does. By default all come.
    ///
    /// Ids and waits of the others take effect all the same. Events without a name are called `message`.
    #[must_use]
    pub fn only<N: Into<Text>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.only = names.into_iter().map(Into::into).collect();
        self
    }

    /// Repeats requests whose method is not idempotent as if it were.
    ///
    /// Otherwise a `POST` is sent once: to send it again may do twice what should be done once, and pay for it twice.
    #[must_use]
    pub fn repeat_any_method(mut self) -> Self {
        self.link.settings.repeat = true;
        self
    }

    /// Decides which answers with another status than 200 are worth another attempt. By default 429 and 5xx.
    ///
    /// It sees the status, the headers, and the first 4 KiB of the body. `|_| false` does as browsers do.
    #[must_use]
    pub fn retry_if(
        mut self,
        worth: impl FnMut(&Response<Bytes>) -> bool + Send + 'static,
    ) -> Self {
        self.link.settings.retry_if = Box::new(worth);
        self
    }
}

impl EventSource {
    /// The id that the next attempt will ask to go on after. Empty while there is none.
    #[must_use]
    pub fn last_id(&self) -> &str {
        self.link.last_event_id()
    }

    /// Where it stands.
    #[must_use]
    pub fn ready_state(&self) -> ReadyState {
        self.link.ready_state()
    }

    /// Ends the request, and everything else for good. The stream ends then.
    pub fn close(&mut self) {
        self.link.close();
    }

    /// What happens next, messages and all else. `None` when it is over for good.
    ///
    /// ```
    /// use tower_realtime::sse::{EventSource, ReadyState, Update};
    ///
    /// /// Everything up to the first pause: then the program goes on by itself, and later behind the last id.
    /// async fn first_batch(mut source: EventSource) -> (Vec<String>, String) {
    ///     let mut data = Vec::new();
    ///     while let Some(update) = source.update().await {
    ///         match update {
    ///             Update::Open(head) => println!("connected: {:?}", head.headers),
    ///             Update::Message(message) => data.push(message.data().to_string()),
    ///             _ => break,
    ///         }
    ///     }
    ///     if source.ready_state() == ReadyState::Connecting {
    ///         source.close();
    ///     }
    ///     (data, source.last_id().to_owned())
    /// }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// A dropped future loses nothing.
    pub async fn update(&mut self) -> Option<Update> {
        poll_fn(|cx| self.poll_update(cx)).await
    }

    /// [`update`](Self::update) for those who poll.
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use tower_realtime::sse::{EventSource, Update};
    ///
    /// async fn next(source: &mut EventSource) -> Option<Update> {
    ///     poll_fn(|cx| source.poll_update(cx)).await
    /// }
    /// ```
    pub fn poll_update(&mut self, cx: &mut Context<'_>) -> Poll<Option<Update>> {
        loop {
            let update = ready!(self.link.poll(cx));
            match &update {
                Some(Update::Message(message)) if !self.lets_through(message) => {}
                _ => return Poll::Ready(update),
            }
        }
    }

    fn lets_through(&self, message: &Message) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == message.event())
    }
}

impl Stream for EventSource {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.poll_update(cx)) {
                Some(Update::Message(message)) => return Poll::Ready(Some(Ok(message))),
                Some(Update::Closed { cause: Some(error) }) => {
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Update::Open(_) | Update::Reconnecting { .. }) => {}
                Some(Update::Closed { cause: None }) | None => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSource")
            .field("ready_state", &self.ready_state())
            .field("last_id", &self.last_id())
            .finish_non_exhaustive()
    }
}
