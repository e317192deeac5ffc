//! Walks the inbound bytes frame by frame, before they are decoded. Pure.
//!
//! The framing library below hides frames, answers control frames on its own, and reports a bad byte of text when
//! the message ends. So everything that RFC 6455 wants to be noticed is noticed here: which close code is due, which
//! ping wants a pong, where a message begins and ends. Small messages that are there whole are passed on to be
//! decoded; all others are put together here, as their bytes come.

use bytes::Bytes;

use super::{
    assembly::Assembly,
    control::{Control, Fault, close},
    header::{BINARY, Frame, Header, PING, PONG, Small, TEXT},
    plain::Plain,
};
use crate::ws::{CloseCode, Limits, Message, MessageKind};

/// What the next bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// So many bytes are whole messages: hand them on.
    Pass(usize),
    /// So many bytes have been dealt with: drop them.
    Drop(usize),
    /// So many bytes end a control frame: drop them, and act.
    Control(usize, Control),
    /// So many bytes end a message: drop them, and hand it on.
    Data(usize, Data),
    /// The peer broke a rule. Nothing after this is looked at.
    Fault(Fault),
}

/// What has been put together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Data {
    Message(Message),
    /// A part of a message that somebody takes as it comes.
    Piece {
        part: Message,
        last: bool,
    },
}

#[derive(Debug)]
pub(super) struct Inspector {
    /// Whether the limit of fragments counts here.
    counting: bool,
    state: State,
    header: Header,
    frame: Frame,
    /// The payload of a control frame. Boxed, as is the message in progress: most connections have none.
    #[expect(clippy::box_collection, reason = "two words less where there is none")]
    control: Option<Box<Vec<u8>>>,

    /// The message in progress; `None` between messages.
    message: Option<Box<Progress>>,
}

#[derive(Debug)]
struct Progress {
    assembly: Assembly,
    size: u64,
    fragments: u32,
    taking: Taking,
    /// It is too large to be held whole: somebody has to say that it is to be streamed.
    held: Option<Fault>,
}

/// What becomes of a message in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taking {
    Whole,
    /// In parts, as they come.
    Parts,
    /// Nobody wants what is left of it.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    Payload,
    Closed,
}

/// The largest frame whose message is passed on, in bytes. Larger ones are put together here as they
/// come.
const LARGEST_PASSED: usize = 8 << 10;
/// The most bytes that are passed on at once, but for one message. A message that is kept keeps all of them.
const LARGEST_PASS: usize = 16 << 10;
/// Payload of a large message is read to where it will stay, in pieces of at least so many bytes: with a smaller one,
/// what follows it can be read at once.
const LEAST_ROOM: usize = 16 << 10;
/// And of at most so many: they are unmasked while they are in the cache of the processor.
const MOST_ROOM: usize = 256 << 10;
/// The most bytes of one part of a message, beyond what there is when somebody asks for the first one.
const LARGEST_PART: usize = 64 << 10;

impl Inspector {
    /// For a peer that must mask (a client), or must not (a server). The limit of fragments may count elsewhere.
    pub(super) fn new(peer_masks: bool, counting: bool) -> Self {
        Self {
            counting,
            state: State::Header,
            header: Header::new(peer_masks),
            frame: Frame::default(),
            control: None,
            message: None,
        }
    }

    /// The message that begins here, where [`step`](Self::step) says that there are whole ones.
    #[inline]
    pub(super) fn small(&self, input: &[u8]) -> Option<Small> {
        self.header.small(input)
    }

    /// Whether nothing has begun and not ended: neither a frame nor a message.
    pub(super) fn is_between_messages(&self) -> bool {
        self.state != State::Payload && self.header.is_empty() && self.message.is_none()
    }

    /// What the message in progress is, if there is one, and whether somebody has to decide about it.
    pub(super) fn in_progress(&self) -> Option<(MessageKind, bool)> {
        let progress = self.message.as_deref()?;
        Some((progress.assembly.kind(), progress.held.is_some()))
    }

    /// Whether nothing more is looked at before somebody decides about a message that is too large.
    pub(super) fn is_held(&self) -> bool {
        self.message
            .as_ref()
            .is_some_and(|progress| progress.held.is_some())
    }

    /// What is to become of the message in progress.
    pub(super) fn take_as(&mut self, taking: Taking) {
        let Some(progress) = &mut self.message else {
            return;
        };
        match taking {
            Taking::Whole if progress.held.is_some() => {}
            Taking::Whole => progress.taking = taking,
            Taking::Parts | Taking::Nothing => {
                progress.taking = taking;
                progress.held = None;
                if taking == Taking::Nothing {
                    progress.assembly.clear();
                }
            }
        }
    }

    /// Nobody wants parts of the message that is held: it is too large.
    pub(super) fn decline(&mut self) -> Option<Fault> {
        let fault = self.message.as_mut()?.held.take()?;
        self.state = State::Closed;
        Some(fault)
    }

    /// The part that has come of a message that is taken in parts; all of it, or only if it is large enough.
    pub(super) fn part(&mut self, any: bool) -> Result<Option<Message>, Fault> {
        match &mut self.message {
            Some(progress) if progress.taking == Taking::Parts => {
                if any || progress.assembly.len() >= LARGEST_PART {
                    progress.assembly.take_piece()
                } else {
                    Ok(None)
                }
            }
            _ => Ok(None),
        }
    }

    /// Whether [`step`](Self::step) has something to do without input: the end of a frame that was held.
    pub(super) const fn is_due(&self) -> bool {
        matches!(self.state, State::Payload) && self.frame.left == 0
    }

    /// Looks at the next bytes; not while a message [is held](Self::is_held), and with none only when it
    /// [is due](Self::is_due).
    pub(super) fn step(&mut self, input: &[u8], limits: &Limits) -> Step {
        match self.state {
            State::Header if self.header.is_empty() => match self.whole_messages(input, limits) {
                0 => self.header(input, limits),
                length => Step::Pass(length),
            },
            State::Header => self.header(input, limits),
            State::Payload => self.payload(input),
            // Whatever follows a close frame is no message (section 5.5.1).
            State::Closed => Step::Drop(input.len()),
        }
    }

    /// The fast path: how many bytes at the start are whole messages of one frame.
    ///
    /// Their text is not looked at: it is all there, and is checked next.
    fn whole_messages(&self, input: &[u8], limits: &Limits) -> usize {
        if self.message.is_some() {
            return 0;
        }
        let limit = limits.frame.min(limits.message).min(LARGEST_PASSED);
        let mut at = 0;
        while at < LARGEST_PASS {
            match self.header.small(&input[at..]) {
                Some(small) if small.length <= limit => at += small.head + small.length,
                _ => break,
            }
        }
        at
    }

    fn header(&mut self, input: &[u8], limits: &Limits) -> Step {
        let mut taken = 0;
        while let Some(&byte) = input.get(taken) {
            taken += 1;
            match self.header.push(byte, self.message.is_some()) {
                Ok(None) => {}
                Ok(Some(frame)) => return self.begin_frame(frame, taken, limits),
                Err(fault) => return self.fault(fault),
            }
        }
        Step::Drop(taken)
    }

    fn begin_frame(&mut self, frame: Frame, taken: usize, limits: &Limits) -> Step {
        self.frame = frame;
        self.state = State::Payload;
        if !frame.is_control() {
            if let Err(fault) = self.begin_data(limits) {
                return self.fault(fault);
            }
        }
        if frame.left == 0 && !self.is_held() {
            return self.end_frame(taken);
        }
        Step::Drop(taken)
    }

    fn begin_data(&mut self, limits: &Limits) -> Result<(), Fault> {
        match self.frame.opcode {
            TEXT => self.begin_message(MessageKind::Text),
            BINARY => self.begin_message(MessageKind::Binary),
            _ => {}
        }
        let Some(progress) = &mut self.message else {
            return Ok(());
        };
        progress.fragments = progress.fragments.saturating_add(1);
        progress.size = progress.size.saturating_add(self.frame.left);
        // 0 where no message is taken in parts that could not be taken whole.
        let max_streamed = limits.streamed.unwrap_or(0);
        // What is never held whole may be larger, and in as many frames as it takes.
        if progress.taking != Taking::Whole && max_streamed > 0 {
            return if progress.size > max_streamed {
                Err(Fault::too_big(OVER))
            } else {
                Ok(())
            };
        }
        let fault = if self.frame.left > limits.frame as u64 {
            Fault::too_big("a frame over the limit")
        } else if progress.size > limits.message as u64 {
            Fault::too_big(OVER)
        } else if self.counting && progress.fragments > limits.fragments {
            Fault {
                code: CloseCode::POLICY,
                what: "a message of too many fragments",
            }
        } else {
            return Ok(());
        };
        if progress.size > max_streamed {
            return Err(fault);
        }
        progress.held = Some(fault);
        Ok(())
    }

    fn begin_message(&mut self, kind: MessageKind) {
        self.message = Some(Box::new(Progress {
            assembly: Assembly::new(kind),
            size: 0,
            fragments: 0,
            taking: Taking::Whole,
            held: None,
        }));
    }

    fn payload(&mut self, input: &[u8]) -> Step {
        let left = usize::try_from(self.frame.left).unwrap_or(usize::MAX);
        let piece = &input[..left.min(input.len())];
        let mask = self.frame.mask_here();
        if self.frame.is_control() {
            let unmasked = piece.iter().zip(mask.iter().cycle());
            let control = self.control.get_or_insert_default();
            control.extend(unmasked.map(|(byte, mask)| byte ^ mask));
        } else if let Some(progress) = &mut self.message {
            let end = match progress.taking {
                Taking::Whole => self.frame.end(),
                // It goes again before it has grown much.
                Taking::Parts | Taking::Nothing => {
                    Some(piece.len().max(progress.assembly.len()) as u64)
                }
            };
            if let Err(fault) = progress.assembly.push(piece, mask, end) {
                return self.fault(fault);
            }
            if progress.taking == Taking::Nothing {
                progress.assembly.clear();
            }
        }
        self.advance(piece.len(), piece.len())
    }

    /// How long the message in progress is, where none of it has been looked at and all of it is there.
    pub(super) fn whole(&self, unread: usize) -> Option<usize> {
        let progress = self.message.as_deref()?;
        let frame = &self.frame;
        let begins = self.state == State::Payload && !frame.is_control() && frame.last;
        let whole = begins && progress.assembly.len() == 0 && progress.taking == Taking::Whole;
        let left = usize::try_from(frame.left).ok()?;
        (whole && !self.is_held() && left <= unread).then_some(left)
    }

    /// The payload of such a message, in the memory that it came in.
    pub(super) fn adopt(&mut self, masked: Plain) -> Step {
        let count = masked.len();
        let mask = self.frame.mask_here();
        if let Some(progress) = &mut self.message {
            if let Err(fault) = progress.assembly.adopt(masked, mask) {
                return self.fault(fault);
            }
        }
        self.advance(count, 0)
    }

    /// Where the payload of a large message may be read to, past what is read ahead; not with input that has not been
    /// [looked at](Self::step). What has been read there is [filled](Self::filled).
    pub(super) fn room(&mut self) -> Option<&mut [u8]> {
        let progress = self.message.as_deref_mut()?;
        let left = usize::try_from(self.frame.left).unwrap_or(usize::MAX);
        let in_payload = self.state == State::Payload && !self.frame.is_control();
        if !in_payload || progress.taking != Taking::Whole {
            return None;
        }
        // Room is written to before it is read to: twice what has come is enough.
        let most = left.min(MOST_ROOM).min(progress.assembly.len());
        if most < LEAST_ROOM {
            return None;
        }
        let room = progress.assembly.room(most, self.frame.end());
        (room.len() >= LEAST_ROOM).then_some(room)
    }

    /// So many bytes have been read to the [room](Self::room).
    pub(super) fn filled(&mut self, count: usize) -> Step {
        let mask = self.frame.mask_here();
        if let Some(progress) = &mut self.message {
            if let Err(fault) = progress.assembly.filled(count, mask) {
                return self.fault(fault);
            }
        }
        self.advance(count, 0)
    }

    /// So many bytes of the payload have come, and `taken` of the input with them.
    fn advance(&mut self, count: usize, taken: usize) -> Step {
        self.frame.advance(count);
        if self.frame.left == 0 {
            return self.end_frame(taken);
        }
        Step::Drop(taken)
    }

    fn end_frame(&mut self, taken: usize) -> Step {
        self.state = State::Header;
        if self.frame.is_control() {
            return self.end_control(taken);
        }
        if !self.frame.last {
            return Step::Drop(taken);
        }
        let Some(mut progress) = self.message.take() else {
            return Step::Drop(taken);
        };
        match progress.assembly.finish() {
            Err(fault) => self.fault(fault),
            Ok(message) if progress.taking == Taking::Whole => {
                Step::Data(taken, Data::Message(message))
            }
            Ok(part) => Step::Data(taken, Data::Piece { part, last: true }),
        }
    }

    fn end_control(&mut self, taken: usize) -> Step {
        let payload = self
            .control
            .take()
            .map_or_else(Bytes::new, |control| Bytes::from(*control));
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

const OVER: &str = "a message over the limit";
