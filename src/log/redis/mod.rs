//! Logs that many processes share, in Redis Streams.
//!
//! ```no_run
//! use http::HeaderMap;
//! use tower_realtime::{
//!     log::{EventLog, Resume, redis::{Error, Redis, RedisStream}},
//!     rt::Tokio,
//!     sse::{Event, Sse},
//! };
//!
//! async fn news(log: &EventLog<RedisStream>, headers: &HeaderMap) -> Result<Sse<impl Sized>, Error> {
//!     Ok(Sse::new(log.try_resume(headers).await?.or_reset(Event::new("reload"))))
//! }
//!
//! # async fn run() -> Result<(), Error> {
//! let redis = Redis::open("redis://localhost:6379", Tokio)?.keep(10_000);
//! let log = redis.log("news");
//! log.try_publish(Event::new("to the clients of every server")).await?;
//! # drop(news(&log, &HeaderMap::new()).await?);
//! # Ok(()) }
//! ```
//!
//! A log is a stream, and an event's id is its stream id. One connection per process blocks for all logs that
//! somebody there follows; another carries all commands. Both come back by themselves, and go on behind the last
//! event. Each event names the one before it, so that no reader can lose one unnoticed: what did not come live is
//! read from the stream.
//!
//! # What is promised
//!
//! - A published event is in the log once, also if the connection broke and it was tried again. If all attempts
//!   failed, [`Error::may_be_published`] says whether that is unknown.
//! - Each reader gets every event once, in the order of the stream, or an explicit gap.
//! - A server that lost its last events (an append-only file that is synced once a second, a failover to a replica
//!   that was behind) can't give them back; who has seen one of them, or should have got one, gets a gap.
//!
//! # What is not
//!
//! One server, or one address that leads to the master: no Redis Cluster, and no Sentinel protocol. Redis is
//! trusted: who can write to the streams can write to your clients.

mod error;
mod feed;
mod handle;
mod limits;
mod page;
mod scripts;
mod stream;
mod wire;

pub use self::{error::Error, handle::Redis, stream::RedisStream};
