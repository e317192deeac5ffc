//! Memory of queues, lent by the thread to whoever has something to queue: growing one takes as long as filling it.

use std::{cell::Cell, collections::VecDeque};

use crate::ws::{Message, Outgoing};

thread_local! {
    static INBOX: Cell<VecDeque<Message>> = const { Cell::new(VecDeque::new()) };
    static OUTBOX: Cell<VecDeque<Outgoing>> = const { Cell::new(VecDeque::new()) };
}

/// No more than this is kept by a thread, in messages.
const LARGEST: usize = 4096;

/// What a queue may borrow.
pub(super) trait Spare: Sized + 'static {
    /// Takes the thread's spare queue; a new one when it is lent.
    fn borrow() -> VecDeque<Self>;
    /// Gives an empty queue back.
    fn give_back(queue: VecDeque<Self>);
}

impl Spare for Message {
    fn borrow() -> VecDeque<Self> {
        INBOX.take()
    }

    fn give_back(queue: VecDeque<Self>) {
        keep(queue, &INBOX);
    }
}

impl Spare for Outgoing {
    fn borrow() -> VecDeque<Self> {
        OUTBOX.take()
    }

    fn give_back(queue: VecDeque<Self>) {
        keep(queue, &OUTBOX);
    }
}

fn keep<M>(queue: VecDeque<M>, slot: &'static std::thread::LocalKey<Cell<VecDeque<M>>>) {
    if (1..=LARGEST).contains(&queue.capacity()) && queue.is_empty() {
        slot.set(queue);
    }
}
