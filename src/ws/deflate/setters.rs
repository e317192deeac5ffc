//! Where the rest of the crate takes a [`Deflate`].

use std::sync::Arc;

use super::{Agreed, Deflate};
use crate::ws::{Acceptor, Connector, Endpoint};

impl Acceptor {
    /// Compresses messages with clients that offer it; the default is not to.
    ///
    /// ```
    /// use tower_realtime::ws::{Acceptor, deflate::Deflate};
    ///
    /// let acceptor = Acceptor::new().deflate(Deflate::new().memory(64 * 1024));
    /// # let _ = acceptor;
    /// ```
    pub fn deflate(mut self, deflate: impl Into<Option<Deflate>>) -> Self {
        Arc::make_mut(&mut self.settings).deflate = deflate.into();
        self
    }
}

impl Connector {
    /// Offers the server to compress messages; the default is not to.
    ///
    /// ```
    /// use tower_realtime::ws::{Connector, deflate::Deflate};
    ///
    /// let connector = Connector::new().deflate(Deflate::new());
    /// # let _ = connector;
    /// ```
    pub fn deflate(mut self, deflate: impl Into<Option<Deflate>>) -> Self {
        Arc::make_mut(&mut self.settings).deflate = deflate.into();
        self
    }
}

impl Endpoint {
    /// What was agreed on in the handshake that was made elsewhere, with [`answer`](super::answer) or
    /// [`check`](super::check).
    ///
    /// ```
    /// use http::HeaderMap;
    /// use tower_realtime::ws::{Endpoint, deflate::{Deflate, answer}};
    ///
    /// fn endpoint(request: &HeaderMap) -> Endpoint {
    ///     Endpoint::server().deflate(answer(&Deflate::new(), request))
    /// }
    /// ```
    pub fn deflate(mut self, agreed: impl Into<Option<Agreed>>) -> Self {
        self.deflate = agreed.into();
        self
    }
}
