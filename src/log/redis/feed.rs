//! One blocking reader for all streams that somebody in this process follows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{error::Fault, handle::Shared, wire::Reader};
use crate::{
    log::{Position, Stored, Tail},
    topic::{Limits, Topic},
    trace::warn,
};

/// The streams that are followed, and who follows them.
#[derive(Default)]
pub(super) struct Feed(Mutex<Streams>);

#[derive(Default)]
struct Streams {
    followed: HashMap<Arc<str>, Followed>,
    /// Whether there is a task that reads.
    running: bool,
}

struct Followed {
    topic: Topic<Stored>,
    /// The last event that went to the topic.
    at: Position,
}

/// How long a read blocks. A dead connection is noticed a little later, and followers that left are then forgotten.
const BLOCK: Duration = Duration::from_secs(5);
/// What is kept for a follower before it has to read from Redis itself.
const EVENTS: usize = 1_024;
const BYTES: usize = 1024 * 1024;

impl Feed {
    /// Follows a stream that is followed already.
    pub(super) fn join(&self, key: &str) -> Option<Tail> {
        self.lock().followed.get(key).map(Followed::tail)
    }

    /// Follows a stream behind `last`, its end of a moment ago. The task that reads is to be woken, or to be started.
    pub(super) fn follow(&self, key: &Arc<str>, last: Position) -> (Tail, Next) {
        let mut streams = self.lock();
        let known = streams.followed.contains_key(key);
        let followed = streams.followed.entry(Arc::clone(key)).or_insert_with(|| {
            let limits = Limits::items(EVENTS)
                .bytes(BYTES, |stored: &Stored| stored.entry().as_bytes().len());
            let topic = Topic::with_limits(limits);
            Followed { topic, at: last }
        });
        let tail = followed.tail();
        let next = match std::mem::replace(&mut streams.running, true) {
            false => Next::Start,
            true if known => Next::Nothing,
            true => Next::Wake,
        };
        (tail, next)
    }

    /// The streams that have followers. Without any the task is over.
    fn streams(&self) -> Option<Vec<(Arc<str>, Position)>> {
        let mut streams = self.lock();
        streams
            .followed
            .retain(|_, followed| followed.topic.subscribers() > 0);
        streams.running = !streams.followed.is_empty();
        let at = |(key, followed): (&Arc<str>, &Followed)| (Arc::clone(key), followed.at);
        streams
            .running
            .then(|| streams.followed.iter().map(at).collect())
    }

    /// Gives events to the followers of a stream, if there are any left.
    fn publish(&self, key: &str, events: Vec<Stored>) {
        let mut streams = self.lock();
        let Some(last) = events.last().map(Stored::position) else {
            return;
        };
        let wakers = streams.followed.get_mut(key).map(|followed| {
            followed.at = last;
            followed.topic.enqueue(events).1
        });
        drop(streams);
        if let Some(wakers) = wakers {
            wakers.wake();
        }
    }

    /// Ends the tails of a stream.
    fn end(&self, key: &str) {
        let ended = self.lock().followed.remove(key);
        drop(ended);
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has to be done for a new follower.
pub(super) enum Next {
    Nothing,
    Start,
    Wake,
}

impl Followed {
    /// Under the lock of all streams, so that `at` is what the topic has got.
    fn tail(&self) -> Tail {
        Tail {
            at: self.at,
            live: self.topic.subscribe(),
        }
    }
}

/// Reads until nobody follows anything, over as many connections as that takes.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut failures = 0;
    let mut woken = Position::new(0, 0);
    while let Some(streams) = shared.feed.streams() {
        match connect(&shared, &streams).await {
            Ok(mut reader) => {
                failures = 0;
                match follow(&shared, &mut reader, &mut woken).await {
                    Ok(()) => return,
                    Err(fault) => fault.tell("the connection that follows the streams is lost"),
                }
            }
            Err(fault) => {
                failures += 1;
                fault.tell("no connection to follow the streams");
            }
        }
        shared.sleep(failures).await;
    }
}

/// A connection on which it is known that each stream goes on where its followers stand.
async fn connect(shared: &Shared, streams: &[(Arc<str>, Position)]) -> Result<Reader, Fault> {
    let mut reader = shared.link.reader(BLOCK).await?;
    for (key, at) in streams {
        // A server that lost its last events, in a crash or in a failover, will give smaller ids than the followers
        // have seen, and a read behind theirs would wait for long.
        if reader.look(key).await? < *at {
            warn!(%key, %at, "the stream lost events that were delivered, its followers have to resume");
            shared.feed.end(key);
        }
    }
    Ok(reader)
}

/// Reads until the connection fails, or until nobody follows anything.
async fn follow(shared: &Shared, reader: &mut Reader, woken: &mut Position) -> Result<(), Fault> {
    while let Some(streams) = shared.feed.streams() {
        let mut asked = vec![(&*shared.wake, *woken)];
        asked.extend(streams.iter().map(|(key, at)| (&**key, *at)));
        for (place, events) in reader.read(&asked).await? {
            match place.checked_sub(1) {
                None => *woken = events.last().map_or(*woken, Stored::position),
                Some(place) => shared.feed.publish(&streams[place].0, events),
            }
        }
    }
    Ok(())
}
