//! The names of `axum::response::sse`.
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//! use axum::{Router, routing::get};
//! use futures_util::stream::{self, Stream, StreamExt};
//! use tower_realtime::axum::sse::{Event, KeepAlive, Sse}; // was: axum::response::sse
//!
//! async fn countdown() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
//!     let tick = |left: u32| Event::default().event("tick").data(left.to_string());
//!     let ticks = stream::iter((1..=10).rev()).map(move |left| Ok(tick(left)));
//!     Sse::new(ticks).keep_alive(KeepAlive::new().interval(Duration::from_secs(10)).text("still here"))
//! }
//!
//! let app: Router = Router::new().route("/countdown", get(countdown));
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
