//! What goes over a real connection of hyper's: its settings, bytes that come before they are asked for, and a server
//! that keeps its connections.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/script.rs"]
mod script;

use std::{
    convert::Infallible,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{Empty, Full};
use hyper::{body::Incoming, client::conn::http2, ext::Protocol, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use script::{Far, Frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tower::ServiceExt;
use tower_realtime::{
    rt::Tokio,
    topic::Topic,
    ws::{self, Acceptor, Connector, Prepared, WebSocket, upgrade::Http2Client},
};

async fn echo(mut socket: WebSocket) -> Result<(), ws::Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

/// A server that counts what it is asked.
fn serve(stream: DuplexStream, extended_connect: bool) -> Arc<AtomicUsize> {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    serve_with(stream, extended_connect, move |request| {
        count.fetch_add(1, Ordering::Relaxed);
        Acceptor::new().upgrade(request, Tokio, echo)
    });
    asked
}

fn serve_with(
    stream: DuplexStream,
    extended_connect: bool,
    answer: impl Fn(Request<Incoming>) -> Response<Full<Bytes>> + Send + 'static,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(request);
        async { Ok::<_, Infallible>(answer) }
    });
    tokio::spawn(async move {
        let mut server = Builder::new(TokioExecutor::new());
        if extended_connect {
            server.http2().enable_connect_protocol();
        }
        let served = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
        served.await.map_err(drop)
    });
}

/// RFC 8441, section 3: without the setting, the method is not used.
#[tokio::test(start_paused = true)]
async fn no_extended_connect_before_the_server_offers_it() {
    for offered in [true, false] {
        let (near, far) = duplex(1 << 16);
        let asked = serve(far, offered);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(near))
            .await
            .unwrap();
        let (client, connection) = Http2Client::new(sender, connection, Tokio);
        tokio::spawn(connection);
        let request = Request::get("ws://here.test/ws").body(Empty::<Bytes>::new());
        let connector = Connector::new()
            .http2()
            .handshake_timeout(Duration::from_secs(60));
        let connected = connector.connect(client, request.unwrap()).await;
        assert_eq!(connected.is_ok(), offered);
        assert_eq!(asked.load(Ordering::Relaxed), usize::from(offered));
        if let Err(error) = connected {
            assert!(error.is_transport(), "{error}");
        }
    }
}

/// RFC 6455, section 4.1, has a client wait for the answer before it sends a frame. One that does not is read all the
/// same: the bytes are there, and dropping them would be worse.
#[tokio::test]
async fn frames_right_behind_the_request_are_read() {
    const REQUEST: &[u8] =
        b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";
    const HI: &[u8] = &[0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
    for cut in [0, 1, HI.len()] {
        let (mut near, far) = duplex(1 << 16);
        serve(far, false);
        near.write_all(&[REQUEST, &HI[..cut]].concat())
            .await
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(near.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
        near.write_all(&HI[cut..]).await.unwrap();
        let mut frame = [0; 4];
        near.read_exact(&mut frame).await.unwrap();
        assert_eq!(frame, [0x81, 2, b'h', b'i'], "{cut}");
    }
}

/// hyper's own guides serve without upgrades: the answer is 101, and then there is no connection.
#[tokio::test]
async fn a_server_without_upgrades_is_told_what_is_missing() {
    const REQUEST: &[u8] =
        b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";
    let (mut near, far) = duplex(1 << 16);
    let (opened, mut open) = tokio::sync::mpsc::unbounded_channel();
    let service = service_fn(move |request: Request<Incoming>| {
        let (answer, socket) = Acceptor::new().accept::<_, Full<Bytes>>(request).unwrap();
        assert!(opened.send(socket).is_ok());
        async { Ok::<_, Infallible>(answer) }
    });
    near.write_all(REQUEST).await.unwrap();
    let server = hyper::server::conn::http1::Builder::new();
    tokio::spawn(server.serve_connection(TokioIo::new(far), service));
    let error = open.recv().await.unwrap().await.unwrap_err();
    assert!(error.is_io(), "{error}");
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("with_upgrades"), "{cause}");
}

/// The bytes of a WebSocket over HTTP/2 (RFC 8441), as the client has them, who lets this much come unread.
async fn open_over_http2(
    io: DuplexStream,
    window: u32,
) -> impl tokio::io::AsyncRead + tokio::io::AsyncWrite {
    let mut client = http2::Builder::new(TokioExecutor::new());
    client.initial_stream_window_size(window);
    client.initial_connection_window_size(2 * window);
    let (sender, connection) = client.handshake(TokioIo::new(io)).await.unwrap();
    let (client, connection) = Http2Client::new(sender, connection, Tokio);
    tokio::spawn(connection);
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri("http://here.test/ws")
        .header("sec-websocket-version", "13")
        .extension(Protocol::from_static("websocket"))
        .body(Empty::<Bytes>::new());
    let mut answer = client.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap())
}

/// Flow control cuts what was made once for all connections wherever it likes. Messages stay whole and in order, and
/// pongs and answers stand between them.
#[tokio::test]
async fn prepared_messages_pass_small_windows() {
    const ROUNDS: usize = 12;
    let sizes = [0, 1, 125, 126, 700, 5000, 20_000];
    for (joined, window) in [1, 9, 126, 1000, 16_384, 65_535]
        .into_iter()
        .flat_map(|window| [(true, window), (false, window)])
    {
        let sizes = &sizes[..if window < 100 { 5 } else { 7 }];
        let topic = Topic::<Prepared>::new(1000);
        let rooms = topic.clone();
        let (near, far) = duplex(1 << 16);
        serve_with(far, true, move |request| {
            let reader = rooms.subscribe();
            let reader = if joined { reader.joined() } else { reader };
            Acceptor::new().upgrade(request, Tokio, async move |socket: WebSocket| {
                let mut socket = socket.feed_from(reader);
                while let Ok(Some(message)) = socket.recv().await {
                    socket.send(Prepared::new(message)).await.unwrap();
                }
            })
        });
        let io = open_over_http2(near, window).await;
        let (mut read, mut write) = tokio::io::split(io);

        let (mut fed, mut expected) = (Vec::new(), 0);
        for round in 0..ROUNDS {
            for &size in sizes {
                let text = format!("{:>size$}", fed.len());
                expected += Frame::text(&text).plain().len();
                fed.push(text);
            }
            let new = &fed[fed.len() - sizes.len()..];
            topic.publish_all(new.iter().map(|text| Prepared::new(text.as_str())));
            let name = format!("{round:04}");
            for frame in [Frame::ping(&name), Frame::binary(&name)] {
                expected += frame.plain().len();
                write.write_all(&frame.masked()).await.unwrap();
            }
            write.flush().await.unwrap();
            // Several rounds wait for a client that reads slowly.
            tokio::task::yield_now().await;
        }
        let mut bytes = vec![0; expected];
        let all = tokio::time::timeout(Duration::from_secs(60), read.read_exact(&mut bytes));
        all.await.expect("in time").unwrap();

        let (mut texts, mut pongs, mut answers) = (Vec::new(), 0, 0);
        for frame in Far::default().frames_of(&bytes) {
            let payload = String::from_utf8(frame.payload).unwrap();
            let count = match frame.first {
                0x81 => {
                    texts.push(payload);
                    continue;
                }
                0x82 => &mut answers,
                0x8a => &mut pongs,
                other => panic!("a frame that starts with {other:x}"),
            };
            assert_eq!(payload, format!("{count:04}"), "{joined} {window}");
            *count += 1;
        }
        assert!(texts == fed, "{joined} {window}");
        assert_eq!((pongs, answers), (ROUNDS, ROUNDS), "{joined} {window}");
    }
}
