use std::sync::{Mutex, PoisonError};

use crate::lifecycle::{EndReason, Tally};

type Hook = Box<dyn FnOnce(EndReason) + Send>;

/// What is known of a stream of events beside its events; tells a hook why the stream ended, once.
///
/// It is dropped with the body, so that the hook runs however the stream ends.
#[derive(Default)]
pub(super) struct Life {
    tally: Tally,
    /// Few have one. Never locked: the mutex makes the body `Sync`, as some stacks want it.
    hook: Option<Box<Mutex<Hook>>>,
}

impl Life {
    pub(super) const fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(super) fn on_end(&mut self, hook: Hook) {
        self.hook = Some(Box::new(Mutex::new(hook)));
    }

    /// The stream has ended. The first reason is the one that counts.
    pub(super) fn end(&mut self, reason: EndReason) {
        self.tally.end(reason);
        if let Some(hook) = self.hook.take() {
            let hook = hook.into_inner().unwrap_or_else(PoisonError::into_inner);
            hook(self.tally.reason().unwrap_or(reason));
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if self.hook.is_none() {
            return;
        }
        // Dropped before its end, and by nobody who has said why: the connection went away.
        self.end(if std::thread::panicking() {
            EndReason::Panicked
        } else {
            EndReason::Disconnected
        });
    }
}
