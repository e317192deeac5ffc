use http::{StatusCode, Uri, Version};

use super::{EndReason, Stats, StreamKind};

/// Is told when a stream begins, when and why it ends, and which were refused.
///
/// All methods are called on the task of the stream, so they should count and return; none may panic. A closure
/// `Fn(&StreamInfo, &StreamEnd)` is an observer of ends.
///
/// ```
/// use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
/// use tower_realtime::lifecycle::{StreamEnd, StreamInfo, StreamObserver};
///
/// #[derive(Default)]
/// struct Open(AtomicI64);
///
/// impl StreamObserver for Open {
///     fn started(&self, _: &StreamInfo) {
///         self.0.fetch_add(1, Relaxed);
///     }
///
///     fn ended(&self, _: &StreamInfo, _: &StreamEnd) {
///         self.0.fetch_sub(1, Relaxed);
///     }
/// }
/// ```
///
/// One that tells everything:
///
/// ```
/// use http::StatusCode;
/// use tower_realtime::lifecycle::{StreamEnd, StreamInfo, StreamObserver};
///
/// struct Lines;
///
/// impl StreamObserver for Lines {
///     fn started(&self, stream: &StreamInfo) {
///         println!("{} {} over {:?}", stream.kind, stream.uri, stream.version);
///     }
///
///     fn ended(&self, stream: &StreamInfo, end: &StreamEnd) {
///         println!("{}: {} after {:?}, code {:?}", stream.uri, end.reason, end.stats.duration, end.close_code);
///     }
///
///     fn refused(&self, stream: &StreamInfo, status: StatusCode) {
///         println!("{}: {status}", stream.uri);
///     }
/// }
/// ```
pub trait StreamObserver: Send + Sync + 'static {
    /// A stream began: the head of its response is on its way.
    fn started(&self, stream: &StreamInfo) {
        let _ = stream;
    }

    /// A stream ended: its body was dropped or its socket is gone. Its permits are still held during this call.
    fn ended(&self, stream: &StreamInfo, end: &StreamEnd);

    /// A request for a stream was answered with something else, by whomever.
    fn refused(&self, stream: &StreamInfo, status: StatusCode) {
        let _ = (stream, status);
    }
}

impl<F> StreamObserver for F
where
    F: Fn(&StreamInfo, &StreamEnd) + Send + Sync + 'static,
{
    fn ended(&self, stream: &StreamInfo, end: &StreamEnd) {
        self(stream, end);
    }
}

/// Which stream it is.
///
/// An [observer](StreamObserver) gets it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// Which protocol it speaks.
    pub kind: StreamKind,
    /// The target of its request. Beware of it as a label of a metric: clients choose it.
    pub uri: Uri,
    /// The version of HTTP that carries it.
    pub version: Version,
}

impl StreamInfo {
    /// A copy that keeps nothing else alive: the target of a request is a part of the buffer that its head was read
    /// into, of 8 KiB with hyper, and a stream is long.
    pub(crate) fn detached(&self) -> Self {
        let uri = Uri::try_from(self.uri.to_string());
        Self {
            uri: uri.unwrap_or_else(|_| self.uri.clone()),
            ..*self
        }
    }
}

/// How a stream ended.
///
/// An [observer](StreamObserver) gets it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEnd {
    /// Why it ended.
    pub reason: EndReason,
    /// The close code of a WebSocket: the peer's where the peer closed, else ours.
    pub close_code: Option<u16>,
    /// What it did.
    pub stats: Stats,
}
