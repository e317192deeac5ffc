//! Plain frames become frames for the wire (pure; RFC 7692, section 6.1).

use super::codec::{Compressor, Failed};
use super::frames::{self, Header, MAX_HEADER, Mask, Partial, RSV1, RSV3};
use crate::ws::{CloseCode, Fault};

/// Marks a message whose payload is compressed already: it passes as it is.
pub(crate) const COMPRESSED: u8 = RSV1;
/// Marks a message that must not be compressed; the mark does not reach the wire.
pub(crate) const SECRET: u8 = RSV3;

/// Bytes that wait for the transport before no more are taken.
const HIGH: usize = 64 * 1024;
/// Capacity that is kept while nothing waits.
const KEPT: usize = 4 * 1024;
/// Masked payload that is unmasked and compressed in one go.
const PIECE: usize = 8 * 1024;

/// One direction of a connection: takes our frames, compresses messages that are worth it.
///
/// Whether a message is compressed is decided by its first header, before the window is touched.
#[derive(Debug)]
pub(super) struct Outbound {
    threshold: u64,
    compressor: Compressor,
    partial: Partial,
    state: State,
    message: Message,
    wire: Vec<u8>,
    /// How much of `wire` has been written.
    written: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    /// Payload that passes as it is.
    Raw {
        left: u64,
    },
    Packing(Packing),
}

/// A frame whose payload is compressed.
#[derive(Clone, Copy, Debug)]
struct Packing {
    first: u8,
    mask: Option<Mask>,
    left: u64,
    /// How much has been compressed, modulo the mask.
    done: usize,
    /// Where in `wire` the frame begins; its header is written when its length is known.
    start: usize,
}

/// The data message in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    None,
    Raw,
    Packed,
}

impl Outbound {
    pub(super) fn new(threshold: usize, compressor: Compressor) -> Self {
        Self {
            threshold: threshold as u64,
            compressor,
            partial: Partial::default(),
            state: State::Header,
            message: Message::None,
            wire: Vec::new(),
            written: 0,
        }
    }

    /// Takes plain frames, cut anywhere; says how many bytes it took: none of them while too many wait.
    pub(super) fn push(&mut self, mut plain: &[u8]) -> Result<usize, Fault> {
        let offered = plain.len();
        while !plain.is_empty() && self.is_taking() {
            let used = match self.state {
                State::Header => self.header(plain)?,
                State::Raw { left } => self.raw(left, plain),
                State::Packing(packing) => self.pack(packing, plain)?,
            };
            plain = &plain[used..];
        }
        Ok(offered - plain.len())
    }

    /// What waits for the transport. A frame that is being compressed is not there yet.
    pub(super) fn waiting(&self) -> &[u8] {
        let end = match self.state {
            State::Packing(packing) => packing.start,
            _ => self.wire.len(),
        };
        &self.wire[self.written..end]
    }

    /// The transport has taken some of [`Self::waiting`].
    pub(super) fn wrote(&mut self, n: usize) {
        self.written += n;
        if self.written == self.wire.len() {
            self.written = 0;
            self.wire.clear();
            self.wire.shrink_to(KEPT);
        }
    }

    /// Nothing waits, and no frame or message is half done.
    pub(super) fn is_idle(&self) -> bool {
        let resting = matches!(self.state, State::Header) && self.message == Message::None;
        resting && self.wire.is_empty() && self.partial.is_empty()
    }

    /// Whether it has worked since this was last asked.
    pub(super) fn take_used(&mut self) -> bool {
        std::mem::take(&mut self.compressor.used)
    }

    /// Gives up what can be had again; the compressor too, unless it is to be kept. Only while [`Self::is_idle`].
    pub(super) fn release(&mut self, keep: bool) {
        self.wire = Vec::new();
        if !keep {
            self.compressor.forget();
        }
    }

    fn is_taking(&self) -> bool {
        // A frame that is being compressed has to be finished before any of it can leave.
        matches!(self.state, State::Packing(_)) || self.wire.len() - self.written < HIGH
    }

    fn header(&mut self, plain: &[u8]) -> Result<usize, Fault> {
        let (header, used) = self.partial.next(plain);
        if let Some(header) = header {
            self.begin(header)?;
        }
        Ok(used)
    }

    fn begin(&mut self, header: Header) -> Result<(), Fault> {
        if header.is_control() {
            self.pass(header, 0);
            return Ok(());
        }
        if !header.is_continuation() {
            self.message = self.choose(header);
        }
        let message = self.message;
        if header.is_final() {
            self.message = Message::None;
        }
        if message != Message::Packed {
            self.pass(header, SECRET);
            return Ok(());
        }
        let first = if header.is_continuation() {
            header.first
        } else {
            header.first | RSV1
        };
        let (mask, left, start) = (header.mask, header.length, self.wire.len());
        self.wire.resize(start + MAX_HEADER, 0);
        self.state = State::Packing(Packing {
            first,
            mask,
            left,
            done: 0,
            start,
        });
        // No payload will come to end this frame.
        if left == 0 {
            self.pack(
                Packing {
                    first,
                    mask,
                    left,
                    done: 0,
                    start,
                },
                &[],
            )
            .map(drop)
        } else {
            Ok(())
        }
    }

    /// A message passes that somebody else has compressed: the peer's window takes it in, ours does not.
    pub(super) fn pass_compressed(&mut self) {
        self.compressor.forget();
    }

    fn choose(&mut self, header: Header) -> Message {
        if header.has(COMPRESSED) {
            self.pass_compressed();
            return Message::Raw;
        }
        let secret = header.has(SECRET) || !self.compressor.is_able();
        // The length of a fragmented message is not known yet: those are long.
        let short = header.is_final() && header.length < self.threshold;
        if secret || short {
            Message::Raw
        } else {
            Message::Packed
        }
    }

    /// Lets a frame pass, without the bits of `marks`.
    fn pass(&mut self, header: Header, marks: u8) {
        let start = self.wire.len();
        self.wire.extend_from_slice(self.partial.bytes(&header));
        self.wire[start] &= !marks;
        self.state = raw(header.length);
    }

    fn raw(&mut self, left: u64, plain: &[u8]) -> usize {
        let n = usize::try_from(left).map_or(plain.len(), |left| left.min(plain.len()));
        self.wire.extend_from_slice(&plain[..n]);
        self.state = raw(left - n as u64);
        n
    }

    fn pack(&mut self, mut now: Packing, plain: &[u8]) -> Result<usize, Fault> {
        let n = usize::try_from(now.left).map_or(plain.len(), |left| left.min(plain.len()));
        let last = n as u64 == now.left;
        let mut rest = &plain[..n];
        if let Some(mask) = now.mask {
            let mut clear = Vec::with_capacity(PIECE.min(n));
            while rest.len() > PIECE {
                now.unmask(mask, &rest[..PIECE], &mut clear);
                self.compressor
                    .push(&clear, false, &mut self.wire)
                    .map_err(failed)?;
                rest = &rest[PIECE..];
            }
            now.unmask(mask, rest, &mut clear);
            self.compressor
                .push(&clear, last, &mut self.wire)
                .map_err(failed)?;
        } else {
            self.compressor
                .push(rest, last, &mut self.wire)
                .map_err(failed)?;
        }
        now.left -= n as u64;
        if last {
            self.finish(now);
        } else {
            self.state = State::Packing(now);
        }
        Ok(n)
    }

    /// The frame's length is known: its header goes before it.
    fn finish(&mut self, now: Packing) {
        let payload = now.start + MAX_HEADER;
        if now.first & frames::FIN != 0 {
            self.compressor.end(payload, &mut self.wire);
        }
        if let Some(mask) = now.mask {
            // It is as fresh as when it was drawn for this frame: what it masked has not left.
            frames::apply(mask, 0, &mut self.wire[payload..]);
        }
        let header = Header::new(now.first, now.mask, (self.wire.len() - payload) as u64);
        self.wire.copy_within(payload.., now.start + header.size);
        self.wire
            .truncate(self.wire.len() - MAX_HEADER + header.size);
        header.write(&mut self.wire[now.start..]);
        self.state = State::Header;
    }
}

impl Packing {
    /// Puts the next bytes of the payload into `clear`.
    fn unmask(&mut self, mask: Mask, masked: &[u8], clear: &mut Vec<u8>) {
        clear.clear();
        clear.extend_from_slice(masked);
        frames::apply(mask, self.done, clear);
        self.done = (self.done + masked.len()) % 4;
    }
}

const fn raw(left: u64) -> State {
    if left == 0 {
        State::Header
    } else {
        State::Raw { left }
    }
}

fn failed(_: Failed) -> Fault {
    Fault::new(CloseCode::INTERNAL, "compressor failed")
}
