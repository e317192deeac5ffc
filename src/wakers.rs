//! The one shared wake-up primitive: everybody who waits for the same thing, woken together.
//!
//! It is plain data and has no lock of its own: it lives under the lock of what is waited for, so that "is there
//! something?" and "wake me when there is" are one step. Wakers are taken out under that lock and woken after it.
use std::task::Waker;

/// The wakers of everybody who waits.
///
/// A member has a slot from [`insert`](Self::insert) to [`remove`](Self::remove). Waiting and waking are O(1) per
/// member that waits; members that do not wait cost nothing when the others are woken.
#[derive(Debug, Default)]
pub(crate) struct WakerSet {
    slots: Vec<Slot>,
    /// Slots that may hold a waker, each at most once, so that it cannot outgrow `slots`.
    queue: Vec<u32>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Slot {
    waker: Option<Waker>,
    queued: bool,
}

/// A member of a [`WakerSet`]. Worth nothing in another one.
#[derive(Debug)]
pub(crate) struct Key(u32);

impl WakerSet {
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            queue: Vec::new(),
            free: Vec::new(),
        }
    }

    /// The number of members.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// A new member, which does not wait yet.
    pub(crate) fn insert(&mut self) -> Key {
        if let Some(index) = self.free.pop() {
            return Key(index);
        }
        let index = u32::try_from(self.slots.len()).expect("fewer than four billion waiters");
        // One member is the most frequent case by far, and `push` would make room for four.
        if self.slots.is_empty() {
            self.slots.reserve_exact(1);
        }
        self.slots.push(Slot::default());
        Key(index)
    }

    /// Remembers whom to wake for `key`, in place of whom it remembered before.
    ///
    /// What it remembered is returned, to be dropped after the lock: the last waker of a task may drop the task, and
    /// that may want the lock.
    #[must_use = "foreign code runs when it drops"]
    pub(crate) fn wait(&mut self, key: &Key, waker: &Waker) -> Option<Waker> {
        let slot = &mut self.slots[key.0 as usize];
        if !slot.queued {
            slot.queued = true;
            self.queue.push(key.0);
        }
        replace(&mut slot.waker, waker)
    }

    /// Ends a membership; its waker is returned, to be dropped after the lock.
    pub(crate) fn remove(&mut self, Key(index): Key) -> Option<Waker> {
        // The slot may stay queued: whoever gets it next is then queued already.
        let waker = self.slots[index as usize].waker.take();
        self.free.push(index);
        if self.free.len() == self.slots.len() {
            *self = Self::new();
        }
        waker
    }

    /// Takes out everybody who waits. Wake them once the lock is released.
    pub(crate) fn take(&mut self) -> Wakers {
        let mut wakers = Vec::with_capacity(self.queue.len());
        for index in self.queue.drain(..) {
            let slot = &mut self.slots[index as usize];
            slot.queued = false;
            wakers.extend(slot.waker.take());
        }
        Wakers(wakers)
    }
}

/// Remembers `waker`, and returns another that was remembered before, to be dropped after the lock.
#[must_use = "foreign code runs when it drops"]
pub(crate) fn replace(known: &mut Option<Waker>, waker: &Waker) -> Option<Waker> {
    if known.as_ref().is_some_and(|known| known.will_wake(waker)) {
        return None;
    }
    known.replace(waker.clone())
}

/// Wakers on their way out of a [`WakerSet`].
#[derive(Debug)]
#[must_use = "whoever waits has to be woken"]
pub(crate) struct Wakers(Vec<Waker>);

impl Wakers {
    /// Wakes all of them. Call it without a lock: a waker runs foreign code.
    pub(crate) fn wake(self) {
        self.0.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn wakes_each_waiter_once() {
        let (count, mut set) = (Arc::new(Count::default()), WakerSet::new());
        let waker = Waker::from(Arc::clone(&count));
        let (a, b, idle) = (set.insert(), set.insert(), set.insert());
        drop(set.wait(&a, &waker));
        drop(set.wait(&a, &waker));
        drop(set.wait(&b, &waker));
        set.take().wake();
        set.take().wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        assert_eq!((set.len(), idle.0), (3, 2));
    }

    #[test]
    fn forgets_those_who_left_and_stays_small() {
        let (count, mut set) = (Arc::new(Count::default()), WakerSet::new());
        let waker = Waker::from(Arc::clone(&count));
        let stays = set.insert();
        for _ in 0..1_000 {
            let key = set.insert();
            drop(set.wait(&key, &waker));
            drop(set.remove(key));
        }
        assert!(set.slots.len() == 2 && set.queue.len() <= 2);
        set.take().wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        set.remove(stays);
        assert_eq!((set.len(), set.slots.capacity()), (0, 0));
    }
}
