//! axum's own shapes: its handlers move over by changing their imports.
//!
//! Nothing here is needed to use this crate with axum: what [`sse`](crate::sse) and [`ws`](crate::ws) return is an
//! `http::Response`, which axum takes as it is. This module is for two things.
//!
//! **Extractors and responses.** [`LastEventId`](crate::sse::LastEventId) and [`WebSocketUpgrade`](ws::WebSocketUpgrade)
//! are extractors; [`Sse`](crate::sse::Sse) and [`Refusal`](crate::lifecycle::Refusal) are
//! responses, and so is `sse::JsonError` with the feature `json`.
//!
//! ```
//! use std::convert::Infallible;
//! use axum::{Router, response::{IntoResponse, Response}, routing::{any, get}};
//! use futures_util::stream;
//! use tower_realtime::{axum::ws::WebSocketUpgrade, sse::{Event, LastEventId, Sse}, ws};
//!
//! async fn news(last: LastEventId) -> impl IntoResponse {
//!     let greeting = format!("you have seen {:?}", last.as_id());
//!     Sse::new(stream::iter([Ok::<_, Infallible>(Event::new(greeting))]))
//! }
//!
//! async fn echo(upgrade: WebSocketUpgrade) -> Response {
//!     upgrade.upgrade(async |mut socket: ws::WebSocket| {
//!         while let Some(message) = socket.recv().await? {
//!             socket.send(message).await?;
//!         }
//!         Ok::<_, ws::Error>(())
//!     })
//! }
//!
//! let app: Router = Router::new().route("/news", get(news)).route("/echo", any(echo));
//! ```
//!
//! **Handlers that exist.** [`sse`] and [`ws`] here have the names and the signatures of `axum::response::sse` and
//! `axum::extract::ws`, over this crate's streams and sockets. Change `axum::response::sse` into
//! `tower_realtime::axum::sse`, and `axum::extract::ws` into `tower_realtime::axum::ws`:
//!
//! ```
//! use axum::{Router, response::Response, routing::any};
//! use tower_realtime::axum::ws::{Message, WebSocket, WebSocketUpgrade}; // was: axum::extract::ws
//!
//! async fn louder(upgrade: WebSocketUpgrade) -> Response {
//!     upgrade.on_upgrade(answer)
//! }
//!
//! async fn answer(mut socket: WebSocket) {
//!     while let Some(Ok(Message::Text(words))) = socket.recv().await {
//!         let reply = Message::text(words.to_uppercase());
//!         if socket.send(reply).await.is_err() {
//!             break;
//!         }
//!     }
//! }
//!
//! let app: Router = Router::new().route("/ws", any(louder));
//! ```
//!
//! What behaves differently, and why, is in the guide on [moving from axum](crate::guide::from_axum).

mod extract;
#[cfg(feature = "json")]
mod json;
mod response;
pub mod sse;
pub mod ws;
