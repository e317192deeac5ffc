//! The examples of event streams do what their first lines say: each is started and read like a client would.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

#[allow(dead_code)]
#[path = "../examples/channel.rs"]
mod channel;
#[allow(dead_code)]
#[path = "../examples/compression.rs"]
mod compression;
#[path = "support/example_server.rs"]
mod example_server;
#[allow(dead_code)]
#[path = "../examples/keep_alive_layer.rs"]
mod keep_alive_layer;
#[allow(dead_code)]
#[path = "../examples/sse_axum.rs"]
mod sse_axum;
#[allow(dead_code)]
#[path = "../examples/sse_hyper.rs"]
mod sse_hyper;
#[allow(dead_code)]
#[path = "../examples/sse_smol.rs"]
mod sse_smol;

use example_server::on_tokio;

/// Reads from a stream until `last` came, over a plain socket, and hands back all that came.
fn read(address: SocketAddr, path: &str, last: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: text/event-stream\r\n\r\n"
    )
    .unwrap();
    let mut all = String::new();
    let mut lines = BufReader::new(stream);
    while !all.contains(last) {
        assert_ne!(lines.read_line(&mut all).unwrap(), 0, "ended after {all}");
    }
    all
}

#[test]
fn sse_axum() {
    let address = on_tokio(|listener| async { axum::serve(listener, sse_axum::app()).await });
    let all = read(address, "/ticks", "tick 1\n");
    assert!(all.contains("content-type: text/event-stream\r\n"), "{all}");
    assert!(
        all.contains("event: tick\nid: 0\ndata: tick 0\n\n"),
        "{all}"
    );
}

#[test]
fn sse_hyper() {
    let all = read(on_tokio(sse_hyper::serve), "/", "tick 1\n");
    assert!(all.contains("content-type: text/event-stream\r\n"), "{all}");
    assert!(all.contains("id: 0\ndata: tick 0\n\n"), "{all}");
}

#[test]
fn sse_smol() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let listener = smol::Async::new(listener).unwrap().into();
    smol::spawn(async { sse_smol::serve(listener).await.unwrap() }).detach();
    let all = read(address, "/", "tick 1\n");
    assert!(all.contains("content-type: text/event-stream\r\n"), "{all}");
    assert!(all.contains("id: 0\ndata: tick 0\n\n"), "{all}");
}

#[test]
fn keep_alive_layer() {
    let app = keep_alive_layer::app(Duration::from_millis(20));
    let address = on_tokio(|listener| async { axum::serve(listener, app).await });
    let all = read(address, "/theirs", "\n:\n");
    assert!(all.contains("data: hello\n"), "{all}");
}

#[test]
fn channel() {
    let address = on_tokio(|listener| async { axum::serve(listener, channel::app()).await });
    let all = read(address, "/work", "event: done\ndata: \n");
    assert!(
        all.contains("event: progress\nid: 100\ndata: 100 %\n"),
        "{all}"
    );
}

#[test]
fn compression() {
    let address = on_tokio(|listener| async { axum::serve(listener, compression::app()).await });
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // Without chunks, as in HTTP/1.0, so that what comes behind the head is the compressed stream.
    write!(
        stream,
        "GET /prices HTTP/1.0\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n"
    )
    .unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0);
    }
    assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
    let mut lines = BufReader::new(flate2::read::GzDecoder::new(reader)).lines();
    let event: Vec<_> = lines.by_ref().take(2).map(Result::unwrap).collect();
    assert_eq!(
        event,
        [
            "id: 0",
            "data: {\"price\":100,\"symbol\":\"TWR\",\"volume\":0}"
        ]
    );
}
