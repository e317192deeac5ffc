use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Why a stream ended.
///
/// An event stream and a WebSocket share the vocabulary, so that one graph and one alarm serve both.
///
/// ```
/// use tower_realtime::lifecycle::EndReason;
///
/// // A counter for each, before the first stream ends:
/// let counters = EndReason::ALL.map(|reason| format!("streams_ended{{reason=\"{}\"}} 0", reason.as_str()));
/// assert!(counters.contains(&"streams_ended{reason=\"client_closed\"} 0".to_owned()));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The client closed its WebSocket with a close frame. An event stream has no such farewell.
    ClientClosed,
    /// The connection went away: the client closed or reset it, or cancelled its HTTP/2 stream.
    Disconnected,
    /// The server drained it, to stop or to make room for its successor.
    Drained,
    /// Its maximum age was reached, or what entitled it ran out.
    Expired,
    /// The producer of its events, or the handler of its socket, failed.
    Failed,
    /// The producer or the handler came to its end.
    Finished,
    /// The producer or the handler panicked.
    Panicked,
    /// The peer broke the protocol or one of the limits of a message.
    Protocol,
    /// It was revoked through its `StreamControl`.
    Revoked,
    /// The client stopped reading, and a write made no progress for too long.
    Stalled,
    /// The peer answered no ping, or no close, in time: the link is cut, or the machine is gone.
    Unresponsive,
}

impl EndReason {
    /// Every reason there is, for instance to register counters before the first stream ends.
    pub const ALL: [Self; 11] = [
        Self::ClientClosed,
        Self::Disconnected,
        Self::Drained,
        Self::Expired,
        Self::Failed,
        Self::Finished,
        Self::Panicked,
        Self::Protocol,
        Self::Revoked,
        Self::Stalled,
        Self::Unresponsive,
    ];

    /// The reason as a word in snake case, fit for a label of a metric.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientClosed => "client_closed",
            Self::Disconnected => "disconnected",
            Self::Drained => "drained",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Finished => "finished",
            Self::Panicked => "panicked",
            Self::Protocol => "protocol",
            Self::Revoked => "revoked",
            Self::Stalled => "stalled",
            Self::Unresponsive => "unresponsive",
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which of the two protocols a stream speaks.
///
/// ```
/// use tower_realtime::lifecycle::StreamKind;
///
/// assert_eq!(StreamKind::EventStream.as_str(), "event_stream");
/// assert_eq!(StreamKind::WebSocket.to_string(), "websocket");
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// A response of `text/event-stream`.
    EventStream,
    /// A WebSocket.
    WebSocket,
}

impl StreamKind {
    /// The kind as a word in snake case, fit for a label of a metric.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventStream => "event_stream",
            Self::WebSocket => "websocket",
        }
    }
}

impl fmt::Display for StreamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a stream did from its birth to its end, or until now.
///
/// ```
/// use tower_realtime::lifecycle::Stats;
///
/// fn per_second(stats: &Stats) -> f64 {
///     (stats.events_sent + stats.events_received) as f64 / stats.duration.as_secs_f64().max(1.0)
/// }
/// assert_eq!(per_second(&Stats::default()), 0.0);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events or messages that were sent.
    ///
    /// Of an event stream that this library did not make, blocks are counted, so comments count too.
    pub events_sent: u64,
    /// Bytes that were sent: of the body, or the payloads of messages.
    pub bytes_sent: u64,
    /// Messages that were received. Always 0 of an event stream.
    pub events_received: u64,
    /// Payload bytes that were received. Always 0 of an event stream.
    pub bytes_received: u64,
    /// The most bytes that waited in the outbox of a WebSocket at once. Always 0 of an event stream.
    pub peak_queue: u64,
    /// How long the last ping took to be answered. `None` before the first answer, and of an event stream.
    pub round_trip: Option<Duration>,
    /// How long the stream lived, from the request to the real end.
    pub duration: Duration,
}

/// What the maker of events and the owner of their stream's life tell each other, beside the bytes.
///
/// The maker counts its events, because counting them again in the bytes would cost more than all the rest. The
/// owner notes why the stream ends just before it drops the maker, which otherwise sees only that it is dropped.
/// It travels in the extensions of the response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    events: AtomicU64,
    /// 0, or one more than the index in [`EndReason::ALL`].
    reason: AtomicU8,
}

impl Tally {
    /// Counts `n` more events.
    pub(crate) fn add(&self, n: u64) {
        self.0.events.fetch_add(n, Relaxed);
    }

    /// The events that were counted.
    pub(crate) fn events(&self) -> u64 {
        self.0.events.load(Relaxed)
    }

    /// Notes why the stream ends. The first reason stays.
    pub(crate) fn end(&self, reason: EndReason) {
        let index = EndReason::ALL.iter().position(|known| *known == reason);
        let code = index.and_then(|index| u8::try_from(index + 1).ok());
        let _ = self
            .0
            .reason
            .compare_exchange(0, code.unwrap_or(0), Relaxed, Relaxed);
    }

    /// Why the stream ended, once somebody has noted it.
    pub(crate) fn reason(&self) -> Option<EndReason> {
        let index = usize::from(self.0.reason.load(Relaxed)).checked_sub(1)?;
        EndReason::ALL.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_the_tally() {
        for reason in EndReason::ALL {
            let tally = Tally::default();
            assert_eq!(tally.reason(), None);
            tally.end(reason);
            tally.end(EndReason::Failed);
            assert_eq!(tally.reason(), Some(reason));
        }
    }

    #[test]
    fn words_are_unique() {
        let words: std::collections::HashSet<_> = EndReason::ALL.map(EndReason::as_str).into();
        assert_eq!(words.len(), EndReason::ALL.len());
    }
}
