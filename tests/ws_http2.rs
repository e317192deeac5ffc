//! What goes over a real connection of hyper's: its settings, bytes that come before they are asked for, and a server
//! that keeps its connections.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

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
use http::Request;
use http_body_util::{Empty, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tower_realtime::{
    rt::Tokio,
    ws::{self, Acceptor, Connector, WebSocket, upgrade::Http2Client},
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
    let service = service_fn(move |request: Request<Incoming>| {
        count.fetch_add(1, Ordering::Relaxed);
        let answer = Acceptor::new().upgrade::<_, Full<Bytes>, _, _, _>(request, Tokio, echo);
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
    asked
}

/// RFC 8441, section 3: without the setting, the method is not used.
#[tokio::test(start_paused = true)]
async fn no_extended_connect_before_the_server_offers_it() {
    for offered in [true, false] {
        let (near, far) = duplex(1 << 16);
        let asked = serve(far, offered);
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(near))
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
