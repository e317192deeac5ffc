//! The names of `axum::response::sse`.
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//! use axum::{Router, routing::get};
//! use futures_util::stream::{self, Stream, StreamExt};
//! use tower_realtime::axum::sse::{Event, KeepAlive, Sse}; // was: axum::response::sse
//!
//! async fn handler() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
//!     let events = stream::repeat_with(|| Event::default().data("hi!")).take(3).map(Ok);
//!     Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(10)).text("still here"))
//! }
//!
//! let app: Router = Router::new().route("/sse", get(handler));
//! ```
//!
//! New code is better off with [`sse`](crate::sse): its names and ids are checked once, and what it sends to many is
//! encoded once.

mod event;
#[cfg(feature = "json")]
mod json;
mod keep_alive;
mod response;

pub use self::{event::Event, keep_alive::KeepAlive, response::Sse};
