//! Events with ids, so that a client that was away gets what it missed.
//!
//! An [`EventLog`] gives every event an id `epoch-index` and keeps the last of them, by number, bytes and age. A
//! client that comes back says the last id it has seen, and [`resume`](EventLog::resume) answers whether it can go
//! on there. The compiler makes the handler decide what a gap means:
//!
//! ```
//! use http::HeaderMap;
//! use tower_realtime::{
//!     log::{EventLog, Resume},
//!     sse::{Event, EventName, Sse},
//! };
//! use futures_util::{StreamExt, stream};
//!
//! const RELOAD: EventName = EventName::from_static("reload");
//!
//! fn news(log: &EventLog, headers: &HeaderMap) -> Sse<impl Sized> {
//!     let (missed, live) = match log.resume(headers) {
//!         Resume::Complete(live) => (None, live),
//!         Resume::Gap(live) => (Some(Ok(Event::new("all").name(RELOAD).into())), live),
//!     };
//!     Sse::new(stream::iter(missed).chain(live))
//! }
//!
//! let log = EventLog::new(1024);
//! log.publish(Event::new("something happened"));
//! # let _ = news(&log, &HeaderMap::new());
//! ```
//!
//! [`Resume::or_reset`], [`or_oldest`](Resume::or_oldest) and [`complete`](Resume::complete) are the usual answers in
//! a word. The same ids resume a WebSocket: its client sends the last one in the query (`?lastEventId=`) or in a
//! message, and every [`Entry`] knows its [`id`](Entry::id) and its [`data`](Entry::data).
//!
//! # More than one machine
//!
//! A log sits on a [`Store`]. [`Memory`] is the default; a store of your own keeps the promises of the trait, and
//! [`conformance::check`] tests it.

mod asked;
pub mod conformance;
mod entry;
mod event_log;
mod events;
mod memory;
#[cfg(feature = "ws")]
mod message;
#[cfg(feature = "redis")]
pub mod redis;
mod resume;
#[cfg(feature = "signed-ids")]
mod signed;
mod store;

#[cfg(feature = "signed-ids")]
pub use self::signed::SignedIds;
pub use self::{
    asked::LastId,
    entry::Entry,
    event_log::{EventLog, Resume},
    events::{Events, Missed},
    memory::Memory,
    resume::{Gap, InvalidPosition, Position},
    store::{Page, Start, Store, Stored, Tail},
};
