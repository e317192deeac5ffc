//! Memory of queues, lent by the thread to whoever has something to queue: growing one takes as long as filling it.

use std::cell::Cell;

use super::line::Line;
use crate::ws::{Message, Outgoing};

thread_local! {
    static INBOX: Cell<Line<Message>> = const { Cell::new(Line::new()) };
    static OUTBOX: Cell<Line<Outgoing>> = const { Cell::new(Line::new()) };
}

/// No more than this is kept by a thread, in messages.
const LARGEST: usize = 4096;

/// What a queue may borrow.
pub(super) trait Spare: Sized + 'static {
    /// Takes the thread's spare queue; a new one when it is lent.
    fn borrow() -> Line<Self>;
    /// Gives an empty queue back.
    fn give_back(queue: Line<Self>);
}

impl Spare for Message {
    fn borrow() -> Line<Self> {
        INBOX.take()
    }

    fn give_back(queue: Line<Self>) {
        keep(queue, &INBOX);
    }
}

impl Spare for Outgoing {
    fn borrow() -> Line<Self> {
        OUTBOX.take()
    }

    fn give_back(queue: Line<Self>) {
        keep(queue, &OUTBOX);
    }
}

fn keep<M>(queue: Line<M>, slot: &'static std::thread::LocalKey<Cell<Line<M>>>) {
    if (1..=LARGEST).contains(&queue.capacity()) && queue.is_empty() {
        slot.set(queue);
    }
}
