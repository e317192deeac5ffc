//! WebSockets (RFC 6455, RFC 8441).

#[allow(dead_code, unused_imports)] // until the acceptor stands on it
pub mod handshake;
#[allow(dead_code, unused_imports)]
pub mod upgrade;

mod predicate;

pub use self::handshake::{HostPolicy, InvalidOrigin, Origin, OriginPolicy, Rejection};
