//! Frame headers that come in pieces (RFC 6455, section 5.2). Pure.

use super::control::Fault;

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const FIN: u8 = 0x80;
const FIN_TEXT: u8 = FIN | TEXT;
const FIN_BINARY: u8 = FIN | BINARY;
/// The payload is compressed (RFC 7692, section 6).
const RSV1: u8 = 0x40;
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

/// A message in one frame, which is there whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Small {
    pub(super) text: bool,
    pub(super) mask: [u8; 4],
    /// The lengths of its header and of its payload.
    pub(super) head: usize,
    pub(super) length: usize,
}

/// The longest header of a frame that is masked, in bytes (section 5.2).
pub(super) const LONGEST: usize = 14;

/// A header as far as it has come. Each byte is judged when it comes.
#[derive(Debug)]
pub(super) struct Header {
    /// The mask bit that the peer's frames must have: a client's is set, a server's is not (section 5.1).
    mask_bit: u8,
    len: u8,
    bytes: [u8; LONGEST],
}

impl Frame {
    pub(super) const fn is_control(&self) -> bool {
        self.opcode >= CLOSE
    }

    /// How much more its message has at most, where that is known.
    pub(super) fn end(&self) -> Option<u64> {
        self.last.then_some(self.left)
    }

    /// The mask as it applies to the next byte.
    pub(super) fn mask_here(&self) -> [u8; 4] {
        let mut mask = self.mask;
        mask.rotate_left(usize::from(self.phase));
        mask
    }

    /// So many bytes of its payload have come.
    pub(super) const fn advance(&mut self, count: usize) {
        self.phase = (self.phase + (count % 4) as u8) % 4;
        self.left = self.left.saturating_sub(count as u64);
    }
}

impl Header {
    /// For a peer that must mask (a client), or must not (a server).
    pub(super) const fn new(peer_masks: bool) -> Self {
        Self {
            mask_bit: if peer_masks { 0x80 } else { 0 },
            len: 0,
            bytes: [0; LONGEST],
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

    /// A whole data message in one frame, if it begins here and its header says so in four bytes at most.
    ///
    /// Not what says a length in more bytes than it needs, which [`push`](Self::push) refuses.
    #[inline]
    pub(super) fn small(&self, input: &[u8]) -> Option<Small> {
        let [first @ (FIN_TEXT | FIN_BINARY), second, rest @ ..] = input else {
            return None;
        };
        let (at, length) = match (second ^ self.mask_bit, rest) {
            (short @ 0..=125, _) => (2, usize::from(short)),
            (126, [high, low, ..]) if *high > 0 || *low >= 126 => {
                (4, usize::from(u16::from_be_bytes([*high, *low])))
            }
            _ => return None,
        };
        let (head, mask) = match (self.mask_bit, input.get(at..at + 4)) {
            (0, _) => (at, [0; 4]),
            (_, Some(&[a, b, c, d])) => (at + 4, [a, b, c, d]),
            _ => return None,
        };
        (input.len() >= head + length).then_some(Small {
            text: *first == FIN_TEXT,
            mask,
            head,
            length,
        })
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

/// Adds the header of a server's frame.
#[inline]
pub(super) fn put_head(first: u8, length: usize, out: &mut Vec<u8>) {
    match length {
        ..=125 => out.extend_from_slice(&[first, length as u8]),
        126..=0xffff => {
            let [high, low] = (length as u16).to_be_bytes();
            out.extend_from_slice(&[first, 126, high, low]);
        }
        _ => {
            out.extend_from_slice(&[first, 127]);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// The length of a server's frame with so long a payload.
pub(in crate::ws) const fn frame_length(payload: usize) -> usize {
    let head = match payload {
        ..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    };
    head + payload
}

/// Adds a whole message as a server sends it.
#[inline]
pub(in crate::ws) fn put_frame(text: bool, compressed: bool, payload: &[u8], out: &mut Vec<u8>) {
    let first = first_of(text) | if compressed { RSV1 } else { 0 };
    put_head(first, payload.len(), out);
    out.extend_from_slice(payload);
}

/// The first byte of a message of one frame.
pub(super) const fn first_of(text: bool) -> u8 {
    if text { FIN_TEXT } else { FIN_BINARY }
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
