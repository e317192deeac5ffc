//! The chat: one WebSocket per visitor, one topic per room.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    extract::{Path, Query, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::any,
};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_realtime::{
    rt::Tokio,
    topic::Topic,
    ws::{self, Acceptor, Limits, Message, WebSocket},
};

use crate::counters::Counters;

const ROOMS: [&str; 3] = ["lobby", "workshop", "observatory"];

#[derive(Debug)]
pub(crate) struct Chat {
    counters: Arc<Counters>,
    rooms: BTreeMap<&'static str, Arc<Room>>,
}

#[derive(Debug)]
struct Room {
    topic: Topic<Message>,
    members: Mutex<Vec<String>>,
}

pub(crate) fn routes(chat: Arc<Chat>) -> Router {
    Router::new()
        .route("/chat/{room}", any(enter))
        .with_state(chat)
}

/// Takes a visitor into a room. Pages of other origins are refused, which is the default.
async fn enter(
    State(chat): State<Arc<Chat>>,
    Path(room): Path<String>,
    Query(visitor): Query<Visitor>,
    request: Request,
) -> Response {
    let Some(room) = chat.rooms.get(room.as_str()).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let counters = Arc::clone(&chat.counters);
    let name: String = visitor.name.chars().take(24).collect();
    Acceptor::new()
        .limits(Limits::new().message(4096))
        .upgrade(request, Tokio, move |socket| {
            talk(socket, room, name, counters)
        })
}

#[derive(Deserialize)]
struct Visitor {
    name: String,
}

async fn talk(
    socket: WebSocket,
    room: Arc<Room>,
    name: String,
    counters: Arc<Counters>,
) -> Result<(), ws::Error> {
    let _open = counters.socket();
    let heard = room
        .topic
        .subscribe()
        .inspect(move |message| counters.message(message.as_ref().map_or(0, Message::len)));
    // What the room says is sent while this task waits for what the visitor says.
    let mut socket = socket.feed_from(heard);
    let _present = Present::new(&room, &name);
    while let Some(message) = socket.recv().await? {
        if let Some(text) = message.as_text() {
            room.tell(&json!({ "type": "message", "from": name, "text": text }));
        }
    }
    Ok(())
}

impl Chat {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        let room = |name| {
            (
                name,
                Arc::new(Room {
                    topic: Topic::new(64),
                    members: Mutex::default(),
                }),
            )
        };
        Self {
            counters,
            rooms: ROOMS.map(room).into(),
        }
    }

    /// How many people are in each room.
    pub(crate) fn people(&self) -> Value {
        self.rooms
            .iter()
            .map(|(name, room)| (*name, room.members().len()))
            .collect()
    }
}

impl Room {
    fn tell(&self, message: &Value) {
        self.topic.publish(Message::text(message.to_string()));
    }

    fn members(&self) -> MutexGuard<'_, Vec<String>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A visitor's presence in a room: it ends when the value is dropped, however the connection ended.
struct Present<'a> {
    room: &'a Room,
    name: &'a str,
}

impl<'a> Present<'a> {
    fn new(room: &'a Room, name: &'a str) -> Self {
        room.members().push(name.to_owned());
        let present = Self { room, name };
        present.tell("came in");
        present
    }

    fn tell(&self, what: &str) {
        let Self { room, name } = self;
        room.tell(&json!({ "type": "notice", "text": format!("{name} {what}") }));
        let members = room.members().clone();
        room.tell(&json!({ "type": "presence", "members": members }));
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        let mut members = self.room.members();
        if let Some(at) = members.iter().position(|member| member == self.name) {
            members.swap_remove(at);
        }
        drop(members);
        self.tell("left");
    }
}
