//! One WebSocket connection: the handle that is used, and the driver that moves its messages.
//!
//! ```text
//! handler ─ WebSocket ─ Shared { inbox, outbox } ─ Driver ─ Framer (encode) ─ Io (inspect, decode) ─ transport
//! ```

mod ahead;
mod assembly;
mod byte_stream;
mod clock;
mod closing;
mod connection;
mod control;
mod driver;
mod ending;
mod endpoint;
mod feed;
mod futures;
mod header;
mod incoming;
mod inspector;
mod io;
mod line;
mod params;
mod passing;
mod past;
mod plain;
mod queue;
mod reader;
mod resting;
mod shared;
mod spare;
mod split;
mod timing;
mod tungstenite;
mod utf8;
mod websocket;
mod wire;
mod writer;
mod writing;

pub use self::byte_stream::ByteStream;
pub use self::endpoint::Endpoint;
pub(super) use self::header::{frame_length, put_frame};
pub use self::reader::MessageReader;
pub use self::split::{Driving, Receiver, Sender};
pub(crate) use self::tungstenite::Utf8;
pub use self::websocket::WebSocket;
pub use self::writer::MessageWriter;
#[allow(unused_imports, reason = "the seam for acceptor and connector")]
pub(crate) use self::{
    connection::serve,
    params::{Params, Role, Settings},
    websocket::open,
};
