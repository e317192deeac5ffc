//! Layers for streams of either kind: they last until a stream ends, not until its response head leaves.
//!
//! ```
//! use std::time::Duration;
//! use axum::Router;
//! use tower_realtime::{
//!     layers::{AgeLayer, ObserveLayer, StreamLimitLayer},
//!     lifecycle::{Drain, MaxAge, StreamLimit},
//!     rt::Tokio,
//! };
//!
//! fn with_a_life(app: Router, drain: &Drain) -> Router {
//!     app.layer(AgeLayer::new(Tokio, MaxAge::new(Duration::from_secs(24 * 3600))))
//!         .layer(StreamLimitLayer::new(&StreamLimit::new(10_000)))
//!         .layer(drain.layer())
//!         .layer(ObserveLayer::new()) // the last is the outermost: it sees what the others refuse
//! }
//! ```
//!
//! They work around any service: a router, one route, or the service that is given to hyper. Requests that are no
//! streams pass through untouched. How they reach a stream is described in [`crate::lifecycle`].
//!
//! Put compression further out than these layers: within a compressed body they can't see where an event ends.

mod age;
mod answer;
mod blocks;
mod body;
mod drain;
mod future;
mod limit;
mod observe;
mod part;
#[cfg(feature = "hyper")]
mod progress;
mod refuses;
mod service;
#[cfg(feature = "hyper")]
mod stall;
#[cfg(feature = "hyper")]
mod stall_executor;
mod stream;

pub use self::{
    age::AgeLayer, body::StreamBody, drain::DrainLayer, future::ResponseFuture,
    limit::StreamLimitLayer, observe::ObserveLayer, service::LifecycleService,
};
#[cfg(feature = "hyper")]
pub use self::{
    stall::{StallGuard, StallLimit},
    stall_executor::{StallExecutor, Watched},
};
