//! Bytes read ahead of the decoder, in a buffer that connections of a thread share.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_io::AsyncRead;

/// How much one read may bring. Large, because a read costs a system call; shared, because an idle connection must
/// not pay for it.
const SIZE: usize = 64 << 10;

thread_local! {
    /// The buffer of this thread, while no connection holds unread bytes in it.
    static SPARE: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// What was read and not yet looked at. It holds memory only while there is something.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    buffer: Option<Box<[u8]>>,
    start: usize,
    end: usize,
}

impl Ahead {
    pub(super) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(super) fn unread(&self) -> &[u8] {
        self.buffer
            .as_deref()
            .map_or(&[], |buffer| &buffer[self.start..self.end])
    }

    /// The first `count` bytes have been looked at.
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end, "more was consumed than was there");
        if self.is_empty() {
            self.give_back();
        }
    }

    /// Reads what is there; only when nothing is unread.
    pub(super) fn fill<T: AsyncRead + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        debug_assert!(self.is_empty(), "unread bytes would be lost");
        let mut buffer = SPARE
            .take()
            .unwrap_or_else(|| vec![0; SIZE].into_boxed_slice());
        let read = Pin::new(io).poll_read(cx, &mut buffer);
        self.start = 0;
        self.end = 0;
        if let Poll::Ready(Ok(count @ 1..)) = read {
            self.end = count.min(buffer.len());
            self.buffer = Some(buffer);
        } else {
            SPARE.set(Some(buffer));
        }
        Poll::Ready(ready!(read))
    }

    /// Unread bytes may stay for long: moves them where they take no more memory than they need, and leaves the
    /// buffer to the others.
    pub(super) fn settle(&mut self) {
        if self
            .buffer
            .as_ref()
            .is_some_and(|buffer| buffer.len() == SIZE)
        {
            let rest: Box<[u8]> = self.unread().into();
            self.give_back();
            self.start = 0;
            self.end = rest.len();
            self.buffer = Some(rest);
        }
    }

    /// Drops the unread bytes.
    pub(super) fn clear(&mut self) {
        self.give_back();
        self.start = 0;
        self.end = 0;
    }

    fn give_back(&mut self) {
        if let Some(buffer) = self.buffer.take_if(|buffer| buffer.len() == SIZE) {
            SPARE.set(Some(buffer));
        }
        self.buffer = None;
    }
}
