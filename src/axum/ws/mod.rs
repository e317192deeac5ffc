//! The names of `axum::extract::ws`.
//!
//! [`WebSocketUpgrade`] is the extractor. Its [`on_upgrade`](WebSocketUpgrade::on_upgrade) gives the handler a
//! [`WebSocket`] of axum's shape; its [`upgrade`](WebSocketUpgrade::upgrade) gives it this crate's
//! [`ws::WebSocket`](crate::ws::WebSocket), which can do more. Either is driven beside its handler: pings are answered,
//! dead peers noticed and closes completed whatever it waits for.
//!
//! Reading and writing at once, each in a task:
//!
//! ```
//! use futures_util::{sink::SinkExt, stream::{SplitSink, SplitStream, StreamExt}};
//! use tokio::sync::mpsc;
//! use tower_realtime::axum::ws::{Message, WebSocket}; // was: axum::extract::ws
//!
//! async fn relay(socket: WebSocket) {
//!     let (outgoing, incoming) = socket.split();
//!     let (lines, queue) = mpsc::channel(4);
//!     tokio::spawn(collect(incoming, lines));
//!     tokio::spawn(answer(queue, outgoing));
//! }
//!
//! async fn collect(mut incoming: SplitStream<WebSocket>, lines: mpsc::Sender<String>) {
//!     while let Some(Ok(message)) = incoming.next().await {
//!         let Message::Text(line) = message else { continue };
//!         if lines.send(line.to_string()).await.is_err() {
//!             break;
//!         }
//!     }
//! }
//!
//! async fn answer(mut lines: mpsc::Receiver<String>, mut outgoing: SplitSink<WebSocket, Message>) {
//!     while let Some(line) = lines.recv().await {
//!         if outgoing.send(Message::text(line.to_uppercase())).await.is_err() {
//!             break;
//!         }
//!     }
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
