//! WebSockets as a tower layer and as a tower service.
//!
//! ```
//! use http::request::Parts;
//! use tower::ServiceBuilder;
//! use tower_realtime::{rt::Tokio, ws::{Acceptor, WebSocket, WebSocketLayer}};
//!
//! async fn handler(socket: WebSocket, head: Parts) {
//!     println!("{} from {:?}", head.uri, socket.protocol());
//! }
//!
//! let service = Acceptor::new().service(Tokio, handler); // all requests have to be for WebSockets
//! let layer = WebSocketLayer::new(Tokio, handler); // the others go on to the service inside
//! let both = ServiceBuilder::new().layer(layer).service(service);
//! # let _ = both;
//! ```

mod body;
mod check;
mod future;
mod http2;
mod http2_future;
mod layer;
#[allow(clippy::module_inception)]
mod service;

pub use self::{
    body::ResponseBody,
    check::check_http2,
    future::ResponseFuture,
    http2::{Http2Layer, Http2Service},
    http2_future::Http2Future,
    layer::WebSocketLayer,
    service::{Nothing, WebSocketService},
};
