use std::{collections::HashMap, fmt, hash::Hash, num::NonZeroUsize, time::Duration};

use super::ring::{Bounds, Position, Ring};

/// How much a [`Topic`](super::Topic) keeps for its readers.
///
/// An item is kept until every subscription has read it, or until a limit drops the oldest.
///
/// ```
/// use std::time::Duration;
/// use bytes::Bytes;
/// use tower_realtime::topic::{Limits, Topic};
///
/// let limits = Limits::items(10_000).bytes(1 << 20, Bytes::len).age(Duration::from_secs(60));
/// let frames = Topic::<Bytes>::with_limits(limits);
/// # let _ = frames;
/// ```
pub struct Limits<T> {
    pub(super) bounds: Bounds,
    pub(super) weigh: Option<Weigh<T>>,
    pub(super) coalesce: Option<Box<dyn Coalesce<T> + Send>>,
}

pub(super) type Weigh<T> = Box<dyn Fn(&T) -> usize + Send>;

impl<T> Limits<T> {
    /// At most so many items (at least one), of any size and age.
    #[must_use]
    pub const fn items(items: usize) -> Self {
        Self {
            bounds: Bounds {
                items: match NonZeroUsize::new(items) {
                    Some(items) => items,
                    None => NonZeroUsize::MIN,
                },
                bytes: usize::MAX,
                age: Duration::MAX,
            },
            weigh: None,
            coalesce: None,
        }
    }

    /// At most so many bytes, as `weigh` counts them. The default is no limit.
    ///
    /// An item that is larger than the limit on its own is dropped at once, and every reader learns that it missed
    /// one.
    #[must_use]
    pub fn bytes(mut self, limit: usize, weigh: impl Fn(&T) -> usize + Send + 'static) -> Self {
        self.bounds.bytes = limit;
        self.weigh = Some(Box::new(weigh));
        self
    }

    /// Nothing that was published longer ago than `age`. The default is no limit.
    ///
    /// It is looked at when somebody publishes or reads, so it costs no timer.
    #[must_use]
    pub const fn age(mut self, age: Duration) -> Self {
        self.bounds.age = age;
        self
    }

    /// Only the newest item of each key: an unread item is replaced by the next one with the same key.
    ///
    /// The number of items is then the number of keys that a reader can be behind with. A reader that keeps up
    /// still sees every item.
    #[must_use]
    pub fn coalesce_by<K>(mut self, key: impl Fn(&T) -> K + Send + 'static) -> Self
    where
        K: Eq + Hash + Send + 'static,
    {
        self.coalesce = Some(Box::new(ByKey {
            key,
            newest: HashMap::new(),
        }));
        self
    }
}

impl<T> Default for Limits<T> {
    /// 1,024 items.
    fn default() -> Self {
        Self::items(1_024)
    }
}

impl<T> fmt::Debug for Limits<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("bounds", &self.bounds)
            .field("coalesces", &self.coalesce.is_some())
            .finish_non_exhaustive()
    }
}

/// Knows which item takes the place of which.
pub(super) trait Coalesce<T> {
    /// Takes out the item that `item`, now the newest of `ring`, replaces.
    fn replace(&mut self, item: &T, ring: &mut Ring<T>) -> Option<T>;
}

struct ByKey<K, F> {
    key: F,
    newest: HashMap<K, Position>,
}

/// Below so many keys, forgetting old ones is not worth the walk.
const FEW: usize = 32;

impl<T, K, F> Coalesce<T> for ByKey<K, F>
where
    K: Eq + Hash,
    F: Fn(&T) -> K,
{
    fn replace(&mut self, item: &T, ring: &mut Ring<T>) -> Option<T> {
        let old = self.newest.insert((self.key)(item), ring.next());
        // Keys whose item was read or dropped are forgotten now and then, so that the map stays as small as the log.
        if self.newest.len() > FEW + 2 * ring.len() {
            let first = ring.first();
            self.newest.retain(|_, position| *position >= first);
        }
        ring.supersede(old?)
    }
}
