//! Small messages that have been read whole: decoded many at once.

use bytes::Bytes;

use super::{
    assembly::unmask_to,
    control::NOT_UTF8,
    header::Small,
    io::{End, Io},
    wire::{Batch, Budget},
};
use crate::ws::{Message, Text};

impl<T> Io<T> {
    /// Decodes whole messages that have been read, as far as there is room. What is left comes after that.
    pub(super) fn decode(&mut self, batch: &mut Batch, budget: &mut Budget) -> Result<(), End> {
        loop {
            self.inspect();
            if !self.has_pass() || !batch.has_room() || budget.is_spent() {
                return Ok(());
            }
            let (count, mut payloads) = self.unmasked(batch, budget);
            for _ in 0..count {
                if let Some(small) = self.inspector().small(self.pass()) {
                    let payload = payloads.split_to(small.length);
                    self.passed(small.head + small.length);
                    batch.push(message(small, payload)?);
                }
            }
        }
    }

    /// The payloads of the next messages, one behind the other, and how many they are.
    ///
    /// One allocation for all: their messages are slices of it.
    fn unmasked(&self, batch: &mut Batch, budget: &mut Budget) -> (usize, Bytes) {
        let mut unread = self.pass();
        let mut plain = Vec::new();
        let (mut count, mut end) = (0, 0);
        while batch.has_room() && !budget.is_spent() {
            let Some(small) = self.inspector().small(unread) else {
                break;
            };
            let (frame, rest) = unread.split_at(small.head + small.length);
            if count == 0 {
                // A message that comes alone is as large as its memory. Zeros are cheaper than a second pass.
                plain = vec![
                    0;
                    if rest.is_empty() {
                        small.length
                    } else {
                        unread.len()
                    }
                ];
            }
            let start = end;
            end += small.length;
            unmask_to(&mut plain[start..end], &frame[small.head..], small.mask);
            batch.reserve(small.length);
            budget.spend(1, 0);
            count += 1;
            unread = rest;
        }
        plain.truncate(end);
        (count, Bytes::from(plain))
    }
}

#[inline]
fn message(small: Small, payload: Bytes) -> Result<Message, End> {
    if small.text {
        Text::try_from(payload)
            .map(Message::Text)
            .map_err(|_| End::Fault(NOT_UTF8))
    } else {
        Ok(Message::Binary(payload))
    }
}
