//! The names of `axum::extract::ws`.
//!
//! [`WebSocketUpgrade`] is the extractor. Its [`on_upgrade`](WebSocketUpgrade::on_upgrade) gives the handler a
//! [`WebSocket`] of axum's shape; its [`upgrade`](WebSocketUpgrade::upgrade) gives it this crate's
//! [`ws::WebSocket`](crate::ws::WebSocket), which can do more. Either is driven beside its handler: pings are answered,
//! dead peers noticed and closes completed whatever it waits for.
//!
//! Reading and writing at once, in the words of axum's documentation:
//!
//! ```
//! use axum::Error;
//! use futures_util::stream::{SplitSink, SplitStream, StreamExt};
//! use tower_realtime::axum::ws::{Message, WebSocket}; // was: axum::extract::ws
//!
//! async fn handle_socket(socket: WebSocket) {
//!     let (sender, receiver) = socket.split();
//!     tokio::spawn(write(sender));
//!     tokio::spawn(read(receiver));
//! }
//!
//! async fn read(receiver: SplitStream<WebSocket>) {
//!     // ...
//! }
//!
//! async fn write(sender: SplitSink<WebSocket, Message>) {
//!     // ...
//! }
//! ```

pub mod close_code;
mod message;
mod rejection;
mod socket;
mod upgrade;

pub use self::{
    message::{CloseCode, CloseFrame, Message},
    rejection::WebSocketUpgradeRejection,
    socket::WebSocket,
    upgrade::WebSocketUpgrade,
};
pub use crate::ws::Text as Utf8Bytes;
