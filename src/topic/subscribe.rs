use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::{FusedStream, Stream};

use super::{
    join::{Join, JoinFn},
    lagged::{Lagged, OnLag},
    publish::Topic,
    ring::{Position, Read, Ring},
    shared::{Dropped, Shared, State},
};
use crate::wakers::Key;

/// The reading side of a [`Topic`]: a stream of what was published since it began.
///
/// It reads up to 32 items at a time. Dropping it unregisters it, and what was kept for it alone is freed.
///
/// ```
/// use futures_util::{FutureExt, StreamExt};
/// use tower_realtime::topic::{OnLag, Topic};
///
/// let topic = Topic::new(2);
/// let mut reader = topic.subscribe().on_lag(OnLag::DropOldest);
/// topic.publish_all(1..=5);
/// assert_eq!(reader.next().now_or_never(), Some(Some(Ok(4))));
/// assert_eq!(reader.missed(), 3);
/// ```
///
/// # Cancel safety
///
/// A dropped `next()` loses nothing.
pub struct Subscription<T> {
    shared: Arc<Shared<T>>,
    /// `None` once it has ended.
    key: Option<Key>,
    reader: Reader<T>,
    /// A topic of a registry lives as long as its readers.
    keep: Option<Topic<T>>,
}

/// What a subscription knows beside the topic's lock.
struct Reader<T> {
    cursor: Position,
    on_lag: OnLag,
    missed: u64,
    join: Option<JoinFn<T>>,
    /// Read already, in one go, and yielded one by one. It has no memory while it is empty.
    batch: VecDeque<T>,
}

/// How many items are read under one lock: enough to make the lock cheap, few enough to keep others waiting for
/// well under a microsecond each.
const BATCH: usize = 32;

impl<T> Subscription<T> {
    pub(super) fn new(shared: Arc<Shared<T>>, keep: Option<Topic<T>>) -> Self {
        Self::starting(shared, keep, Ring::next)
    }

    /// A reader that starts where `start` says, which sees the log at the moment of subscribing.
    pub(super) fn starting(
        shared: Arc<Shared<T>>,
        keep: Option<Topic<T>>,
        start: impl FnOnce(&Ring<T>) -> Position,
    ) -> Self {
        let (cursor, key) = {
            let mut state = shared.lock();
            let cursor = start(&state.ring);
            state.ring.enter(cursor);
            (cursor, state.readers.insert())
        };
        Self {
            shared,
            key: Some(key),
            reader: Reader {
                cursor,
                on_lag: OnLag::default(),
                missed: 0,
                join: None,
                batch: VecDeque::new(),
            },
            keep,
        }
    }

    /// What happens when this reader falls behind. The default is [`OnLag::Report`].
    #[must_use]
    pub const fn on_lag(mut self, on_lag: OnLag) -> Self {
        self.reader.on_lag = on_lag;
        self
    }

    /// Items that wait together come as one, which is put together once for all readers that stand at the same place.
    ///
    /// Of a burst of small events each of a thousand clients then gets one [`Encoded`](crate::sse::Encoded), all of
    /// the same memory, with one lock and without a copy. Until the last of them has read it, the topic holds it
    /// beside its items, up to eight frames of 16 KiB.
    ///
    /// ```
    /// use futures_util::StreamExt;
    /// use tower_realtime::{
    ///     sse::{Encoded, Event, Sse},
    ///     topic::Topic,
    /// };
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let prices = Topic::<Encoded>::new(1_024);
    /// let response = Sse::new(prices.subscribe().joined()).into_response();
    ///
    /// let mut reader = prices.subscribe().joined();
    /// prices.publish_all(["1", "2"].map(|price| Event::new(price).into()));
    /// let both = reader.next().await.expect("not closed")?;
    /// assert_eq!(both.as_bytes(), "data: 1\n\ndata: 2\n\n");
    /// # drop(response);
    /// # Ok::<(), tower_realtime::topic::Lagged>(())
    /// # }).expect("all is there").expect("not late");
    /// ```
    #[must_use]
    pub fn joined(mut self) -> Self
    where
        T: Join,
    {
        self.reader.join = Some(T::join);
        self
    }

    /// How many items this reader has missed so far.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.reader.missed
    }

    pub(super) const fn cursor(&self) -> Position {
        self.reader.cursor
    }

    /// Gives up the membership and what was kept for it.
    fn leave(&mut self) {
        let Some(key) = self.key.take() else {
            return;
        };
        let mut dropped = Dropped::none();
        let mut state = self.shared.lock();
        let waker = state.readers.remove(key);
        dropped.extend(state.ring.leave(self.reader.cursor));
        state.tidy(&mut dropped);
        drop(state);
        drop((waker, dropped));
        self.keep = None;
    }
}

impl<T: Clone> Subscription<T> {
    fn poll_log(&mut self, cx: &Context<'_>) -> Poll<Option<Result<T, Lagged>>> {
        let Some(key) = &self.key else {
            return Poll::Ready(None);
        };
        let mut dropped = Dropped::none();
        let mut state = self.shared.lock();
        state.expire(&mut dropped);
        // Every reader that has read all asks once more, so to find nothing is as frequent as reading.
        let read = if self.reader.cursor < state.ring.next() {
            let read = self.reader.read(&mut state, &mut dropped);
            state.tidy(&mut dropped);
            read
        } else {
            None
        };
        if read.is_none() && !state.closed {
            let replaced = state.readers.wait(key, cx.waker());
            drop(state);
            drop((replaced, dropped));
            return Poll::Pending;
        }
        drop(state);
        drop(dropped);
        let lagged = matches!(read, Some(Err(_)));
        if read.is_none() || lagged && self.reader.on_lag == OnLag::Disconnect {
            self.leave();
        }
        Poll::Ready(read)
    }
}

impl<T: Clone> Reader<T> {
    /// The next item, with more of them put into the batch, or what was missed.
    fn read(
        &mut self,
        state: &mut State<T>,
        dropped: &mut Dropped<T>,
    ) -> Option<Result<T, Lagged>> {
        loop {
            let joined = self
                .join
                .and_then(|join| state.read_joined(self.cursor, join, dropped));
            if let Some((item, behind)) = joined {
                self.cursor = behind;
                return Some(Ok(item));
            }
            match state.ring.read(self.cursor, BATCH, &mut self.batch) {
                Read::Empty => return None,
                Read::Item(item, behind) => {
                    self.cursor = behind;
                    return Some(Ok(item));
                }
                Read::Missed(missed, oldest) => {
                    let missed = self.fall_behind(missed, oldest, &mut state.ring, dropped);
                    if self.on_lag != OnLag::DropOldest {
                        return Some(Err(Lagged::new(missed)));
                    }
                }
            }
        }
    }

    /// Goes to where reading goes on, and says how much that leaves out.
    fn fall_behind(
        &mut self,
        missed: u64,
        oldest: Position,
        ring: &mut Ring<T>,
        dropped: &mut Dropped<T>,
    ) -> u64 {
        let mut missed = missed;
        self.cursor = oldest;
        if self.on_lag == OnLag::SkipToLive {
            missed += ring.next() - oldest;
            self.cursor = ring.next();
            dropped.extend(ring.skip(oldest, self.cursor));
        }
        self.missed += missed;
        missed
    }
}

impl<T: Clone> Stream for Subscription<T> {
    type Item = Result<T, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let batch = &mut self.reader.batch;
        let Some(item) = batch.pop_front() else {
            return self.poll_log(cx);
        };
        if batch.is_empty() {
            *batch = VecDeque::new();
        }
        Poll::Ready(Some(Ok(item)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let ready = self.reader.batch.len();
        (ready, self.key.is_none().then_some(ready))
    }
}

impl<T: Clone> FusedStream for Subscription<T> {
    fn is_terminated(&self) -> bool {
        self.key.is_none() && self.reader.batch.is_empty()
    }
}

/// Nothing in it is pinned.
impl<T> Unpin for Subscription<T> {}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("on_lag", &self.reader.on_lag)
            .field("missed", &self.reader.missed)
            .field("ended", &self.key.is_none())
            .finish_non_exhaustive()
    }
}
