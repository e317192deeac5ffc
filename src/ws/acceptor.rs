use std::{borrow::Cow, future::ready, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{Either, select},
};
use http::{
    Request, Response,
    header::{HOST, ORIGIN},
    request::Parts,
};

use super::{
    Limits, Outcome, WebSocket, deflate,
    error::Error,
    handshake::{Answer, HostPolicy, Offer, OriginPolicy, Policy, Rejection},
    socket::{self, Params, Role, Settings},
    tuned::tuned,
    upgrade::{OnUpgrade, Upgraded, adopt, take_upgrade},
};
use crate::{
    lifecycle::StreamGuard,
    rt::{DynTimer, Spawn, Timer},
    trace::{debug, warn},
};

/// Accepts WebSockets: everything a server has to say about them, in one value.
///
/// Named after the acceptors of TLS libraries. One `Acceptor` serves any number of requests, over HTTP/1.1 and, with
/// the feature `http2`, over HTTP/2; it is cheap to clone. Use it as
///
/// - a call in any handler: [`upgrade`](Self::upgrade), or [`accept`](Self::accept) without a task;
/// - a layer in front of a service: [`WebSocketLayer`](super::WebSocketLayer);
/// - a service of its own: [`service`](Self::service).
///
/// By default it takes same-origin pages and clients that are no browsers, pings every 20 s, and bounds everything
/// ([`Limits`]).
///
/// ```
/// use axum::{Router, extract::Request, response::Response, routing::any};
/// use tower_realtime::{rt::Tokio, ws::{self, Acceptor, WebSocket}};
///
/// async fn echo(mut socket: WebSocket) -> Result<(), ws::Error> {
///     while let Some(message) = socket.recv().await? {
///         socket.send(message).await?;
///     }
///     Ok(())
/// }
///
/// async fn upgrade(request: Request) -> Response {
///     Acceptor::new().upgrade(request, Tokio, echo)
/// }
///
/// let app: Router = Router::new().route("/echo", any(upgrade));
/// ```
///
/// All that can be set, for a chat that is open to the pages of another origin:
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::ws::{Acceptor, Heartbeat, HostPolicy, InvalidOrigin, Limits, OriginPolicy};
///
/// # fn main() -> Result<(), InvalidOrigin> {
/// let acceptor = Acceptor::new()
///     .origins(OriginPolicy::same_origin().allow("https://app.example")?)
///     .hosts(HostPolicy::only(["chat.example"]))
///     .protocols(["chat.v2", "chat.v1"])
///     .limits(Limits::new().message(64 << 10))
///     .heartbeat(Heartbeat::new().idle(Duration::from_secs(3600)))
///     .handshake_timeout(Duration::from_secs(5))
///     .close_timeout(Duration::from_secs(2))
///     .timer(tokio::time::sleep); // where `spawn` is a closure; `rt::Tokio` brings its own
/// # let _ = acceptor;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Acceptor {
    policy: Arc<Policy>,
    pub(super) settings: Arc<Settings>,
    timer: Option<DynTimer>,
    handshake_timeout: Duration,
}

impl Acceptor {
    /// The defaults: same origin, any host, no subprotocol.
    pub fn new() -> Self {
        Self {
            policy: Arc::default(),
            settings: Arc::default(),
            timer: None,
            handshake_timeout: Duration::from_secs(10),
        }
    }

    /// Sets which pages may connect; the default is [`OriginPolicy::same_origin`].
    pub fn origins(self, origins: OriginPolicy) -> Self {
        self.change(|policy| policy.origins(origins))
    }

    /// Sets which hosts the server answers to; the default is [`HostPolicy::any`]. Local tools want
    /// [`HostPolicy::loopback_only`].
    pub fn hosts(self, hosts: HostPolicy) -> Self {
        self.change(|policy| policy.hosts(hosts))
    }

    /// Sets the subprotocols, the best first; none by default. [`Policy::protocols`] says how one is chosen.
    pub fn protocols<I>(self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Cow<'static, str>>,
    {
        self.change(|policy| policy.protocols(names))
    }

    /// Sets how long the connection may take to come after the answer; 10 s by default. It needs a
    /// [timer](Self::timer).
    ///
    /// It never comes where a client goes away in between, or where a proxy in front can't upgrade.
    pub const fn handshake_timeout(mut self, time: Duration) -> Self {
        self.handshake_timeout = time;
        self
    }

    tuned! {
        /// Sets the clock of time-outs and heartbeat.
        ///
        /// [`upgrade`](Self::upgrade) and the layer take that of their `spawn` by themselves, where it is a named
        /// runtime such as [`rt::Tokio`](crate::rt::Tokio). Without any clock there are no time-outs and no heartbeat.
    }

    /// Answers a request, and runs `handler` with the socket in a task of its own.
    ///
    /// The socket is driven beside the handler: pings are answered and dead peers noticed whatever it waits for.
    /// When it ends, the socket closes: with 1000, or with 1011 when it returned an error. A request that is wrong
    /// or not welcome gets its [`Rejection`] as the response.
    ///
    /// The body `R` is that of your stack: everything that can be made of [`Bytes`] will do.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a runtime is named, not borrowed: `upgrade(request, Tokio, echo)`"
    )]
    pub fn upgrade<B, R, S, H, F>(&self, request: Request<B>, spawn: S, handler: H) -> Response<R>
    where
        R: From<Bytes>,
        S: Spawn,
        H: FnOnce(WebSocket) -> F + Send + 'static,
        F: Future<Output: Outcome> + Send + 'static,
    {
        let (mut head, _) = request.into_parts();
        match self.start(&mut head, self.clock(&spawn)) {
            Ok((answer, upgrading)) => {
                spawn.spawn_future(upgrading.serve(handler));
                answer.into_response()
            }
            Err(rejection) => rejection.into_response(head.version),
        }
    }

    /// Answers a request: the response to send, and the socket that comes once it is sent.
    ///
    /// This starts no task. The socket is driven by whoever uses it; poll it regularly, or pings go unanswered.
    /// Without a [timer](Self::timer) it has no time-outs.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use tower_realtime::ws::{self, Acceptor, Rejection};
    ///
    /// fn answer(request: Request<()>) -> Result<Response<Bytes>, Rejection> {
    ///     let (response, socket) = Acceptor::new().accept(request)?;
    ///     tokio::spawn(async move {
    ///         let mut socket = socket.await?;
    ///         socket.send("hello").await?;
    ///         Ok::<_, ws::Error>(socket.close(None).await)
    ///     });
    ///     Ok(response)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// When the request is wrong or not welcome; `rejection.into_response(version)` makes the response of it, with
    /// the version of the request.
    ///
    /// The socket fails where the server does not hand its connections over; the error's source says so.
    pub fn accept<B, R>(
        &self,
        request: Request<B>,
    ) -> Result<
        (
            Response<R>,
            impl Future<Output = Result<WebSocket, Error>> + Send + 'static + use<B, R>,
        ),
        Rejection,
    >
    where
        R: From<Bytes>,
    {
        let (mut head, _) = request.into_parts();
        let (answer, upgrading) = self.start(&mut head, self.timer.clone())?;
        let socket = upgrading
            .connection()
            .map(|ready| ready.map(|(io, params)| socket::open(io, params)));
        Ok((answer.into_response(), socket))
    }

    /// The clock to use when `spawn` runs the task.
    pub(crate) fn clock(&self, spawn: &impl Spawn) -> Option<DynTimer> {
        self.timer.clone().or_else(|| spawn.timer())
    }

    /// Changes the limits that are set so far.
    #[allow(dead_code, reason = "for the feature `axum`")]
    pub(crate) fn map_limits(mut self, change: impl FnOnce(Limits) -> Limits) -> Self {
        let settings = Arc::make_mut(&mut self.settings);
        settings.limits = change(settings.limits.clone());
        self
    }

    fn change(mut self, change: impl FnOnce(Policy) -> Policy) -> Self {
        let policy = Arc::make_mut(&mut self.policy);
        *policy = change(std::mem::take(policy));
        self
    }

    /// Decides about a request, and takes its connection when the answer is yes.
    #[allow(unused_variables, reason = "some are only for tracing")]
    pub(crate) fn start(
        &self,
        head: &mut Parts,
        timer: Option<DynTimer>,
    ) -> Result<(Answer, Upgrading), Rejection> {
        adopt(&mut head.extensions);
        let decided = Offer::parse(head).and_then(|offer| self.policy.answer(&offer));
        let answer = decided.inspect_err(|rejection| {
            let header = |name| head.headers.get(name);
            let (origin, host) = (header(ORIGIN), header(HOST));
            debug!(uri = %head.uri, ?origin, ?host, %rejection, "refused a WebSocket");
        })?;
        let Some(upgrade) = take_upgrade(&mut head.extensions) else {
            warn!(uri = %head.uri, "a WebSocket was asked for on a connection that can't be upgraded");
            return Err(Rejection::NotUpgradable);
        };
        let mut params = Params::new(Role::Server, Arc::clone(&self.settings));
        params.timer = timer;
        params.guard = StreamGuard::take(&head.extensions);
        params.protocol = answer.protocol().map(Into::into);
        let deflate = self.settings.deflate.as_ref();
        params.deflate = deflate.and_then(|deflate| deflate::answer(deflate, &head.headers));
        let answer = answer.extensions(params.deflate.map(|agreed| agreed.header()));
        let timeout = self.handshake_timeout;
        Ok((
            answer,
            Upgrading {
                upgrade,
                params,
                timeout,
            },
        ))
    }
}

impl Default for Acceptor {
    fn default() -> Self {
        Self::new()
    }
}

/// A WebSocket between its answer and its first byte.
pub(crate) struct Upgrading {
    upgrade: OnUpgrade,
    params: Params,
    timeout: Duration,
}

impl Upgrading {
    /// The connection, unless it fails to come in time.
    fn connection(
        self,
    ) -> impl Future<Output = Result<(Upgraded, Params), Error>> + Send + 'static {
        let Self {
            upgrade,
            params,
            timeout,
        } = self;
        let late = match &params.timer {
            Some(timer) => Either::Left(timer.sleep(timeout)),
            None => Either::Right(std::future::pending()),
        };
        select(upgrade, late).map(move |first| match first {
            Either::Left((Ok(io), _)) => Ok((io, params)),
            Either::Left((Err(error), _)) => Err(Error::io(error)),
            Either::Right(_) => Err(Error::timeout(
                "the upgraded connection did not come in time",
            )),
        })
    }

    /// A task that drives the socket beside `handler`.
    pub(crate) fn serve<H, F>(self, handler: H) -> impl Future<Output = ()> + Send + 'static
    where
        H: FnOnce(WebSocket) -> F + Send + 'static,
        F: Future<Output: Outcome> + Send + 'static,
    {
        self.serve_or(handler, drop)
    }

    /// As [`serve`](Self::serve), or calls `failed` where the connection never comes.
    ///
    /// `then` keeps the connection's future and what comes after it in the same place, so that an idle task is no
    /// larger than its larger half.
    pub(crate) fn serve_or<H, F, E>(
        self,
        handler: H,
        failed: E,
    ) -> impl Future<Output = ()> + Send + 'static
    where
        H: FnOnce(WebSocket) -> F + Send + 'static,
        F: Future<Output: Outcome> + Send + 'static,
        E: FnOnce(Error) + Send + 'static,
    {
        self.connection().then(move |connection| match connection {
            Ok((io, params)) => Either::Left(socket::serve(io, params, handler).map(drop)),
            Err(error) => {
                debug!(%error, "a WebSocket was accepted and never came");
                failed(error);
                Either::Right(ready(()))
            }
        })
    }
}
