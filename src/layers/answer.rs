use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode, Version,
    header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER},
};

use super::StreamBody;
use crate::{
    lifecycle::{Refusal, StreamKind, random},
    trace::debug,
};

/// How a layer refuses a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// Clients are told to come back after a time between this and its double.
    pub(super) retry_after: Duration,
    /// Event streams are refused in a way after which browsers come back.
    pub(super) as_event_stream: bool,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            retry_after: Duration::from_secs(5),
            as_event_stream: false,
        }
    }
}

impl Answer {
    pub(super) fn make<B>(
        self,
        refusal: Refusal,
        kind: StreamKind,
        version: Version,
    ) -> Response<StreamBody<B>> {
        debug!(%refusal, kind = kind.as_str(), "stream refused");
        let wait = self.wait(refusal);
        let mut response = if self.as_event_stream && kind == StreamKind::EventStream {
            comeback(wait)
        } else {
            status(refusal, wait)
        };
        // The next attempt should be free to reach another server.
        if refusal == Refusal::Draining && version < Version::HTTP_2 {
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.extensions_mut().insert(refusal);
        response
    }

    /// Jittered, or all who were refused together would come back together.
    fn wait(self, refusal: Refusal) -> Duration {
        let least = match refusal {
            Refusal::Rate { wait } => self.retry_after.max(wait),
            _ => self.retry_after,
        };
        let least = least.min(LONGEST);
        least + least.mul_f64(f64::from(random()) / f64::from(u32::MAX))
    }
}

fn status<B>(refusal: Refusal, wait: Duration) -> Response<StreamBody<B>> {
    let mut response = Response::new(StreamBody::answer(Bytes::from(format!("{refusal}\n"))));
    *response.status_mut() = refusal.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds(wait)));
    response
}

/// An event stream that ends at once and says when to come back.
fn comeback<B>(wait: Duration) -> Response<StreamBody<B>> {
    let mut response = Response::new(StreamBody::answer(retry(wait)));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The block that sets a client's reconnection time.
pub(super) fn retry(wait: Duration) -> Bytes {
    Bytes::from(format!("retry: {}\n\n", wait.as_millis()))
}

/// Rounded up, because earlier than asked is refused again.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// A hundred years: nobody waits for longer, and no sum overflows.
const LONGEST: Duration = Duration::from_secs(u32::MAX as u64);
