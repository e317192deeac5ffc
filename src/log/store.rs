//! What a back end of a log must promise.

use super::{
    entry::Entry,
    resume::{Gap, Position},
};
use crate::{BoxError, sse::Encoded, topic::Subscription};

/// One log of events, kept by a back end.
///
/// [`EventLog`](super::EventLog) asks for no more than this, and promises its users no more than this:
///
/// 1. **Order.** All readers see all events in one order, that of their positions. An event whose `append` returned
///    before another one's began stands before it.
/// 2. **Once.** An `append` that returned a position added the event once, whatever was retried on the way. One that
///    failed may have added it once or not at all, and the error says which of them is known.
/// 3. **Join.** What is not in a `read` that began after `tail` returned, is in the live events of that tail, and
///    the other way round; a few may be in both. The positions tell which.
/// 4. **Links.** Every event names the one before it (`previous`) if the back end can tell. A reader that sees a
///    wrong link reads again from where it was, so a lost live event is a delay and not a loss.
/// 5. **Trimming.** Events go from the old end only. A `read` after a position whose successor is gone says
///    [`Gap::TooOld`]; after a position that the log never had, [`Gap::Foreign`] or [`Gap::Future`], or `TooOld`
///    where the back end can't tell them apart. It never says that it is complete when it is not.
/// 6. **Crashes.** A log that lost its last events, or all of them, in a crash never gives their positions to other
///    events such that a `read` after one of them looks complete; the live events of every tail end.
///
/// [`conformance::check`](super::conformance::check) tests all of it but the crash.
///
/// A value of it is a handle, cheap to clone.
///
/// A store around another one, which keeps all promises since it changes nothing:
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
/// use tower_realtime::{log::{EventLog, Memory, Page, Position, Start, Store, Tail}, sse::Encoded};
///
/// #[derive(Clone)]
/// struct Counted<S> {
///     store: S,
///     appended: Arc<AtomicU64>,
/// }
///
/// impl<S: Store> Store for Counted<S> {
///     type Error = S::Error;
///
///     async fn append(&self, event: Encoded) -> Result<Position, S::Error> {
///         let position = self.store.append(event).await?;
///         self.appended.fetch_add(1, Ordering::Relaxed);
///         Ok(position)
///     }
///
///     async fn read(&self, start: Start, limit: usize) -> Result<Page, S::Error> {
///         self.store.read(start, limit).await
///     }
///
///     async fn tail(&self) -> Result<Tail, S::Error> {
///         self.store.tail().await
///     }
/// }
///
/// let log = EventLog::over(Counted { store: Memory::new(1024), appended: Arc::default() });
/// # let _ = log;
/// ```
pub trait Store: Clone + Send + Sync + 'static {
    /// Why the back end could not do it.
    type Error: Into<BoxError> + Send + 'static;

    /// Adds an event, which is encoded without an id.
    fn append(&self, event: Encoded) -> impl Future<Output = Result<Position, Self::Error>> + Send;

    /// Reads at most `limit` events that are kept now.
    fn read(
        &self,
        start: Start,
        limit: usize,
    ) -> impl Future<Output = Result<Page, Self::Error>> + Send;

    /// Starts to follow what is appended.
    fn tail(&self) -> impl Future<Output = Result<Tail, Self::Error>> + Send;
}

/// Where a [`Store::read`] begins.
///
/// ```
/// use tower_realtime::log::{Memory, Start, Store};
///
/// async fn tenth_page(log: &Memory) -> usize {
///     let Ok(mut page) = log.read(Start::Oldest, 100).await;
///     for _ in 1..10 {
///         let Some(last) = page.events.last().map(|event| event.position()) else { break };
///         page = log.read(Start::After(last), 100).await.unwrap_or_else(|never| match never {});
///     }
///     page.events.len()
/// }
/// # assert_eq!(smol::block_on(tenth_page(&Memory::new(10))), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a back end has to know all of them"
)]
pub enum Start {
    /// With the oldest event that is kept.
    Oldest,
    /// With the event behind this one.
    After(Position),
}

/// What a [`Store::read`] found.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "back ends make it")]
pub struct Page {
    /// The events, in their order. Empty if there is a gap.
    pub events: Vec<Stored>,
    /// Why reading can't go on there.
    pub gap: Option<Gap>,
    /// Whether the limit left events out.
    pub more: bool,
}

/// What a [`Store::tail`] begins with.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "back ends make it")]
pub struct Tail {
    /// The position of the last event before the tail: of a log without events, the one that its first event will
    /// name as its previous.
    pub at: Position,
    /// What comes behind `at`. Readers that lag read again from the store.
    pub live: Subscription<Stored>,
}

/// An event as a back end keeps it.
///
/// ```
/// use tower_realtime::{log::{Position, Stored}, sse::{Encoded, Event}};
///
/// let (at, before) = (Position::new(31, 42), Position::new(31, 41));
/// let stored = Stored::new(at, Some(before), &Encoded::from(Event::new("9 apples")));
/// assert_eq!((stored.position(), stored.previous()), (at, Some(before)));
/// assert_eq!(stored.entry().id(), Some("31-42"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    position: Position,
    previous: Option<Position>,
    entry: Entry,
}

impl Stored {
    /// The event that stands at `position`, right behind the one at `previous`, if that is known.
    #[must_use]
    pub fn new(position: Position, previous: Option<Position>, event: &Encoded) -> Self {
        Self {
            position,
            previous,
            entry: Entry::new(position, event),
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Where the event before it stands, if that is known.
    #[must_use]
    pub const fn previous(&self) -> Option<Position> {
        self.previous
    }

    /// The event, with its plain id.
    #[must_use]
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    pub(super) fn into_entry(self) -> Entry {
        self.entry
    }
}
