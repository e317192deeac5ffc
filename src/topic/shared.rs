use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    join::{JoinFn, Joins},
    limits::{Coalesce, Limits, Weigh},
    ring::{Position, Ring},
};
use crate::wakers::WakerSet;

/// What the two sides of a topic share.
pub(super) struct Shared<T> {
    state: Mutex<State<T>>,
}

pub(super) struct State<T> {
    pub(super) ring: Ring<T>,
    /// Its members are the subscriptions.
    pub(super) readers: WakerSet,
    pub(super) closed: bool,
    joins: Joins<T>,
    weigh: Option<Weigh<T>>,
    coalesce: Option<Box<dyn Coalesce<T> + Send>>,
    /// Where ages are counted from; `None` where age does not matter, which saves reading the clock.
    start: Option<Instant>,
}

/// Items that left a log under its lock, on their way to be dropped after it: a `Drop` of theirs is foreign code.
pub(super) struct Dropped<T> {
    /// Nearly always one or none: without a vector then.
    first: Option<T>,
    more: Vec<T>,
}

impl<T> Shared<T> {
    pub(super) fn new(limits: Limits<T>, retain: bool) -> Self {
        let aged = retain || limits.bounds.age < Duration::MAX;
        Self {
            state: Mutex::new(State {
                ring: Ring::new(limits.bounds, retain),
                readers: WakerSet::new(),
                closed: false,
                joins: Joins::new(),
                weigh: limits.weigh,
                coalesce: limits.coalesce,
                start: aged.then(Instant::now),
            }),
        }
    }

    /// Ends the stream of every reader, once it has read what is left.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let wakers = state.readers.take();
        drop(state);
        wakers.wake();
    }

    /// A panic under the lock can only come from an item's `Clone` or from a function of the limits, which run
    /// before or after a change and never in the middle of one: the state is whole.
    pub(super) fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// Adds an item for everybody who is subscribed now.
    pub(super) fn push(&mut self, item: T, dropped: &mut Dropped<T>) {
        if self.closed || !self.ring.is_wanted() {
            return dropped.put(item);
        }
        let now = self.now();
        let weight = self.weigh.as_ref().map_or(0, |weigh| weigh(&item));
        if let Some(coalesce) = &mut self.coalesce {
            let superseded = coalesce.replace(&item, &mut self.ring);
            dropped.extend(superseded);
            self.joins.forget(Position::MAX, dropped);
        }
        self.ring.push(item, weight, now);
        self.evict(now, dropped);
    }

    /// What stands at `cursor`, put together once for all who read it together, and the cursor behind it. `None` where
    /// there is nothing to put together.
    pub(super) fn read_joined(
        &mut self,
        cursor: Position,
        join: JoinFn<T>,
        dropped: &mut Dropped<T>,
    ) -> Option<(T, Position)>
    where
        T: Clone,
    {
        if cursor < self.ring.lost() || self.ring.next().saturating_sub(cursor) < 2 {
            return None;
        }
        let (item, behind) = self.joins.read(&self.ring, cursor, join, dropped)?;
        dropped.extend(self.ring.skip(cursor, behind));
        Some((item, behind))
    }

    /// Forgets what was put together and everybody has read.
    pub(super) fn tidy(&mut self, dropped: &mut Dropped<T>) {
        self.joins.forget(self.ring.first(), dropped);
    }

    /// Drops what became too old. Free where age does not matter.
    pub(super) fn expire(&mut self, dropped: &mut Dropped<T>) {
        if self.start.is_some() {
            self.evict(self.now(), dropped);
        }
    }

    fn evict(&mut self, now: Duration, dropped: &mut Dropped<T>) {
        while let Some(item) = self.ring.evict(now) {
            dropped.put(item);
        }
    }

    fn now(&self) -> Duration {
        self.start.map_or(Duration::ZERO, |start| start.elapsed())
    }
}

impl<T> Dropped<T> {
    pub(super) const fn none() -> Self {
        Self {
            first: None,
            more: Vec::new(),
        }
    }

    fn put(&mut self, item: T) {
        if self.first.is_none() {
            self.first = Some(item);
        } else {
            self.more.push(item);
        }
    }
}

impl<T> Extend<T> for Dropped<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.put(item));
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Topic")
            .field("subscribers", &state.readers.len())
            .field("kept", &state.ring.len())
            .field("closed", &state.closed)
            .finish()
    }
}
