//! What is sent: a message, and how it travels.

use bytes::Bytes;

use super::{Message, Prepared};

/// A message on its way out. Every [`Message`] and everything that can be made one is sent as the connection likes;
/// [`Message::uncompressed`] and [`Prepared`] say otherwise.
///
/// ```
/// use tower_realtime::ws::{Message, Outgoing, Prepared};
///
/// fn size(outgoing: impl Into<Outgoing>) -> usize {
///     outgoing.into().messages().map(Message::len).sum()
/// }
/// assert_eq!(size("hello"), 5);
/// assert_eq!(size(Message::text("hello").uncompressed()), 5);
/// assert_eq!(size(Prepared::new("hello")), 5);
/// ```
#[derive(Clone, Debug)]
pub struct Outgoing(pub(super) Content);

#[derive(Clone, Debug)]
pub(super) enum Content {
    Message(Message, Packing),
    /// Frames that were made once for many connections.
    Prepared(Prepared),
}

/// Who decides about compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// The connection.
    Free,
    /// It must not be.
    Never,
    /// It is a fragment of a message: the opcode is that of its frame.
    Fragment { opcode: u8, last: bool },
}

/// How a message is handed to a connection's encoder.
#[derive(Debug)]
pub(crate) enum Form {
    /// As it is; it may be compressed on its way.
    Plain,
    /// As it is, and as it is on the wire.
    Uncompressed,
    /// Compressed already, to this payload.
    Compressed(Bytes),
    /// One frame of a message.
    Fragment { opcode: u8, last: bool },
}

impl Outgoing {
    /// The messages: one, unless it is a [`Prepared`] that was [joined](crate::topic::Subscription::joined).
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        let (one, many) = match &self.0 {
            Content::Message(message, _) => (Some(message), None),
            Content::Prepared(prepared) => (None, Some(prepared)),
        };
        let many = many.into_iter().flat_map(Prepared::messages);
        one.into_iter().chain(many)
    }

    /// One frame of a message that is sent in parts.
    pub(super) const fn fragment(payload: Bytes, opcode: u8, last: bool) -> Self {
        Self(Content::Message(
            Message::Binary(payload),
            Packing::Fragment { opcode, last },
        ))
    }

    /// Whether more frames of the same message have to follow.
    pub(super) const fn is_unfinished(&self) -> bool {
        matches!(
            self.0,
            Content::Message(_, Packing::Fragment { last: false, .. })
        )
    }

    /// How many messages end with it.
    pub(super) fn ends(&self) -> usize {
        if self.is_unfinished() {
            0
        } else {
            self.entries()
        }
    }

    /// How many places of a queue it takes.
    #[inline]
    pub(super) fn entries(&self) -> usize {
        match &self.0 {
            Content::Message(..) => 1,
            Content::Prepared(prepared) => prepared.parts().len(),
        }
    }

    /// The length of the payload in bytes, before it is compressed.
    #[inline]
    pub(super) fn len(&self) -> usize {
        match &self.0 {
            Content::Message(message, _) => message.len(),
            Content::Prepared(prepared) => prepared.len(),
        }
    }
}

impl<M: Into<Message>> From<M> for Outgoing {
    fn from(message: M) -> Self {
        Self(Content::Message(message.into(), Packing::Free))
    }
}

impl Message {
    /// Sends this message as it is, also where messages are compressed.
    ///
    /// For messages with a secret beside something that the peer, or a stranger, can choose: the length of what is
    /// compressed together tells whether the two are alike (CRIME, BREACH). The message does not enter the window
    /// either, so later ones do not tell about it.
    ///
    /// ```
    /// # use tower_realtime::ws::{self, Message, WebSocket};
    /// # async fn f(mut socket: WebSocket, token: String) -> Result<(), ws::Error> {
    /// socket.send(Message::from(token).uncompressed()).await
    /// # }
    /// ```
    #[must_use]
    pub const fn uncompressed(self) -> Outgoing {
        Outgoing(Content::Message(self, Packing::Never))
    }
}

impl From<Prepared> for Outgoing {
    fn from(prepared: Prepared) -> Self {
        Self(Content::Prepared(prepared))
    }
}
