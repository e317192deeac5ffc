//! Those who wait for room, in the order in which they came. Pure.
//!
//! Like [`WakerSet`](crate::wakers::WakerSet) it lives under the lock of what is waited for; wakers are dropped and
//! woken after it.
use std::{collections::VecDeque, task::Waker};

use crate::wakers::replace;

/// First come, first served.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// By ticket, which grows.
    places: VecDeque<(u64, Option<Waker>)>,
    next: u64,
}

/// A place in a [`Line`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

impl Line {
    pub(super) const fn new() -> Self {
        Self {
            places: VecDeque::new(),
            next: 0,
        }
    }

    /// Whether somebody without a place, or with this one, is the next.
    pub(super) fn is_turn_of(&self, ticket: Option<Ticket>) -> bool {
        self.places.front().map(|(first, _)| Ticket(*first)) == ticket
    }

    /// A place at the end.
    pub(super) fn join(&mut self) -> Ticket {
        let ticket = self.next;
        self.next += 1;
        self.places.push_back((ticket, None));
        Ticket(ticket)
    }

    /// Remembers whom to wake at this place; whom it remembered before is returned.
    #[must_use = "foreign code runs when it drops"]
    pub(super) fn wait(&mut self, ticket: Ticket, waker: &Waker) -> Option<Waker> {
        let at = self.find(ticket)?;
        replace(&mut self.places[at].1, waker)
    }

    /// Leaves, with or without having had the turn.
    #[must_use = "foreign code runs when it drops"]
    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<Waker> {
        let (_, waker) = self.places.remove(self.find(ticket)?)?;
        if self.places.is_empty() {
            self.places = VecDeque::new();
        }
        waker
    }

    /// Takes out the wakers of the first `count`; their places stay.
    #[must_use = "whoever waits has to be woken"]
    pub(super) fn take(&mut self, count: usize) -> Vec<Waker> {
        let first = self.places.iter_mut().take(count);
        first.filter_map(|(_, waker)| waker.take()).collect()
    }

    fn find(&self, Ticket(ticket): Ticket) -> Option<usize> {
        self.places
            .binary_search_by_key(&ticket, |(ticket, _)| *ticket)
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_who_stays_is_next() {
        let mut line = Line::new();
        assert!(line.is_turn_of(None));
        let [a, b, c] = [line.join(), line.join(), line.join()];
        assert!(line.is_turn_of(Some(a)) && !line.is_turn_of(Some(b)) && !line.is_turn_of(None));
        drop(line.leave(b));
        drop(line.leave(a));
        assert!(line.is_turn_of(Some(c)));
        drop(line.leave(c));
        assert!(line.is_turn_of(None) && line.places.capacity() == 0);
    }

    #[test]
    fn so_many_are_woken_and_once() {
        let mut line = Line::new();
        for _ in 0..3 {
            let ticket = line.join();
            assert!(line.wait(ticket, Waker::noop()).is_none());
        }
        assert_eq!(line.take(2).len(), 2);
        assert_eq!(line.take(3).len(), 1);
        assert!(line.take(3).is_empty());
    }
}
