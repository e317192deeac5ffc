//! Messages for many: the frames that were made once reach the wire whole and in order, wherever the transport stops.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "support/script.rs"]
mod script;

use std::{
    convert::Infallible,
    future::Future,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::{Empty, Full};
use script::{Clock, Far, Frame, Run, transport};
use tower::{Layer, ServiceExt, service_fn};
use tower_realtime::{
    layers::ObserveLayer,
    lifecycle::{Drain, DrainPolicy, StreamEnd, StreamInfo, StreamObserver},
    loopback::Loopback,
    rt::{Task, Tokio},
    topic::{Subscription, Topic},
    ws::{
        Acceptor, CloseCode, CloseFrame, Closed, ClosedBy, Connector, Endpoint, Limits, Message,
        Outgoing, Prepared, WebSocket,
    },
};

/// What each connection below is to send, and what that is on the wire.
fn messages() -> Vec<(Message, Frame)> {
    [0, 1, 125, 126, 300]
        .into_iter()
        .flat_map(|size| {
            let (text, bytes) = ("é".repeat(size / 2), vec![size as u8; size]);
            [
                (Message::from(text.as_str()), Frame::text(&text)),
                (Message::from(bytes.clone()), Frame::binary(&bytes)),
            ]
        })
        .collect()
}

fn frames() -> Vec<Frame> {
    messages().into_iter().map(|(_, frame)| frame).collect()
}

fn prepared() -> Vec<Prepared> {
    messages()
        .into_iter()
        .map(|(message, _)| Prepared::new(message))
        .collect()
}

fn joined() -> Prepared {
    let topic = Topic::new(100);
    let mut reader = topic.subscribe().joined();
    topic.publish_all(prepared());
    let joined = futures_util::StreamExt::next(&mut reader);
    joined.now_or_never().unwrap().unwrap().unwrap()
}

/// A connection that sends what is published, and whose handler only receives.
fn fed(
    endpoint: &Endpoint,
    reader: Subscription<Prepared>,
) -> (Run<impl Future<Output = Closed> + use<>>, Far) {
    let (near, far) = transport();
    let mut run = Run::new(endpoint.serve(near, async move |socket: WebSocket| {
        let mut socket = socket.feed_from(reader);
        while let Ok(Some(_)) = socket.recv().await {}
    }));
    run.go();
    (run, far)
}

/// A connection that sends `items`, and then waits for the end.
fn sending(items: Vec<Outgoing>) -> (Run<impl Future<Output = Closed>>, Far) {
    let (near, far) = transport();
    let run = Run::new(
        Endpoint::server().serve(near, async move |mut socket: WebSocket| {
            for item in items {
                socket.send(item).await.unwrap();
            }
            socket.closed().await;
        }),
    );
    (run, far)
}

/// Lets the transport take `first` bytes, and then `step` at a time; all that was written.
fn trickle(run: &mut Run<impl Future>, far: &Far, first: usize, step: usize) -> Vec<u8> {
    far.room(first);
    run.go();
    script::trickle(run, far, step)
}

type Make = fn() -> Vec<Outgoing>;

const KINDS: &[(&str, Make)] = &[
    ("one by one", || {
        prepared().into_iter().map(Into::into).collect()
    }),
    ("joined", || vec![joined().into()]),
    ("mixed", || {
        let all = prepared().into_iter().zip(messages());
        all.enumerate()
            .map(|(n, (prepared, (message, _)))| match n % 3 {
                0 => prepared.into(),
                1 => message.into(),
                _ => message.uncompressed(),
            })
            .collect()
    }),
];

#[test]
fn what_is_sent_is_whole_at_every_split_of_the_output() {
    let length: usize = frames().iter().map(|frame| frame.plain().len()).sum();
    for (name, make) in KINDS {
        for first in 0..=length {
            let (mut run, far) = sending(make());
            let written = trickle(&mut run, &far, first, 700);
            assert_eq!(far.frames_of(&written), frames(), "{name} {first}");
        }
        for step in 1..30 {
            let (mut run, far) = sending(make());
            far.piece(step);
            let written = trickle(&mut run, &far, step, 2 * step + 1);
            assert_eq!(far.frames_of(&written), frames(), "{name} {step}");
        }
    }
}

#[test]
fn what_is_fed_is_whole_at_every_split_of_the_output() {
    let all = frames();
    let length: usize = all.iter().map(|frame| frame.plain().len()).sum();
    for join in [true, false] {
        for first in 0..=length {
            let topic = Topic::new(100);
            let reader = topic.subscribe();
            let reader = if join { reader.joined() } else { reader };
            let (mut run, far) = fed(&Endpoint::server(), reader);
            far.room(0);
            topic.publish_all(prepared());
            run.go();
            // More comes while some of it waits.
            far.room(first);
            run.go();
            let before = far.written();
            topic.publish_all(prepared());
            let written = [before, trickle(&mut run, &far, 10, 900)];
            let got = far.frames_of(&written.concat());
            assert_eq!(got, [all.clone(), all.clone()].concat(), "{join} {first}");
        }
    }
}

#[test]
fn one_alone_goes_out_as_it_is() {
    for size in [0, 1, 125, 126, 4096, 4097, 65_535, 65_536, 300_000] {
        let text = "x".repeat(size);
        let items: [Outgoing; 3] = [
            Prepared::new(text.as_str()).into(),
            Message::from(text.as_str()).into(),
            Message::from(text.as_str()).uncompressed(),
        ];
        for item in items {
            let (mut run, far) = sending(vec![item]);
            let written = trickle(&mut run, &far, size / 2, 1 + size / 3);
            assert_eq!(far.frames_of(&written), [Frame::text(&text)], "{size}");
        }
    }
}

/// Pings and what the handler sends go behind what has begun, and not into it.
#[test]
fn pongs_and_answers_wait_for_the_rest() {
    let length = joined_length();
    for first in 0..=length {
        let topic = Topic::new(100);
        let (near, far) = transport();
        let reader = topic.subscribe().joined();
        let mut run = Run::new(
            Endpoint::server().serve(near, async move |socket: WebSocket| {
                let mut socket = socket.feed_from(reader);
                while let Ok(Some(message)) = socket.recv().await {
                    socket.send(message).await.unwrap();
                }
            }),
        );
        run.go();
        far.room(first);
        topic.publish_all(prepared());
        run.go();
        far.send(Frame::ping("p").masked());
        far.send(Frame::text("answer me").masked());
        run.go();
        let written = trickle(&mut run, &far, 0, 50);
        let got = far.frames_of(&written);
        let behind = [frames(), vec![Frame::pong("p"), Frame::text("answer me")]].concat();
        // With no room at all the pong is as early as it can be.
        if first > 0 && first < length {
            assert_eq!(got, behind, "{first}");
        }
        assert_eq!(got.len(), behind.len(), "{first}");
    }
}

type End = fn(&Far);

fn joined_length() -> usize {
    frames().iter().map(|frame| frame.plain().len()).sum()
}

/// Whatever ends the connection, the close frame stands behind whole frames.
#[test]
fn a_close_waits_for_the_rest() {
    let length = joined_length();
    let ends: [(u16, End); 4] = [
        (1000, |far| far.send(Frame::close(1000, "").masked())),
        (1002, |far| far.send(Frame::text("not masked").plain())),
        (1007, |far| far.send(Frame::text([0xff]).masked())),
        (1002, Far::end),
    ];
    for (code, end) in ends {
        for first in 0..=length {
            let topic = Topic::new(100);
            let (mut run, far) = fed(&Endpoint::server(), topic.subscribe().joined());
            far.room(first);
            topic.publish_all(prepared());
            run.go();
            end(&far);
            run.go();
            let written = trickle(&mut run, &far, 0, 77);
            let mut got = far.frames_of(&written);
            let close = got.pop().unwrap();
            assert_eq!(
                (close.first, &close.payload[..2]),
                (0x88, &code.to_be_bytes()[..])
            );
            assert_eq!(got, frames(), "{code} {first}");
        }
    }
    for first in 0..=length {
        let topic = Topic::new(100);
        let reader = topic.subscribe().joined();
        topic.publish_all(prepared());
        let (near, far) = transport();
        far.room(first);
        let mut run = Run::new(
            Endpoint::server().serve(near, async move |socket: WebSocket| {
                let mut socket = socket.feed_from(reader);
                let _ = socket.recv().await;
                socket.close(CloseFrame::new(CloseCode::GOING_AWAY)).await;
            }),
        );
        run.go();
        far.send(Frame::text("go").masked());
        let written = trickle(&mut run, &far, 0, 77);
        let mut got = far.frames_of(&written);
        assert_eq!(got.pop(), Some(Frame::close(1001, "")));
        assert_eq!(got, frames(), "{first}");
    }
}

/// How prepared messages get to a connection under a drain.
#[derive(Clone, Copy, Debug)]
enum Way {
    Fed,
    FedJoined,
    Sent,
    /// In one piece, and the handler is asleep until it has left.
    SentJoined,
}

/// A server behind a drain, on a transport that the test holds, with one task for the connection.
fn drained(drain: &Drain, clock: &Clock, topic: &Topic<Prepared>, way: Way) -> (Run<Task>, Far) {
    let (near, far) = transport();
    let topic = topic.clone();
    let handler = async move |mut socket: WebSocket| {
        let reader = topic.subscribe();
        let mut socket = match way {
            Way::Fed => socket.feed_from(reader),
            Way::FedJoined => socket.feed_from(reader.joined()),
            Way::Sent | Way::SentJoined => {
                let _ = socket.recv().await;
                let items = match way {
                    Way::Sent => prepared(),
                    _ => vec![joined()],
                };
                for item in items {
                    socket.send(item).await.unwrap();
                }
                let _ = socket.flush().await;
                socket
            }
        };
        while let Ok(Some(_)) = socket.recv().await {}
    };
    let spawned = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&spawned);
    let acceptor = Acceptor::new().timer(clock.timer());
    let app = drain.layer().layer(service_fn(move |request: Request<()>| {
        let slot = Arc::clone(&slot);
        let spawn = move |task: Task| *slot.lock().unwrap() = Some(task);
        let answer: Response<Full<Bytes>> = acceptor.upgrade(request, spawn, handler.clone());
        async { Ok::<_, Infallible>(answer) }
    }));
    let answer = app.oneshot(script::upgrade(near)).now_or_never().unwrap();
    assert_eq!(answer.unwrap().status(), 101);
    let mut run = Run::new(spawned.lock().unwrap().take().unwrap());
    run.go();
    (run, far)
}

/// A server that drains finishes the frames that have begun, and closes behind them.
#[test]
fn a_drain_waits_for_the_rest() {
    let length = joined_length();
    for way in [Way::Fed, Way::FedJoined, Way::Sent, Way::SentJoined] {
        for first in 0..=length {
            let (clock, topic) = (Clock::default(), Topic::new(100));
            let drain = Drain::new(clock.timer());
            let (mut run, far) = drained(&drain, &clock, &topic, way);
            far.room(first);
            topic.publish_all(prepared());
            far.send(Frame::text("go").masked());
            run.go();
            assert_eq!((far.unread(), drain.open()), (0, 1));
            let policy = DrainPolicy::default().spread(Duration::ZERO);
            drain.start_with(policy.deadline(Duration::from_secs(60)));
            clock.turn(Duration::from_millis(1));
            run.go();
            // Nothing is published to a connection that closes.
            topic.publish(Prepared::new("too late"));
            run.go();
            let written = trickle(&mut run, &far, 0, 77);
            let mut got = far.frames_of(&written);
            assert_eq!(
                got.pop(),
                Some(Frame::close(1001, "going away")),
                "{way:?} {first}"
            );
            assert_eq!(got, frames(), "{way:?} {first}");
            far.send(Frame::close(1001, "").masked());
            far.end();
            run.go();
            assert!(run.is_done() && far.is_shut(), "{way:?} {first}");
            let report = drain.finished().now_or_never().unwrap();
            assert_eq!((report.closed, report.forced), (1, 0), "{way:?} {first}");
        }
    }
}

#[test]
fn a_transport_that_fails_ends_the_connection() {
    let faults: [fn(&Far); 3] = [
        |far| far.fail_writes(io::ErrorKind::BrokenPipe),
        |far| {
            far.fail_flushes(io::ErrorKind::ConnectionReset);
            far.room(None);
        },
        Far::take_nothing,
    ];
    for fault in faults {
        for first in [0, 1, 200, 100_000] {
            let topic = Topic::new(100);
            let (mut run, far) = fed(&Endpoint::server(), topic.subscribe().joined());
            far.room(first);
            topic.publish_all(prepared());
            run.go();
            fault(&far);
            topic.publish(Prepared::new("one more"));
            run.go();
            let closed = run.output.unwrap();
            assert_eq!((closed.by(), closed.is_clean()), (ClosedBy::Nobody, false));
        }
    }
}

#[test]
fn a_client_masks() {
    for size in [5, 5000] {
        let (near, far) = transport();
        let mut socket = Endpoint::client().open(near);
        let mut run = Run::new(async move {
            socket.send(Prepared::new("x".repeat(size))).await.unwrap();
            socket.send(joined()).await.unwrap();
            socket.flush().await.unwrap();
            socket
        });
        run.go();
        let written = far.written();
        assert_eq!(written[1] & 0x80, 0x80);
        let expected = [vec![Frame::text("x".repeat(size))], frames()].concat();
        let masked: usize = expected.iter().map(|frame| frame.masked().len()).sum();
        assert_eq!(written.len(), masked);
        assert_eq!(far.frames_of(&written), expected);
    }
}

/// A piece takes as much room as its messages.
#[test]
fn a_piece_counts_as_its_messages() {
    for (limits, room) in [
        (Limits::new().queued_messages(10), false),
        (Limits::new().queued_messages(11), true),
        (Limits::new().queued_bytes(1102), false),
        (Limits::new().queued_bytes(1103), true),
    ] {
        assert_eq!(joined().messages().count(), 10);
        assert_eq!(joined().messages().map(Message::len).sum::<usize>(), 1102);
        let (near, far) = transport();
        far.room(0);
        let mut run = Run::new(Endpoint::server().limits(limits).serve(
            near,
            async move |mut socket: WebSocket| {
                // The first is with the driver, and counts until it has left.
                socket.send(joined()).await.unwrap();
                assert_eq!(socket.ready().now_or_never().is_some(), room);
                tokio::task::yield_now().now_or_never();
                assert_eq!(socket.ready().now_or_never().is_some(), room);
                socket.flush().await.unwrap();
                assert!(socket.ready().now_or_never().is_some());
            },
        ));
        run.go();
        far.room(None);
        run.go();
        assert_eq!(far.frames().len(), 11);
    }
}

/// What is dropped while it is being written is dropped with the connection, and nobody waits for it.
#[test]
fn it_can_be_dropped_at_every_byte() {
    for first in 0..joined_length() {
        let topic = Topic::new(100);
        let (mut run, far) = fed(&Endpoint::server(), topic.subscribe().joined());
        far.room(first);
        topic.publish_all(prepared());
        run.go();
        drop(run);
        assert!(far.is_dropped());
        assert_eq!(far.written().len(), first);
        assert_eq!(topic.subscribers(), 0);
    }
}

/// A peer that takes nothing of it is as dead as any other.
#[test]
fn a_peer_that_takes_nothing_is_noticed() {
    let clock = Clock::default();
    let endpoint = Endpoint::server().timer(clock.timer());
    let topic = Topic::new(100);
    let (mut run, far) = fed(&endpoint, topic.subscribe().joined());
    far.room(7);
    topic.publish_all(prepared());
    run.go();
    for _ in 0..100 {
        clock.turn(Duration::from_secs(5));
        run.go();
    }
    assert_eq!(run.output.unwrap().code(), 1008);
    assert_eq!(far.written().len(), 7);
}

/// Repeatable numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit) as usize
    }
}

/// Two sources and a peer that pings, in any order, over a transport that stops anywhere.
#[test]
fn sources_stay_in_order() {
    for seed in 1..400 {
        let mut random = Random(seed << 20 | seed);
        let topic = Topic::new(10_000);
        let reader = topic.subscribe();
        let reader = if seed % 2 == 0 {
            reader.joined()
        } else {
            reader
        };
        let (near, far) = transport();
        let mut run = Run::new(
            Endpoint::server().serve(near, async move |socket: WebSocket| {
                let mut socket = socket.feed_from(reader);
                while let Ok(Some(message)) = socket.recv().await {
                    socket.send(Prepared::new(message)).await.unwrap();
                }
            }),
        );
        far.room(0);
        let (mut fed, mut asked, mut written) = (0, 0, Vec::new());
        for _ in 0..200 {
            match random.below(4) {
                0 => {
                    let more = random.below(4);
                    let size = [3, 100, 5000][random.below(3)];
                    topic.publish_all(
                        (fed..fed + more)
                            .map(|n| Prepared::new(format!("{n}{}", " ".repeat(size)))),
                    );
                    fed += more;
                }
                1 => {
                    far.send(Frame::binary(asked.to_string()).masked());
                    asked += 1;
                }
                2 => far.send(Frame::ping("p").masked()),
                _ => far.room(random.below(9000)),
            }
            run.go();
            written.extend(far.written());
        }
        far.room(None);
        run.go();
        written.extend(far.written());
        let (mut texts, mut binaries) = (0, 0);
        for frame in far.frames_of(&written) {
            let payload = String::from_utf8(frame.payload).unwrap();
            let count = match frame.first {
                0x81 => &mut texts,
                0x82 => &mut binaries,
                _ => continue,
            };
            assert_eq!(payload.trim_end(), count.to_string(), "{seed}");
            *count += 1;
        }
        assert_eq!((texts, binaries), (fed, asked), "{seed}");
    }
}

#[derive(Clone, Default)]
struct Ends(Arc<Mutex<Vec<StreamEnd>>>);

impl StreamObserver for Ends {
    fn ended(&self, _: &StreamInfo, end: &StreamEnd) {
        self.0.lock().unwrap().push(end.clone());
    }
}

/// Messages are counted, and the bytes of their payloads, however they leave.
#[tokio::test]
async fn statistics_count_messages() {
    for (sent, fed) in [(true, false), (false, true), (true, true)] {
        let ends = Ends::default();
        let app = ObserveLayer::new().observer(ends.clone()).layer(service_fn(
            move |request: Request<Empty<Bytes>>| async move {
                let response: Response<Full<Bytes>> =
                    Acceptor::new().upgrade(request, Tokio, async move |socket: WebSocket| {
                        let topic = Topic::new(100);
                        let mut socket = socket.feed_from(topic.subscribe().joined());
                        if sent {
                            socket.send(joined()).await.unwrap();
                            socket.send("alone").await.unwrap();
                        }
                        if fed {
                            topic.publish_all(prepared());
                        }
                        while let Ok(Some(_)) = socket.recv().await {}
                    });
                Ok::<_, Infallible>(response)
            },
        ));
        let request = Request::get("/").body(Empty::new()).unwrap();
        let (mut socket, _) = Connector::new()
            .connect(Loopback::new(app), request)
            .await
            .unwrap();
        let (mut count, mut bytes) = (0, 0);
        for _ in 0..11 * usize::from(sent) + 10 * usize::from(fed) {
            bytes += socket.recv().await.unwrap().unwrap().len() as u64;
            count += 1;
        }
        socket.close(None).await;
        while ends.0.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let stats = ends.0.lock().unwrap()[0].stats;
        assert_eq!((stats.events_sent, stats.bytes_sent), (count, bytes));
        assert!(count >= 10 && bytes >= 1102);
    }
}
