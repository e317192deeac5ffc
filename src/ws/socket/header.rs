//! Frame headers that come in pieces (RFC 6455, section 5.2). Pure.

use super::control::Fault;

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// A frame whose header has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frame {
    pub(super) opcode: u8,
    /// Whether it is the last one of its message.
    pub(super) last: bool,
    /// How much of its payload has not come.
    pub(super) left: u64,
    pub(super) mask: [u8; 4],
    /// Where in the mask the next byte is.
    pub(super) phase: u8,
}

/// A header as far as it has come. Each byte is judged when it comes.
#[derive(Debug)]
pub(super) struct Header {
    /// The mask bit that the peer's frames must have: a client's is set, a server's is not (section 5.1).
    mask_bit: u8,
    len: u8,
    bytes: [u8; 14],
}

impl Frame {
    pub(super) const fn is_control(&self) -> bool {
        self.opcode >= CLOSE
    }
}

impl Header {
    /// For a peer that must mask (a client), or must not (a server).
    pub(super) const fn new(peer_masks: bool) -> Self {
        Self {
            mask_bit: if peer_masks { 0x80 } else { 0 },
            len: 0,
            bytes: [0; 14],
        }
    }

    /// Whether none of it has come.
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The mask bit of every frame, and the length of its mask.
    pub(super) const fn mask(&self) -> (u8, usize) {
        (self.mask_bit, if self.mask_bit == 0 { 0 } else { 4 })
    }

    /// Takes the next byte of a header, inside of a message or between two. The frame, once its header is whole.
    pub(super) fn push(&mut self, byte: u8, inside: bool) -> Result<Option<Frame>, Fault> {
        self.bytes[usize::from(self.len)] = byte;
        self.len += 1;
        match self.len {
            1 => first_byte(byte, inside)?,
            2 => self.second_byte(byte)?,
            _ => {}
        }
        if self.len < 2 || usize::from(self.len) < self.length() {
            return Ok(None);
        }
        self.len = 0;
        self.frame().map(Some)
    }

    fn second_byte(&self, byte: u8) -> Result<(), Fault> {
        if byte & 0x80 != self.mask_bit {
            return Err(Fault::protocol(if self.mask_bit == 0 {
                "a masked frame of a server"
            } else {
                "an unmasked frame of a client"
            }));
        }
        if self.bytes[0] & 0x0f >= CLOSE && byte & 0x7f > 125 {
            return Err(Fault::protocol("a control frame of more than 125 bytes"));
        }
        Ok(())
    }

    fn length(&self) -> usize {
        let length = match self.bytes[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        length + self.mask().1
    }

    fn frame(&self) -> Result<Frame, Fault> {
        let bytes = &self.bytes;
        let (left, minimum, mask_at) = match bytes[1] & 0x7f {
            126 => (u64::from(u16::from_be_bytes([bytes[2], bytes[3]])), 126, 4),
            127 => {
                let mut length = [0; 8];
                length.copy_from_slice(&bytes[2..10]);
                (u64::from_be_bytes(length), 1 << 16, 10)
            }
            short => (u64::from(short), 0, 2),
        };
        if left >> 63 != 0 {
            return Err(Fault::protocol("a length of 64 bits"));
        }
        if left < minimum {
            return Err(Fault::protocol("a length in more bytes than it needs"));
        }
        let mut mask = [0; 4];
        if self.mask_bit != 0 {
            mask.copy_from_slice(&bytes[mask_at..mask_at + 4]);
        }
        Ok(Frame {
            opcode: bytes[0] & 0x0f,
            last: bytes[0] & 0x80 != 0,
            left,
            mask,
            phase: 0,
        })
    }
}

fn first_byte(byte: u8, inside: bool) -> Result<(), Fault> {
    if byte & 0x70 != 0 {
        return Err(Fault::protocol("a reserved bit is set"));
    }
    match byte & 0x0f {
        CONTINUATION if !inside => Err(Fault::protocol("a continuation of nothing")),
        TEXT | BINARY if inside => Err(Fault::protocol("a message inside of a message")),
        CONTINUATION | TEXT | BINARY => Ok(()),
        CLOSE | PING | PONG if byte & 0x80 != 0 => Ok(()),
        CLOSE | PING | PONG => Err(Fault::protocol("a fragmented control frame")),
        _ => Err(Fault::protocol("a reserved opcode")),
    }
}
