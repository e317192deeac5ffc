//! WebSockets (RFC 6455, RFC 8441).

#[cfg(feature = "deflate")]
pub mod deflate;
#[allow(dead_code, unused_imports)] // until the acceptor stands on it
pub mod handshake;
#[allow(dead_code, unused_imports)]
pub mod upgrade;

mod fault;
mod predicate;

pub use self::fault::Fault;
pub use self::handshake::{HostPolicy, InvalidOrigin, Origin, OriginPolicy, Rejection};
