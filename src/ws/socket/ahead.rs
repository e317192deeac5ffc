//! Bytes read ahead of what looks at them, in a buffer that connections of a thread share.

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
    static SPARE: Cell<Option<Box<Buffer>>> = const { Cell::new(None) };
}

/// What was read and not yet looked at. It holds memory only while there is something.
// Boxed: most connections have none.
#[derive(Debug, Default)]
pub(super) struct Ahead(Option<Box<Buffer>>);

/// It is never empty, but for that of a thread.
#[derive(Debug)]
struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Ahead {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn unread(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], Buffer::unread)
    }

    /// The first `count` bytes have been looked at.
    pub(super) fn consume(&mut self, count: usize) {
        let Some(buffer) = &mut self.0 else {
            debug_assert!(count == 0, "more was consumed than was there");
            return;
        };
        buffer.start += count;
        debug_assert!(
            buffer.start <= buffer.end,
            "more was consumed than was there"
        );
        if buffer.start == buffer.end {
            self.clear();
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
            .unwrap_or_else(|| Box::new(Buffer::new(vec![0; SIZE].into())));
        let read = Pin::new(io).poll_read(cx, &mut buffer.bytes);
        if let Poll::Ready(Ok(count @ 1..)) = read {
            buffer.start = 0;
            buffer.end = count.min(buffer.bytes.len());
            self.0 = Some(buffer);
        } else {
            SPARE.set(Some(buffer));
        }
        Poll::Ready(ready!(read))
    }

    /// Unread bytes may stay for long: moves them where they take no more memory than they need, and leaves the
    /// buffer to the others.
    pub(super) fn settle(&mut self) {
        if let Some(buffer) = self.0.take_if(|buffer| buffer.is_shared()) {
            self.0 = Some(Box::new(Buffer::new(buffer.unread().into())));
            SPARE.set(Some(buffer));
        }
    }

    /// Drops the unread bytes.
    pub(super) fn clear(&mut self) {
        if let Some(buffer) = self.0.take().filter(|buffer| buffer.is_shared()) {
            SPARE.set(Some(buffer));
        }
    }
}

impl Buffer {
    const fn new(bytes: Box<[u8]>) -> Self {
        let end = bytes.len();
        Self {
            bytes,
            start: 0,
            end,
        }
    }

    fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Whether it is the buffer of a thread.
    const fn is_shared(&self) -> bool {
        self.bytes.len() == SIZE
    }
}
