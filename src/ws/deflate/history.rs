//! `History`: the last bytes of a stream, as many as its window holds (pure).

/// A ring that grows to the window's size and no further.
#[derive(Debug)]
pub(super) struct History {
    ring: Vec<u8>,
    /// Where the next byte goes once the ring is full: the oldest byte is there.
    next: usize,
    window: usize,
}

impl History {
    pub(super) const fn new(bits: u8) -> Self {
        Self {
            ring: Vec::new(),
            next: 0,
            window: 1 << bits,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        // Only the last window's worth can be referred to.
        let mut bytes = &bytes[bytes.len().saturating_sub(self.window)..];
        let grow = bytes.len().min(self.window - self.ring.len());
        self.reserve(grow);
        self.ring.extend_from_slice(&bytes[..grow]);
        bytes = &bytes[grow..];
        while !bytes.is_empty() {
            let run = bytes.len().min(self.window - self.next);
            self.ring[self.next..self.next + run].copy_from_slice(&bytes[..run]);
            self.next = (self.next + run) % self.window;
            bytes = &bytes[run..];
        }
    }

    /// Room for more, by doubling, but never for more than the window.
    fn reserve(&mut self, more: usize) {
        let (length, capacity) = (self.ring.len(), self.ring.capacity());
        if capacity - length < more {
            let capacity = (2 * capacity).clamp(length + more, self.window);
            self.ring.reserve_exact(capacity - length);
        }
    }

    /// Everything that is held, oldest first.
    pub(super) fn bytes(&mut self) -> &[u8] {
        self.ring.rotate_left(self.next);
        self.next = 0;
        &self.ring
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Forgets everything, and frees it.
    pub(super) fn clear(&mut self) {
        self.ring = Vec::new();
        self.next = 0;
    }
}
