//! Messages for many: their frames are made once.

use std::{
    fmt, slice,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

use super::{
    Message,
    deflate::Cache,
    socket::{frame_length, put_frame},
};
use crate::topic::Join;

/// A message for many: its frame is made once for all connections, and where it is compressed, so is that, once for
/// all that agreed on the same.
///
/// A clone costs a counter. A server writes the bytes as they are, without a copy; a client masks them first, as it
/// must. Sending it to a connection with context takeover makes that connection's compressor start afresh, which
/// costs bytes when its own messages and prepared ones take turns.
///
/// [`Subscription::joined`](crate::topic::Subscription::joined) puts prepared messages that wait together into one
/// piece of several frames, once for all readers. They stay messages of their own for the peer.
///
/// ```
/// use tower_realtime::{
///     topic::Topic,
///     ws::{self, Message, Prepared, WebSocket},
/// };
///
/// async fn join(socket: WebSocket, room: Topic<Prepared>) -> Result<(), ws::Error> {
///     let mut socket = socket.feed_from(room.subscribe().joined());
///     while let Some(message) = socket.recv().await? {
///         room.publish(Prepared::new(message));
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Prepared(Arc<Pack>);

struct Pack {
    content: Content,
    /// The frames of all messages, as a server sends them uncompressed.
    plain: OnceLock<Bytes>,
    /// The frames where compression was agreed on.
    cache: Cache,
}

/// One message, or several that were put together.
pub(super) enum Content {
    One(Message),
    Many(Many),
}

pub(super) struct Many {
    /// Each is one message.
    pub(super) parts: Box<[Prepared]>,
    /// The length of all payloads.
    bytes: usize,
}

/// The most bytes of frames that are put together: a piece that is written at once, and small enough to copy.
const PIECE: usize = 16 << 10;

impl Prepared {
    /// Prepares a message. The work is done when it is first sent.
    #[must_use]
    pub fn new(message: impl Into<Message>) -> Self {
        Self::of(Content::One(message.into()))
    }

    fn of(content: Content) -> Self {
        Self(Arc::new(Pack {
            content,
            plain: OnceLock::new(),
            cache: Cache::new(),
        }))
    }

    /// The messages: one, unless it was [joined](crate::topic::Subscription::joined).
    ///
    /// ```
    /// # use tower_realtime::ws::{Message, Prepared};
    /// let prepared = Prepared::new("hello");
    /// assert!(prepared.messages().eq([&Message::from("hello")]));
    /// ```
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.parts().iter().filter_map(|part| match part.content() {
            Content::One(message) => Some(message),
            Content::Many(_) => None,
        })
    }

    /// Each message on its own.
    pub(super) fn parts(&self) -> &[Self] {
        match self.content() {
            Content::One(_) => slice::from_ref(self),
            Content::Many(many) => &many.parts,
        }
    }

    pub(super) fn content(&self) -> &Content {
        &self.0.content
    }

    pub(super) fn cache(&self) -> &Cache {
        &self.0.cache
    }

    /// The length of all payloads in bytes, before they are compressed.
    pub(super) fn len(&self) -> usize {
        match self.content() {
            Content::One(message) => message.len(),
            Content::Many(many) => many.bytes,
        }
    }

    /// The frames of all messages, as a server sends them uncompressed.
    pub(super) fn plain(&self) -> Bytes {
        let frames = self.0.plain.get_or_init(|| {
            let mut frames = Vec::with_capacity(self.wire_length());
            for message in self.messages() {
                put_frame(message.is_text(), false, message.as_bytes(), &mut frames);
            }
            frames.into()
        });
        frames.clone()
    }

    fn wire_length(&self) -> usize {
        self.messages()
            .map(|message| frame_length(message.len()))
            .sum()
    }
}

/// As many as fit into a piece of 16 KiB.
impl Join for Prepared {
    fn join(items: &mut dyn Iterator<Item = &Self>) -> (Self, usize) {
        let (mut parts, mut length, mut bytes, mut count) = (Vec::new(), 0, 0, 0);
        for item in items {
            length += item.wire_length();
            if count > 0 && length > PIECE {
                break;
            }
            parts.extend_from_slice(item.parts());
            bytes += item.len();
            count += 1;
        }
        let joined = match parts.as_slice() {
            [alone] => alone.clone(),
            _ => Self::of(Content::Many(Many {
                parts: parts.into(),
                bytes,
            })),
        };
        (joined, count)
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.messages()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(sizes: &[usize]) -> (Prepared, usize) {
        let items: Vec<_> = sizes
            .iter()
            .map(|&size| Prepared::new(vec![b'x'; size]))
            .collect();
        Prepared::join(&mut items.iter())
    }

    #[test]
    fn frames_are_made_once() {
        for sizes in [&[5][..], &[5, 200]] {
            let (one, _) = joined(sizes);
            assert_eq!(one.plain().as_ptr(), one.clone().plain().as_ptr());
            assert_eq!(one.plain().len(), one.wire_length());
        }
    }

    #[test]
    fn a_piece_is_bounded_and_a_large_message_stays_alone() {
        assert_eq!(joined(&[PIECE]).1, 1);
        assert_eq!(joined(&[PIECE, 1]).1, 1);
        assert_eq!(joined(&[1, PIECE]).1, 1);
        assert_eq!(joined(&[8188, 8188, 1]).1, 2);
        assert_eq!(joined(&[8188, 8189]).1, 1);
        assert_eq!(joined(&[0; 10_000]).1, PIECE / 2);
    }

    #[test]
    fn pieces_can_be_joined_again() {
        let (first, _) = joined(&[1, 2]);
        let (second, count) = Prepared::join(&mut [first, Prepared::new("abc")].iter());
        let lengths: Vec<_> = second.messages().map(Message::len).collect();
        assert_eq!((lengths, count, second.len()), (vec![1, 2, 3], 2, 6));
    }
}
