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

/// Items in the order of their publication, the oldest dropped when a bound is passed.
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
}

#[derive(Debug)]
struct Entry<T> {
    position: Position,
    weight: usize,
    at: Duration,
    readers: Readers,
    /// `None` is a hole: a later item took its place.
    item: Option<T>,
}

/// For whom an item is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Readers {
    /// Until that many have read it.
    Left(usize),
    /// Until a bound drops it.
    Anybody,
}

/// What stands at a cursor.
#[derive(Debug, PartialEq)]
pub(crate) enum Read<T> {
    /// An item, and the cursor behind it.
    Item(T, Position),
    /// Everything was read.
    Empty,
    /// So many were dropped; the cursor goes to the oldest that is left.
    Missed(u64, Position),
}

/// With fewer holes a log is not worth compacting; with more room an empty one gives its memory back.
const SMALL: usize = 32;

impl<T> Ring<T> {
    pub(crate) const fn new(bounds: Bounds) -> Self {
        Self {
            entries: VecDeque::new(),
            bounds,
            bytes: 0,
            holes: 0,
            next: 0,
            lost: 0,
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

    /// Adds an item, for `readers`. Call [`evict`](Self::evict) until it says `None` afterwards.
    pub(crate) fn push(&mut self, item: T, weight: usize, at: Duration, readers: Readers) {
        self.bytes += weight;
        self.entries.push_back(Entry {
            position: self.next,
            weight,
            at,
            readers,
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
            self.entries.retain(|entry| !entry.is_hole());
            self.holes = 0;
        }
        Some(item)
    }

    /// What stands at `cursor`, left in place.
    pub(crate) fn peek(&self, cursor: Position) -> Read<&T> {
        if let Some(missed) = self.missed(cursor) {
            return missed;
        }
        let entries = self.entries.range(self.index(cursor)..);
        let mut items = entries.filter_map(|entry| Some((entry.item.as_ref()?, entry.position)));
        match items.next() {
            Some((item, position)) => Read::Item(item, position + 1),
            None => Read::Empty,
        }
    }

    /// The reader at `cursor` goes: what was kept for it alone comes back, to be dropped.
    pub(crate) fn release(&mut self, cursor: Position) -> Vec<T> {
        let mut dropped = Vec::new();
        let start = self.index(cursor);
        for entry in self.entries.range_mut(start..) {
            if entry.read_once() {
                self.holes += usize::from(!entry.is_hole());
                dropped.extend(entry.item.take());
            }
        }
        self.settle();
        dropped
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
        // Without compaction the positions have no gaps, and the place is known at once.
        let guess = usize::try_from(position.saturating_sub(first.position)).unwrap_or(usize::MAX);
        match self.entries.get(guess) {
            Some(entry) if entry.position == position => guess,
            _ => self
                .entries
                .partition_point(|entry| entry.position < position),
        }
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
        entry.item
    }
}

impl<T: Clone> Ring<T> {
    /// What stands at `cursor`, for one of the readers it is kept for. The last one gets the item itself.
    pub(crate) fn read(&mut self, cursor: Position) -> Read<T> {
        if let Some(missed) = self.missed(cursor) {
            return missed;
        }
        let mut index = self.index(cursor);
        while self.entries.get(index).is_some_and(Entry::is_hole) {
            index += 1;
        }
        let Some(entry) = self.entries.get_mut(index) else {
            return Read::Empty;
        };
        let behind = entry.position + 1;
        let item = if entry.read_once() {
            self.holes += 1;
            let item = entry.item.take();
            self.settle();
            item
        } else {
            entry.item.clone()
        };
        item.map_or(Read::Empty, |item| Read::Item(item, behind))
    }
}

impl<T> Entry<T> {
    const fn is_hole(&self) -> bool {
        self.item.is_none()
    }

    /// One reader is through with it. Was it the last?
    const fn read_once(&mut self) -> bool {
        match &mut self.readers {
            Readers::Anybody => false,
            Readers::Left(left) => {
                *left = left.saturating_sub(1);
                *left == 0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(items: usize) -> Ring<u32> {
        Ring::new(Bounds {
            items: NonZeroUsize::new(items).unwrap(),
            bytes: 100,
            age: Duration::from_secs(5),
        })
    }

    fn push(ring: &mut Ring<u32>, item: u32, at: u64) -> Vec<u32> {
        let at = Duration::from_secs(at);
        ring.push(item, 10, at, Readers::Anybody);
        std::iter::from_fn(|| ring.evict(at)).collect()
    }

    #[test]
    fn keeps_within_every_bound_and_counts_what_was_missed() {
        let mut by_items = ring(2);
        let dropped: Vec<_> = (0..5).flat_map(|n| push(&mut by_items, n, 0)).collect();
        assert_eq!((dropped, by_items.len()), (vec![0, 1, 2], 2));
        assert_eq!(by_items.peek(1), Read::Missed(2, 3));
        assert_eq!(by_items.peek(3), Read::Item(&3, 4));
        assert_eq!(by_items.peek(5), Read::Empty);

        let mut by_bytes = ring(1_000);
        (0..50).for_each(|n| drop(push(&mut by_bytes, n, 0)));
        assert_eq!((by_bytes.len(), by_bytes.bytes), (10, 100));

        let mut by_age = ring(1_000);
        (0..50).for_each(|n| drop(push(&mut by_age, n, n.into())));
        assert_eq!((by_age.len(), by_age.peek(44)), (6, Read::Item(&44, 45)));
        assert_eq!(by_age.peek(43), Read::Missed(1, 44));
    }

    #[test]
    fn the_last_reader_takes_the_item_and_the_memory_goes() {
        let mut ring = ring(100);
        (0..50).for_each(|n| ring.push(n, 1, Duration::ZERO, Readers::Left(2)));
        assert_eq!(ring.read(0), Read::Item(0, 1));
        assert_eq!((ring.read(0), ring.len()), (Read::Item(0, 1), 49));
        assert_eq!(ring.release(1).len(), 0);
        assert_eq!(ring.release(1).len(), 49);
        assert_eq!((ring.len(), ring.bytes, ring.entries.capacity()), (0, 0, 0));
    }

    #[test]
    fn superseded_items_are_skipped_and_not_missed() {
        let mut ring = ring(3);
        (0..100).for_each(|n| {
            drop(push(&mut ring, n, 0));
            let old = n.checked_sub(1).and_then(|old| ring.supersede(old.into()));
            assert_eq!(old, n.checked_sub(1));
        });
        assert_eq!((ring.lost(), ring.len()), (0, 1));
        assert_eq!(ring.read(0), Read::Item(99, 100));
        assert_eq!(ring.read(100), Read::Empty);
    }
}
