//! Every interleaving of publish, trim, read, drop and resume on small sizes, against a model that is a list.
//!
//! The model knows exactly what each reader has to get next: the next event, nothing, or a miss; and of each resume
//! whether it is complete. So a loss, a repetition, a gap too many and a gap too few all fail.

use std::convert::Infallible;

use futures_util::{FutureExt, StreamExt};
use tower_realtime::{
    log::{EventLog, Events, Memory, Page, Position, Resume, Start, Store, Stored, Tail},
    sse::{Encoded, Event},
    topic::Topic,
};

const KEEP: u64 = 2;
const EPOCH: u64 = 7;

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish,
    /// Drops all that is kept, as age would.
    Trim,
    Read(usize),
    /// Drops the connection, or comes back with the last id.
    Toggle(usize),
}

/// A log, and how a model of it says that it behaves.
trait Subject {
    type Store: Store;
    fn new() -> Self;
    fn memory(&self) -> &Memory;
    fn publish(&self);
    fn resume(&self, last: Option<Position>) -> Resume<Self::Store>;
    /// Whether the model knows when an event has to come, and not only which.
    ///
    /// A reader of the log in memory takes all that is there out of the log at once, and can't miss that any longer.
    /// A lossy store says nothing of some events until the next one comes.
    const PUNCTUAL: bool;
}

/// The log in memory as it is.
struct Direct(EventLog, Memory);

impl Subject for Direct {
    type Store = Memory;
    const PUNCTUAL: bool = true;

    fn new() -> Self {
        let memory = Memory::with_epoch(KEEP as usize, EPOCH);
        Self(EventLog::over(memory.clone()), memory)
    }

    fn memory(&self) -> &Memory {
        &self.1
    }

    fn publish(&self) {
        self.0.publish(Event::empty());
    }

    fn resume(&self, last: Option<Position>) -> Resume {
        self.0.resume(&last)
    }
}

/// A store whose live events get lost: it forgets every other one, and its readers lag from the second on.
#[derive(Clone)]
struct Lossy {
    memory: Memory,
    live: Topic<Stored>,
}

impl Store for Lossy {
    type Error = Infallible;

    async fn append(&self, event: Encoded) -> Result<Position, Infallible> {
        let position = self.memory.append(event.clone()).await?;
        if position.index() % 2 == 0 {
            let previous = Position::new(EPOCH, position.index() - 1);
            self.live
                .publish(Stored::new(position, Some(previous), &event));
        }
        Ok(position)
    }

    async fn read(&self, start: Start, _: usize) -> Result<Page, Infallible> {
        self.memory.read(start, 1).await
    }

    async fn tail(&self) -> Result<Tail, Infallible> {
        let at = self.memory.tail().await?.at;
        let live = self.live.subscribe();
        Ok(Tail { at, live })
    }
}

struct OverLossy(EventLog<Lossy>);

impl Subject for OverLossy {
    type Store = Lossy;
    const PUNCTUAL: bool = false;

    fn new() -> Self {
        Self(EventLog::over(Lossy {
            memory: Memory::with_epoch(KEEP as usize, EPOCH),
            live: Topic::new(1),
        }))
    }

    fn memory(&self) -> &Memory {
        &self.0.store().memory
    }

    fn publish(&self) {
        let published = self.0.try_publish(Event::empty()).now_or_never();
        published.expect("memory does not wait").expect("or fail");
    }

    fn resume(&self, last: Option<Position>) -> Resume<Lossy> {
        let resume = self.0.try_resume(&last).now_or_never();
        resume.expect("memory does not wait").expect("or fail")
    }
}

/// A reader, and where the model says that it stands.
struct Reader<S: Store> {
    events: Option<Events<S>>,
    /// The index of the last event that it got; `None` before it has ever connected.
    seen: Option<u64>,
    /// Up to where it can't miss anything.
    safe: u64,
    /// Nothing has come since it connected from now on: it does not know an id.
    from_now: Option<u64>,
}

struct Run<X: Subject> {
    subject: X,
    published: u64,
    lost: u64,
    readers: Vec<Reader<X::Store>>,
}

impl<X: Subject> Run<X> {
    fn new(readers: usize) -> Self {
        let reader = || Reader {
            events: None,
            seen: None,
            safe: 0,
            from_now: None,
        };
        Self {
            subject: X::new(),
            published: 0,
            lost: 0,
            readers: (0..readers).map(|_| reader()).collect(),
        }
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Publish => {
                self.subject.publish();
                self.published += 1;
                self.lost = self.lost.max(self.published.saturating_sub(KEEP));
                Ok(())
            }
            Step::Trim => {
                drop(self.subject.memory().clone().bytes(0).bytes(1_000));
                self.lost = self.published;
                Ok(())
            }
            Step::Toggle(n) if self.readers[n].events.is_some() => {
                self.readers[n].events = None;
                Ok(())
            }
            Step::Toggle(n) => self.connect(n),
            Step::Read(n) => self.read(n),
        }
    }

    fn connect(&mut self, n: usize) -> Result<(), String> {
        let reader = &mut self.readers[n];
        let last = reader.seen.map(|index| Position::new(EPOCH, index));
        let complete = reader.seen.is_none_or(|seen| seen >= self.lost);
        let (events, answered) = match self.subject.resume(last) {
            Resume::Complete(events) => (events, true),
            Resume::Gap(events) => (events, false),
        };
        if answered != complete {
            return Err(format!(
                "after {last:?} it says that complete is {answered}"
            ));
        }
        reader.events = Some(events);
        let start = reader.seen.filter(|_| complete);
        reader.from_now = start.is_none().then_some(self.published);
        reader.safe = start.unwrap_or(self.published);
        Ok(())
    }

    fn read(&mut self, n: usize) -> Result<(), String> {
        let (published, lost) = (self.published, self.lost);
        let reader = &mut self.readers[n];
        let Some(events) = &mut reader.events else {
            return Ok(());
        };
        let at = reader.from_now.or(reader.seen).unwrap_or_default();
        let due = at < published;
        let gone = due && at < lost && (!X::PUNCTUAL || at == reader.safe);
        let next = format!("{EPOCH}-{}", at + 1);
        match events.next().now_or_never() {
            None if !due || !X::PUNCTUAL => {}
            Some(Some(Err(missed))) if missed.is_gap() && gone => reader.events = None,
            Some(Some(Ok(entry))) if due && entry.id() == Some(&next) && !(gone && X::PUNCTUAL) => {
                reader.seen = Some(at + 1);
                reader.from_now = None;
                if at == reader.safe {
                    reader.safe = published;
                }
            }
            got => {
                return Err(format!(
                    "due: {due}, gone: {gone}, next is {next}, but {got:?} came"
                ));
            }
        }
        Ok(())
    }

    /// In the end everybody has got everything, or was told.
    fn settle(&mut self) -> Result<(), String> {
        self.step(Step::Publish)?;
        if self.published % 2 == 1 {
            self.step(Step::Publish)?;
        }
        for n in 0..self.readers.len() {
            for _ in 0..=self.published {
                self.step(Step::Read(n))?;
            }
            let reader = &self.readers[n];
            let at = reader.from_now.or(reader.seen).unwrap_or_default();
            if reader.events.is_some() && at < self.published {
                return Err(format!("reader {n} waits at {at} of {}", self.published));
            }
        }
        Ok(())
    }
}

/// Runs every sequence of `length` steps.
fn every_sequence<X: Subject>(steps: &[Step], length: u32, readers: usize) {
    for number in 0..steps.len().pow(length) {
        let mut rest = number;
        let sequence: Vec<Step> = (0..length)
            .map(|_| {
                let step = steps[rest % steps.len()];
                rest /= steps.len();
                step
            })
            .collect();
        let mut run = Run::<X>::new(readers);
        let mut steps = sequence.iter();
        let walked = steps.try_for_each(|step| run.step(*step));
        if let Err(why) = walked.and_then(|()| run.settle()) {
            panic!(
                "{why}; {} steps before the end of {sequence:?}",
                steps.len()
            );
        }
    }
}

#[test]
fn one_reader_of_a_log_in_memory() {
    let steps = [Step::Publish, Step::Trim, Step::Read(0), Step::Toggle(0)];
    every_sequence::<Direct>(&steps, 8, 1);
}

#[test]
fn two_readers_of_a_log_in_memory() {
    let (read, toggle) = (Step::Read, Step::Toggle);
    let steps = [Step::Publish, read(0), read(1), toggle(0), toggle(1)];
    every_sequence::<Direct>(&steps, 7, 2);
}

#[test]
fn one_reader_of_a_store_that_loses_live_events() {
    let steps = [Step::Publish, Step::Trim, Step::Read(0), Step::Toggle(0)];
    every_sequence::<OverLossy>(&steps, 8, 1);
}
