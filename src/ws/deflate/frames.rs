//! Frame headers and masks (pure; RFC 6455, section 5.2).

/// The longest header: two bytes, a length of 64 bits, a mask.
pub(super) const MAX_HEADER: usize = 14;

pub(super) const FIN: u8 = 0x80;
pub(super) const RSV1: u8 = 0x40;
pub(super) const RSV2: u8 = 0x20;
pub(super) const RSV3: u8 = 0x10;

pub(super) type Mask = [u8; 4];

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// FIN, the reserved bits and the opcode.
    pub(super) first: u8,
    pub(super) mask: Option<Mask>,
    pub(super) length: u64,
    /// How many bytes the header took.
    pub(super) size: usize,
}

impl Header {
    /// A header in its shortest form.
    pub(super) const fn new(first: u8, mask: Option<Mask>, length: u64) -> Self {
        let length_size = match length {
            0..=125 => 0,
            126..=0xffff => 2,
            _ => 8,
        };
        let size = 2 + length_size + if mask.is_some() { 4 } else { 0 };
        Self {
            first,
            mask,
            length,
            size,
        }
    }

    /// The header at the start of `bytes`, if all of it is there.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&first, &second) = (bytes.first()?, bytes.get(1)?);
        let (length, at) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes(*bytes[2..].first_chunk()?)), 4),
            127 => (u64::from_be_bytes(*bytes[2..].first_chunk()?), 10),
            short => (u64::from(short), 2),
        };
        let masked = second & 0x80 != 0;
        let mask = if masked {
            Some(*bytes.get(at..)?.first_chunk()?)
        } else {
            None
        };
        let size = if masked { at + 4 } else { at };
        Some(Self {
            first,
            mask,
            length,
            size,
        })
    }

    /// Whether the length is written as RFC 6455, section 5.2 says: in the fewest bytes, the highest bit 0.
    pub(super) const fn is_legal(&self) -> bool {
        self.size == Self::new(self.first, self.mask, self.length).size && self.length >> 63 == 0
    }

    /// Writes the header to `out`, which has its size.
    pub(super) fn write(&self, out: &mut [u8]) {
        out[0] = self.first;
        let (short, length_size) = match self.length {
            0..=125 => (self.length as u8, 0),
            126..=0xffff => (126, 2),
            _ => (127, 8),
        };
        out[1] = short | if self.mask.is_some() { 0x80 } else { 0 };
        out[2..2 + length_size].copy_from_slice(&self.length.to_be_bytes()[8 - length_size..]);
        if let Some(mask) = self.mask {
            out[2 + length_size..2 + length_size + 4].copy_from_slice(&mask);
        }
    }

    pub(super) const fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    pub(super) const fn is_final(&self) -> bool {
        self.first & FIN != 0
    }

    /// Close, ping, pong, and what is reserved beside them.
    pub(super) const fn is_control(&self) -> bool {
        self.opcode() >= 8
    }

    pub(super) const fn is_continuation(&self) -> bool {
        self.opcode() == 0
    }

    pub(super) const fn has(&self, bits: u8) -> bool {
        self.first & bits != 0
    }
}

/// Masks or unmasks `bytes`, which begin at `offset` of their frame's payload.
pub(super) fn apply(mask: Mask, offset: usize, bytes: &mut [u8]) {
    // Eight at a time, which the compiler turns into wide operations.
    let wide: [u8; 8] = std::array::from_fn(|at| mask[(offset + at) % 4]);
    let mut words = bytes.chunks_exact_mut(8);
    for word in &mut words {
        for (byte, key) in word.iter_mut().zip(wide) {
            *byte ^= key;
        }
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(wide) {
        *byte ^= key;
    }
}

/// Collects the bytes of a header that come in pieces.
#[derive(Debug, Default)]
pub(super) struct Partial {
    bytes: [u8; MAX_HEADER],
    held: usize,
}

impl Partial {
    /// Reads a header from what is held and from `input`; says how much of `input` was used.
    pub(super) fn next(&mut self, input: &[u8]) -> (Option<Header>, usize) {
        let fresh = input.len().min(MAX_HEADER - self.held);
        let end = self.held + fresh;
        self.bytes[self.held..end].copy_from_slice(&input[..fresh]);
        let Some(header) = Header::parse(&self.bytes[..end]) else {
            self.held = end;
            return (None, fresh);
        };
        let used = header.size - self.held;
        self.held = 0;
        (Some(header), used)
    }

    /// The bytes of the header that was read last.
    pub(super) fn bytes(&self, header: &Header) -> &[u8] {
        &self.bytes[..header.size]
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.held == 0
    }
}
