//! The message in progress, as far as it has come. Pure.

use bytes::Bytes;

use super::{
    control::{Fault, NOT_UTF8},
    utf8::Utf8Check,
};
use crate::ws::{Message, MessageKind, Text};

/// Collects the payload of a message whose end has not come.
///
/// It has memory for what has come, up to eight times as much while it grows, and never what a header only promised.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    text: Option<Utf8Check>,
    plain: Vec<u8>,
}

impl Assembly {
    pub(super) fn new(kind: MessageKind) -> Self {
        Self {
            text: (kind == MessageKind::Text).then(Utf8Check::default),
            plain: Vec::new(),
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
        let start = self.plain.len();
        self.grow(masked.len(), end);
        self.plain.extend_from_slice(masked);
        let plain = &mut self.plain[start..];
        unmask(plain, mask);
        match &mut self.text {
            Some(utf8) if !(utf8.may_end() && plain.is_ascii()) => {
                utf8.push(plain).map_err(|_| NOT_UTF8)
            }
            _ => Ok(()),
        }
    }

    /// Room for `more` bytes. It grows fourfold, for it is copied each time, and to the end of the message where that
    /// is near.
    fn grow(&mut self, more: usize, end: Option<u64>) {
        let need = self.plain.len() + more;
        if self.plain.capacity() >= need {
            return;
        }
        let most = end.map_or(usize::MAX, |end| {
            usize::try_from(end).map_or(usize::MAX, |end| self.plain.len().saturating_add(end))
        });
        let next = self.plain.capacity().saturating_mul(4).max(need);
        let near = next.saturating_mul(2) >= most;
        let want = if near { most } else { next };
        self.plain.reserve_exact(want - self.plain.len());
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
        self.plain = Vec::new();
    }

    fn message(&self, plain: Vec<u8>) -> Result<Message, Fault> {
        let bytes = Bytes::from(plain);
        match self.text {
            Some(_) => Text::try_from(bytes)
                .map(Message::Text)
                .map_err(|_| NOT_UTF8),
            None => Ok(Message::Binary(bytes)),
        }
    }
}

/// Whole words first: this is the inner loop of large messages.
pub(super) fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    if mask == [0; 4] {
        return;
    }
    let wide: [u8; 16] = std::array::from_fn(|at| mask[at % 4]);
    let mut words = bytes.chunks_exact_mut(16);
    for word in &mut words {
        for (byte, mask) in word.iter_mut().zip(wide) {
            *byte ^= mask;
        }
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(wide) {
        *byte ^= mask;
    }
}
