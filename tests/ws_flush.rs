//! When a flush is over, how long one turn of a sender is, and what is counted of what leaves late.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "support/script.rs"]
mod script;

use std::{
    cell::RefCell,
    convert::Infallible,
    future::{Future, pending, poll_fn},
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::{
    FutureExt, Sink,
    future::{join, select},
    stream,
};
use http::{Request, Response};
use http_body_util::Full;
use script::{Far, Frame, Run, serve, transport};
use tower::{Layer, ServiceExt, service_fn};
use tower_realtime::{
    layers::ObserveLayer,
    lifecycle::{StreamEnd, StreamInfo},
    rt::Task,
    ws::{Acceptor, Error, Message, MessageKind, Outgoing, WebSocket},
};

/// Larger than what the other side takes at a time.
const LARGE: usize = 20_000;

/// Takes a little at a time, from a sender that has always more: the frames.
fn slowly(run: &mut Run<impl Future>, far: &Far) -> Vec<Frame> {
    far.room(0);
    run.go();
    let mut taken = Vec::new();
    for _ in 0..2000 {
        far.room(7_000);
        run.go();
        taken.extend(far.written());
    }
    far.whole_frames_of(&taken).0
}

#[test]
fn a_flush_ends_beside_a_feed() {
    let flushed = Rc::new(RefCell::new(false));
    let seen = Rc::clone(&flushed);
    let (mut run, far) = serve(async move |socket: WebSocket| {
        let feed = stream::repeat_with(|| Ok::<_, Error>(Outgoing::from(vec![7; LARGE])));
        let mut socket = socket.feed_from(feed);
        socket.send("mine").await?;
        socket.flush().await?;
        *flushed.borrow_mut() = true;
        socket.recv().await.map(drop)
    });
    assert!(slowly(&mut run, &far).contains(&Frame::text("mine")));
    assert!(*seen.borrow());
}

#[test]
fn a_flush_ends_beside_another_sender() {
    let flushed = Rc::new(RefCell::new(false));
    let seen = Rc::clone(&flushed);
    let (mut run, far) = serve(async move |socket: WebSocket| {
        let (sender, _receiver, _driving) = socket.split();
        let other = sender.clone();
        let others = async move { while other.send(vec![7; LARGE]).await.is_ok() {} };
        let mine = async move {
            sender.send("mine").await.unwrap();
            sender.flush().await.unwrap();
            *flushed.borrow_mut() = true;
            pending::<()>().await;
        };
        select(Box::pin(mine), Box::pin(others)).await;
        Ok(())
    });
    assert!(slowly(&mut run, &far).contains(&Frame::text("mine")));
    assert!(*seen.borrow());
}

#[test]
fn a_flush_is_over_before_the_close_is() {
    let flushed = Rc::new(RefCell::new(None));
    let seen = Rc::clone(&flushed);
    let (mut run, far) = serve(async move |socket: WebSocket| {
        let (sender, _receiver, _driving) = socket.split();
        sender.send(vec![1; 2 * LARGE]).await?;
        let closer = sender.clone();
        let flush = async { *flushed.borrow_mut() = Some(sender.flush().await.is_ok()) };
        join(flush, closer.close(None)).await;
        Ok(())
    });
    far.room(100);
    run.go();
    assert_eq!(*seen.borrow(), None);
    far.room(None);
    run.go();
    assert_eq!(*seen.borrow(), Some(true));
    assert_eq!(far.frames().len(), 2, "the message and the close");
}

/// A message that waits for the end of a message in parts can't be waited for by that one.
#[test]
fn a_flush_of_parts_does_not_wait_for_what_waits_for_it() {
    let (mut run, far) = serve(async move |socket: WebSocket| {
        let (sender, _receiver, _driving) = socket.split();
        let mut sink = sender.clone();
        poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx)).await?;
        let mut message = sender.send_stream(MessageKind::Text);
        message.write("a").await?;
        message.flush().await?;
        Pin::new(&mut sink).start_send(Message::from("late"))?;
        message.write("b").await?;
        message.flush().await?;
        message.finish().await
    });
    run.go();
    let frames = far.frames();
    assert_eq!(
        frames
            .iter()
            .filter(|frame| frame.payload == b"late")
            .count(),
        1
    );
    assert_eq!(frames.last().unwrap().first, 0x88);
}

/// A transport that takes everything at once does not keep the thread from others.
#[test]
fn a_sender_yields() {
    for (size, count) in [(64 << 10, 200), (1, 20_000)] {
        let payload = Bytes::from(vec![1; size]);
        let (mut run, far) = serve(async move |mut socket: WebSocket| {
            for _ in 0..count {
                socket.send(payload.clone()).await?;
            }
            Ok(())
        });
        let polls = run.go();
        assert!(far.written().len() > size * count);
        assert!(polls >= 10, "{polls} polls of {count} messages of {size} B");
    }
}

#[test]
fn what_leaves_while_closing_is_counted() {
    let (near, far) = transport();
    let ends = Arc::new(Mutex::new(Vec::new()));
    let (seen, task) = (Arc::clone(&ends), Arc::new(Mutex::new(None)));
    let slot = Arc::clone(&task);
    let observer = move |_: &StreamInfo, end: &StreamEnd| seen.lock().unwrap().push(end.stats);
    let service = service_fn(move |request: Request<()>| {
        let slot = Arc::clone(&slot);
        let spawn = move |task: Task| *slot.lock().unwrap() = Some(task);
        let answer: Response<Full<Bytes>> =
            Acceptor::new().upgrade(request, spawn, async |mut socket: WebSocket| {
                for _ in 0..3 {
                    socket.send(vec![1; LARGE]).await.unwrap();
                }
            });
        async { Ok::<_, Infallible>(answer) }
    });
    let app = ObserveLayer::new().observer(observer).layer(service);
    let answer = app.oneshot(script::upgrade(near)).now_or_never().unwrap();
    assert_eq!(answer.unwrap().status(), 101);
    let mut run = Run::new(task.lock().unwrap().take().unwrap());
    far.room(300);
    run.go();
    far.room(None);
    run.go();
    far.send(Frame::close(1000, "").masked());
    far.end();
    run.go();
    let stats = ends.lock().unwrap()[0];
    assert_eq!((stats.events_sent, stats.bytes_sent), (3, 3 * LARGE as u64));
}
