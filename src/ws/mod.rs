//! WebSockets (RFC 6455, RFC 8441).

#[cfg(feature = "deflate")]
pub mod deflate;
// The opening handshake, and what carries the bytes.
#[allow(dead_code, unused_imports)] // until the acceptor stands on it
pub mod handshake;
#[allow(dead_code, unused_imports)]
pub mod upgrade;

mod fault;
mod predicate;

// The connection.
mod close;
mod error;
mod heartbeat;
mod limits;
mod message;
mod outcome;
mod socket;

pub use self::fault::Fault;
pub use self::handshake::{HostPolicy, InvalidOrigin, Origin, OriginPolicy, Rejection};

pub use self::close::{CloseCode, CloseFrame, Closed, ClosedBy, InvalidCloseCode};
pub use self::error::Error;
pub use self::heartbeat::Heartbeat;
pub use self::limits::Limits;
pub use self::message::{Message, NotUtf8, Text};
pub use self::outcome::Outcome;
pub use self::socket::{Endpoint, WebSocket};
