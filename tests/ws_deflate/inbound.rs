//! Frames from the wire, row by row, at every split point, for both roles and several buffer sizes.

use tower_realtime::ws::{Limits, deflate::Deflate};

use super::support::*;

type Row<'a> = (&'a str, Vec<Frame>, Result<Vec<Item>, u16>);

fn hello() -> Item {
    (TEXT, b"Hello".to_vec())
}

/// RFC 7692, section 7.2.3, and everything around it.
fn rows() -> Vec<Row<'static>> {
    let packed = |payload: &[u8]| Frame::new(FIN | RSV1 | TEXT, payload);
    let plain = |payload: &str| Frame::new(FIN | TEXT, payload.as_bytes());
    let ping = || Frame::new(FIN | 9, b"?".as_slice());
    const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    vec![
        ("7.2.3.1, one frame", vec![packed(HELLO)], Ok(vec![hello()])),
        (
            "7.2.3.1, two frames",
            vec![
                Frame::new(RSV1 | TEXT, &HELLO[..3]),
                Frame::new(FIN, &HELLO[3..]),
            ],
            Ok(vec![hello()]),
        ),
        (
            "7.2.3.2, the second refers to the first",
            vec![packed(HELLO), packed(&[0xf2, 0x00, 0x11, 0x00, 0x00])],
            Ok(vec![hello(), hello()]),
        ),
        (
            "7.2.3.3, a stored block",
            vec![packed(&[
                0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
            ])],
            Ok(vec![hello()]),
        ),
        (
            "7.2.3.4, BFINAL",
            vec![
                packed(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]),
                packed(HELLO),
            ],
            Ok(vec![hello(), hello()]),
        ),
        (
            "7.2.3.4, BFINAL without the octet that follows it",
            vec![
                packed(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]),
                packed(HELLO),
            ],
            Ok(vec![hello(), hello()]),
        ),
        (
            "BFINAL, and then a reference to before it: the window is the message's, not the stream's",
            vec![
                packed(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]),
                packed(&[0xf2, 0x00, 0x11, 0x00, 0x00]),
            ],
            Ok(vec![hello(), hello()]),
        ),
        (
            "7.2.3.5, two blocks",
            vec![packed(&[
                0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
            ])],
            Ok(vec![hello()]),
        ),
        (
            "7.2.3.6, empty",
            vec![packed(&[0x00]), packed(HELLO)],
            Ok(vec![(TEXT, vec![]), hello()]),
        ),
        (
            "not even an octet",
            vec![packed(&[]), packed(HELLO)],
            Ok(vec![(TEXT, vec![]), hello()]),
        ),
        (
            "not even an octet, with a window",
            vec![
                packed(HELLO),
                packed(&[]),
                packed(&[]),
                packed(&[0xf2, 0x00, 0x11, 0x00, 0x00]),
            ],
            Ok(vec![hello(), (TEXT, vec![]), (TEXT, vec![]), hello()]),
        ),
        (
            "7.2.3.6, an empty last fragment",
            vec![
                Frame::new(
                    RSV1 | BINARY,
                    [
                        0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff,
                    ],
                ),
                Frame::new(FIN, [0x00]),
            ],
            Ok(vec![(BINARY, b"Hello".to_vec())]),
        ),
        (
            "frames without payload",
            vec![
                Frame::new(RSV1 | TEXT, []),
                Frame::new(0, &HELLO[..4]),
                Frame::new(0, []),
                Frame::new(0, &HELLO[4..]),
                Frame::new(FIN, []),
            ],
            Ok(vec![hello()]),
        ),
        (
            "a plain message at any time; it does not enter the window",
            vec![
                packed(HELLO),
                plain("what"),
                packed(&[0xf2, 0x00, 0x11, 0x00, 0x00]),
            ],
            Ok(vec![hello(), (TEXT, b"what".to_vec()), hello()]),
        ),
        (
            "control frames in between",
            vec![
                ping(),
                Frame::new(RSV1 | TEXT, &HELLO[..1]),
                ping(),
                Frame::new(0, &HELLO[1..6]),
                Frame::new(FIN | 10, []),
                Frame::new(FIN, &HELLO[6..]),
                ping(),
            ],
            Ok(vec![
                (9, b"?".to_vec()),
                (9, b"?".to_vec()),
                (10, vec![]),
                hello(),
                (9, b"?".to_vec()),
            ]),
        ),
        (
            "a fragmented plain message",
            vec![
                Frame::new(BINARY, [1, 2]),
                ping(),
                Frame::new(0, [3]),
                Frame::new(FIN, []),
                packed(HELLO),
            ],
            Ok(vec![(9, b"?".to_vec()), (BINARY, vec![1, 2, 3]), hello()]),
        ),
        // 6.1 and RFC 6455, 5.2: RSV1 only on the first frame of a data message
        (
            "RSV1 on a ping",
            vec![Frame::new(FIN | RSV1 | 9, [])],
            Err(1002),
        ),
        (
            "RSV1 on a close",
            vec![Frame::new(FIN | RSV1 | 8, [])],
            Err(1002),
        ),
        (
            "RSV1 on a continuation, compressed",
            vec![
                Frame::new(RSV1 | TEXT, &HELLO[..3]),
                Frame::new(FIN | RSV1, &HELLO[3..]),
            ],
            Err(1002),
        ),
        (
            "RSV1 on a continuation, plain",
            vec![Frame::new(TEXT, *b"He"), Frame::new(FIN | RSV1, HELLO)],
            Err(1002),
        ),
        (
            "RSV1 on a reserved opcode",
            vec![Frame::new(FIN | RSV1 | 3, HELLO)],
            Err(1002),
        ),
        (
            "RSV1 and RSV2",
            vec![Frame::new(FIN | RSV1 | 0x20 | TEXT, HELLO)],
            Err(1002),
        ),
        (
            "RSV1 and RSV3",
            vec![Frame::new(FIN | RSV1 | 0x10 | TEXT, HELLO)],
            Err(1002),
        ),
        (
            "RSV2 on a compressed continuation",
            vec![
                Frame::new(RSV1 | TEXT, &HELLO[..3]),
                Frame::new(FIN | 0x20, &HELLO[3..]),
            ],
            Err(1002),
        ),
        (
            "a message within a compressed one",
            vec![Frame::new(RSV1 | TEXT, &HELLO[..3]), plain("x")],
            Err(1002),
        ),
        (
            "a compressed one within a plain one",
            vec![Frame::new(TEXT, *b"x"), packed(HELLO)],
            Err(1002),
        ),
        // what is no deflate stream
        (
            "a block type that does not exist",
            vec![packed(&[0x06])],
            Err(1007),
        ),
        (
            "a distance before the beginning",
            vec![packed(&[0xf2, 0x00, 0x11, 0x00, 0x00])],
            Err(1007),
        ),
        (
            "a stored block with the wrong length",
            vec![packed(&[0x00, 0x05, 0x00, 0x00, 0x00, 0x41])],
            Err(1007),
        ),
        (
            "after a good message",
            vec![packed(HELLO), packed(&[0xff, 0xff])],
            Err(1007),
        ),
    ]
}

fn check(
    name: &str,
    role: Role,
    expected: &Result<Vec<Item>, u16>,
    script: Vec<Event>,
    size: usize,
) {
    let agreed = agreed(role, Deflate::new(), "");
    let mut io = io(role, Transport::reading(script), &agreed, &Limits::new());
    let (plain, fault) = read_all(&mut io, size);
    let read = match fault {
        None => {
            let frames = frames(&plain);
            // A server reads masked frames, and a mask of zeros changes nothing.
            assert!(
                frames
                    .iter()
                    .all(|frame| frame.mask.is_some() == (role == Role::Server)),
                "{name}"
            );
            assert!(io.is_idle(), "{name}");
            Ok(items(frames))
        }
        Some(fault) => Err(fault.close_code()),
    };
    assert_eq!(read, *expected, "{name}, {role:?}, buffer of {size}");
}

#[test]
fn every_row_at_every_split_point() {
    for (name, frames, expected) in rows() {
        for role in [Role::Server, Role::Client] {
            let frames = frames
                .iter()
                .map(|frame| frame.clone().masked(role == Role::Server));
            let wire: Vec<u8> = frames.flat_map(|frame| frame.bytes()).collect();
            for size in [1, 2, 7, 78, 100, 65536] {
                check(name, role, &expected, vec![Event::Data(wire.clone())], size);
                let bytes = wire
                    .iter()
                    .flat_map(|&b| [Event::Data(vec![b]), Event::Pending]);
                check(name, role, &expected, bytes.collect(), size);
            }
            for at in 1..wire.len() {
                let (a, b) = wire.split_at(at);
                let script = vec![
                    Event::Data(a.to_vec()),
                    Event::Pending,
                    Event::Data(b.to_vec()),
                ];
                check(name, role, &expected, script.clone(), 4096);
                check(name, role, &expected, script, 1);
            }
        }
    }
}

/// The duty to mask is checked where the mask is lost (RFC 6455, section 5.1).
#[test]
fn masks_are_a_duty() {
    for role in [Role::Server, Role::Client] {
        let wrong = Frame::new(FIN | RSV1 | TEXT, [0]).masked(role == Role::Client);
        check(
            "compressed",
            role,
            &Err(1002),
            vec![Event::Data(wrong.bytes())],
            100,
        );
        let first = Frame::new(RSV1 | TEXT, []).masked(role == Role::Server);
        let next = Frame::new(FIN, [0]).masked(role == Role::Client);
        let wire = [first.bytes(), next.bytes()].concat();
        check(
            "compressed continuation",
            role,
            &Err(1002),
            vec![Event::Data(wire)],
            100,
        );
        // Those above see the header of a plain frame themselves: it is none of our business.
        let plain = Frame::new(FIN | TEXT, *b"x")
            .masked(role == Role::Client)
            .bytes();
        let mut io = io(
            role,
            Transport::reading([Event::Data(plain.clone())]),
            &agreed(role, Deflate::new(), ""),
            &Limits::new(),
        );
        assert_eq!(read_all(&mut io, 100), (plain, None));
    }
}

/// RFC 6455, section 5.2: the fewest bytes, and never the highest bit.
#[test]
fn lengths_are_written_in_the_fewest_bytes() {
    let rows: &[&[u8]] = &[
        &[0xc1, 126, 0, 1, 0],
        &[0xc1, 127, 0, 0, 0, 0, 0, 0, 0, 1, 0],
        &[0xc1, 127, 0x80, 0, 0, 0, 0, 0, 0, 1, 0],
        &[0xc1, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
    ];
    for wire in rows {
        check(
            "illegal length",
            Role::Client,
            &Err(1002),
            vec![Event::Data(wire.to_vec())],
            100,
        );
    }
}

/// Whatever passes, passes byte for byte, wrong or not: others judge it.
#[test]
fn other_frames_pass_as_they_are() {
    let rows: &[&[u8]] = &[
        &[0x81, 126, 0, 1, b'x'],
        &[0x89, 0],
        &[0x09, 1, b'?'],
        &[0xa1, 1, b'x'],
        &[0x83, 1, b'x'],
        &[0x8b, 1, b'x'],
        &[0x80, 1, b'x'],
        &[0x01, 0, 0x01, 0],
        &[0x88, 2, 3, 0xe8],
        &[0x81, 0x81, 1, 2, 3, 4, b'x'],
    ];
    for wire in rows {
        for size in [1, 3, 100] {
            let transport = Transport::reading(wire.iter().map(|&b| Event::Data(vec![b])));
            let agreed = agreed(Role::Server, Deflate::new(), "");
            let (plain, fault) = read_all(
                &mut io(Role::Server, transport, &agreed, &Limits::new()),
                size,
            );
            assert_eq!((plain.as_slice(), fault), (*wire, None));
        }
    }
}

/// What came before the fault is read before it, and what comes after it is raw: it is only there to be drained.
#[test]
fn faults_come_last() {
    let wire = [
        Frame::new(FIN | TEXT, *b"good").bytes(),
        Frame::new(FIN | RSV1 | 9, []).bytes(),
    ]
    .concat();
    let agreed = agreed(Role::Client, Deflate::new(), "");
    let mut io = io(
        Role::Client,
        Transport::reading([Event::Data(wire)]),
        &agreed,
        &Limits::new(),
    );
    let (plain, fault) = read_all(&mut io, 100);
    assert_eq!(items(frames(&plain)), [(TEXT, b"good".to_vec())]);
    assert_eq!(fault.unwrap().reason(), "RSV1 on a control frame");
    io.get_mut().input.push_back(Event::Data(vec![0xff; 300]));
    assert_eq!(read_all(&mut io, 100), (vec![0xff; 300], None));
}

/// Without context takeover, a reference to an earlier message is an error, and memory is given back in between.
#[test]
fn windows_end_with_the_message_where_that_was_agreed() {
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let wire = |payload: &[u8]| Event::Data(Frame::new(FIN | RSV1 | TEXT, payload).bytes());
    let agreed = agreed(Role::Client, Deflate::new(), "; server_no_context_takeover");
    let script = [wire(&hello), wire(&hello), wire(&again)];
    let (plain, fault) = read_all(
        &mut io(
            Role::Client,
            Transport::reading(script),
            &agreed,
            &Limits::new(),
        ),
        100,
    );
    assert_eq!(items(frames(&plain)).len(), 2);
    assert_eq!(fault.unwrap().close_code(), 1007);
}

/// The window survives a release, in which the inflater goes.
#[test]
fn windows_survive_a_release() {
    let wire = |payload: &[u8]| Frame::new(FIN | RSV1 | TEXT, payload).bytes();
    let agreed = agreed(Role::Client, Deflate::new(), "");
    let mut io = io(Role::Client, Transport::default(), &agreed, &Limits::new());
    io.get_mut().input.push_back(Event::Data(wire(&[
        0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00,
    ])));
    for _ in 0..3 {
        let (plain, fault) = read_all(&mut io, 100);
        assert_eq!(
            (items(frames(&plain)), fault),
            (vec![(TEXT, b"Hello".to_vec())], None)
        );
        io.release();
        io.get_mut()
            .input
            .push_back(Event::Data(wire(&[0xf2, 0x00, 0x11, 0x00, 0x00])));
    }
}

/// A message in progress shows above, even while it has not inflated to anything: its time must be limited there.
#[test]
fn a_message_shows_as_soon_as_it_begins() {
    for role in [Role::Server, Role::Client] {
        let agreed = agreed(role, Deflate::new(), "");
        let begun = Frame::new(RSV1 | TEXT, [0xf2])
            .masked(role == Role::Server)
            .bytes();
        let script = [
            Event::Data(begun[..2].to_vec()),
            Event::Data(begun[2..].to_vec()),
        ];
        let (plain, fault) = read_all(
            &mut io(role, Transport::reading(script), &agreed, &Limits::new()),
            100,
        );
        let [frame] = frames(&plain).try_into().unwrap();
        assert_eq!((frame.first, frame.payload, fault), (TEXT, vec![], None));
    }
}

/// Most messages are one frame, and stay one: that is what is fast above.
#[test]
fn a_frame_stays_a_frame() {
    let text = "All work and no play. ".repeat(500);
    let payload = Zip::new(6, 15, true).message(text.as_bytes(), false);
    let wire = Frame::new(FIN | RSV1 | TEXT, payload).masked(true).bytes();
    let agreed = agreed(Role::Server, Deflate::new(), "");
    let transport = Transport::reading([Event::Data(wire)]);
    let (plain, _) = read_all(
        &mut io(Role::Server, transport, &agreed, &Limits::new()),
        65536,
    );
    let [frame] = frames(&plain).try_into().unwrap();
    assert_eq!(
        (frame.first, frame.payload),
        (FIN | TEXT, text.into_bytes())
    );
}
