use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use serde_json::{Value, json};

/// What the tiles of the page show.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    streams: AtomicU64,
    sockets: AtomicU64,
    events: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Counters {
    /// Counts one event stream until the value is dropped.
    pub(crate) fn stream(self: &Arc<Self>) -> Open {
        Open::new(self, |counters| &counters.streams)
    }

    /// Counts one WebSocket until the value is dropped.
    pub(crate) fn socket(self: &Arc<Self>) -> Open {
        Open::new(self, |counters| &counters.sockets)
    }

    pub(crate) fn event(&self, bytes: usize) {
        self.events.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn message(&self, bytes: usize) {
        self.messages.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "streams": self.streams.load(Relaxed),
            "sockets": self.sockets.load(Relaxed),
            "events": self.events.load(Relaxed),
            "messages": self.messages.load(Relaxed),
            "bytes": self.bytes.load(Relaxed),
        })
    }
}

/// Something that is open, and counted for as long as this value lives.
pub(crate) struct Open {
    counters: Arc<Counters>,
    which: fn(&Counters) -> &AtomicU64,
}

impl Open {
    fn new(counters: &Arc<Counters>, which: fn(&Counters) -> &AtomicU64) -> Self {
        which(counters).fetch_add(1, Relaxed);
        Self {
            counters: Arc::clone(counters),
            which,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        (self.which)(&self.counters).fetch_sub(1, Relaxed);
    }
}
