//! Time and tasks, as values.
//!
//! A runtime is two functions here: a [`Timer`] makes a future of a [`Duration`](std::time::Duration), and a
//! [`Spawn`] takes a future and runs it. Closures are both, so nothing needs an adapter:
//!
//! ```
//! use tower_realtime::{rt, sse::KeepAlive};
//!
//! let on_tokio = KeepAlive::new(tokio::time::sleep);
//! let on_smol = KeepAlive::new(smol::Timer::after);
//! let spawn = |task: rt::Task| drop(tokio::spawn(task));
//! # let _ = (on_tokio, on_smol, spawn);
//! ```
//!
//! [`Tokio`] and [`Smol`] are the same with a name, for the fields of a struct; [`HyperTimer`] and
//! [`HyperExecutor`] take what a [`hyper::rt`](::hyper::rt) integration offers. A [`ManualClock`] is the time of a test.

mod dyn_timer;
#[cfg(feature = "hyper")]
mod hyper;
mod manual;
#[cfg(feature = "smol")]
mod smol;
mod spawn;
mod timer;
#[cfg(feature = "tokio")]
mod tokio;

pub use self::dyn_timer::{BoxSleep, DynTimer};
#[cfg(feature = "hyper")]
pub use self::hyper::{HyperExecutor, HyperTimer};
pub use self::manual::{ManualClock, ManualSleep};
#[cfg(feature = "smol")]
pub use self::smol::Smol;
pub use self::spawn::{Spawn, Task};
pub use self::timer::Timer;
#[cfg(feature = "tokio")]
pub use self::tokio::Tokio;
