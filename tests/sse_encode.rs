//! The encoder: a row for each rule, and every string decodes to itself by an independent reading of the standard.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{fmt, fmt::Write as _, io::Write as _, time::Duration};

use proptest::prelude::*;
use tower_realtime::sse::{Comment, DataWriter, Encoded, Event, EventId, EventName};

#[path = "support/plain_sse.rs"]
mod plain;

fn text(event: impl Into<Encoded>) -> String {
    String::from_utf8(event.into().into_bytes().into()).unwrap()
}

#[test]
fn every_field_has_its_form() {
    const NAME: EventName = EventName::from_static("n");
    const ID: EventId = EventId::from_static("i");
    let rows: Vec<(Event, &str)> = vec![
        (Event::new("a"), "data: a\n\n"),
        (Event::new(""), "data: \n\n"),
        (Event::new(" a"), "data:  a\n\n"),
        (Event::new("a\nb"), "data: a\ndata: b\n\n"),
        (Event::new("a\r\nb"), "data: a\ndata: b\n\n"),
        (Event::new("a\rb"), "data: a\ndata: b\n\n"),
        (Event::new("a\n\rb"), "data: a\ndata: \ndata: b\n\n"),
        (Event::new("a\n"), "data: a\ndata: \n\n"),
        (Event::new("\n"), "data: \ndata: \n\n"),
        (Event::new("\r\n\r\n"), "data: \ndata: \ndata: \n\n"),
        (
            Event::new("a\u{2028}b\u{85}c"),
            "data: a\u{2028}b\u{85}c\n\n",
        ),
        (Event::empty(), "\n"),
        (Event::default().id(1), "id: 1\n\n"),
        (Event::new("a").name(NAME), "event: n\ndata: a\n\n"),
        (Event::new("a").id(ID), "id: i\ndata: a\n\n"),
        (Event::new("a").id(0), "id: 0\ndata: a\n\n"),
        (
            Event::new("a").id(u64::MAX),
            "id: 18446744073709551615\ndata: a\n\n",
        ),
        (
            Event::new("a")
                .id(1)
                .id(2)
                .name(NAME)
                .name(EventName::from_static("m")),
            "id: 1\nid: 2\nevent: n\nevent: m\ndata: a\n\n",
        ),
        (
            Event::empty().retry(Duration::from_secs(3)),
            "retry: 3000\n\n",
        ),
        (Event::empty().retry(Duration::ZERO), "retry: 0\n\n"),
        (
            Event::empty().retry(Duration::from_micros(1)),
            "retry: 1\n\n",
        ),
        (
            Event::empty().retry(Duration::from_micros(1_500)),
            "retry: 2\n\n",
        ),
        (
            Event::empty().retry(Duration::MAX),
            "retry: 18446744073709551615\n\n",
        ),
        (
            Event::new("a").comment("c\r\nd").comment(""),
            ": c\n: d\n: \ndata: a\n\n",
        ),
        (Event::display(7), "data: 7\n\n"),
        (Event::display("a\r\nb"), "data: a\ndata: b\n\n"),
        (
            Event::json(&serde_json::json!({"a": "b\nc"})).unwrap(),
            "data: {\"a\":\"b\\nc\"}\n\n",
        ),
    ];
    for (event, expected) in rows {
        assert_eq!(text(&event), expected);
        assert_eq!(text(event), expected);
    }
    assert_eq!(text(Comment::new("a\nb")), ": a\n: b\n\n");
}

#[test]
fn names_and_ids_are_refused_where_they_would_inject() {
    for (value, name_at, id_at) in [
        ("plain", None, None),
        ("", None, None),
        ("a\nb", Some(1), Some(1)),
        ("\ra", Some(0), Some(0)),
        ("ab\r\n", Some(2), Some(2)),
        ("a\0b", None, Some(1)),
        ("\u{2028}: \u{feff}", None, None),
    ] {
        let name = EventName::try_from(value).map_err(|error| error.to_string());
        let id = value.parse::<EventId>().map_err(|error| error.to_string());
        assert_eq!(name.is_err(), name_at.is_some(), "{value:?}");
        assert_eq!(id.is_err(), id_at.is_some(), "{value:?}");
        for (error, at) in [(name.err(), name_at), (id.err(), id_at)] {
            if let Some((error, at)) = error.zip(at) {
                assert!(error.ends_with(&format!("at byte {at}")), "{error}");
            }
        }
    }
    assert!(std::panic::catch_unwind(|| EventName::from_static("a\nb")).is_err());
    assert!(std::panic::catch_unwind(|| EventId::from_static("a\0b")).is_err());
}

#[test]
fn ids_are_compared_as_text() {
    assert_eq!(EventId::from(5), EventId::try_from("5").unwrap());
    assert_ne!(EventId::from(5), EventId::try_from("05").unwrap());
    assert_eq!(
        format!("{:>3}|{:?}", EventId::from(5), EventId::from(5)),
        "  5|EventId(\"5\")"
    );
}

#[test]
fn a_display_that_fails_ends_the_data_and_nothing_else() {
    struct Broken;
    impl fmt::Display for Broken {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("so far")?;
            Err(fmt::Error)
        }
    }
    assert_eq!(text(Event::display(Broken)), "data: so far\n\n");
}

#[test]
fn values_that_json_cannot_say_are_an_error() {
    let map = std::collections::HashMap::from([(vec![1], 1)]);
    let error = Event::json(&map).unwrap_err();
    assert!(std::error::Error::source(&error).is_some());
}

/// The room for short texts is counted, that for long ones is estimated.
#[test]
fn nothing_but_line_breaks_is_as_many_lines() {
    for n in 250..260 {
        let lines = "data: \n".repeat(n + 1);
        for form in ["\n", "\r", "\r\n"] {
            assert_eq!(text(Event::new(form.repeat(n))), format!("{lines}\n"));
        }
    }
}

#[test]
fn a_clone_shares_its_bytes() {
    let encoded = Encoded::from(Event::new("x"));
    assert_eq!(
        encoded.as_bytes().as_ptr(),
        encoded.clone().into_bytes().as_ptr()
    );
}

/// Text in which what matters is frequent.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\0".to_owned()),
        Just(" ".to_owned()),
        Just(":".to_owned()),
        Just("data: ".to_owned()),
        Just("id".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("\u{2028}".to_owned()),
        any::<char>().prop_map(String::from),
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// What a client sees of `text`: LF for every line break.
fn normal(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

proptest! {
    #[test]
    fn every_string_decodes_to_itself(
        data in hostile(), name in hostile(), id in hostile(), comment in hostile(), retry in any::<u64>(),
    ) {
        let mut event = Event::new(&data).comment(&comment).retry(Duration::from_millis(retry));
        let (mut said_name, mut said_id) = ("message".to_owned(), String::new());
        prop_assert_eq!(EventName::try_from(&*name).is_ok(), !name.contains(['\r', '\n']));
        prop_assert_eq!(EventId::try_from(&*id).is_ok(), !id.contains(['\r', '\n', '\0']));
        if let Ok(valid) = EventName::try_from(name.clone()) {
            event = event.name(valid);
            if !name.is_empty() {
                said_name = name;
            }
        }
        if let Ok(valid) = EventId::try_from(id.clone()) {
            event = event.id(valid);
            said_id = id;
        }
        let seen = plain::decode(text(event).as_bytes());
        prop_assert_eq!(seen.events, [(said_name, normal(&data), said_id)]);
        prop_assert_eq!(seen.retry, Some(retry));
    }

    #[test]
    fn all_ways_to_write_data_agree(pieces in prop::collection::vec(hostile(), 0..4)) {
        let whole = text(Event::new(pieces.concat()));
        let (mut formatted, mut written) = (DataWriter::new(), DataWriter::default());
        for piece in &pieces {
            formatted.write_str(piece).unwrap();
            written.write_all(piece.as_bytes()).unwrap();
        }
        let borrowed = pieces.concat();
        prop_assert_eq!(&text(Event::new(&borrowed)), &whole);
        prop_assert_eq!(&text(Event::new(std::borrow::Cow::from(&*borrowed))), &whole);
        prop_assert_eq!(&text(formatted.into_event()), &whole);
        prop_assert_eq!(&text(written.into_event()), &whole);
        prop_assert_eq!(&text(Event::display(pieces.concat())), &whole);
    }

    #[test]
    fn comments_say_nothing(comment in hostile()) {
        let seen = plain::decode(text(Comment::new(&comment)).as_bytes());
        prop_assert_eq!(seen, plain::Plain::default());
    }
}
