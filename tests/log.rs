//! `EventLog`: what a client that comes back gets, and what it is told.

use std::time::{Duration, Instant};

use futures_util::{FutureExt, Stream, StreamExt};
use http::{HeaderMap, Request};
use tower_realtime::{
    log::{Entry, EventLog, Gap, LastId, Memory, Missed, Resume, SignedIds, conformance},
    sse::{Encoded, Event, EventId, EventName},
};

fn log(keep: usize) -> EventLog {
    EventLog::over(Memory::with_epoch(keep, 7))
}

fn publish(log: &EventLog, numbers: std::ops::Range<u32>) {
    for n in numbers {
        log.publish(Event::display(n));
    }
}

/// The data of all that can be read now; a miss is `!`.
fn now(events: &mut (impl Stream<Item = Result<Entry, Missed>> + Unpin)) -> Vec<String> {
    std::iter::from_fn(|| events.next().now_or_never().flatten())
        .map(|entry| entry.map_or_else(|_| "!".into(), |entry| entry.data().into_owned()))
        .collect()
}

#[test]
fn each_id_gets_its_answer() {
    let log = log(3);
    publish(&log, 0..5);
    #[rustfmt::skip]
    let rows: [(&str, Result<&[&str], Gap>); 9] = [
        ("",       Ok(&[])),
        ("7-5",    Ok(&[])),
        ("7-4",    Ok(&["4"])),
        ("7-2",    Ok(&["2", "3", "4"])),
        ("7-1",    Err(Gap::TooOld)),
        ("7-6",    Err(Gap::Future)),
        ("8-4",    Err(Gap::Foreign)),
        ("7-04",   Err(Gap::Unreadable)),
        ("<nil>",  Err(Gap::Unreadable)),
    ];
    for (id, expected) in rows {
        let answer = log.resume(id).complete();
        let answer = answer.map(|mut events| now(&mut events));
        let expected = expected.map(|data| data.iter().map(|data| String::from(*data)).collect());
        assert_eq!(answer, expected, "{id}");
    }
}

#[test]
fn ids_come_in_headers_queries_and_texts() {
    let request = |uri: &str, header: Option<&str>| {
        let mut request = Request::get(uri).body(()).unwrap();
        if let Some(header) = header {
            let header = header.parse().unwrap();
            request.headers_mut().insert("last-event-id", header);
        }
        request
    };
    #[rustfmt::skip]
    let rows: [(&str, Option<&str>, Option<&str>); 8] = [
        ("/",                       None,        None),
        ("/",                       Some(""),    None),
        ("/",                       Some("7-1"), Some("7-1")),
        ("/?lastEventId=7-2",       None,        Some("7-2")),
        ("/?a=b&lastEventId=7-2&c", None,        Some("7-2")),
        ("/?lastEventId=",          None,        None),
        ("/?lasteventid=7-2",       None,        None),
        ("/?lastEventId=7-2",       Some("7-1"), Some("7-1")),
    ];
    for (uri, header, expected) in rows {
        let request = request(uri, header);
        let text = |asked: &dyn LastId| asked.last_id().map(|id| id.as_str().to_owned());
        assert_eq!(text(&request).as_deref(), expected, "{uri} {header:?}");
        let (parts, ()) = request.into_parts();
        assert_eq!(text(&parts).as_deref(), expected, "{uri} {header:?}");
    }
    let mut headers = HeaderMap::new();
    let bytes = http::HeaderValue::from_bytes(b"\xff").unwrap();
    headers.insert("last-event-id", bytes);
    let gap = log(3).resume(&headers).complete().unwrap_err();
    assert_eq!(gap, Gap::Unreadable);
    assert_eq!(
        log(3).resume("7\n1").complete().unwrap_err(),
        Gap::Unreadable
    );
}

#[test]
fn replay_and_live_are_one_stream() {
    let log = log(100);
    publish(&log, 0..70);
    let Resume::Complete(mut events) = log.resume("7-60") else {
        panic!("all of it is kept");
    };
    publish(&log, 70..75);
    let expected: Vec<_> = (60..75).map(|n| n.to_string()).collect();
    assert_eq!(now(&mut events), expected);
    publish(&log, 75..76);
    assert_eq!(now(&mut events), ["75"]);
}

#[test]
fn each_policy_for_gaps_does_what_it_says() {
    let log = log(3);
    publish(&log, 0..5);
    let mut reset = log.resume("6-1").or_reset(Event::new("reload"));
    let mut oldest = log.resume("6-1").or_oldest();
    let mut live = match log.resume("6-1") {
        Resume::Gap(live) => live,
        Resume::Complete(_) => panic!("the epoch is another one"),
    };
    assert_eq!(live.gap(), Some(Gap::Foreign));
    publish(&log, 5..6);
    assert_eq!(now(&mut reset), ["reload", "5"]);
    // The oldest when it is read, not when it was asked for.
    assert_eq!(now(&mut oldest), ["3", "4", "5"]);
    assert_eq!(now(&mut live), ["5"]);
    assert_eq!(now(&mut log.replay()), ["3", "4", "5"]);
    assert_eq!(
        now(&mut log.resume("7-5").or_reset(Event::new("reload"))),
        ["5"]
    );
}

#[test]
fn a_client_that_was_reset_goes_on_from_there() {
    let key = SignedIds::new(b"a secret of at least thirty-two bytes");
    let plain = log(3);
    for log in [plain.clone(), plain.clone().signed(&key, "tenant")] {
        // Nothing is kept yet, something is, and something was dropped.
        for kept in [0..0, 0..2, 2..9] {
            publish(&log, kept);
            let mut reset = log.resume("6-1").or_reset(Event::new("reload"));
            let first = reset.next().now_or_never().unwrap().unwrap().unwrap();
            assert_eq!(first.data(), "reload");
            publish(&log, 10..12);
            let back = log.resume(first.id().expect("an id")).complete().unwrap();
            assert_eq!(now(&mut { back }), ["10", "11"]);
            assert_eq!(now(&mut reset), ["10", "11"]);
        }
    }
    // No place yet, which a log in Redis may have again in a later life; and older events that come behind it.
    let no_place = EventLog::over(Memory::with_epoch(3, 0)).resume("6-1");
    let older = match plain.resume("6-1") {
        Resume::Gap(events) => Resume::Gap(events.from_oldest()),
        Resume::Complete(_) => panic!("the epoch is another one"),
    };
    for resume in [no_place, older] {
        let mut reset = resume.or_reset(Event::new("reload"));
        let first = reset.next().now_or_never().unwrap().unwrap().unwrap();
        assert_eq!(first.id(), None);
    }
    let own = Event::new("reload").id(EventId::from_static("mine"));
    let mut reset = plain.resume("6-1").or_reset(own);
    let first = reset.next().now_or_never().unwrap().unwrap().unwrap();
    assert_eq!(first.id(), Some("mine"));
}

#[test]
fn a_reader_that_is_too_slow_is_told_and_resumes_to_a_gap() {
    let log = log(3);
    let mut events = log.subscribe();
    publish(&log, 0..1);
    assert_eq!(now(&mut events), ["0"]);
    publish(&log, 1..5);
    assert_eq!(now(&mut events), ["!"]);
    assert!(events.next().now_or_never().unwrap().is_none());
    assert_eq!(log.resume("7-1").complete().unwrap_err(), Gap::TooOld);
}

#[test]
fn bytes_and_age_are_bounds_as_well() {
    let by_bytes = EventLog::over(Memory::with_epoch(100, 7).bytes(64));
    publish(&by_bytes, 0..50);
    // `id: 7-50\ndata: 49\n\n` is 19 bytes.
    assert_eq!(now(&mut by_bytes.replay()), ["47", "48", "49"]);

    let by_age = EventLog::over(Memory::with_epoch(100, 7).age(Duration::ZERO));
    publish(&by_age, 0..3);
    let published = Instant::now();
    while published.elapsed() == Duration::ZERO {}
    assert!(now(&mut by_age.replay()).is_empty());
    assert_eq!(by_age.resume("7-2").complete().unwrap_err(), Gap::TooOld);
    assert!(by_age.resume("7-3").complete().is_ok());
}

#[test]
fn entries_show_what_was_published() {
    let log = log(10);
    let mut events = log.subscribe();
    let event = Event::new("one\r\ntwo\n")
        .name(EventName::from_static("tick"))
        .id(99);
    assert_eq!(log.publish(event).as_str(), "7-1");
    let entry = events.next().now_or_never().unwrap().unwrap().unwrap();
    assert_eq!((entry.id(), entry.name()), (Some("7-1"), Some("tick")));
    assert_eq!(entry.data(), "one\ntwo\n");
    let text = "id: 7-1\nevent: tick\ndata: one\ndata: two\ndata: \n\n";
    assert_eq!(Encoded::from(entry).as_bytes(), text);
}

#[test]
fn signed_ids_are_worth_something_in_their_own_log_only() {
    let ids = SignedIds::new(&[1; 32]);
    let make = |key: &SignedIds, scope| log(10).signed(key, scope);
    let (ours, theirs) = (make(&ids, "ours"), make(&ids, "theirs"));
    let other_key = make(&SignedIds::new(&[2; 32]), "ours");
    let mut live = ours.subscribe();
    let id = ours.publish(Event::new("a"));
    let entry = live.next().now_or_never().unwrap().unwrap().unwrap();
    assert_eq!(entry.id(), Some(id.as_str()));
    assert_eq!(
        Encoded::from(entry).as_bytes(),
        &format!("id: {id}\ndata: a\n\n")
    );
    assert!(ours.resume(&id).complete().is_ok());
    for log in [theirs, other_key] {
        log.publish(Event::new("b"));
        assert_eq!(log.resume(&id).complete().unwrap_err(), Gap::Forged);
        assert_eq!(log.resume("7-1").complete().unwrap_err(), Gap::Forged);
    }
}

#[test]
fn a_log_of_an_earlier_life_is_foreign() {
    let (before, after) = (EventLog::new(10), EventLog::new(10));
    let id = before.publish(Event::new("a"));
    after.publish(Event::new("b"));
    assert_eq!(after.resume(&id).complete().unwrap_err(), Gap::Foreign);
}

#[test]
fn the_memory_store_keeps_the_promises() {
    smol::block_on(conformance::check(async |keep| Memory::new(keep))).unwrap();
}
