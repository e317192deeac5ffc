//! WebSockets (RFC 6455, RFC 8441).

#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(not(feature = "deflate"))]
#[path = "deflate/off.rs"]
#[allow(dead_code, reason = "what can't be made is never asked")]
mod deflate;
// The opening handshake, and what carries the bytes.
pub mod handshake;
pub mod service;
pub mod upgrade;

mod acceptor;
mod connector;
mod fault;
mod predicate;

// The connection.
mod close;
mod error;
mod heartbeat;
#[cfg(feature = "json")]
mod json;
mod limits;
mod message;
mod outcome;
#[cfg_attr(not(feature = "deflate"), allow(dead_code))]
mod outgoing;
mod socket;
mod typed;

pub use self::acceptor::Acceptor;
pub use self::connector::{ConnectError, Connector, Reconnecting};
pub use self::fault::Fault;
pub use self::handshake::{
    HostPolicy, InvalidAnswer, InvalidOrigin, Origin, OriginPolicy, Redirects, Rejection,
};
pub use self::service::{Http2Layer, WebSocketLayer, check_http2};

pub use self::close::{CloseCode, CloseFrame, Closed, ClosedBy, InvalidCloseCode};
pub use self::error::Error;
pub use self::heartbeat::Heartbeat;
#[cfg(feature = "json")]
pub use self::json::Json;
pub use self::limits::Limits;
pub use self::message::{Message, MessageKind, NotUtf8, Text};
pub use self::outcome::Outcome;
pub use self::outgoing::{Outgoing, Prepared};
pub use self::socket::{
    ByteStream, Driving, Endpoint, MessageReader, MessageWriter, Receiver, Sender, WebSocket,
};
pub use self::typed::{Decode, Encode, Typed};
