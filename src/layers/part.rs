use http::{
    HeaderMap, Method, StatusCode, Version,
    header::{ACCEPT, UPGRADE},
    request,
};

use super::answer::Answer;
use crate::lifecycle::{Refusal, StreamGuard, StreamInfo, StreamKind};

/// What one layer adds to a stream. The service, future and body around it are the same for all layers.
pub(super) trait Part: Send + Sync {
    /// What has to be remembered of a request, before it is handed on.
    fn note(&self, _: &request::Parts, _: Option<StreamKind>) -> Note {
        Note::default()
    }

    /// Adds to the guard of a stream that is about to begin, or refuses the stream.
    fn admit(&self, note: &Note, guard: &mut StreamGuard) -> Result<(), Refusal>;

    /// How to refuse.
    fn answer(&self) -> Answer {
        Answer::default()
    }

    /// A request that asked for a stream was answered with something else.
    fn refused(&self, _: &Note, _: StatusCode) {}
}

/// What a layer remembers of a request until its answer is there.
#[derive(Default)]
pub(super) struct Note {
    pub(super) key: Option<u64>,
    /// Boxed, as the future of every layer has room for it.
    pub(super) info: Option<Box<StreamInfo>>,
}

/// The kind of stream that a request asks for without a doubt.
///
/// A client that takes other types beside event streams, as those of the Model Context Protocol do, may get an
/// ordinary answer: there the response decides.
pub(super) fn asks_for(head: &request::Parts) -> Option<StreamKind> {
    let upgrade = has(&head.headers, &UPGRADE, |token| {
        token.eq_ignore_ascii_case("websocket")
    });
    // RFC 8441, section 4: over HTTP/2 a WebSocket is an extended CONNECT. An origin server has no other use for it.
    let connect = head.method == Method::CONNECT && head.version >= Version::HTTP_2;
    if upgrade || connect {
        return Some(StreamKind::WebSocket);
    }
    let mut accepted = head.headers.get_all(ACCEPT).iter();
    let only = accepted.next()?.to_str().ok()?;
    let is_stream = is_event_stream(only) && !only.contains(',') && accepted.next().is_none();
    is_stream.then_some(StreamKind::EventStream)
}

/// Whether a media type is that of event streams, with parameters or without.
pub(super) fn is_event_stream(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("text/event-stream")
}

fn has(headers: &HeaderMap, name: &http::HeaderName, is: impl Fn(&str) -> bool) -> bool {
    let lines = headers.get_all(name).iter();
    let mut tokens = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    tokens.any(|token| is(token.trim()))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn what_a_request_asks_for() {
        use StreamKind::{EventStream, WebSocket};
        let get = Request::get("/");
        let connect = || Request::builder().method("CONNECT").uri("/");
        for (request, kind) in [
            (get, None),
            (
                Request::get("/").header("upgrade", "h2c, WebSocket"),
                Some(WebSocket),
            ),
            (Request::get("/").header("upgrade", "h2c"), None),
            (connect().version(Version::HTTP_2), Some(WebSocket)),
            (connect().version(Version::HTTP_11), None),
            (
                Request::get("/").header("accept", "text/event-stream"),
                Some(EventStream),
            ),
            (
                Request::get("/").header("accept", "Text/Event-Stream;q=1"),
                Some(EventStream),
            ),
            (
                Request::post("/").header("accept", "application/json, text/event-stream"),
                None,
            ),
            (Request::get("/").header("accept", "*/*"), None),
        ] {
            let head = request.body(()).unwrap().into_parts().0;
            assert_eq!(asks_for(&head), kind, "{head:?}");
        }
    }
}
