//! A connection in memory, with the faults that real ones have.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use futures_io::{AsyncRead, AsyncWrite};

/// What goes wrong on the pipes that share it. All of it can change while they are in use.
#[derive(Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    settings: Settings,
    open: Vec<Weak<Mutex<Wire>>>,
}

/// How the wire behaves.
#[derive(Clone, Copy, Default)]
pub(crate) struct Settings {
    /// Nothing arrives, and soon nothing more can be written.
    pub(crate) stalled: bool,
    /// The most bytes of one read or write.
    pub(crate) chunk: Option<usize>,
    /// Ends don't arrive: the peer of a dropped connection waits, as behind a cable that was pulled.
    pub(crate) deaf_to_close: bool,
}

impl Faults {
    /// Changes how the wire behaves, and lets everybody look again.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Settings)) {
        let mut shared = lock(&self.0);
        change(&mut shared.settings);
        let (settings, wires) = (shared.settings, shared.wires());
        drop(shared);
        for wire in wires {
            act(&wire, |wire| {
                wire.settings = settings;
                wire.wake_all();
            });
        }
    }

    /// Breaks every open connection, in both directions.
    pub(crate) fn reset(&self) {
        let wires = lock(&self.0).wires();
        for wire in wires {
            act(&wire, |wire| {
                wire.reset = true;
                wire.wake_all();
            });
        }
    }

    fn register(&self, wire: &Arc<Mutex<Wire>>) {
        let mut shared = lock(&self.0);
        shared.open.retain(|wire| wire.strong_count() > 0);
        shared.open.push(Arc::downgrade(wire));
        lock(wire).settings = shared.settings;
    }
}

impl Shared {
    fn wires(&self) -> Vec<Arc<Mutex<Wire>>> {
        self.open.iter().filter_map(Weak::upgrade).collect()
    }
}

/// Two ends of one connection. A write waits while `capacity` bytes are under way in its direction.
pub(crate) fn pipe(capacity: usize, faults: &Faults) -> (Pipe, Pipe) {
    let wire = Arc::new(Mutex::new(Wire {
        lanes: [Lane::default(), Lane::default()],
        capacity,
        settings: Settings::default(),
        reset: false,
        woken: Vec::new(),
    }));
    faults.register(&wire);
    let end = |side| Pipe {
        wire: Arc::clone(&wire),
        side,
    };
    (end(0), end(1))
}

/// One end of a connection in memory.
pub(crate) struct Pipe {
    wire: Arc<Mutex<Wire>>,
    /// Reads from the lane of this number, writes to the other.
    side: usize,
}

struct Wire {
    lanes: [Lane; 2],
    capacity: usize,
    settings: Settings,
    reset: bool,
    /// Who is woken once the lock is released: waking can run or drop a task, and with it an end of this wire.
    woken: Vec<Waker>,
}

/// One direction.
#[derive(Default)]
struct Lane {
    bytes: VecDeque<u8>,
    /// The writer has ended.
    ended: bool,
    /// Nobody reads any more.
    abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Wire {
    fn most(&self, len: usize) -> usize {
        len.min(self.settings.chunk.unwrap_or(usize::MAX).max(1))
    }

    fn wake_all(&mut self) {
        for lane in &mut self.lanes {
            self.woken.extend(lane.reader.take());
            self.woken.extend(lane.writer.take());
        }
    }

    fn read(&mut self, side: usize, buf: &mut [u8]) -> Option<io::Result<usize>> {
        if self.reset {
            return Some(Err(ErrorKind::ConnectionReset.into()));
        }
        if self.settings.stalled {
            return None;
        }
        let most = self.most(buf.len());
        let Settings { deaf_to_close, .. } = self.settings;
        let lane = &mut self.lanes[side];
        let len = most.min(lane.bytes.len());
        for (to, from) in buf.iter_mut().zip(lane.bytes.drain(..len)) {
            *to = from;
        }
        if len > 0 {
            self.woken.extend(lane.writer.take());
        }
        (len > 0 || buf.is_empty() || (lane.ended && !deaf_to_close)).then_some(Ok(len))
    }

    fn write(&mut self, side: usize, buf: &[u8]) -> Option<io::Result<usize>> {
        if self.reset {
            return Some(Err(ErrorKind::ConnectionReset.into()));
        }
        let room = self.capacity - self.lanes[side].bytes.len().min(self.capacity);
        let len = self.most(buf.len()).min(room);
        let Settings { deaf_to_close, .. } = self.settings;
        let lane = &mut self.lanes[side];
        if lane.ended || (lane.abandoned && !deaf_to_close) {
            return Some(Err(ErrorKind::BrokenPipe.into()));
        }
        lane.bytes.extend(&buf[..len]);
        if len > 0 {
            self.woken.extend(lane.reader.take());
        }
        (len > 0 || buf.is_empty()).then_some(Ok(len))
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let (result, _replaced) = act(&self.wire, |wire| match wire.read(self.side, buf) {
            Some(result) => (Poll::Ready(result), None),
            None => {
                let reader = &mut wire.lanes[self.side].reader;
                (Poll::Pending, reader.replace(cx.waker().clone()))
            }
        });
        result
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let lane = 1 - self.side;
        let (result, _replaced) = act(&self.wire, |wire| match wire.write(lane, buf) {
            Some(result) => (Poll::Ready(result), None),
            None => {
                let writer = &mut wire.lanes[lane].writer;
                (Poll::Pending, writer.replace(cx.waker().clone()))
            }
        });
        result
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if lock(&self.wire).reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        act(&self.wire, |wire| {
            wire.lanes[1 - self.side].ended = true;
            wire.wake_all();
        });
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        act(&self.wire, |wire| {
            wire.lanes[1 - self.side].ended = true;
            wire.lanes[self.side].abandoned = true;
            wire.wake_all();
        });
    }
}

fn act<R>(wire: &Mutex<Wire>, change: impl FnOnce(&mut Wire) -> R) -> R {
    let mut wire = lock(wire);
    let result = change(&mut wire);
    let woken = std::mem::take(&mut wire.woken);
    drop(wire);
    woken.into_iter().for_each(Waker::wake);
    result
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
