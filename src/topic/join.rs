//! Items that many readers read together are put together once. Pure: no lock, no clock, no waiting.

use std::collections::VecDeque;

use super::ring::{Position, Ring};

/// Items that can be put together, for [`Subscription::joined`](super::Subscription::joined).
///
/// ```
/// use tower_realtime::topic::Join;
///
/// #[derive(Clone)]
/// struct Line(String);
///
/// impl Join for Line {
///     fn join(lines: &mut dyn Iterator<Item = &Self>) -> (Self, usize) {
///         let some: Vec<_> = lines.take(10).map(|line| line.0.as_str()).collect();
///         (Self(some.join("\n")), some.len())
///     }
/// }
/// ```
pub trait Join: Clone {
    /// Puts the first few of `items` together, and says how many those are: at least one, and no more than are worth
    /// a copy.
    ///
    /// It runs under the topic's lock: it must be quick, and must not use the topic itself.
    fn join(items: &mut dyn Iterator<Item = &Self>) -> (Self, usize);
}

pub(super) type JoinFn<T> = for<'a> fn(&mut dyn Iterator<Item = &'a T>) -> (T, usize);

/// What the first of several readers has put together for the others.
///
/// A backlog is several pieces, which each reader reads one after the other.
pub(super) struct Joins<T>(VecDeque<Joined<T>>);

struct Joined<T> {
    item: T,
    from: Position,
    behind: Position,
}

/// How many pieces are kept at most. Of [`Encoded`](crate::sse::Encoded) events that is 128 KiB.
const PIECES: usize = 8;

impl<T> Joins<T> {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// What stands from `cursor` on, put together, and the cursor behind it; `None` if that is one item at most. What
    /// made room for it goes to `dropped`.
    pub(super) fn read(
        &mut self,
        ring: &Ring<T>,
        cursor: Position,
        join: JoinFn<T>,
        dropped: &mut impl Extend<T>,
    ) -> Option<(T, Position)>
    where
        T: Clone,
    {
        let known = self.0.iter().find(|joined| joined.from == cursor);
        if let Some(known) = known {
            return Some((known.item.clone(), known.behind));
        }
        let joined = Joined::new(ring, cursor, join)?;
        let read = (joined.item.clone(), joined.behind);
        if self.0.len() == PIECES {
            dropped.extend(self.0.pop_front().map(|joined| joined.item));
        }
        self.0.push_back(joined);
        Some(read)
    }

    /// Forgets what everybody has read, who all stand at `oldest` or behind it.
    pub(super) fn forget(&mut self, oldest: Position, dropped: &mut impl Extend<T>) {
        while let Some(index) = self.0.iter().position(|joined| joined.behind <= oldest) {
            dropped.extend(self.0.remove(index).map(|joined| joined.item));
        }
        if self.0.is_empty() && self.0.capacity() > 0 {
            self.0 = VecDeque::new();
        }
    }
}

impl<T> Joined<T> {
    fn new(ring: &Ring<T>, from: Position, join: JoinFn<T>) -> Option<Self> {
        ring.items(from).nth(1)?;
        let (item, count) = join(&mut ring.items(from).map(|(item, _)| item));
        let (_, behind) = ring.items(from).nth(count.checked_sub(1)?)?;
        Some(Self { item, from, behind })
    }
}
