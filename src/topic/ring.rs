//! A bounded log with cursors: says exactly what was missed. Pure: no lock, no clock, no waiting.

use std::{collections::VecDeque, num::NonZeroUsize, time::Duration};

/// Where an item stands in a log: its number, counted from the log's first item.
pub(crate) type Position = u64;

/// How much a [`Ring`] keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) items: NonZeroUsize,
    pub(crate) bytes: usize,
    pub(crate) age: Duration,
}

/// Items in the order of their publication, the oldest dropped when a bound is passed, or when everybody has read it.
///
/// It counts how many readers stand where, so that reading many items at once changes two counts, and not one for each
/// item. Everybody has read what lies before the first place where somebody stands.
///
/// Time is what the caller says it is: a duration since any fixed moment.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    entries: VecDeque<Entry<T>>,
    bounds: Bounds,
    bytes: usize,
    /// How many entries were superseded and wait for `compact`.
    holes: usize,
    /// The position of the next item.
    next: Position,
    /// Readers that stand below have missed something.
    lost: Position,
    /// How many readers have read everything.
    live: usize,
    /// Whether items stay when everybody has read them, until a bound drops them.
    retain: bool,
}

#[derive(Debug)]
struct Entry<T> {
    position: Position,
    weight: usize,
    at: Duration,
    /// How many readers read on from here: all whose cursor is here, or in the gap before.
    standing: usize,
    /// `None` is a hole: a later item took its place.
    item: Option<T>,
}

/// What stands at a cursor.
#[derive(Debug, PartialEq)]
pub(crate) enum Read<T> {
    /// An item, and the cursor behind it, or behind what was read with it.
    Item(T, Position),
    /// Everything was read.
    Empty,
    /// So many were dropped; the cursor goes to the oldest that is left.
    Missed(u64, Position),
}

/// With fewer holes a log is not worth compacting; with more room an empty one gives its memory back.
const SMALL: usize = 32;

impl<T> Ring<T> {
    pub(crate) const fn new(bounds: Bounds, retain: bool) -> Self {
        Self {
            entries: VecDeque::new(),
            bounds,
            bytes: 0,
            holes: 0,
            next: 0,
            lost: 0,
            live: 0,
            retain,
        }
    }

    /// Where the next item will stand: the cursor of who wants only what is new.
    pub(crate) const fn next(&self) -> Position {
        self.next
    }

    /// Where reading without a miss can begin.
    pub(crate) const fn lost(&self) -> Position {
        self.lost
    }

    /// Changes how much is kept. Call [`evict`](Self::evict) until it says `None` afterwards.
    pub(crate) const fn bounds(&mut self) -> &mut Bounds {
        &mut self.bounds
    }

    /// How many items are kept.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.holes
    }

    /// Whether an item would be kept, or nobody is there to read it.
    pub(crate) fn is_wanted(&self) -> bool {
        // The oldest item is kept because somebody has not read it.
        self.retain || self.live > 0 || !self.entries.is_empty()
    }

    /// Adds an item, for those who stand anywhere. Call [`evict`](Self::evict) until it says `None` afterwards.
    pub(crate) fn push(&mut self, item: T, weight: usize, at: Duration) {
        self.bytes += weight;
        self.entries.push_back(Entry {
            position: self.next,
            weight,
            at,
            standing: std::mem::take(&mut self.live),
            item: Some(item),
        });
        self.next += 1;
    }

    /// Drops one item that a bound does not allow any longer.
    ///
    /// An item that alone is above the bound of bytes is dropped as well: a bound is a bound, and its readers learn
    /// that they missed it.
    pub(crate) fn evict(&mut self, now: Duration) -> Option<T> {
        let oldest = self.entries.front()?;
        let over = self.len() > self.bounds.items.get() || self.bytes > self.bounds.bytes;
        // Equal ages stay, so that an age of zero in a clock that stands still keeps the newest.
        if !over && now.saturating_sub(oldest.at) <= self.bounds.age {
            return None;
        }
        self.lost = oldest.position + 1;
        let item = self.pop();
        self.settle();
        item
    }

    /// Takes out an item whose place a later one took. Nobody missed it.
    pub(crate) fn supersede(&mut self, position: Position) -> Option<T> {
        let index = self.index(position);
        let entry = self.entries.get_mut(index)?;
        if entry.position != position {
            return None;
        }
        let item = entry.item.take()?;
        self.bytes -= std::mem::take(&mut entry.weight);
        self.holes += 1;
        self.settle();
        // At most half is holes, so that a compaction is paid for by the items that made them.
        if self.holes > SMALL + self.len() {
            self.compact();
        }
        Some(item)
    }

    /// What stands at `cursor`, left in place.
    pub(crate) fn peek(&self, cursor: Position) -> Read<&T> {
        if let Some(missed) = self.missed(cursor) {
            return missed;
        }
        let next = self.items(cursor).next();
        next.map_or(Read::Empty, |(item, behind)| Read::Item(item, behind))
    }

    /// The items from `cursor` on, each with the cursor behind it.
    pub(super) fn items(&self, cursor: Position) -> impl Iterator<Item = (&T, Position)> {
        let entries = self.entries.range(self.index(cursor)..);
        entries.filter_map(|entry| Some((entry.item.as_ref()?, entry.position + 1)))
    }

    /// A reader begins at `cursor`.
    pub(crate) fn enter(&mut self, cursor: Position) {
        let index = self.index(cursor);
        *self.standing(index) += 1;
    }

    /// The reader at `cursor` goes: what was kept for it alone comes back, to be dropped.
    pub(crate) fn leave(&mut self, cursor: Position) -> Vec<T> {
        let index = self.index(cursor);
        *self.standing(index) -= 1;
        let mut dropped = Vec::new();
        while self
            .entries
            .front()
            .is_some_and(|entry| self.is_read(entry))
        {
            dropped.extend(self.pop());
        }
        self.settle();
        dropped
    }

    /// The reader at `cursor` goes on to `to` without reading.
    pub(crate) fn skip(&mut self, cursor: Position, to: Position) -> Vec<T> {
        self.enter(to); // first, so that nothing behind `to` is taken for read
        self.leave(cursor)
    }

    /// The position of the oldest item that is kept.
    pub(crate) fn first(&self) -> Position {
        self.entries
            .front()
            .map_or(self.next, |entry| entry.position)
    }

    fn missed<R>(&self, cursor: Position) -> Option<Read<R>> {
        (cursor < self.lost).then(|| Read::Missed(self.lost - cursor, self.lost))
    }

    /// Where the first entry at or behind `position` is.
    fn index(&self, position: Position) -> usize {
        let Some(first) = self.entries.front() else {
            return 0;
        };
        if position >= self.next {
            return self.entries.len(); // where those stand who have read everything
        }
        // Without compaction the positions have no gaps, and the place is known at once.
        let guess = usize::try_from(position.saturating_sub(first.position)).unwrap_or(usize::MAX);
        match self.entries.get(guess) {
            Some(entry) if entry.position == position => guess,
            _ => self
                .entries
                .partition_point(|entry| entry.position < position),
        }
    }

    /// Where those who read on from an entry are counted.
    fn standing(&mut self, index: usize) -> &mut usize {
        match self.entries.get_mut(index) {
            Some(entry) => &mut entry.standing,
            None => &mut self.live,
        }
    }

    /// Whether everybody has read the oldest entry, which is `entry`.
    const fn is_read(&self, entry: &Entry<T>) -> bool {
        !self.retain && entry.standing == 0
    }

    /// Drops the holes.
    fn compact(&mut self) {
        let mut standing = 0;
        self.entries.retain_mut(|entry| {
            if entry.is_hole() {
                standing += entry.standing;
            } else {
                entry.standing += std::mem::take(&mut standing);
            }
            !entry.is_hole()
        });
        self.live += standing;
        self.holes = 0;
    }

    /// Drops the holes at the old end.
    fn settle(&mut self) {
        while self.entries.front().is_some_and(Entry::is_hole) {
            self.pop();
        }
        if self.entries.is_empty() && self.entries.capacity() > SMALL {
            self.entries = VecDeque::new();
        }
    }

    fn pop(&mut self) -> Option<T> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.weight;
        self.holes -= usize::from(entry.is_hole());
        *self.standing(0) += entry.standing;
        entry.item
    }
}

impl<T: Clone> Ring<T> {
    /// Reads up to `most` items at `cursor`: the first one is returned, and the others go into `more`.
    ///
    /// What nobody else will read is moved, and not cloned.
    pub(crate) fn read(
        &mut self,
        cursor: Position,
        most: usize,
        more: &mut VecDeque<T>,
    ) -> Read<T> {
        if let Some(missed) = self.missed(cursor) {
            return missed;
        }
        let start = self.index(cursor);
        let mut reading = Reading {
            first: None,
            more,
            behind: cursor,
            left: most.min(self.entries.len() - start),
        };
        if start == 0 && !self.retain {
            self.take_alone(&mut reading);
        }
        let mut end = start;
        for (index, entry) in self.entries.range(start..).enumerate() {
            if reading.left == 0 {
                break;
            }
            if let Some(item) = &entry.item {
                reading.put(entry.position, item.clone());
                end = start + index + 1;
            }
        }
        // No foreign code runs from here on: had a clone panicked, this reader would stand where it stood.
        *self.standing(start) -= 1;
        *self.standing(end) += 1;
        let Reading { first, behind, .. } = reading;
        first.map_or(Read::Empty, |item| Read::Item(item, behind))
    }

    /// Takes out what is left at the old end for one reader alone.
    fn take_alone(&mut self, reading: &mut Reading<'_, T>) {
        while reading.left > 0 {
            let front = self.entries.front().filter(|entry| entry.standing == 1);
            let Some(position) = front.map(|entry| entry.position) else {
                break;
            };
            // Who read on from there reads on from the next one.
            if let Some(item) = self.pop() {
                reading.put(position, item);
            }
        }
        self.settle();
    }
}

/// What one call has read so far.
struct Reading<'a, T> {
    first: Option<T>,
    more: &'a mut VecDeque<T>,
    behind: Position,
    /// How many more to read at most, and to make room for.
    left: usize,
}

impl<T> Reading<'_, T> {
    fn put(&mut self, position: Position, item: T) {
        self.behind = position + 1;
        self.left -= 1;
        if self.first.is_none() {
            self.first = Some(item);
            return;
        }
        if self.more.is_empty() {
            self.more.reserve_exact(self.left + 1);
        }
        self.more.push_back(item);
    }
}

impl<T> Entry<T> {
    const fn is_hole(&self) -> bool {
        self.item.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(items: usize, retain: bool) -> Ring<u32> {
        let bounds = Bounds {
            items: NonZeroUsize::new(items).unwrap(),
            bytes: 100,
            age: Duration::from_secs(5),
        };
        Ring::new(bounds, retain)
    }

    fn push(ring: &mut Ring<u32>, item: u32, at: u64) -> Vec<u32> {
        let at = Duration::from_secs(at);
        ring.push(item, 10, at);
        std::iter::from_fn(|| ring.evict(at)).collect()
    }

    #[test]
    fn keeps_within_every_bound_and_counts_what_was_missed() {
        let mut by_items = ring(2, true);
        let dropped: Vec<_> = (0..5).flat_map(|n| push(&mut by_items, n, 0)).collect();
        assert_eq!((dropped, by_items.len()), (vec![0, 1, 2], 2));
        assert_eq!(by_items.peek(1), Read::Missed(2, 3));
        assert_eq!(by_items.peek(3), Read::Item(&3, 4));
        assert_eq!(by_items.peek(5), Read::Empty);

        let mut by_bytes = ring(1_000, true);
        (0..50).for_each(|n| drop(push(&mut by_bytes, n, 0)));
        assert_eq!((by_bytes.len(), by_bytes.bytes), (10, 100));

        let mut by_age = ring(1_000, true);
        (0..50).for_each(|n| drop(push(&mut by_age, n, n.into())));
        assert_eq!((by_age.len(), by_age.peek(44)), (6, Read::Item(&44, 45)));
        assert_eq!(by_age.peek(43), Read::Missed(1, 44));
    }

    #[test]
    fn the_last_reader_takes_the_item_and_the_memory_goes() {
        let (mut ring, mut more) = (ring(100, false), VecDeque::new());
        ring.enter(0);
        ring.enter(0);
        (0..50).for_each(|n| ring.push(n, 1, Duration::ZERO));
        assert_eq!(ring.read(0, 10, &mut more), Read::Item(0, 10));
        assert_eq!(ring.read(0, 1, &mut more), Read::Item(0, 1));
        assert_eq!(ring.read(1, 20, &mut more), Read::Item(1, 21));
        assert_eq!((more.len(), ring.len()), (28, 40)); // nine of them moved
        assert_eq!(ring.leave(10).len(), 11);
        assert_eq!(ring.leave(21).len(), 29);
        assert_eq!((ring.len(), ring.bytes, ring.entries.capacity()), (0, 0, 0));
    }

    #[test]
    fn superseded_items_are_skipped_and_not_missed() {
        let (mut ring, mut more) = (ring(3, false), VecDeque::new());
        ring.enter(0);
        (0..100).for_each(|n| {
            drop(push(&mut ring, n, 0));
            let old = n.checked_sub(1).and_then(|old| ring.supersede(old.into()));
            assert_eq!(old, n.checked_sub(1));
        });
        assert_eq!((ring.lost(), ring.len()), (0, 1));
        assert_eq!(ring.read(0, 9, &mut more), Read::Item(99, 100));
        assert_eq!(ring.read(100, 9, &mut more), Read::Empty);
    }
}
