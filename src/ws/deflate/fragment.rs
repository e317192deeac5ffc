//! `Fragments`: an output buffer in which the payload is written before its header (pure).

use super::frames::{FIN, Header, MAX_HEADER};

/// A fragment's length fits 16 bits.
const LONGEST: usize = 0xffff;

/// Frames on their way up.
pub(super) struct Fragments<'a> {
    bytes: &'a mut [u8],
    at: usize,
    /// Where the open fragment begins.
    open: Option<usize>,
    /// All zero: it changes nothing, but a server's frames are read with one.
    mask: Option<[u8; 4]>,
    /// Room for the longest header of a fragment.
    reserved: usize,
    /// The longest payload of a fragment.
    longest: usize,
}

impl<'a> Fragments<'a> {
    /// The smallest buffer in which progress is certain: a header, and some payload behind one.
    pub(super) const MIN: usize = MAX_HEADER + 64;

    pub(super) fn new(bytes: &'a mut [u8], masked: bool, longest: usize) -> Self {
        let (mask, reserved) = if masked { (Some([0; 4]), 8) } else { (None, 4) };
        Self {
            bytes,
            at: 0,
            open: None,
            mask,
            reserved,
            longest: longest.clamp(1, LONGEST),
        }
    }

    pub(super) const fn room(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Bytes as they are. No fragment is open.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// Opens a fragment, if there is room for some payload.
    pub(super) fn open(&mut self) {
        if self.open.is_none() && self.room() > self.reserved {
            self.open = Some(self.at);
            self.at += self.reserved;
        }
    }

    /// Where the open fragment's payload goes, at most `limit` bytes of it; empty when it is full or not open.
    pub(super) fn payload(&mut self, limit: usize) -> &mut [u8] {
        let Some(start) = self.open else {
            return &mut [];
        };
        let end = self.bytes.len().min(start + self.reserved + self.longest);
        let end = end.min(self.at.saturating_add(limit));
        &mut self.bytes[self.at..end]
    }

    /// Some bytes have been written to [`Self::payload`].
    pub(super) const fn grow(&mut self, made: usize) {
        self.at += made;
    }

    /// Writes the open fragment's header; says whether there was one that is worth it: an empty one only ends a message.
    pub(super) fn close(&mut self, first: u8) -> bool {
        let Some(start) = self.open.take() else {
            return false;
        };
        let payload = start + self.reserved..self.at;
        if payload.is_empty() && first & FIN == 0 {
            self.at = start;
            return false;
        }
        let header = Header::new(first, self.mask, payload.len() as u64);
        header.write(&mut self.bytes[start..]);
        self.at = start + header.size + payload.len();
        // Only the payload of a short fragment moves.
        if header.size < self.reserved {
            self.bytes.copy_within(payload, start + header.size);
        }
        true
    }

    /// Writes a fragment without payload; says whether there was room.
    pub(super) fn open_empty(&mut self, first: u8) -> bool {
        let header = Header::new(first, self.mask, 0);
        let fits = self.room() >= header.size;
        if fits {
            header.write(&mut self.bytes[self.at..]);
            self.at += header.size;
        }
        fits
    }

    /// Drops an open fragment; says how many bytes are done.
    pub(super) fn abandon(self) -> usize {
        self.open.unwrap_or(self.at)
    }
}
