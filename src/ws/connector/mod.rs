//! WebSockets from the client's side.

mod bare;
mod config;
mod connect;
mod error;
mod head;
mod reconnect;

pub use self::{
    config::Connector,
    error::ConnectError,
    reconnect::{FailedAttempt, Reconnecting},
};
