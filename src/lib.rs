//! Server-Sent Events and WebSockets for every Tower HTTP stack, on every async runtime.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
pub mod axum;
pub mod layers;
pub mod lifecycle;
pub mod log;
#[cfg(feature = "ws")]
pub mod loopback;
pub mod rt;
pub mod sse;
pub mod topic;
#[cfg(feature = "ws")]
pub mod ws;

mod error;
mod trace;
mod wakers;

pub use error::BoxError;
