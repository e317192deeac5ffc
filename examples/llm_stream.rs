//! Prints the answer of a language model as it is written, from a server with the usual chat completions interface:
//! `cargo run --example llm_stream http://127.0.0.1:8080/v1/chat/completions "Why is the sky blue?"`.
//!
//! A `POST` is sent once: if the stream breaks off, that is an error and not another bill.

use std::{io::Write, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tower::Service;
use tower_realtime::{BoxError, sse::EventSource};

pub(crate) async fn ask<S, R>(
    client: S,
    uri: &str,
    prompt: &str,
    out: &mut impl Write,
) -> Result<(), BoxError>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    R: http_body::Body + Send + 'static,
    R::Error: Into<BoxError>,
{
    let messages = json!([{ "role": "user", "content": prompt }]);
    let body = json!({ "model": "default", "stream": true, "messages": messages });
    let request = Request::post(uri)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::from(body.to_string()))?;
    let mut events = EventSource::new(client, request, tokio::time::sleep)
        .idle_timeout(Duration::from_secs(120));
    while let Some(message) = events.next().await {
        let data = message?.into_data();
        if data == "[DONE]" {
            writeln!(out)?;
            return Ok(()); // dropping the source ends the request
        }
        let chunk: Value = serde_json::from_str(&data)?;
        if let Some(token) = chunk["choices"][0]["delta"]["content"].as_str() {
            write!(out, "{token}")?;
            out.flush()?;
        }
    }
    Err("the answer ended before its end marker".into())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: llm_stream URL PROMPT";
    let (uri, prompt) = (
        arguments.next().ok_or(usage)?,
        arguments.next().ok_or(usage)?,
    );
    let client = Client::builder(TokioExecutor::new()).build_http();
    ask(client, &uri, &prompt, &mut std::io::stdout()).await
}
