//! The events of a log for one reader: replay and live, joined.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;

use super::{
    entry::Entry,
    memory::Memory,
    resume::{Gap, Position},
    store::{Page, Start, Store, Stored, Tail},
};
use crate::{BoxError, error::FellBehind, sse::Event, trace::debug};

/// A stream of the events of a log, each exactly once and in order.
///
/// It reads what was missed from the store, a page at a time, and then what is live; where live events were lost on
/// the way, or the reader was too slow for them, it reads the store again. An `Err` says that events are gone for
/// good, or that the store can't be read, and ends the stream: the client comes back with its last id, and
/// [`resume`](super::EventLog::resume) says what can be done.
///
/// ```
/// use tower_realtime::log::{EventLog, Events, Gap};
///
/// fn greet(events: Events) -> Events {
///     match events.gap() {
///         None => events,
///         Some(Gap::TooOld) => events.from_oldest(), // better than nothing
///         Some(gap) => {
///             println!("a client came with a strange id: {gap}");
///             events
///         }
///     }
/// }
/// # drop(greet(EventLog::new(10).subscribe()));
/// ```
///
/// # Cancel safety
///
/// A dropped `next()` loses nothing.
pub struct Events<S: Store = Memory> {
    store: S,
    tail: Tail,
    /// The position of the last event that was yielded or is in `ready`.
    last: Option<Position>,
    ready: VecDeque<Stored>,
    reading: Option<Reading<S::Error>>,
    /// The last page was full: there is another one.
    more: bool,
    ended: bool,
    gap: Option<Gap>,
    tag: Option<Arc<str>>,
}

type Reading<E> = Pin<Box<dyn Future<Output = Result<Page, E>> + Send>>;

/// How many events are read at a time.
pub(super) const PAGE: usize = 64;

impl<S: Store> Events<S> {
    /// What `tail` begins with, and then what is live.
    pub(super) const fn live(
        store: S,
        tail: Tail,
        gap: Option<Gap>,
        tag: Option<Arc<str>>,
    ) -> Self {
        let last = Some(tail.at);
        Self {
            store,
            tail,
            last,
            ready: VecDeque::new(),
            reading: None,
            more: false,
            ended: false,
            gap,
            tag,
        }
    }

    /// Has `page` come first, which is all that stands behind `last`.
    pub(super) fn after(mut self, last: Position, page: Page) -> Self {
        self.last = Some(last);
        self.take(page);
        self
    }

    /// Why what the client asked for can't be had. `None` if it can, or if it asked for nothing.
    #[must_use]
    pub const fn gap(&self) -> Option<Gap> {
        self.gap
    }

    /// An event that says that everything is to be loaded again, with the id from which on it is told here.
    ///
    /// Without one where older events come first, and where the log has no place yet: `0-0` is that of every new
    /// stream of Redis, so it would be taken for one in a later life of the log.
    pub(super) fn resettled(&self, reset: Event) -> Entry {
        let reset = Entry::from(reset);
        let here = self.tail.at;
        if reset.id().is_some() || self.last != Some(here) || here == Position::new(0, 0) {
            return reset;
        }
        self.sign(Stored::new(here, None, &reset.into()))
    }

    /// Starts with the oldest event that is kept, and not with what is new: an answer to a gap, or to a client that
    /// is here for the first time.
    #[must_use]
    pub fn from_oldest(mut self) -> Self {
        self.ready.clear();
        self.last = None;
        self.read(Start::Oldest);
        self
    }

    fn read(&mut self, start: Start) {
        let store = self.store.clone();
        self.more = false;
        self.reading = Some(Box::pin(async move { store.read(start, PAGE).await }));
    }

    fn take(&mut self, page: Page) {
        self.more = page.more;
        let last = self.last;
        let new = page.events.into_iter();
        self.ready
            .extend(new.filter(|stored| Some(stored.position()) > last));
        if let Some(stored) = self.ready.back() {
            self.last = Some(stored.position());
        } else if self.last.is_none() {
            self.last = Some(self.tail.at);
        }
    }

    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Missed>> {
        let Some(reading) = &mut self.reading else {
            return Poll::Ready(Ok(()));
        };
        let page = ready!(reading.as_mut().poll(cx));
        self.reading = None;
        Poll::Ready(match page {
            Ok(Page { gap: Some(gap), .. }) => Err(Missed(Why::Gap(FellBehind::because(gap)))),
            Ok(page) => {
                self.take(page);
                Ok(())
            }
            Err(error) => Err(Missed(Why::Store(error.into()))),
        })
    }

    /// Whether a live event follows what was read.
    fn join(&mut self, stored: Stored) {
        let last = self.last.unwrap_or(self.tail.at);
        if stored.position() <= last {
            return; // read from the store already
        }
        if stored.previous().is_none_or(|previous| previous == last) {
            self.last = Some(stored.position());
            self.ready.push_back(stored);
        } else {
            debug!(%last, next = %stored.position(), "live events were lost on the way, reading them again");
            self.read(Start::After(last));
        }
    }

    fn poll_entry(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry, Missed>>> {
        loop {
            if let Some(stored) = self.ready.pop_front() {
                if self.ready.is_empty() {
                    self.ready = VecDeque::new();
                }
                return Poll::Ready(Some(Ok(self.sign(stored))));
            }
            if self.more {
                self.read(self.last.map_or(Start::Oldest, Start::After));
            }
            if let Err(missed) = ready!(self.poll_page(cx)) {
                return Poll::Ready(Some(Err(missed)));
            }
            if !self.ready.is_empty() || self.more {
                continue;
            }
            match ready!(Pin::new(&mut self.tail.live).poll_next(cx)) {
                Some(Ok(stored)) => self.join(stored),
                Some(Err(_lagged)) => self.read(self.last.map_or(Start::Oldest, Start::After)),
                None => return Poll::Ready(None),
            }
        }
    }

    fn sign(&self, stored: Stored) -> Entry {
        match &self.tag {
            Some(tag) => stored.entry().signed(tag),
            None => stored.into_entry(),
        }
    }
}

impl<S: Store> Stream for Events<S> {
    type Item = Result<Entry, Missed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let entry = ready!(self.poll_entry(cx));
        self.ended = !matches!(entry, Some(Ok(_)));
        Poll::Ready(entry)
    }
}

/// Nothing in it is pinned in place.
impl<S: Store> Unpin for Events<S> {}

impl<S: Store> fmt::Debug for Events<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("last", &self.last)
            .field("gap", &self.gap)
            .finish_non_exhaustive()
    }
}

/// Events that a reader should have got next are gone, or can't be read. Its stream ends with this.
///
/// ```
/// use futures_util::{Stream, StreamExt};
/// use tower_realtime::log::{Entry, Missed};
///
/// async fn print(mut events: impl Stream<Item = Result<Entry, Missed>> + Unpin) {
///     while let Some(next) = events.next().await {
///         match next {
///             Ok(entry) => println!("{}", entry.data()),
///             Err(missed) if missed.is_gap() => println!("too slow: load it all again"),
///             Err(missed) => println!("{missed}"), // the store failed: try again
///         }
///     }
/// }
/// # let log = tower_realtime::log::EventLog::new(10);
/// # let _ = print(log.subscribe());
/// ```
#[derive(Debug)]
pub struct Missed(Why);

#[derive(Debug)]
enum Why {
    Gap(FellBehind),
    Store(BoxError),
}

impl Missed {
    /// Whether the reader was so slow, or the connection to the store so long gone, that events were dropped.
    #[must_use]
    pub const fn is_gap(&self) -> bool {
        matches!(self.0, Why::Gap(_))
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Why::Gap(_) => "the reader fell so far behind that events were dropped",
            Why::Store(_) => "the log's store can't be read",
        })
    }
}

impl std::error::Error for Missed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Why::Gap(gap) => Some(gap),
            Why::Store(error) => Some(error.as_ref()),
        }
    }
}
