use std::{
    error::Error,
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddrV4, TcpStream},
};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

/// As many connections as one source address is asked to carry: there are about 28,000 ports for it.
const PER_ADDRESS: usize = 20_000;

/// Connects the `number`th connection. Sources beyond the first 20,000 connections are 127.0.X.2 and so on, where X is
/// the server's: what was connected to the servers before it takes ports of its address for another minute.
pub fn open(port: u16, number: usize) -> Result<TcpStream, Box<dyn Error>> {
    let [_, of_server] = port.to_be_bytes();
    let source = Ipv4Addr::new(127, 0, of_server, 1 + u8::try_from(number / PER_ADDRESS)?);
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&stream, &SocketAddrV4::new(source, 0))?;
    connect(&stream, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    let stream = TcpStream::from(stream);
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends a request and reads the head of its response; an error unless it has the status.
pub fn ask(stream: &mut TcpStream, request: &str, status: u16) -> Result<String, Box<dyn Error>> {
    stream.write_all(request.as_bytes())?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head)?;
    if !head.starts_with(&format!("HTTP/1.1 {status} ")) {
        return Err(head.into());
    }
    Ok(head)
}

pub fn event_stream(port: u16, number: usize) -> Result<TcpStream, Box<dyn Error>> {
    let mut stream = open(port, number)?;
    let request =
        format!("GET /sse HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: text/event-stream\r\n\r\n");
    ask(&mut stream, &request, 200)?;
    Ok(stream)
}

/// A request that publishes `body` `count` times.
pub fn publication(port: u16, count: u64, body: &str) -> String {
    format!(
        "POST /pub/{count} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What is there to read, `None` when nothing is; an error at the end.
pub fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match stream.read(buffer) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// How much of the bytes the connection takes, `None` when it takes nothing.
pub fn write(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<Option<usize>> {
    match stream.write(bytes) {
        Ok(written) => Ok(Some(written)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
