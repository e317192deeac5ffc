use std::fmt;

use crate::ws::upgrade::pipe;

/// What goes wrong on the connections of a [`Loopback`](super::Loopback).
///
/// Clones steer the same connections, those that are open and those to come.
///
/// ```
/// use tower_realtime::loopback::{Faults, Loopback};
///
/// # let service = tower::service_fn(|_: http::Request<()>| async {
/// #     Ok::<_, std::convert::Infallible>(http::Response::new(()))
/// # });
/// let faults = Faults::new();
/// let client = Loopback::new(service).faults(faults.clone());
/// faults.chunks(1); // every read and write moves one byte
/// faults.stall(true); // from now on nothing arrives
/// faults.reset(); // all connections break
/// # drop(client);
/// ```
///
/// A machine that loses its power says nothing: its peer waits, until a time-out of its own.
///
/// ```
/// # use tower_realtime::loopback::Faults;
/// let power_cut = Faults::new();
/// power_cut.stall(true);
/// power_cut.lose_close(true);
/// ```
#[derive(Clone, Default)]
pub struct Faults(pub(super) pipe::Faults);

impl Faults {
    /// A wire without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves at most `bytes` with each read or write, at least one. `usize::MAX` moves all there is.
    pub fn chunks(&self, bytes: usize) {
        self.0.set(|wire| wire.chunk = Some(bytes.max(1)));
    }

    /// Holds back everything that is under way, in both directions, until it is switched off again.
    ///
    /// Writes go on until the connection's buffer is full.
    pub fn stall(&self, on: bool) {
        self.0.set(|wire| wire.stalled = on);
    }

    /// Loses the end of a connection: who waits for the other side is not told when it goes.
    pub fn lose_close(&self, on: bool) {
        self.0.set(|wire| wire.deaf_to_close = on);
    }

    /// Breaks all connections that are open: reads and writes fail with `ConnectionReset`.
    pub fn reset(&self) {
        self.0.reset();
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").finish_non_exhaustive()
    }
}
