//! What a server takes.

use std::borrow::Cow;

use http::HeaderValue;

use super::{
    host::HostPolicy, offer::Offer, origin::OriginPolicy, rejection::Rejection,
    subprotocol::Subprotocols,
};

/// Whom a server lets in, and which subprotocols it speaks.
///
/// ```
/// use bytes::Bytes;
/// use http::{HeaderValue, request::Parts};
/// use tower_realtime::ws::{HostPolicy, OriginPolicy, handshake::{Offer, Policy, Rejection}};
///
/// fn answer(head: &Parts) -> Result<http::Response<Bytes>, Rejection> {
///     let policy = Policy::new()
///         .origins(OriginPolicy::any())
///         .hosts(HostPolicy::loopback_only())
///         .protocols(["chat"]);
///     let answer = policy.answer(&Offer::parse(head)?)?;
///     println!("{:?} was chosen", answer.protocol());
///     let extensions: Option<HeaderValue> = None; // as negotiated elsewhere
///     Ok(answer.extensions(extensions).into_response())
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Policy {
    origins: OriginPolicy,
    hosts: HostPolicy,
    protocols: Subprotocols,
}

impl Policy {
    /// Same-origin pages and clients that are no browsers, any host, no subprotocol.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets which origins may connect; the default is [`OriginPolicy::same_origin`].
    #[must_use]
    pub fn origins(mut self, origins: OriginPolicy) -> Self {
        self.origins = origins;
        self
    }

    /// Sets which hosts the server answers to; the default is [`HostPolicy::any`].
    #[must_use]
    pub fn hosts(mut self, hosts: HostPolicy) -> Self {
        self.hosts = hosts;
        self
    }

    /// Sets the subprotocols, the best first.
    ///
    /// The first that the client offers as well is chosen; when there is none, or none was offered, the WebSocket
    /// opens without one. A name that is no token can't be offered and so is never chosen.
    #[must_use]
    pub fn protocols<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Cow<'static, str>>,
    {
        self.protocols = Subprotocols::new(names);
        self
    }

    /// Decides.
    ///
    /// # Errors
    ///
    /// When the host or the origin is not allowed.
    pub fn answer(&self, offer: &Offer<'_>) -> Result<Answer, Rejection> {
        self.hosts.check(offer.host)?;
        self.origins.check(offer)?;
        let protocol = self.protocols.choose(&offer.protocols);
        Ok(Answer {
            accept: offer.key.map(|key| key.accept()),
            // What was chosen was offered, and what was offered stood in a header.
            protocol: protocol.and_then(|name| HeaderValue::try_from(name).ok()),
            extensions: None,
        })
    }
}

/// How a server agrees to open a WebSocket: [`into_response`](Self::into_response) is the head of its response.
///
/// [`Policy`] has an example.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) accept: Option<HeaderValue>,
    pub(super) protocol: Option<HeaderValue>,
    pub(super) extensions: Option<HeaderValue>,
}

impl Answer {
    /// The subprotocol that was chosen.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_ref().and_then(|value| value.to_str().ok())
    }

    /// Sets `Sec-WebSocket-Extensions`, as negotiated elsewhere.
    #[must_use]
    pub fn extensions(mut self, extensions: Option<HeaderValue>) -> Self {
        self.extensions = extensions;
        self
    }
}
