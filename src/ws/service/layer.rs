use tower_layer::Layer;

use super::WebSocketService;
use crate::ws::Acceptor;

/// Answers requests for WebSockets in front of a service, and passes all others on.
///
/// The handler gets the socket and the head of the request. Put the layer where you would put the route: around
/// one route's service, or around everything.
///
/// ```
/// use http::{Request, Response, request::Parts};
/// use tower::{ServiceBuilder, service_fn};
/// use tower_realtime::{rt::Tokio, ws::{self, WebSocket, WebSocketLayer}};
///
/// async fn greet(mut socket: WebSocket, head: Parts) -> Result<(), ws::Error> {
///     socket.send(format!("you came by {}", head.uri)).await
/// }
///
/// let service = ServiceBuilder::new()
///     .layer(WebSocketLayer::new(Tokio, greet))
///     .service(service_fn(|_: Request<String>| async {
///         Ok::<_, std::convert::Infallible>(Response::new(String::from("no WebSocket")))
///     }));
/// # let _ = service;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct WebSocketLayer<X, H> {
    acceptor: Acceptor,
    spawn: X,
    handler: H,
}

impl<X, H> WebSocketLayer<X, H> {
    /// Runs `handler` for each WebSocket, in a task started by `spawn`.
    pub fn new(spawn: X, handler: H) -> Self {
        Self {
            acceptor: Acceptor::new(),
            spawn,
            handler,
        }
    }

    /// Sets whom to let in, and all the rest that an [`Acceptor`] says.
    ///
    /// ```
    /// use http::request::Parts;
    /// use tower_realtime::{rt::Tokio, ws::{Acceptor, OriginPolicy, WebSocket, WebSocketLayer}};
    ///
    /// let layer = WebSocketLayer::new(Tokio, |socket: WebSocket, _: Parts| async { drop(socket) })
    ///     .acceptor(Acceptor::new().origins(OriginPolicy::any()));
    /// # let _ = layer;
    /// ```
    pub fn acceptor(mut self, acceptor: Acceptor) -> Self {
        self.acceptor = acceptor;
        self
    }
}

impl<S, X: Clone, H: Clone> Layer<S> for WebSocketLayer<X, H> {
    type Service = WebSocketService<X, H, S>;

    fn layer(&self, inner: S) -> Self::Service {
        WebSocketService {
            acceptor: self.acceptor.clone(),
            spawn: self.spawn.clone(),
            handler: self.handler.clone(),
            inner,
        }
    }
}
