//! Both ends of many connections, taken apart, every part on a thread of its own choice: bounded by messages, never
//! by time.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "support/pipe.rs"]
mod pipe;

use pipe::pipe;
use tokio::task::JoinSet;
use tower_realtime::ws::{
    CloseCode, CloseFrame, Endpoint, Limits, Message, MessageKind, Receiver, Sender,
};

const CONNECTIONS: usize = 24;
const SENDERS: u32 = 4;
const MESSAGES: u32 = 100;

/// Large enough to be sent and taken in parts now and then.
fn size(n: u32) -> usize {
    match n % 50 {
        0 => 40_000,
        _ => (n % 97) as usize,
    }
}

/// Who sends it, which one it is, and filling.
fn message(sender: u32, n: u32) -> Vec<u8> {
    let mut bytes = [sender.to_be_bytes(), n.to_be_bytes()].concat();
    bytes.resize(8 + size(n), sender as u8);
    bytes
}

async fn send(sender: Sender, id: u32) {
    for n in 0..MESSAGES {
        let bytes = message(id, n);
        match n % 5 {
            0 => {
                let mut out = sender.send_stream(MessageKind::Binary);
                for part in bytes.chunks(10_000) {
                    out.write(part.to_vec()).await.unwrap();
                    tokio::task::yield_now().await;
                }
                out.finish().await.unwrap();
            }
            1 => {
                sender.send(bytes).await.unwrap();
                sender.flush().await.unwrap();
            }
            _ => sender.send(bytes).await.unwrap(),
        }
    }
    sender.flush().await.unwrap();
}

async fn next(receiver: &mut Receiver, in_parts: bool) -> Option<Vec<u8>> {
    if !in_parts {
        return receiver
            .recv()
            .await
            .unwrap()
            .map(|m| m.into_bytes().to_vec());
    }
    let mut message = receiver.recv_stream().await.unwrap()?;
    let mut bytes = Vec::new();
    while let Some(part) = message.part().await.unwrap() {
        bytes.extend_from_slice(part.as_bytes());
    }
    Some(bytes)
}

/// Takes all messages of all senders: each in its order, none twice, none lost.
async fn receive(mut receiver: Receiver) -> Receiver {
    let mut expected = [0; SENDERS as usize];
    for n in 0..SENDERS * MESSAGES {
        let bytes = next(&mut receiver, n % 3 == 0).await.unwrap();
        let sender = u32::from_be_bytes(bytes[..4].try_into().unwrap());
        let next = &mut expected[sender as usize];
        assert_eq!(bytes, message(sender, *next));
        *next += 1;
    }
    assert_eq!(expected, [MESSAGES; SENDERS as usize]);
    receiver
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_reordered_between_threads() {
    let mut connections = JoinSet::new();
    for room in 0..CONNECTIONS {
        connections.spawn(async move {
            let (near, far) = pipe(1 << (7 + room % 10));
            let limits = Limits::new()
                .queued_messages(1 + room)
                .queued_bytes(500 * room + 1);
            let ends = [
                Endpoint::server().limits(limits.clone()).open(near),
                Endpoint::client().limits(limits).open(far),
            ];
            let (mut sending, mut receiving, mut driving) =
                (JoinSet::new(), JoinSet::new(), JoinSet::new());
            let mut last = Vec::new();
            for socket in ends {
                let (sender, receiver, driver) = socket.split();
                for id in 0..SENDERS {
                    sending.spawn(send(sender.clone(), id));
                }
                last.push(sender);
                receiving.spawn(receive(receiver));
                driving.spawn(driver);
            }
            while let Some(sent) = sending.join_next().await {
                sent.unwrap();
            }
            let receivers = receiving.join_all().await;
            // The peer answers a close when its handler has come back for the next message.
            let mut ending = JoinSet::new();
            for mut receiver in receivers {
                ending.spawn(async move { receiver.recv().await });
            }
            let closed = last[0].close(CloseFrame::new(CloseCode::NORMAL)).await;
            assert!(closed.is_clean());
            for end in ending.join_all().await {
                assert_eq!(end.unwrap(), None::<Message>);
            }
            for closed in driving.join_all().await {
                assert!(closed.is_clean());
            }
        });
    }
    while let Some(connection) = connections.join_next().await {
        connection.unwrap();
    }
}
