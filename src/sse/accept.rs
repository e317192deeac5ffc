use http::{
    HeaderMap,
    header::{ACCEPT, CONTENT_TYPE},
};

/// Whether a client with these headers takes an event stream (RFC 9110, section 12.5.1).
///
/// A request without `Accept` takes anything.
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use tower_realtime::sse::accepts_events;
///
/// let mut headers = HeaderMap::new();
/// assert!(accepts_events(&headers));
/// headers.insert("accept", HeaderValue::from_static("text/html, */*;q=0.1"));
/// assert!(accepts_events(&headers));
/// headers.insert("accept", HeaderValue::from_static("application/json"));
/// assert!(!accepts_events(&headers));
/// ```
#[must_use]
pub fn accepts_events(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(ACCEPT).iter().peekable();
    if lines.peek().is_none() {
        return true;
    }
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(wanted)
        .max()
        // The most specific range decides, and of two that are as specific the kinder one.
        .is_some_and(|(_, takes)| takes)
}

/// How specific a range is that event streams are in, and whether its weight is more than nothing.
fn wanted(range: &str) -> Option<(u8, bool)> {
    let mut parts = range.split(';').map(str::trim);
    let specific = match parts.next()? {
        "*/*" => 0,
        range if range.eq_ignore_ascii_case("text/*") => 1,
        range if range.eq_ignore_ascii_case("text/event-stream") => 2,
        _ => return None,
    };
    let refused = parts
        .filter_map(|part| part.split_once('='))
        .any(|(name, weight)| {
            name.trim().eq_ignore_ascii_case("q") && weight.trim().parse() == Ok(0.0_f32)
        });
    Some((specific, !refused))
}

/// Whether the body with these headers is an event stream, whatever the parameters of its type are.
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("text/event-stream"))
}
