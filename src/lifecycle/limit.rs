use std::{
    collections::HashMap,
    hash::RandomState,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Refusal, bucket::Bucket};

/// How many streams may be open at once: in total, per key, and how many may begin per time.
///
/// A permit is held until its stream really ends, and its handler with it. An existing stream is never ended to make
/// room for a new one, because the two would take turns: the evicted client comes back and evicts the next.
///
/// ```
/// use std::{net::IpAddr, time::Duration};
/// use axum::Router;
/// use tower_realtime::{layers::StreamLimitLayer, lifecycle::StreamLimit};
///
/// let limit = StreamLimit::new(10_000).per_key(20).rate(200, Duration::from_secs(1));
/// let layer = StreamLimitLayer::new(&limit).key(|head| head.extensions.get::<IpAddr>().copied());
/// let app: Router = Router::new().layer(layer);
/// assert_eq!(limit.open(), 0);
/// # let _ = app;
/// ```
#[derive(Clone, Debug)]
pub struct StreamLimit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    total: usize,
    per_key: Option<usize>,
    epoch: Instant,
    seed: RandomState,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    open: usize,
    /// Hashes stand for the keys: 8 bytes, whatever the key is, and two of a million users share one with a
    /// probability of 3 in 10⁸. Only keys that have a stream are here.
    keys: HashMap<u64, usize>,
    rate: Option<Bucket>,
}

impl StreamLimit {
    /// At most `total` streams at once.
    #[must_use]
    pub fn new(total: usize) -> Self {
        Self(Arc::new(Shared {
            total,
            per_key: None,
            epoch: Instant::now(),
            seed: RandomState::new(),
            state: Mutex::new(State {
                open: 0,
                keys: HashMap::new(),
                rate: None,
            }),
        }))
    }

    /// At most `count` streams at once of the same key.
    ///
    /// Call this before the limit is cloned or handed out: it makes a new one, with nothing open.
    #[must_use]
    pub fn per_key(self, count: usize) -> Self {
        let rate = self.0.lock().rate.clone();
        Self::with(self.0.total, Some(count), rate)
    }

    /// At most `burst` new streams at once, and as many again in every `per`, evenly. 0 lets nothing begin.
    ///
    /// What is refused does not count, whoever refuses it: this limit, or what is within its layer, for instance for
    /// the request's origin.
    ///
    /// Call this before the limit is cloned or handed out: it makes a new one, with nothing open.
    #[must_use]
    pub fn rate(self, burst: u32, per: Duration) -> Self {
        Self::with(self.0.total, self.0.per_key, Some(Bucket::new(burst, per)))
    }

    fn with(total: usize, per_key: Option<usize>, rate: Option<Bucket>) -> Self {
        let mut shared = Self::new(total).0;
        if let Some(new) = Arc::get_mut(&mut shared) {
            new.per_key = per_key;
            new.lock().rate = rate;
        }
        Self(shared)
    }

    /// How many streams are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.0.lock().open
    }

    /// What keys are hashed with.
    pub(crate) fn seed(&self) -> &RandomState {
        &self.0.seed
    }

    /// Takes what one more stream needs beside the permits that it `held` already: of several layers of one limit,
    /// each counts its own key, and the stream counts once.
    pub(crate) fn acquire(&self, key: Option<u64>, held: &[Permit]) -> Result<Permit, Refusal> {
        let mut held = held.iter().filter(|held| Arc::ptr_eq(&held.limit, &self.0));
        let is_first = held.clone().next().is_none();
        let key = key.filter(|_| self.0.per_key.is_some());
        let key = key.filter(|key| held.all(|held| held.key != Some(*key)));
        let now = self.0.epoch.elapsed();
        let mut state = self.0.lock();
        if is_first && state.open >= self.0.total {
            return Err(Refusal::TotalLimit);
        }
        if let (Some(key), Some(most)) = (key, self.0.per_key) {
            if state.keys.get(&key).copied().unwrap_or(0) >= most {
                return Err(Refusal::KeyLimit);
            }
        }
        if is_first {
            if let Some(rate) = &mut state.rate {
                rate.take(now).map_err(|wait| Refusal::Rate { wait })?;
            }
            state.open += 1;
        }
        if let Some(key) = key {
            *state.keys.entry(key).or_default() += 1;
        }
        drop(state);
        Ok(Permit {
            limit: Arc::clone(&self.0),
            key,
            is_first,
            is_refused: false,
        })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one stream, given back by its drop.
#[derive(Debug)]
pub(crate) struct Permit {
    limit: Arc<Shared>,
    key: Option<u64>,
    /// Whether it stands for the stream, and not only for one more key of it.
    is_first: bool,
    is_refused: bool,
}

impl Permit {
    /// The stream was refused further in: it never was one, and counts for no rate.
    pub(super) const fn refuse(&mut self) {
        self.is_refused = true;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limit.lock();
        state.open -= usize::from(self.is_first);
        if let Some(rate) = state
            .rate
            .as_mut()
            .filter(|_| self.is_first && self.is_refused)
        {
            rate.give_back();
        }
        let Some(key) = self.key else { return };
        if let Some(count) = state.keys.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                state.keys.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_counted_in_total_and_per_key() {
        let limit = StreamLimit::new(3).per_key(1);
        let ann = limit.acquire(Some(1), &[]).unwrap();
        assert_eq!(limit.acquire(Some(1), &[]).unwrap_err(), Refusal::KeyLimit);
        let bob = limit.acquire(Some(2), &[]).unwrap();
        let nobody = limit.acquire(None, &[]).unwrap();
        assert_eq!(
            limit.acquire(Some(3), &[]).unwrap_err(),
            Refusal::TotalLimit
        );
        assert_eq!(limit.open(), 3);
        drop(ann);
        assert_eq!(limit.acquire(Some(2), &[]).unwrap_err(), Refusal::KeyLimit);
        drop(limit.acquire(Some(1), &[]).unwrap());
        drop((bob, nobody));
        assert_eq!(limit.open(), 0);
        assert!(limit.0.lock().keys.is_empty());
    }

    #[test]
    fn a_stream_counts_once_however_many_layers_share_the_limit() {
        let limit = StreamLimit::new(1)
            .per_key(1)
            .rate(1, Duration::from_secs(3600));
        let mut held = vec![limit.acquire(None, &[]).unwrap()];
        for key in [None, Some(1), Some(1), Some(2)] {
            let again = limit.acquire(key, &held).unwrap();
            held.push(again);
        }
        assert_eq!((limit.open(), limit.0.lock().keys.len()), (1, 2));
        assert_eq!(limit.acquire(None, &[]).unwrap_err(), Refusal::TotalLimit);
        held.clear();
        assert_eq!(limit.open(), 0);
        assert!(limit.0.lock().keys.is_empty());
    }

    #[test]
    fn a_refused_stream_spends_nothing() {
        let limit = StreamLimit::new(1).rate(2, Duration::from_secs(3600));
        let first = limit.acquire(None, &[]).unwrap();
        assert_eq!(limit.acquire(None, &[]).unwrap_err(), Refusal::TotalLimit);
        drop(first);
        drop(limit.acquire(None, &[]).unwrap());
        let refusal = limit.acquire(None, &[]).unwrap_err();
        assert!(matches!(refusal, Refusal::Rate { wait } if wait > Duration::from_secs(1700)));
        assert_eq!(limit.open(), 0);

        let limit = StreamLimit::new(1).rate(1, Duration::from_secs(3600));
        for _ in 0..3 {
            limit.acquire(None, &[]).unwrap().refuse();
        }
        drop(limit.acquire(None, &[]).unwrap());
        assert!(limit.acquire(None, &[]).is_err());
    }
}
