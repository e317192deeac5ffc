//! Bytes of an event stream to messages, by the rules of the HTML standard, sections 9.2.5 and 9.2.6.
//!
//! ```text
//! bytes ─utf8→ text ─lines→ lines ─field→ names and values ─block→ Message
//! ```

mod block;
mod data;
mod decoder;
mod feeds;
mod field;
mod limits;
mod lines;
mod utf8;

pub use self::decoder::Decoder;
pub use self::limits::Limits;
