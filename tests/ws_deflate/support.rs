//! Frames, a scripted transport, and zlib without any of the code under test.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use futures_io::{AsyncRead, AsyncWrite};
use http::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_EXTENSIONS};
use tower_realtime::ws::{
    Fault, Limits,
    deflate::{Agreed, Deflate, DeflateIo, answer, check},
};

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const FIN: u8 = 0x80;
pub(crate) const RSV1: u8 = 0x40;
pub(crate) const RSV3: u8 = 0x10;
pub(crate) const MASK: [u8; 4] = [0xa1, 0x5b, 0x00, 0xff];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Role {
    Server,
    Client,
}

fn headers(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        SEC_WEBSOCKET_EXTENSIONS,
        HeaderValue::from_str(value).unwrap(),
    );
    headers
}

/// What `role` has agreed on when the other side has said `parameters`.
pub(crate) fn agreed(role: Role, deflate: Deflate, parameters: &str) -> Agreed {
    let value = format!("permessage-deflate{parameters}");
    match role {
        Role::Server => answer(&deflate, &headers(&value)).unwrap(),
        Role::Client => check(&deflate, &headers(&value)).unwrap().unwrap(),
    }
}

pub(crate) fn io<T>(role: Role, transport: T, agreed: &Agreed, limits: &Limits) -> DeflateIo<T> {
    match role {
        Role::Server => DeflateIo::server(transport, Some(agreed), limits),
        Role::Client => DeflateIo::client(transport, Some(agreed), limits),
    }
}

/// A frame as it is on the wire.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) mask: Option<[u8; 4]>,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(first: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            first,
            mask: None,
            payload: payload.into(),
        }
    }

    pub(crate) fn masked(mut self, yes: bool) -> Self {
        self.mask = yes.then_some(MASK);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let bit = if self.mask.is_some() { 0x80 } else { 0 };
        let mut bytes = vec![self.first];
        match self.payload.len() {
            n @ 0..=125 => bytes.push(bit | n as u8),
            n @ 126..=0xffff => {
                bytes.push(bit | 126);
                bytes.extend((n as u16).to_be_bytes());
            }
            n => {
                bytes.push(bit | 127);
                bytes.extend((n as u64).to_be_bytes());
            }
        }
        let mask = self.mask.unwrap_or_default();
        if self.mask.is_some() {
            bytes.extend(mask);
        }
        bytes.extend(
            self.payload
                .iter()
                .enumerate()
                .map(|(i, b)| b ^ mask[i % 4]),
        );
        bytes
    }
}

/// Reads whole frames; the lengths must be in their shortest form.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (length, mut at) = match bytes[1] & 0x7f {
            126 => (
                u16::from_be_bytes(bytes[2..4].try_into().unwrap()) as usize,
                4,
            ),
            127 => (
                u64::from_be_bytes(bytes[2..10].try_into().unwrap()) as usize,
                10,
            ),
            n => (n as usize, 2),
        };
        let mask = (bytes[1] & 0x80 != 0).then(|| bytes[at..at + 4].try_into().unwrap());
        at += if mask.is_some() { 4 } else { 0 };
        let key: [u8; 4] = mask.unwrap_or_default();
        let payload = bytes[at..at + length]
            .iter()
            .enumerate()
            .map(|(i, b)| b ^ key[i % 4])
            .collect();
        let frame = Frame {
            first: bytes[0],
            mask,
            payload,
        };
        assert_eq!(
            frame.bytes(),
            &bytes[..at + length],
            "the length is not in its shortest form"
        );
        frames.push(frame);
        bytes = &bytes[at + length..];
    }
    frames
}

/// A message or a control frame.
pub(crate) type Item = (u8, Vec<u8>);

/// Puts plain frames together again; panics where RFC 6455 is violated.
pub(crate) fn items(frames: Vec<Frame>) -> Vec<Item> {
    let mut items = Vec::new();
    let mut open: Option<Item> = None;
    for frame in frames {
        assert_eq!(frame.first & 0x70, 0, "reserved bits");
        let (last, opcode) = (frame.first & FIN != 0, frame.first & 0x0f);
        let mut item = match (opcode, open.take()) {
            (0, Some((opcode, mut message))) => {
                message.extend(frame.payload);
                (opcode, message)
            }
            (8.., message) => {
                open = message;
                assert!(last);
                items.push((opcode, frame.payload));
                continue;
            }
            (1..8, None) => (opcode, frame.payload),
            (opcode, open) => panic!("opcode {opcode} within {open:?}"),
        };
        match last {
            true => items.push(item),
            false => open = Some(std::mem::take(&mut item)),
        }
    }
    assert_eq!(open, None, "a message has no end");
    items
}

/// What the transport does with one call.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Data(Vec<u8>),
    Pending,
}

/// Reads what its script says; writes at most `room` bytes a call, after being pending once in `pause` calls.
#[derive(Debug, Default)]
pub(crate) struct Transport {
    pub(crate) input: VecDeque<Event>,
    pub(crate) output: Vec<u8>,
    pub(crate) room: usize,
    pub(crate) pause: usize,
    calls: usize,
    pub(crate) flushed: usize,
}

impl Transport {
    pub(crate) fn reading(input: impl IntoIterator<Item = Event>) -> Self {
        Self {
            input: input.into_iter().collect(),
            ..Self::default()
        }
    }

    pub(crate) fn writing(room: usize, pause: usize) -> Self {
        Self {
            room,
            pause,
            ..Self::default()
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.input.pop_front() {
            None => Poll::Ready(Ok(0)),
            Some(Event::Pending) => Poll::Pending,
            Some(Event::Data(mut data)) => {
                let n = data.len().min(out.len());
                out[..n].copy_from_slice(&data[..n]);
                let rest = data.split_off(n);
                if !rest.is_empty() {
                    self.input.push_front(Event::Data(rest));
                }
                assert!(n > 0, "an empty read would be the end");
                Poll::Ready(Ok(n))
            }
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.calls += 1;
        if self.pause > 0 && self.calls % self.pause == 0 {
            return Poll::Pending;
        }
        let n = bytes.len().min(self.room);
        self.output.extend_from_slice(&bytes[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushed = self.output.len();
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// Reads to the end with buffers of `size` bytes: the plain bytes, and the fault that ended it.
pub(crate) fn read_all(io: &mut DeflateIo<Transport>, size: usize) -> (Vec<u8>, Option<Fault>) {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut plain, mut buffer) = (Vec::new(), vec![0; size]);
    loop {
        match Pin::new(&mut *io).poll_read(&mut cx, &mut buffer) {
            Poll::Pending => {}
            Poll::Ready(Ok(0)) => return (plain, None),
            Poll::Ready(Ok(n)) => plain.extend_from_slice(&buffer[..n]),
            Poll::Ready(Err(error)) => {
                let fault = error
                    .get_ref()
                    .and_then(|inner| inner.downcast_ref::<Fault>());
                return (plain, Some(*fault.expect("only faults fail a read")));
            }
        }
    }
}

/// Writes all of `plain` in pieces of `size` bytes, and flushes.
pub(crate) fn write_all(io: &mut DeflateIo<Transport>, plain: &[u8], size: usize) {
    let mut cx = Context::from_waker(Waker::noop());
    for mut piece in plain.chunks(size.max(1)) {
        while !piece.is_empty() {
            if let Poll::Ready(n) = Pin::new(&mut *io).poll_write(&mut cx, piece) {
                piece = &piece[n.unwrap()..];
            }
        }
    }
    while Pin::new(&mut *io).poll_flush(&mut cx).is_pending() {}
    assert_eq!(io.get_ref().flushed, io.get_ref().output.len());
}

/// Compresses messages as RFC 7692, section 7.2.1 says.
pub(crate) struct Zip {
    compress: Compress,
    takeover: bool,
}

impl Zip {
    pub(crate) fn new(level: u32, bits: u8, takeover: bool) -> Self {
        Self {
            compress: Compress::new_with_window_bits(Compression::new(level), false, bits),
            takeover,
        }
    }

    /// The payload of one message; with `bfinal` its last block says so.
    pub(crate) fn message(&mut self, plain: &[u8], bfinal: bool) -> Vec<u8> {
        let mode = if bfinal {
            FlushCompress::Finish
        } else {
            FlushCompress::Sync
        };
        let (mut out, from) = (
            Vec::with_capacity(plain.len() * 2 + 1024),
            self.compress.total_in(),
        );
        self.compress.compress_vec(plain, &mut out, mode).unwrap();
        assert_eq!(self.compress.total_in() - from, plain.len() as u64);
        assert!(out.len() < out.capacity());
        if bfinal {
            // 7.2.3.4: one more octet, so that the tail has a block to end
            out.push(0);
        } else {
            if out.is_empty() {
                out.extend([0, 0, 0, 0xff, 0xff]);
            }
            assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
            out.truncate(out.len() - 4);
        }
        if bfinal || !self.takeover {
            self.compress.reset();
        }
        out
    }
}

/// Inflates messages as RFC 7692, section 7.2.2 says.
pub(crate) struct Unzip {
    decompress: Decompress,
    takeover: bool,
}

impl Unzip {
    pub(crate) fn new(bits: u8, takeover: bool) -> Self {
        Self {
            decompress: Decompress::new_with_window_bits(false, bits),
            takeover,
        }
    }

    pub(crate) fn message(&mut self, payload: &[u8], capacity: usize) -> Vec<u8> {
        let mut input = payload.to_vec();
        input.extend([0, 0, 0xff, 0xff]);
        let (mut out, from) = (
            Vec::with_capacity(capacity + 1024),
            self.decompress.total_in(),
        );
        let status = self
            .decompress
            .decompress_vec(&input, &mut out, FlushDecompress::Sync)
            .unwrap();
        assert_ne!(status, Status::StreamEnd);
        assert_eq!(
            self.decompress.total_in() - from,
            input.len() as u64,
            "input is left over"
        );
        if !self.takeover {
            self.decompress.reset(false);
        }
        out
    }
}
