//! `Cache`: the frames of messages for many, compressed once.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::{
    codec::{self, Failed},
    memory::MIN_BITS,
};
use crate::ws::{
    Message,
    prepared::{Content, Many, Prepared},
    socket::put_frame,
};

/// The frames for each kind that was asked for: in practice one.
#[derive(Debug)]
pub(crate) struct Cache(Mutex<Vec<(Kind, Frames)>>);

/// What connections have to agree on to share frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) level: u8,
    pub(super) bits: u8,
    pub(super) threshold: usize,
}

/// Frames of a server, as they are on the wire.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    pub(super) bytes: Bytes,
    /// Whether any of them is compressed.
    pub(super) compressed: bool,
}

impl Cache {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Others wait while the first one compresses.
    fn get(&self, kind: Kind, make: impl FnOnce() -> Frames) -> Frames {
        // Nothing is half done under the lock: what is there is whole.
        let mut forms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, frames)) = forms.iter().find(|(of, _)| *of == kind) {
            return frames.clone();
        }
        let frames = make();
        forms.push((kind, frames.clone()));
        frames
    }
}

impl Kind {
    /// The frames of a server. Compressed ones refer to nothing before them.
    pub(super) fn frames(self, prepared: &Prepared) -> Frames {
        let plain = || Frames::plain(prepared.plain());
        match prepared.content() {
            _ if self.bits < MIN_BITS => plain(),
            Content::One(message) if message.len() < self.threshold => plain(),
            Content::One(message) => prepared.cache().get(self, || {
                self.compress(message)
                    .map_or_else(|Failed| plain(), Frames::compressed)
            }),
            Content::Many(many) => prepared
                .cache()
                .get(self, || self.join(many).unwrap_or_else(plain)),
        }
    }

    fn compress(self, message: &Message) -> Result<Vec<u8>, Failed> {
        let payload = codec::compress(self.level, self.bits, message.as_bytes())?;
        let mut frame = Vec::new();
        put_frame(message.is_text(), true, &payload, &mut frame);
        Ok(frame)
    }

    /// `None` when none of them is compressed.
    fn join(self, many: &Many) -> Option<Frames> {
        let parts: Vec<_> = many.parts.iter().map(|part| self.frames(part)).collect();
        let compressed = parts.iter().any(|part| part.compressed);
        let frames = parts.iter().map(|part| part.bytes.as_ref());
        compressed.then(|| Frames::compressed(frames.collect::<Vec<_>>().concat()))
    }
}

impl Frames {
    const fn plain(bytes: Bytes) -> Self {
        Self {
            bytes,
            compressed: false,
        }
    }

    fn compressed(frames: Vec<u8>) -> Self {
        Self {
            bytes: frames.into(),
            compressed: true,
        }
    }

    /// The payload of one frame.
    pub(super) fn payload(&self) -> Bytes {
        let header = match self.bytes.get(1) {
            Some(126) => 4,
            Some(127) => 10,
            _ => 2,
        };
        self.bytes.slice(header..)
    }
}
