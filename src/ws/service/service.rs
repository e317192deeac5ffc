use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use tower_service::Service;

use super::{ResponseBody, ResponseFuture};
use crate::{
    rt::Spawn,
    ws::{
        Acceptor, Outcome, Rejection, WebSocket,
        handshake::{Offer, wants_websocket},
        upgrade::adopt,
    },
};

/// The service of a [`WebSocketLayer`](super::WebSocketLayer), or one of its own from
/// [`Acceptor::service`](crate::ws::Acceptor::service).
#[derive(Clone, Debug)]
pub struct WebSocketService<X, H, S = Nothing> {
    pub(super) acceptor: Acceptor,
    pub(super) spawn: X,
    pub(super) handler: H,
    pub(super) inner: S,
}

impl Acceptor {
    /// A service that answers every request, those for no WebSocket with 426.
    ///
    /// ```
    /// use axum::Router;
    /// use http::request::Parts;
    /// use tower_realtime::{rt::Tokio, ws::{Acceptor, WebSocket}};
    ///
    /// let chat = Acceptor::new().service(Tokio, |socket: WebSocket, _: Parts| async { drop(socket) });
    /// let app: Router = Router::new().route_service("/chat", chat);
    /// ```
    pub fn service<X, H>(self, spawn: X, handler: H) -> WebSocketService<X, H> {
        WebSocketService {
            acceptor: self,
            spawn,
            handler,
            inner: Nothing(()),
        }
    }
}

impl<X, H, S> WebSocketService<X, H, S> {
    /// The service that gets what is no WebSocket.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service that gets what is no WebSocket.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service that gets what is no WebSocket.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<X, H, F, S, B, R> Service<Request<B>> for WebSocketService<X, H, S>
where
    X: Spawn,
    H: FnOnce(WebSocket, Parts) -> F + Clone + Send + 'static,
    F: Future<Output: Outcome> + Send + 'static,
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        adopt(&mut head.extensions);
        if !wants_websocket(&head) {
            let request = Request::from_parts(head, body);
            return ResponseFuture::inner(self.inner.call(request));
        }
        let timer = self.acceptor.clock(&self.spawn);
        let response = match self.acceptor.start(&mut head, timer) {
            Ok((answer, upgrading)) => {
                let handler = self.handler.clone();
                let task = upgrading.serve(move |socket| handler(socket, head));
                self.spawn.spawn_future(task);
                answer.into_response()
            }
            Err(rejection) => rejection.into_response(head.version),
        };
        ResponseFuture::own(response)
    }
}

/// The inner service of those that have none: it says what a WebSocket would have needed.
///
/// [`Acceptor::service`](crate::ws::Acceptor::service) has it inside.
#[derive(Clone, Copy, Debug)]
pub struct Nothing(());

impl<B> Service<Request<B>> for Nothing {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, _) = request.into_parts();
        let rejection = Offer::parse(&head).err();
        let rejection = rejection.unwrap_or(Rejection::MissingUpgrade);
        let response: Response<Bytes> = rejection.into_response(head.version);
        ready(Ok(response.map(|_| rejection.to_string())))
    }
}
