//! `Bounds`: what a peer may make us hold.

/// Who we are: a server reads masked frames, a client writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

/// What a message may grow to while it is inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub(super) message: usize,
    pub(super) fragments: usize,
}

impl Bounds {
    /// Messages of 1 MiB, in 1,024 fragments.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            message: 1024 * 1024,
            fragments: 1024,
        }
    }

    /// The longest message, in bytes after inflating. Default: 1 MiB. A longer one is a [`Fault`](super::Fault) with 1009.
    #[must_use]
    pub const fn message(mut self, bytes: usize) -> Self {
        self.message = bytes;
        self
    }

    /// The most frames of one message, compressed or not. Default: 1,024. More are a [`Fault`](super::Fault) with 1008.
    ///
    /// They are counted here, as they are on the wire: those above see other fragments.
    #[must_use]
    pub const fn fragments(mut self, frames: usize) -> Self {
        self.fragments = frames;
        self
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self::new()
    }
}
