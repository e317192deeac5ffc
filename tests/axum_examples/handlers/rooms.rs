//! A room where everybody hears everybody, whatever version of HTTP they came by.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Path, State},
    http::Version,
    response::Response,
    routing::any,
};
use tokio::sync::broadcast;

use super::ws::{self, Message, Utf8Bytes, WebSocketUpgrade};

#[derive(Clone)]
struct Room {
    present: Arc<Mutex<BTreeSet<String>>>,
    voices: broadcast::Sender<Utf8Bytes>,
}

impl Room {
    fn empty() -> Self {
        Self {
            present: Arc::default(),
            voices: broadcast::Sender::new(32),
        }
    }

    /// False if somebody of that name is in the room.
    fn come_in(&self, nick: &str) -> bool {
        self.present.lock().unwrap().insert(nick.to_owned())
    }

    fn go_out(&self, nick: &str) {
        self.present.lock().unwrap().remove(nick);
        self.say(format!("- {nick}"));
    }

    fn say(&self, words: String) {
        // Nobody may be there to hear it.
        let _ = self.voices.send(words.into());
    }
}

pub(crate) fn app() -> Router {
    let door = Router::new().route("/room/{nick}", any(door));
    door.with_state(Room::empty())
}

async fn door(
    upgrade: WebSocketUpgrade,
    version: Version,
    Path(nick): Path<String>,
    State(room): State<Room>,
) -> Response {
    upgrade.on_upgrade(move |mut socket| async move {
        if room.come_in(&nick) {
            talk(&mut socket, &room, &nick, version).await;
            room.go_out(&nick);
        } else {
            let taken = ws::CloseFrame {
                code: 4009,
                reason: "that name is taken".into(),
            };
            let _ = socket.send(Message::Close(Some(taken))).await;
            while let Some(Ok(_)) = socket.recv().await {}
        }
    })
}

async fn talk(socket: &mut ws::WebSocket, room: &Room, nick: &str, version: Version) {
    let mut voices = room.voices.subscribe();
    room.say(format!("+ {nick}, {version:?}"));
    loop {
        let heard = tokio::select! {
            heard = voices.recv() => heard,
            said = socket.recv() => match said {
                Some(Ok(Message::Text(words))) => {
                    room.say(format!("{nick}> {words}"));
                    continue;
                }
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
        };
        let Ok(words) = heard else { return };
        if socket.send(Message::Text(words)).await.is_err() {
            return;
        }
    }
}
