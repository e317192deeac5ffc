//! Asks a quick-start for what it promises: `knock ADDRESS`. `scripts/quick-starts-test` runs it.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use http::Request;
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower_realtime::{
    rt::Tokio,
    sse::EventSource,
    ws::{Connector, Message},
};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let address = std::env::args().nth(1).ok_or("knock ADDRESS")?;
    while tokio::net::TcpStream::connect(&address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::timeout(Duration::from_secs(20), ask(&address)).await?
}

async fn ask(address: &str) -> Outcome {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(format!("http://{address}/ticks")).body(Empty::<Bytes>::new())?;
    let mut ticks = EventSource::new(client.clone(), request, tokio::time::sleep);
    for n in 0..3 {
        let tick = ticks.next().await.ok_or("the ticks ended")??;
        assert_eq!((tick.event(), tick.data()), ("tick", &*n.to_string()));
        assert_eq!(tick.last_event_id(), n.to_string());
    }
    let request = Request::get(format!("ws://{address}/echo")).body(Empty::<Bytes>::new())?;
    let (mut echo, _) = Connector::new()
        .timer(Tokio)
        .connect(client, request)
        .await?;
    for text in ["hi", &"long ".repeat(50_000)] {
        echo.send(text).await?;
        assert_eq!(echo.recv().await?, Some(Message::text(text)));
    }
    assert!(echo.close(None).await.is_clean());
    Ok(())
}
