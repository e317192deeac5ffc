//! Many encoded events as one. Pure: no async, no I/O, no clock, no lock.

use super::{Encoded, gather::FRAME};
use crate::topic::Join;

/// One after the other, in one piece of memory.
impl FromIterator<Self> for Encoded {
    fn from_iter<I: IntoIterator<Item = Self>>(blocks: I) -> Self {
        let mut blocks = blocks.into_iter();
        let first = blocks.next().unwrap_or_default();
        let Some(second) = blocks.next() else {
            return first; // no copy
        };
        let mut pile = Pile::default();
        pile.push(&first);
        pile.push(&second);
        blocks.for_each(|block| pile.push(&block));
        pile.finish()
    }
}

/// As many as fit into a frame of 16 KiB.
impl Join for Encoded {
    fn join(blocks: &mut dyn Iterator<Item = &Self>) -> (Self, usize) {
        let Some(first) = blocks.next() else {
            return (Self::default(), 0);
        };
        let (mut pile, mut count) = (Pile::default(), 1);
        for block in blocks {
            let len = pile.bytes.len().max(first.as_bytes().len());
            if len + block.as_bytes().len() > FRAME {
                break;
            }
            if count == 1 {
                pile.push(first);
            }
            pile.push(block);
            count += 1;
        }
        let joined = if count == 1 {
            first.clone()
        } else {
            pile.finish()
        };
        (joined, count)
    }
}

#[derive(Default)]
struct Pile {
    bytes: Vec<u8>,
    events: u32,
}

impl Pile {
    fn push(&mut self, block: &Encoded) {
        self.bytes.extend_from_slice(block.as_bytes());
        self.events = self.events.saturating_add(block.events());
    }

    fn finish(self) -> Encoded {
        Encoded::from_events(self.bytes.into(), self.events)
    }
}
