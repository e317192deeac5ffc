//! What the machine allows: one thread that waits with epoll, and no HTTP stack, buffer or task.

use std::{
    error::Error,
    io::{self, ErrorKind, Read, Write as _},
    net::{TcpListener, TcpStream},
    os::fd::OwnedFd,
};

use rustix::event::epoll::{self, EventData, EventFlags};

use super::websocket::accept_head;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// One write for an event and a receiver.
    Each,
    /// One write for a burst and a receiver.
    Burst,
    /// No protocol: bytes come back as they are.
    Bytes,
}

const BUFFER: usize = 256 << 10;

pub fn run(port: u16, write: Write) -> Result<(), Box<dyn Error>> {
    let mut server = Server::new(port, write)?;
    let mut events = Vec::with_capacity(1024);
    loop {
        events.clear();
        epoll::wait(
            &server.epoll,
            rustix::buffer::spare_capacity(&mut events),
            None,
        )?;
        for event in &events {
            match event.data.u64() {
                LISTENER => server.accept()?,
                number => server.serve(number as usize)?,
            }
        }
    }
}

const LISTENER: u64 = u64::MAX;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Request,
    EventStream,
    Subscriber,
    Publisher,
    Echo,
    Bytes,
}

struct Connection {
    stream: TcpStream,
    mode: Mode,
    /// What has come of a head that is not whole.
    rest: Vec<u8>,
    /// What the connection did not take.
    out: Vec<u8>,
    /// Of the frame that is being sent back.
    left: usize,
    mask: [u8; 4],
}

struct Server {
    epoll: OwnedFd,
    listener: TcpListener,
    write: Write,
    connections: Vec<Option<Connection>>,
    buffer: Vec<u8>,
    output: Vec<u8>,
}

impl Server {
    fn new(port: u16, write: Write) -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        rustix::net::listen(&listener, 4096)?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(
            &epoll,
            &listener,
            EventData::new_u64(LISTENER),
            EventFlags::IN,
        )?;
        Ok(Self {
            epoll,
            listener,
            write,
            connections: Vec::new(),
            buffer: vec![0; BUFFER],
            output: Vec::new(),
        })
    }

    fn accept(&mut self) -> Result<(), Box<dyn Error>> {
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let number = self.connections.len() as u64;
            epoll::add(
                &self.epoll,
                &stream,
                EventData::new_u64(number),
                EventFlags::IN,
            )?;
            let mode = if self.write == Write::Bytes {
                Mode::Bytes
            } else {
                Mode::Request
            };
            self.connections.push(Some(Connection {
                stream,
                mode,
                rest: Vec::new(),
                out: Vec::new(),
                left: 0,
                mask: [0; 4],
            }));
        }
        Ok(())
    }

    fn serve(&mut self, number: usize) -> Result<(), Box<dyn Error>> {
        let Some(one) = self.connections.get_mut(number).and_then(Option::as_mut) else {
            return Ok(());
        };
        if !one.out.is_empty() {
            return self.go_on(number);
        }
        let carried = one.rest.len();
        self.buffer[..carried].copy_from_slice(&one.rest);
        let read = match one.stream.read(&mut self.buffer[carried..]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Ok(0) | Err(_) => {
                self.connections[number] = None;
                return Ok(());
            }
            Ok(read) => read,
        };
        one.rest.clear();
        let bytes = carried + read;
        match one.mode {
            Mode::Request => self.requests(number, bytes),
            Mode::Publisher => self.publish_frames(number, bytes),
            Mode::Bytes => self.answer(
                number,
                |bytes, output, _| output.extend_from_slice(bytes),
                bytes,
            ),
            Mode::Echo => self.answer(number, echo, bytes),
            Mode::EventStream | Mode::Subscriber => Ok(()),
        }
    }

    /// Makes the answer of what came, and writes it.
    fn answer(
        &mut self,
        number: usize,
        make: impl FnOnce(&mut [u8], &mut Vec<u8>, &mut Connection),
        bytes: usize,
    ) -> Result<(), Box<dyn Error>> {
        let Some(one) = self.connections[number].as_mut() else {
            return Ok(());
        };
        self.output.clear();
        make(&mut self.buffer[..bytes], &mut self.output, one);
        let written = some(one.stream.write(&self.output))?;
        if written < self.output.len() {
            one.out.extend_from_slice(&self.output[written..]);
            epoll::modify(
                &self.epoll,
                &one.stream,
                EventData::new_u64(number as u64),
                EventFlags::OUT,
            )?;
        }
        Ok(())
    }

    fn go_on(&mut self, number: usize) -> Result<(), Box<dyn Error>> {
        let Some(one) = self.connections[number].as_mut() else {
            return Ok(());
        };
        let written = some(one.stream.write(&one.out))?;
        one.out.drain(..written);
        if one.out.is_empty() {
            epoll::modify(
                &self.epoll,
                &one.stream,
                EventData::new_u64(number as u64),
                EventFlags::IN,
            )?;
        }
        Ok(())
    }

    /// Takes the requests that are whole.
    fn requests(&mut self, number: usize, bytes: usize) -> Result<(), Box<dyn Error>> {
        let all = self.buffer[..bytes].to_vec();
        let mut rest = &all[..];
        while let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&rest[..end]).into_owned();
            let body = &rest[end + 4..];
            let length = header(&head, "content-length").map_or(Ok(0), str::parse)?;
            let Some(body) = body.get(..length) else {
                break;
            };
            self.request(number, &head, body)?;
            rest = &rest[end + 4 + length..];
        }
        if let Some(one) = self.connections[number].as_mut() {
            one.rest = rest.to_vec();
        }
        Ok(())
    }

    fn request(&mut self, number: usize, head: &str, body: &[u8]) -> Result<(), Box<dyn Error>> {
        let path = head.split(' ').nth(1).unwrap_or_default();
        if head.starts_with("POST") {
            self.reply(
                number,
                Mode::Request,
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            )?;
            let count = path.rsplit('/').next().unwrap_or_default().parse()?;
            let event = [b"data: ", body, b"\n\n"].concat();
            let chunk = [format!("{:x}\r\n", event.len()).as_bytes(), &event, b"\r\n"].concat();
            return self.publish(Mode::EventStream, &chunk, count);
        }
        let Some(key) = header(head, "sec-websocket-key") else {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            return self.reply(number, Mode::EventStream, head);
        };
        let mode = match path {
            "/sub" => Mode::Subscriber,
            "/pub" => Mode::Publisher,
            _ => Mode::Echo,
        };
        self.reply(number, mode, &accept_head(key))
    }

    fn reply(&mut self, number: usize, mode: Mode, head: &str) -> Result<(), Box<dyn Error>> {
        if let Some(one) = self.connections[number].as_mut() {
            one.mode = mode;
            one.stream.write_all(head.as_bytes())?;
        }
        Ok(())
    }

    /// Writes an event to everybody, `count` times.
    fn publish(&mut self, to: Mode, event: &[u8], count: usize) -> Result<(), Box<dyn Error>> {
        let (event, count) = match self.write {
            Write::Burst => (event.repeat(count), 1),
            _ => (event.to_vec(), count),
        };
        for _ in 0..count {
            for one in self
                .connections
                .iter_mut()
                .flatten()
                .filter(|one| one.mode == to)
            {
                write_all(&mut one.stream, &event)?;
            }
        }
        Ok(())
    }

    /// Publishes the frames that are whole.
    fn publish_frames(&mut self, number: usize, bytes: usize) -> Result<(), Box<dyn Error>> {
        let mut all = self.buffer[..bytes].to_vec();
        let (mut at, mut events) = (0, Vec::new());
        while let Some(frame) = Frame::first(&all[at..]) {
            let end = at + frame.head + frame.length;
            if end > all.len() {
                break;
            }
            let mut event = unmasked_head(all[at], frame.length);
            let payload = &mut all[at + frame.head..end];
            unmask(payload, frame.mask);
            event.extend_from_slice(payload);
            events.push(event);
            at = end;
        }
        if let Some(one) = self.connections[number].as_mut() {
            one.rest = all[at..].to_vec();
        }
        if self.write == Write::Burst {
            events = vec![events.concat()];
        }
        for event in events {
            self.publish(Mode::Subscriber, &event, 1)?;
        }
        Ok(())
    }
}

/// A write that took nothing because there is no room is no error.
fn some(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}

/// The client always reads, so there is room soon.
fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = some(stream.write(bytes))?;
        bytes = &bytes[written..];
    }
    Ok(())
}

pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// The head of a frame of a client.
struct Frame {
    head: usize,
    length: usize,
    mask: [u8; 4],
}

impl Frame {
    fn first(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.get(2..)?;
        let (length, rest) = match bytes[1] & 127 {
            126 => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*length) as usize, rest)
            }
            short => (usize::from(short), rest),
        };
        let (&mask, rest) = rest.split_first_chunk()?;
        Some(Self {
            head: bytes.len() - rest.len(),
            length,
            mask,
        })
    }
}

pub(super) fn unmasked_head(first: u8, length: usize) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..126 => head.push(length as u8),
        126..65_536 => {
            head.push(126);
            head.extend((length as u16).to_be_bytes());
        }
        _ => {
            head.push(127);
            head.extend((length as u64).to_be_bytes());
        }
    }
    head
}

/// Eight bytes at a time, and the compiler makes more of it.
fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let eight = u64::from_ne_bytes([mask, mask].concat().try_into().unwrap_or_default());
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ eight).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Sends frames back while they come: a piece of a frame is not waited for.
fn echo(bytes: &mut [u8], output: &mut Vec<u8>, one: &mut Connection) {
    let mut at = 0;
    while at < bytes.len() {
        if one.left == 0 {
            let Some(frame) = Frame::first(&bytes[at..]) else {
                break;
            };
            output.extend(unmasked_head(bytes[at], frame.length));
            at += frame.head;
            (one.left, one.mask) = (frame.length, frame.mask);
        }
        let end = bytes.len().min(at + one.left);
        let piece = &mut bytes[at..end];
        unmask(piece, one.mask);
        output.extend_from_slice(piece);
        one.left -= piece.len();
        one.mask.rotate_left(piece.len() & 3);
        at = end;
    }
    one.rest = bytes[at..].to_vec();
}
