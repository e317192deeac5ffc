use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use tower_realtime::{
    BoxError,
    rt::Tokio,
    topic::{OnLag, Topic},
    ws::{
        self, Acceptor, CloseCode, CloseFrame, Heartbeat, Limits, OriginPolicy, Prepared, WebSocket,
    },
};

use crate::{
    arguments::{Arguments, Deflate},
    endpoints::{Body, query, raw_query, status},
};

/// How a request came, before anything rewrote it.
#[derive(Clone, Debug)]
pub(crate) struct Arrived(pub(crate) Version, pub(crate) Method);

/// The WebSocket side.
#[derive(Debug)]
pub(crate) struct Sockets {
    large: Acceptor,
    small: Acceptor,
    chat: Acceptor,
    /// Encoded once for all; with `--deflate --no-context-takeover` compressed once for all.
    messages: Topic<Prepared>,
}

impl Sockets {
    pub(crate) fn new(arguments: &Arguments) -> Result<Self, BoxError> {
        let origins = if arguments.same_origin {
            OriginPolicy::same_origin()
        } else {
            OriginPolicy::any()
        };
        let acceptor = |limit| {
            // Slow suites send large messages byte by byte, in as many fragments as they like.
            let limits = Limits::new()
                .message(limit)
                .frame(limit)
                .fragments(u32::MAX)
                .message_time(Duration::from_secs(300));
            Acceptor::new()
                .origins(origins.clone())
                .limits(limits)
                // On a slow machine a case takes longer than the default, and a ping within it fails it.
                .heartbeat(Heartbeat::new().interval(Duration::from_secs(120)))
                .deflate(arguments.deflate.map(Deflate::deflate))
        };
        Ok(Self {
            large: acceptor(64 << 20),
            small: acceptor(64 << 10),
            chat: acceptor(64 << 20).protocols(["chat.v2", "chat.v1"]),
            messages: Topic::new(1024),
        })
    }

    /// Opens the WebSocket that the path names.
    pub(crate) fn answer<B>(&self, request: Request<B>) -> Response<Body> {
        let messages = self.messages.clone();
        let response: Response<Full<Bytes>> = match request.uri().path() {
            "/ws" | "/echo" => self.large.upgrade(request, Tokio, echo),
            "/ws/small" => self.small.upgrade(request, Tokio, echo),
            "/ws/sub" => self.chat.upgrade(request, Tokio, echo),
            "/ws/close" => {
                let frame = close_frame(&request);
                self.large
                    .upgrade(request, Tokio, |socket| close(socket, frame))
            }
            "/ws/info" => {
                let arrived = request.extensions().get::<Arrived>();
                let info = arrived.map_or_else(String::new, |Arrived(version, method)| {
                    format!("{version:?} {method}")
                });
                self.large
                    .upgrade(request, Tokio, |socket| announce(socket, info))
            }
            "/sub" => self
                .large
                .upgrade(request, Tokio, |socket| subscribe(socket, messages)),
            "/pub" => self
                .large
                .upgrade(request, Tokio, |socket| publish(socket, messages)),
            _ => return status(StatusCode::NOT_FOUND),
        };
        response.map(|body| body.map_err(|never| match never {}).boxed_unsync())
    }
}

async fn echo(mut socket: WebSocket) -> Result<(), ws::Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

async fn announce(mut socket: WebSocket, info: String) -> Result<(), ws::Error> {
    socket.send(info).await?;
    echo(socket).await
}

async fn close(mut socket: WebSocket, frame: Option<CloseFrame>) -> Result<(), ws::Error> {
    socket.close(frame).await;
    Ok(())
}

async fn subscribe(socket: WebSocket, messages: Topic<Prepared>) -> Result<(), ws::Error> {
    let messages = messages.subscribe().on_lag(OnLag::DropOldest).joined();
    let mut socket = socket.feed_from(messages);
    while socket.recv().await?.is_some() {}
    Ok(())
}

async fn publish(mut socket: WebSocket, messages: Topic<Prepared>) -> Result<(), ws::Error> {
    while let Some(message) = socket.recv().await? {
        messages.publish(Prepared::new(message));
    }
    Ok(())
}

/// The frame that the query asks for: none without a code, as a close frame may be empty.
fn close_frame<B>(request: &Request<B>) -> Option<CloseFrame> {
    let code = CloseCode::new(query(request, "code", 0))?;
    Some(CloseFrame::new(code).reason(raw_query(request, "reason").unwrap_or_default()))
}
