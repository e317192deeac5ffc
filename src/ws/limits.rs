use std::time::Duration;

/// How much a peer may make this side hold, and for how long. Everything has a bound.
///
/// Over a limit of size the peer is closed with 1009, over one of count or time with 1008.
///
/// ```
/// use tower_realtime::ws::Limits;
///
/// let uploads = Limits::new().message(64 << 20).frame(16 << 20);
/// # let _ = uploads;
/// ```
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::ws::Limits;
///
/// let strict = Limits::new()
///     .message(16 << 10)
///     .fragments(16)
///     .message_time(Duration::from_secs(5))
///     .control_frames(10)
///     .queued_bytes(16 << 10)
///     .queued_messages(64);
/// # let _ = strict;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Limits {
    pub(super) message: usize,
    pub(super) frame: usize,
    pub(super) fragments: u32,
    pub(super) streamed: Option<u64>,
    pub(super) message_time: Option<Duration>,
    pub(super) control_frames: u32,
    pub(super) queued_bytes: usize,
    pub(super) queued_messages: usize,
}

impl Limits {
    /// The defaults: messages and frames of 1 MiB, 1,024 fragments, 30 s for one message, 1,000 control frames a second,
    /// and 64 KiB or 1,024 messages waiting in each direction.
    pub const fn new() -> Self {
        Self {
            message: 1 << 20,
            frame: 1 << 20,
            fragments: 1024,
            streamed: None,
            message_time: Some(Duration::from_secs(30)),
            control_frames: 1000,
            queued_bytes: 64 << 10,
            queued_messages: 1024,
        }
    }

    /// The largest message in bytes, over all of its fragments; 1 MiB by default. This much memory a peer can make
    /// a connection hold.
    pub const fn message(mut self, bytes: usize) -> Self {
        self.message = bytes;
        self
    }

    /// The largest frame in bytes; 1 MiB by default. A smaller one than for messages makes peers fragment.
    pub const fn frame(mut self, bytes: usize) -> Self {
        self.frame = bytes;
        self
    }

    /// The most frames in one message; 1,024 by default. Tiny fragments cost far more than their bytes.
    pub const fn fragments(mut self, frames: u32) -> Self {
        self.fragments = frames;
        self
    }

    /// The largest message in bytes that can be taken in parts, with
    /// [`recv_stream`](super::WebSocket::recv_stream); by default no larger than a [whole](Self::message) one.
    ///
    /// A message that is over the limits of whole ones then waits, unread, until the handler comes for it:
    /// `recv_stream` takes it, `recv` refuses it as before. It is never held whole, so neither
    /// [`frame`](Self::frame) nor [`fragments`](Self::fragments) bound it. A handler that does not receive at all
    /// keeps such a peer waiting, as it does with a full queue. Of compressed messages it is not known in time which will
    /// be taken in parts: these two then bound none of them, and their inflated size does.
    ///
    /// ```
    /// use tower_realtime::ws::Limits;
    ///
    /// let uploads = Limits::new().streamed(10 << 30);
    /// # let _ = uploads;
    /// ```
    pub fn streamed(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.streamed = bytes.into();
        self
    }

    /// How long one message may take from its first byte to its last; 30 s by default, `None` for ever. It needs a
    /// timer. Raise it where large messages come over slow links. Of a message that is taken in parts each part may take
    /// this long.
    pub fn message_time(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.message_time = time.into();
        self
    }

    /// The most pings and pongs in one second; 1,000 by default, and half as many are always fine. It needs a timer.
    ///
    /// Each costs as much as a small message, and none is seen by the handler. Of the pings that wait for their
    /// answers, the newest 16 are kept.
    pub const fn control_frames(mut self, per_second: u32) -> Self {
        self.control_frames = per_second;
        self
    }

    /// How many bytes of messages wait in each direction, before reading pauses and before `send` waits; 64 KiB by
    /// default, at least one. One message more than this is let in, so that a message larger than the bound can pass.
    pub const fn queued_bytes(mut self, bytes: usize) -> Self {
        self.queued_bytes = if bytes == 0 { 1 } else { bytes };
        self
    }

    /// How many messages wait in each direction; 1,024 by default, at least one. Large batches are what makes small
    /// messages fast.
    pub const fn queued_messages(mut self, messages: usize) -> Self {
        self.queued_messages = if messages == 0 { 1 } else { messages };
        self
    }
}

impl Limits {
    /// For what inflates messages below the one who counts: it can't know which of them are taken in parts.
    pub(super) fn below(&self) -> Self {
        let limits = self.clone();
        match self.streamed {
            None => limits,
            Some(streamed) => {
                let streamed = usize::try_from(streamed).unwrap_or(usize::MAX);
                limits
                    .message(self.message.max(streamed))
                    .fragments(u32::MAX)
            }
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}
