//! The futures of the handles, by hand: a handler holds one of each in its state, so their size is its size.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::websocket::WebSocket;
use crate::ws::{Error, Message, Outgoing};

/// The future of [`WebSocket::recv`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub(super) struct Recv<'a>(pub(super) &'a mut WebSocket);

impl Future for Recv<'_> {
    type Output = Result<Option<Message>, Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_recv(cx)
    }
}

/// The future of [`WebSocket::send`] and [`WebSocket::feed`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub(super) struct Send<'a> {
    pub(super) socket: &'a mut WebSocket,
    pub(super) message: Option<Outgoing>,
    /// Whether a socket that is driven by its own methods writes at once.
    pub(super) write: bool,
}

impl Future for Send<'_> {
    type Output = Result<(), Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        ready!(this.socket.poll_push(&mut this.message, cx))?;
        if this.write {
            this.socket.drive(cx);
        }
        Poll::Ready(Ok(()))
    }
}
