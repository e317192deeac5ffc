//! One side publishes, many read, each at its own pace.
//!
//! A [`Topic`] is a bounded log in memory. Publishing appends and wakes, and never waits for a reader: one that is
//! slow costs the others nothing, and at most the topic's bound of memory. A [`Subscription`] is a
//! [`Stream`](futures_core::Stream) of what was published since it began, read batch by batch, so it fits
//! [`Sse::new`](crate::sse::Sse::new) and `WebSocket::feed_from`, and one topic serves both kinds at once.
//!
//! ```
//! use futures_util::StreamExt;
//! use tower_realtime::topic::Topic;
//!
//! # futures_util::future::FutureExt::now_or_never(async {
//! let prices = Topic::<u32>::new(64);
//! let (mut one, mut two) = (prices.subscribe(), prices.subscribe());
//! prices.publish(7);
//! assert_eq!(one.next().await, Some(Ok(7)));
//! assert_eq!(two.next().await, Some(Ok(7)));
//! # }).unwrap();
//! ```
//!
//! # Who falls behind
//!
//! A reader that is more than the topic's bound behind has missed items. It is told how many with [`Lagged`], and
//! [`OnLag`] says what follows: it reads on from the oldest item that is left (the default), skips to what is new,
//! reads on without a word, or is disconnected. Where only the newest value of each key counts, as with prices or
//! cursors, [`Limits::coalesce_by`] replaces an unread value by its successor, and readers fall behind only by keys.
//!
//! ```
//! use tower_realtime::topic::{Limits, OnLag, Topic};
//!
//! #[derive(Clone)]
//! struct Price {
//!     symbol: u32,
//!     cents: u64,
//! }
//!
//! let limits = Limits::items(10_000).coalesce_by(|price: &Price| price.symbol);
//! let prices = Topic::with_limits(limits);
//! let reader = prices.subscribe().on_lag(OnLag::Disconnect);
//! # let _ = (reader, Price { symbol: 1, cents: 2 }.cents);
//! ```
//!
//! # Bursts of events
//!
//! [`Subscription::joined`] puts items that wait together into one, once for all readers: for event streams that come
//! in bursts it is several times as fast.
//!
//! # Many topics
//!
//! [`Topics`] holds topics by name. A topic appears with its first user and goes with its last, so thousands of
//! rooms come and go without a leak.
//!
//! What was published before a subscription began is not kept; [`EventLog`](crate::log::EventLog) is for that.

mod join;
mod lagged;
mod limits;
mod publish;
mod registry;
mod retain;
pub(crate) mod ring;
mod shared;
mod subscribe;

pub use self::{
    join::Join,
    lagged::{Lagged, OnLag},
    limits::Limits,
    publish::Topic,
    registry::Topics,
    subscribe::Subscription,
};
