//! One scenario on every kind of runtime: tokio, smol, and none at all.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    convert::Infallible,
    future::{poll_fn, ready},
    pin::pin,
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::service_fn;
use tower_realtime::{
    loopback::Loopback,
    rt::{Smol, Spawn, Task, Timer, Tokio},
    sse::{Event, EventName, KeepAlive, Sse},
    ws::{self, Acceptor, CloseCode, Connector, Heartbeat, Message, WebSocket},
};

/// An event stream that falls silent after two events is kept alive by the clock of the runtime.
async fn event_stream<T: Timer>(timer: T) {
    let events = [
        Event::new("one").id(1),
        Event::new("two").name(EventName::from_static("second")),
    ];
    let events = stream::iter(events.map(Ok::<_, Infallible>)).chain(stream::pending());
    let keep_alive = KeepAlive::new(timer).interval(Duration::from_millis(4));
    let mut body = pin!(
        Sse::new(events)
            .keep_alive(keep_alive)
            .into_response()
            .into_body()
    );
    let mut seen = String::new();
    while seen.matches(":\n").count() < 3 {
        let frame = body.frame().await.unwrap().unwrap();
        seen.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
    }
    assert_eq!(
        seen,
        "id: 1\ndata: one\n\nevent: second\ndata: two\n\n:\n:\n:\n"
    );
}

/// A WebSocket echoes beside its heartbeat, whatever runs the server's task, and closes with the client's code.
async fn web_socket<R>(runtime: R)
where
    R: Timer<Sleep: Send> + Spawn + Clone + Send + Sync + 'static,
{
    let heartbeat = Heartbeat::new().interval(Duration::from_millis(4));
    let acceptor = Acceptor::new().timer(runtime.clone()).heartbeat(heartbeat);
    let spawn = runtime.clone();
    let server = Loopback::new(service_fn(move |request: Request<String>| {
        ready(Ok::<Response<Full<Bytes>>, Infallible>(acceptor.upgrade(
            request,
            spawn.clone(),
            echo,
        )))
    }));
    let request = Request::get("http://localhost/echo")
        .body(String::new())
        .unwrap();
    let (mut socket, _) = Connector::new().connect(server, request).await.unwrap();
    for message in [
        Message::from("text"),
        Message::from(vec![0, 255]),
        Message::from(""),
    ] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(message));
    }
    // The server's heartbeat asks while nobody else speaks, and this answer only comes after it was answered.
    socket.send("round trip").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("measured".into()));
    let closed = socket.close(CloseCode::NORMAL).await;
    assert!(closed.is_clean() && closed.code() == 1000, "{closed:?}");
}

async fn echo(mut socket: WebSocket) -> Result<(), ws::Error> {
    while let Some(message) = socket.recv().await? {
        if message.as_text() == Some("round trip") {
            while socket.round_trip().is_none() {
                yield_now().await;
            }
            socket.send("measured").await?;
        } else {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn scenario<R>(runtime: R)
where
    R: Timer<Sleep: Send> + Spawn + Clone + Send + Sync + 'static,
{
    event_stream(runtime.clone()).await;
    web_socket(runtime).await;
}

#[tokio::test]
async fn on_tokio() {
    scenario(Tokio).await;
}

#[test]
fn on_smol() {
    smol::block_on(scenario(Smol));
}

/// No runtime: a future is polled by whoever waits for it, a task and a sleep have a thread each.
#[test]
fn on_none() {
    none::block_on(scenario(none::NoRuntime));
}

mod none {
    use std::{
        pin::{Pin, pin},
        sync::{Arc, Mutex},
        task::{Context, Poll, Wake, Waker},
        thread::{self, Thread},
        time::Duration,
    };

    use super::{Spawn, Task, Timer};

    #[derive(Clone, Copy)]
    pub(crate) struct NoRuntime;

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
        let mut future = pin!(future);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            thread::park();
        }
    }

    impl Spawn for NoRuntime {
        fn spawn(&self, task: Task) {
            thread::spawn(|| block_on(task));
        }
    }

    impl Timer for NoRuntime {
        type Sleep = Sleep;

        fn sleep(&self, duration: Duration) -> Sleep {
            let state = Arc::new(Mutex::new(State::default()));
            let theirs = Arc::clone(&state);
            thread::spawn(move || {
                thread::sleep(duration);
                let mut state = theirs.lock().unwrap();
                state.over = true;
                if let Some(waker) = state.waker.take() {
                    waker.wake();
                }
            });
            Sleep(state)
        }
    }

    #[derive(Default)]
    struct State {
        over: bool,
        waker: Option<Waker>,
    }

    pub(crate) struct Sleep(Arc<Mutex<State>>);

    impl Future for Sleep {
        type Output = ();

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            let mut state = self.0.lock().unwrap();
            if state.over {
                return Poll::Ready(());
            }
            state.waker = Some(cx.waker().clone());
            Poll::Pending
        }
    }
}
