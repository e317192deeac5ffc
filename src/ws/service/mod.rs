//! WebSockets as a tower layer and as a tower service.

mod body;
mod future;
mod http2;
mod layer;
#[allow(clippy::module_inception)]
mod service;

pub use self::{
    body::ResponseBody,
    future::ResponseFuture,
    http2::{Http2Layer, Http2Service},
    layer::WebSocketLayer,
    service::{Nothing, WebSocketService},
};
