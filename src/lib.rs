//! Server-Sent Events and WebSockets for every Tower HTTP stack, on every async runtime.
//!
//! An event stream is an [`http_body::Body`], a WebSocket handshake is a function from [`http::Request`] to
//! [`http::Response`], and a runtime is two functions. So the same code runs in axum, in plain hyper, in tonic, warp,
//! poem and salvo, on tokio, on smol, or on a runtime of your own.
//!
//! ```
//! use std::convert::Infallible;
//! use axum::{Router, response::IntoResponse, routing::get};
//! use futures_util::{StreamExt, stream};
//! use tower_realtime::sse::{Event, KeepAlive, Sse};
//!
//! async fn count() -> impl IntoResponse {
//!     let numbers = stream::iter(0..10_u64).map(|n| Ok::<_, Infallible>(Event::new(n.to_string()).id(n)));
//!     Sse::new(numbers).keep_alive(KeepAlive::new(tokio::time::sleep)).into_response()
//! }
//!
//! let app: Router = Router::new().route("/count", get(count));
//! ```
//!
//! # Where things are
//!
//! - [`sse`]: event streams, both ends of them.
//! - `ws`: WebSockets, both ends of them.
//! - [`topic`]: one publishes, many read; what broadcasts and chats are made of.
//! - [`log`]: events that a client can resume after a pause.
//! - [`lifecycle`] and [`layers`]: limits, draining, ages and statistics of streams that live for hours.
//! - [`rt`]: clocks and tasks as values.
//! - [`guide`]: how to use all of it, subject by subject.
//! - `axum`: axum's extractors, responses and shapes.
//! - `loopback`: a server seen as a client, for tests without sockets.
//!
//! # Features
//!
//! Event streams need none. `ws` and `hyper` are on by default; `http2`, `deflate`, `json`, `compression`, `tokio`,
//! `smol`, `tracing`, `redis`, `signed-ids` and `axum` are not; `full` is all of them. A feature switches a dependency on and never
//! changes how something behaves.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
pub mod axum;
pub mod guide;
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
mod text;
mod trace;
mod wakers;

pub use error::BoxError;

/// The code of the README is compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
