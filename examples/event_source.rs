//! Follows an event stream and prints its events as lines of JSON, until the server says stop:
//! `cargo run --example event_source http://127.0.0.1:3000/ticks`.
//!
//! As browsers do, it takes every status but 200 for the end; leave `retry_if` out for what services want.

use std::io::Write;

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::json;
use tower_realtime::{
    BoxError,
    sse::{EventSource, Update},
};

async fn follow(uri: &str, out: &mut impl Write) -> Result<(), BoxError> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::get(uri).body(Empty::<Bytes>::new())?;
    let mut events =
        EventSource::new(client, request, tokio::time::sleep).retry_if(|_answer| false);
    while let Some(update) = events.update().await {
        let line = match update {
            Update::Open(head) => json!({ "open": head.status.as_u16() }),
            Update::Message(message) => json!({ "event": {
                "type": message.event(),
                "data": message.data(),
                "id": message.last_event_id(),
            } }),
            Update::Reconnecting { after, cause, .. } => {
                json!({ "again": after.as_millis() as u64, "cause": cause.to_string() })
            }
            Update::Closed { cause, .. } => {
                json!({ "closed": true, "cause": cause.map(|cause| cause.to_string()) })
            }
            _ => continue,
        };
        writeln!(out, "{line}")?;
        out.flush()?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let uri = std::env::args().nth(1).ok_or("usage: event_source URL")?;
    follow(&uri, &mut std::io::stdout()).await
}
