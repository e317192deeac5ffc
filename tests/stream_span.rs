//! One span per stream, below the request's, from the request to the real end.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    convert::Infallible,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::body::Body;
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_realtime::{
    layers::ObserveLayer,
    loopback::Loopback,
    rt::Tokio,
    sse::{Event, Sse},
    ws::{Acceptor, Connector, WebSocket},
};
use tracing::{
    Instrument, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Notes what happens to spans and events.
#[derive(Clone, Default)]
struct Notes {
    lines: Arc<Mutex<Vec<String>>>,
    ids: Arc<AtomicU64>,
    stack: Arc<Mutex<Vec<u64>>>,
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !field.name().ends_with("_ms") {
            self.0 += &format!(" {}={value:?}", field.name());
        }
    }
}

impl Notes {
    fn note(&self, what: &str, fields: impl FnOnce(&mut Fields)) {
        let mut line = Fields(what.to_owned());
        fields(&mut line);
        self.lines.lock().unwrap().push(line.0);
    }

    /// All that was noted since the last call; records of one moment are one line.
    fn take(&self) -> String {
        self.lines
            .lock()
            .unwrap()
            .drain(..)
            .collect::<Vec<_>>()
            .join("\n")
            .replace("\n+", "")
    }
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= &tracing::Level::INFO
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.ids.fetch_add(1, Relaxed) + 1;
        let parent = self.stack.lock().unwrap().last().copied();
        let name = span.metadata().name();
        self.note(&format!("span {id} {name} in {parent:?}:"), |line| {
            span.record(line)
        });
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.note("+", |line| values.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let within = self.stack.lock().unwrap().last().copied();
        self.note(&format!("event in {within:?}:"), |line| event.record(line));
    }

    fn enter(&self, id: &Id) {
        self.stack.lock().unwrap().push(id.into_u64());
    }

    fn exit(&self, _: &Id) {
        self.stack.lock().unwrap().pop();
    }

    fn clone_span(&self, id: &Id) -> Id {
        id.clone()
    }
}

#[tokio::test]
async fn of_an_event_stream() {
    let notes = Notes::default();
    let _guard = tracing::subscriber::set_default(notes.clone());
    let service = ObserveLayer::new().layer(service_fn(|_: Request<Body>| async {
        let events = stream::iter([Ok::<_, Infallible>(Event::new("1"))])
            .inspect(|_| tracing::info!("produced"));
        Ok::<_, Infallible>(Sse::new(events.chain(stream::pending())).into_response())
    }));
    let request_span = tracing::info_span!("request");
    let request = Request::get("/news").body(Body::empty()).unwrap();
    let mut response = service
        .oneshot(request)
        .instrument(request_span)
        .await
        .unwrap();
    assert!(
        notes
            .take()
            .contains("span 2 stream in Some(1): kind=\"event_stream\" path=\"/news\"")
    );
    response.frame().await.unwrap().unwrap();
    assert_eq!(notes.take(), "event in Some(2): message=produced");
    drop(response);
    let counted = "events_sent=1 bytes_sent=9 events_received=0 bytes_received=0 peak_queue=0";
    let said = "event in Some(2): message=stream ended reason=\"disconnected\"";
    let end = format!("+ reason=\"disconnected\" {counted}\n{said}");
    assert_eq!(notes.take(), end);
}

#[tokio::test]
async fn of_a_websocket_and_of_a_refusal() {
    let notes = Notes::default();
    let _guard = tracing::subscriber::set_default(notes.clone());
    let app = ObserveLayer::new().layer(service_fn(|request: Request<Body>| async {
        let response: Response<Body> = match request.uri().path() {
            "/ws" => Acceptor::new().upgrade(request, Tokio, |mut socket: WebSocket| async move {
                tracing::info!("handled");
                socket.send("hello").await
            }),
            _ => Response::builder().status(403).body(Body::empty()).unwrap(),
        };
        Ok::<_, Infallible>(response)
    }));
    let request = |path| Request::get(path).body(Body::empty()).unwrap();
    let refused = Connector::new()
        .connect(Loopback::new(app.clone()), request("/no"))
        .await;
    assert!(refused.is_err());
    let lines = notes.take();
    assert!(
        lines.contains("stream refused kind=\"websocket\" path=\"/no\" status=403"),
        "{lines}"
    );
    let (mut socket, _) = Connector::new()
        .connect(Loopback::new(app), request("/ws"))
        .await
        .unwrap();
    while let Ok(Some(_)) = socket.recv().await {}
    drop(socket);
    let mut lines = String::new();
    while !lines.contains("stream ended") {
        tokio::task::yield_now().await;
        lines += &notes.take();
    }
    assert!(lines.contains("kind=\"websocket\" path=\"/ws\""), "{lines}");
    assert!(
        lines.contains("event in Some(2): message=handled"),
        "{lines}"
    );
    assert!(
        lines.contains("reason=\"finished\" close_code=1000 events_sent=1 bytes_sent=5"),
        "{lines}"
    );
}
