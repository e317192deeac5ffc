//! Messages that come back, with many in flight: how much the server works for each.

use std::{
    error::Error,
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    connection::{open, read, write},
    fan_out::percentile,
    options::Options,
    poll::Poll,
    process::processor_time,
    websocket::{BINARY, connect, masked, unmasked},
};

/// As much is handed to the system at once.
const WRITE: usize = 256 << 10;

/// `port`, `pid`; `size` of a message in bytes, `connections`, `window` messages in flight on each, `time` in ms;
/// `raw=1` for a server that sends back bytes.
pub fn run(options: &Options) -> Result<Value, Box<dyn Error>> {
    let port = options.get("port", 0)?;
    let pid = options.get("pid", 0)?;
    let size: usize = options.get("size", 16)?;
    let connections = options.get("connections", 1)?;
    let time = Duration::from_millis(options.get("time", 600)?);
    let raw = options.get("raw", 0)? == 1;

    let mut load = Load::new(size, options.get("window", 1000)?, raw)?;
    for number in 0..connections {
        let stream = if raw {
            open(port, number)?
        } else {
            connect(port, "/echo", None, number)?.0
        };
        load.add(stream, number)?;
    }
    load.turn(time / 5)?;
    load.delays.clear();
    let (before, worked, idle) = (load.echoed(), processor_time(pid)?, load.poll.idle());
    let wall = load.turn(time)?;
    let messages = (load.echoed() - before) as f64;
    let worked = (processor_time(pid)? - worked) as f64;
    let idle = load.poll.idle() - idle;
    Ok(json!({
        "cpu_ns": worked / messages,
        "per_second": messages / wall.as_secs_f64(),
        "p50_us": percentile(&mut load.delays, 0.50),
        "p99_us": percentile(&mut load.delays, 0.99),
        "server_busy": worked / wall.as_nanos() as f64,
        "client_busy": 1.0 - idle.as_secs_f64() / wall.as_secs_f64(),
    }))
}

struct Load {
    poll: Poll,
    window: u64,
    /// One message as it is sent, and as it comes back.
    sent: Vec<u8>,
    echo: Vec<u8>,
    /// Whole messages, one after the other.
    ring: Vec<u8>,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    delays: Vec<Duration>,
}

struct Connection {
    stream: TcpStream,
    sent: u64,
    received: u64,
    full: bool,
    since: Instant,
}

impl Load {
    fn new(size: usize, window: u64, raw: bool) -> Result<Self, Box<dyn Error>> {
        let payload: Vec<u8> = (b'a'..=b'z').cycle().take(size).collect();
        let sent = masked(BINARY, &payload);
        let echo = if raw {
            sent.clone()
        } else {
            unmasked(BINARY, &payload)
        };
        let repeat = usize::try_from(window)?.min(WRITE / sent.len()).max(1);
        Ok(Self {
            poll: Poll::new()?,
            window,
            ring: sent.repeat(repeat),
            sent,
            echo,
            connections: Vec::new(),
            buffer: vec![0; 1 << 20],
            delays: Vec::new(),
        })
    }

    /// Sends one message, looks whether its echo is right, and adds the connection.
    fn add(&mut self, mut stream: TcpStream, number: usize) -> Result<(), Box<dyn Error>> {
        stream.set_nonblocking(true)?;
        let (mut sent, mut came) = (0, Vec::new());
        while came.len() < self.echo.len() {
            sent += write(&mut stream, &self.sent[sent..])?.unwrap_or(0);
            let read = read(&mut stream, &mut self.buffer)?.unwrap_or(0);
            came.extend_from_slice(&self.buffer[..read]);
        }
        if came != self.echo {
            return Err("the echo is another message".into());
        }
        self.poll.add(&stream, number)?;
        self.connections.push(Connection {
            stream,
            sent: 0,
            received: 0,
            full: false,
            since: Instant::now(),
        });
        Ok(())
    }

    /// Messages that came back, on all connections.
    fn echoed(&self) -> u64 {
        let length = self.echo.len() as u64;
        self.connections
            .iter()
            .map(|one| one.received / length)
            .sum()
    }

    /// Echoes for a time, and says how long it was.
    fn turn(&mut self, time: Duration) -> Result<Duration, Box<dyn Error>> {
        let start = Instant::now();
        for number in 0..self.connections.len() {
            self.send(number)?;
        }
        while start.elapsed() < time {
            for number in self.poll.wait()? {
                self.receive(number)?;
                self.send(number)?;
            }
        }
        Ok(start.elapsed())
    }

    fn receive(&mut self, number: usize) -> Result<(), Box<dyn Error>> {
        let one = &mut self.connections[number];
        one.received += read(&mut one.stream, &mut self.buffer)?.unwrap_or(0) as u64;
        if self.window == 1 && one.received.is_multiple_of(self.echo.len() as u64) {
            self.delays.push(one.since.elapsed());
        }
        Ok(())
    }

    /// Fills the window.
    fn send(&mut self, number: usize) -> Result<(), Box<dyn Error>> {
        let (sent, echo, ring) = (
            self.sent.len() as u64,
            self.echo.len() as u64,
            self.ring.len() as u64,
        );
        let one = &mut self.connections[number];
        let end = (one.received / echo + self.window) * sent;
        let mut full = false;
        while one.sent < end && !full {
            let from = one.sent % ring;
            let length = (ring - from).min(end - one.sent);
            one.since = Instant::now();
            match write(
                &mut one.stream,
                &self.ring[from as usize..(from + length) as usize],
            )? {
                Some(written) => one.sent += written as u64,
                None => full = true,
            }
        }
        if full != one.full {
            one.full = full;
            self.poll.watch_room(&one.stream, number, full)?;
        }
        Ok(())
    }
}
