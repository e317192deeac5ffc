//! Frames from the wire become plain frames (pure; RFC 7692, section 6.2).

use super::bounds::{Bounds, Size};
use super::codec::{Corrupt, Inflater};
use super::fragment::Fragments;
use super::frames::{self, Header, MAX_HEADER, Mask, Partial, RSV1, RSV2, RSV3};
use crate::ws::{CloseCode, Fault, socket::Role};

/// Compressed bytes that are unmasked and inflated in one go.
///
/// Those that the inflater leaves are masked again; a bomb fills the output with a few of them, so a piece is small.
const PIECE: usize = 4096;

/// One direction of a connection: reads the peer's frames, writes frames without RSV1.
///
/// A compressed message becomes fragments with an all-zero mask, so that nothing has to hold it whole
/// and the limits of whoever reads the fragments hold while it inflates.
/// Everything else passes byte for byte.
#[derive(Debug)]
pub(super) struct Inbound {
    role: Role,
    bounds: Bounds,
    inflater: Inflater,
    partial: Partial,
    state: State,
    message: Message,
    /// Frames of the message in progress.
    frames: u32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    /// Payload that passes as it is.
    Raw {
        left: u64,
    },
    Packed(Packed),
    /// The compressed message is complete; the inflater still holds some of it.
    Ending,
    Failed(Fault),
}

/// The payload of a compressed frame.
#[derive(Clone, Copy, Debug)]
struct Packed {
    left: u64,
    mask: Option<Mask>,
    /// How much has been inflated, modulo the mask.
    done: usize,
    last: bool,
}

/// The data message in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    None,
    Raw,
    Packed {
        /// What the next fragment's header says: text or binary, then 0.
        opcode: u8,
        size: Size,
    },
}

/// How many bytes of the input were used, and how many of the output were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) used: usize,
    pub(super) made: usize,
}

impl Inbound {
    pub(super) fn new(role: Role, bounds: Bounds, inflater: Inflater) -> Self {
        Self {
            role,
            bounds,
            inflater,
            partial: Partial::default(),
            state: State::Header,
            message: Message::None,
            frames: 0,
        }
    }

    /// Reads frames from `input` and writes plain ones to `output`, until one of them is used up.
    ///
    /// `output` has at least [`Fragments::MIN`] bytes.
    /// A fault comes after everything that was right before it, and stays.
    pub(super) fn step(&mut self, input: &mut [u8], output: &mut [u8]) -> Result<Moved, Fault> {
        if let State::Failed(fault) = self.state {
            return Err(fault);
        }
        let mut out = Fragments::new(output, self.role == Role::Server, self.bounds.fragment);
        let mut used = 0;
        loop {
            match self.advance(&mut input[used..], &mut out) {
                Ok(Some(more)) => used += more,
                Ok(None) => break,
                Err(fault) => {
                    self.state = State::Failed(fault);
                    // What is in an open fragment belongs to a message that will never be whole.
                    let made = out.abandon();
                    return if made == 0 {
                        Err(fault)
                    } else {
                        Ok(Moved { used, made })
                    };
                }
            }
        }
        self.hand_over(used == input.len(), &mut out);
        Ok(Moved {
            used,
            made: out.abandon(),
        })
    }

    /// Nothing is in the middle of anything: no message, no header, no output held back.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Header)
            && self.message == Message::None
            && self.partial.is_empty()
    }

    /// Whether it has worked since this was last asked.
    pub(super) fn take_used(&mut self) -> bool {
        std::mem::take(&mut self.inflater.used)
    }

    /// Gives up what can be had again. Only while [`Self::is_idle`].
    pub(super) fn release(&mut self) {
        self.inflater.release();
    }

    /// Does one thing; says how much input it used, or that it can't do more.
    fn advance(
        &mut self,
        input: &mut [u8],
        out: &mut Fragments<'_>,
    ) -> Result<Option<usize>, Fault> {
        match self.state {
            State::Header => self.header(input, out),
            State::Raw { left } => Ok(self.raw(left, input, out)),
            State::Packed(packed) => self.packed(packed, input, out),
            State::Ending => self.ending(out),
            State::Failed(fault) => Err(fault),
        }
    }

    fn header(&mut self, input: &[u8], out: &mut Fragments<'_>) -> Result<Option<usize>, Fault> {
        // The header may be one that passes.
        if out.room() < MAX_HEADER {
            return Ok(None);
        }
        let (header, used) = self.partial.next(input);
        match header {
            Some(header) => self.begin(header, out)?,
            None if used == 0 => return Ok(None),
            None => {}
        }
        Ok(Some(used))
    }

    fn begin(&mut self, header: Header, out: &mut Fragments<'_>) -> Result<(), Fault> {
        if header.is_control() {
            return self.pass(header, out);
        }
        if !header.is_continuation() {
            self.begin_message(header)?;
        } else if header.has(RSV1) {
            return Err(Fault::protocol("RSV1 on a continuation"));
        }
        self.frames += 1;
        if self.frames > self.bounds.fragments {
            return Err(Fault::new(CloseCode::POLICY, "too many fragments"));
        }
        let packed = matches!(self.message, Message::Packed { .. });
        if packed {
            self.begin_packed(header)
        } else {
            self.pass(header, out)
        }
    }

    fn begin_message(&mut self, header: Header) -> Result<(), Fault> {
        let packed = header.has(RSV1);
        // A plain message that starts within a plain one is for others to refuse: they see both.
        if matches!(self.message, Message::Packed { .. })
            || (packed && self.message == Message::Raw)
        {
            return Err(Fault::protocol("a message starts within a message"));
        }
        if packed && header.opcode() > 2 {
            return Err(Fault::protocol("RSV1 on a reserved opcode"));
        }
        self.frames = 0;
        self.message = match packed {
            true => Message::Packed {
                opcode: header.opcode(),
                size: Size::default(),
            },
            false => Message::Raw,
        };
        Ok(())
    }

    /// Everything that is lost with the header is checked here.
    fn begin_packed(&mut self, header: Header) -> Result<(), Fault> {
        if header.has(RSV2 | RSV3) {
            return Err(Fault::protocol("reserved bits"));
        }
        if !header.is_legal() {
            return Err(Fault::protocol("illegal length"));
        }
        match (self.role, header.mask) {
            (Role::Server, None) => return Err(Fault::protocol("unmasked frame from a client")),
            (Role::Client, Some(_)) => return Err(Fault::protocol("masked frame from a server")),
            _ => {}
        }
        if header.length > self.bounds.frame as u64 {
            return Err(Fault::too_big("frame too big"));
        }
        self.count(header.length, 0)?;
        let Header {
            length: left, mask, ..
        } = header;
        self.state = State::Packed(Packed {
            left,
            mask,
            done: 0,
            last: header.is_final(),
        });
        Ok(())
    }

    /// Lets a frame pass as it is.
    fn pass(&mut self, header: Header, out: &mut Fragments<'_>) -> Result<(), Fault> {
        if header.is_control() && header.has(RSV1) {
            return Err(Fault::protocol("RSV1 on a control frame"));
        }
        self.close_fragment(out);
        out.push(self.partial.bytes(&header));
        self.state = State::Raw {
            left: header.length,
        };
        if header.is_final() && !header.is_control() {
            self.message = Message::None;
        }
        Ok(())
    }

    fn raw(&mut self, left: u64, input: &[u8], out: &mut Fragments<'_>) -> Option<usize> {
        if left == 0 {
            self.state = State::Header;
            return Some(0);
        }
        let fits = input.len().min(out.room());
        let n = usize::try_from(left).map_or(fits, |left| left.min(fits));
        out.push(&input[..n]);
        self.state = State::Raw {
            left: left - n as u64,
        };
        (n > 0).then_some(n)
    }

    fn packed(
        &mut self,
        mut now: Packed,
        input: &mut [u8],
        out: &mut Fragments<'_>,
    ) -> Result<Option<usize>, Fault> {
        if now.left == 0 {
            self.state = if now.last {
                State::Ending
            } else {
                State::Header
            };
            return Ok(Some(0));
        }
        let fits = input.len().min(PIECE);
        let piece = usize::try_from(now.left).map_or(fits, |left| left.min(fits));
        if piece == 0 || self.make_room(out) == 0 {
            return Ok(None);
        }
        let input = &mut input[..piece];
        toggle(now, 0, input);
        let limit = self.limit();
        let step = self
            .inflater
            .push(input, out.payload(limit))
            .map_err(corrupt)?;
        toggle(now, step.used, input);
        out.grow(step.made);
        now.left -= step.used as u64;
        now.done = (now.done + step.used) % 4;
        self.state = State::Packed(now);
        self.count(0, step.made as u64)?;
        Ok(Some(step.used))
    }

    fn ending(&mut self, out: &mut Fragments<'_>) -> Result<Option<usize>, Fault> {
        if self.make_room(out) == 0 {
            return Ok(None);
        }
        let limit = self.limit();
        let (made, done) = self.inflater.end(out.payload(limit)).map_err(corrupt)?;
        out.grow(made);
        self.count(0, made as u64)?;
        if done {
            if let Message::Packed { opcode, .. } = self.message {
                out.close(frames::FIN | opcode);
            }
            self.message = Message::None;
            self.state = State::Header;
        }
        Ok(Some(0))
    }

    /// Room for payload, in a new fragment where the open one is full.
    fn make_room(&mut self, out: &mut Fragments<'_>) -> usize {
        if out.payload(usize::MAX).is_empty() {
            self.close_fragment(out);
            out.open();
        }
        out.payload(usize::MAX).len()
    }

    /// Ends an open fragment in the middle of its message.
    fn close_fragment(&mut self, out: &mut Fragments<'_>) {
        if let Message::Packed { opcode, .. } = &mut self.message {
            if out.close(*opcode) {
                *opcode = 0;
            }
        }
    }

    /// Before the output goes up: those above must learn that a message has begun, or they could not limit its time.
    fn hand_over(&mut self, starved: bool, out: &mut Fragments<'_>) {
        self.close_fragment(out);
        // Not within a control frame that has not come whole.
        let between = starved && !matches!(self.state, State::Raw { .. });
        if let Message::Packed {
            opcode: opcode @ 1..,
            ..
        } = &mut self.message
        {
            if between && out.open_empty(*opcode) {
                *opcode = 0;
            }
        }
    }

    /// How much may be inflated.
    fn limit(&self) -> usize {
        match self.message {
            Message::Packed { size, .. } => self.bounds.room(size),
            Message::None | Message::Raw => 0,
        }
    }

    /// Counts bytes of a compressed message.
    fn count(&mut self, wire: u64, plain: u64) -> Result<(), Fault> {
        match &mut self.message {
            Message::Packed { size, .. } => {
                size.wire = size.wire.saturating_add(wire);
                size.plain += plain;
                self.bounds.check(*size)
            }
            Message::None | Message::Raw => Ok(()),
        }
    }
}

/// Unmasks, or masks again, what follows the first `from` bytes of a piece of payload.
fn toggle(now: Packed, from: usize, piece: &mut [u8]) {
    if let Some(mask) = now.mask {
        frames::apply(mask, now.done + from, &mut piece[from..]);
    }
}

fn corrupt(_: Corrupt) -> Fault {
    Fault::new(CloseCode::INVALID_DATA, "invalid deflate data")
}
