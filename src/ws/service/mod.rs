//! WebSockets as a tower layer and as a tower service.

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
