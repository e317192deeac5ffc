use std::{fmt, sync::Arc};

use super::{
    error::{Error, Fault},
    feed::{self, Next},
    handle::Shared,
    limits::Limits,
    page,
    wire::{Look, Outgoing},
};
use crate::{
    log::{Page, Position, Start, Store, Tail},
    sse::Encoded,
};

/// One log in Redis: a stream.
#[derive(Clone)]
pub struct RedisStream {
    shared: Arc<Shared>,
    key: Arc<str>,
    limits: Limits,
}

impl RedisStream {
    pub(super) const fn new(shared: Arc<Shared>, key: Arc<str>, limits: Limits) -> Self {
        Self {
            shared,
            key,
            limits,
        }
    }

    async fn look(&self, from: Option<Position>, count: usize) -> Result<Look, Error> {
        let mut attempts = Attempts::default();
        loop {
            match self.shared.link.look(&self.key, from, count).await {
                Ok(look) => return Ok(look),
                Err(fault) => self.pause(&mut attempts, fault).await?,
            }
        }
    }

    /// Waits before another attempt, if there is to be one.
    async fn pause(&self, attempts: &mut Attempts, fault: Fault) -> Result<(), Error> {
        attempts.unknown |= fault.unknown;
        attempts.made += 1;
        if !fault.retry || attempts.made >= self.limits.attempts {
            return Err(Error::after(fault, attempts.unknown));
        }
        self.shared.sleep(attempts.made - 1).await;
        Ok(())
    }
}

/// How often a command was tried.
#[derive(Default)]
struct Attempts {
    made: u32,
    /// One of them may have worked all the same.
    unknown: bool,
}

impl Store for RedisStream {
    type Error = Error;

    async fn append(&self, event: Encoded) -> Result<Position, Error> {
        let token = self.shared.token();
        let mut attempts = Attempts::default();
        loop {
            let event = Outgoing {
                key: &self.key,
                event: &event,
                token: &token,
                again: attempts.unknown,
            };
            match self.shared.link.append(&event, &self.limits).await {
                Ok(position) => return Ok(position),
                Err(fault) => self.pause(&mut attempts, fault).await?,
            }
        }
    }

    async fn read(&self, start: Start, limit: usize) -> Result<Page, Error> {
        let from = match start {
            Start::Oldest => None,
            Start::After(last) => Some(last),
        };
        // One more tells whether there are more, and one is the event that the client has.
        let look = self.look(from, limit.saturating_add(2)).await?;
        Ok(page::of(look, start, limit))
    }

    async fn tail(&self) -> Result<Tail, Error> {
        if let Some(tail) = self.shared.feed.join(&self.key) {
            return Ok(tail);
        }
        let last = self.look(None, 0).await?.last;
        let (tail, next) = self.shared.feed.follow(&self.key, last);
        match next {
            Next::Nothing => {}
            Next::Start => self
                .shared
                .spawn(Box::pin(feed::run(Arc::clone(&self.shared)))),
            // If it does not work the reader has other troubles, and looks again after them.
            Next::Wake => drop(self.shared.link.wake(&self.shared.wake).await),
        }
        Ok(tail)
    }
}

impl fmt::Debug for RedisStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStream")
            .field("key", &self.key)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
