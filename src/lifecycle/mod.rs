//! The life of a stream, from its birth to its real end.
//!
//! HTTP middleware ends its care when the response head leaves; a stream only begins there.

#[allow(dead_code)] // until `sse` and the guard use it
mod stats;

#[allow(unused_imports)] // until `sse` and the guard use it
pub(crate) use self::stats::Tally;
pub use self::stats::{EndReason, Stats, StreamKind};
