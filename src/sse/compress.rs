use http::Response;
use http_body::Body;
use tower_http::compression::{DefaultPredicate, Predicate};

use super::accept::is_event_stream;

/// Lets event streams through to tower-http's `CompressionLayer`, and everything else that it compresses by default.
///
/// It fits the layer of tower-http 0.7: with another version of it, the compiler misses a `Predicate` here.
///
/// Events are flushed as soon as no more are ready, so each is decodable at the client when it was sent. The window
/// of the compression lasts as long as the stream, so that events which resemble each other shrink to little; the
/// price is its memory, for as long.
///
/// Put the compression around what keeps the streams alive: comments can't be written into compressed bytes.
///
/// An event stream that mixes secrets with what a visitor can choose must not be compressed, because its length
/// would tell the secret (BREACH): give its response `Content-Encoding: identity`.
///
/// ```
/// use tower_http::compression::CompressionLayer;
/// use tower_realtime::sse::CompressEvents;
///
/// let layer = CompressionLayer::new().compress_when(CompressEvents::new());
/// # let _ = layer;
/// ```
#[derive(Clone, Default)]
pub struct CompressEvents {
    others: DefaultPredicate,
}

impl CompressEvents {
    /// Compresses event streams, and what else is compressed by default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Predicate for CompressEvents {
    fn should_compress<B: Body>(&self, response: &Response<B>) -> bool {
        is_event_stream(response.headers()) || self.others.should_compress(response)
    }
}

impl std::fmt::Debug for CompressEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompressEvents").finish_non_exhaustive()
    }
}
