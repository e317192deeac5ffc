//! Echoes of 1 KB of JSON with permessage-deflate: how much the server works for each, and how small they are.

use std::{
    error::Error,
    net::TcpStream,
    time::{Duration, Instant},
};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use serde_json::{Value, json};

use super::{
    connection::{read, write},
    options::Options,
    poll::Poll,
    process::processor_time,
    websocket::{RSV1, TEXT, connect, first_frame, masked},
};

/// Different messages, so that no dictionary remembers a whole one.
const MESSAGES: usize = 512;
/// As many echoes are inflated and compared; the measuring comes after.
const VERIFIED: usize = 200;

/// `port`, `pid`; `connections`, `window` messages in flight on each, `time` in ms; `compress=1` when the client
/// compresses as well.
pub fn run(options: &Options) -> Result<Value, Box<dyn Error>> {
    let port = options.get("port", 0)?;
    let pid = options.get("pid", 0)?;
    let connections = options.get("connections", 4)?;
    let time = Duration::from_millis(options.get("time", 700)?);
    let mut load = Load::new(options.get("window", 32)?, options.get("compress", 0)? == 1)?;
    for number in 0..connections {
        load.add(
            connect(port, "/echo", Some("permessage-deflate"), number)?,
            number,
        )?;
    }
    load.turn(time / 5)?;
    let (before, worked, idle) = (load.counted(), processor_time(pid)?, load.poll.idle());
    let wall = load.turn(time)?;
    let worked = (processor_time(pid)? - worked) as f64;
    let idle = load.poll.idle() - idle;
    let (messages, bytes) = load.counted();
    let messages = (messages - before.0) as f64;
    Ok(json!({
        "cpu_ns": worked / messages,
        "per_second": messages / wall.as_secs_f64(),
        "wire_bytes": (bytes - before.1) as f64 / messages,
        "server_busy": worked / wall.as_nanos() as f64,
        "client_busy": 1.0 - idle.as_secs_f64() / wall.as_secs_f64(),
        "extension": load.extension,
    }))
}

struct Load {
    poll: Poll,
    window: usize,
    plain: Vec<Vec<u8>>,
    frames: Vec<Vec<u8>>,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    extension: String,
}

struct Connection {
    stream: TcpStream,
    sent: usize,
    received: usize,
    bytes: usize,
    out: Vec<u8>,
    rest: Vec<u8>,
    inflate: Decompress,
}

impl Load {
    fn new(window: usize, compress: bool) -> Result<Self, Box<dyn Error>> {
        let plain: Vec<_> = (1..=MESSAGES as u64).map(update).collect();
        let frame = |message: &Vec<u8>| match compress {
            true => deflated(message).map(|payload| masked(RSV1 | TEXT, &payload)),
            false => Ok(masked(TEXT, message)),
        };
        Ok(Self {
            poll: Poll::new()?,
            window,
            frames: plain.iter().map(frame).collect::<Result<_, _>>()?,
            plain,
            connections: Vec::new(),
            buffer: vec![0; 1 << 18],
            extension: String::new(),
        })
    }

    fn add(
        &mut self,
        (stream, extension): (TcpStream, String),
        number: usize,
    ) -> Result<(), Box<dyn Error>> {
        self.extension = extension;
        stream.set_nonblocking(true)?;
        self.poll.add(&stream, number)?;
        self.connections.push(Connection {
            stream,
            sent: 0,
            received: 0,
            bytes: 0,
            out: Vec::new(),
            rest: Vec::new(),
            inflate: Decompress::new(false),
        });
        Ok(())
    }

    /// Messages that came back, and their bytes on the wire.
    fn counted(&self) -> (usize, usize) {
        let sum = |of: fn(&Connection) -> usize| self.connections.iter().map(of).sum();
        (sum(|one| one.received), sum(|one| one.bytes))
    }

    fn turn(&mut self, time: Duration) -> Result<Duration, Box<dyn Error>> {
        let start = Instant::now();
        for one in &mut self.connections {
            one.send(&self.frames, self.window)?;
        }
        while start.elapsed() < time {
            for number in self.poll.wait()? {
                let one = &mut self.connections[number];
                if let Some(length) = read(&mut one.stream, &mut self.buffer)? {
                    one.receive(&self.buffer[..length], &self.plain)?;
                }
                one.send(&self.frames, self.window)?;
            }
        }
        Ok(start.elapsed())
    }
}

impl Connection {
    fn send(&mut self, frames: &[Vec<u8>], window: usize) -> Result<(), Box<dyn Error>> {
        while self.sent < self.received + window && self.out.len() < 65_536 {
            self.out.extend_from_slice(&frames[self.sent % MESSAGES]);
            self.sent += 1;
        }
        if !self.out.is_empty() {
            let written = write(&mut self.stream, &self.out)?.unwrap_or(0);
            self.out.drain(..written);
        }
        Ok(())
    }

    fn receive(&mut self, bytes: &[u8], plain: &[Vec<u8>]) -> Result<(), Box<dyn Error>> {
        self.rest.extend_from_slice(bytes);
        let mut at = 0;
        while let Some((first, payload, length)) = first_frame(&self.rest[at..]) {
            if self.received < VERIFIED {
                let message = match first & RSV1 {
                    0 => payload.to_vec(),
                    _ => inflated(&mut self.inflate, payload)?,
                };
                if message != plain[self.received % MESSAGES] {
                    return Err("the echo is another message".into());
                }
            }
            self.received += 1;
            at += length;
        }
        self.bytes += at;
        self.rest.drain(..at);
        Ok(())
    }
}

/// RFC 7692, section 7.2.1.
fn deflated(message: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut out = Vec::with_capacity(4096);
    let mut deflate = Compress::new(Compression::new(6), false);
    deflate.compress_vec(message, &mut out, FlushCompress::Sync)?;
    out.truncate(out.len() - 4);
    Ok(out)
}

/// RFC 7692, section 7.2.2.
fn inflated(inflate: &mut Decompress, payload: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut out = Vec::with_capacity(4096);
    let whole = [payload, &[0, 0, 0xff, 0xff]].concat();
    inflate.decompress_vec(&whole, &mut out, FlushDecompress::Sync)?;
    Ok(out)
}

/// 1 KB of JSON whose values differ from message to message.
fn update(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut text = format!(
        r#"{{"type":"update","id":{},"user":{{"name":"user{}","active":{}}},"items":["#,
        random(1_000_000),
        random(10_000),
        random(2) == 0
    );
    while text.len() < 960 {
        text += &format!(
            r#"{{"sku":"{:08x}","qty":{},"price":{}.{:02},"currency":"EUR"}},"#,
            random(1 << 32),
            random(100),
            random(1000),
            random(100)
        );
    }
    text.pop();
    text += r#"],"note":""#;
    while text.len() < 1022 {
        text.push(char::from(b'a' + random(26) as u8));
    }
    text += r#""}"#;
    text.into_bytes()
}
