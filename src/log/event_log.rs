//! Publish events that can be resumed.

use std::{fmt, sync::Arc};

use futures_core::Stream;

use super::{
    asked::LastId,
    entry::Entry,
    events::{Events, Missed, PAGE},
    memory::Memory,
    resume::{self, Gap, Position},
    store::{Start, Store},
};
use crate::sse::{Encoded, Event, EventId};

/// Events with ids that can be resumed. A cheap handle, to be cloned freely.
///
/// See the [module docs](super) for examples. The default keeps the events in the memory of this process, and
/// nothing waits. Over another [`Store`] the same is done with [`try_publish`](Self::try_publish) and
/// [`try_resume`](Self::try_resume), which wait and can fail.
///
/// ```
/// use futures_util::{FutureExt, StreamExt};
/// use tower_realtime::{log::{EventLog, Memory}, sse::Event};
///
/// let log = EventLog::over(Memory::new(100)); // what `EventLog::new(100)` is
/// let seen = log.publish(Event::new("one"));
/// let mut live = log.subscribe();
/// log.publish(Event::new("two"));
///
/// let mut next = |events: &mut tower_realtime::log::Events| {
///     let entry = events.next().now_or_never().expect("it is there").expect("no end").expect("not late");
///     entry.data().into_owned()
/// };
/// assert_eq!(next(&mut live), "two");
/// assert_eq!(next(&mut log.replay()), "one");
/// assert_eq!(next(&mut log.resume(&seen).complete().expect("no gap")), "two");
/// ```
///
/// The same over any store, for handlers that do not know which one it is:
///
/// ```
/// use tower_realtime::{log::{EventLog, Events, LastId, Store}, sse::Event};
///
/// async fn entered<S: Store>(log: &EventLog<S>, client: &(impl LastId + ?Sized)) -> Result<Events<S>, S::Error> {
///     log.try_publish(Event::new("somebody came in")).await?;
///     Ok(log.try_resume(client).await?.or_oldest())
/// }
/// # let log = EventLog::new(10);
/// # assert!(smol::block_on(entered(&log, "")).is_ok());
/// # let _: &tower_realtime::log::Memory = log.store();
/// ```
#[derive(Clone)]
pub struct EventLog<S: Store = Memory> {
    store: S,
    pub(super) tag: Option<Arc<str>>,
}

/// Whether a client can go on where it left off. What a gap means is for the handler to say.
///
/// A client that asks for nothing, because it is here for the first time, is `Complete` from now on.
///
/// ```
/// use tower_realtime::{log::{EventLog, Gap}, sse::Event};
///
/// let log = EventLog::new(10);
/// let asked = "31-42"; // of a log that is gone
/// assert_eq!(log.resume(asked).complete().unwrap_err(), Gap::Foreign); // to refuse with
/// let told = log.resume(asked).or_reset(Event::new("load it all again"));
/// let kept = log.resume(asked).or_oldest(); // some of it may be twice with the client
/// # let _ = (told, kept);
/// ```
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a handler has to look at both")]
pub enum Resume<S: Store = Memory> {
    /// All that came after the client's last event, and then what is live.
    Complete(Events<S>),
    /// Something is missing, and [`Events::gap`] says why. The events are those from now on;
    /// [`Events::from_oldest`] has all that is kept come first.
    Gap(Events<S>),
}

impl EventLog {
    /// A log in memory that keeps the last `events` (at least one), and at most 1 MiB of them.
    #[must_use]
    pub fn new(events: usize) -> Self {
        Self::over(Memory::new(events))
    }

    /// Publishes an event, and says which id it got. An id that it has is replaced.
    #[expect(
        clippy::must_use_candidate,
        reason = "most publishers have no use for the id"
    )]
    pub fn publish(&self, event: Event) -> EventId {
        let position = self.store.append_now(&encode(event));
        self.event_id(position)
    }

    /// The events after the last one that a client has seen.
    ///
    /// It takes a request or its headers, or the id itself: see [`LastId`].
    #[must_use]
    pub fn resume<A: LastId + ?Sized>(&self, asked: &A) -> Resume {
        let (tail, gap) = match self.asked(asked) {
            None => (self.store.tail_now(), None),
            Some(Ok(last)) => self.store.tail_after(last),
            Some(Err(gap)) => (self.store.tail_now(), Some(gap)),
        };
        Resume::new(Events::live(
            self.store.clone(),
            tail,
            gap,
            self.tag.clone(),
        ))
    }

    /// The events from now on.
    #[must_use]
    pub fn subscribe(&self) -> Events {
        Events::live(
            self.store.clone(),
            self.store.tail_now(),
            None,
            self.tag.clone(),
        )
    }

    /// All events that are kept, and then what is live.
    #[must_use]
    pub fn replay(&self) -> Events {
        let tail = self.store.tail_from_oldest();
        Events::live(self.store.clone(), tail, None, self.tag.clone())
    }
}

impl<S: Store> EventLog<S> {
    /// A log over a store.
    #[must_use]
    pub const fn over(store: S) -> Self {
        Self { store, tag: None }
    }

    /// Publishes an event, and says which id it got. An id that it has is replaced.
    ///
    /// # Errors
    ///
    /// If the store can't take it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the event is published or not.
    pub async fn try_publish(&self, event: Event) -> Result<EventId, S::Error> {
        let position = self.store.append(encode(event)).await?;
        Ok(self.event_id(position))
    }

    /// The events after the last one that a client has seen, like [`resume`](EventLog::resume).
    ///
    /// # Errors
    ///
    /// If the store can't be read.
    pub fn try_resume<'a, A>(
        &'a self,
        asked: &A,
    ) -> impl Future<Output = Result<Resume<S>, S::Error>> + Send + use<'a, S, A>
    where
        A: LastId + ?Sized,
    {
        // Looked at before anything waits: a request need not be `Sync`, and a handler wants it back.
        self.resume_at(self.asked(asked))
    }

    async fn resume_at(&self, asked: Option<Result<Position, Gap>>) -> Result<Resume<S>, S::Error> {
        // Followed before it is read: what comes in between is in both, and not in neither.
        let tail = self.store.tail().await?;
        let (last, gap) = match asked {
            None => (None, None),
            Some(Ok(last)) => (Some(last), None),
            Some(Err(gap)) => (None, Some(gap)),
        };
        let events = |gap| Events::live(self.store.clone(), tail, gap, self.tag.clone());
        let Some(last) = last else {
            return Ok(Resume::new(events(gap)));
        };
        let page = self.store.read(Start::After(last), PAGE).await?;
        Ok(Resume::new(match page.gap {
            Some(gap) => events(Some(gap)),
            None => events(None).after(last, page),
        }))
    }

    /// The store below.
    ///
    /// ```
    /// use tower_realtime::log::{EventLog, Memory};
    ///
    /// let log = EventLog::new(10);
    /// let same = EventLog::over(log.store().clone()); // the same events, by another handle
    /// # let _: EventLog<Memory> = same;
    /// ```
    pub const fn store(&self) -> &S {
        &self.store
    }

    fn asked<A: LastId + ?Sized>(&self, asked: &A) -> Option<Result<Position, Gap>> {
        let id = asked.last_id()?;
        Some(resume::parse(id.as_str(), self.tag.as_deref()))
    }

    fn event_id(&self, position: Position) -> EventId {
        let id = match &self.tag {
            Some(tag) => format!("{tag}-{position}"),
            None => position.to_string(),
        };
        EventId::try_from(id).expect("digits, letters and hyphens")
    }
}

fn encode(event: Event) -> Encoded {
    event.without_id().into()
}

impl<S: Store> Resume<S> {
    const fn new(events: Events<S>) -> Self {
        match events.gap() {
            None => Self::Complete(events),
            Some(_) => Self::Gap(events),
        }
    }

    /// The events, after a `reset` where there is a gap: an event that tells the client to load everything again.
    ///
    /// Give it a name, so that no other event is taken for it. If it has no id, it gets that of the place from which
    /// on the client is told everything: when it comes back, that is where it goes on, and it is not reset again. A
    /// log in Redis that never had an event has no such place yet.
    ///
    /// ```
    /// use futures_util::{FutureExt, StreamExt};
    /// use tower_realtime::{log::EventLog, sse::{Event, EventName}};
    ///
    /// const RELOAD: EventName = EventName::from_static("reload");
    ///
    /// let log = EventLog::new(10);
    /// let seen = log.publish(Event::new("1 apple"));
    /// let mut events = log.resume("31-42").or_reset(Event::new("all").name(RELOAD)); // of a log that is gone
    /// let reset = events.next().now_or_never().expect("at once").expect("no end").expect("not late");
    /// assert_eq!((reset.name(), reset.id()), (Some("reload"), Some(seen.as_str())));
    /// assert!(log.resume("31-42").complete().is_err() && log.resume(&seen).complete().is_ok());
    /// ```
    pub fn or_reset(
        self,
        reset: impl Into<Event>,
    ) -> impl Stream<Item = Result<Entry, Missed>> + Unpin + Send {
        use futures_util::{StreamExt, stream};

        let (reset, events) = match self {
            Self::Complete(events) => (None, events),
            Self::Gap(events) => (Some(Ok(events.resettled(reset.into()))), events),
        };
        stream::iter(reset).chain(events)
    }

    /// The events, from the oldest that is kept where there is a gap.
    #[must_use]
    pub fn or_oldest(self) -> Events<S> {
        match self {
            Self::Complete(events) => events,
            Self::Gap(events) => events.from_oldest(),
        }
    }

    /// The events, or why there is a gap: for a handler that refuses.
    ///
    /// # Errors
    ///
    /// The gap.
    pub fn complete(self) -> Result<Events<S>, Gap> {
        match self {
            Self::Complete(events) => Ok(events),
            Self::Gap(events) => Err(events.gap().unwrap_or(Gap::Foreign)),
        }
    }
}

impl Default for EventLog {
    /// Keeps 1,024 events and 1 MiB in memory.
    fn default() -> Self {
        Self::over(Memory::default())
    }
}

impl<S: Store> fmt::Debug for EventLog<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog")
            .field("signed", &self.tag.is_some())
            .finish_non_exhaustive()
    }
}
