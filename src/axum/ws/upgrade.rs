use std::{borrow::Cow, fmt};

use axum_core::{
    Error,
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::Response,
};
use futures_util::FutureExt;
use http::{HeaderValue, request::Parts};

use super::{WebSocket, WebSocketUpgradeRejection};
use crate::{
    rt::{Spawn, Tokio},
    ws::{self, Acceptor, Outcome, handshake::Offer},
};

/// A request for a WebSocket, taken out of the request as axum's extractor does it.
///
/// Over HTTP/1.1 it comes with GET, over HTTP/2 (feature `http2`) with CONNECT: use `any`, or `get` with a
/// [`Http2Layer`](crate::ws::Http2Layer) around the application. A request that breaks a rule of the handshake is
/// answered by the [rejection](WebSocketUpgradeRejection). `Option<WebSocketUpgrade>` is `None` where no WebSocket is
/// asked for, so one route can serve a page and a socket.
///
/// An [`Acceptor`] in the extensions of the request is what it starts from; without one, the defaults. So the origins
/// of a whole application are one layer:
///
/// ```
/// use axum::{Extension, Router, response::Response, routing::any};
/// use tower_realtime::{axum::ws::WebSocketUpgrade, ws::{Acceptor, InvalidOrigin, OriginPolicy}};
///
/// async fn handler(ws: WebSocketUpgrade) -> Response {
///     ws.max_message_size(64 * 1024).protocols(["chat"]).on_upgrade(|socket| async { drop(socket) })
/// }
///
/// # fn main() -> Result<(), InvalidOrigin> {
/// let acceptor = Acceptor::new().origins(OriginPolicy::same_origin().allow("https://app.example")?);
/// let app: Router = Router::new().route("/ws", any(handler)).layer(Extension(acceptor));
/// # Ok(())
/// # }
/// ```
///
/// What an [`Acceptor`] can do and axum's extractor can't, and subprotocols chosen by hand:
///
/// ```
/// use axum::response::Response;
/// use tower_realtime::{axum::ws::WebSocketUpgrade, ws::{Acceptor, HostPolicy}};
///
/// async fn handler(upgrade: WebSocketUpgrade) -> Response {
///     let mut upgrade = upgrade
///         .acceptor(Acceptor::new().hosts(HostPolicy::loopback_only()))
///         .max_frame_size(64 * 1024)
///         .on_failed_upgrade(|error| println!("it never came: {error}"));
///     let newest = upgrade.requested_protocols().max().cloned();
///     if let Some(newest) = newest {
///         upgrade.set_selected_protocol(newest);
///     }
///     println!("{:?} is chosen", upgrade.selected_protocol());
///     upgrade.on_upgrade(async |socket| drop(socket))
/// }
/// ```
#[must_use = "a request that is not answered is refused by its absence"]
pub struct WebSocketUpgrade {
    head: Parts,
    acceptor: Acceptor,
    requested: Vec<HeaderValue>,
    selected: Option<HeaderValue>,
    failed: Option<Failed>,
}

type Failed = Box<dyn FnOnce(Error) + Send>;

impl WebSocketUpgrade {
    /// Starts over from `acceptor`, which has the settings that axum knows not of. Call it first.
    pub fn acceptor(mut self, acceptor: Acceptor) -> Self {
        self.acceptor = acceptor;
        self
    }

    /// Sets the largest message in bytes; 1 MiB by default.
    pub fn max_message_size(self, max: usize) -> Self {
        self.map(|acceptor| acceptor.map_limits(|limits| limits.message(max)))
    }

    /// Sets the largest frame in bytes; 1 MiB by default.
    pub fn max_frame_size(self, max: usize) -> Self {
        self.map(|acceptor| acceptor.map_limits(|limits| limits.frame(max)))
    }

    /// Sets the subprotocols, the best first. The first that the client offers as well is chosen.
    pub fn protocols<I>(mut self, protocols: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Cow<'static, str>>,
    {
        let names: Vec<Cow<'static, str>> = protocols.into_iter().map(Into::into).collect();
        let offered = |name: &Cow<'_, str>| self.requested.iter().find(|&own| own == name.as_ref());
        self.selected = names.iter().find_map(offered).cloned();
        self.map(|acceptor| acceptor.protocols(names))
    }

    /// The subprotocols that the client offers, the one it likes best first.
    pub fn requested_protocols(&self) -> impl Iterator<Item = &HeaderValue> {
        self.requested.iter()
    }

    /// Chooses a subprotocol by hand. One that the client did not offer is not sent: it would have to fail then.
    #[expect(clippy::needless_pass_by_value, reason = "as axum has it")]
    pub fn set_selected_protocol(&mut self, protocol: HeaderValue) {
        self.selected = self.requested.iter().find(|&own| own == protocol).cloned();
        let name = self.selected.as_ref().and_then(|name| name.to_str().ok());
        let names = name.map(str::to_owned);
        self.acceptor = self.acceptor.clone().protocols(names);
    }

    /// The subprotocol that is chosen so far.
    #[must_use]
    pub const fn selected_protocol(&self) -> Option<&HeaderValue> {
        self.selected.as_ref()
    }

    /// Is told when the answer was yes and the connection never came.
    pub fn on_failed_upgrade(mut self, callback: impl FnOnce(Error) + Send + 'static) -> Self {
        self.failed = Some(Box::new(callback));
        self
    }

    /// The answer. `callback` runs with the socket in a task of its own.
    ///
    /// The connection lives until `callback` has ended and the socket is dropped, so the socket, or its halves, may be
    /// given to tasks that live longer.
    #[must_use = "the answer has to be returned"]
    pub fn on_upgrade<C, F>(self, callback: C) -> Response
    where
        C: FnOnce(WebSocket) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.upgrade(|socket| {
            let ended = socket.ended();
            let handler = callback(WebSocket::new(socket));
            handler.then(|()| ended).map(drop)
        })
    }

    /// The answer, as [`Acceptor::upgrade`] gives it: `handler` gets this crate's socket, and may return a result. The
    /// connection lives as long as the handler.
    #[must_use = "the answer has to be returned"]
    pub fn upgrade<H, F>(mut self, handler: H) -> Response
    where
        H: FnOnce(ws::WebSocket) -> F + Send + 'static,
        F: Future<Output: Outcome> + Send + 'static,
    {
        let clock = self.acceptor.clock(&Tokio);
        match self.acceptor.start(&mut self.head, clock) {
            Ok((answer, upgrading)) => {
                let failed = self.failed.unwrap_or_else(|| Box::new(drop));
                let failed = |error| failed(Error::new(error));
                Tokio.spawn_future(upgrading.serve_or(handler, failed));
                answer.into_response()
            }
            Err(rejection) => rejection.into_response(self.head.version),
        }
    }

    fn map(mut self, change: impl FnOnce(Acceptor) -> Acceptor) -> Self {
        self.acceptor = change(self.acceptor);
        self
    }

    fn from_head(mut head: Parts) -> Result<Self, WebSocketUpgradeRejection> {
        let version = head.version;
        ws::upgrade::adopt(&mut head.extensions);
        let acceptor = head.extensions.get().cloned().unwrap_or_default();
        let offer = Offer::parse(&head)
            .map_err(|rejection| WebSocketUpgradeRejection { rejection, version })?;
        let names = offer.protocols().iter();
        let requested = names.filter_map(|name| name.parse().ok()).collect();
        Ok(Self {
            head,
            acceptor,
            requested,
            selected: None,
            failed: None,
        })
    }
}

impl<S: Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::from_head(head.clone())
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for WebSocketUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(
        head: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, WebSocketUpgradeRejection> {
        ws::upgrade::adopt(&mut head.extensions);
        let wanted = ws::handshake::wants_websocket(head);
        wanted.then(|| Self::from_head(head.clone())).transpose()
    }
}

impl fmt::Debug for WebSocketUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("acceptor", &self.acceptor)
            .field("requested", &self.requested)
            .field("selected", &self.selected)
            .finish_non_exhaustive()
    }
}
