use std::{borrow::Cow, sync::Arc, time::Duration};

use crate::{
    rt::DynTimer,
    ws::{
        handshake::{Redirects, Subprotocols},
        socket::Settings,
        tuned::tuned,
    },
};

/// Opens WebSockets: everything a client has to say about them, in one value.
///
/// [`connect`](Self::connect) runs over your own tower client, which brings TLS, proxies, names and pools;
/// [`over`](Self::over) takes a bare byte stream.
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::ws::{Connector, Heartbeat, Limits, Redirects};
///
/// let connector = Connector::new()
///     .timer(tokio::time::sleep)
///     .protocols(["chat.v2", "chat.v1"])
///     .redirects(Redirects::same_origin(3))
///     .limits(Limits::new().message(16 << 20))
///     .heartbeat(Heartbeat::new().interval(Duration::from_secs(50)))
///     .handshake_timeout(Duration::from_secs(5))
///     .close_timeout(Duration::from_secs(2));
/// let over_http2 = connector.clone().http2();
/// # let _ = (connector, over_http2);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Connector {
    pub(super) protocols: Subprotocols,
    pub(super) redirects: Redirects,
    pub(in crate::ws) settings: Arc<Settings>,
    pub(super) timer: Option<DynTimer>,
    pub(super) handshake_timeout: Duration,
    pub(super) http2: bool,
}

impl Connector {
    /// The defaults: no subprotocol, no redirects, HTTP/1.1, and no clock.
    pub fn new() -> Self {
        Self {
            protocols: Subprotocols::default(),
            redirects: Redirects::none(),
            settings: Arc::default(),
            timer: None,
            handshake_timeout: Duration::from_secs(10),
            http2: false,
        }
    }

    /// Offers subprotocols, the one liked best first. The server chooses one, or none: `WebSocket::protocol` tells.
    pub fn protocols<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Cow<'static, str>>,
    {
        self.protocols = Subprotocols::new(names);
        self
    }

    /// Sets whether redirects are followed; [`Redirects::none`] by default.
    pub const fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// Asks over HTTP/2, with an extended CONNECT (RFC 8441). The client has to speak HTTP/2 to the server.
    ///
    /// A server says in its settings whether it knows extended CONNECT, and a client has to wait for that.
    /// hyper-util's pooled client doesn't look; `ws::upgrade::Http2Client` (feature `http2`) does.
    pub const fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// Sets how long the opening handshake may take, redirects included; 10 s by default. It needs a
    /// [timer](Self::timer).
    pub const fn handshake_timeout(mut self, time: Duration) -> Self {
        self.handshake_timeout = time;
        self
    }

    tuned! {
        /// Sets the clock of time-outs and heartbeat; without it there are none.
    }
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}
