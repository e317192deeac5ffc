//! A server in the same process, seen as a client: tests without a port.
//!
//! [`Loopback`] is a tower client whose server is a service right here. What a handler answers comes back as it is,
//! streams included, and an upgrade gets a connection in memory. [`Connector`](crate::ws::Connector) and
//! `sse::EventSource` run over it as they do over the network.
//!
//! [`Faults`] make the connections fail as real ones do, and a [`ManualClock`](crate::rt::ManualClock) makes hours
//! pass at once, so that time-outs and dead peers are tested without a `sleep`.

mod faults;
mod future;
mod service;

pub use self::{faults::Faults, future::ResponseFuture, service::Loopback};
