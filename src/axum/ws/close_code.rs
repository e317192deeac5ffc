//! Close codes as numbers. [`ws::CloseCode`](crate::ws::CloseCode) says what each one means.
//!
//! ```
//! use tower_realtime::axum::ws::{CloseFrame, close_code};
//!
//! fn is_worth_another_try(frame: &CloseFrame) -> bool {
//!     matches!(frame.code, close_code::AWAY | close_code::RESTART | close_code::AGAIN)
//! }
//! ```

/// What the connection was for is done.
pub const NORMAL: u16 = 1000;
/// A server goes down, or a browser leaves the page.
pub const AWAY: u16 = 1001;
/// The peer broke the protocol.
pub const PROTOCOL: u16 = 1002;
/// A kind of message that is not taken here.
pub const UNSUPPORTED: u16 = 1003;
/// Reports that a close frame had no code. It can't be sent.
pub const STATUS: u16 = 1005;
/// Reports that there was no close frame. It can't be sent.
pub const ABNORMAL: u16 = 1006;
/// A message that is not what it should be.
pub const INVALID: u16 = 1007;
/// Against the rules of this server.
pub const POLICY: u16 = 1008;
/// A message over the limit.
pub const SIZE: u16 = 1009;
/// A client misses an extension.
pub const EXTENSION: u16 = 1010;
/// Something failed on this side.
pub const ERROR: u16 = 1011;
/// The server restarts; come back.
pub const RESTART: u16 = 1012;
/// Too busy; come back later.
pub const AGAIN: u16 = 1013;
