//! `Cache`: what a message for many has been compressed to.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::codec::{self, Failed};

/// One payload for each level and window that was asked for: in practice one.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Vec<((u8, u8), Bytes)>>);

impl Cache {
    /// The payload of a message that refers to nothing before it. Others wait while the first one compresses.
    pub(super) fn get(&self, level: u8, bits: u8, message: &[u8]) -> Result<Bytes, Failed> {
        // Nothing is half done under the lock: what is there is whole.
        let mut forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, payload)) = forms.iter().find(|(kind, _)| *kind == (level, bits)) {
            return Ok(payload.clone());
        }
        let payload = Bytes::from(codec::compress(level, bits, message)?);
        forms.push(((level, bits), payload.clone()));
        Ok(payload)
    }
}
