//! Bytes read ahead of what looks at them, in a buffer that connections of a thread share.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_io::AsyncRead;

use super::{header, plain::Plain};

/// How much one read may bring. Large, because a read costs a system call; shared, because an idle connection must
/// not pay for it. A frame of 64 KiB comes in one, with its header.
const SIZE: usize = (64 << 10) + header::LONGEST;

thread_local! {
    /// The buffer of this thread, while no connection holds unread bytes in it.
    static SPARE: Cell<Option<Box<Plain>>> = const { Cell::new(None) };
}

/// What was read and not yet looked at. It holds memory only while there is something.
// Boxed: most connections have none.
#[derive(Debug, Default)]
pub(super) struct Ahead(Option<Box<Plain>>);

impl Ahead {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn unread(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], Plain::as_ref)
    }

    /// The first `count` bytes have been looked at.
    pub(super) fn consume(&mut self, count: usize) {
        let Some(buffer) = &mut self.0 else {
            debug_assert!(count == 0, "more was consumed than was there");
            return;
        };
        buffer.consume(count);
        if buffer.len() == 0 {
            self.clear();
        }
    }

    /// The first `count` unread bytes in the memory that they are in, where they fill most of it: they are not copied.
    pub(super) fn take(&mut self, count: usize) -> Option<Plain> {
        let mut buffer = self.0.take_if(|buffer| buffer.is_filled_by(count))?;
        let rest = buffer.split_off(count);
        self.0 = (rest.len() > 0).then(|| Box::new(rest));
        Some(*buffer)
    }

    /// Reads what is there; only when nothing is unread.
    pub(super) fn fill<T: AsyncRead + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        debug_assert!(self.is_empty(), "unread bytes would be lost");
        let mut buffer = SPARE.take().unwrap_or_else(|| Box::new(Plain::new(SIZE)));
        buffer.clear();
        let read = Pin::new(io).poll_read(cx, buffer.room(SIZE));
        if let Poll::Ready(Ok(count @ 1..)) = read {
            buffer.filled(count);
            self.0 = Some(buffer);
        } else {
            SPARE.set(Some(buffer));
        }
        Poll::Ready(ready!(read))
    }

    /// Unread bytes may stay for long: moves them where they take no more memory than they need, and leaves the
    /// buffer to the others.
    pub(super) fn settle(&mut self) {
        if let Some(buffer) = self.0.take_if(|buffer| is_shared(buffer)) {
            self.0 = Some(Box::new(Plain::copy_of((*buffer).as_ref())));
            SPARE.set(Some(buffer));
        }
    }

    /// Drops the unread bytes.
    pub(super) fn clear(&mut self) {
        if let Some(buffer) = self.0.take().filter(|buffer| is_shared(buffer)) {
            SPARE.set(Some(buffer));
        }
    }
}

/// Whether it is the buffer of a thread: a copy of unread bytes is never larger than these.
fn is_shared(buffer: &Plain) -> bool {
    buffer.is_at_least(SIZE + 1)
}
