//! Memory for messages as they come. That of large ones is used again: fresh memory costs a page fault for each 4 KiB,
//! which takes longer than to fill it.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;

/// What is at least so large is used again, in bytes.
const LARGE: usize = 32 << 10;
/// Where large messages begin in a page. Many processors of AMD copy five times slower where the source begins up to
/// 16 bytes before the destination, as seen within a page; and a kernel's buffers mostly begin where a page does.
const HALF_PAGE: usize = PAGE / 2;
const PAGE: usize = 4 << 10;
/// How much unused memory the process keeps, in bytes; more only while at least as much is in use, and none while there
/// is no connection.
const KEPT: usize = 8 << 20;

/// In how many pieces, so that a search among them is short.
const PIECES: usize = KEPT / LARGE;

/// What large messages have left behind, the oldest first.
// Of the process, not of the thread: a message may be dropped elsewhere than it came. It is locked for a few steps,
// twice for a message of at least 32 KiB.
static SPARE: Mutex<Spare> = Mutex::new(Spare::new());

#[derive(Debug)]
struct Spare {
    pieces: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The bytes of all large messages that there are.
    lent: usize,
    /// How many connections there are.
    users: usize,
}

/// A connection, which may use what others have left.
#[derive(Debug)]
pub(super) struct User(());

impl User {
    pub(super) fn new() -> Self {
        spare(|spare| spare.users += 1);
        Self(())
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _dropped = spare(Spare::leave);
    }
}

/// Bytes of a message, and room for more.
#[derive(Debug, Default)]
pub(super) struct Plain {
    /// Its length is what has been written to at some time, if only zeros: all of that can be read into.
    memory: Vec<u8>,
    start: usize,
    end: usize,
}

impl Plain {
    pub(super) const fn len(&self) -> usize {
        self.end - self.start
    }

    pub(super) fn capacity(&self) -> usize {
        self.memory.capacity() - self.start
    }

    /// Adds bytes; only with room for them. Where they are now.
    pub(super) fn push(&mut self, bytes: &[u8]) -> &mut [u8] {
        let used = bytes.len().min(self.memory.len() - self.end);
        self.memory[self.end..self.end + used].copy_from_slice(&bytes[..used]);
        self.memory.extend_from_slice(&bytes[used..]);
        self.filled(bytes.len())
    }

    /// What is not filled, up to so many bytes.
    // Zeros are written no earlier than now: they are still in the cache when others are written over them.
    pub(super) fn room(&mut self, most: usize) -> &mut [u8] {
        let end = self.memory.capacity().min(self.end.saturating_add(most));
        if self.memory.len() < end {
            self.memory.resize(end, 0);
        }
        &mut self.memory[self.end..end]
    }

    /// So many bytes of the room have been filled: here they are.
    pub(super) fn filled(&mut self, count: usize) -> &mut [u8] {
        let before = self.end;
        self.end = self.memory.len().min(before + count);
        &mut self.memory[before..self.end]
    }

    pub(super) fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.end]
    }

    /// Moves to memory of so many bytes, or up to a quarter more; only to grow.
    pub(super) fn grow(&mut self, capacity: usize) {
        let mut larger = Self::new(capacity);
        larger.push(self.as_ref());
        *self = larger;
    }

    /// With room for so many bytes, and up to a quarter more.
    pub(super) fn new(capacity: usize) -> Self {
        let memory = match capacity >= LARGE {
            true => lend(capacity.saturating_add(PAGE)),
            false => Vec::with_capacity(capacity),
        };
        let mut new = Self {
            memory,
            start: 0,
            end: 0,
        };
        new.clear();
        new
    }

    /// These bytes, in memory of just their size.
    pub(super) fn copy_of(bytes: &[u8]) -> Self {
        let memory = bytes.to_vec();
        if memory.capacity() >= LARGE {
            spare(|spare| spare.lent += memory.capacity());
        }
        Self {
            end: memory.len(),
            memory,
            start: 0,
        }
    }

    /// Forgets what came, and begins again.
    pub(super) fn clear(&mut self) {
        self.start = match self.is_at_least(LARGE) {
            true => HALF_PAGE.wrapping_sub(self.memory.as_ptr().addr()) % PAGE,
            false => 0,
        };
        self.end = self.start;
        if self.memory.len() < self.start {
            self.memory.resize(self.start, 0);
        }
    }

    /// Whether it takes so much memory.
    pub(super) fn is_at_least(&self, bytes: usize) -> bool {
        self.memory.capacity() >= bytes
    }

    /// Forgets the first bytes.
    pub(super) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.len(), "more was consumed than was there");
        self.start += count;
    }

    /// Whether its first `count` bytes are worth the memory.
    pub(super) fn is_filled_by(&self, count: usize) -> bool {
        self.memory.capacity() <= count + count / 2
    }

    /// Cuts it in two; the end is returned.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        let rest = Self::copy_of(&self.as_ref()[at..]);
        self.end = self.start + at;
        rest
    }

    /// All that came. It takes up to half as much memory again as it is long.
    pub(super) fn freeze(mut self) -> Bytes {
        if !self.is_filled_by(self.len()) {
            return Bytes::copy_from_slice(self.as_ref());
        }
        if self.is_at_least(LARGE) {
            return Bytes::from_owner(self);
        }
        self.memory.truncate(self.end);
        Bytes::from(std::mem::take(&mut self.memory)).slice(self.start..)
    }
}

impl AsRef<[u8]> for Plain {
    fn as_ref(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        if self.is_at_least(LARGE) {
            let memory = std::mem::take(&mut self.memory);
            let _dropped = spare(|spare| spare.put(memory));
        }
    }
}

fn lend(capacity: usize) -> Vec<u8> {
    let used = spare(|spare| spare.take(capacity));
    used.unwrap_or_else(|| {
        let memory = Vec::with_capacity(capacity);
        spare(|spare| spare.lent += memory.capacity());
        memory
    })
}

fn spare<R>(act: impl FnOnce(&mut Spare) -> R) -> R {
    act(&mut SPARE.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Spare {
    const fn new() -> Self {
        Self {
            pieces: VecDeque::new(),
            bytes: 0,
            lent: 0,
            users: 0,
        }
    }

    /// The newest that fits: it is the likeliest to be in the cache of the processor.
    fn take(&mut self, capacity: usize) -> Option<Vec<u8>> {
        let fits = capacity..=capacity.saturating_add(capacity / 4);
        let at = self
            .pieces
            .iter()
            .rposition(|piece| fits.contains(&piece.capacity()))?;
        let piece = self.pieces.remove(at)?;
        self.bytes -= piece.capacity();
        self.lent += piece.capacity();
        Some(piece)
    }

    /// What has to go for it, is returned: the oldest, since nothing has fitted it for the longest.
    fn put(&mut self, piece: Vec<u8>) -> Vec<Vec<u8>> {
        self.lent = self.lent.saturating_sub(piece.capacity());
        let most = match self.users {
            0 => 0,
            _ => self.lent.max(KEPT),
        };
        if piece.capacity() > most {
            return vec![piece];
        }
        self.bytes += piece.capacity();
        self.pieces.push_back(piece);
        let mut gone = Vec::new();
        while self.bytes > most || self.pieces.len() > PIECES {
            let Some(oldest) = self.pieces.pop_front() else {
                break;
            };
            self.bytes -= oldest.capacity();
            gone.push(oldest);
        }
        gone
    }

    /// With the last connection everything goes; it is returned.
    fn leave(&mut self) -> VecDeque<Vec<u8>> {
        self.users = self.users.saturating_sub(1);
        if self.users > 0 {
            return VecDeque::new();
        }
        self.bytes = 0;
        std::mem::take(&mut self.pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = 1 << 20;

    fn spare(sizes: &[usize]) -> Spare {
        let mut spare = Spare::new();
        spare.users = 1;
        for &size in sizes {
            spare.put(Vec::with_capacity(size));
        }
        spare
    }

    #[test]
    fn the_newest_that_fits_is_lent() {
        let mut spare = spare(&[LARGE, 100_000, 40_000, 50_001, 40_001]);
        for (asked, lent) in [
            (40_000, Some(40_001)),
            (40_000, Some(40_000)),
            // At most a quarter more than was asked for.
            (40_000, None),
            (40_001, Some(50_001)),
            (100_001, None),
        ] {
            assert_eq!(spare.take(asked).map(|piece| piece.capacity()), lent);
        }
        assert_eq!((spare.pieces.len(), spare.bytes), (2, LARGE + 100_000));
    }

    #[test]
    fn no_more_is_kept_than_is_in_use_or_allowed() {
        let mut spare = spare(&[]);
        spare.lent = 20 * PIECE;
        for returned in 1..=20 {
            spare.put(Vec::with_capacity(PIECE));
            let most = (20 - returned).max(KEPT / PIECE);
            assert_eq!(spare.pieces.len(), returned.min(most), "{returned}");
        }
        assert_eq!((spare.bytes, spare.lent), (KEPT, 0));
        // One that is larger than all that is kept takes the place of none.
        assert_eq!(spare.put(Vec::with_capacity(KEPT + 1)).len(), 1);
        assert_eq!(spare.bytes, KEPT);
    }

    #[test]
    fn nothing_is_kept_without_connections() {
        let mut spare = spare(&[LARGE]);
        assert_eq!((spare.leave().len(), spare.bytes), (1, 0));
        assert_eq!(spare.put(Vec::with_capacity(LARGE)).len(), 1);
    }
}
