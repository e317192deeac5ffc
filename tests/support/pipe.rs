//! A transport in memory, between threads.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "shared by tests, of which each uses its part"
)]

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use futures_io::{AsyncRead, AsyncWrite};

/// One end.
pub struct End {
    from: Arc<Mutex<Pipe>>,
    to: Arc<Mutex<Pipe>>,
}

struct Pipe {
    bytes: VecDeque<u8>,
    room: usize,
    ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Both ends of a transport that holds so many bytes in each direction.
pub fn pipe(room: usize) -> (End, End) {
    let new = || {
        Arc::new(Mutex::new(Pipe {
            bytes: VecDeque::new(),
            room,
            ended: false,
            reader: None,
            writer: None,
        }))
    };
    let (there, back) = (new(), new());
    let near = End {
        from: Arc::clone(&back),
        to: Arc::clone(&there),
    };
    (
        near,
        End {
            from: there,
            to: back,
        },
    )
}

fn wake(slot: &mut Option<Waker>) {
    if let Some(waker) = slot.take() {
        waker.wake();
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.from.lock().unwrap();
        let count = out.len().min(pipe.bytes.len());
        if count == 0 {
            if pipe.ended {
                return Poll::Ready(Ok(0));
            }
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        for (to, from) in out.iter_mut().zip(pipe.bytes.drain(..count)) {
            *to = from;
        }
        wake(&mut pipe.writer);
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.to.lock().unwrap();
        if pipe.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = bytes.len().min(pipe.room - pipe.bytes.len());
        if count == 0 {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        pipe.bytes.extend(&bytes[..count]);
        wake(&mut pipe.reader);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.to.lock().unwrap();
        pipe.ended = true;
        wake(&mut pipe.reader);
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        for pipe in [&self.from, &self.to] {
            let mut pipe = pipe.lock().unwrap();
            pipe.ended = true;
            wake(&mut pipe.reader);
            wake(&mut pipe.writer);
        }
    }
}
