//! How WebSockets that are a `Stream` and a `Sink` are driven: with one flush a message, or one flush a batch.

use bytes::Bytes;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::sync::broadcast;

/// Messages until there is a flush.
#[derive(Clone, Copy)]
pub struct Batch(pub usize);

/// A message to send, or one that came.
pub trait Message: Sized {
    fn text(text: Bytes) -> Self;
    /// The payload, where it is data and no control frame.
    fn data(self) -> Option<Self>;
    fn payload(self) -> Bytes;
}

pub async fn echo<S, M, E>(mut socket: S, batch: Batch) -> Option<()>
where
    S: Stream<Item = Result<M, E>> + Sink<M> + Unpin,
    M: Message,
{
    while let Some(Ok(first)) = socket.next().await {
        if let Some(data) = first.data() {
            socket.feed(data).await.ok()?;
        }
        for _ in 1..batch.0 {
            let Some(next) = socket.next().now_or_never() else {
                break;
            };
            if let Some(data) = next?.ok()?.data() {
                socket.feed(data).await.ok()?;
            }
        }
        socket.flush().await.ok()?;
    }
    Some(())
}

pub async fn receive<S, M, E>(
    mut socket: S,
    events: broadcast::Sender<Bytes>,
    batch: Batch,
) -> Option<()>
where
    S: Stream<Item = Result<M, E>> + Sink<M> + Unpin,
    M: Message,
{
    let mut events = events.subscribe();
    loop {
        tokio::select! {
            event = events.recv() => {
                socket.feed(M::text(event.ok()?)).await.ok()?;
                for _ in 1..batch.0 {
                    let Ok(event) = events.try_recv() else { break };
                    socket.feed(M::text(event)).await.ok()?;
                }
                socket.flush().await.ok()?;
            }
            message = socket.next() => drop(message?.ok()?),
        }
    }
}

pub async fn send<S, M, E>(mut socket: S, events: broadcast::Sender<Bytes>) -> Option<()>
where
    S: Stream<Item = Result<M, E>> + Unpin,
    M: Message,
{
    while let Some(message) = socket.next().await {
        if let Some(data) = message.ok()?.data() {
            let _ = events.send(data.payload());
        }
    }
    Some(())
}
