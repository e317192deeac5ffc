//! Without the feature `deflate`: nothing is offered, nothing is agreed on, and every byte passes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_io::{AsyncRead, AsyncWrite};
use http::{HeaderMap, HeaderValue};

use crate::ws::{
    Limits,
    outgoing::{Form, Packing},
    prepared::Prepared,
    socket::Role,
};

/// Can't be made, so nothing below is ever asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deflate {}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Agreed {}

#[derive(Clone, Copy, Debug)]
pub(crate) enum InvalidAnswer {}

pub(crate) fn answer(deflate: &Deflate, _: &HeaderMap) -> Option<Agreed> {
    match *deflate {}
}

pub(crate) fn offer(deflate: &Deflate) -> HeaderValue {
    match *deflate {}
}

pub(crate) fn check(deflate: &Deflate, _: &HeaderMap) -> Result<Option<Agreed>, InvalidAnswer> {
    match *deflate {}
}

impl Agreed {
    pub(crate) fn header(self) -> HeaderValue {
        match self {}
    }
}

/// What a prepared message keeps of its compressed forms.
#[derive(Debug)]
pub(crate) struct Cache;

impl Cache {
    pub(crate) const fn new() -> Self {
        Self
    }
}

/// The transport itself.
#[derive(Debug)]
pub(crate) struct DeflateIo<T>(T);

impl<T> DeflateIo<T> {
    pub(crate) const fn new(io: T, _: Role, _: Option<&Agreed>, _: &Limits) -> Self {
        Self(io)
    }

    pub(crate) const fn get_mut(&mut self) -> &mut T {
        &mut self.0
    }

    pub(crate) const fn form(&self, packing: Packing) -> Form {
        match packing {
            Packing::Fragment { opcode, last } => Form::Fragment { opcode, last },
            Packing::Free | Packing::Never => Form::Plain,
        }
    }

    pub(crate) const fn prepared_form(&self, _: &Prepared) -> Form {
        Form::Plain
    }

    pub(crate) const fn is_plain(&self) -> bool {
        true
    }

    pub(crate) fn take_frames(&mut self, prepared: &Prepared) -> Option<Bytes> {
        Some(prepared.plain())
    }

    pub(crate) const fn rest(&mut self) {}
}

impl<T: AsyncRead + Unpin> AsyncRead for DeflateIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, out)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for DeflateIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}
