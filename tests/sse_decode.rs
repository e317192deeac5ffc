//! The decoder against the HTML standard, 9.2.5 and 9.2.6: tables, a plain second implementation, and every cut.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use proptest::prelude::*;
use tower_realtime::sse::{Decoder, Error, Limits, Message};

#[path = "support/plain_sse.rs"]
mod plain;

use plain::Plain;

/// A rule, its input, and the name, data and last event id of each event.
type Row = (
    &'static str,
    &'static [u8],
    &'static [(&'static str, &'static str, &'static str)],
);

/// Every rule, as input and the events that come of it: name, data, last event id.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    // Line ends.
    ("LF", b"data: a\n\n", &[("message", "a", "")]),
    ("CR", b"data: a\r\r", &[("message", "a", "")]),
    ("CRLF", b"data: a\r\n\r\n", &[("message", "a", "")]),
    ("all three", b"data: a\rdata: b\ndata: c\r\n\rdata: d\n\r\n", &[("message", "a\nb\nc", ""), ("message", "d", "")]),
    ("CRLF is one end", b"data: a\r\ndata: b\r\n\n", &[("message", "a\nb", "")]),
    ("LFCR is two ends", b"data: a\n\rdata: b\n\r", &[("message", "a", ""), ("message", "b", "")]),
    ("blank lines alone", b"\n\r\r\n\n\r", &[]),
    ("no other line ends", "data: a\u{2028}b\u{85}c\u{b}d\u{c}e\n\n".as_bytes(), &[("message", "a\u{2028}b\u{85}c\u{b}d\u{c}e", "")]),
    // A BOM: one, at the very start.
    ("BOM", b"\xef\xbb\xbfdata: a\n\n", &[("message", "a", "")]),
    ("two BOMs", b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", &[("message", "b", "")]),
    ("BOM later", b"data: a\n\n\xef\xbb\xbfdata: b\n\ndata: \xef\xbb\xbfc\n\n", &[("message", "a", ""), ("message", "\u{feff}c", "")]),
    ("BOM alone", b"\xef\xbb\xbf", &[]),
    ("part of a BOM", b"\xef\xbbdata: a\n\ndata: b\n\n", &[("message", "b", "")]),
    // Fields.
    ("one space goes", b"data:  a \n\n", &[("message", " a ", "")]),
    ("no space needed", b"data:a\n\n", &[("message", "a", "")]),
    ("a tab stays", b"data:\ta\n\n", &[("message", "\ta", "")]),
    ("a colon stays", b"data: :a:b\n\n", &[("message", ":a:b", "")]),
    ("no colon", b"data\n\ndata\ndata\n\n", &[("message", "", ""), ("message", "\n", "")]),
    ("empty data", b"data:\n\ndata: \n\n", &[("message", "", ""), ("message", "", "")]),
    ("empty lines of data", b"data:\ndata: a\ndata\n\n", &[("message", "\na\n", "")]),
    ("case", b"Data: a\nDATA: b\n\n", &[]),
    ("near names", b"dat: a\ndatas: b\n data: c\ndata : d\nid2: 3\neventx: y\n\n", &[]),
    ("a line of spaces is not blank", b"data: a\n \n\t\ndata: b\n\n", &[("message", "a\nb", "")]),
    ("comments", b":\n: a\n:data: b\ndata: c\n: d\n\n", &[("message", "c", "")]),
    ("unknown fields", b"foo\nfoo: bar\ndata: a\nfoo:\n\n", &[("message", "a", "")]),
    ("a colon first is a comment", b":id: 1\ndata: a\n\n", &[("message", "a", "")]),
    ("NUL in data", b"data: a\0b\n\n", &[("message", "a\0b", "")]),
    ("NUL in a name", b"data\0: a\n\n", &[]),
    // Names.
    ("name", b"event: e\ndata: a\n\ndata: b\n\n", &[("e", "a", ""), ("message", "b", "")]),
    ("last name wins", b"event: e\nevent: f\ndata: a\n\n", &[("f", "a", "")]),
    ("empty name", b"event: e\nevent:\ndata: a\n\n", &[("message", "a", "")]),
    ("name without data", b"event: e\n\ndata: a\n\n", &[("message", "a", "")]),
    ("name after data", b"data: a\nevent: e\n\n", &[("e", "a", "")]),
    // Ids.
    ("id", b"id: 1\ndata: a\n\ndata: b\n\n", &[("message", "a", "1"), ("message", "b", "1")]),
    ("id without data", b"id: 1\n\ndata: a\n\n", &[("message", "a", "1")]),
    ("id reset", b"id: 1\ndata: a\n\nid\ndata: b\n\n", &[("message", "a", "1"), ("message", "b", "")]),
    ("id with NUL", b"id: 1\n\nid: 2\0\ndata: a\n\n", &[("message", "a", "1")]),
    ("NUL does not clear the id before it", b"id: 1\nid: \0\ndata: a\n\n", &[("message", "a", "1")]),
    ("last id wins", b"id: 1\nid: 2\ndata: a\n\n", &[("message", "a", "2")]),
    ("id keeps its spaces", b"id:  1 \ndata: a\n\n", &[("message", "a", " 1 ")]),
    ("id of an unfinished block", b"id: 1\ndata: a\n\nid: 2\ndata: b\n", &[("message", "a", "1")]),
    // The end.
    ("unfinished block", b"data: a\n\ndata: b\n", &[("message", "a", "")]),
    ("unfinished line", b"data: a\n\ndata: b", &[("message", "a", "")]),
    ("nothing", b"", &[]),
    // UTF-8.
    ("all widths", "data: a\u{e9}\u{20ac}\u{1d11e}z\n\n".as_bytes(), &[("message", "a\u{e9}\u{20ac}\u{1d11e}z", "")]),
    ("lone continuation", b"data: a\x80b\n\n", &[("message", "a\u{fffd}b", "")]),
    ("five continuations", b"data: \x80\x80\x80\x80\x80\n\n", &[("message", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}", "")]),
    ("cut by LF", b"data: \xe2\x82\ndata: \xf0\n\n", &[("message", "\u{fffd}\n\u{fffd}", "")]),
    ("cut by CR", b"data: \xf0\x9d\x84\r\r", &[("message", "\u{fffd}", "")]),
    ("overlong", b"data: \xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf\n\n", &[("message", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}", "")]),
    ("surrogate", b"data: \xed\xa0\x80\n\n", &[("message", "\u{fffd}\u{fffd}\u{fffd}", "")]),
    ("above Unicode", b"data: \xf4\x90\x80\x80\xf5\n\n", &[("message", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}", "")]),
    ("bad bytes in names", b"da\xffta: a\nid: \xff\ndata: b\n\n", &[("message", "b", "\u{fffd}")]),
    ("replacement, then a BOM", b"\xff\xef\xbb\xbfdata: a\n\ndata: b\n\n", &[("message", "b", "")]),
];

/// Fields of `retry`, and what is taken of them.
#[rustfmt::skip]
const RETRIES: &[(&[u8], Option<u64>)] = &[
    (b"retry: 500\n", Some(500)),
    (b"retry:500\r", Some(500)),
    (b"retry: 03000\r\n", Some(3000)),
    (b"retry: 0\n", Some(0)),
    (b"retry: 1\nretry: 2\n\n", Some(2)),
    (b"retry: 1\nretry: x\nretry: 2.5\nretry: -3\nretry: +4\n", Some(1)),
    (b"retry: 1\nretry\nretry:\nretry:  5\nretry: 5 \nretry: 5\0\nretry: 1e3\nretry: 0x10\n", Some(1)),
    ("retry: ٣\n".as_bytes(), None),
    (b"retry: 99999999999999999999999999\n", Some(u64::MAX)),
    (b"retry: 500", None),
    (b"Retry: 500\n", None),
];

/// What a decoder says of `pieces`.
fn decode<'a>(
    mut decoder: Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Plain, Error> {
    let mut out = Plain::default();
    for piece in pieces {
        decoder.push(piece);
        for message in decoder.by_ref() {
            out.events.push(parts(&message?));
        }
    }
    out.retry = decoder
        .retry()
        .map(|retry| u64::try_from(retry.as_millis()).expect("made of a u64"));
    out.last_event_id = decoder.last_event_id().to_string();
    Ok(out)
}

fn parts(message: &Message) -> (String, String, String) {
    (
        message.event().to_string(),
        message.data().to_string(),
        message.last_event_id().to_string(),
    )
}

/// All ways of cutting: whole, byte by byte, in two at every place, and in three where that is not too many.
fn at_every_cut(input: &[u8], check: impl Fn(Vec<&[u8]>)) {
    check(vec![input]);
    check(input.chunks(1).collect());
    // Empty pieces change nothing, the first of a stream least of all.
    check(input.chunks(1).flat_map(|byte| [&[], byte]).collect());
    for first in 0..=input.len() {
        let (a, rest) = input.split_at(first);
        check(vec![a, rest]);
        for second in 0..=rest.len() {
            if input.len() <= 80 {
                check(vec![a, &rest[..second], &rest[second..]]);
            }
        }
    }
}

#[test]
fn each_rule_holds_at_every_cut() {
    for (rule, input, events) in ROWS {
        let want: Vec<_> = events
            .iter()
            .map(|(event, data, id)| (event.to_string(), data.to_string(), id.to_string()))
            .collect();
        assert_eq!(
            plain::decode(input).events,
            want,
            "the plain decoder: {rule}"
        );
        at_every_cut(input, |pieces| {
            let got = decode(Decoder::new(), pieces.clone()).unwrap();
            assert_eq!(got.events, want, "{rule}: {pieces:?}");
            assert_eq!(got, plain::decode(input), "{rule}: {pieces:?}");
        });
    }
}

#[test]
fn retry_is_taken_at_once_and_only_from_digits() {
    for (input, want) in RETRIES {
        assert_eq!(
            plain::decode(input).retry,
            *want,
            "the plain decoder: {input:?}"
        );
        at_every_cut(input, |pieces| {
            let got = decode(Decoder::new(), pieces).unwrap();
            assert_eq!(got.retry, *want, "{input:?}");
        });
    }
}

#[test]
fn the_shared_cases_hold_at_every_cut() {
    let file = include_str!("data/sse-decode-cases.json");
    let doc: serde_json::Value = serde_json::from_str(file).unwrap();
    let cases = doc["cases"].as_array().unwrap();
    assert!(cases.len() > 70, "the cases are there");
    for case in cases {
        let input = BASE64_STANDARD
            .decode(case["input_b64"].as_str().unwrap())
            .unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let want = Plain {
            events: case["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| {
                    (
                        text(&event["type"]),
                        text(&event["data"]),
                        text(&event["id"]),
                    )
                })
                .collect(),
            retry: case["retry"].as_u64(),
            last_event_id: text(&case["last_id"]),
        };
        at_every_cut(&input, |pieces| {
            let got = decode(Decoder::new(), pieces.clone()).unwrap();
            assert_eq!(got, want, "{}: {pieces:?}", case["name"]);
        });
    }
}

/// The event is there with the last byte that it needs, a lone CR included: not with the next, nor at the end.
#[test]
fn an_event_comes_with_its_last_byte() {
    for (rule, input, _) in ROWS {
        let mut decoder = Decoder::new();
        let mut events = Vec::new();
        for (at, byte) in input.iter().enumerate() {
            decoder.push(&[*byte]);
            events.extend(decoder.by_ref().map(|message| parts(&message.unwrap())));
            let want = plain::decode(&input[..=at]);
            assert_eq!(events, want.events, "{rule}: after {at}");
            assert_eq!(
                decoder.last_event_id(),
                &want.last_event_id,
                "{rule}: after {at}"
            );
        }
    }
}

#[test]
fn many_lines_of_data_are_one_event_at_every_cut() {
    let lines: Vec<_> = (0..50).map(|n| format!("line {n}")).collect();
    let stream = format!("event: e\nid: 1\ndata: {}\n\n", lines.join("\ndata: "));
    let want = vec![("e".to_owned(), lines.join("\n"), "1".to_owned())];
    for cut in 0..stream.len() {
        let mut decoder = Decoder::new();
        let (before, after) = stream.as_bytes().split_at(cut);
        decoder.push_bytes(Bytes::copy_from_slice(before));
        assert!(decoder.next().is_none(), "{cut}");
        decoder.push_bytes(Bytes::copy_from_slice(after));
        let events: Vec<_> = decoder.map(|message| parts(&message.unwrap())).collect();
        assert_eq!(events, want, "{cut}");
    }
}

#[test]
fn an_event_may_go_on_in_the_next_chunk() {
    let many = "data: x\n".repeat(20);
    let events = [
        "event: a\nid: 1\ndata: one\ndata:two\ndata\n\n",
        "event: b\nid: 2\ndata: alone, but for its name\n\n",
        "data: no id\ndata:  of its own\n\n",
        "id: 3\nevent: nothing\n\n",
        ": a comment\nevent: c\nretry: 70\ndata: and a retry\nid: 4\n\n",
        "id: 5\0\ndata: an id\ndata: with NUL\n\n",
        "event: d\nid\ndata: größer\ndata: \u{1f980}\n\n",
        &format!("id: 6\n{many}\n"),
        "event: e\r\ndata: with\ndata: CR\r\n\n",
        "event: f\ndata: f\nunknown: f\nevent: g\nid: 7\nid: 8\n\n",
    ];
    for turn in 0..events.len() {
        let (before, after) = events.split_at(turn);
        let stream = [after.concat(), before.concat(), after.concat()].concat();
        let want = plain::decode(stream.as_bytes());
        for size in 60..stream.len().min(400) {
            let got = decode(Decoder::new(), stream.as_bytes().chunks(size));
            let got = got.expect("no limit is near");
            assert_eq!(got, want, "in chunks of {size}, from the event {turn} on");
        }
    }
}

#[test]
fn no_limit_is_more_than_places_of_four_bytes_allow() {
    let most = Limits::new().line(usize::MAX).event(usize::MAX);
    assert_eq!(most, Limits::new().line(1 << 30).event(1 << 31));
}

#[test]
fn pieces_wait_until_they_are_asked_for() {
    let mut decoder = Decoder::new();
    for piece in ["da", "ta: a\n", "", "\ndata: b\n\nda", "ta: c\n\n"] {
        decoder.push(piece.as_bytes());
    }
    let data: Vec<_> = decoder
        .map(|message| message.unwrap().into_data())
        .collect();
    assert_eq!(data, ["a", "b", "c"]);
}

#[test]
fn a_resumed_stream_starts_with_the_last_id() {
    let input = b"data: a\n\nid: 2\ndata: b\n\nid\ndata: c\n\n";
    at_every_cut(input, |pieces| {
        let got = decode(Decoder::resume("1"), pieces).unwrap();
        let ids: Vec<_> = got.events.iter().map(|(_, _, id)| &**id).collect();
        assert_eq!(ids, ["1", "2", ""]);
    });
    assert_eq!(Decoder::resume("1").last_event_id(), "1");
}

#[test]
fn limits_hold_at_every_cut() {
    let tight = Limits::new().line(10).event(12);
    #[rustfmt::skip]
    let rows: &[(&[u8], &[&str], Option<&str>)] = &[
        (b"data: 6789\n\n", &["6789"], None),
        (b"data: 1\n\ndata: 67890\n\ndata: 2\n\n", &["1"], Some("line")),
        (b": a comment that is long\ndata: 1\n\n", &[], Some("line")),
        (b"data: 1\n\n: an unfinished one", &["1"], Some("line")),
        (b"data: 1\n: an unfinished one", &[], Some("line")),
        (b"data: 1\nid: 2\nevent: longer\n\n", &[], Some("line")),
        (b"data: 1234\ndata: 6789\ndata: 1\n\n", &["1234\n6789\n1"], None),
        (b"data: 1234\ndata: 6789\ndata: 123\n\n", &[], Some("event")),
        (b"data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n\n", &["\n\n\n\n\n\n\n\n\n\n\n\n"], None),
        (b"data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n\n", &[], Some("event")),
    ];
    for (input, want, error) in rows {
        at_every_cut(input, |pieces| {
            let mut decoder = Decoder::new().limits(tight);
            let (mut data, mut failure) = (Vec::new(), None);
            for piece in &pieces {
                decoder.push(piece);
                for message in decoder.by_ref() {
                    match message {
                        Ok(message) => data.push(message.data().to_string()),
                        Err(error) => assert!(failure.replace(error).is_none(), "one error"),
                    }
                }
            }
            assert_eq!(data, *want, "{pieces:?}");
            assert_eq!(
                failure.is_some(),
                error.is_some(),
                "{pieces:?}: {failure:?}"
            );
            if let (Some(failure), Some(error)) = (failure, error) {
                assert!(failure.is_too_large());
                assert!(failure.to_string().contains(error), "{failure}");
            }
        });
    }
}

#[test]
fn after_an_error_there_is_nothing_more() {
    let mut decoder = Decoder::new().limits(Limits::new().line(8));
    decoder.push(b"id: 5\n\ndata: 1234\n\ndata: 1\n\n");
    assert!(decoder.next().unwrap().unwrap_err().is_too_large());
    assert!(decoder.next().is_none());
    decoder.push(b"\n\ndata: 1\n\n");
    assert!(decoder.next().is_none());
    assert_eq!(decoder.last_event_id(), "5", "to resume after");
}

#[test]
fn data_of_one_line_shares_the_memory_of_its_chunk() {
    let chunk = Bytes::from(b"event: e\nid: 1\ndata: shared\n\ndata: also".to_vec());
    let inside = chunk.as_ptr_range();
    let mut decoder = Decoder::new();
    decoder.push_bytes(chunk.clone());
    let message = decoder.next().unwrap().unwrap();
    assert!(inside.contains(&message.data().as_ptr()));

    // What the decoder itself keeps does not keep the chunk.
    assert!(decoder.next().is_none());
    assert!(!inside.contains(&decoder.last_event_id().as_ptr()));
    drop(message);
    decoder.push(b"!\n\n");
    assert_eq!(decoder.next().unwrap().unwrap().data(), "also!");
    assert!(chunk.is_unique(), "nothing of it is held");
}

#[test]
fn large_events_pass_in_pieces() {
    let line = "0123456789".repeat(30_000);
    let stream = format!("data: {line}\nid: 1\n\ndata: {line}\ndata: {line}\n\n");
    for size in [1000, 65_536, stream.len()] {
        let got = decode(Decoder::new(), stream.as_bytes().chunks(size)).unwrap();
        let want = [
            ("message".to_owned(), line.clone(), "1".to_owned()),
            (
                "message".to_owned(),
                format!("{line}\n{line}"),
                "1".to_owned(),
            ),
        ];
        assert!(got.events == want, "in pieces of {size}");
    }
}

#[test]
fn long_lines_are_the_same_in_pieces_of_any_size() {
    let filler = "0123456789 abcdef".repeat(150);
    let texts: [&[u8]; 6] = [
        b"",
        "\u{1d11e}\u{20ac}".as_bytes(),
        b"\xe2\x82",
        b"\xff",
        b"\r",
        b"\n",
    ];
    for middle in texts {
        for after in [
            "\n\ndata: x\n\n",
            "\r\rdata: x\r\r",
            "\r\n\r\nid: 7\r\n\r\n",
        ] {
            let parts = [
                b"data: ",
                filler.as_bytes(),
                middle,
                filler.as_bytes(),
                after.as_bytes(),
            ];
            let stream = parts.concat();
            let whole = decode(Decoder::new(), [&stream[..]]).unwrap();
            for size in [1, 2, 3, 15, 16, 17, 31, 100, 1000, 1024, 1025, 2047, 2600] {
                let pieces = decode(Decoder::new(), stream.chunks(size)).unwrap();
                assert!(pieces.events == whole.events, "in pieces of {size}");
            }
            // All of it in one piece but for the start, cut in every place around the middle.
            for at in 2540..2580 {
                let pieces = [&stream[..1200], &stream[1200..at], &stream[at..]];
                let pieces = decode(Decoder::new(), pieces).unwrap();
                assert!(pieces.events == whole.events, "cut at {at}");
            }
        }
    }
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let line = |length: usize| format!("data:{}\n\n", "x".repeat(length - 5)).into_bytes();
    assert!(decode(Decoder::new(), [&*line(1 << 20)]).is_ok());
    assert!(
        decode(Decoder::new(), [&*line((1 << 20) + 1)])
            .unwrap_err()
            .is_too_large()
    );

    let event = |length: usize| {
        let mut lines = format!("data:{}\n", "x".repeat((1 << 20) - 6)).repeat(length >> 20);
        lines.push_str(&format!(
            "data:{}\n\n",
            "x".repeat(length - (length >> 20) * ((1 << 20) - 5))
        ));
        lines.into_bytes()
    };
    assert!(decode(Decoder::new(), [&*event(8 << 20)]).is_ok());
    assert!(
        decode(Decoder::new(), [&*event((8 << 20) + 1)])
            .unwrap_err()
            .is_too_large()
    );
}

#[test]
fn an_unbelievable_retry_is_still_a_duration() {
    let mut decoder = Decoder::new();
    decoder.push(b"retry: 18446744073709551616\n");
    assert!(decoder.next().is_none());
    assert_eq!(decoder.retry(), Some(Duration::from_millis(u64::MAX)));
}

/// Streams made of what matters, so that most are nearly right.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    #[rustfmt::skip]
    const PARTS: &[&[u8]] = &[
        b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b":", b" ", b"\0",
        b"data", b"data:", b"data: ", b"data: text\n", b"event: e\n", b"id: 1\n", b"id\n", b"retry: 10\n", b": comment\n",
        b"id: ", b"event:", b"retry: ", b"17", b"x", b"\xef\xbb\xbf", b"\xef", b"\xbb", b"\xe2\x82\xac", b"\xf0\x9d\x84\x9e",
        b"\xf0\x9d", b"\xc3", b"\xff", b"\x80", b"a longer run of plain text, as most of a stream is",
    ];
    prop::collection::vec(prop::sample::select(PARTS), 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_stream_at_any_cut_is_what_the_plain_decoder_says(
        input in streams(),
        sizes in prop::collection::vec(0_usize..24, 1..8),
    ) {
        let mut rest = &input[..];
        let mut pieces = Vec::new();
        for size in sizes.iter().chain(sizes.iter().map(|_| &7)).cycle().take(400) {
            let (piece, after) = rest.split_at(rest.len().min(*size));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        let want = plain::decode(&input);
        prop_assert_eq!(&decode(Decoder::new(), pieces).unwrap(), &want);
        prop_assert_eq!(&decode(Decoder::new(), [&*input]).unwrap(), &want);
    }
}
