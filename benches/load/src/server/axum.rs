//! axum as its documentation has it.

use std::{convert::Infallible, error::Error, sync::Arc};

use axum::{
    Router,
    extract::{
        Path, State,
        ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    response::{
        Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
    serve::ListenerExt,
};
use futures_util::{Stream, StreamExt};
use hyper_util::service::TowerToHyperService;
use tokio::{net::TcpListener, sync::broadcast};
use tokio_stream::wrappers::BroadcastStream;

use super::{QUEUE, carrier};

type Events = broadcast::Sender<Arc<str>>;

pub async fn run(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app()).await?)
}

/// The same for both versions of HTTP, behind TLS where there is a certificate.
pub async fn carried(listener: TcpListener, pair: &[String]) -> Result<(), Box<dyn Error>> {
    carrier::run(listener, pair, TowerToHyperService::new(app())).await
}

fn app() -> Router {
    let (events, _) = broadcast::channel::<Arc<str>>(QUEUE);
    Router::new()
        .route("/sse", get(sse))
        .route("/pub/{count}", post(publish))
        .route("/echo", get(|upgrade| socket(upgrade, echo)))
        .route(
            "/sub",
            get(|State(events): State<Events>, upgrade| {
                socket(upgrade, |socket| receive(socket, events))
            }),
        )
        .route(
            "/pub",
            get(|State(events): State<Events>, upgrade| {
                socket(upgrade, |socket| send(socket, events))
            }),
        )
        .with_state(events)
}

async fn sse(State(events): State<Events>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = BroadcastStream::new(events.subscribe())
        .filter_map(async |event| event.ok())
        .map(|event| Ok(Event::default().data(&*event)));
    Sse::new(events.boxed()).keep_alive(KeepAlive::default())
}

async fn publish(Path(count): Path<usize>, State(events): State<Events>, body: String) {
    let event: Arc<str> = body.into();
    for _ in 0..count {
        let _ = events.send(event.clone());
    }
}

async fn socket<F, Fut>(upgrade: WebSocketUpgrade, handler: F) -> Response
where
    F: FnOnce(WebSocket) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let upgrade = upgrade.max_message_size(64 << 20).max_frame_size(64 << 20);
    upgrade.on_upgrade(handler)
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_))
            && socket.send(message).await.is_err()
        {
            return;
        }
    }
}

async fn receive(mut socket: WebSocket, events: Events) {
    let mut events = events.subscribe();
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => {
                    if socket.send(Message::Text(Utf8Bytes::from(&*event))).await.is_err() {
                        return;
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            },
            message = socket.recv() => if !matches!(message, Some(Ok(_))) {
                return;
            },
        }
    }
}

async fn send(mut socket: WebSocket, events: Events) {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(text) = message {
            let _ = events.send(text.as_str().into());
        }
    }
}
