//! A topic that keeps its items for readers to come: what a log in memory is made of.

use std::sync::Arc;

use super::{
    limits::Limits,
    publish::{Publisher, Topic},
    ring::{Bounds, Position, Ring},
    shared::{Dropped, Shared},
    subscribe::Subscription,
};

impl<T> Topic<T> {
    /// A topic whose items stay until a limit drops them, whoever has read them.
    pub(crate) fn retaining(limits: Limits<T>) -> Self {
        Self::from_publisher(Arc::new(Publisher {
            shared: Arc::new(Shared::new(limits, true)),
            entry: None,
        }))
    }

    /// Adds the item that `make` makes for its position, and says where it stands.
    pub(crate) fn append(&self, make: impl FnOnce(Position) -> T) -> Position {
        let mut dropped = Dropped::none();
        let mut state = self.shared().lock();
        let at = state.ring.next();
        state.push(make(at), &mut dropped);
        let wakers = state.readers.take();
        drop(state);
        wakers.wake();
        at
    }

    /// A reader that starts where `start` says, and where that is.
    pub(crate) fn subscribe_at(
        &self,
        start: impl FnOnce(&Ring<T>) -> Position,
    ) -> (Subscription<T>, Position) {
        self.look(|_| ());
        let reader = Subscription::starting(Arc::clone(self.shared()), None, start);
        let cursor = reader.cursor();
        (reader, cursor)
    }

    /// Looks at what is kept now.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Ring<T>) -> R) -> R {
        let mut dropped = Dropped::none();
        let mut state = self.shared().lock();
        state.expire(&mut dropped);
        let seen = look(&state.ring);
        drop(state);
        seen
    }

    /// Changes how much is kept.
    pub(crate) fn rebound(&self, change: impl FnOnce(&mut Bounds)) {
        let mut dropped = Dropped::none();
        let mut state = self.shared().lock();
        change(state.ring.bounds());
        state.expire(&mut dropped);
        drop(state);
    }
}
