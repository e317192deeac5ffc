//! Handlers that lose patience: each future is dropped after a few polls, and made anew.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

/// Polls a future so many times at most, and drops it then.
pub(crate) async fn at_most<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Waits for the next wake-up, whoever it was meant for.
pub(crate) async fn pause() {
    let mut waited = false;
    poll_fn(|_| match std::mem::replace(&mut waited, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

/// Makes the future anew until one of them gets to its end.
macro_rules! insist {
    ($polls:expr, $future:expr) => {
        loop {
            match $crate::insist::at_most($polls, $future).await {
                Some(output) => break output,
                None => $crate::insist::pause().await,
            }
        }
    };
}

pub(crate) use insist;
