//! Event streams: every builder of an event, and the keep-alives.

use std::{convert::Infallible, time::Duration};

use axum::{Router, extract::Path, routing::get};
use futures_util::stream::{self, Stream, StreamExt};
use serde::Serialize;

use super::sse::{Event, KeepAlive, Sse};

pub(crate) fn app() -> Router {
    Router::new()
        .route("/countdown/{from}", get(countdown))
        .route("/readings", get(readings))
        .route("/quiet", get(quiet))
        .route("/idle", get(idle))
}

async fn countdown(Path(from): Path<u32>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let ticks = stream::iter((1..=from).rev()).map(|left| {
        let tick = Event::default().event("tick").id(left.to_string());
        Ok(tick.data(format!("{left} s\nto go")))
    });
    let liftoff = Event::default()
        .comment("the end")
        .retry(Duration::from_millis(2500))
        .data("liftoff");
    let events = ticks.chain(stream::once(async { Ok(liftoff) }));
    Sse::new(events).keep_alive(KeepAlive::default())
}

#[derive(Serialize)]
struct Reading {
    celsius: f32,
}

/// A sensor that breaks: an error ends the response.
async fn readings() -> Sse<impl Stream<Item = Result<Event, axum::Error>>> {
    Sse::new(stream::iter([
        Event::default().json_data(Reading { celsius: 21.5 }),
        Err(axum::Error::new("the sensor broke")),
    ]))
}

async fn quiet() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let patience = KeepAlive::new().interval(Duration::from_secs(3));
    Sse::new(stream::pending()).keep_alive(patience.text("still here"))
}

async fn idle() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let sign_of_life = Event::default().event("idle").data("nothing yet");
    Sse::new(stream::pending()).keep_alive(KeepAlive::new().event(sign_of_life))
}
