//! Messages that wait, bounded in number and in bytes. Pure.

use super::line::Line;
use crate::ws::{Limits, Message, Outgoing};

/// What can wait.
pub(super) trait Weight {
    /// The length of its payload in bytes.
    fn weight(&self) -> usize;

    /// How many places it takes.
    fn places(&self) -> usize {
        1
    }
}

impl Weight for Message {
    fn weight(&self) -> usize {
        self.len()
    }
}

impl Weight for Outgoing {
    fn weight(&self) -> usize {
        self.len()
    }

    fn places(&self) -> usize {
        self.entries()
    }
}

/// How many messages may wait, and of how many bytes. The two queues of a connection have the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    count: usize,
    pub(super) bytes: usize,
}

impl Bounds {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            count: limits.queued_messages,
            bytes: limits.queued_bytes,
        }
    }
}

/// How much more a queue lets in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    count: usize,
    bytes: usize,
}

impl Room {
    /// Whether there is any: one message of whatever size.
    #[inline]
    pub(super) const fn is_some(self) -> bool {
        self.count > 0 && self.bytes > 0
    }

    #[inline]
    pub(super) const fn fill(&mut self, bytes: usize) {
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Messages in order, with the sum of their bytes.
///
/// It counts what was taken out as still there until it is [released](Self::release): a message that is on its way
/// still takes memory.
#[derive(Debug)]
pub(super) struct Queue<M> {
    messages: Line<M>,
    count: usize,
    bytes: usize,
}

impl<M: Weight> Queue<M> {
    pub(super) const fn new() -> Self {
        Self {
            messages: Line::new(),
            count: 0,
            bytes: 0,
        }
    }

    /// Whether one more is let in, of whatever size.
    #[inline]
    pub(super) const fn has_room(&self, bounds: &Bounds) -> bool {
        self.count < bounds.count && self.bytes < bounds.bytes
    }

    /// What is let in still.
    pub(super) const fn room(&self, bounds: &Bounds) -> Room {
        Room {
            count: bounds.count.saturating_sub(self.count),
            bytes: bounds.bytes.saturating_sub(self.bytes),
        }
    }

    /// Whether at most half of either bound is in use: where a stopped side goes on, so that it goes on in batches.
    pub(super) const fn is_half_empty(&self, bounds: &Bounds) -> bool {
        self.count <= bounds.count / 2 && self.bytes <= bounds.bytes / 2
    }

    /// The bytes in use.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many there are, and of how many bytes.
    pub(super) const fn weight(&self) -> (usize, usize) {
        (self.count, self.bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    #[inline]
    pub(super) fn push(&mut self, message: M) {
        self.count += message.places();
        self.bytes = self.bytes.saturating_add(message.weight());
        self.messages.push(message);
    }

    /// Swaps all that waits with `other`, which is empty. It still counts.
    pub(super) fn swap(&mut self, other: &mut Line<M>) {
        debug_assert!(other.is_empty(), "what is swapped in would not be counted");
        std::mem::swap(&mut self.messages, other);
    }

    /// What was swapped out has left.
    pub(super) const fn release(&mut self, count: usize, bytes: usize) {
        self.count = self.count.saturating_sub(count);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Adds all of `others`, and leaves an empty queue there.
    pub(super) fn append(&mut self, others: &mut Line<M>, bytes: usize) {
        self.count += others.len();
        self.bytes = self.bytes.saturating_add(bytes);
        self.messages.append(others);
    }

    /// The memory of an empty queue.
    pub(super) fn spare(&mut self) -> Option<Line<M>> {
        let unused = self.messages.is_empty() && self.messages.has_memory();
        unused.then(|| std::mem::take(&mut self.messages))
    }

    /// Memory for an empty queue that has none.
    pub(super) fn lend(&mut self, spare: Line<M>) {
        if !self.messages.has_memory() {
            self.messages = spare;
        }
    }

    pub(super) const fn has_memory(&self) -> bool {
        self.messages.has_memory()
    }

    /// Drops all that waits: nobody will read or send it any more.
    pub(super) fn clear(&mut self) {
        self.messages = Line::new();
        self.count = 0;
        self.bytes = 0;
    }
}
