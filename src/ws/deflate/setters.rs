//! Where the rest of the crate takes a [`Deflate`].

use super::Agreed;
use crate::ws::Endpoint;

impl Endpoint {
    /// What was agreed on in the handshake that was made elsewhere, with [`answer`](super::answer) or
    /// [`check`](super::check).
    pub fn deflate(mut self, agreed: impl Into<Option<Agreed>>) -> Self {
        self.deflate = agreed.into();
        self
    }
}
