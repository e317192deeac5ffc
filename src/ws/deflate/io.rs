//! `DeflateIo`: compressed frames below, plain frames above.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_io::{AsyncRead, AsyncWrite};

use super::Agreed;
use super::bounds::Bounds;
use super::cache::Kind;
use super::codec::{Compressor, Inflater};
use super::fragment::Fragments;
use super::inbound::{Inbound, Moved};
use super::outbound::Outbound;
use crate::ws::{
    Limits,
    fault::Fault,
    outgoing::{Form, Packing},
    prepared::Prepared,
    socket::Role,
};

/// Compressed bytes that are read in one go.
const READ: usize = 64 * 1024;

thread_local! {
    /// Where every connection of a thread reads to: it holds nothing between two calls.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A byte stream of WebSocket frames that speaks permessage-deflate below and plain RFC 6455 above.
///
/// Put it under anything that frames messages and refuses RSV1.
/// Read from it, and compressed messages come as plain fragments (for a server with an all-zero mask);
/// write frames to it, and messages worth it leave compressed.
/// Other frames pass byte for byte, and without an [`Agreed`] everything does.
///
/// ```
/// use futures_io::{AsyncRead, AsyncWrite};
/// use http::HeaderMap;
/// use tower_realtime::ws::{Limits, deflate::{Deflate, DeflateIo, answer}};
///
/// /// Under a server with a WebSocket library of its own.
/// fn compressed<T>(io: T, request: &HeaderMap) -> DeflateIo<T> {
///     let agreed = answer(&Deflate::new(), request); // its `header` belongs into the response
///     DeflateIo::server(io, agreed.as_ref(), &Limits::new())
/// }
///
/// /// When nothing has happened for a while.
/// fn rest<T: AsyncRead + AsyncWrite + Unpin>(io: &mut DeflateIo<T>) {
///     if io.is_idle() {
///         io.release();
///     }
/// }
/// ```
///
/// # Errors
///
/// Reading fails with a [`Fault`] inside [`io::Error::get_ref`] for what the peer did wrong:
/// close code 1002 for frames that RFC 7692 forbids, 1007 for bytes that are no deflate stream,
/// 1009 for a message over its limit, 1008 for one in too many fragments.
/// Writing still works then, so that the close frame can leave, and reading goes on with the raw bytes of the
/// transport, for who drains it before it is closed.
pub struct DeflateIo<T> {
    io: T,
    /// Boxed: a connection without compression pays a word.
    codec: Option<Box<Codec>>,
}

struct Codec {
    inbound: Inbound,
    outbound: Outbound,
    agreed: Agreed,
    /// The peer broke a rule: nothing it sends is looked at any more.
    failed: bool,
    /// Read from the wire and not looked at: the output was full.
    wire: Backlog,
    /// Made and not taken: the reader's buffer was too small for a frame.
    plain: Backlog,
}

impl<T> DeflateIo<T> {
    /// For a server: `agreed` is what [`super::answer`] gave. Sizes and fragments are limited here.
    pub fn server(io: T, agreed: Option<&Agreed>, limits: &Limits) -> Self {
        Self::new(io, Role::Server, agreed, limits)
    }

    /// For a client: `agreed` is what [`super::check`] gave. Sizes and fragments are limited here.
    ///
    /// ```
    /// use http::HeaderMap;
    /// use tower_realtime::ws::{Limits, deflate::{Deflate, DeflateIo, InvalidAnswer, check}};
    ///
    /// fn compressed<T>(io: T, response: &HeaderMap) -> Result<DeflateIo<T>, InvalidAnswer> {
    ///     let agreed = check(&Deflate::new(), response)?;
    ///     Ok(DeflateIo::client(io, agreed.as_ref(), &Limits::new()))
    /// }
    /// ```
    pub fn client(io: T, agreed: Option<&Agreed>, limits: &Limits) -> Self {
        Self::new(io, Role::Client, agreed, limits)
    }

    pub(crate) fn new(io: T, role: Role, agreed: Option<&Agreed>, limits: &Limits) -> Self {
        let codec = agreed.map(|agreed| Box::new(Codec::new(role, agreed, limits)));
        Self { io, codec }
    }

    /// The transport.
    pub const fn get_ref(&self) -> &T {
        &self.io
    }

    /// The transport. Reading or writing past the extension breaks the stream, except after a failure.
    pub const fn get_mut(&mut self) -> &mut T {
        &mut self.io
    }

    /// Whether nothing is half done: no frame, no message, no byte held back in either direction.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.codec.as_ref().is_none_or(|codec| codec.is_idle())
    }

    /// Gives up the memory that can be had again: at most the peer's window stays.
    ///
    /// The compressor goes as well, unless [`Deflate::keep_when_idle`](super::Deflate::keep_when_idle) was set.
    /// Does nothing while a frame or a message is half done.
    pub fn release(&mut self) {
        if let Some(codec) = self.codec.as_mut().filter(|codec| codec.is_idle()) {
            codec.inbound.release();
            codec.outbound.release(codec.agreed.deflate.keep_when_idle);
        }
    }

    /// Called from time to time: [releases](Self::release) what was not used since the last call.
    pub(crate) fn rest(&mut self) {
        let Some(codec) = &mut self.codec else { return };
        // Both are asked, for asking is what clears them.
        if !(codec.inbound.take_used() | codec.outbound.take_used()) {
            self.release();
        }
    }

    /// How a message is handed to the encoder above.
    #[inline]
    pub(crate) fn form(&self, packing: Packing) -> Form {
        match (&self.codec, packing) {
            (_, Packing::Fragment { opcode, last }) => Form::Fragment { opcode, last },
            (None, _) | (_, Packing::Free) => Form::Plain,
            (_, Packing::Never) => Form::Uncompressed,
        }
    }

    /// How one message for many is handed to the encoder above.
    pub(crate) fn prepared_form(&self, prepared: &Prepared) -> Form {
        let codec = self.codec.as_ref();
        codec
            .map(|codec| codec.kind().frames(prepared))
            .filter(|frames| frames.compressed)
            .map_or(Form::Plain, |frames| Form::Compressed(frames.payload()))
    }

    /// Whether what a message is on the wire is what it is above.
    pub(crate) const fn is_plain(&self) -> bool {
        self.codec.is_none()
    }

    /// The frames of a server's messages for many, to be written to the [transport](Self::get_mut) next, past the
    /// encoder above, which holds nothing. `None` where that can't be, because something of it waits here.
    pub(crate) fn take_frames(&mut self, prepared: &Prepared) -> Option<Bytes> {
        let Some(codec) = &mut self.codec else {
            return Some(prepared.plain());
        };
        if !codec.outbound.is_idle() {
            return None;
        }
        let frames = codec.kind().frames(prepared);
        if frames.compressed {
            codec.outbound.pass_compressed();
        }
        Some(frames.bytes)
    }
}

impl Codec {
    fn new(role: Role, agreed: &Agreed, limits: &Limits) -> Self {
        let Agreed {
            send,
            receive,
            deflate,
            ..
        } = *agreed;
        let bounds = Bounds::new(limits, deflate.max_ratio);
        let inflater = Inflater::new(receive.bits, receive.takeover);
        let compressor = Compressor::new(deflate.level, send.bits, send.takeover);
        Self {
            inbound: Inbound::new(role, bounds, inflater),
            outbound: Outbound::new(deflate.threshold, compressor),
            agreed: *agreed,
            failed: false,
            wire: Backlog::default(),
            plain: Backlog::default(),
        }
    }

    fn is_idle(&self) -> bool {
        self.wire.is_empty()
            && self.plain.is_empty()
            && self.inbound.is_idle()
            && self.outbound.is_idle()
    }

    const fn kind(&self) -> Kind {
        Kind {
            level: self.agreed.deflate.level,
            bits: self.agreed.send.bits,
            threshold: self.agreed.deflate.threshold,
        }
    }

    /// Reads until there is something for `out`, of any length. 0 is the end of the stream.
    fn poll_read<T>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>>
    where
        T: AsyncRead + Unpin,
    {
        if self.plain.is_empty() {
            if out.len() >= Fragments::MIN {
                return self.poll_step(io, cx, out);
            }
            let mut small = [0; Fragments::MIN];
            let made = ready!(self.poll_step(io, cx, &mut small))?;
            self.plain.put(&small[..made]);
        }
        Poll::Ready(Ok(self.plain.take(out)))
    }

    fn poll_step<T>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>>
    where
        T: AsyncRead + Unpin,
    {
        loop {
            if self.failed {
                return Pin::new(io).poll_read(cx, out);
            }
            // Even without input there may be output that did not fit the last time.
            let mut backlog = mem::take(&mut self.wire);
            let moved = self.step(backlog.rest(), out)?;
            backlog.advance(moved.used);
            self.wire = backlog;
            if moved.made > 0 {
                return Poll::Ready(Ok(moved.made));
            }
            let read = ready!(with_scratch(|scratch| {
                let n = ready!(Pin::new(&mut *io).poll_read(cx, scratch))?;
                let moved = self.step(&mut scratch[..n], out)?;
                self.wire.put(&scratch[moved.used..n]);
                Poll::Ready(io::Result::Ok((n > 0).then_some(moved.made)))
            }))?;
            match read {
                None => return Poll::Ready(Ok(0)),
                Some(0) => {}
                Some(made) => return Poll::Ready(Ok(made)),
            }
        }
    }

    fn step(&mut self, input: &mut [u8], out: &mut [u8]) -> io::Result<Moved> {
        self.inbound.step(input, out).map_err(|fault| {
            self.failed = true;
            failed(fault)
        })
    }

    fn poll_write<T>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        plain: &[u8],
    ) -> Poll<io::Result<usize>>
    where
        T: AsyncWrite + Unpin,
    {
        loop {
            let taken = self.outbound.push(plain).map_err(failed)?;
            if taken > 0 || plain.is_empty() {
                return Poll::Ready(Ok(taken));
            }
            ready!(self.poll_write_some(io, cx))?;
        }
    }

    fn poll_drain<T>(&mut self, io: &mut T, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        T: AsyncWrite + Unpin,
    {
        while !self.outbound.waiting().is_empty() {
            ready!(self.poll_write_some(io, cx))?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_some<T>(&mut self, io: &mut T, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        T: AsyncWrite + Unpin,
    {
        let n = ready!(Pin::new(io).poll_write(cx, self.outbound.waiting()))?;
        if n == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.outbound.wrote(n);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for DeflateIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Self { io, codec } = &mut *self;
        match codec {
            Some(codec) if !out.is_empty() => codec.poll_read(io, cx, out),
            _ => Pin::new(io).poll_read(cx, out),
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for DeflateIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        plain: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { io, codec } = &mut *self;
        match codec {
            Some(codec) => codec.poll_write(io, cx, plain),
            None => Pin::new(io).poll_write(cx, plain),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, codec } = &mut *self;
        if let Some(codec) = codec {
            ready!(codec.poll_drain(io, cx))?;
        }
        Pin::new(io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, codec } = &mut *self;
        if let Some(codec) = codec {
            ready!(codec.poll_drain(io, cx))?;
        }
        Pin::new(io).poll_close(cx)
    }
}

impl<T: fmt::Debug> fmt::Debug for DeflateIo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deflate = self.codec.is_some();
        f.debug_struct("DeflateIo")
            .field("io", &self.io)
            .field("deflate", &deflate)
            .finish()
    }
}

/// Bytes that could not be handed on at once; holds no memory while it is empty.
#[derive(Default)]
struct Backlog {
    bytes: Vec<u8>,
    at: usize,
}

impl Backlog {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn rest(&mut self) -> &mut [u8] {
        &mut self.bytes[self.at..]
    }

    /// Only while it is empty.
    fn put(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.bytes = bytes.to_vec();
        }
    }

    fn take(&mut self, out: &mut [u8]) -> usize {
        let n = out.len().min(self.rest().len());
        out[..n].copy_from_slice(&self.rest()[..n]);
        self.advance(n);
        n
    }

    fn advance(&mut self, n: usize) {
        self.at += n;
        if self.at == self.bytes.len() {
            *self = Self::default();
        }
    }
}

/// The thread's buffer goes back whatever happens, and a nested call gets one of its own.
fn with_scratch<R>(f: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut scratch = SCRATCH.take();
    scratch.resize(READ, 0);
    let result = f(&mut scratch);
    SCRATCH.set(scratch);
    result
}

fn failed(fault: Fault) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}
