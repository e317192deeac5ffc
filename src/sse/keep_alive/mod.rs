//! Comments that keep an idle event stream open.
//!
//! Proxies cut connections that carry nothing for 30 to 60 seconds, and some clients do so too. A comment every
//! [interval](KeepAlive::interval) prevents it, and clients don't see it.
//!
//! ```
//! use std::time::Duration;
//! use tower_realtime::sse::KeepAlive;
//!
//! let default = KeepAlive::new(tokio::time::sleep);
//! let patient = KeepAlive::new(smol::Timer::after).interval(Duration::from_secs(25));
//! # let _ = (default, patient);
//! ```

mod alarm;
mod body;
mod bom;
mod config;
mod future;
mod layer;
mod mark;
mod pulse;
mod service;

pub use self::body::KeepAliveBody;
pub use self::config::{KeepAlive, NoKeepAlive};
pub use self::future::ResponseFuture;
pub use self::layer::KeepAliveLayer;
pub(crate) use self::mark::KeptAlive;
pub use self::pulse::{Beat, Pulse};
pub use self::service::KeepAliveService;
