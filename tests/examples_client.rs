//! The examples of clients do what their first lines say. `event_source` and `sse_decode` are driven by public suites.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{io, time::Duration};

use axum::{Json, Router, response::Response, routing::post};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tower_realtime::sse::{Event, Sse};

#[allow(dead_code)]
#[path = "../examples/llm_stream.rs"]
mod llm_stream;

/// A server that answers with the words of the question, one token each.
async fn model(Json(request): Json<Value>) -> Response {
    assert_eq!(request["stream"], true);
    let prompt = request["messages"][0]["content"]
        .as_str()
        .unwrap()
        .to_owned();
    let token = |word: String| json!({ "choices": [{ "index": 0, "delta": { "content": word } }] });
    let mut events: Vec<String> =
        vec![json!({ "choices": [{ "delta": { "role": "assistant" } }] }).to_string()];
    events.extend(
        prompt
            .split_inclusive(' ')
            .map(|word| token(word.to_owned()).to_string()),
    );
    if !prompt.contains("break") {
        events.push("[DONE]".to_owned());
    }
    // After the end marker the stream stays open, as some servers have it.
    let rest = stream::pending().take(if prompt.contains("break") { 0 } else { 1 });
    let events = stream::iter(events).map(|data| Ok::<_, io::Error>(Event::new(data)));
    Sse::new(events.chain(rest))
        .into_response()
        .map(axum::body::Body::new)
}

async fn answer(prompt: &str) -> (String, Option<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!(
        "http://{}/v1/chat/completions",
        listener.local_addr().unwrap()
    );
    let app = Router::new().route("/v1/chat/completions", post(model));
    let server = tokio::spawn(async { axum::serve(listener, app).await });
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut out = Vec::new();
    let asked = llm_stream::ask(client, &uri, prompt, &mut out);
    let done = tokio::time::timeout(Duration::from_secs(20), asked)
        .await
        .unwrap();
    server.abort();
    (
        String::from_utf8(out).unwrap(),
        done.err().map(|error| error.to_string()),
    )
}

#[tokio::test]
async fn llm_stream_prints_tokens_to_the_end_marker() {
    let (out, error) = answer("Why is the sky blue, naïve ☃?").await;
    assert_eq!(out, "Why is the sky blue, naïve ☃?\n");
    assert_eq!(error, None);
}

#[tokio::test]
async fn llm_stream_fails_where_the_answer_is_cut_short() {
    let (out, error) = answer("please break").await;
    assert_eq!(out, "please break");
    assert_eq!(error.unwrap(), "the answer ended before its end marker");
}
