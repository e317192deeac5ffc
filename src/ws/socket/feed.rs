//! A stream whose items are sent while the handler does something else.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use futures_util::StreamExt;

use crate::{
    BoxError,
    error::FellBehind,
    lifecycle::EndReason,
    topic::Lagged,
    trace::warn,
    ws::{CloseCode, CloseFrame, Outgoing},
};

type Items = Pin<Box<dyn Stream<Item = Result<Outgoing, Failure>> + Send>>;

/// How a stream that fails ends the connection.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) frame: CloseFrame,
    pub(super) reason: EndReason,
}

/// Boxed once per connection, so that a socket has no type parameter for it.
pub(super) struct Feed(Items);

impl Feed {
    pub(super) fn new<S, M, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<M, E>> + Send + 'static,
        M: Into<Outgoing>,
        E: Into<BoxError>,
    {
        Self(Box::pin(stream.map(|item| match item {
            Ok(message) => Ok(message.into()),
            Err(error) => Err(failure(&*error.into())),
        })))
    }

    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Outgoing, Failure>>> {
        // A panic must not take the close of the connection with it. The stream is not polled again.
        catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll_next(cx))).unwrap_or_else(|_panic| {
            warn!("a stream that fed a WebSocket panicked");
            Poll::Ready(Some(Err(Failure {
                frame: CloseFrame::new(CloseCode::INTERNAL),
                reason: EndReason::Panicked,
            })))
        })
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

fn failure(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Failure {
    if fell_behind(error) {
        return Failure {
            frame: CloseFrame::new(CloseCode::TRY_AGAIN).reason("too slow"),
            reason: EndReason::Failed,
        };
    }
    warn!(%error, "a stream that fed a WebSocket failed");
    Failure {
        frame: CloseFrame::new(CloseCode::INTERNAL),
        reason: EndReason::Failed,
    }
}

/// Whether a slow reader is the cause, at whatever depth.
fn fell_behind(error: &(dyn std::error::Error + 'static)) -> bool {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain
        .into_iter()
        .any(|error| error.is::<Lagged>() || error.is::<FellBehind>())
}
