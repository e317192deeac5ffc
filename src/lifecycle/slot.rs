use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Extensions;

use super::{Life, StallSignal, StreamControl, StreamGuard};

/// Where the guard of a coming stream lies in the extensions of its request, until its owner takes it.
#[derive(Clone, Debug)]
pub(crate) struct Slot(Arc<Mutex<Content>>);

#[derive(Debug)]
struct Content {
    guard: Option<StreamGuard>,
    /// A body has it, and takes the guard when it is polled first: by then all layers have added their part.
    claimed: bool,
}

impl Slot {
    /// The slot of a request, and whether it was made just now.
    pub(crate) fn of(extensions: &mut Extensions) -> (Self, bool) {
        if let Some(slot) = extensions.get::<Self>() {
            return (slot.clone(), false);
        }
        let life = Arc::new(Life::default());
        let stall = extensions.get::<StallSignal>().cloned();
        let slot = Self(Arc::new(Mutex::new(Content {
            guard: Some(StreamGuard::new(Arc::clone(&life), stall)),
            claimed: false,
        })));
        extensions.insert(StreamControl(life));
        extensions.insert(slot.clone());
        (slot, true)
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to the guard, where it is still here.
    pub(crate) fn with<T>(&self, add: impl FnOnce(&mut StreamGuard) -> T) -> Option<T> {
        self.lock().guard.as_mut().map(add)
    }

    /// Takes the guard.
    pub(crate) fn take(&self) -> Option<StreamGuard> {
        self.lock().guard.take()
    }

    /// Makes the caller the future owner; false if there is one, or if the guard is gone.
    pub(crate) fn claim(&self) -> bool {
        let mut content = self.lock();
        let free = content.guard.is_some() && !content.claimed;
        content.claimed |= free;
        free
    }

    /// The request has been answered: a guard that nobody claimed has no stream.
    pub(crate) fn settle(&self) {
        let mut content = self.lock();
        let orphan = if content.claimed {
            None
        } else {
            content.guard.take()
        };
        drop(content); // observers run when the guard drops
        drop(orphan);
    }
}
