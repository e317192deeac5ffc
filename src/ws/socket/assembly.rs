//! The message in progress, as far as it has come. Pure.

use super::{
    control::{Fault, NOT_UTF8},
    plain::Plain,
    utf8::Utf8Check,
};
use crate::ws::{Message, MessageKind, Text};

/// Collects the payload of a message whose end has not come.
///
/// It has memory for what has come, up to sixteen times as much while it grows, and never what a header only promised. Of
/// that, no more has been written to than twice what has come. (Memory that is used again may be a quarter larger.)
#[derive(Debug, Default)]
pub(super) struct Assembly {
    text: Option<Utf8Check>,
    plain: Plain,
}

impl Assembly {
    pub(super) fn new(kind: MessageKind) -> Self {
        Self {
            text: (kind == MessageKind::Text).then(Utf8Check::default),
            plain: Plain::default(),
        }
    }

    pub(super) const fn kind(&self) -> MessageKind {
        match self.text {
            Some(_) => MessageKind::Text,
            None => MessageKind::Binary,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.plain.len()
    }

    /// Adds bytes of the payload. `end` is how many more the message has at most, where that is known.
    pub(super) fn push(
        &mut self,
        masked: &[u8],
        mask: [u8; 4],
        end: Option<u64>,
    ) -> Result<(), Fault> {
        self.grow(masked.len(), end);
        let plain = self.plain.push(masked);
        unmask(plain, mask);
        check(self.text.as_mut(), plain)
    }

    /// All of the payload, in the memory that it came in.
    pub(super) fn adopt(&mut self, masked: Plain, mask: [u8; 4]) -> Result<(), Fault> {
        self.plain = masked;
        let plain = self.plain.bytes();
        unmask(plain, mask);
        check(self.text.as_mut(), plain)
    }

    /// Where the next bytes of the payload may be read to, up to so many.
    pub(super) fn room(&mut self, most: usize, end: Option<u64>) -> &mut [u8] {
        self.grow(1, end);
        self.plain.room(most)
    }

    /// So many masked bytes have been read to the [room](Self::room).
    pub(super) fn filled(&mut self, count: usize, mask: [u8; 4]) -> Result<(), Fault> {
        let plain = self.plain.filled(count);
        unmask(plain, mask);
        check(self.text.as_mut(), plain)
    }

    /// Room for `more` bytes. It grows to eight times what has come, for it is copied each time, and to the end of the
    /// message where that is near.
    fn grow(&mut self, more: usize, end: Option<u64>) {
        let need = self.plain.len() + more;
        if self.plain.capacity() >= need {
            return;
        }
        let most = end.map_or(usize::MAX, |end| {
            usize::try_from(end).map_or(usize::MAX, |end| self.plain.len().saturating_add(end))
        });
        // Of a message in fragments, what comes may be the end of it.
        let come = if end.is_some() {
            need
        } else {
            self.plain.len()
        };
        let next = come.saturating_mul(8).max(need);
        let near = next.saturating_mul(2) >= most;
        self.plain.grow(if near { most } else { next });
    }

    /// What has come and makes sense without the rest: of text, whole characters.
    pub(super) fn take_piece(&mut self) -> Result<Option<Message>, Fault> {
        let begun = self.text.as_ref().map_or(0, Utf8Check::begun);
        let whole = self.plain.len().saturating_sub(begun);
        if whole == 0 {
            return Ok(None);
        }
        let rest = self.plain.split_off(whole);
        let piece = std::mem::replace(&mut self.plain, rest);
        self.message(piece).map(Some)
    }

    /// All of it; nothing is in progress after that.
    pub(super) fn finish(&mut self) -> Result<Message, Fault> {
        if self.text.as_ref().is_some_and(|utf8| !utf8.may_end()) {
            return Err(NOT_UTF8);
        }
        let plain = std::mem::take(&mut self.plain);
        self.message(plain)
    }

    /// Nobody wants what has come.
    pub(super) fn clear(&mut self) {
        self.plain = Plain::default();
    }

    fn message(&self, plain: Plain) -> Result<Message, Fault> {
        let bytes = plain.freeze();
        match self.text {
            Some(_) => Text::try_from(bytes)
                .map(Message::Text)
                .map_err(|_| NOT_UTF8),
            None => Ok(Message::Binary(bytes)),
        }
    }
}

fn check(text: Option<&mut Utf8Check>, plain: &[u8]) -> Result<(), Fault> {
    match text {
        Some(utf8) if !(utf8.may_end() && plain.is_ascii()) => {
            utf8.push(plain).map_err(|_| NOT_UTF8)
        }
        _ => Ok(()),
    }
}

/// Whole words first: this is the inner loop of large messages.
pub(super) fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    if mask == [0; 4] {
        return;
    }
    let rest = unmask_blocks::<64>(bytes, mask);
    let rest = unmask_blocks::<16>(rest, mask);
    for (byte, mask) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

/// The rest is returned.
#[inline]
fn unmask_blocks<const BLOCK: usize>(bytes: &mut [u8], mask: [u8; 4]) -> &mut [u8] {
    let wide: [u8; BLOCK] = std::array::from_fn(|at| mask[at % 4]);
    let mut blocks = bytes.chunks_exact_mut(BLOCK);
    for block in &mut blocks {
        for (byte, mask) in block.iter_mut().zip(wide) {
            *byte ^= mask;
        }
    }
    blocks.into_remainder()
}

/// The same to other memory of the same size, in one pass.
pub(super) fn unmask_to(plain: &mut [u8], masked: &[u8], mask: [u8; 4]) {
    if mask == [0; 4] {
        return plain.copy_from_slice(masked);
    }
    let (plain, masked) = unmask_blocks_to::<64>(plain, masked, mask);
    let (plain, masked) = unmask_blocks_to::<16>(plain, masked, mask);
    for ((to, byte), mask) in plain.iter_mut().zip(masked).zip(mask.into_iter().cycle()) {
        *to = byte ^ mask;
    }
}

/// The rests are returned.
#[inline]
fn unmask_blocks_to<'a, 'b, const BLOCK: usize>(
    plain: &'a mut [u8],
    masked: &'b [u8],
    mask: [u8; 4],
) -> (&'a mut [u8], &'b [u8]) {
    let wide: [u8; BLOCK] = std::array::from_fn(|at| mask[at % 4]);
    let mut plain = plain.chunks_exact_mut(BLOCK);
    let mut masked = masked.chunks_exact(BLOCK);
    for (to, block) in plain.by_ref().zip(masked.by_ref()) {
        for ((to, byte), mask) in to.iter_mut().zip(block).zip(wide) {
            *to = byte ^ mask;
        }
    }
    (plain.into_remainder(), masked.remainder())
}
