//! Messages through `DeflateIo` in both directions, against a second implementation of deflate: the same bytes come
//! out, however the frames and the stream are cut. And any bytes at all: no panic, no loop, no growth past the limit.
#![no_main]

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_io::{AsyncRead, AsyncWrite};
use http::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_EXTENSIONS};
use libfuzzer_sys::{arbitrary, arbitrary::Arbitrary, fuzz_target};
use miniz_oxide::{
    DataFormat, MZError, MZFlush, MZStatus,
    deflate::{core::CompressorOxide, stream::deflate},
    inflate::stream::{InflateState, inflate},
};
use tower_realtime::ws::{
    Limits,
    deflate::{Agreed, Deflate, DeflateIo, answer, check},
};

const LIMIT: usize = 1 << 16;

#[derive(Arbitrary, Debug)]
struct Input {
    client: bool,
    level: u8,
    bits: u8,
    takeover: bool,
    release: bool,
    /// How the stream is cut, and how much is read at once.
    cuts: [u8; 4],
    buffer: u16,
    messages: Vec<Message>,
    /// Bytes for the wire, as they are.
    noise: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
struct Message {
    payload: Vec<u8>,
    /// The payload that many times over.
    times: u8,
    text: bool,
    packed: bool,
    /// Payload that is no deflate stream, perhaps.
    broken: bool,
    fragments: [u8; 3],
    ping: bool,
}

impl Message {
    fn plain(&self) -> Vec<u8> {
        let mut plain = self.payload.repeat(usize::from(self.times).max(1));
        plain.truncate(LIMIT);
        plain
    }

    fn opcode(&self) -> u8 {
        if self.text { 1 } else { 2 }
    }
}

fuzz_target!(|input: Input| {
    inbound(&input);
    outbound(&input);
    noise(&input);
});

/// What the peer sends is what is read.
fn inbound(input: &Input) {
    let (mut zip, mut unzip) = (Zip::new(input), Unzip::default());
    let (mut wire, mut expected, mut sure) = (Vec::new(), Vec::new(), true);
    for message in &input.messages {
        let plain = message.plain();
        // A message without a single byte is none; we take it for an empty one.
        if message.packed && message.broken && message.payload.is_empty() {
            continue;
        }
        let payload = match (message.packed, message.broken) {
            (true, false) => zip.message(&plain),
            (true, true) => message.payload.clone(),
            (false, _) => plain.clone(),
        };
        fragments(
            message,
            message.packed,
            &payload,
            !input.client,
            &mut wire,
            &mut expected,
        );
        // The other implementation does not see distances to before the beginning, and ends with BFINAL.
        sure &= !(message.packed && message.broken);
        let inflated = match message.packed {
            true => unzip.message(&payload, input.takeover),
            false => Some(plain),
        };
        let Some(plain) = inflated else { return };
        expected.push((message.opcode(), plain));
    }
    let stream = Stream {
        wire,
        cuts: input.cuts,
        at: 0,
        out: Vec::new(),
    };
    let mut io = input.io(stream, true);
    let (plain, fault) = read(&mut io, usize::from(input.buffer).max(1));
    if !sure && fault.is_some() {
        return;
    }
    assert!(fault.is_none() && io.is_idle(), "{fault:?}");
    assert_eq!(items(&plain), expected);
}

/// What is sent is what the peer reads.
fn outbound(input: &Input) {
    let stream = Stream {
        wire: Vec::new(),
        cuts: input.cuts,
        at: 0,
        out: Vec::new(),
    };
    let mut io = input.io(stream, false);
    let mut expected = Vec::new();
    for message in &input.messages {
        let (mut frames, plain) = (Vec::new(), message.plain());
        fragments(
            message,
            false,
            &plain,
            input.client,
            &mut frames,
            &mut expected,
        );
        write(&mut io, &frames, input.cuts);
        expected.push((message.opcode(), plain));
        if input.release {
            io.release();
        }
    }
    let mut unzip = Unzip::default();
    let mut read = Vec::new();
    for (first, payload) in joined(&io.get_ref().out) {
        let plain = match first & 0x40 {
            0 => payload,
            _ => unzip
                .message(&payload, input.takeover)
                .expect("what we compress inflates"),
        };
        read.push((first & 0x0f, plain));
    }
    assert_eq!(read, expected);
}

/// Anything may come.
fn noise(input: &Input) {
    let stream = Stream {
        wire: input.noise.clone(),
        cuts: input.cuts,
        at: 0,
        out: Vec::new(),
    };
    let mut io = input.io(stream, true);
    read(&mut io, usize::from(input.buffer).max(1));
    write(&mut io, &input.noise, input.cuts);
}

impl Input {
    fn bits(&self) -> u8 {
        9 + self.bits % 7
    }

    fn level(&self) -> u8 {
        1 + self.level % 9
    }

    /// Ours, with what was agreed on for the direction that is looked at.
    fn io(&self, stream: Stream, inbound: bool) -> DeflateIo<Stream> {
        let agreed = self.agreed(inbound == self.client);
        let limits = Limits::new().message(LIMIT).fragments(u32::MAX);
        match self.client {
            true => DeflateIo::client(stream, Some(&agreed), &limits),
            false => DeflateIo::server(stream, Some(&agreed), &limits),
        }
    }

    fn agreed(&self, server: bool) -> Agreed {
        let side = if server { "server" } else { "client" };
        let mut header = format!("permessage-deflate; {side}_max_window_bits={}", self.bits());
        if !self.takeover {
            header.push_str(&format!("; {side}_no_context_takeover"));
        }
        let header = HeaderValue::try_from(header).expect("a header");
        let headers = HeaderMap::from_iter([(SEC_WEBSOCKET_EXTENSIONS, header)]);
        let deflate = Deflate::new().level(self.level()).threshold(16);
        let agreed = match self.client {
            true => check(&deflate, &headers).ok().flatten(),
            false => answer(&deflate, &headers),
        };
        agreed.expect("a legal header")
    }
}

/// Writes the frames of one message, and says which pings are in between.
fn fragments(
    message: &Message,
    packed: bool,
    payload: &[u8],
    masked: bool,
    wire: &mut Vec<u8>,
    pings: &mut Vec<(u8, Vec<u8>)>,
) {
    let mut first = message.opcode() | if packed { 0x40 } else { 0 };
    let mut rest = payload;
    for cut in message.fragments.iter().filter(|&&cut| cut > 0) {
        let (piece, tail) = rest.split_at(rest.len() * usize::from(*cut) / 256);
        frame(first, piece, masked, wire);
        if message.ping {
            frame(0x89, &[*cut], masked, wire);
            pings.push((9, vec![*cut]));
        }
        (first, rest) = (0, tail);
    }
    frame(first | 0x80, rest, masked, wire);
}

fn frame(first: u8, payload: &[u8], masked: bool, wire: &mut Vec<u8>) {
    let bit = if masked { 0x80 } else { 0 };
    wire.push(first);
    match payload.len() {
        n @ 0..=125 => wire.push(bit | n as u8),
        n @ 126..=0xffff => {
            wire.push(bit | 126);
            wire.extend((n as u16).to_be_bytes());
        }
        n => {
            wire.push(bit | 127);
            wire.extend((n as u64).to_be_bytes());
        }
    }
    let mask = if masked {
        [0x12, 0xa5, 0xff, 0x01]
    } else {
        [0; 4]
    };
    if masked {
        wire.extend(mask);
    }
    wire.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
}

/// Whole frames of a stream: first byte and payload.
fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (length, rest) = match second & 0x7f {
            126 => (
                usize::from(u16::from_be_bytes([rest[0], rest[1]])),
                &rest[2..],
            ),
            127 => (
                u64::from_be_bytes(*rest.first_chunk().expect("a length")) as usize,
                &rest[8..],
            ),
            short => (usize::from(short), rest),
        };
        let (mask, rest) = match second & 0x80 {
            0 => ([0; 4], rest),
            _ => (*rest.first_chunk().expect("a mask"), &rest[4..]),
        };
        let (payload, rest) = rest.split_at(length);
        let plain = payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, key)| byte ^ key);
        frames.push((*first, plain.collect()));
        bytes = rest;
    }
    frames
}

/// Messages and control frames; what is left of a message that did not end is dropped.
fn joined(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut items = Vec::new();
    let mut open: Option<(u8, Vec<u8>)> = None;
    for (first, payload) in frames(bytes) {
        if first & 0x0f >= 8 {
            items.push((first, payload));
            continue;
        }
        let (start, mut message) = open.take().unwrap_or((first, Vec::new()));
        message.extend(payload);
        match first & 0x80 {
            0 => open = Some((start, message)),
            _ => items.push((start, message)),
        }
    }
    items
}

fn items(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let items = joined(bytes).into_iter();
    items
        .map(|(first, payload)| (first & 0x0f, payload))
        .collect()
}

/// The other implementation's compressor. It knows one window, so smaller ones are made by short messages only.
struct Zip {
    compressor: CompressorOxide,
    restart: bool,
}

impl Zip {
    fn new(input: &Input) -> Self {
        let mut compressor = CompressorOxide::default();
        compressor.set_format_and_level(DataFormat::Raw, input.level());
        // Its window is the largest, whatever was agreed: without takeover of more than fits, nobody can tell.
        Self {
            compressor,
            restart: !input.takeover || input.bits() < 15,
        }
    }

    fn message(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut out = vec![0; plain.len() * 2 + 1024];
        let done = deflate(&mut self.compressor, plain, &mut out, MZFlush::Sync);
        assert_eq!(done.bytes_consumed, plain.len());
        out.truncate(done.bytes_written);
        if self.restart {
            self.compressor.reset();
        }
        if out.is_empty() {
            return vec![0];
        }
        assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
        out.truncate(out.len() - 4);
        out
    }
}

/// The other implementation's inflater.
#[derive(Default)]
struct Unzip(Option<Box<InflateState>>);

impl Unzip {
    /// `None` when it is no deflate stream, one that has an end, or longer than any message here.
    fn message(&mut self, payload: &[u8], takeover: bool) -> Option<Vec<u8>> {
        let state = self
            .0
            .get_or_insert_with(|| InflateState::new_boxed(DataFormat::Raw));
        let input = [payload, &[0, 0, 0xff, 0xff]].concat();
        let (mut at, mut out) = (0, Vec::new());
        let mut piece = vec![0; 4096];
        loop {
            let done = inflate(state, &input[at..], &mut piece, MZFlush::Sync);
            at += done.bytes_consumed;
            out.extend_from_slice(&piece[..done.bytes_written]);
            match done.status {
                Ok(MZStatus::Ok) | Err(MZError::Buf) if out.len() <= LIMIT => {}
                _ => return None,
            }
            if at == input.len() && done.bytes_written < piece.len() {
                break;
            }
        }
        if !takeover {
            self.0 = None;
        }
        Some(out)
    }
}

/// A transport that is cut as the input says.
struct Stream {
    wire: Vec<u8>,
    cuts: [u8; 4],
    at: usize,
    out: Vec<u8>,
}

impl Stream {
    /// The next piece's size; 0 is a pause.
    fn size(&mut self) -> usize {
        self.cuts.rotate_left(1);
        match self.cuts[0] {
            // Not for ever.
            0 => {
                self.cuts[0] = 1;
                0
            }
            large @ 200.. => usize::from(large) * 50,
            small => usize::from(small),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let size = self.size().min(out.len()).min(self.wire.len() - self.at);
        if size == 0 && self.at < self.wire.len() {
            return Poll::Pending;
        }
        out[..size].copy_from_slice(&self.wire[self.at..self.at + size]);
        self.at += size;
        Poll::Ready(Ok(size))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let size = self.size().min(bytes.len());
        if size == 0 {
            return Poll::Pending;
        }
        self.out.extend_from_slice(&bytes[..size]);
        Poll::Ready(Ok(size))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn read(io: &mut DeflateIo<Stream>, size: usize) -> (Vec<u8>, Option<io::Error>) {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut plain, mut buffer) = (Vec::new(), vec![0; size]);
    loop {
        match Pin::new(&mut *io).poll_read(&mut cx, &mut buffer) {
            Poll::Pending => {}
            Poll::Ready(Ok(0)) => return (plain, None),
            Poll::Ready(Ok(n)) => plain.extend_from_slice(&buffer[..n]),
            Poll::Ready(Err(error)) => return (plain, Some(error)),
        }
    }
}

fn write(io: &mut DeflateIo<Stream>, bytes: &[u8], cuts: [u8; 4]) {
    let mut cx = Context::from_waker(Waker::noop());
    for mut piece in bytes.chunks(usize::from(cuts[0]) * 7 + 1) {
        while !piece.is_empty() {
            match Pin::new(&mut *io).poll_write(&mut cx, piece) {
                Poll::Pending => {}
                Poll::Ready(Ok(n)) => piece = &piece[n..],
                Poll::Ready(Err(error)) => panic!("{error}"),
            }
        }
    }
    while Pin::new(&mut *io).poll_flush(&mut cx).is_pending() {}
}
