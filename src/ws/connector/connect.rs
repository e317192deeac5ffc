use std::{
    hash::{BuildHasher, RandomState},
    pin::pin,
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::future::{Either, select};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, Uri, Version,
    header::{
        CONNECTION, HOST, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, UPGRADE,
    },
    request, response,
};
use http_body::Body;
use tower::ServiceExt;
use tower_service::Service;

use super::{ConnectError, Connector};
use crate::{
    BoxError,
    lifecycle::excerpt,
    rt::Timer,
    ws::{
        WebSocket,
        deflate::{self, Agreed},
        handshake::{Asked, InvalidAnswer, strip_credentials, to_http},
        socket::{self, Params, Role},
        upgrade::{Upgraded, extended_connect, take_upgrade},
    },
};

impl Connector {
    /// Opens a WebSocket over `client`: any tower client whose responses can be upgraded, such as hyper-util's, a
    /// connection of hyper, or a [`Loopback`](crate::loopback::Loopback).
    ///
    /// The request says where, and carries your own headers: credentials, cookies, `Origin`. The headers of the
    /// handshake are added. `ws` and `wss` count as `http` and `https`. The response comes back without a body, for
    /// its headers.
    ///
    /// ```no_run
    /// use bytes::Bytes;
    /// use http_body_util::Empty;
    /// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    /// use tower_realtime::{rt::Tokio, ws::Connector};
    ///
    /// # async fn greet() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let client = Client::builder(TokioExecutor::new()).build_http();
    /// let request = http::Request::get("ws://localhost:3000/chat").body(Empty::<Bytes>::new())?;
    /// let (mut socket, response) = Connector::new()
    ///     .timer(Tokio)
    ///     .protocols(["chat"])
    ///     .connect(client, request)
    ///     .await?;
    /// println!("{:?} {:?}", socket.protocol(), response.headers());
    /// socket.send("hello").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the client fails, when the server refuses (what it says is [inside](ConnectError::response) the error),
    /// when it says yes in a way that breaks the rules, or when it takes too long.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the attempt up; nothing is left behind but what the client does by itself.
    pub async fn connect<C, B, R>(
        &self,
        client: C,
        request: Request<B>,
    ) -> Result<(WebSocket, Response<()>), ConnectError>
    where
        C: Service<Request<B>, Response = Response<R>>,
        C::Error: Into<BoxError>,
        B: Default,
        R: Body,
    {
        match self.in_time(self.shake_hands(client, request)).await? {
            Answer::Yes(io, terms, response) => Ok((self.open(io, terms), response)),
            // The handshake is over: what is left of its time must not make a time-out of a refusal.
            Answer::No(response) => {
                let (timer, most) = (self.timer.as_ref(), self.handshake_timeout);
                let response = excerpt(response, timer, most).await;
                Err(ConnectError::refused(response))
            }
        }
    }

    /// Gives `work` the time of the handshake, where there is a clock.
    pub(super) async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let Some(timer) = &self.timer else {
            return work.await;
        };
        match select(pin!(work), timer.sleep(self.handshake_timeout)).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Err(ConnectError::timeout()),
        }
    }

    async fn shake_hands<C, B, R>(
        &self,
        mut client: C,
        request: Request<B>,
    ) -> Result<Answer<R>, ConnectError>
    where
        C: Service<Request<B>, Response = Response<R>>,
        C::Error: Into<BoxError>,
        B: Default,
    {
        let (mut head, mut body) = request.into_parts();
        head.uri = to_http(head.uri);
        let mut followed = 0;
        loop {
            let (uri, headers) = (head.uri.clone(), head.headers.clone());
            let key = self.prepare(&mut head)?;
            let request = Request::from_parts(head, body);
            let client = client.ready().await.map_err(ConnectError::client)?;
            let response = client.call(request).await.map_err(ConnectError::client)?;
            let Some(next) =
                self.redirects
                    .next(followed, &uri, response.status(), response.headers())
            else {
                return self.finish(key.as_ref(), response).await;
            };
            followed += 1;
            (head, body) = again(&uri, next, headers);
        }
    }

    /// Makes the head that of a handshake, and returns the key that was put in.
    pub(super) fn prepare(
        &self,
        head: &mut request::Parts,
    ) -> Result<Option<HeaderValue>, ConnectError> {
        if self.protocols.invalid().is_some() {
            return Err(ConnectError::request(
                "a subprotocol to offer is no token, or is there twice",
            ));
        }
        if let Some(deflate) = &self.settings.deflate {
            head.headers
                .insert(SEC_WEBSOCKET_EXTENSIONS, deflate::offer(deflate));
        }
        if let Some(protocols) = self.protocols.offer() {
            head.headers.insert(SEC_WEBSOCKET_PROTOCOL, protocols);
        }
        head.headers
            .insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if self.http2 {
            head.method = Method::CONNECT;
            head.version = Version::HTTP_2;
            if head.uri.scheme().is_none() || head.uri.authority().is_none() {
                return Err(ConnectError::request(
                    "over HTTP/2 the request needs a target with scheme and host",
                ));
            }
            extended_connect(&mut head.extensions);
            return Ok(None);
        }
        head.method = Method::GET;
        head.version = Version::HTTP_11;
        let host = head.uri.authority().map(host);
        if let Some(host) = host.transpose().map_err(ConnectError::request)? {
            head.headers.entry(HOST).or_insert(host);
        }
        let key = random_key();
        head.headers.insert(SEC_WEBSOCKET_KEY, key.clone());
        head.headers
            .insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        head.headers
            .insert(UPGRADE, HeaderValue::from_static("websocket"));
        Ok(Some(key))
    }

    async fn finish<R>(
        &self,
        key: Option<&HeaderValue>,
        response: Response<R>,
    ) -> Result<Answer<R>, ConnectError> {
        if !self.asked(key).is_accepted(response.status()) {
            return Ok(Answer::No(response));
        }
        let (mut head, _) = response.into_parts();
        let terms = self.check(key, &head)?;
        let upgrade = take_upgrade(&mut head.extensions).ok_or_else(|| {
            ConnectError::client("the client's response can't be upgraded to a byte stream")
        })?;
        let io = upgrade.await.map_err(ConnectError::io)?;
        let response = Response::from_parts(head, ());
        Ok(Answer::Yes(io, terms, response))
    }

    /// What the server agreed to, where it keeps the rules.
    pub(super) fn check(
        &self,
        key: Option<&HeaderValue>,
        head: &response::Parts,
    ) -> Result<Terms, ConnectError> {
        let protocol = self.asked(key).check(&head.headers);
        let protocol = protocol.map_err(ConnectError::answer)?.map(Into::into);
        let deflate = match &self.settings.deflate {
            Some(offered) => deflate::check(offered, &head.headers)
                .map_err(|_| ConnectError::answer(InvalidAnswer::UnaskedExtension))?,
            None => None,
        };
        Ok(Terms { protocol, deflate })
    }

    pub(super) fn asked<'a>(&'a self, key: Option<&'a HeaderValue>) -> Asked<'a> {
        Asked {
            key,
            protocols: &self.protocols,
            extensions: self.settings.deflate.is_some(),
        }
    }

    pub(super) fn open(&self, io: Upgraded, terms: Terms) -> WebSocket {
        let mut params = Params::new(Role::Client, Arc::clone(&self.settings));
        params.timer = self.timer.clone();
        params.protocol = terms.protocol;
        params.deflate = terms.deflate;
        socket::open(io, params)
    }
}

/// What the server made of the handshake.
enum Answer<R> {
    Yes(Upgraded, Terms, Response<()>),
    No(Response<R>),
}

/// What the server agreed to.
pub(super) struct Terms {
    protocol: Option<Box<str>>,
    deflate: Option<Agreed>,
}

/// The request after a redirect.
fn again<B: Default>(from: &Uri, to: Uri, mut headers: HeaderMap) -> (request::Parts, B) {
    strip_credentials(from, &to, &mut headers);
    // It named the server that sent us away.
    headers.remove(HOST);
    let (mut head, body) = Request::new(B::default()).into_parts();
    head.uri = to;
    head.headers = headers;
    (head, body)
}

fn host(authority: &http::uri::Authority) -> Result<HeaderValue, &'static str> {
    let text = authority.as_str();
    let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
    HeaderValue::try_from(host).map_err(|_| "the host of the request's target is malformed")
}

/// 16 bytes that no cache has seen. Nothing secret hangs on them (RFC 6455, section 10.3), so the seeds of the
/// standard library's hash maps, which come from the system, are random enough.
fn random_key() -> HeaderValue {
    let state = RandomState::new();
    let bytes = [state.hash_one(0u8), state.hash_one(1u8)].map(u64::to_ne_bytes);
    let text = BASE64_STANDARD.encode(bytes.as_flattened());
    HeaderValue::try_from(text).expect("base64 is a valid header value")
}
