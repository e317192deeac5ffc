//! Messages that wait, bounded in number and in bytes. Pure.

use std::collections::VecDeque;

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
    messages: VecDeque<M>,
    count: usize,
    bytes: usize,
    max_count: usize,
    max_bytes: usize,
}

impl<M: Weight> Queue<M> {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            messages: VecDeque::new(),
            count: 0,
            bytes: 0,
            max_count: limits.queued_messages,
            max_bytes: limits.queued_bytes,
        }
    }

    /// Whether one more is let in, of whatever size.
    #[inline]
    pub(super) const fn has_room(&self) -> bool {
        self.count < self.max_count && self.bytes < self.max_bytes
    }

    /// What is let in still.
    pub(super) const fn room(&self) -> Room {
        Room {
            count: self.max_count.saturating_sub(self.count),
            bytes: self.max_bytes.saturating_sub(self.bytes),
        }
    }

    /// Whether at most half of either bound is in use: where a stopped side goes on, so that it goes on in batches.
    pub(super) const fn is_half_empty(&self) -> bool {
        self.count <= self.max_count / 2 && self.bytes <= self.max_bytes / 2
    }

    /// The bytes in use.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The bound in bytes.
    pub(super) const fn max_bytes(&self) -> usize {
        self.max_bytes
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
        self.messages.push_back(message);
    }

    /// Swaps all that waits with `other`, which is empty. It still counts.
    pub(super) fn swap(&mut self, other: &mut VecDeque<M>) {
        debug_assert!(other.is_empty(), "what is swapped in would not be counted");
        std::mem::swap(&mut self.messages, other);
    }

    /// What was swapped out has left.
    pub(super) const fn release(&mut self, count: usize, bytes: usize) {
        self.count = self.count.saturating_sub(count);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Adds all of `others`, and leaves an empty queue there.
    pub(super) fn append(&mut self, others: &mut VecDeque<M>, bytes: usize) {
        self.count += others.len();
        self.bytes = self.bytes.saturating_add(bytes);
        if self.messages.is_empty() {
            std::mem::swap(&mut self.messages, others);
        } else {
            self.messages.append(others);
        }
    }

    /// The memory of an empty queue.
    pub(super) fn spare(&mut self) -> Option<VecDeque<M>> {
        let unused = self.messages.is_empty() && self.messages.capacity() > 0;
        unused.then(|| std::mem::take(&mut self.messages))
    }

    /// Memory for an empty queue that has none.
    pub(super) fn lend(&mut self, spare: VecDeque<M>) {
        if self.messages.capacity() == 0 {
            self.messages = spare;
        }
    }

    pub(super) fn has_memory(&self) -> bool {
        self.messages.capacity() > 0
    }

    /// Drops all that waits: nobody will read or send it any more.
    pub(super) fn clear(&mut self) {
        self.messages = VecDeque::new();
        self.count = 0;
        self.bytes = 0;
    }
}
