//! When a connection lets go of its memory.

use std::{task::Context, time::Duration};

use futures_io::{AsyncRead, AsyncWrite};

use super::{clock::Rare, driver::Driver, spare::Spare};
use crate::ws::outgoing::Outgoing;

/// From so many messages or bytes at once on, a connection stays awake: to wake up costs as much as some messages.
const BATCH: (u32, u32) = (8, 16 << 10);
/// How long it stays awake without use. Up to twice that, since the alarm is not set anew with each batch.
const DOZE: Duration = Duration::from_millis(250);

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    /// Nothing is to be done: lets go of all memory that an idle connection does not need, now or soon.
    pub(super) fn rest(&mut self, cx: &mut Context<'_>) {
        self.doze(cx);
        let awake = self.alert && !self.wire.is_bulky();
        let idle = !self.dirty && self.tx.is_empty();
        if let Some(io) = self.wire.io() {
            io.settle();
            if !idle || awake || io.has_unread() {
                return;
            }
        }
        self.wire.sleep();
        Outgoing::give_back(std::mem::take(&mut self.tx));
    }

    pub(super) fn note_moved(&mut self, messages: usize, bytes: usize) {
        let add = |to: u32, more: usize| to.saturating_add(more.try_into().unwrap_or(u32::MAX));
        self.moved = (add(self.moved.0, messages), add(self.moved.1, bytes));
    }

    /// Whether to stay awake for more. Without a timer nobody would say when it is enough.
    fn doze(&mut self, cx: &mut Context<'_>) {
        let (messages, bytes) = std::mem::take(&mut self.moved);
        let busy = messages >= BATCH.0 || bytes > BATCH.1;
        if busy && self.wire.is_awake() && self.timer.is_some() {
            (self.alert, self.used) = (true, true);
        }
        while self.alert && self.rings(Rare::Doze, DOZE, cx) {
            self.alert = std::mem::take(&mut self.used);
        }
    }
}
