use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::{
    limits::Limits,
    publish::{Publisher, Topic},
    shared::Shared,
    subscribe::Subscription,
};

/// Topics by name: each appears with its first user and goes with its last.
///
/// A user is a [`Topic`] handle or a [`Subscription`]: a room lives while somebody listens in it, also if nobody
/// holds its handle. A cheap handle itself, to be cloned freely.
///
/// ```
/// use tower_realtime::topic::Topics;
///
/// let rooms = Topics::<String, &str>::new(64);
/// assert_eq!(rooms.publish(&"lobby".into(), "is anybody there?"), 0);
/// let listener = rooms.subscribe("lobby".into());
/// assert_eq!((rooms.publish(&"lobby".into(), "hello"), rooms.len()), (1, 1));
/// drop(listener);
/// assert!(rooms.is_empty());
/// ```
///
/// ```
/// # use tower_realtime::topic::Topics;
/// let rooms = Topics::<String, &str>::new(64);
/// let listener = rooms.subscribe("lobby".into());
/// for name in rooms.names() {
///     rooms.publish(&name, "the server restarts soon");
/// }
/// # drop(listener);
/// ```
pub struct Topics<K, T>(Arc<Registry<K, T>>);

struct Registry<K, T> {
    topics: Mutex<HashMap<K, Weak<Publisher<T>>>>,
    limits: Choose<K, T>,
}

type Choose<K, T> = Box<dyn Fn(&K) -> Limits<T> + Send + Sync>;

impl<K, T> Topics<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Send + 'static,
{
    /// Topics that keep at most `items` (at least one) unread items each.
    #[must_use]
    pub fn new(items: usize) -> Self {
        Self::with_limits(move |_| Limits::items(items))
    }

    /// Topics whose limits depend on their name.
    #[must_use]
    pub fn with_limits(limits: impl Fn(&K) -> Limits<T> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Registry {
            topics: Mutex::default(),
            limits: Box::new(limits),
        }))
    }

    /// The topic of this name, which is made if there is none.
    #[must_use]
    pub fn topic(&self, key: K) -> Topic<T> {
        // Made without the lock: `limits` is foreign code. It is thrown away if another thread was faster.
        if let Some(topic) = self.get(&key) {
            return topic;
        }
        let made = Arc::new(Publisher {
            shared: Arc::new(Shared::new((self.0.limits)(&key), false)),
            entry: Some(Entry::new(&self.0, key.clone())),
        });
        let mut topics = self.0.lock();
        let known = topics.get(&key).and_then(Weak::upgrade);
        if known.is_none() {
            topics.insert(key, Arc::downgrade(&made));
        }
        drop(topics);
        Topic::from_publisher(known.unwrap_or(made))
    }

    /// The topic of this name, if somebody uses it.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<Topic<T>> {
        let found = self.0.lock().get(key).and_then(Weak::upgrade);
        found.map(Topic::from_publisher)
    }

    /// Subscribes to the topic of this name, which is made if there is none.
    #[must_use]
    pub fn subscribe(&self, key: K) -> Subscription<T> {
        self.topic(key).subscribe()
    }

    /// Publishes to the topic of this name, and says to how many. It is not made if there is none: nobody listens.
    pub fn publish(&self, key: &K, item: T) -> usize {
        self.get(key).map_or(0, |topic| topic.publish(item))
    }

    /// The names of all topics at this moment.
    #[must_use]
    pub fn names(&self) -> Vec<K> {
        self.0.lock().keys().cloned().collect()
    }
}

impl<K, T> Topics<K, T> {
    /// How many topics there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether there is no topic.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

impl<K, T> Registry<K, T> {
    /// No foreign code but `K`'s `Eq` and `Hash` runs under it, and the map survives their panics.
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Weak<Publisher<T>>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a topic stands in a registry, whatever the type of its name.
pub(super) struct Entry(Box<dyn Vacate + Send + Sync>);

trait Vacate {
    fn vacate(&self);
}

struct Place<K, T> {
    registry: Weak<Registry<K, T>>,
    key: K,
}

impl Entry {
    fn new<K, T>(registry: &Arc<Registry<K, T>>, key: K) -> Self
    where
        K: Eq + Hash + Send + Sync + 'static,
        T: Send + 'static,
    {
        let registry = Arc::downgrade(registry);
        Self(Box::new(Place { registry, key }))
    }

    /// The topic is gone: its name goes too.
    pub(super) fn vacate(&self) {
        self.0.vacate();
    }
}

/// Above so much room, a map that became sparse is made smaller.
const ROOMY: usize = 64;

impl<K: Eq + Hash, T> Vacate for Place<K, T> {
    fn vacate(&self) {
        let Some(registry) = self.registry.upgrade() else {
            return;
        };
        let mut topics = registry.lock();
        // The name may stand for a younger topic already.
        if topics
            .get(&self.key)
            .is_none_or(|topic| topic.strong_count() > 0)
        {
            return;
        }
        let removed = topics.remove_entry(&self.key);
        if topics.capacity() > ROOMY && topics.len() < topics.capacity() / 8 {
            let room = topics.len() * 2;
            topics.shrink_to(room);
        }
        drop(topics);
        drop(removed);
    }
}

impl<K, T> Clone for Topics<K, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, T> fmt::Debug for Topics<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
