//! A service seen as a client: what reaches it, and the connections in memory.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    convert::Infallible,
    io,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::{AsyncReadExt, AsyncWriteExt, FutureExt};
use http::{Request, Response, StatusCode};
use tower::{ServiceExt, service_fn};
use tower_realtime::{
    loopback::{Faults, Loopback},
    rt::{ManualClock, Timer},
    ws::upgrade::{OnUpgrade, Upgraded},
};

/// Answers with what it saw.
async fn mirror(request: Request<()>) -> Result<Response<String>, Infallible> {
    let host = request
        .headers()
        .get("host")
        .map(|host| host.to_str().unwrap());
    Ok(Response::new(format!(
        "{} {:?} {host:?}",
        request.uri(),
        request.version()
    )))
}

#[tokio::test]
async fn shows_requests_as_a_server_does() {
    let rows = [
        ("/a?b", "/a?b HTTP/1.1 Some(\"localhost\")"),
        (
            "http://example.com:8080/a",
            "/a HTTP/1.1 Some(\"example.com:8080\")",
        ),
        (
            "http://user@example.com",
            "/ HTTP/1.1 Some(\"example.com\")",
        ),
    ];
    for (uri, seen) in rows {
        let request = Request::get(uri).body(()).unwrap();
        let response = Loopback::new(service_fn(mirror))
            .oneshot(request)
            .await
            .unwrap();
        assert_eq!(response.into_body(), seen);
    }
    let request = Request::get("https://example.com/a").version(http::Version::HTTP_2);
    let request = request.body(()).unwrap();
    let response = Loopback::new(service_fn(mirror))
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(response.into_body(), "https://example.com/a HTTP/2.0 None");
}

/// Both ends of an upgraded connection.
async fn upgrade(faults: &Faults) -> (Upgraded, Upgraded) {
    let (sender, mut servers) = tokio::sync::mpsc::unbounded_channel();
    let service = service_fn(move |mut request: Request<()>| {
        sender
            .send(request.extensions_mut().remove::<OnUpgrade>().unwrap())
            .unwrap();
        async { Ok::<_, Infallible>(response(101)) }
    });
    let client = Loopback::new(service).faults(faults.clone()).capacity(8);
    let mut response = client.oneshot(upgrade_request()).await.unwrap();
    let theirs = servers.recv().await.unwrap().await.unwrap();
    let ours = response
        .extensions_mut()
        .remove::<OnUpgrade>()
        .unwrap()
        .await
        .unwrap();
    (ours, theirs)
}

fn upgrade_request() -> Request<()> {
    let request = Request::get("/")
        .header("upgrade", "x")
        .header("connection", "upgrade");
    request.body(()).unwrap()
}

fn response(status: u16) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

#[tokio::test]
async fn an_answer_that_is_no_upgrade_breaks_the_promise() {
    let (sender, mut servers) = tokio::sync::mpsc::unbounded_channel();
    let service = service_fn(move |mut request: Request<()>| {
        sender
            .send(request.extensions_mut().remove::<OnUpgrade>().unwrap())
            .unwrap();
        async { Ok::<_, Infallible>(response(403)) }
    });
    let response = Loopback::new(service)
        .oneshot(upgrade_request())
        .await
        .unwrap();
    assert!(response.extensions().get::<OnUpgrade>().is_none());
    let error = servers.recv().await.unwrap().await.unwrap_err();
    assert_eq!(error.to_string(), "the answer was not an upgrade");
}

#[tokio::test]
async fn carries_bytes_both_ways_and_their_end() {
    let (mut a, mut b) = upgrade(&Faults::new()).await;
    let long = [7; 100]; // more than fits: both sides have to take turns
    let mut got = Vec::new();
    let (sent, read) = tokio::join!(
        async {
            a.write_all(&long).await?;
            a.close().await
        },
        b.read_to_end(&mut got),
    );
    sent.unwrap();
    read.unwrap();
    assert_eq!(got, long);
    b.write_all(b"back").await.unwrap();
    drop(b);
    got.clear();
    a.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"back");
    assert_eq!(
        a.write(b"x").await.unwrap_err().kind(),
        io::ErrorKind::BrokenPipe
    );
}

#[tokio::test]
async fn faults_do_what_they_say() {
    let faults = Faults::new();
    let (mut a, mut b) = upgrade(&faults).await;
    let mut buf = [0; 8];

    faults.chunks(1);
    assert_eq!(a.write(b"xyz").await.unwrap(), 1);
    faults.chunks(usize::MAX);
    assert_eq!(a.write(b"yz").await.unwrap(), 2);
    faults.chunks(2);
    assert_eq!(b.read(&mut buf).await.unwrap(), 2);

    faults.stall(true);
    assert!(b.read(&mut buf).now_or_never().is_none());
    faults.stall(false);
    assert_eq!(b.read(&mut buf).await.unwrap(), 1);

    faults.lose_close(true);
    drop(a);
    assert!(b.read(&mut buf).now_or_never().is_none());
    assert_eq!(b.write(b"hi").await.unwrap(), 2);
    faults.reset();
    assert_eq!(
        b.read(&mut buf).await.unwrap_err().kind(),
        io::ErrorKind::ConnectionReset
    );
    assert_eq!(
        b.write(b"x").await.unwrap_err().kind(),
        io::ErrorKind::ConnectionReset
    );
}

#[tokio::test]
async fn a_fault_wakes_who_waits() {
    let faults = Faults::new();
    let (mut a, _b) = upgrade(&faults).await;
    let waiting = tokio::spawn(async move { a.read(&mut [0; 8]).await });
    tokio::task::yield_now().await;
    faults.reset();
    assert!(waiting.await.unwrap().is_err());
}

#[test]
fn the_manual_clock_moves_by_hand() {
    let clock = ManualClock::new();
    let mut cx = Context::from_waker(Waker::noop());
    let mut minute = pin!(clock.sleep(Duration::from_secs(60)));
    let mut hour = pin!(clock.sleep(Duration::from_secs(3600)));
    assert_eq!(minute.as_mut().poll(&mut cx), Poll::Pending);
    assert_eq!(minute.as_mut().poll(&mut cx), Poll::Pending);
    assert_eq!(hour.as_mut().poll(&mut cx), Poll::Pending);
    assert_eq!(clock.sleepers(), 2);
    clock.advance(Duration::from_secs(60));
    assert_eq!(clock.sleepers(), 1);
    assert_eq!(minute.poll(&mut cx), Poll::Ready(()));
    assert_eq!(hour.poll(&mut cx), Poll::Pending);
    assert_eq!(clock.now(), Duration::from_secs(60));
}
