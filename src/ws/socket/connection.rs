//! A handler with the driver beside it, in one task.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use futures_io::{AsyncRead, AsyncWrite};
use pin_project_lite::pin_project;

use super::{
    driver::{Driver, Next},
    params::Params,
    websocket::WebSocket,
    wire::Budget,
};
use crate::{
    lifecycle::EndReason,
    trace::warn,
    ws::{CloseCode, CloseFrame, Closed, Outcome},
};

/// Runs `handler` with a socket that is driven beside it, until both have ended.
///
/// The connection lives as long as the handler wants: when it returns, what it queued is sent and the close follows.
pub(crate) fn serve<T, F, Fut>(io: T, params: Params, handler: F) -> Connection<T, Fut>
where
    T: AsyncRead + AsyncWrite + Unpin,
    F: FnOnce(WebSocket) -> Fut,
    Fut: Future,
    Fut::Output: Outcome,
{
    let driver = Driver::new(io, params);
    let socket = WebSocket::driven(driver.shared.clone());
    Connection {
        driver,
        handler: Some(handler(socket)),
    }
}

pin_project! {
    /// The future of [`serve`].
    pub(crate) struct Connection<T, F> {
        driver: Driver<T>,
        // Dropped as soon as it is ready, for it may hold what others wait for.
        #[pin]
        handler: Option<F>,
    }
}

impl<T, F> Future for Connection<T, F>
where
    T: AsyncRead + AsyncWrite + Unpin,
    F: Future,
    F::Output: Outcome,
{
    type Output = Closed;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Closed> {
        let mut this = self.project();
        let driver = this.driver;
        let (mut input, mut output) = (Budget::new(), Budget::new());
        // What woke the task may be what the handler waits for.
        let mut due = true;
        driver.begin();
        loop {
            due |= driver.read(cx, &mut input);
            if due {
                let ended = match &mut driver.guard {
                    Some(guard) => guard.within(|| poll_handler(this.handler.as_mut(), cx)),
                    None => poll_handler(this.handler.as_mut(), cx),
                };
                if let Some((code, reason)) = ended {
                    driver.reason.get_or_insert(reason);
                    driver.shared.close(Some(CloseFrame::new(code)));
                }
            }
            if driver.forced {
                this.handler.set(None); // it has been told, and could say its last word
            }
            due = driver.write(cx, &mut output);
            match driver.park(cx, &input, &output, due && this.handler.is_some()) {
                Next::Again => {}
                Next::Wait => return Poll::Pending,
                Next::Ended if this.handler.is_some() && (due || driver.forced) => due = true,
                Next::Ended if this.handler.is_some() => return Poll::Pending,
                Next::Ended => {
                    driver.end_guard();
                    return driver.shared.poll_closed(cx);
                }
            }
        }
    }
}

/// Polls the handler, if it still runs. When it has ended: how the connection ends.
fn poll_handler<F>(
    mut handler: Pin<&mut Option<F>>,
    cx: &mut Context<'_>,
) -> Option<(CloseCode, EndReason)>
where
    F: Future,
    F::Output: Outcome,
{
    let future = handler.as_mut().as_pin_mut()?;
    // A panic of one handler must not take the close of its connection with it. The future is not polled again.
    let end = match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(Poll::Pending) => return None,
        Ok(Poll::Ready(outcome)) => match outcome.failure() {
            None => (CloseCode::NORMAL, EndReason::Finished),
            Some(_error) => {
                warn!(error = _error, "a WebSocket handler failed");
                (CloseCode::INTERNAL, EndReason::Failed)
            }
        },
        Err(_panic) => {
            warn!("a WebSocket handler panicked");
            (CloseCode::INTERNAL, EndReason::Panicked)
        }
    };
    handler.set(None);
    Some(end)
}
