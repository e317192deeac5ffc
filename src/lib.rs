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
//! # Which one?
//!
//! | you want | take |
//! |---|---|
//! | to send text to browsers, now and then or in bursts | [`sse::Sse`] |
//! | to talk both ways, or in binary | `ws::Acceptor`, as a call, a layer or a service |
//! | one message for many clients | [`topic::Topic`], which feeds both |
//! | clients that come back to get what they missed | [`log::EventLog`] |
//! | the same on many machines | [`log::EventLog`] over `log::redis` |
//! | to read event streams: feeds, language models, MCP | [`sse::EventSource`], or [`sse::EventStream`] on a body |
//! | to open WebSockets over the HTTP client you have | `ws::Connector` |
//! | to restart without cutting anybody off | [`lifecycle::Drain`] with `layers::DrainLayer` |
//! | to bound how many streams there are, whose, and how old | [`layers`] |
//! | event streams that somebody else's code answers to stay open | [`sse::KeepAliveLayer`] |
//! | tests without a port and without a sleep | `loopback::Loopback`, [`rt::ManualClock`] |
//!
//! [The guide on choosing](guide::choosing) weighs event streams, WebSockets and plain HTTP, with bytes and figures;
//! [quick-starts](guide::quick_starts) are whole programs for axum, hyper, smol, tonic, warp, poem and salvo; and
//! handlers for axum's own SSE and WebSockets [move over by their imports](guide::from_axum).
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
//! Event streams need none: `default-features = false` leaves them, with no WebSockets and no hyper.
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `ws` | yes | WebSockets |
//! | `hyper` | yes | upgrades of hyper, and so of axum, warp, tonic, poem and salvo; hyper's timers and executors |
//! | `http2` | | WebSockets over HTTP/2 (RFC 8441) |
//! | `deflate` | | permessage-deflate (RFC 7692) |
//! | `json` | | JSON events and messages |
//! | `compression` | | event streams through tower-http's `CompressionLayer` |
//! | `tokio`, `smol` | | `rt::Tokio`, `rt::Smol`: clocks and tasks with a name |
//! | `tracing` | | a span per stream, and a line where something was refused |
//! | `redis` | | events shared by many machines through Redis Streams |
//! | `signed-ids` | | event ids that a client can't make up |
//! | `axum` | | axum's extractors and responses, and its handlers by a change of imports |
//! | `full` | | all of them |
//!
//! A feature switches a dependency on and never changes how something behaves.
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

/// The code of the Chinese README too.
#[cfg(doctest)]
#[doc = include_str!("../README.zh-CN.md")]
mod readme_zh {}
