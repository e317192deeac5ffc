//! The least that a task for each connection can do on tokio: it waits, and writes ready bytes with one call.
//!
//! What publishers send stands in one log, already in the form of the wire. A task that is woken writes what is behind
//! its own place there: no HTTP stack, no codec, no queue, no timer, no copy, and no work for each event. A server
//! with tasks cannot be below this, whatever it does.

use std::{
    error::Error,
    io::ErrorKind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_tungstenite::{WebSocketStream, tokio::TokioAdapter, tungstenite::protocol::Role};
use futures_util::StreamExt;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use super::{
    limit::{header, unmasked_head},
    websocket::accept_head,
};

#[derive(Default)]
struct Log {
    bytes: Mutex<Vec<u8>>,
    news: Notify,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, parts: &[&[u8]]) {
        let mut bytes = self.lock();
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        drop(bytes);
        self.news.notify_waiters();
    }
}

pub async fn run(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let log = Arc::new(Log::default());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, Arc::clone(&log)));
    }
}

async fn serve(stream: TcpStream, log: Arc<Log>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let head = head(&mut stream).await?;
        let path = head.split(' ').nth(1)?;
        if let Some(count) = path.strip_prefix("/pub/") {
            publish(&mut stream, &head, count.parse().ok()?, &log).await?;
            continue;
        }
        let answer = match header(&head, "sec-websocket-key") {
            Some(key) => accept_head(key),
            None => "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".into(),
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
        let stream = stream.into_inner();
        return match path {
            "/pub" => publish_frames(stream, &log).await,
            _ => follow(&stream, &log).await,
        };
    }
}

/// Writes what is behind, until the client goes.
async fn follow(stream: &TcpStream, log: &Log) -> Option<()> {
    let mut at = log.lock().len();
    loop {
        let mut news = std::pin::pin!(log.news.notified());
        news.as_mut().enable();
        let written = stream.try_write(&log.lock()[at..]);
        match written {
            Ok(0) => {}
            Ok(count) => {
                at += count;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                stream.writable().await.ok()?;
                continue;
            }
            Err(_) => return None,
        }
        tokio::select! {
            () = news => {}
            ready = stream.readable() => {
                ready.ok()?;
                match stream.try_read(&mut [0; 64]) {
                    Ok(0) => return Some(()),
                    Err(error) if error.kind() != ErrorKind::WouldBlock => return None,
                    _ => {}
                }
            }
        }
    }
}

async fn publish(
    stream: &mut BufReader<TcpStream>,
    head: &str,
    count: usize,
    log: &Log,
) -> Option<()> {
    let length = header(head, "content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let size = format!("{:x}\r\n", length + 8);
    let event = [size.as_bytes(), b"data: ", &body, b"\n\n\r\n"].concat();
    log.publish(&[&event.repeat(count)]);
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(answer.as_bytes()).await.ok()
}

async fn publish_frames(stream: TcpStream, log: &Log) -> Option<()> {
    let io = TokioAdapter::new(stream);
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        let payload = message.into_data();
        log.publish(&[&unmasked_head(0x81, payload.len()), &payload]);
    }
    Some(())
}

async fn head(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    Some(head)
}
