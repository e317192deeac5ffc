//! One publishes to many over real sockets: a server on a thread of its own, whose processor time is read, and all of
//! its clients on another.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use axum::Router;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc, oneshot},
    task,
};

/// The clock of the calling thread: the time for which it had a processor.
pub fn thread_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid place for the answer.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "every Linux has this clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Two descriptors per client are more than the default of most systems.
pub fn raise_descriptors() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid place for the answer, and a valid question.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}

type Work = Box<dyn FnOnce() + Send>;

/// A server of axum on a thread of its own.
pub struct Server {
    pub address: SocketAddr,
    work: mpsc::UnboundedSender<(Work, oneshot::Sender<Duration>)>,
}

impl Server {
    pub fn start(app: Router) -> Self {
        let (work, mut works) = mpsc::unbounded_channel::<(Work, oneshot::Sender<Duration>)>();
        let (bound, address) = std::sync::mpsc::channel();
        thread::spawn(move || {
            crate::held::count_this_thread();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                bound
                    .send(listener.local_addr().expect("bound"))
                    .expect("heard");
                tokio::spawn(async move {
                    while let Some((work, started)) = works.recv().await {
                        let now = thread_time();
                        work();
                        let _ = started.send(now);
                    }
                });
                let listener = axum::serve::ListenerExt::tap_io(listener, |tcp| {
                    let _ = tcp.set_nodelay(true);
                });
                axum::serve(listener, app).await.expect("it never ends");
            });
        });
        Self {
            address: address.recv().expect("bound"),
            work,
        }
    }

    /// Runs `work` on the server's thread, and says what its clock showed before.
    pub async fn run(&self, work: impl FnOnce() + Send + 'static) -> Duration {
        let (started, start) = oneshot::channel();
        let sent = self.work.send((Box::new(work), started));
        assert!(sent.is_ok(), "the server runs");
        start.await.expect("the server runs")
    }
}

/// How deliveries are counted in what arrives.
#[derive(Clone, Copy)]
pub enum Count {
    /// Frames of a WebSocket.
    Frames,
    /// The byte `@`, once in each event.
    Marks,
}

/// Clients of one kind. They read as fast as they can.
pub struct Crowd(Rc<Shared>);

struct Shared {
    began: Cell<Instant>,
    delivered: Cell<u64>,
    wanted: Cell<u64>,
    bytes: Cell<u64>,
    all: Notify,
    latencies: RefCell<Vec<Duration>>,
    buffer: RefCell<Vec<u8>>,
}

impl Crowd {
    /// Opens `n` streams. `headers` end with a line break each. Call it within a `LocalSet`.
    pub async fn open(server: &Server, n: usize, path: &str, headers: &str, count: Count) -> Self {
        let shared = Rc::new(Shared {
            began: Cell::new(Instant::now()),
            delivered: Cell::new(0),
            wanted: Cell::new(u64::MAX),
            bytes: Cell::new(0),
            all: Notify::new(),
            latencies: RefCell::default(),
            buffer: RefCell::new(vec![0; 256 << 10]),
        });
        for _ in 0..n {
            let (stream, _) = ask(server.address, path, headers).await;
            task::spawn_local(read(stream, count, Rc::clone(&shared)));
        }
        Self(shared)
    }

    /// Lets the server do `work`, after which `count` deliveries arrive: processor time of the server, and bytes.
    pub async fn round(
        &self,
        server: &Server,
        count: usize,
        work: impl FnOnce() + Send + 'static,
    ) -> (Duration, u64) {
        self.0.delivered.set(0);
        self.0.wanted.set(count as u64);
        self.0.bytes.set(0);
        self.0.began.set(Instant::now());
        let start = server.run(work).await;
        while self.0.delivered.get() < count as u64 {
            let all = tokio::time::timeout(Duration::from_secs(30), self.0.all.notified());
            all.await.expect("everything arrives");
        }
        let end = server.run(|| ()).await;
        (end - start, self.0.bytes.get())
    }

    /// How long deliveries took since the last call, sorted.
    pub fn latencies(&self) -> Vec<Duration> {
        let mut latencies = self.0.latencies.take();
        latencies.sort_unstable();
        latencies
    }
}

/// Sends a request; the stream behind the head of the answer, and the head.
pub async fn ask(address: SocketAddr, path: &str, headers: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    let head = String::from_utf8(head).expect("a head");
    assert!(head.contains(" 101 ") || head.contains(" 200 "), "{head}");
    (stream, head)
}

/// What asks for a WebSocket.
pub const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

async fn read(stream: TcpStream, count: Count, shared: Rc<Shared>) {
    let mut frames = Frames::default();
    loop {
        stream.readable().await.expect("readable");
        let mut buffer = shared.buffer.borrow_mut();
        let bytes = match stream.try_read(&mut buffer) {
            Ok(0) => panic!("the server has closed"),
            Ok(n) => &buffer[..n],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(error) => panic!("{error}"),
        };
        let more = match count {
            Count::Frames => frames.count(bytes),
            Count::Marks => bytes.iter().filter(|byte| **byte == b'@').count() as u64,
        };
        shared.bytes.set(shared.bytes.get() + bytes.len() as u64);
        if more > 0 {
            let took = shared.began.get().elapsed();
            shared
                .latencies
                .borrow_mut()
                .extend((0..more).map(|_| took));
            shared.delivered.set(shared.delivered.get() + more);
            if shared.delivered.get() >= shared.wanted.get() {
                shared.all.notify_one();
            }
        }
    }
}

/// Finds the frames of a server, which have no mask.
#[derive(Default)]
struct Frames {
    header: Vec<u8>,
    /// Payload that is still to come.
    left: usize,
}

impl Frames {
    fn count(&mut self, mut bytes: &[u8]) -> u64 {
        let mut frames = 0;
        while !bytes.is_empty() {
            if self.left == 0 {
                self.header.push(bytes[0]);
                bytes = &bytes[1..];
                match (self.header.get(1), self.header.len()) {
                    (Some(126), 4) => {
                        self.left =
                            usize::from(u16::from_be_bytes([self.header[2], self.header[3]]))
                    }
                    (Some(length @ 1..126), 2) => self.left = usize::from(*length),
                    (Some(126), _) | (None, _) => {}
                    (Some(_), _) => panic!("no such frame is sent"),
                }
                continue;
            }
            let n = self.left.min(bytes.len());
            self.left -= n;
            bytes = &bytes[n..];
            if self.left == 0 {
                self.header.clear();
                frames += 1;
            }
        }
        frames
    }
}
