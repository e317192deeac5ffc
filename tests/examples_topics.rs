//! The examples of topics and logs do what their first lines say, with clients of both kinds.
#![allow(missing_docs, clippy::unwrap_used)]

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;
use tower_realtime::{
    BoxError,
    sse::EventStream,
    ws::{Connector, WebSocket},
};

#[allow(dead_code)]
#[path = "../examples/broadcast.rs"]
mod broadcast;
#[allow(dead_code)]
#[path = "../examples/resume.rs"]
mod resume;

fn client() -> Client<HttpConnector, Empty<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

async fn socket(url: String) -> WebSocket {
    let request = Request::get(url).body(Empty::<Bytes>::new()).unwrap();
    Connector::new().connect(client(), request).await.unwrap().0
}

/// The id and the data of the first `count` events.
async fn events(url: String, last: &str, count: usize) -> Vec<(String, String)> {
    let request = Request::get(url).header("last-event-id", last);
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let body = client().request(request).await.unwrap().into_body();
    let messages = EventStream::new(body.map_err(BoxError::from)).take(count);
    let pair = |message: Result<tower_realtime::sse::Message, _>| {
        let message = message.unwrap();
        (
            message.last_event_id().to_string(),
            message.data().to_string(),
        )
    };
    messages.map(pair).collect().await
}

#[tokio::test]
async fn resume_goes_on_where_the_client_was() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(resume::serve(listener, Duration::from_millis(1)));
    let url = format!("http://{address}/events");
    let first = events(url.clone(), "", 3).await;
    let (last, number) = first[2].clone();
    let next: u64 = number.parse::<u64>().unwrap() + 1;
    let more = events(url.clone(), &last, 2).await;
    assert_eq!(more[0].1, next.to_string());
    assert_eq!(more[1].1, (next + 1).to_string());
    assert_eq!(events(url, "1-1", 1).await[0].1, "reload");

    let mut socket = socket(format!("http://{address}/socket?lastEventId={last}")).await;
    let message = socket.recv().await.unwrap().unwrap();
    let text = message.as_text().unwrap();
    assert!(text.ends_with(&format!("\ndata: {next}\n\n")), "{text}");
}

#[tokio::test]
async fn broadcast_reaches_both_kinds_of_guests_and_no_other_room() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rooms = format!("http://{}/rooms", listener.local_addr().unwrap());
    tokio::spawn(broadcast::serve(listener));
    let mut ann = socket(format!("{rooms}/lobby")).await;
    let mut bob = socket(format!("{rooms}/lobby")).await;
    let mut eve = socket(format!("{rooms}/cellar")).await;
    ann.send("are you there?").await.unwrap();
    // Bob may have joined after the question, but not after the one that he asks himself.
    bob.send("yes").await.unwrap();
    loop {
        let said = bob.recv().await.unwrap().unwrap();
        match said.as_text().unwrap() {
            "are you there?" => {}
            other => break assert_eq!(other, "yes"),
        }
    }
    let reader = tokio::spawn(events(format!("{rooms}/cellar/events"), "", 1));
    let mut heard = 0;
    while !reader.is_finished() {
        eve.send("psst").await.unwrap();
        assert_eq!(eve.recv().await.unwrap().unwrap().as_text(), Some("psst"));
        heard += 1;
        tokio::task::yield_now().await;
    }
    assert!(heard > 0);
    assert_eq!(reader.await.unwrap()[0].1, "psst");
}
