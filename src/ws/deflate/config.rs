//! `Deflate`: what to offer, what to accept, and what it may cost.

use std::num::NonZeroU32;

use super::memory;

/// How messages are compressed: permessage-deflate (RFC 7692).
///
/// A value of this type says what we are ready to do; the handshake decides with the peer what is done.
/// "Send" is our compressor and "receive" is the peer's, whoever of the two is the server.
///
/// | setting | default |
/// |---|---|
/// | [`level`](Self::level) | 1 |
/// | [`threshold`](Self::threshold) | 256 bytes |
/// | [`memory`](Self::memory) | 512 KiB per connection |
/// | windows | 15 bits, kept from message to message |
/// | [`max_ratio`](Self::max_ratio) | none: the message limit holds while inflating |
/// | [`keep_when_idle`](Self::keep_when_idle) | false |
///
/// Compression and secrets: when a message holds both a secret and something that an attacker chooses,
/// its compressed length tells about the secret (CRIME, BREACH).
/// Send such a message uncompressed.
///
/// # Example
///
/// ```
/// use tower_realtime::ws::deflate::Deflate;
///
/// let deflate = Deflate::new().level(6).threshold(1024).memory(64 * 1024);
/// # let _ = deflate;
/// ```
///
/// Each direction by itself, for a server with much memory and clients that send little:
///
/// ```
/// use std::num::NonZeroU32;
/// use tower_realtime::ws::deflate::Deflate;
///
/// let deflate = Deflate::new()
///     .send_context_takeover(true)
///     .send_window_bits(15)
///     .receive_context_takeover(false)
///     .receive_window_bits(10)
///     .keep_when_idle(true)
///     .max_ratio(NonZeroU32::new(200).expect("not zero"));
/// # let _ = deflate;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    pub(super) level: u8,
    pub(super) threshold: usize,
    pub(super) memory: usize,
    pub(super) send: Wish,
    pub(super) receive: Wish,
    pub(super) max_ratio: Option<NonZeroU32>,
    pub(super) keep_when_idle: bool,
}

/// What we would like of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) bits: u8,
    pub(super) takeover: bool,
}

impl Deflate {
    /// Level 1, messages of 256 bytes and more, 512 KiB per connection.
    #[must_use]
    pub const fn new() -> Self {
        const ALL: Wish = Wish {
            bits: memory::MAX_BITS,
            takeover: true,
        };
        Self {
            level: 1,
            threshold: 256,
            memory: 512 * 1024,
            send: ALL,
            receive: ALL,
            max_ratio: None,
            keep_when_idle: false,
        }
    }

    /// Effort of the compressor, 1 (fast) to 9 (small); anything else becomes the nearest of them.
    ///
    /// On JSON messages of 1 KB, level 6 costs about five times the time of level 1 and saves a quarter of its bytes.
    #[must_use]
    pub const fn level(mut self, level: u8) -> Self {
        self.level = clamp(level, 1, 9);
        self
    }

    /// Messages shorter than this many bytes are sent as they are. Default: 256.
    #[must_use]
    pub const fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// The memory, in bytes, that compression may hold for one connection between messages. Default: 512 KiB.
    ///
    /// The handshake picks the largest windows that fit, and gives up context takeover of a direction where none does:
    /// first of ours, whose compressor holds from 248 KiB (window of 9 bits) to 374 KiB (15 bits),
    /// then of the peer's, whose window costs us from 48 KiB to 80 KiB.
    /// With 0, nothing is held between messages.
    #[must_use]
    pub const fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// Both directions forget what they have seen after each message: no memory between messages, more bytes.
    #[must_use]
    pub const fn no_context_takeover(self) -> Self {
        self.send_context_takeover(false)
            .receive_context_takeover(false)
    }

    /// Whether our compressor refers back to earlier messages. Default: true, within [`memory`](Self::memory).
    #[must_use]
    pub const fn send_context_takeover(mut self, yes: bool) -> Self {
        self.send.takeover = yes;
        self
    }

    /// Whether the peer's compressor may refer back to earlier messages. Default: true, within [`memory`](Self::memory).
    #[must_use]
    pub const fn receive_context_takeover(mut self, yes: bool) -> Self {
        self.receive.takeover = yes;
        self
    }

    /// Largest window of our compressor, as a power of two, 9 to 15; anything else becomes the nearest of them.
    #[must_use]
    pub const fn send_window_bits(mut self, bits: u8) -> Self {
        self.send.bits = clamp(bits, memory::MIN_BITS, memory::MAX_BITS);
        self
    }

    /// Largest window we keep for the peer's messages, as a power of two, 9 to 15; anything else becomes the nearest.
    ///
    /// A peer that can't limit its window is asked not to refer back to earlier messages instead.
    #[must_use]
    pub const fn receive_window_bits(mut self, bits: u8) -> Self {
        self.receive.bits = clamp(bits, memory::MIN_BITS, memory::MAX_BITS);
        self
    }

    /// A message that inflates to more than `ratio` times its compressed size, and to more than 64 KiB, is refused with 1009.
    ///
    /// Default: none. Deflate reaches 1,032 on honest data, such as a megabyte of zeros,
    /// and the limit on a message's size bounds the memory anyway.
    #[must_use]
    pub const fn max_ratio(mut self, ratio: NonZeroU32) -> Self {
        self.max_ratio = Some(ratio);
        self
    }

    /// Whether a connection that has fallen asleep keeps its compressor. Default: false.
    ///
    /// Without it an idle connection holds at most the peer's window (32 KiB, or what was agreed),
    /// and the first message after a pause is compressed without a look at earlier ones.
    #[must_use]
    pub const fn keep_when_idle(mut self, yes: bool) -> Self {
        self.keep_when_idle = yes;
        self
    }
}

impl Default for Deflate {
    fn default() -> Self {
        Self::new()
    }
}

const fn clamp(value: u8, low: u8, high: u8) -> u8 {
    if value < low {
        low
    } else if value > high {
        high
    } else {
        value
    }
}
