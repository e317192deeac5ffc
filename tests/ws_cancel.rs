//! Every future of a socket, dropped at every poll: nothing is lost, nothing comes twice.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "support/insist.rs"]
mod insist;
#[path = "support/script.rs"]
mod script;

use std::{
    future::Future,
    sync::{Arc, Mutex},
    task::Poll,
};

use insist::insist;
use script::{Far, Frame, Run, transport};
use tower_realtime::ws::{CloseCode, Endpoint, Limits, Message, Receiver, Sender, WebSocket};

async fn impatient_echo(mut socket: WebSocket, polls: usize) {
    while let Some(message) = insist!(polls, socket.recv()).unwrap() {
        insist!(polls, socket.ready()).unwrap();
        insist!(polls, socket.send(message.clone())).unwrap();
        if message.len() % 3 == 0 {
            insist!(polls, socket.flush()).unwrap();
        }
    }
    insist!(polls, socket.closed());
}

const COUNT: usize = 40;

fn frame(n: usize) -> Frame {
    Frame::text(format!("{n}:").repeat(1 + n % 7))
}

/// Plays a peer that reads and writes a few bytes at a time; what it got.
fn play(run: &mut impl Go, far: &Far, encode: fn(&Frame) -> Vec<u8>, piece: usize) -> Vec<Frame> {
    let input: Vec<u8> = (0..COUNT).flat_map(|n| encode(&frame(n))).collect();
    let got = far.play(&input, piece, || run.go());
    far.frames_of(&got)
}

fn expected() -> Vec<Frame> {
    (0..COUNT).map(frame).collect()
}

fn limits() -> Limits {
    Limits::new().queued_messages(3)
}

#[test]
fn beside_a_handler() {
    for polls in 1..4 {
        for piece in [1, 2, 3, 7, 50, 1000] {
            let (near, far) = transport();
            let endpoint = Endpoint::server().limits(limits());
            let mut run = Run::new(endpoint.serve(near, |socket| impatient_echo(socket, polls)));
            run.go();
            let got = play(&mut run, &far, Frame::masked, piece);
            assert_eq!(got, expected(), "{polls} {piece}");
            far.room(None);
            far.send(Frame::close(1000, "").masked());
            run.go();
            assert!(run.output.unwrap().is_clean(), "{polls} {piece}");
        }
    }
}

#[test]
fn driven_by_its_own_methods() {
    for polls in 1..4 {
        for piece in [1, 2, 3, 7, 50, 1000] {
            let (near, far) = transport();
            let socket = Endpoint::client().limits(limits()).open(near);
            let mut run = Run::new(impatient_echo(socket, polls));
            run.go();
            let got = play(&mut run, &far, Frame::plain, piece);
            assert_eq!(got, expected(), "{polls} {piece}");
            far.room(None);
            far.send(Frame::close(1000, "").plain());
            run.go();
            far.end();
            run.go();
            assert!(run.is_done());
        }
    }
}

async fn impatient_split(sender: Sender, mut receiver: Receiver, polls: usize) {
    while let Some(message) = insist!(polls, receiver.recv()).unwrap() {
        insist!(polls, sender.send(message.clone())).unwrap();
        insist!(polls, sender.flush()).unwrap();
    }
    insist!(polls, receiver.closed());
}

#[test]
fn split() {
    for polls in 1..4 {
        for piece in [1, 5, 100] {
            let (near, far) = transport();
            let (sender, receiver, driving) =
                Endpoint::server().limits(limits()).open(near).split();
            // Two tasks, each with a waker of its own: each must be woken for its own reasons.
            let mut user = Run::new(impatient_split(sender, receiver, polls));
            let mut driver = Run::new(driving);
            let mut run = Both(&mut user, &mut driver);
            let got = play(&mut run, &far, Frame::masked, piece);
            assert_eq!(got, expected(), "{polls} {piece}");
            far.room(None);
            far.send(Frame::close(1000, "").masked());
            run.go();
            assert!(user.is_done() && driver.is_done());
        }
    }
}

struct Both<'a, A: Future, B: Future>(&'a mut Run<A>, &'a mut Run<B>);

impl<A: Future, B: Future> Go for Both<'_, A, B> {
    fn go(&mut self) -> usize {
        let mut polls = 0;
        loop {
            match self.0.go() + self.1.go() {
                0 => return polls,
                more => polls += more,
            }
        }
    }
}

/// One or more tasks.
trait Go {
    fn go(&mut self) -> usize;
}

impl<F: Future> Go for Run<F> {
    fn go(&mut self) -> usize {
        Self::go(self)
    }
}

#[test]
fn a_sender_waits_for_room_and_learns_of_the_end() {
    let (near, far) = transport();
    far.room(0);
    let (sender, receiver, driving) = Endpoint::server().limits(limits()).open(near).split();
    let mut driver = Run::new(driving);
    let other = sender.clone();
    let mut sends = Run::new(async move {
        let mut count = 0;
        while other.send("x").await.is_ok() {
            count += 1;
        }
        count
    });
    for _ in 0..10 {
        sends.go();
        driver.go();
    }
    assert!(!sends.is_done());
    far.end();
    far.fail_writes(std::io::ErrorKind::BrokenPipe);
    far.room(None);
    for _ in 0..10 {
        driver.go();
        sends.go();
    }
    assert!(sends.output.is_some_and(|count| count >= 3));
    assert!(driver.is_done() && sender.is_closed());
    drop(receiver);
}

#[test]
fn without_handles_it_says_goodbye() {
    let (near, far) = transport();
    let (sender, receiver, driving) = Endpoint::server().open(near).split();
    let mut driver = Run::new(driving);
    let mut sends = Run::new(async move { sender.send("last").await });
    sends.go();
    driver.go();
    drop(sends);
    drop(receiver);
    driver.go();
    assert_eq!(far.frames(), [Frame::text("last"), Frame::close(1000, "")]);
}

#[test]
fn without_a_receiver_messages_are_dropped_and_pings_answered() {
    let (near, far) = transport();
    let (sender, receiver, driving) = Endpoint::server().limits(limits()).open(near).split();
    let mut driver = Run::new(driving);
    drop(receiver);
    far.send(Frame::text("x").masked().repeat(100));
    far.send(Frame::ping("p").masked());
    driver.go();
    assert_eq!(far.frames(), [Frame::pong("p")]);
    drop(sender);
}

#[test]
fn without_its_driver_nobody_waits_for_ever() {
    let (near, _far) = transport();
    let (sender, mut receiver, driving) = Endpoint::server().open(near).split();
    let mut recv = Run::new(async move { receiver.recv().await });
    let mut closed = Run::new(async move { sender.close(CloseCode::NORMAL).await });
    recv.go();
    closed.go();
    drop(driving);
    recv.go();
    closed.go();
    assert!(matches!(recv.output, Some(Ok(None))));
    assert_eq!(closed.output.unwrap().code(), 1006);
}

#[test]
fn a_feed_is_sent_beside_what_the_handler_does() {
    let (near, far) = transport();
    let (feed, items) = futures_channel();
    let mut run = Run::new(Endpoint::server().serve(near, |socket: WebSocket| async {
        let mut socket = socket.feed_from(items);
        while let Ok(Some(message)) = socket.recv().await {
            socket.send(message).await.unwrap();
        }
    }));
    run.go();
    feed(Some(Ok("fed".into())));
    run.go();
    far.send(Frame::text("echo").masked());
    run.go();
    assert_eq!(far.frames(), [Frame::text("fed"), Frame::text("echo")]);
    feed(Some(Err("broken")));
    run.go();
    assert_eq!(far.frames(), [Frame::close(1011, "")]);
}

type Item = Result<Message, &'static str>;

/// A stream, and what adds to it or ends it.
fn futures_channel() -> (
    impl Fn(Option<Item>),
    impl futures_core::Stream<Item = Item> + Send,
) {
    let queue = Arc::new(Mutex::new((
        std::collections::VecDeque::new(),
        None::<std::task::Waker>,
    )));
    let feed = Arc::clone(&queue);
    let push = move |item| {
        let mut queue = feed.lock().unwrap();
        queue.0.push_back(item);
        if let Some(waker) = queue.1.take() {
            waker.wake();
        }
    };
    let stream = futures_util::stream::poll_fn(move |cx| {
        let mut queue = queue.lock().unwrap();
        if let Some(item) = queue.0.pop_front() {
            return Poll::Ready(item);
        }
        queue.1 = Some(cx.waker().clone());
        Poll::Pending
    });
    (push, stream)
}
