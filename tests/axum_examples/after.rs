//! The handlers with the types of this crate.
use tower_realtime::axum::{sse, ws, ws::WebSocketUpgradeRejection};

#[path = "handlers/events.rs"]
pub(crate) mod events;
#[path = "handlers/halves.rs"]
pub(crate) mod halves;
#[path = "handlers/rooms.rs"]
pub(crate) mod rooms;
#[path = "handlers/sockets.rs"]
pub(crate) mod sockets;
