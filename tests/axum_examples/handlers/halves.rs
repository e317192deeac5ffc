//! Sockets in two halves: a sink and a stream, in tasks of their own or behind the traits.

use std::ops::ControlFlow;

use axum::{Router, response::Response, routing::any};
use futures_util::{
    sink::{self, Sink, SinkExt},
    stream::{SplitSink, SplitStream, Stream, StreamExt},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};

pub(crate) fn app() -> Router {
    Router::new()
        .route("/numbered", any(numbered))
        .route("/first", any(first))
        .route("/sum", any(sum))
}

/// Two tasks that outlive the handler.
async fn numbered(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |socket| {
        let (outgoing, incoming) = socket.split();
        let (lines, queue) = mpsc::channel(4);
        tokio::spawn(collect(incoming, lines));
        tokio::spawn(number(queue, outgoing));
    })
}

async fn collect(mut incoming: SplitStream<WebSocket>, lines: mpsc::Sender<String>) {
    while let Some(Ok(message)) = incoming.next().await {
        if let ControlFlow::Break(line) = line(message) {
            if lines.send(line).await.is_err() {
                break;
            }
        }
    }
}

/// Breaks with what is worth a line.
fn line(message: Message) -> ControlFlow<String> {
    match message {
        Message::Text(text) => ControlFlow::Break(text.to_string()),
        Message::Binary(data) => ControlFlow::Break(format!("{} bytes", data.len())),
        Message::Close(Some(CloseFrame { code, reason })) => {
            assert_eq!((code, reason.as_str()), (4001, "enough"));
            ControlFlow::Continue(())
        }
        Message::Close(None) | Message::Ping(_) | Message::Pong(_) => ControlFlow::Continue(()),
    }
}

async fn number(mut lines: mpsc::Receiver<String>, mut outgoing: SplitSink<WebSocket, Message>) {
    let mut count = 0;
    while let Some(line) = lines.recv().await {
        count += 1;
        let numbered = Message::Text(format!("{count}: {line}").into());
        if outgoing.send(numbered).await.is_err() {
            return;
        }
    }
    // The peer has closed already: whether that is an error here is not worth a word.
    let _ = outgoing.close().await;
}

/// One half speaks, the other listens, and who is done first ends the other.
async fn first(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |socket| {
        let (mut outgoing, mut incoming) = socket.split();
        let mut speaking = tokio::spawn(async move {
            for left in (1..=3).rev() {
                outgoing.feed(Message::text(left.to_string())).await?;
            }
            outgoing.flush().await?;
            std::future::pending::<Result<(), axum::Error>>().await
        });
        let mut listening =
            tokio::spawn(async move { while let Some(Ok(_)) = incoming.next().await {} });
        tokio::select! {
            _ = &mut speaking => listening.abort(),
            _ = &mut listening => speaking.abort(),
        }
    })
}

async fn sum(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|socket| {
        let (outgoing, incoming) = socket.split();
        add_up(incoming, outgoing)
    })
}

/// Knows nothing of sockets, so that a test needs none.
async fn add_up<In, Out>(mut incoming: In, mut outgoing: Out)
where
    In: Stream<Item = Result<Message, axum::Error>> + Unpin,
    Out: Sink<Message> + Unpin,
{
    let mut total: i64 = 0;
    while let Some(Ok(message)) = incoming.next().await {
        let Message::Text(term) = message else {
            continue;
        };
        let reply = match term.parse::<i64>() {
            Ok(term) => {
                total += term;
                Message::text(total.to_string())
            }
            Err(_) => Message::Close(Some(CloseFrame {
                code: close_code::UNSUPPORTED,
                reason: "numbers only".into(),
            })),
        };
        if outgoing.send(reply).await.is_err() {
            break;
        }
    }
}

#[tokio::test]
async fn ok_channels_in_place_of_a_socket() {
    let (terms, incoming) = mpsc::channel(4);
    let (totals, mut outgoing) = mpsc::channel(4);
    let totals = sink::unfold(totals, async |totals, message| {
        let sent = totals.send(message).await;
        sent.map(|()| totals)
    });
    tokio::spawn(async move { add_up(ReceiverStream::new(incoming), Box::pin(totals)).await });
    for (term, total) in [("40", "40"), ("2", "42"), ("-50", "-8")] {
        terms.send(Ok(Message::text(term))).await.unwrap();
        assert_eq!(outgoing.recv().await, Some(Message::text(total)));
    }
    terms.send(Ok(Message::text("many"))).await.unwrap();
    let refusal = outgoing.recv().await.unwrap();
    assert!(
        matches!(refusal, Message::Close(Some(frame)) if frame.code == close_code::UNSUPPORTED)
    );
    terms.send(Err(axum::Error::new("cut off"))).await.unwrap();
    assert_eq!(outgoing.recv().await, None);
}
