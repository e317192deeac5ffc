//! The client that connects again: see [`EventSource`].
//!
//! ```text
//! connect: request ─client→ answer ─head→ body        redirect: where else to ask
//! reading: body ─decode→ messages ─idle→ still there?
//! link:    connect → reading → retry → wait → connect
//! ```

mod connect;
mod head;
mod idle;
mod link;
mod reading;
mod redirect;
mod retry;
mod source;
mod update;

pub use self::source::EventSource;
pub use self::update::{Attempt, ReadyState, Update};
