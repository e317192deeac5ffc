//! One publishes, N receive: how much the server works for each delivery, and how long it takes.

use std::{
    error::Error,
    io::Write,
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    connection::{event_stream, open, publication, read},
    options::Options,
    poll::Poll,
    process::processor_time,
    websocket::{self, TEXT, connect, masked},
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    EventStream,
    WebSocket,
}

/// 100 bytes, of which one is a mark to count events by.
pub const EVENT: &str = r#"{"type":"price","symbol":"ABCDEF","bid":101.25,"ask":101.27,"ts":1234567890123,"pad":"xxxxxxxxxxx@"}"#;
const MARK: u8 = b'@';

/// `port`, `pid`; `n` receivers, `events` in a burst, `rounds` bursts, one each `period` ms or, with 0, each when the
/// last has arrived; `deflate=1` asks the server to compress, and reads without inflating.
pub fn run(options: &Options, kind: Kind) -> Result<Value, Box<dyn Error>> {
    let port = options.get("port", 0)?;
    let pid = options.get("pid", 0)?;
    let count = options.get("n", 1000)?;
    let events = options.get("events", 1)?;
    let rounds = options.get("rounds", 20)?;
    let period = Duration::from_millis(options.get("period", 0)?);
    let offer = (options.get("deflate", 0)? == 1)
        .then_some("permessage-deflate; server_no_context_takeover");

    let mut load = Load::open(port, kind, count, offer)?;
    let publish = match kind {
        Kind::EventStream => publication(port, events, EVENT).into_bytes(),
        Kind::WebSocket => masked(TEXT, EVENT.as_bytes()).repeat(usize::try_from(events)?),
    };
    let wanted = events * count as u64;
    // Caches, buffers and branch predictors are warm after a tenth.
    for _ in 0..(rounds / 10).max(1) {
        load.round(&publish, wanted)?;
    }
    load.forget();
    let (start, busy_before) = (processor_time(pid)?, load.poll.idle());
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begin = Instant::now();
        load.round(&publish, wanted)?;
        times.push(begin.elapsed());
        std::thread::sleep(period.saturating_sub(begin.elapsed()));
    }
    let worked = processor_time(pid)? - start;
    let wall: Duration = times.iter().sum();
    let idle = load.poll.idle() - busy_before;
    let delivered = (wanted * rounds) as f64;
    Ok(json!({
        "cpu_ns": worked as f64 / delivered,
        "per_second": delivered / wall.as_secs_f64(),
        "p50_us": percentile(&mut load.delays, 0.50),
        "p99_us": percentile(&mut load.delays, 0.99),
        "wire_bytes": load.bytes as f64 / delivered,
        "server_busy": worked as f64 / wall.as_nanos() as f64,
        "client_busy": 1.0 - idle.as_secs_f64() / wall.as_secs_f64(),
    }))
}

struct Load {
    poll: Poll,
    receivers: Vec<Receiver>,
    publisher: TcpStream,
    buffer: Vec<u8>,
    delays: Vec<Duration>,
    bytes: u64,
    compressed: bool,
}

struct Receiver {
    stream: TcpStream,
    /// The start of a compressed frame whose end has not come.
    rest: Vec<u8>,
}

impl Load {
    fn open(
        port: u16,
        kind: Kind,
        count: usize,
        offer: Option<&str>,
    ) -> Result<Self, Box<dyn Error>> {
        let poll = Poll::new()?;
        let mut receivers = Vec::with_capacity(count);
        for number in 0..count {
            let stream = match kind {
                Kind::EventStream => event_stream(port, number)?,
                Kind::WebSocket => connect(port, "/sub", offer, number)?.0,
            };
            stream.set_nonblocking(true)?;
            poll.add(&stream, number)?;
            receivers.push(Receiver {
                stream,
                rest: Vec::new(),
            });
        }
        let publisher = match kind {
            Kind::EventStream => open(port, 0)?,
            Kind::WebSocket => connect(port, "/pub", None, 0)?.0,
        };
        publisher.set_nonblocking(true)?;
        poll.add(&publisher, count)?;
        // What servers send when a stream opens is not of interest.
        std::thread::sleep(Duration::from_millis(300));
        Ok(Self {
            poll,
            receivers,
            publisher,
            buffer: vec![0; 65_536],
            delays: Vec::new(),
            bytes: 0,
            compressed: offer.is_some(),
        })
    }

    fn forget(&mut self) {
        self.delays.clear();
        self.bytes = 0;
    }

    /// Publishes, and waits until everybody has everything.
    fn round(&mut self, publish: &[u8], wanted: u64) -> Result<(), Box<dyn Error>> {
        let begin = Instant::now();
        self.publisher.write_all(publish)?;
        let mut arrived = 0;
        while arrived < wanted {
            for key in self.poll.wait()? {
                let events = self.receive(key)?;
                if events > 0 {
                    arrived += events;
                    self.delays.push(begin.elapsed());
                }
            }
        }
        Ok(())
    }

    /// Takes what has come on a connection, and counts the events.
    fn receive(&mut self, key: usize) -> Result<u64, Box<dyn Error>> {
        let Some(receiver) = self.receivers.get_mut(key) else {
            read(&mut self.publisher, &mut self.buffer)?;
            return Ok(0);
        };
        let Some(length) = read(&mut receiver.stream, &mut self.buffer)? else {
            return Ok(0);
        };
        self.bytes += length as u64;
        let bytes = &self.buffer[..length];
        Ok(if self.compressed {
            receiver.frames(bytes)
        } else {
            marks(bytes)
        })
    }
}

impl Receiver {
    fn frames(&mut self, bytes: &[u8]) -> u64 {
        self.rest.extend_from_slice(bytes);
        let (mut count, mut at) = (0, 0);
        while let Some((_, _, length)) = websocket::first_frame(&self.rest[at..]) {
            count += 1;
            at += length;
        }
        self.rest.drain(..at);
        count
    }
}

/// Counts in bytes of a vector register's width: the compiler sees to it.
pub fn marks(bytes: &[u8]) -> u64 {
    let of_chunk = |chunk: &[u8]| chunk.iter().map(|&byte| u8::from(byte == MARK)).sum::<u8>();
    bytes
        .chunks(128)
        .map(|chunk| u64::from(of_chunk(chunk)))
        .sum()
}

pub fn percentile(times: &mut [Duration], share: f64) -> f64 {
    if times.is_empty() {
        return 0.0;
    }
    let at = ((times.len() - 1) as f64 * share) as usize;
    times.select_nth_unstable(at).1.as_nanos() as f64 / 1000.0
}
