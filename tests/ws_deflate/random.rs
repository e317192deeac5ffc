//! Whatever is sent, however it is compressed, fragmented and cut: the same comes out.

use proptest::collection::vec;
use proptest::prelude::*;
use tower_realtime::ws::{
    Limits,
    deflate::{Deflate, DeflateIo},
};

use super::support::*;

/// Text-like, constant and random stretches.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let stretch = prop_oneof![
        "[a-e]{0,40}( lorem ipsum| dolor| sit amet){0,20}".prop_map(String::into_bytes),
        (any::<u8>(), 0..5000usize).prop_map(|(byte, n)| vec![byte; n]),
        vec(any::<u8>(), 0..600),
    ];
    vec(stretch, 0..4).prop_map(|stretches| stretches.concat())
}

#[derive(Clone, Debug)]
struct Sent {
    payload: Vec<u8>,
    text: bool,
    packed: bool,
    bfinal: bool,
    cuts: Vec<prop::sample::Index>,
    pings: bool,
}

fn sent() -> impl Strategy<Value = Sent> {
    let bools = (
        any::<bool>(),
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.1),
        any::<bool>(),
    );
    (payload(), bools, vec(any::<prop::sample::Index>(), 0..4)).prop_map(
        |(payload, bools, cuts)| {
            let (text, packed, bfinal, pings) = bools;
            Sent {
                payload,
                text,
                packed,
                bfinal,
                cuts,
                pings,
            }
        },
    )
}

/// The frames of one message.
fn fragments(sent: &Sent, zip: &mut Zip) -> Vec<Frame> {
    let payload = if sent.packed {
        zip.message(&sent.payload, sent.bfinal)
    } else {
        sent.payload.clone()
    };
    let mut cuts: Vec<_> = sent
        .cuts
        .iter()
        .map(|cut| cut.index(payload.len() + 1))
        .collect();
    cuts.sort_unstable();
    let mut first = if sent.text { TEXT } else { BINARY } | if sent.packed { RSV1 } else { 0 };
    let (mut frames, mut from) = (Vec::new(), 0);
    for to in cuts {
        frames.push(Frame::new(first, &payload[from..to]));
        if sent.pings {
            frames.push(Frame::new(FIN | 9, from.to_be_bytes()));
        }
        (first, from) = (0, to);
    }
    frames.push(Frame::new(FIN | first, &payload[from..]));
    frames
}

fn script(mut wire: &[u8], sizes: &[usize]) -> Vec<Event> {
    let mut script = Vec::new();
    for size in sizes.iter().cycle() {
        if wire.is_empty() {
            return script;
        }
        let (piece, rest) = wire.split_at(wire.len().min(*size));
        script.extend([Event::Data(piece.to_vec()), Event::Pending]);
        wire = rest;
    }
    script
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn reads_what_plain_zlib_has_compressed(
        messages in vec(sent(), 1..8),
        role in role(),
        (level, bits, takeover) in (1..10u32, 9..16u8, any::<bool>()),
        sizes in vec(1..4000usize, 1..5),
        buffer in prop_oneof![1..200usize, 200..70_000usize],
    ) {
        let who = if role == Role::Server { "client" } else { "server" };
        let no = if takeover { String::new() } else { format!("; {who}_no_context_takeover") };
        let parameters = format!("; {who}_max_window_bits={bits}{no}");
        let mut zip = Zip::new(level, bits, takeover);
        let mut wire = Vec::new();
        let mut expected = Vec::new();
        for message in &messages {
            for frame in fragments(message, &mut zip) {
                if frame.first & 0x0f == 9 {
                    expected.push((9, frame.payload.clone()));
                }
                wire.extend(frame.masked(role == Role::Server).bytes());
            }
            expected.push((if message.text { TEXT } else { BINARY }, message.payload.clone()));
        }
        let agreed = agreed(role, Deflate::new(), &parameters);
        let mut io = io(role, Transport::reading(script(&wire, &sizes)), &agreed, &Limits::new());
        let (plain, fault) = read_all(&mut io, buffer);
        prop_assert_eq!(fault, None);
        prop_assert!(io.is_idle());
        prop_assert_eq!(items(frames(&plain)), expected);
    }

    #[test]
    fn writes_what_plain_zlib_reads(
        messages in vec((payload(), any::<bool>(), prop::bool::weighted(0.1)), 1..8),
        role in role(),
        (level, bits, takeover, threshold) in (1..10u8, 9..16u8, any::<bool>(), 0..400usize),
        (cut, room, pause) in (1..5000usize, 1..5000usize, 0..5usize),
        releases in any::<bool>(),
    ) {
        let who = if role == Role::Server { "server" } else { "client" };
        let no = if takeover { String::new() } else { format!("; {who}_no_context_takeover") };
        let agreed = agreed(role, Deflate::new().level(level).threshold(threshold), &format!("; {who}_max_window_bits={bits}{no}"));
        let mut io = io(role, Transport::writing(room, if pause == 1 { 2 } else { pause }), &agreed, &Limits::new());
        for (payload, text, secret) in &messages {
            let first = FIN | if *text { TEXT } else { BINARY } | if *secret { RSV3 } else { 0 };
            write_all(&mut io, &Frame::new(first, payload.clone()).masked(role == Role::Client).bytes(), cut);
            if releases {
                io.release();
            }
        }
        let mut unzip = Unzip::new(bits, takeover);
        let wire = frames(&io.get_ref().output);
        prop_assert_eq!(wire.len(), messages.len());
        for (frame, (payload, text, secret)) in wire.iter().zip(&messages) {
            let packed = !secret && payload.len() >= threshold;
            let first = FIN | if *text { TEXT } else { BINARY } | if packed { RSV1 } else { 0 };
            prop_assert_eq!(frame.first, first);
            let read = if packed { unzip.message(&frame.payload, payload.len()) } else { frame.payload.clone() };
            prop_assert_eq!(&read, payload);
        }
    }

    /// Bytes without sense: an error perhaps, a panic or a loop never.
    #[test]
    fn any_bytes_are_survived(wire in vec(any::<u8>(), 1..2000), role in role(), size in 1..200usize) {
        let agreed = agreed(role, Deflate::new(), "");
        let mut io = io(role, Transport::reading(script(&wire, &[size])), &agreed, &Limits::new());
        read_all(&mut io, size);
        let mut io = DeflateIo::server(Transport::writing(usize::MAX, 0), Some(&agreed), &Limits::new());
        write_all(&mut io, &wire, size);
    }
}
