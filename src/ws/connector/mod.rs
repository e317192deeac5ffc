//! WebSockets from the client's side.

mod bare;
mod config;
mod connect;
mod error;
mod head;

pub use self::{config::Connector, error::ConnectError};
