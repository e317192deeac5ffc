use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// Whether the connection was given up because its client did not read.
///
/// Put into the extensions of the requests of a connection, it lets their streams end as
/// [`EndReason::Stalled`](super::EndReason::Stalled) instead of as disconnected.
#[derive(Clone, Debug, Default)]
pub struct StallSignal(Arc<AtomicBool>);

impl StallSignal {
    /// Says that the connection stalled.
    pub(crate) fn set(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether the connection stalled.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }
}
