//! The examples of WebSockets do what their first lines say: each is started and spoken to byte by byte.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

#[path = "support/example_server.rs"]
mod example_server;
#[allow(dead_code)]
#[path = "../examples/large_messages.rs"]
mod large_messages;
#[allow(dead_code)]
#[path = "../examples/websocket_axum.rs"]
mod websocket_axum;
#[allow(dead_code)]
#[path = "../examples/websocket_hyper.rs"]
mod websocket_hyper;

use example_server::on_tokio;

fn request(address: SocketAddr, path: &str, headers: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n"
    )
    .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    (stream, String::from_utf8(head).unwrap().to_lowercase())
}

/// The key of RFC 6455, section 1.3, and so its answer.
const UPGRADE: &str = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn echoes(address: SocketAddr, path: &str) {
    let (mut stream, head) = request(address, path, UPGRADE);
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(
        head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
        "{head}"
    );
    // "Hello" in a masked frame, then a close with 1000: RFC 6455, section 5.7.
    stream
        .write_all(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")
        .unwrap();
    stream
        .write_all(b"\x88\x82\x00\x00\x00\x00\x03\xe8")
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"\x81\x05Hello\x88\x02\x03\xe8");
}

fn refuses_other_pages(address: SocketAddr, path: &str) {
    let (_, head) = request(
        address,
        path,
        &format!("{UPGRADE}origin: https://evil.example\r\n"),
    );
    assert!(head.starts_with("http/1.1 403 "), "{head}");
}

/// The next frame of a server: its first byte and its payload.
fn frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let mut long = [0; 2];
    let length = match head[1] {
        126 => {
            stream.read_exact(&mut long).unwrap();
            usize::from(u16::from_be_bytes(long))
        }
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).unwrap();
    (head[0], payload)
}

#[test]
fn large_messages() {
    const SIZE: usize = 5_000_000;
    let address = on_tokio(large_messages::serve);
    let (mut stream, head) = request(address, "/files", UPGRADE);
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    stream.write_all(b"\x82\xff").unwrap();
    stream.write_all(&(SIZE as u64).to_be_bytes()).unwrap();
    stream.write_all(&vec![0; 4 + SIZE]).unwrap();
    assert_eq!(frame(&mut stream), (0x81, b"5000000 bytes".to_vec()));
    stream
        .write_all(b"\x81\x87\x00\x00\x00\x005000000")
        .unwrap();
    let mut size = 0;
    loop {
        let (first, payload) = frame(&mut stream);
        assert_eq!(first & 0x0f, if size == 0 { 2 } else { 0 });
        size += payload.len();
        if first & 0x80 != 0 {
            break;
        }
    }
    assert_eq!(size, SIZE);
}

#[test]
fn websocket_axum() {
    let address = on_tokio(websocket_axum::serve);
    echoes(address, "/echo");
    refuses_other_pages(address, "/echo");
    let (_, head) = request(address, "/other", "");
    assert!(head.starts_with("http/1.1 404 "), "{head}");
}

#[test]
fn websocket_hyper() {
    let address = on_tokio(websocket_hyper::serve);
    echoes(address, "/");
    refuses_other_pages(address, "/");
    let (_, head) = request(address, "/", "");
    assert!(head.starts_with("http/1.1 404 "), "{head}");
}
