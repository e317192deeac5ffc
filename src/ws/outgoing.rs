//! What is sent: a message, and how it travels.

use std::sync::Arc;

use bytes::Bytes;

use super::{Message, deflate::Cache};

/// A message on its way out. Every [`Message`] and everything that can be made one is sent as the connection likes;
/// [`Message::uncompressed`] and [`Prepared`] say otherwise.
///
/// ```
/// use tower_realtime::ws::{Message, Outgoing, Prepared};
///
/// fn size(outgoing: impl Into<Outgoing>) -> usize {
///     outgoing.into().message().len()
/// }
/// assert_eq!(size("hello"), 5);
/// assert_eq!(size(Message::text("hello").uncompressed()), 5);
/// assert_eq!(size(Prepared::new("hello")), 5);
/// ```
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub(super) message: Message,
    pub(super) packing: Packing,
}

/// Who decides about compression.
#[derive(Clone, Debug)]
pub(super) enum Packing {
    /// The connection.
    Free,
    /// It must not be.
    Never,
    /// Whoever compressed it first.
    Shared(Arc<Cache>),
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
    /// The message.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// One frame of a message that is sent in parts.
    pub(super) const fn fragment(payload: Bytes, opcode: u8, last: bool) -> Self {
        Self {
            message: Message::Binary(payload),
            packing: Packing::Fragment { opcode, last },
        }
    }

    /// Whether more frames of the same message have to follow.
    pub(super) const fn is_unfinished(&self) -> bool {
        matches!(self.packing, Packing::Fragment { last: false, .. })
    }

    /// How many messages end with it.
    pub(super) const fn ends(&self) -> usize {
        if self.is_unfinished() { 0 } else { 1 }
    }

    /// The length of the payload in bytes, before it is compressed.
    pub(super) fn len(&self) -> usize {
        self.message.len()
    }
}

impl<M: Into<Message>> From<M> for Outgoing {
    fn from(message: M) -> Self {
        Self {
            message: message.into(),
            packing: Packing::Free,
        }
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
        Outgoing {
            message: self,
            packing: Packing::Never,
        }
    }
}

/// A message for many: it is compressed once for all connections that agreed on the same, and not once for each.
///
/// A clone costs two counters. Sending it to a connection with context takeover makes that connection's compressor
/// start afresh, which costs bytes when its own messages and prepared ones take turns.
///
/// ```
/// use tower_realtime::{topic::Topic, ws::Prepared};
///
/// let room = Topic::<Prepared>::new(64);
/// room.publish(Prepared::new("hello, everybody"));
/// ```
///
/// ```
/// # use tower_realtime::ws::Prepared;
/// assert_eq!(Prepared::new("hello").message().as_text(), Some("hello"));
/// ```
#[derive(Clone, Debug)]
pub struct Prepared {
    message: Message,
    cache: Arc<Cache>,
}

impl Prepared {
    /// Prepares a message. The work is done when it is first sent where it is to be compressed.
    #[must_use]
    pub fn new(message: impl Into<Message>) -> Self {
        Self {
            message: message.into(),
            cache: Arc::default(),
        }
    }

    /// The message.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }
}

impl From<Prepared> for Outgoing {
    fn from(prepared: Prepared) -> Self {
        Self {
            message: prepared.message,
            packing: Packing::Shared(prepared.cache),
        }
    }
}
