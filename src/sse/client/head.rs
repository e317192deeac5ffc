//! The request's headers, and what an answer means. Pure.

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE},
};

use super::redirect;

/// What an answer means (HTML 9.2.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// An event stream.
    Stream,
    /// No stream, and none later: the server's way to say stop.
    Stop,
    /// It is elsewhere.
    Redirect,
    /// Some other status.
    Refused,
    /// 200, with something else than an event stream.
    OtherType,
}

pub(super) fn classify(status: StatusCode, headers: &HeaderMap) -> Answer {
    match status {
        StatusCode::OK if is_event_stream(headers) => Answer::Stream,
        StatusCode::OK => Answer::OtherType,
        StatusCode::NO_CONTENT => Answer::Stop,
        status if redirect::is_redirect(status) => Answer::Redirect,
        _ => Answer::Refused,
    }
}

/// Completes the headers of a request, leaving what it has: some servers want to be asked for more types.
pub(super) fn complete(headers: &mut HeaderMap, last_event_id: &str) {
    const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
    // What the cache mode `no-store` of the standard sends (Fetch, HTTP-network-or-cache fetch).
    const FRESH: HeaderValue = HeaderValue::from_static("no-cache");
    headers.entry(ACCEPT).or_insert(EVENTS);
    headers.entry(CACHE_CONTROL).or_insert(FRESH);
    if last_event_id.is_empty() {
        return;
    }
    // As UTF-8. An id with control characters can't be said in HTTP, and goes unsaid, as in browsers.
    if let Ok(id) = HeaderValue::from_bytes(last_event_id.as_bytes()) {
        headers.insert(LAST_EVENT_ID, id);
    }
}

/// The id that a request already asks to go on after.
pub(super) fn take_last_event_id(headers: &mut HeaderMap) -> String {
    let id = headers
        .remove(LAST_EVENT_ID)
        .unwrap_or_else(|| HeaderValue::from_static(""));
    String::from_utf8_lossy(id.as_bytes()).into_owned()
}

/// The essence counts: no matter in which case, and whatever its parameters.
fn is_event_stream(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return false;
    };
    let essence = value.as_bytes().split(|&byte| byte == b';').next();
    essence.is_some_and(|essence| {
        essence
            .trim_ascii()
            .eq_ignore_ascii_case(b"text/event-stream")
    })
}

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
