//! A stream whose items are sent while the handler does something else.

use std::{
    any::Any,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use futures_util::StreamExt;

use crate::topic::Lagged;
use crate::ws::{CloseCode, CloseFrame, Outgoing};

type Items = Pin<Box<dyn Stream<Item = Result<Outgoing, CloseFrame>> + Send>>;

/// Boxed once per connection, so that a socket has no type parameter for it.
pub(super) struct Feed(Items);

impl Feed {
    pub(super) fn new<S, M, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<M, E>> + Send + 'static,
        M: Into<Outgoing>,
        E: Any,
    {
        Self(Box::pin(stream.map(|item| match item {
            Ok(message) => Ok(message.into()),
            Err(error) => Err(failure(&error)),
        })))
    }

    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Outgoing, CloseFrame>>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

/// How a stream that fails ends the connection.
fn failure(error: &dyn Any) -> CloseFrame {
    match error.downcast_ref::<Lagged>() {
        Some(_) => CloseFrame::new(CloseCode::TRY_AGAIN).reason("too slow"),
        None => CloseFrame::new(CloseCode::INTERNAL),
    }
}
