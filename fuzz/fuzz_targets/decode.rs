//! Any bytes, in any pieces: no panic, no growth past the limits, the same messages however they are cut, and the
//! same as a plain second implementation says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_realtime::sse::{Decoder, Limits};

#[allow(dead_code)]
#[path = "../../tests/support/plain_sse.rs"]
mod plain;

use plain::Plain;

fuzz_target!(|input: &[u8]| {
    // The first bytes say how to cut the rest.
    let Some((sizes, stream)) = input.split_at_checked(4) else {
        return;
    };
    let (cut, _) = decode(Limits::new(), pieces(stream, sizes), &|_| {});
    assert_eq!(cut, plain::decode(stream), "in pieces");
    let (whole, _) = decode(Limits::new(), [stream], &|_| {});
    assert_eq!(whole, cut, "whole");

    // After each piece everything is there that can be.
    if stream.len() <= 128 {
        let check = |so_far: &Soaked<'_>| {
            let want = plain::decode(&stream[..so_far.bytes]);
            assert_eq!(so_far.events, &want.events[..], "after {}", so_far.bytes);
        };
        decode(Limits::new(), stream.chunks(1), &check);
    }

    let tight = Limits::new().line(24).event(40);
    let (cut, cut_error) = decode(tight, pieces(stream, sizes), &|_| {});
    let (whole, whole_error) = decode(tight, [stream], &|_| {});
    assert_eq!(
        (&cut, &cut_error),
        (&whole, &whole_error),
        "with tight limits"
    );
    let short = |(name, data, id): &(String, String, String)| {
        name.len() <= 24 && data.len() <= 40 && id.len() <= 24
    };
    assert!(cut.events.iter().all(short), "over the limits: {cut:?}");
});

/// What came of the bytes so far.
struct Soaked<'a> {
    bytes: usize,
    events: &'a [(String, String, String)],
}

fn decode<'a>(
    limits: Limits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    check: &dyn Fn(&Soaked<'_>),
) -> (Plain, Option<String>) {
    let mut decoder = Decoder::new().limits(limits);
    let (mut out, mut error, mut bytes) = (Plain::default(), None, 0);
    for piece in pieces {
        decoder.push(piece);
        for message in &mut decoder {
            match message {
                Ok(message) => out.events.push((
                    message.event().to_string(),
                    message.data().to_string(),
                    message.last_event_id().to_string(),
                )),
                Err(failure) => assert!(error.replace(failure.to_string()).is_none()),
            }
        }
        bytes += piece.len();
        check(&Soaked {
            bytes,
            events: &out.events,
        });
    }
    out.retry = decoder.retry().map(|retry| retry.as_millis() as u64);
    out.last_event_id = decoder.last_event_id().to_string();
    (out, error)
}

/// Pieces of the sizes that the first bytes say, over and over. A size of 0 is an empty piece.
fn pieces<'a>(mut rest: &'a [u8], sizes: &[u8]) -> Vec<&'a [u8]> {
    let mut out = Vec::new();
    let mut sizes = sizes.iter().cycle();
    let some = sizes.clone().take(4).any(|&size| size % 32 > 0);
    while !rest.is_empty() && some {
        let size = sizes.next().copied().unwrap_or(1);
        // Large ones as well: an event that begins in a chunk of some size may be set aside whole.
        let size = usize::from(size % 32) << (size / 64 * 2);
        let (piece, after) = rest.split_at(rest.len().min(size));
        out.push(piece);
        rest = after;
    }
    out.push(rest);
    out
}
