//! What a WebSocket does as time passes, on a clock that stands until the test turns it.

#[path = "support/script.rs"]
mod script;

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use script::{Clock, Far, Frame, Run, transport};
use tower_realtime::ws::{self, Closed, ClosedBy, Endpoint, Heartbeat, Limits, WebSocket};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn echo(mut socket: WebSocket) -> Result<(), ws::Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

async fn busy(_socket: WebSocket) {
    pending().await
}

struct Served<F: Future> {
    run: Run<F>,
    far: Far,
    clock: Clock,
}

fn serve<O: ws::Outcome, Fut: Future<Output = O>>(
    endpoint: Endpoint,
    handler: impl FnOnce(WebSocket) -> Fut,
) -> Served<impl Future<Output = Closed>> {
    let (near, far) = transport();
    let clock = Clock::default();
    let mut run = Run::new(endpoint.timer(clock.timer()).serve(near, handler));
    run.go();
    Served { run, far, clock }
}

impl<F: Future<Output = Closed>> Served<F> {
    /// Lets time pass, second by second; what was written meanwhile.
    fn pass(&mut self, time: Duration) -> Vec<Frame> {
        for _ in 0..time.as_secs() {
            self.clock.turn(s(1));
            self.run.go();
        }
        self.far.frames()
    }

    fn send(&mut self, frame: &Frame) {
        self.far.send(frame.masked());
        self.run.go();
    }

    fn outcome(&self) -> (ClosedBy, u16, bool) {
        let closed = self.run.output.as_ref().expect("the connection has ended");
        (closed.by(), closed.code(), closed.is_clean())
    }
}

fn close_code(frames: &[Frame]) -> u16 {
    let [
        Frame {
            first: 0x88,
            payload,
            ..
        },
    ] = frames
    else {
        panic!("{frames:?} is not one close frame");
    };
    u16::from_be_bytes([payload[0], payload[1]])
}

#[test]
fn pings_every_twenty_seconds_also_beside_a_handler_that_never_reads() {
    let mut it = serve(Endpoint::server(), busy);
    for _ in 0..5 {
        assert_eq!(it.pass(s(19)), []);
        let [ping] = &it.pass(s(1))[..] else {
            panic!("no ping")
        };
        assert_eq!(ping.first, 0x89);
        it.send(&Frame::pong(&ping.payload));
    }
}

#[test]
fn measures_the_round_trip() {
    let seen = Arc::new(Mutex::new(None));
    let trip = Arc::clone(&seen);
    let mut it = serve(Endpoint::server(), async move |mut socket: WebSocket| {
        while let Ok(Some(_)) = socket.recv().await {
            *trip.lock().unwrap() = socket.round_trip();
        }
    });
    it.send(&Frame::text("before"));
    assert_eq!(*seen.lock().unwrap(), None);
    let ping = it.pass(s(20)).remove(0);
    it.send(&Frame::pong(b"not mine"));
    it.send(&Frame::text("still"));
    assert_eq!(*seen.lock().unwrap(), None);
    it.send(&Frame::pong(ping.payload));
    it.send(&Frame::text("after"));
    assert!(seen.lock().unwrap().is_some());
}

#[test]
fn gives_a_silent_peer_up() {
    let seen = Arc::new(Mutex::new(None));
    let error = Arc::clone(&seen);
    let mut it = serve(Endpoint::server(), async move |mut socket: WebSocket| {
        *error.lock().unwrap() = socket.recv().await.err();
    });
    assert_eq!(it.pass(s(29)).len(), 1);
    assert_eq!(close_code(&it.pass(s(1))), 1008);
    assert!(seen.lock().unwrap().take().unwrap().is_timeout());
    it.pass(s(5));
    assert_eq!(it.outcome(), (ClosedBy::Local, 1008, false));
    assert!(it.far.is_dropped());
}

#[test]
fn takes_any_sign_of_life_for_an_answer() {
    for sign in [Frame::text("x"), Frame::ping(""), Frame::new(0x01, "part")] {
        let mut it = serve(Endpoint::server(), echo);
        it.pass(s(25));
        it.send(&sign);
        it.far.frames();
        assert_eq!(it.pass(s(14)), [], "{sign:?}");
    }
}

#[test]
fn does_not_count_silence_while_it_does_not_read() {
    let limits = Limits::new().queued_messages(2);
    let mut it = serve(Endpoint::server().limits(limits), busy);
    for _ in 0..5 {
        it.send(&Frame::text("nobody takes this"));
    }
    let pings = it.pass(s(100));
    assert_eq!(pings.len(), 5);
    assert!(pings.iter().all(|frame| frame.first == 0x89));
}

#[test]
fn closes_what_is_idle() {
    let beat = Heartbeat::off().idle(s(60));
    let mut it = serve(Endpoint::server().heartbeat(beat), echo);
    for _ in 0..3 {
        it.send(&Frame::text("use"));
        assert_eq!(it.pass(s(50)).len(), 1);
    }
    it.send(&Frame::ping("is no use"));
    let mut frames = it.pass(s(40));
    assert_eq!(frames.remove(0).first, 0x8a);
    assert_eq!(close_code(&frames), 1001);
}

#[test]
fn has_no_heartbeat_without_a_timer_or_when_it_is_off() {
    let mut it = serve(Endpoint::server().heartbeat(Heartbeat::off()), echo);
    assert_eq!(it.pass(s(300)), []);
}

#[test]
fn limits_the_time_of_one_message() {
    let beat = Heartbeat::off();
    let part = Frame::new(0x01, "part");
    for trickle in [false, true] {
        let mut it = serve(Endpoint::server().heartbeat(beat.clone()), echo);
        it.pass(s(100));
        it.send(&part);
        for _ in 0..29 {
            assert_eq!(it.pass(s(1)), []);
            if trickle {
                it.send(&Frame::new(0x00, "."));
            }
        }
        assert_eq!(close_code(&it.pass(s(1))), 1008);
    }
    // Each message has its own time.
    let mut it = serve(Endpoint::server().heartbeat(beat), echo);
    for _ in 0..5 {
        it.send(&part);
        assert_eq!(it.pass(s(20)), []);
        it.send(&Frame::new(0x80, "end"));
        assert_eq!(it.far.frames(), [Frame::text("partend")]);
    }
}

#[test]
fn waits_five_seconds_for_the_close_of_the_peer() {
    let mut it = serve(Endpoint::server(), async |_: WebSocket| {});
    assert_eq!(close_code(&it.far.frames()), 1000);
    it.pass(s(4));
    assert!(!it.run.is_done());
    it.pass(s(1));
    assert_eq!(it.outcome(), (ClosedBy::Local, 1000, false));
    assert!(it.far.is_dropped());
}

#[test]
fn answers_a_close_when_the_handler_takes_too_long() {
    let mut it = serve(Endpoint::server(), async |mut socket: WebSocket| {
        let _ = socket.recv().await;
        pending::<()>().await
    });
    it.send(&Frame::text("work"));
    it.send(&Frame::close(1000, ""));
    assert_eq!(it.pass(s(4)), []);
    assert_eq!(close_code(&it.pass(s(1))), 1000);
    it.far.end();
    it.run.go();
    assert!(it.far.is_dropped());
    assert!(!it.run.is_done(), "the handler goes on");
}

#[test]
fn answers_a_close_at_once_when_the_handler_only_writes() {
    let mut it = serve(Endpoint::server(), busy);
    it.send(&Frame::close(4321, ""));
    assert_eq!(close_code(&it.far.frames()), 4321);
}

#[test]
fn drains_for_a_bounded_time_and_size() {
    for flood in [false, true] {
        let mut it = serve(Endpoint::server(), echo);
        it.send(&Frame::new(0xf1, "wrong"));
        assert_eq!(close_code(&it.far.frames()), 1002);
        assert!(it.far.is_shut() && !it.far.is_dropped());
        if flood {
            it.far.send(vec![0; 3 << 20]);
            it.run.go();
            assert!(it.far.unread() > 1 << 20, "not all of it is read");
        } else {
            it.pass(s(5));
        }
        assert_eq!(it.outcome(), (ClosedBy::Local, 1002, false));
    }
}

#[test]
fn ends_in_time_when_the_peer_takes_nothing() {
    let mut it = serve(Endpoint::server(), async |mut socket: WebSocket| {
        let _ = socket.recv().await;
        socket.send("never leaves").await
    });
    it.far.room(0);
    it.send(&Frame::text("go"));
    it.pass(s(4));
    assert!(!it.run.is_done());
    it.pass(s(1));
    assert!(it.run.is_done());
}

#[test]
fn answers_ten_pings_and_keeps_the_newest_when_blocked() {
    let limits = Limits::new().control_frames(u32::MAX);
    let mut it = serve(Endpoint::server().limits(limits), echo);
    let pings = |n: u8| {
        (0..n)
            .flat_map(|n| Frame::ping([n]).masked())
            .collect::<Vec<_>>()
    };
    it.far.send(pings(10));
    it.run.go();
    let pongs: Vec<_> = (0..10).map(|n| Frame::pong([n])).collect();
    assert_eq!(it.far.frames(), pongs);
    it.far.room(0);
    it.send(&Frame::text("fills what is written"));
    for _ in 0..200 {
        it.far.send(pings(100));
        it.run.go();
    }
    it.far.room(None);
    it.run.go();
    let frames = it.far.frames();
    assert!(frames.len() < 50, "{} frames wait", frames.len());
    assert_eq!(frames.last(), Some(&Frame::pong([99])));
}

/// How many pings come in each second, with a heartbeat or without, and the code that leaves, if any.
#[test]
fn a_peer_that_pings_too_fast_is_closed() {
    let rows: &[(&[usize], bool, Option<u16>)] = &[
        (&[100], true, None),
        (&[101], true, Some(1008)),
        (&[101], false, Some(1008)),
        // Half of it is always fine, for as long as it likes.
        (&[50; 60], true, None),
        (&[50; 60], false, None),
        (&[100, 0, 100, 0, 100], true, None),
        (&[60, 60, 60], true, None),
        (&[90, 20], false, None),
        // The answers are the peer's to slow down, not its silence.
        (&[0; 200], false, None),
    ];
    for (seconds, beats, code) in rows {
        let heartbeat = match beats {
            true => Heartbeat::new().timeout(s(1000)),
            false => Heartbeat::off(),
        };
        let limits = Limits::new().control_frames(100);
        let endpoint = Endpoint::server().limits(limits).heartbeat(heartbeat);
        let mut served = serve(endpoint, echo);
        let mut frames = Vec::new();
        for &count in *seconds {
            served.far.send(Frame::ping("p").masked().repeat(count));
            served.run.go();
            frames.extend(served.pass(s(1)));
        }
        let last = frames.iter().find(|frame| frame.first == 0x88);
        let got = last.map(|frame| u16::from_be_bytes([frame.payload[0], frame.payload[1]]));
        assert_eq!(got, *code, "{seconds:?} {beats}");
    }
}

/// The heartbeat starts the count anew: the second that was under way must not do so once more.
#[test]
fn a_beat_leaves_no_second_behind() {
    let limits = Limits::new().control_frames(100);
    let heartbeat = Heartbeat::new().interval(s(4)).timeout(s(3));
    let endpoint = Endpoint::server().limits(limits).heartbeat(heartbeat);
    let mut served = serve(endpoint, echo);
    let pings = |count| Frame::ping("p").masked().repeat(count);
    served.pass(s(3));
    served.clock.turn(s(1) / 2);
    served.far.send(pings(60));
    served.run.go();
    for _ in 0..3 {
        served.clock.turn(s(1) / 2); // to the beat, and to the end of the second
        served.run.go();
    }
    for (count, code) in [(60, None), (40, None), (1, Some(1008))] {
        served.far.send(pings(count));
        served.run.go();
        let frames = served.far.frames();
        let close = frames.iter().find(|frame| frame.first == 0x88);
        let got = close.map(|frame| u16::from_be_bytes([frame.payload[0], frame.payload[1]]));
        assert_eq!(got, code, "{count}");
    }
}

/// Where no clock bounds it, what comes is: a peer that sends for ever, and never a close frame, keeps nobody busy.
/// One that closes behind a lot of data is waited for.
#[test]
fn a_flood_is_an_end_without_a_timer() {
    let frame = Frame::binary(vec![0; 1 << 20]);
    let roles = [
        (Endpoint::server(), frame.masked()),
        (Endpoint::client(), frame.plain()),
    ];
    for (room, (endpoint, frame)) in [None, Some(0)].into_iter().zip(&roles) {
        let (near, far) = transport();
        far.room(room);
        let mut run = Run::new(endpoint.serve(near, async |_: WebSocket| ()));
        run.go();
        let mut megabytes = 0;
        while !run.is_done() {
            far.send(frame);
            run.go();
            megabytes += 1;
            assert!(megabytes < 25, "it reads for ever");
        }
        assert!(megabytes > 15);
        let closed = run.output.as_ref().unwrap();
        assert_eq!((closed.by(), closed.is_clean()), (ClosedBy::Local, false));
        assert_eq!(far.is_shut(), room.is_none());
        assert!(far.is_dropped());
    }
    let (near, far) = transport();
    let mut run = Run::new(Endpoint::server().serve(near, async |_: WebSocket| ()));
    for _ in 0..15 {
        far.send(frame.masked());
        run.go();
    }
    far.send(Frame::close(1000, "").masked());
    far.end();
    run.go();
    assert!(run.output.unwrap().is_clean());
}
