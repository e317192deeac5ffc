//! Where a client that connects again wants to go on: the header, the query, and what is no id at all.
#![allow(missing_docs, clippy::unwrap_used)]

use http::{HeaderValue, Request};
use tower_realtime::sse::LastEventId;

/// Where the request goes, its header, and the id that is meant.
type Row = (&'static str, Option<&'static [u8]>, Option<&'static str>);

#[test]
fn the_id_comes_from_the_header_or_the_query() {
    let rows: &[Row] = &[
        ("/", None, None),
        ("/", Some(b"42"), Some("42")),
        ("/", Some(b""), None),
        ("/?lastEventId=41", Some(b"42"), Some("42")),
        ("/?lastEventId=41", Some(b""), Some("41")),
        ("/?lastEventId=41", None, Some("41")),
        ("/?a=b&lastEventId=41&lastEventId=40", None, Some("41")),
        ("/?lastEventId=", None, None),
        ("/?lastEventId", None, None),
        ("/?xlastEventId=41", None, None),
        ("/?lasteventid=41", None, None),
        ("/?lastEventId=a%20b+c", None, Some("a b c")),
        ("/?lastEventId=%e2%98%83", None, Some("\u{2603}")),
        ("/?lastEventId=%E2%98", None, Some("\u{fffd}")),
        ("/?lastEventId=100%", None, Some("100%")),
        ("/?lastEventId=%4", None, Some("%4")),
        ("/?lastEventId=%zz%41", None, Some("%zzA")),
        ("/?lastEventId=%+1", None, Some("% 1")),
        ("/?lastEventId=a%0Ab%00", None, Some("a\u{fffd}b\u{fffd}")),
        ("/", Some("\u{2603}".as_bytes()), Some("\u{2603}")),
        ("/", Some(b"\xE9"), Some("\u{fffd}")),
        ("/", Some(b"a: b, c"), Some("a: b, c")),
    ];
    for (uri, header, expected) in rows {
        let mut request = Request::get(*uri).body(()).unwrap();
        if let Some(header) = header {
            let header = HeaderValue::from_bytes(header).unwrap();
            request.headers_mut().insert("last-event-id", header);
        }
        let id = LastEventId::from_head(&request.into_parts().0);
        assert_eq!(id.as_id().map(AsRef::as_ref), *expected, "{uri} {header:?}");
    }
}
