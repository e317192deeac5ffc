//! The fan-out of events over TLS and HTTP/2: what the carrier costs on top.

use std::{cell::Cell, error::Error, path::PathBuf, pin::Pin, rc::Rc, sync::Arc, time::Instant};

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Notify,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use super::{
    fan_out::{EVENT, marks},
    options::Options,
    process::processor_time,
};

/// Streams on one connection over HTTP/2: servers allow at least so many by default.
const PER_CONNECTION: usize = 100;

/// Events that have arrived.
#[derive(Default)]
struct Arrived {
    count: Cell<u64>,
    news: Notify,
}

/// `port`, `pid`; `n` receivers, `events` in a burst, `rounds` bursts; `h2=1` for HTTP/2, `root` is the certificate
/// to trust and means TLS.
pub fn run(options: &Options) -> Result<Value, Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(tokio::task::LocalSet::new().run_until(measure(options)))
}

async fn measure(options: &Options) -> Result<Value, Box<dyn Error>> {
    let (pid, count) = (options.get("pid", 0)?, options.get("n", 1000_usize)?);
    let (events, rounds) = (
        options.get("events", 1_u64)?,
        options.get("rounds", 20_u64)?,
    );
    let carrier = Carrier::new(options)?;
    let arrived = Rc::new(Arrived::default());
    let mut sender = carrier.connect().await?;
    for number in 0..count {
        if !sender.is_shared() || number % PER_CONNECTION == 0 {
            sender = carrier.connect().await?;
        }
        let body = sender.send(carrier.request("GET", "/sse", "")?).await?;
        tokio::task::spawn_local(receive(body, Rc::clone(&arrived)));
    }
    let mut publisher = carrier.connect().await?;
    let path = format!("/pub/{events}");
    let wanted = events * count as u64;
    let (mut start, mut begin) = (0, Instant::now());
    for round in 0..rounds + 1 {
        if round == 1 {
            (start, begin) = (processor_time(pid)?, Instant::now());
        }
        arrived.count.set(0);
        let answer = publisher
            .send(carrier.request("POST", &path, EVENT)?)
            .await?;
        answer.collect().await?;
        while arrived.count.get() < wanted {
            arrived.news.notified().await;
        }
    }
    let worked = processor_time(pid)? - start;
    let delivered = (wanted * rounds) as f64;
    Ok(json!({
        "cpu_ns": worked as f64 / delivered,
        "per_second": delivered / begin.elapsed().as_secs_f64(),
    }))
}

async fn receive(mut body: Incoming, arrived: Rc<Arrived>) {
    while let Some(Ok(frame)) = body.frame().await {
        let count = frame.data_ref().map_or(0, |data| marks(data));
        arrived.count.set(arrived.count.get() + count);
        arrived.news.notify_one();
    }
}

struct Carrier {
    port: u16,
    http2: bool,
    tls: Option<TlsConnector>,
}

trait Io: AsyncRead + AsyncWrite {}

impl<T: AsyncRead + AsyncWrite> Io for T {}

type BoxIo = TokioIo<Pin<Box<dyn Io + Send>>>;

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Carrier {
    fn new(options: &Options) -> Result<Self, Box<dyn Error>> {
        let http2 = options.get("h2", 0)? == 1;
        let root = options.get("root", PathBuf::new())?;
        let tls = root
            .is_file()
            .then(|| connector(&root, http2))
            .transpose()?;
        let port = options.get("port", 0)?;
        Ok(Self { port, http2, tls })
    }

    async fn connect(&self) -> Result<Sender, Box<dyn Error>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.set_nodelay(true)?;
        let io: BoxIo = TokioIo::new(match &self.tls {
            Some(tls) => {
                let name = ServerName::try_from("localhost")?;
                Box::pin(tls.connect(name, stream).await?)
            }
            None => Box::pin(stream),
        });
        if self.http2 {
            // The client must not be what holds the server up.
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(1 << 24)
                .initial_connection_window_size(1 << 30)
                .handshake(io)
                .await?;
            tokio::task::spawn_local(connection);
            return Ok(Sender::Http2(sender));
        }
        let (sender, connection) = http1::handshake(io).await?;
        tokio::task::spawn_local(connection);
        Ok(Sender::Http1(sender))
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        body: &'static str,
    ) -> http::Result<Request<Full<Bytes>>> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let builder = Request::builder().method(method);
        let builder = if self.http2 {
            builder
                .version(Version::HTTP_2)
                .uri(format!("{scheme}://localhost:{}{path}", self.port))
        } else {
            builder
                .uri(path)
                .header("host", format!("localhost:{}", self.port))
        };
        let accept = if method == "GET" {
            "text/event-stream"
        } else {
            "*/*"
        };
        let builder = builder
            .header("accept", accept)
            .header("content-type", "text/plain");
        builder.body(Full::new(Bytes::from_static(body.as_bytes())))
    }
}

impl Sender {
    const fn is_shared(&self) -> bool {
        matches!(self, Self::Http2(_))
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Incoming, Box<dyn Error>> {
        let response = match self {
            Self::Http1(sender) => sender.send_request(request).await?,
            Self::Http2(sender) => sender.send_request(request).await?,
        };
        if response.status() != 200 {
            return Err(response.status().to_string().into());
        }
        Ok(response.into_body())
    }
}

fn connector(root: &std::path::Path, http2: bool) -> Result<TlsConnector, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root)?)?;
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![if http2 {
        b"h2".to_vec()
    } else {
        b"http/1.1".to_vec()
    }];
    Ok(TlsConnector::from(Arc::new(config)))
}
