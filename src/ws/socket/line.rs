//! Messages in a row, for a pointer while there are none. Pure.

use std::collections::VecDeque;

/// A [`VecDeque`] behind a pointer: a connection has several, and most are empty most of the time.
///
/// The memory is lent and given back as a whole, so that nothing is allocated while messages flow.
#[derive(Debug)]
#[expect(
    clippy::box_collection,
    reason = "three words less for each of the many that are empty"
)]
pub(super) struct Line<M>(Option<Box<VecDeque<M>>>);

impl<M> Line<M> {
    pub(super) const fn new() -> Self {
        Self(None)
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|messages| messages.is_empty())
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |messages| messages.len())
    }

    /// How many it holds without growing.
    pub(super) fn capacity(&self) -> usize {
        self.0.as_ref().map_or(0, |messages| messages.capacity())
    }

    pub(super) const fn has_memory(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn front(&self) -> Option<&M> {
        self.0.as_ref()?.front()
    }

    #[inline]
    pub(super) fn push(&mut self, message: M) {
        self.0.get_or_insert_default().push_back(message);
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<M> {
        self.0.as_mut()?.pop_front()
    }

    /// Adds all of `others`, and leaves an empty line there.
    pub(super) fn append(&mut self, others: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, others);
        } else if let (Some(messages), Some(others)) = (&mut self.0, &mut others.0) {
            messages.append(others);
        }
    }
}

impl<M> Default for Line<M> {
    fn default() -> Self {
        Self::new()
    }
}
