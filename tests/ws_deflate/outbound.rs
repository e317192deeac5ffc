//! Frames on their way to the wire: which are compressed, which are not, and that no byte depends on how they are cut.

use tower_realtime::ws::{Limits, deflate::Deflate};

use super::support::*;

fn written(
    role: Role,
    deflate: Deflate,
    parameters: &str,
    plain: &[Frame],
    cut: usize,
) -> Vec<Frame> {
    let mut io = io(
        role,
        Transport::writing(usize::MAX, 0),
        &agreed(role, deflate, parameters),
        &Limits::new(),
    );
    let plain: Vec<u8> = plain.iter().flat_map(Frame::bytes).collect();
    write_all(&mut io, &plain, cut);
    assert!(io.is_idle());
    frames(&io.get_ref().output)
}

fn long(seed: u8) -> Vec<u8> {
    (0..3000u32)
        .map(|i| seed.wrapping_add((i / 7 % 23) as u8))
        .collect()
}

const BOTH: [Role; 2] = [Role::Server, Role::Client];

#[test]
fn messages_from_the_threshold_on_are_compressed() {
    for role in BOTH {
        for (length, packed) in [
            (0, false),
            (255, false),
            (256, true),
            (3000, true),
            (70_000, true),
        ] {
            let message = Frame::new(FIN | TEXT, vec![b'a'; length]).masked(role == Role::Client);
            let wire = written(
                role,
                Deflate::new(),
                "",
                std::slice::from_ref(&message),
                1 << 20,
            );
            if !packed {
                assert_eq!(wire, [message]);
                continue;
            }
            let [frame] = wire.try_into().unwrap();
            assert_eq!((frame.first, frame.mask), (FIN | RSV1 | TEXT, message.mask));
            assert!(frame.payload.len() < length / 10);
            assert_eq!(
                Unzip::new(15, true).message(&frame.payload, length),
                message.payload
            );
        }
    }
}

/// Section 7.2.3.6: the empty message, as one octet, each time.
#[test]
fn an_empty_message_is_one_octet() {
    let empty = Frame::new(FIN | BINARY, []);
    let full = Frame::new(FIN | BINARY, *b"abc");
    let wire = written(
        Role::Server,
        Deflate::new().threshold(0),
        "",
        &[empty.clone(), full, empty.clone(), empty],
        100,
    );
    let payloads: Vec<_> = wire
        .iter()
        .map(|frame| (frame.first, frame.payload.len()))
        .collect();
    assert_eq!(payloads[0], (FIN | RSV1 | BINARY, 1));
    assert_eq!(payloads[2..], [(FIN | RSV1 | BINARY, 1); 2]);
    let mut unzip = Unzip::new(15, true);
    let plain: Vec<_> = wire
        .iter()
        .map(|frame| unzip.message(&frame.payload, 100))
        .collect();
    assert_eq!(
        plain,
        [b"".to_vec(), b"abc".to_vec(), b"".to_vec(), b"".to_vec()]
    );
}

/// The same bytes leave, wherever the frames are cut and however the transport takes them.
#[test]
fn cuts_do_not_show() {
    for role in BOTH {
        let masked = role == Role::Client;
        let plain = [
            Frame::new(FIN | TEXT, long(3)).masked(masked),
            Frame::new(FIN | 9, *b"ping").masked(masked),
            Frame::new(FIN | BINARY, *b"short").masked(masked),
            Frame::new(BINARY, long(90)).masked(masked),
            Frame::new(FIN | 10, []).masked(masked),
            Frame::new(0, []).masked(masked),
            Frame::new(FIN, long(100)).masked(masked),
            Frame::new(FIN | TEXT, vec![b'x'; 70_000]).masked(masked),
        ];
        let plain: Vec<u8> = plain.iter().flat_map(Frame::bytes).collect();
        for cut in [1, 2, 5, 13, 1000, 8192, 1 << 20] {
            for (room, pause) in [(usize::MAX, 0), (1, 2), (100, 3)] {
                let agreed = agreed(role, Deflate::new(), "");
                let mut io = io(
                    role,
                    Transport::writing(room, pause),
                    &agreed,
                    &Limits::new(),
                );
                write_all(&mut io, &plain, cut);
                let wire = frames(&io.get_ref().output);
                assert!(wire.iter().all(|frame| frame.mask.is_some() == masked));
                assert_eq!(
                    items(unzipped(wire)),
                    items(frames(&plain)),
                    "cut {cut}, room {room}"
                );
            }
        }
    }
}

/// Plain frames out of compressed ones, fragments too.
fn unzipped(wire: Vec<Frame>) -> Vec<Frame> {
    let (mut unzip, mut open) = (Unzip::new(15, true), None);
    let mut plain = Vec::new();
    for frame in wire {
        let packed = frame.first & RSV1 != 0;
        match (frame.first & 0x0f, &mut open) {
            (8.., _) => plain.push(frame),
            (1 | 2, None) if packed && frame.first & FIN != 0 => {
                let payload = unzip.message(&frame.payload, 1 << 20);
                plain.push(Frame::new(frame.first & !RSV1, payload));
            }
            (1 | 2, None) if packed => open = Some((frame.first & 0x0f, frame.payload)),
            (0, Some((opcode, payload))) => {
                assert!(!packed, "RSV1 on a continuation");
                payload.extend(frame.payload);
                if frame.first & FIN != 0 {
                    plain.push(Frame::new(FIN | *opcode, unzip.message(payload, 1 << 20)));
                    open = None;
                }
            }
            _ => plain.push(frame),
        }
    }
    plain
}

#[test]
fn control_frames_leave_byte_for_byte() {
    let control = [
        Frame::new(FIN | 9, vec![7; 125]),
        Frame::new(FIN | 10, []),
        Frame::new(FIN | 8, [3, 0xe8]),
    ];
    for role in BOTH {
        let control = control
            .clone()
            .map(|frame| frame.masked(role == Role::Client));
        assert_eq!(
            written(role, Deflate::new().threshold(0), "", &control, 3),
            control
        );
    }
}

/// A message marked as secret is sent as it is, without the mark, and without entering the window.
#[test]
fn secrets_are_not_compressed() {
    for role in BOTH {
        let masked = role == Role::Client;
        let open = Frame::new(FIN | TEXT, long(1)).masked(masked);
        let secret = Frame::new(FIN | RSV3 | TEXT, long(1)).masked(masked);
        let halves = [
            Frame::new(RSV3 | BINARY, long(2)).masked(masked),
            Frame::new(FIN, long(2)).masked(masked),
        ];
        let plain = [
            open.clone(),
            secret,
            halves[0].clone(),
            halves[1].clone(),
            open.clone(),
        ];
        let wire = written(role, Deflate::new(), "", &plain, 100);
        assert_eq!((wire[1].first, &wire[1].payload), (FIN | TEXT, &long(1)));
        assert_eq!((wire[2].first, &wire[2].payload), (BINARY, &long(2)));
        assert_eq!((wire[3].first, &wire[3].payload), (FIN, &long(2)));
        let mut unzip = Unzip::new(15, true);
        assert_eq!(unzip.message(&wire[0].payload, 3000), long(1));
        assert_eq!(unzip.message(&wire[4].payload, 3000), long(1));
        assert!(
            wire[4].payload.len() < wire[0].payload.len() / 2,
            "the second is only a reference to the first"
        );
    }
}

/// A message that was compressed elsewhere passes, and ours does not refer to what it did not see.
#[test]
fn compressed_messages_pass() {
    let ready = Zip::new(6, 15, false).message(&long(50), false);
    let plain = [
        Frame::new(FIN | TEXT, long(1)),
        Frame::new(FIN | RSV1 | TEXT, ready.clone()),
        Frame::new(FIN | TEXT, long(1)),
        Frame::new(FIN | TEXT, long(1)),
    ];
    let wire = written(Role::Server, Deflate::new(), "", &plain, 100);
    assert_eq!(wire[1].payload, ready);
    let mut unzip = Unzip::new(15, true);
    let read: Vec<_> = wire
        .iter()
        .map(|frame| unzip.message(&frame.payload, 3000))
        .collect();
    assert_eq!(read, [long(1), long(50), long(1), long(1)]);
}

/// Without takeover each message stands alone; with it, a repetition costs nearly nothing.
#[test]
fn takeover_is_what_was_agreed() {
    let plain = [
        Frame::new(FIN | TEXT, long(1)),
        Frame::new(FIN | TEXT, long(1)),
    ];
    let rows = [
        ("", true),
        ("; server_no_context_takeover", false),
        ("; client_no_context_takeover", true),
    ];
    for (parameters, takeover) in rows {
        let wire = written(Role::Server, Deflate::new(), parameters, &plain, 1 << 20);
        assert_eq!(wire[0] == wire[1], !takeover, "{parameters}");
        let mut unzip = Unzip::new(15, takeover);
        for frame in &wire {
            assert_eq!(unzip.message(&frame.payload, 3000), long(1), "{parameters}");
        }
    }
}

/// A peer with the agreed window reads everything: no distance is larger.
#[test]
fn windows_are_what_was_agreed() {
    // Repeats after 300, 2,000 and 20,000 bytes.
    let mut random = 1u32;
    let mut next = || {
        random = random.wrapping_mul(1_103_515_245).wrapping_add(12345);
        (random >> 16) as u8
    };
    let block: Vec<u8> = (0..20_000).map(|_| next()).collect();
    let message = [&block[..300], &block[..2000], &block, &block, &block[..300]].concat();
    for level in 1..=9 {
        for bits in 9..=15 {
            for takeover in ["", "; server_no_context_takeover"] {
                let parameters = format!("; server_max_window_bits={bits}{takeover}");
                let plain = [
                    Frame::new(FIN | BINARY, message.clone()),
                    Frame::new(FIN | BINARY, message.clone()),
                ];
                let wire = written(
                    Role::Server,
                    Deflate::new().level(level),
                    &parameters,
                    &plain,
                    1 << 20,
                );
                let mut unzip = Unzip::new(bits, takeover.is_empty());
                for frame in wire {
                    assert_eq!(
                        unzip.message(&frame.payload, message.len()),
                        message,
                        "level {level}, {bits} bits"
                    );
                }
            }
        }
    }
}

/// A server that asks for 8 bits gets plain messages: zlib has no such window.
#[test]
fn what_zlib_cannot_do_is_not_done() {
    let plain = [Frame::new(FIN | TEXT, long(1)).masked(true)];
    assert_eq!(
        written(
            Role::Client,
            Deflate::new(),
            "; client_max_window_bits=8",
            &plain,
            100
        ),
        plain
    );
}

/// A release between messages costs compression, never correctness; unless the compressor is to be kept.
#[test]
fn releases_do_not_show_in_the_messages() {
    for (keep, smaller) in [(false, false), (true, true)] {
        let agreed = agreed(Role::Server, Deflate::new().keep_when_idle(keep), "");
        let mut io = io(
            Role::Server,
            Transport::writing(usize::MAX, 0),
            &agreed,
            &Limits::new(),
        );
        for _ in 0..3 {
            write_all(&mut io, &Frame::new(FIN | TEXT, long(1)).bytes(), 100);
            io.release();
        }
        let wire = frames(&io.get_ref().output);
        assert_eq!(wire[1].payload.len() < wire[0].payload.len(), smaller);
        let mut unzip = Unzip::new(15, true);
        assert!(
            wire.iter()
                .all(|frame| unzip.message(&frame.payload, 3000) == long(1))
        );
    }
}
