//! Server-Sent Events (WHATWG HTML, section 9.2): a response that goes on, event by event.
//!
//! # A server
//!
//! [`Sse`] makes a response of a stream of [`Event`]s, in axum, in hyper, and in everything else that speaks [`http`]:
//!
//! ```
//! use std::convert::Infallible;
//! use axum::{Router, response::IntoResponse, routing::get};
//! use futures_util::{StreamExt, stream};
//! use tower_realtime::sse::{Event, EventName, KeepAlive, Sse};
//!
//! const TICK: EventName = EventName::from_static("tick");
//!
//! async fn ticks() -> impl IntoResponse {
//!     let events = stream::iter(0..10u64)
//!         .map(|n| Ok::<_, Infallible>(Event::new(n.to_string()).name(TICK).id(n)));
//!     Sse::new(events)
//!         .keep_alive(KeepAlive::new(tokio::time::sleep))
//!         .into_response()
//! }
//!
//! let app: Router = Router::new().route("/ticks", get(ticks));
//! ```
//!
//! # A client
//!
//! [`EventSource`] follows an event stream over any tower client, and connects again by itself:
//!
//! ```
//! # async fn follow() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # use bytes::Bytes;
//! # use futures_util::StreamExt;
//! # use http::Request;
//! # use http_body_util::Empty;
//! # use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use tower_realtime::sse::EventSource;
//!
//! let client = Client::builder(TokioExecutor::new()).build_http();
//! let request = Request::get("http://localhost:3000/ticks").body(Empty::<Bytes>::new())?;
//! let mut events = EventSource::new(client, request, tokio::time::sleep);
//! while let Some(message) = events.next().await {
//!     println!("{}", message?.data());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`EventStream`] makes [`Message`]s of the body of one response, and [`Decoder`] of bytes, wherever they come from.

// Server.
mod accept;
mod boundary;
mod channel;
#[cfg(feature = "compression")]
mod compress;
mod encode;
mod event;
mod field;
mod gather;
mod join;
#[cfg(feature = "json")]
mod json;
pub mod keep_alive;
mod last_event_id;
mod life;
mod line;
mod on_error;
mod response;
mod writer;

pub use self::accept::accepts_events;
pub use self::boundary::Boundary;
pub use self::channel::{Closed, Receiver, Sender, TrySendError, channel};
#[cfg(feature = "compression")]
pub use self::compress::CompressEvents;
pub use self::encode::Encoded;
pub use self::event::{Comment, Data, Event};
pub use self::field::{EventId, EventName, InvalidEventId, InvalidEventName};
pub use self::gather::EventBody;
#[cfg(feature = "json")]
pub use self::json::JsonError;
pub use self::keep_alive::{KeepAlive, KeepAliveBody, KeepAliveLayer, NoKeepAlive};
pub use self::last_event_id::LastEventId;
pub use self::on_error::OnError;
pub use self::response::{Sse, no_more_events};
pub use self::writer::DataWriter;

// Client.
mod client;
mod decode;
mod error;
mod message;
mod stream;
mod text;

pub use self::client::{Attempt, EventSource, ReadyState, Update};
pub use self::decode::{Decoder, Limits};
pub use self::error::Error;
pub use self::message::Message;
pub use self::stream::{EventStream, StreamBody};
pub use self::text::Text;
