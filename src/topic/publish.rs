use std::{fmt, sync::Arc};

use super::{
    limits::Limits,
    registry::Entry,
    shared::{Dropped, Shared},
    subscribe::Subscription,
};
use crate::wakers::Wakers;

/// The publishing side: a cheap handle, to be cloned freely.
///
/// Publishing never waits. A topic ends when it is [closed](Self::close) or when its last handle is dropped; its
/// subscriptions then read what is left, and end.
///
/// See the [module docs](super) for an example.
///
/// ```
/// use tower_realtime::topic::Topic;
///
/// let scores = Topic::new(100);
/// let reader = scores.subscribe();
/// assert_eq!(scores.publish_all([1, 2, 3]), 1); // to so many readers
/// assert_eq!((scores.subscribers(), scores.unread()), (1, 3));
/// scores.close(); // the reader gets the three, and then its end
/// assert_eq!(scores.publish(4), 0);
/// # drop(reader);
/// ```
pub struct Topic<T>(Arc<Publisher<T>>);

/// Lives as long as somebody can publish.
pub(super) struct Publisher<T> {
    pub(super) shared: Arc<Shared<T>>,
    /// Where this topic stands in a registry.
    pub(super) entry: Option<Entry>,
}

impl<T> Topic<T> {
    /// A topic that keeps at most `items` (at least one) unread items.
    #[must_use]
    pub fn new(items: usize) -> Self {
        Self::with_limits(Limits::items(items))
    }

    /// A topic with limits of its own.
    #[must_use]
    pub fn with_limits(limits: Limits<T>) -> Self {
        Self::from_publisher(Arc::new(Publisher {
            shared: Arc::new(Shared::new(limits, false)),
            entry: None,
        }))
    }

    pub(super) fn shared(&self) -> &Arc<Shared<T>> {
        &self.0.shared
    }

    pub(super) const fn from_publisher(publisher: Arc<Publisher<T>>) -> Self {
        Self(publisher)
    }

    /// Gives `item` to everybody who is subscribed now, and says how many that are.
    ///
    /// It never waits: it takes a lock, appends, and wakes those who wait. Without subscribers, or after
    /// [`close`](Self::close), the item is dropped.
    pub fn publish(&self, item: T) -> usize {
        self.publish_all([item])
    }

    /// Gives all `items`, in their order, under one lock and with one wake-up per reader.
    ///
    /// The iterator runs under the topic's lock: it must not use the topic itself.
    pub fn publish_all(&self, items: impl IntoIterator<Item = T>) -> usize {
        let (readers, wakers) = self.enqueue(items);
        wakers.wake();
        readers
    }

    /// Appends, and leaves it to the caller to wake: for who holds a lock.
    pub(crate) fn enqueue(&self, items: impl IntoIterator<Item = T>) -> (usize, Wakers) {
        let mut state = self.0.shared.lock();
        let readers = if state.closed { 0 } else { state.readers.len() };
        let mut dropped = Dropped::none();
        for item in items {
            state.push(item, &mut dropped);
        }
        let wakers = state.readers.take();
        drop(state);
        (readers, wakers)
    }

    /// A reader of everything that is published from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription<T> {
        // In a registry a topic lives as long as its readers do.
        let keep = self.0.entry.is_some().then(|| self.clone());
        Subscription::new(Arc::clone(&self.0.shared), keep)
    }

    /// Ends the topic for all of its handles.
    pub fn close(&self) {
        self.0.shared.close();
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.0.shared.lock().readers.len()
    }

    /// How many items are kept because somebody has not read them yet.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.0.shared.lock().ring.len()
    }
}

impl<T> Drop for Publisher<T> {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(entry) = &self.entry {
            entry.vacate();
        }
    }
}

impl<T> Clone for Topic<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Topic<T> {
    /// Keeps 1,024 unread items.
    fn default() -> Self {
        Self::with_limits(Limits::default())
    }
}

impl<T> fmt::Debug for Topic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.shared.fmt(f)
    }
}
