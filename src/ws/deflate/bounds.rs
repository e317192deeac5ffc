//! How large what is inflated may become (pure; RFC 7692, section 8).

use std::num::NonZeroU32;

use crate::ws::{Fault, Limits};

/// A ratio says nothing about a short message.
const RATIO_FLOOR: u64 = 64 * 1024;

/// What of the [`Limits`] is looked after here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    message: usize,
    /// The longest frame of the peer, and the longest of those that are made of it.
    pub(super) frame: usize,
    pub(super) fragment: usize,
    pub(super) fragments: u32,
    ratio: Option<NonZeroU32>,
}

impl Bounds {
    pub(super) const fn new(limits: &Limits, ratio: Option<NonZeroU32>) -> Self {
        let Limits {
            message,
            frame,
            fragments,
            streamed,
            ..
        } = *limits;
        Self {
            message,
            // Of a message that is taken in parts no frame is held.
            frame: if streamed.is_some() {
                usize::MAX
            } else {
                frame
            },
            fragment: frame,
            fragments,
            ratio,
        }
    }

    /// How much more may be inflated: one byte over the limit tells that there is more.
    pub(super) const fn room(&self, size: Size) -> usize {
        self.message
            .saturating_sub(size.plain as usize)
            .saturating_add(1)
    }

    pub(super) fn check(&self, Size { wire, plain }: Size) -> Result<(), Fault> {
        let limit = self.message as u64;
        // Honest compressors add some bytes to what they can't compress, and to each flush;
        // the rest is a message that would take time for ever without growing.
        if plain > limit || wire > limit.saturating_add(limit / 8 + 16 * 1024) {
            return Err(Fault::too_big("message too big"));
        }
        let ratio = self.ratio.map_or(u64::MAX, |ratio| u64::from(ratio.get()));
        if plain > RATIO_FLOOR && plain > wire.saturating_mul(ratio) {
            return Err(Fault::too_big("message inflates too much"));
        }
        Ok(())
    }
}

/// How large a compressed message is so far: as it came, and inflated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) wire: u64,
    pub(super) plain: u64,
}
