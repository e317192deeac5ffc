//! Walks the inbound bytes frame by frame, before they are decoded. Pure.
//!
//! The framing library below hides frames, answers control frames on its own, and reports a bad byte of text when
//! the message ends. So everything that RFC 6455 wants to be noticed is noticed here: which close code is due, which
//! ping wants a pong, where a message begins and ends. Bytes of data frames are passed on; control frames are not.

use bytes::Bytes;

use super::utf8::Utf8Check;
use crate::ws::{CloseCode, CloseFrame, Limits, Text};

/// What the next bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// So many bytes belong to data frames: hand them on.
    Pass(usize),
    /// So many bytes have been dealt with: drop them.
    Drop(usize),
    /// So many bytes end a control frame: drop them, and act.
    Control(usize, Control),
    /// The peer broke a rule. Nothing after this is looked at.
    Fault(Fault),
}

/// A control frame (RFC 6455, section 5.5).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Control {
    Ping(Bytes),
    Pong(Bytes),
    /// A goodbye; `None` is an empty one.
    Close(Option<CloseFrame>),
}

/// A broken rule, and the code that it is closed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: CloseCode,
    pub(super) what: &'static str,
}

#[derive(Debug)]
pub(super) struct Inspector {
    /// The mask bit that the peer's frames must have: a client's is set, a server's is not (section 5.1).
    mask_bit: u8,
    max_frame: u64,
    max_message: u64,
    max_fragments: u32,

    state: State,
    header: [u8; 14],
    header_len: u8,
    frame: Frame,
    control: Vec<u8>,

    /// What the message in progress is; `None` between messages.
    message: Option<Kind>,
    size: u64,
    fragments: u32,
    utf8: Utf8Check,
    passed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    Payload,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
}

#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    opcode: u8,
    last: bool,
    left: u64,
    mask: [u8; 4],
    /// Where in the mask the next byte is.
    phase: usize,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

impl Inspector {
    /// For a peer that must mask (a client), or must not (a server).
    pub(super) fn new(peer_masks: bool, limits: &Limits) -> Self {
        Self {
            mask_bit: if peer_masks { 0x80 } else { 0 },
            max_frame: limits.frame as u64,
            max_message: limits.message as u64,
            max_fragments: limits.fragments,
            state: State::Header,
            header: [0; 14],
            header_len: 0,
            frame: Frame::default(),
            control: Vec::new(),
            message: None,
            size: 0,
            fragments: 0,
            utf8: Utf8Check::default(),
            passed: 0,
        }
    }

    /// How many messages have been passed on whole.
    pub(super) const fn passed(&self) -> u64 {
        self.passed
    }

    /// Whether nothing has begun and not ended: neither a frame nor a message.
    pub(super) fn is_between_messages(&self) -> bool {
        self.state != State::Payload && self.header_len == 0 && self.message.is_none()
    }

    /// Looks at the next bytes; never called with none.
    pub(super) fn step(&mut self, input: &[u8]) -> Step {
        match self.state {
            State::Header if self.header_len == 0 => match self.whole_messages(input) {
                0 => self.header(input),
                length => Step::Pass(length),
            },
            State::Header => self.header(input),
            State::Payload => self.payload(input),
            // Whatever follows a close frame is no message (section 5.5.1).
            State::Closed => Step::Drop(input.len()),
        }
    }

    /// The fast path: how many bytes at the start are whole messages of one frame.
    ///
    /// Their text is not looked at: it is all there, so the decoder that comes next reports it just as early.
    fn whole_messages(&mut self, input: &[u8]) -> usize {
        if self.message.is_some() {
            return 0;
        }
        let limit = self.max_frame.min(self.max_message);
        let mask_length = if self.mask_bit == 0 { 0 } else { 4 };
        let mut at = 0;
        while let [0x81 | 0x82, second, rest @ ..] = &input[at..] {
            let (header, length) = match (second ^ self.mask_bit, rest) {
                (short @ 0..=125, _) => (2 + mask_length, usize::from(short)),
                // Below 126 it is a length in more bytes than it needs, which the slow path refuses.
                (126, [high, low, ..]) if *high > 0 || *low >= 126 => (
                    4 + mask_length,
                    usize::from(u16::from_be_bytes([*high, *low])),
                ),
                _ => break,
            };
            if length as u64 > limit || input.len() - at < header + length {
                break;
            }
            at += header + length;
            self.passed += 1;
        }
        at
    }

    fn header(&mut self, input: &[u8]) -> Step {
        let mut taken = 0;
        while let Some(&byte) = input.get(taken) {
            self.header[usize::from(self.header_len)] = byte;
            self.header_len += 1;
            taken += 1;
            let checked = match self.header_len {
                1 => self.first_byte(byte),
                2 => self.second_byte(byte),
                _ => Ok(()),
            };
            if let Err(fault) = checked {
                return self.fault(fault);
            }
            if self.header_len >= 2 && usize::from(self.header_len) == self.header_length() {
                return match self.begin_frame() {
                    Ok(()) if self.frame.left == 0 => self.end_frame(taken),
                    Ok(()) => self.taken(taken),
                    Err(fault) => self.fault(fault),
                };
            }
        }
        self.taken(taken)
    }

    /// Bytes of a data frame go on, those of a control frame do not.
    const fn taken(&self, bytes: usize) -> Step {
        if self.frame.opcode >= CLOSE {
            Step::Drop(bytes)
        } else {
            Step::Pass(bytes)
        }
    }

    fn first_byte(&mut self, byte: u8) -> Result<(), Fault> {
        self.frame = Frame {
            opcode: byte & 0x0f,
            last: byte & 0x80 != 0,
            ..Frame::default()
        };
        if byte & 0x70 != 0 {
            return Err(protocol("a reserved bit is set"));
        }
        match (self.frame.opcode, self.message) {
            (CONTINUATION, None) => Err(protocol("a continuation of nothing")),
            (TEXT | BINARY, Some(_)) => Err(protocol("a message inside of a message")),
            (CONTINUATION | TEXT | BINARY, _) => Ok(()),
            (CLOSE | PING | PONG, _) if self.frame.last => Ok(()),
            (CLOSE | PING | PONG, _) => Err(protocol("a fragmented control frame")),
            _ => Err(protocol("a reserved opcode")),
        }
    }

    fn second_byte(&self, byte: u8) -> Result<(), Fault> {
        if byte & 0x80 != self.mask_bit {
            return Err(protocol(if self.mask_bit == 0 {
                "a masked frame of a server"
            } else {
                "an unmasked frame of a client"
            }));
        }
        if self.frame.opcode >= CLOSE && byte & 0x7f > 125 {
            return Err(protocol("a control frame of more than 125 bytes"));
        }
        Ok(())
    }

    fn header_length(&self) -> usize {
        let length = match self.header[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        length + if self.mask_bit == 0 { 0 } else { 4 }
    }

    fn begin_frame(&mut self) -> Result<(), Fault> {
        let header = &self.header;
        let (left, minimum, mask_at) = match header[1] & 0x7f {
            126 => (
                u64::from(u16::from_be_bytes([header[2], header[3]])),
                126,
                4,
            ),
            127 => {
                let mut length = [0; 8];
                length.copy_from_slice(&header[2..10]);
                (u64::from_be_bytes(length), 1 << 16, 10)
            }
            short => (u64::from(short), 0, 2),
        };
        if left >> 63 != 0 {
            return Err(protocol("a length of 64 bits"));
        }
        if left < minimum {
            return Err(protocol("a length in more bytes than it needs"));
        }
        self.frame.left = left;
        if self.mask_bit != 0 {
            self.frame
                .mask
                .copy_from_slice(&header[mask_at..mask_at + 4]);
        }
        self.state = State::Payload;
        self.header_len = 0;
        if self.frame.opcode < CLOSE {
            self.begin_data()?;
        }
        Ok(())
    }

    fn begin_data(&mut self) -> Result<(), Fault> {
        match self.frame.opcode {
            TEXT => self.begin_message(Kind::Text),
            BINARY => self.begin_message(Kind::Binary),
            _ => {}
        }
        self.fragments = self.fragments.saturating_add(1);
        self.size = self.size.saturating_add(self.frame.left);
        if self.frame.left > self.max_frame {
            return Err(too_big("a frame over the limit"));
        }
        if self.size > self.max_message {
            return Err(too_big("a message over the limit"));
        }
        if self.fragments > self.max_fragments {
            return Err(Fault {
                code: CloseCode::POLICY,
                what: "a message of too many fragments",
            });
        }
        Ok(())
    }

    fn begin_message(&mut self, kind: Kind) {
        self.message = Some(kind);
        self.size = 0;
        self.fragments = 0;
        self.utf8 = Utf8Check::default();
    }

    fn payload(&mut self, input: &[u8]) -> Step {
        let left = usize::try_from(self.frame.left).unwrap_or(usize::MAX);
        let piece = &input[..left.min(input.len())];
        if self.frame.opcode >= CLOSE {
            let (mask, phase) = (self.frame.mask, self.frame.phase);
            let unmasked = piece.iter().enumerate();
            self.control
                .extend(unmasked.map(|(at, byte)| byte ^ mask[(phase + at) % 4]));
        } else if self.message == Some(Kind::Text) && self.check_text(piece).is_err() {
            return self.fault(NOT_UTF8);
        }
        self.frame.phase = (self.frame.phase + piece.len()) % 4;
        self.frame.left -= piece.len() as u64;
        if self.frame.left == 0 {
            return self.end_frame(piece.len());
        }
        self.taken(piece.len())
    }

    fn check_text(&mut self, piece: &[u8]) -> Result<(), super::utf8::Invalid> {
        let mut plain = [0; 512];
        let mut phase = self.frame.phase;
        for chunk in piece.chunks(plain.len()) {
            let mut mask = self.frame.mask;
            mask.rotate_left(phase);
            let plain = &mut plain[..chunk.len()];
            plain.copy_from_slice(chunk);
            unmask(plain, mask);
            phase = (phase + chunk.len()) % 4;
            if !(self.utf8.may_end() && plain.is_ascii()) {
                self.utf8.push(plain)?;
            }
        }
        Ok(())
    }

    fn end_frame(&mut self, taken: usize) -> Step {
        self.state = State::Header;
        if self.frame.opcode >= CLOSE {
            return self.end_control(taken);
        }
        if self.frame.last {
            if self.message == Some(Kind::Text) && !self.utf8.may_end() {
                return self.fault(NOT_UTF8);
            }
            self.message = None;
            self.passed += 1;
        }
        Step::Pass(taken)
    }

    fn end_control(&mut self, taken: usize) -> Step {
        let payload = Bytes::from(std::mem::take(&mut self.control));
        let control = match self.frame.opcode {
            PING => Control::Ping(payload),
            PONG => Control::Pong(payload),
            _ => match close(&payload) {
                Ok(frame) => {
                    self.state = State::Closed;
                    Control::Close(frame)
                }
                Err(fault) => return self.fault(fault),
            },
        };
        Step::Control(taken, control)
    }

    fn fault(&mut self, fault: Fault) -> Step {
        self.state = State::Closed;
        Step::Fault(fault)
    }
}

/// The payload of a close frame (RFC 6455, section 5.5.1).
fn close(payload: &Bytes) -> Result<Option<CloseFrame>, Fault> {
    let [high, low, ..] = payload[..] else {
        return match payload.len() {
            0 => Ok(None),
            _ => Err(protocol("half of a close code")),
        };
    };
    let code = CloseCode::new(u16::from_be_bytes([high, low]))
        .ok_or_else(|| protocol("a close code that may not travel"))?;
    let reason = Text::try_from(payload.slice(2..)).map_err(|_| NOT_UTF8)?;
    Ok(Some(CloseFrame::new(code).reason(reason)))
}

/// Whole words first: this is the inner loop of large text messages.
fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let mut words = bytes.chunks_exact_mut(4);
    for word in &mut words {
        for (byte, mask) in word.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

pub(super) const NOT_UTF8: Fault = Fault {
    code: CloseCode::INVALID_DATA,
    what: "text that is not UTF-8",
};

const fn protocol(what: &'static str) -> Fault {
    Fault {
        code: CloseCode::PROTOCOL,
        what,
    }
}

const fn too_big(what: &'static str) -> Fault {
    Fault {
        code: CloseCode::TOO_BIG,
        what,
    }
}
