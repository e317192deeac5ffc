//! A server in the same process, seen as a client: tests without a port.
//!
//! [`Loopback`] is a tower client whose server is a service right here. What a handler answers comes back as it is,
//! streams included, and an upgrade gets a connection in memory. [`Connector`](crate::ws::Connector) and
//! `sse::EventSource` run over it as they do over the network.
//!
//! ```
//! use std::convert::Infallible;
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::{Empty, Full};
//! use tower_realtime::{loopback::Loopback, rt::Smol, ws::{self, Acceptor, Connector, WebSocket}};
//!
//! async fn echo(mut socket: WebSocket) -> Result<(), ws::Error> {
//!     while let Some(message) = socket.recv().await? {
//!         socket.send(message).await?;
//!     }
//!     Ok(())
//! }
//!
//! # smol::block_on(async {
//! let app = tower::service_fn(|request: Request<Empty<Bytes>>| async {
//!     Ok::<_, Infallible>(Acceptor::new().upgrade::<_, Full<Bytes>, _, _, _>(request, Smol, echo))
//! });
//! let request = Request::get("ws://localhost/").body(Empty::new())?;
//! let (mut socket, _) = Connector::new().connect(Loopback::new(app), request).await?;
//! socket.send("hello").await?;
//! assert_eq!(socket.recv().await?, Some("hello".into()));
//! # Ok::<_, tower_realtime::BoxError>(())
//! # }).expect("it echoes");
//! ```
//!
//! [`Faults`] make the connections fail as real ones do, and a [`ManualClock`](crate::rt::ManualClock) makes hours
//! pass at once, so that time-outs and dead peers are tested without a `sleep`.

mod faults;
mod future;
mod service;

pub use self::{faults::Faults, future::ResponseFuture, service::Loopback};
