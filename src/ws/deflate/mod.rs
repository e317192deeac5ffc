//! permessage-deflate (RFC 7692): smaller messages, with hard limits on what they cost.
//!
//! [`Deflate`] says what we are ready to do; give it to an acceptor or a connector, and the rest happens.
//! The parts are usable on their own, under any WebSocket library that refuses compressed frames:
//! [`answer`] for a server, [`offer`] and [`check`] for a client, and [`DeflateIo`] for the byte stream.
//!
//! ```
//! use http::{HeaderMap, header::SEC_WEBSOCKET_EXTENSIONS};
//! use tower_realtime::ws::deflate::{Deflate, answer};
//!
//! let mut request = HeaderMap::new();
//! let offered = "permessage-deflate; client_max_window_bits".parse().unwrap();
//! request.insert(SEC_WEBSOCKET_EXTENSIONS, offered);
//!
//! let small = Deflate::new().no_context_takeover();
//! let agreed = answer(&small, &request).unwrap();
//! let header = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
//! assert_eq!(agreed.header(), header);
//! ```
//!
//! From bytes to limits, bottom up: `frames` (headers, masks), `history` (a window), `codec` (flate2),
//! `fragment` (plain frames on their way up), `bounds` (how large they may become),
//! `inbound` and `outbound` (one direction each), `io`.

mod bounds;
mod cache;
mod codec;
mod config;
mod fragment;
mod frames;
mod history;
mod inbound;
mod io;
mod memory;
mod negotiate;
mod outbound;
mod setters;

pub(crate) use cache::Cache;
pub use config::Deflate;
pub use io::DeflateIo;
pub use negotiate::{Agreed, InvalidAnswer, answer, check, offer};

pub use super::fault::Fault;
