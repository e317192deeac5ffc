//! The live stream: named events with ids, resumed by `Last-Event-ID`.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use axum::{
    Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::json;
use tower_realtime::{
    sse::{Encoded, Event, EventName, KeepAlive, Sse},
    topic::{OnLag, Subscription, Topic},
};

use crate::{chat::Chat, counters::Counters};

const BEAT: EventName = EventName::from_static("beat");
const BELL: EventName = EventName::from_static("bell");
const STATS: EventName = EventName::from_static("stats");
const RESUMED: EventName = EventName::from_static("resumed");

/// Half a minute of beats.
const HISTORY: usize = 300;
/// How long a browser waits before it comes back: long enough to watch it.
const RETRY: Duration = Duration::from_millis(2500);

#[derive(Debug)]
pub(crate) struct Feed {
    counters: Arc<Counters>,
    live: Topic<Encoded>,
    /// The names of clients whose streams are to end.
    cuts: Topic<String>,
    past: Mutex<Past>,
    started: Instant,
}

/// What can be sent again.
#[derive(Debug)]
struct Past {
    events: VecDeque<(u64, Encoded)>,
    last_id: u64,
    /// How hard the bell still swings.
    swing: f64,
}

pub(crate) fn routes(feed: Arc<Feed>) -> Router {
    Router::new()
        .route("/events", get(events))
        .route("/bell", post(bell))
        .route("/drop", post(cut))
        .with_state(feed)
}

/// The stream of one visitor: what it missed, and then what comes.
async fn events(
    State(feed): State<Arc<Feed>>,
    Query(visitor): Query<Visitor>,
    headers: HeaderMap,
) -> Response {
    let last = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let (missed, live) = feed.follow(last);
    let (counters, open) = (Arc::clone(&feed.counters), feed.counters.stream());
    let events = stream::iter(missed)
        .map(Ok)
        .chain(live)
        .take_until(feed.cut_of(visitor.client))
        .inspect(move |event| {
            let _counted_until_the_stream_is_dropped = &open;
            counters.event(event.as_ref().map_or(0, |event| event.as_bytes().len()));
        });
    Sse::new(events)
        .keep_alive(KeepAlive::new(tokio::time::sleep))
        .into_response()
        .into_response()
}

async fn bell(State(feed): State<Arc<Feed>>, Query(visitor): Query<Visitor>) -> StatusCode {
    let by: String = visitor.name.chars().take(24).collect();
    let data = json!({ "t": feed.now(), "by": by });
    let mut past = feed.past();
    past.swing = (past.swing + 0.5).min(0.8);
    feed.publish(&mut past, Event::new(data.to_string()).name(BELL));
    StatusCode::NO_CONTENT
}

async fn cut(State(feed): State<Arc<Feed>>, Query(visitor): Query<Visitor>) -> StatusCode {
    feed.cuts.publish(visitor.client);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Visitor {
    #[serde(default)]
    client: String,
    #[serde(default)]
    name: String,
}

/// Publishes a beat ten times a second, and the counters once.
pub(crate) async fn run(feed: Arc<Feed>, chat: Arc<Chat>) {
    let mut clock = tokio::time::interval(Duration::from_millis(100));
    for beat in 0_u64.. {
        clock.tick().await;
        feed.beat();
        if beat % 10 == 0 {
            let mut stats = feed.counters.to_json();
            stats["rooms"] = chat.people();
            // Without an id: it does not change where a client resumes.
            feed.live
                .publish(Event::new(stats.to_string()).name(STATS).into());
        }
    }
}

impl Feed {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        // Ids start at the milliseconds of the clock and grow by ten a second, so those of an earlier run are
        // always smaller: a restart is seen as a gap and never mistaken for a place in this run.
        let epoch = SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default()
            .as_millis();
        let past = Past {
            events: VecDeque::new(),
            last_id: u64::try_from(epoch).unwrap_or(0),
            swing: 0.0,
        };
        Self {
            counters,
            live: Topic::new(1024),
            cuts: Topic::new(64),
            past: Mutex::new(past),
            started: Instant::now(),
        }
    }

    fn beat(&self) {
        let mut past = self.past();
        past.swing *= 0.94;
        let t = self.started.elapsed().as_secs_f64();
        let value = 0.34 * (t / 1.9).sin()
            + 0.16 * (t / 0.57).sin()
            + 0.07 * (t * 5.3).sin()
            + past.swing * (t * 8.0).sin();
        let data =
            json!({ "t": self.now(), "v": (value.clamp(-1.0, 1.0) * 1000.0).round() / 1000.0 });
        self.publish(&mut past, Event::new(data.to_string()).name(BEAT));
    }

    /// Gives `event` the next id, encodes it once for everybody, and keeps it for those who come back.
    fn publish(&self, past: &mut Past, event: Event) {
        past.last_id += 1;
        let event = Encoded::from(event.id(past.last_id));
        if past.events.len() == HISTORY {
            past.events.pop_front();
        }
        past.events.push_back((past.last_id, event.clone()));
        self.live.publish(event);
    }

    /// What came after `last`, and a subscription that goes on from there: nothing is lost or sent twice, because
    /// both are taken under the lock that publishing takes.
    fn follow(&self, last: Option<u64>) -> (Vec<Encoded>, Subscription<Encoded>) {
        let past = self.past();
        let live = self.live.subscribe().on_lag(OnLag::Disconnect);
        let first = past.events.front().map_or(past.last_id, |(id, _)| *id);
        let missed = past
            .events
            .iter()
            .filter(|(id, _)| last.is_none_or(|last| *id > last));
        let missed: Vec<_> = missed.map(|(_, event)| event.clone()).collect();
        let mut events = vec![Event::empty().retry(RETRY).into()];
        if let Some(after) = last {
            let gap = after + 1 < first || after > past.last_id;
            let news = json!({ "after": after, "replayed": missed.len(), "upto": past.last_id, "gap": gap });
            events.push(Event::new(news.to_string()).name(RESUMED).into());
        }
        events.extend(missed);
        (events, live)
    }

    /// Ends when somebody asked to drop the stream of `client`.
    fn cut_of(&self, client: String) -> impl Future<Output = ()> + Send + use<> {
        let mut cuts = self.cuts.subscribe();
        async move {
            while cuts
                .next()
                .await
                .is_some_and(|cut| cut.as_ref() != Ok(&client))
            {}
        }
    }

    /// Milliseconds since the start.
    fn now(&self) -> u128 {
        self.started.elapsed().as_millis()
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
