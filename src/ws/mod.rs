//! WebSockets (RFC 6455, RFC 8441).
//!
//! # A server
//!
//! An [`Acceptor`] answers requests, as a call in a handler, as a [layer](WebSocketLayer) or as a service:
//!
//! ```
//! use axum::{Router, extract::Request, response::Response, routing::any};
//! use tower_realtime::{rt::Tokio, ws::{self, Acceptor, WebSocket}};
//!
//! async fn echo(mut socket: WebSocket) -> Result<(), ws::Error> {
//!     while let Some(message) = socket.recv().await? {
//!         socket.send(message).await?;
//!     }
//!     Ok(())
//! }
//!
//! async fn upgrade(request: Request) -> Response {
//!     Acceptor::new().upgrade(request, Tokio, echo)
//! }
//!
//! let app: Router = Router::new().route("/echo", any(upgrade));
//! ```
//!
//! # A client
//!
//! A [`Connector`] opens WebSockets over any tower client, [`Reconnecting`] opens the next one:
//!
//! ```no_run
//! # async fn f() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::Empty;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use tower_realtime::{rt::Tokio, ws::Connector};
//!
//! let client = Client::builder(TokioExecutor::new()).build_http();
//! let request = Request::get("ws://localhost:3000/echo").body(Empty::<Bytes>::new())?;
//! let (mut socket, _) = Connector::new().timer(Tokio).connect(client, request).await?;
//! socket.send("hello").await?;
//! println!("{:?}", socket.recv().await?);
//! # Ok(())
//! # }
//! ```
//!
//! # The parts
//!
//! | | |
//! |---|---|
//! | [`WebSocket`], [`Message`], [`Closed`], [`Error`] | a connection, what goes over it, how it ended |
//! | [`OriginPolicy`], [`HostPolicy`], [`Rejection`] | who gets in, and what the others are told |
//! | [`Limits`], [`Heartbeat`] | what a peer can make us hold, and when it counts as dead |
//! | [`Sender`], [`Receiver`], [`Driving`] | a socket taken apart |
//! | [`Typed`], [`ByteStream`] | values, or another protocol, in place of messages |
//! | [`Http2Layer`], [`check_http2`] | WebSockets over HTTP/2 for routes that know GET |
//! | [`handshake`], [`upgrade`], [`Endpoint`] | the steps one by one, for servers of another kind |

#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(not(feature = "deflate"))]
#[path = "deflate/off.rs"]
#[allow(dead_code, reason = "what can't be made is never asked")]
mod deflate;
// The opening handshake, and what carries the bytes.
pub mod handshake;
pub mod service;
pub mod upgrade;

mod acceptor;
mod connector;
mod fault;
mod predicate;

// The connection.
mod close;
mod error;
mod heartbeat;
#[cfg(feature = "json")]
mod json;
mod limits;
mod message;
mod outcome;
#[cfg_attr(not(feature = "deflate"), allow(dead_code))]
mod outgoing;
pub(crate) mod payloads;
#[cfg_attr(not(feature = "deflate"), allow(dead_code))]
mod prepared;
mod socket;
mod tuned;
mod typed;

pub use self::acceptor::Acceptor;
pub use self::connector::{ConnectError, Connector, FailedAttempt, Reconnecting};
pub use self::fault::Fault;
pub use self::handshake::{
    HostPolicy, InvalidAnswer, InvalidOrigin, Origin, OriginPolicy, Redirects, Rejection,
};
pub use self::service::{Http2Layer, WebSocketLayer, check_http2};

pub use self::close::{CloseCode, CloseFrame, Closed, ClosedBy, InvalidCloseCode};
pub use self::error::Error;
pub use self::heartbeat::Heartbeat;
#[cfg(feature = "json")]
pub use self::json::Json;
pub use self::limits::Limits;
pub use self::message::{Message, MessageKind, NotUtf8, Text};
pub use self::outcome::Outcome;
pub use self::outgoing::Outgoing;
pub use self::prepared::Prepared;
pub use self::socket::{
    ByteStream, Driving, Endpoint, MessageReader, MessageWriter, Receiver, Sender, WebSocket,
};
pub use self::typed::{Decode, Encode, Typed};
