//! The handlers with axum's own types.
use axum::{extract::ws, extract::ws::rejection::WebSocketUpgradeRejection, response::sse};

#[path = "handlers/events.rs"]
pub(crate) mod events;
#[path = "handlers/halves.rs"]
pub(crate) mod halves;
#[path = "handlers/rooms.rs"]
pub(crate) mod rooms;
#[path = "handlers/sockets.rs"]
pub(crate) mod sockets;
