//! A real Redis for a test, and a way to it that can be cut.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::TcpStream as StdStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// A `redis-server` on a port of its own.
pub(crate) struct Server {
    pub(crate) port: u16,
    dir: PathBuf,
    child: Option<Child>,
    arguments: Vec<String>,
}

/// Another program that speaks the same, such as `valkey-server`.
fn program() -> String {
    std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".into())
}

pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With more arguments than the usual.
    pub(crate) fn start_with(more: &[&str]) -> Self {
        let durable = ["--appendonly", "yes", "--appendfsync", "always"];
        let usual = ["--bind", "127.0.0.1", "--save", ""];
        Self::run(|_, port| {
            let port = ["--port", &port.to_string()].map(str::to_owned);
            let others = [&usual, &durable, more].concat();
            others.into_iter().map(str::to_owned).chain(port).collect()
        })
    }

    /// Whatever the program can be: `arguments` gets its directory and its port.
    pub(crate) fn run(arguments: impl FnOnce(&Path, u16) -> Vec<String>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let port = free_port();
        let name = format!("tower-realtime-redis-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).expect("a directory");
        let mut server = Self {
            port,
            arguments: arguments(&dir, port),
            dir,
            child: None,
        };
        server.up();
        server
    }

    pub(crate) fn up(&mut self) {
        let child = Command::new(program())
            .current_dir(&self.dir)
            .args(&self.arguments)
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("a redis-server"));
        self.until(&["PING"], "PONG");
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    }

    /// Asks until the answer holds `wanted`.
    pub(crate) fn until(&self, words: &[&str], wanted: &str) {
        let start = Instant::now();
        while !self.command(words).contains(wanted) {
            let took = start.elapsed();
            assert!(
                took < Duration::from_secs(30),
                "{words:?} never said {wanted}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its answer to a command in a connection of its own.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        let Ok(mut stream) = StdStream::connect(("127.0.0.1", self.port)) else {
            return String::new();
        };
        stream
            .set_read_timeout(Some(Duration::from_millis(200)))
            .expect("a time-out");
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            let _ = write!(text, "${}\r\n{word}\r\n", word.len());
        }
        let mut answer = vec![0; 4_096];
        let sent = stream.write_all(text.as_bytes());
        let length = sent
            .and_then(|()| stream.read(&mut answer))
            .unwrap_or_default();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A way to the server that can be cut, and led to another one.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) port: u16,
    /// What connections that are made from now on reach.
    pub(crate) server: Arc<AtomicU16>,
    open: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Wire {
    pub(crate) async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let wire = Self {
            port: listener.local_addr().expect("an address").port(),
            server: Arc::new(AtomicU16::new(server)),
            open: Arc::default(),
        };
        let (open, server) = (Arc::clone(&wire.open), Arc::clone(&wire.server));
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let server = server.load(Ordering::SeqCst);
                let task = tokio::spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(("127.0.0.1", server)).await {
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
                open.lock().expect("no panic").push(task.abort_handle());
            }
        });
        wire
    }

    pub(crate) fn cut(&self) {
        self.open
            .lock()
            .expect("no panic")
            .drain(..)
            .for_each(|task| task.abort());
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}
