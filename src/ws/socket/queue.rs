//! Messages that wait, bounded in number and in bytes. Pure.

use std::collections::VecDeque;

use crate::ws::{Limits, Message, Outgoing};

/// What can wait.
pub(super) trait Weight {
    /// The length of its payload in bytes.
    fn weight(&self) -> usize;
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
    pub(super) const fn has_room(&self) -> bool {
        self.count < self.max_count && self.bytes < self.max_bytes
    }

    /// Whether at most half of either bound is in use: where a stopped side goes on, so that it goes on in batches.
    pub(super) const fn is_half_empty(&self) -> bool {
        self.count <= self.max_count / 2 && self.bytes <= self.max_bytes / 2
    }

    /// The bytes in use.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn push(&mut self, message: M) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(message.weight());
        self.messages.push_back(message);
    }

    /// Takes the next one out for good.
    pub(super) fn pop(&mut self) -> Option<M> {
        let message = self.messages.pop_front()?;
        self.release(1, message.weight());
        Some(message)
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

    /// Takes the whole queue, and leaves an empty one with the same bounds.
    pub(super) const fn take(&mut self) -> Self {
        let empty = Self {
            messages: VecDeque::new(),
            count: 0,
            bytes: 0,
            ..*self
        };
        std::mem::replace(self, empty)
    }

    /// Gives the memory of an empty queue back.
    pub(super) fn shrink(&mut self) {
        if self.messages.is_empty() && self.messages.capacity() > 0 {
            self.messages = VecDeque::new();
        }
    }

    /// Drops all that waits: nobody will read or send it any more.
    pub(super) fn clear(&mut self) {
        self.messages = VecDeque::new();
        self.count = 0;
        self.bytes = 0;
    }
}
