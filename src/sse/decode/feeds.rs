//! Where short lines end. Pure.

use wide::{CmpEq, i8x16};

/// The line feeds of a chunk.
///
/// They are sought in blocks, so that no search waits for what the one before has found: of several short lines, that
/// wait is most of the time.
#[derive(Debug)]
pub(super) struct Feeds {
    /// Where the block begins, or the part of it that counts.
    base: usize,
    /// Where the next one does.
    next: usize,
    /// A bit for each line feed at `base` and after, in the block.
    found: u64,
}

impl Feeds {
    /// From `start` on.
    #[inline]
    pub(super) fn new(start: usize) -> Self {
        Self {
            base: start,
            next: start,
            found: 0,
        }
    }

    /// The next one. The bytes must be the same each time.
    #[inline]
    pub(super) fn next(&mut self, bytes: &[u8]) -> Option<usize> {
        while self.found == 0 {
            self.base = self.next;
            self.found = find(bytes, self.base);
            if self.found == 0 {
                // A line that is longer than a block may be much longer.
                self.next += memchr::memchr(b'\n', bytes.get(self.next..)?)?;
            } else {
                self.next += BLOCK;
            }
        }
        let at = self.base + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(at)
    }
}

/// A bit for each line feed of the block at `base`.
#[inline]
fn find(bytes: &[u8], base: usize) -> u64 {
    let rest = bytes.get(base..).unwrap_or_default();
    match rest.first_chunk() {
        Some(block) => line_feeds(block),
        None => find_last(rest),
    }
}

#[inline(never)]
fn find_last(rest: &[u8]) -> u64 {
    let mut block = [0; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    line_feeds(&block)
}

/// A bit for each line feed.
#[inline]
fn line_feeds(block: &[u8; BLOCK]) -> u64 {
    let line_feed = i8x16::splat(i8::from_ne_bytes([b'\n']));
    let sixteens = block.chunks_exact(16).zip((0..).step_by(16));
    sixteens.fold(0, |feeds, (sixteen, at)| {
        let sixteen: [u8; 16] = sixteen.try_into().unwrap_or_default();
        let sixteen = i8x16::new(sixteen.map(|byte| i8::from_ne_bytes([byte])));
        let found = sixteen.cmp_eq(line_feed).move_mask();
        feeds | u64::try_from(found).unwrap_or(0) << at
    })
}

/// As many bytes as a word has bits.
const BLOCK: usize = 64;
