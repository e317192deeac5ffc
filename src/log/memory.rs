//! The embedded default: a log in the memory of one process.

use std::{
    convert::Infallible,
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use super::{
    resume::{Gap, Position, Window},
    store::{Page, Start, Store, Stored, Tail},
};
use crate::{
    sse::Encoded,
    topic::{
        Limits, Subscription, Topic,
        ring::{Read, Ring},
    },
};

/// A log in the memory of one process. It ends with the process, and its ids with it: they are of another epoch then.
///
/// ```
/// use std::time::Duration;
/// use tower_realtime::{log::{EventLog, Memory}, sse::Event};
///
/// let hour = Memory::new(10_000).bytes(16 << 20).age(Duration::from_secs(3600));
/// let log = EventLog::over(hour);
/// # let _ = log;
///
/// let log = EventLog::over(Memory::with_epoch(10, 31)); // in a test
/// assert_eq!(log.publish(Event::new("first")).as_str(), "31-1");
/// ```
#[derive(Clone, Debug)]
pub struct Memory {
    topic: Topic<Stored>,
    epoch: u64,
}

/// The default of [`Memory::bytes`].
const BYTES: usize = 1024 * 1024;

impl Memory {
    /// A log that keeps the last `events` (at least one), and at most 1 MiB of them.
    #[must_use]
    pub fn new(events: usize) -> Self {
        // 48 random bits: enough that two logs do not meet, and short in every event.
        let epoch = RandomState::new().build_hasher().finish() >> 16;
        Self::with_epoch(events, epoch)
    }

    /// A log whose ids begin with `epoch`, for tests that compare them. An epoch must not be used twice.
    #[must_use]
    pub fn with_epoch(events: usize, epoch: u64) -> Self {
        let limits = Limits::items(events).bytes(BYTES, |stored: &Stored| stored.entry().len());
        let topic = Topic::retaining(limits);
        Self { topic, epoch }
    }

    /// Keeps at most so many bytes, as they go over the wire. The default is 1 MiB.
    ///
    /// An event that is larger on its own is dropped at once, and its readers learn of a gap.
    #[must_use]
    pub fn bytes(self, bytes: usize) -> Self {
        self.topic.rebound(|bounds| bounds.bytes = bytes);
        self
    }

    /// Keeps nothing that is older. The default is no limit.
    #[must_use]
    pub fn age(self, age: Duration) -> Self {
        self.topic.rebound(|bounds| bounds.age = age);
        self
    }

    pub(super) fn append_now(&self, event: &Encoded) -> Position {
        let index = self.topic.append(|at| {
            let (position, previous) = (self.position(at + 1), self.position(at));
            Stored::new(position, Some(previous), event)
        });
        self.position(index + 1)
    }

    /// Live events behind `last` if they can be had, and from now on if not.
    pub(super) fn tail_after(&self, last: Position) -> (Tail, Option<Gap>) {
        let mut gap = None;
        let (live, cursor) = self
            .topic
            .subscribe_at(|ring| match self.window(ring).place(last) {
                Ok(cursor) => cursor,
                Err(why) => {
                    gap = Some(why);
                    ring.next()
                }
            });
        (self.tail_of(live, cursor), gap)
    }

    pub(super) fn tail_now(&self) -> Tail {
        let (live, cursor) = self.topic.subscribe_at(Ring::next);
        self.tail_of(live, cursor)
    }

    pub(super) fn tail_from_oldest(&self) -> Tail {
        let (live, cursor) = self.topic.subscribe_at(Ring::lost);
        self.tail_of(live, cursor)
    }

    pub(super) fn read_now(&self, start: Start, limit: usize) -> Page {
        self.topic.look(|ring| {
            let start = match start {
                Start::Oldest => Ok(ring.lost()),
                Start::After(last) => self.window(ring).place(last),
            };
            match start {
                Ok(cursor) => page(ring, cursor, limit),
                Err(gap) => Page {
                    gap: Some(gap),
                    ..Page::default()
                },
            }
        })
    }

    /// The index of an event is that of the ring's place behind it: a cursor is the index of the last event read.
    const fn position(&self, index: u64) -> Position {
        Position::new(self.epoch, index)
    }

    const fn window(&self, ring: &Ring<Stored>) -> Window {
        Window {
            epoch: self.epoch,
            lost: ring.lost(),
            newest: ring.next(),
        }
    }

    const fn tail_of(&self, live: Subscription<Stored>, cursor: u64) -> Tail {
        let at = self.position(cursor);
        Tail { at, live }
    }
}

fn page(ring: &Ring<Stored>, mut cursor: u64, limit: usize) -> Page {
    let mut page = Page::default();
    while let Read::Item(stored, behind) = ring.peek(cursor) {
        if page.events.len() == limit {
            page.more = true;
            break;
        }
        page.events.push(stored.clone());
        cursor = behind;
    }
    page
}

impl Default for Memory {
    /// Keeps 1,024 events and 1 MiB.
    fn default() -> Self {
        Self::new(1_024)
    }
}

impl Store for Memory {
    type Error = Infallible;

    async fn append(&self, event: Encoded) -> Result<Position, Infallible> {
        Ok(self.append_now(&event))
    }

    async fn read(&self, start: Start, limit: usize) -> Result<Page, Infallible> {
        Ok(self.read_now(start, limit))
    }

    async fn tail(&self) -> Result<Tail, Infallible> {
        Ok(self.tail_now())
    }
}
