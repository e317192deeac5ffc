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
//! [`EventStream`] makes [`Message`]s of the body of a response, and [`Decoder`] of bytes, wherever they come from.

// Server.
mod accept;
mod boundary;
mod encode;
mod event;
mod gather;
pub mod keep_alive;
mod response;

pub use self::accept::accepts_events;
pub use self::boundary::Boundary;
pub use self::encode::Encoded;
pub use self::event::{Comment, Event, EventId, EventName, InvalidEventId, InvalidEventName};
pub use self::gather::EventBody;
pub use self::keep_alive::{KeepAlive, KeepAliveBody, NoKeepAlive};
pub use self::response::Sse;

// Client.
mod decode;
mod error;
mod message;
mod stream;
mod text;

pub use self::decode::{Decoder, Limits};
pub use self::error::Error;
pub use self::message::Message;
pub use self::stream::{EventStream, StreamBody};
pub use self::text::Text;
