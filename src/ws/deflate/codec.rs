//! Compressor and inflater of one direction: RFC 7692, section 7.2. The one file that knows flate2.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::history::History;
use super::memory::{MAX_BITS, MIN_BITS};

/// What a flush ends with: sent by nobody, so added here (section 7.2.2).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// Idle compressors and inflaters that a thread keeps, of each kind.
const POOL: usize = 4;

thread_local! {
    static COMPRESSORS: RefCell<Vec<Pooled>> = const { RefCell::new(Vec::new()) };
    static INFLATERS: RefCell<Vec<Decompress>> = const { RefCell::new(Vec::new()) };
}

/// A compressor that has been reset, and what it was made for.
struct Pooled {
    kind: (u8, u8),
    compress: Compress,
}

/// Compresses the messages of one direction.
#[derive(Debug)]
pub(super) struct Compressor {
    level: u8,
    bits: u8,
    takeover: bool,
    pub(super) used: bool,
    /// Taken from the pool by the first message that needs it.
    inner: Option<Compress>,
}

impl Compressor {
    pub(super) const fn new(level: u8, bits: u8, takeover: bool) -> Self {
        Self {
            level,
            bits,
            takeover,
            used: false,
            inner: None,
        }
    }

    /// Whether there is a window that we can compress for.
    pub(super) const fn is_able(&self) -> bool {
        self.bits >= MIN_BITS
    }

    /// Compresses a piece of a frame onto the end of `out`; with `flush`, everything is there afterwards.
    pub(super) fn push(
        &mut self,
        mut input: &[u8],
        flush: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Failed> {
        self.used = true;
        let (level, bits) = (self.level, self.bits);
        let compress = self
            .inner
            .get_or_insert_with(|| take_compressor(level, bits));
        let mode = if flush {
            FlushCompress::Sync
        } else {
            FlushCompress::None
        };
        loop {
            if out.capacity() - out.len() < 64 {
                out.reserve(input.len() / 2 + 256);
            }
            let before = compress.total_in();
            let status = compress
                .compress_vec(input, out, mode)
                .map_err(|_| Failed)?;
            let used = (compress.total_in() - before) as usize;
            input = input.get(used..).ok_or(Failed)?;
            // Room left over is the only sign that nothing is held back.
            let room = out.len() < out.capacity();
            if input.is_empty() && room {
                return Ok(());
            }
            if status == Status::StreamEnd || (room && used == 0) {
                return Err(Failed);
            }
        }
    }

    /// Ends a message whose last frame begins at `start` of `out`, and is flushed.
    pub(super) fn end(&mut self, start: usize, out: &mut Vec<u8>) {
        if out[start..].ends_with(&TAIL) {
            out.truncate(out.len() - TAIL.len());
        }
        // Section 7.2.3.6: nothing to compress is one empty block, whose tail goes as well.
        if out.len() == start {
            out.push(0);
        }
        if !self.takeover {
            self.forget();
        }
    }

    /// Starts afresh: what has been sent so far is not referred to any more, which a sender may do at any message.
    pub(super) fn forget(&mut self) {
        if let Some(compress) = self.inner.take() {
            give_compressor((self.level, self.bits), compress);
        }
    }
}

/// The compressor has refused to work; it does so only when it is misused.
#[derive(Debug)]
pub(super) struct Failed;

fn take_compressor(level: u8, bits: u8) -> Compress {
    let pooled = COMPRESSORS.with_borrow_mut(|pool| {
        let at = pool
            .iter()
            .rposition(|pooled| pooled.kind == (level, bits))?;
        Some(pool.swap_remove(at).compress)
    });
    pooled.unwrap_or_else(|| {
        Compress::new_with_window_bits(
            Compression::new(u32::from(level)),
            false,
            bits.clamp(MIN_BITS, MAX_BITS),
        )
    })
}

fn give_compressor(kind: (u8, u8), mut compress: Compress) {
    COMPRESSORS.with_borrow_mut(|pool| {
        // The oldest goes: it is the one whose parameters are no longer asked for.
        if pool.len() == POOL {
            pool.remove(0);
        }
        compress.reset();
        pool.push(Pooled { kind, compress });
    });
}

/// Compresses a message that refers to nothing before it, and that nothing refers to.
pub(super) fn compress(level: u8, bits: u8, message: &[u8]) -> Result<Vec<u8>, Failed> {
    let mut compressor = Compressor::new(level, bits, false);
    let mut out = Vec::with_capacity(message.len() / 2 + 64);
    compressor.push(message, true, &mut out)?;
    compressor.end(0, &mut out);
    Ok(out)
}

/// Inflates the messages of one direction.
#[derive(Debug)]
pub(super) struct Inflater {
    takeover: bool,
    pub(super) used: bool,
    /// What later blocks may refer to, so that the inflater can be given up at any time.
    history: History,
    inner: Option<Decompress>,
    /// A block with BFINAL has ended the stream; what follows is a new one with the same window (section 7.2.3.4).
    ended: bool,
    /// The message has brought some bytes.
    begun: bool,
    /// How much of the tail the inflater has had.
    tail: usize,
}

/// What one step has used and made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) used: usize,
    pub(super) made: usize,
}

/// The bytes are no deflate stream.
#[derive(Debug)]
pub(super) struct Corrupt;

impl Inflater {
    pub(super) const fn new(bits: u8, takeover: bool) -> Self {
        Self {
            takeover,
            used: false,
            history: History::new(bits),
            inner: None,
            ended: false,
            begun: false,
            tail: 0,
        }
    }

    /// Inflates a piece of a message into `output`, which must not be empty.
    pub(super) fn push(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Corrupt> {
        if input.is_empty() {
            return Ok(Step { used: 0, made: 0 });
        }
        self.begun = true;
        let step = self.inflate(input, output)?;
        // Neither end is empty, so an inflater that neither reads nor writes would do so for ever.
        if step == (Step { used: 0, made: 0 }) && !self.ended {
            Err(Corrupt)
        } else {
            Ok(step)
        }
    }

    /// Ends the message; says how much it has made, and whether that was all.
    pub(super) fn end(&mut self, output: &mut [u8]) -> Result<(usize, bool), Corrupt> {
        // A message whose very last block has BFINAL needs no tail, and one without a single byte has no block to end.
        if self.ended || !self.begun {
            self.forget_message();
            return Ok((0, true));
        }
        let step = self.inflate(&TAIL[self.tail..], output)?;
        self.tail += step.used;
        // Room left over is the only sign that nothing is held back.
        let done = self.ended || (self.tail == TAIL.len() && step.made < output.len());
        if done {
            self.forget_message();
        }
        Ok((step.made, done))
    }

    fn inflate(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Corrupt> {
        self.used = true;
        if self.ended {
            self.release();
        }
        let (history, inner) = (&mut self.history, &mut self.inner);
        let inflate = match inner {
            Some(inflate) => inflate,
            None => inner.insert(take_inflater(history)?),
        };
        let (read, written) = (inflate.total_in(), inflate.total_out());
        let status = inflate
            .decompress(input, output, FlushDecompress::Sync)
            .map_err(|_| Corrupt)?;
        let used = (inflate.total_in() - read) as usize;
        let made = (inflate.total_out() - written) as usize;
        self.ended = status == Status::StreamEnd;
        self.history.push(&output[..made]);
        Ok(Step { used, made })
    }

    fn forget_message(&mut self) {
        self.begun = false;
        self.tail = 0;
        if !self.takeover {
            self.release();
            self.history.clear();
        }
    }

    /// Gives the inflater up between messages; the window stays where it was agreed.
    pub(super) fn release(&mut self) {
        self.ended = false;
        if let Some(inflate) = self.inner.take() {
            INFLATERS.with_borrow_mut(|pool| {
                if pool.len() < POOL {
                    pool.push(inflate);
                }
            });
        }
    }
}

fn take_inflater(history: &mut History) -> Result<Decompress, Corrupt> {
    let pooled = INFLATERS.with_borrow_mut(Vec::pop);
    // The largest window reads every stream, and is the only one that zlib-rs resets in place.
    let mut inflate = match pooled {
        Some(mut inflate) => {
            inflate.reset(false);
            inflate
        }
        None => Decompress::new_with_window_bits(false, MAX_BITS),
    };
    if !history.is_empty() {
        inflate
            .set_dictionary(history.bytes())
            .map_err(|_| Corrupt)?;
    }
    Ok(inflate)
}
