use tracing::field::{Empty, display};

use super::{StreamEnd, StreamInfo};

/// The span of one stream, from its request to its real end.
#[derive(Clone, Debug)]
pub(crate) struct Span(tracing::Span);

impl Span {
    /// No span: entering it does nothing.
    pub(crate) const fn none() -> Self {
        Self(tracing::Span::none())
    }

    /// A span below the current one, so below the request's.
    pub(crate) fn of(stream: &StreamInfo) -> Self {
        Self(tracing::info_span!(
            "stream",
            kind = stream.kind.as_str(),
            path = stream.uri.path(),
            version = ?stream.version,
            reason = Empty,
            close_code = Empty,
            events_sent = Empty,
            bytes_sent = Empty,
            events_received = Empty,
            bytes_received = Empty,
            peak_queue = Empty,
            round_trip_ms = Empty,
            duration_ms = Empty,
        ))
    }

    /// Whether nobody listens.
    #[inline]
    pub(crate) fn is_disabled(&self) -> bool {
        self.0.is_disabled()
    }

    /// What is done while the result lives is done within the span.
    pub(crate) fn enter(&self) -> tracing::span::Entered<'_> {
        self.0.enter()
    }

    /// Fills in what is only known now, and says that it is over.
    pub(crate) fn end(&self, end: &StreamEnd) {
        if self.is_disabled() {
            return;
        }
        let stats = &end.stats;
        self.0.record("reason", end.reason.as_str());
        if let Some(code) = end.close_code {
            self.0.record("close_code", code);
        }
        self.0.record("events_sent", stats.events_sent);
        self.0.record("bytes_sent", stats.bytes_sent);
        self.0.record("events_received", stats.events_received);
        self.0.record("bytes_received", stats.bytes_received);
        self.0.record("peak_queue", stats.peak_queue);
        if let Some(round_trip) = stats.round_trip {
            let ms = round_trip.as_secs_f64() * 1e3;
            self.0.record("round_trip_ms", display(ms));
        }
        let ms = u64::try_from(stats.duration.as_millis()).unwrap_or(u64::MAX);
        self.0.record("duration_ms", ms);
        let _inside = self.0.enter();
        tracing::info!(reason = end.reason.as_str(), "stream ended");
    }
}
