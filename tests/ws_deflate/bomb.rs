//! What a peer can make us hold is what the limits say.

use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use flate2::{Compress, Compression, FlushCompress};
use futures_io::AsyncRead;
use tower_realtime::ws::{Limits, deflate::Deflate};

use super::support::*;

/// A message of `mib` MiB of zeros: each MiB is the same bytes, because it refers to nothing before it.
fn bomb(mib: usize) -> Vec<u8> {
    let mut compress = Compress::new(Compression::best(), false);
    let mut one = Vec::with_capacity(64 * 1024);
    compress
        .compress_vec(&vec![0; 1024 * 1024], &mut one, FlushCompress::Full)
        .unwrap();
    let mut all = one.repeat(mib);
    all.truncate(all.len() - 4);
    all
}

/// 1 GiB in 1 MB: no more than the message's limit goes up, and then comes 1009.
#[test]
fn a_bomb_stops_at_the_message_limit() {
    let payload = bomb(1024);
    assert!(payload.len() < 1_100_000);
    let wire = Frame::new(FIN | RSV1 | BINARY, payload)
        .masked(true)
        .bytes();
    let limit = 1024 * 1024;
    let agreed = agreed(Role::Server, Deflate::new(), "");
    for size in [100, 8192, 65536] {
        let script = [Event::Data(wire.clone())];
        let mut io = io(
            Role::Server,
            Transport::reading(script),
            &agreed,
            &Limits::new().message(limit).frame(2 << 20),
        );
        let (plain, fault) = read_all(&mut io, size);
        assert_eq!(fault.unwrap().close_code(), 1009);
        // Fragments of the smallest buffer have 70 bytes of payload and 6 to 8 of header.
        assert!(
            plain.len() < limit * 9 / 8 + 64,
            "{} bytes for buffers of {size}",
            plain.len()
        );
        let left: usize = io
            .get_ref()
            .input
            .iter()
            .map(|event| {
                if let Event::Data(data) = event {
                    data.len()
                } else {
                    0
                }
            })
            .sum();
        assert!(
            left > 900_000,
            "{left} bytes of the bomb were not even read"
        );
    }
}

/// A message may be as long as its limit, and not a byte longer; compressed in one frame or many.
#[test]
fn the_limit_is_exact() {
    for (length, fails) in [
        (9_999, false),
        (10_000, false),
        (10_001, true),
        (80_000, true),
    ] {
        let plain: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        let payload = Zip::new(9, 15, true).message(&plain, false);
        for piece in [3, 50, payload.len()] {
            let mut wire = Vec::new();
            for (i, piece) in payload.chunks(piece).enumerate() {
                wire.extend(Frame::new(if i == 0 { RSV1 | BINARY } else { 0 }, piece).bytes());
            }
            wire.extend(Frame::new(FIN, []).bytes());
            let agreed = agreed(Role::Client, Deflate::new(), "");
            let limits = &Limits::new().message(10_000);
            let mut io = io(
                Role::Client,
                Transport::reading([Event::Data(wire)]),
                &agreed,
                limits,
            );
            let (read, fault) = read_all(&mut io, 1000);
            assert_eq!(
                fault.map(|fault| fault.close_code()),
                fails.then_some(1009),
                "{length} bytes"
            );
            if !fails {
                assert_eq!(items(frames(&read)), [(BINARY, plain.clone())]);
            }
        }
    }
}

#[test]
fn a_ratio_over_its_limit_is_refused_in_long_messages_only() {
    let zeros = |n: usize| Zip::new(9, 15, true).message(&vec![0; n], false);
    let limited = Deflate::new().max_ratio(NonZeroU32::new(100).unwrap());
    let rows = [
        (limited, 60_000, None),
        (limited, 200_000, Some(1009)),
        (Deflate::new(), 1_000_000, None),
    ];
    for (deflate, length, expected) in rows {
        let wire = Frame::new(FIN | RSV1 | BINARY, zeros(length)).bytes();
        let agreed = agreed(Role::Client, deflate, "");
        let mut io = io(
            Role::Client,
            Transport::reading([Event::Data(wire)]),
            &agreed,
            &Limits::new(),
        );
        let (_, fault) = read_all(&mut io, 65536);
        assert_eq!(
            fault.map(|fault| fault.close_code()),
            expected,
            "{length} bytes"
        );
    }
}

/// Blocks that hold nothing, without end: the compressed bytes are limited as well.
#[test]
fn a_message_that_never_grows_ends() {
    let nothing = [0, 0, 0, 0xff, 0xff].repeat(1000);
    let frame = Frame::new(0, nothing).bytes();
    let mut wire = Frame::new(RSV1 | TEXT, []).bytes();
    for _ in 0..1000 {
        wire.extend(&frame);
    }
    let agreed = agreed(Role::Client, Deflate::new(), "");
    let limits = &Limits::new().message(100_000).fragments(u32::MAX);
    let mut io = io(
        Role::Client,
        Transport::reading([Event::Data(wire)]),
        &agreed,
        limits,
    );
    let (_, fault) = read_all(&mut io, 65536);
    assert_eq!(fault.unwrap().close_code(), 1009);
}

/// The declared length alone is enough to refuse, and never to allocate.
#[test]
fn a_declared_length_over_the_limit_is_refused_at_once() {
    let wire = [vec![0xc2, 127], (1u64 << 62).to_be_bytes().to_vec()].concat();
    let agreed = agreed(Role::Client, Deflate::new(), "");
    let mut io = io(
        Role::Client,
        Transport::reading([Event::Data(wire)]),
        &agreed,
        &Limits::new(),
    );
    assert_eq!(read_all(&mut io, 100).1.unwrap().close_code(), 1009);
}

#[test]
fn fragments_are_counted_as_on_the_wire() {
    for first in [RSV1 | TEXT, TEXT] {
        for (count, expected) in [(9, None), (10, Some(1008))] {
            let mut wire = Frame::new(first, [0]).bytes();
            for _ in 0..count {
                wire.extend(Frame::new(0, []).bytes());
                wire.extend(Frame::new(FIN | 9, []).bytes());
            }
            let agreed = agreed(Role::Client, Deflate::new(), "");
            let limits = &Limits::new().fragments(10);
            let mut io = io(
                Role::Client,
                Transport::reading([Event::Data(wire)]),
                &agreed,
                limits,
            );
            assert_eq!(
                read_all(&mut io, 100).1.map(|fault| fault.close_code()),
                expected
            );
        }
    }
}

/// A reader that stops reading makes us hold what was read in one go, and nothing more is read for it.
#[test]
fn a_reader_that_pauses_stops_the_wire() {
    let wire = Frame::new(FIN | RSV1 | BINARY, bomb(64)).bytes();
    let length = wire.len();
    let agreed = agreed(Role::Client, Deflate::new(), "");
    let limits = &Limits::new().message(usize::MAX).frame(usize::MAX);
    let mut io = io(
        Role::Client,
        Transport::reading([Event::Data(wire)]),
        &agreed,
        limits,
    );
    let mut buffer = [0; 1000];
    for _ in 0..50 {
        let read =
            Pin::new(&mut io).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer);
        assert!(matches!(read, Poll::Ready(Ok(1..))));
    }
    let Some(Event::Data(left)) = io.get_ref().input.front() else {
        panic!("everything was read")
    };
    assert!(length - left.len() <= 64 * 1024);
}
