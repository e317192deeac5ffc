//! What permessage-deflate saves on the wire, takes of the processor, and holds for each connection.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fmt::Write as _,
    io,
    pin::Pin,
    sync::atomic::{AtomicIsize, Ordering},
    task::{Context, Poll, Waker},
    time::Instant,
};

use flate2::{Compress, Compression, FlushCompress};
use futures_io::{AsyncRead, AsyncWrite};
use http::header::{HeaderMap, SEC_WEBSOCKET_EXTENSIONS};
use tower_realtime::ws::{
    Limits,
    deflate::{Agreed, Deflate, DeflateIo, answer},
};

const MESSAGES: usize = 2_000;
const CONNECTIONS: usize = 200;

/// The system's allocator, with a count of what it has given out: resident memory would tell of pages that were freed
/// and not returned.
struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as isize, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as isize, Ordering::Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn main() {
    for (name, messages) in [
        ("chat", chat()),
        ("JSON ticks", ticks()),
        ("HTML fragments", html()),
    ] {
        saved(name, &messages);
    }
    held();
}

/// Bytes on the wire and time for each message.
fn saved(name: &str, messages: &[Vec<u8>]) {
    let plain: usize = messages.iter().map(Vec::len).sum();
    println!("\n{name}: {} B a message", plain / messages.len());
    for level in [1, 6] {
        for takeover in [true, false] {
            let deflate = Deflate::new()
                .level(level)
                .threshold(0)
                .send_context_takeover(takeover);
            let mut io = DeflateIo::server(Wire::default(), Some(&agreed(deflate)), &Limits::new());
            let frames: Vec<_> = messages.iter().map(|message| frame(message)).collect();
            let start = Instant::now();
            for frame in &frames {
                send(&mut io, frame);
            }
            let ours = start.elapsed();
            let wire = io.get_ref().written;
            let alone = codec(level, takeover, messages);
            println!(
                "  level {level}, {:11} {:5} B, {:4.1} % saved, {:6.2} us ({:.2}x the codec alone)",
                if takeover { "takeover" } else { "no takeover" },
                wire / messages.len(),
                100.0 - 100.0 * wire as f64 / plain as f64,
                ours.as_secs_f64() * 1e6 / messages.len() as f64,
                ours.as_secs_f64() / alone,
            );
        }
    }
}

/// Seconds that the codec takes, without frames.
fn codec(level: u8, takeover: bool, messages: &[Vec<u8>]) -> f64 {
    let mut compress = Compress::new(Compression::new(u32::from(level)), false);
    let mut out = Vec::with_capacity(64 * 1024);
    let start = Instant::now();
    for message in messages {
        out.clear();
        compress
            .compress_vec(message, &mut out, FlushCompress::Sync)
            .expect("room");
        if !takeover {
            compress.reset();
        }
    }
    start.elapsed().as_secs_f64()
}

/// Memory of connections that have sent and received.
fn held() {
    println!(
        "\nmemory for each of {CONNECTIONS} connections, in KiB: after 100 messages each way, and idle"
    );
    let rows = [
        ("default", Deflate::new(), "; client_max_window_bits"),
        (
            "memory(128 KiB)",
            Deflate::new().memory(128 << 10),
            "; client_max_window_bits",
        ),
        (
            "windows of 9 bits",
            Deflate::new().send_window_bits(9).receive_window_bits(9),
            "; client_max_window_bits; server_max_window_bits=9",
        ),
        ("no takeover", Deflate::new().no_context_takeover(), ""),
    ];
    let messages = ticks();
    for (name, deflate, offer) in rows {
        let agreed = agreed_with(deflate, offer);
        let before = HELD.load(Ordering::Relaxed);
        let mut all: Vec<_> = (0..CONNECTIONS)
            .map(|_| DeflateIo::server(Wire::default(), Some(&agreed), &Limits::new()))
            .collect();
        for io in &mut all {
            // What the peer sends is what we would: the window of ticks.
            let mut zip = Compress::new_with_window_bits(Compression::new(6), false, 9);
            for message in &messages[..100] {
                send(io, &frame(message));
                io.get_mut().input = masked(&mut zip, message);
                receive(io);
            }
        }
        let busy = HELD.load(Ordering::Relaxed) - before;
        all.iter_mut().for_each(DeflateIo::release);
        let idle = HELD.load(Ordering::Relaxed) - before;
        let each = |bytes: isize| bytes as f64 / 1024.0 / CONNECTIONS as f64;
        println!("  {name:18} {:6.1} {:6.1}", each(busy), each(idle));
    }
}

fn agreed(deflate: Deflate) -> Agreed {
    agreed_with(deflate, "")
}

fn agreed_with(deflate: Deflate, offer: &str) -> Agreed {
    let mut headers = HeaderMap::new();
    let value = format!("permessage-deflate{offer}")
        .parse()
        .expect("a header");
    headers.insert(SEC_WEBSOCKET_EXTENSIONS, value);
    answer(&deflate, &headers).expect("an answer")
}

/// A text frame of a server.
fn frame(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match message.len() {
        n @ 0..=125 => frame.push(n as u8),
        n => {
            frame.push(126);
            frame.extend((n as u16).to_be_bytes());
        }
    }
    frame.extend(message);
    frame
}

/// A compressed text frame of a client, with a mask of zeros.
fn masked(zip: &mut Compress, message: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(message.len() + 100);
    zip.compress_vec(message, &mut payload, FlushCompress::Sync)
        .expect("room");
    payload.truncate(payload.len() - 4);
    zip.reset();
    let mut frame = vec![0xc1, 0x80 | 126];
    frame.extend((payload.len() as u16).to_be_bytes());
    if payload.len() < 126 {
        frame = vec![0xc1, 0x80 | payload.len() as u8];
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

fn send(io: &mut DeflateIo<Wire>, frame: &[u8]) {
    let mut cx = Context::from_waker(Waker::noop());
    let taken = Pin::new(&mut *io).poll_write(&mut cx, frame);
    assert!(matches!(taken, Poll::Ready(Ok(n)) if n == frame.len()));
    assert!(Pin::new(io).poll_flush(&mut cx).is_ready());
}

fn receive(io: &mut DeflateIo<Wire>) {
    let mut buffer = [0; 8192];
    let read = Pin::new(io).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer);
    assert!(matches!(read, Poll::Ready(Ok(1..))));
}

/// Counts what is written.
#[derive(Default)]
struct Wire {
    input: Vec<u8>,
    written: usize,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let input = std::mem::take(&mut self.input);
        out[..input.len()].copy_from_slice(&input);
        Poll::Ready(Ok(input.len()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written += bytes.len();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The same numbers on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn words(&mut self, n: usize) -> String {
        let words: Vec<_> = (0..n).map(|_| WORDS[self.below(WORDS.len())]).collect();
        words.join(" ")
    }
}

const WORDS: [&str; 64] = [
    "the", "of", "and", "to", "in", "is", "you", "that", "it", "he", "was", "for", "on", "are",
    "as", "with", "his", "they", "at", "be", "this", "have", "from", "or", "one", "had", "by",
    "word", "but", "not", "what", "all", "were", "we", "when", "your", "can", "said", "there",
    "use", "an", "each", "which", "she", "do", "how", "their", "if", "will", "up", "other",
    "about", "out", "many", "then", "them", "these", "so", "some", "her", "would", "make", "like",
    "meeting",
];

/// One line of a conversation: about 170 bytes.
fn chat() -> Vec<Vec<u8>> {
    let mut random = Random(1);
    let mut line = |n: usize| {
        let (user, words) = (random.below(40), 4 + random.below(14));
        let (time, text) = (
            1_790_000_000_000 + n * 1_700 + random.below(900),
            random.words(words),
        );
        format!(
            r#"{{"type":"message","id":"{:016x}","room":"general","user":"user-{user}","at":{time},"text":"{text}"}}"#,
            random.below(1 << 30) << 20 | n
        )
    };
    (0..MESSAGES).map(|n| line(n).into_bytes()).collect()
}

/// Prices of twelve symbols: about 1 KB.
fn ticks() -> Vec<Vec<u8>> {
    let mut random = Random(2);
    let mut prices: Vec<_> = (0..12).map(|_| 1_000 + random.below(90_000)).collect();
    let mut tick = |n: usize| {
        let mut json = format!(
            r#"{{"type":"ticks","sequence":{n},"at":{},"data":["#,
            1_790_000_000_000 + n * 250
        );
        for (i, price) in prices.iter_mut().enumerate() {
            *price = (*price + random.below(41)).max(120) - 20;
            let (bid, ask) = (
                *price as f64 / 100.0,
                (*price + 1 + random.below(4)) as f64 / 100.0,
            );
            let comma = if i == 0 { "" } else { "," };
            let volume = random.below(1_000_000);
            write!(json, r#"{comma}{{"symbol":"SYM{i}","bid":{bid:.2},"ask":{ask:.2},"volume":{volume},"open":true}}"#).expect("memory");
        }
        json + "]}"
    };
    (0..MESSAGES).map(|n| tick(n).into_bytes()).collect()
}

/// A table row that a server renders anew: about 3 KB for ten of them.
fn html() -> Vec<Vec<u8>> {
    let mut random = Random(3);
    let mut fragment = |n: usize| {
        let mut html = format!(r#"<tbody id="orders" data-version="{n}">"#);
        for _ in 0..10 {
            let (id, name, sum) = (
                random.below(100_000),
                random.words(2),
                random.below(100_000),
            );
            let state = ["open", "paid", "sent", "returned"][random.below(4)];
            write!(
                html,
                r#"<tr class="order order--{state}" id="order-{id}"><td class="cell cell--name"><a href="/orders/{id}">{name}</a></td><td class="cell cell--number">{}.{:02} €</td><td class="cell"><span class="badge badge--{state}">{state}</span></td><td class="cell"><button class="button button--small" hx-post="/orders/{id}/next">Next</button></td></tr>"#,
                sum / 100,
                sum % 100,
            )
            .expect("memory");
        }
        html + "</tbody>"
    };
    (0..MESSAGES).map(|n| fragment(n).into_bytes()).collect()
}
