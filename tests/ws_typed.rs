//! Values and bytes over a socket.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "support/script.rs"]
mod script;

use futures_util::{AsyncReadExt, AsyncWriteExt};
use script::{Far, Frame, Run, transport};
use serde::{Deserialize, Serialize};
use tower_realtime::ws::{CloseCode, CloseFrame, Closed, Endpoint, Error, Json, WebSocket};

#[derive(Deserialize)]
struct Question {
    number: u32,
}

#[derive(Serialize)]
struct Answer {
    double: u32,
}

async fn double(socket: WebSocket) -> Result<(), Error> {
    let mut socket = socket.typed::<Json<Question>, Json<Answer>>();
    while let Some(Question { number }) = socket.recv().await? {
        socket.send(&Answer { double: 2 * number }).await?;
    }
    Ok(())
}

fn serve<Fut: Future<Output = Result<(), Error>>>(
    handler: impl FnOnce(WebSocket) -> Fut,
) -> (Run<impl Future<Output = Closed>>, Far) {
    let (near, far) = transport();
    let mut run = Run::new(Endpoint::server().serve(near, handler));
    run.go();
    (run, far)
}

#[test]
fn values_go_both_ways() {
    let (mut run, far) = serve(double);
    far.send(Frame::text(r#"{"number":21}"#).masked());
    run.go();
    assert_eq!(far.frames(), [Frame::text(r#"{"double":42}"#)]);
}

#[test]
fn an_invalid_message_closes_with_1007() {
    for message in ["{", r#"{"number":-1}"#, "[]", ""] {
        let (mut run, far) = serve(double);
        far.send(Frame::text(message).masked());
        run.go();
        assert_eq!(far.frames(), [Frame::close(1007, "invalid message")]);
    }
}

#[test]
fn a_hook_decides_about_invalid_messages() {
    let (mut run, far) = serve(async |socket: WebSocket| {
        let mut passed_over = 0;
        let mut socket = socket
            .typed::<Json<Question>, Json<u32>>()
            .on_invalid(move |_| {
                passed_over += 1;
                (passed_over > 2).then(|| CloseFrame::new(CloseCode::POLICY))
            });
        while let Some(question) = socket.recv().await? {
            socket.send(&question.number).await?;
        }
        Ok(())
    });
    for message in ["bad", r#"{"number":1}"#, "bad", r#"{"number":2}"#, "bad"] {
        far.send(Frame::text(message).masked());
    }
    run.go();
    assert_eq!(
        far.frames(),
        [Frame::text("1"), Frame::text("2"), Frame::close(1008, "")]
    );
}

async fn shout(socket: WebSocket) -> Result<(), Error> {
    let mut io = socket.into_io();
    let mut buffer = [0; 5];
    while let Ok(count @ 1..) = io.read(&mut buffer).await {
        buffer[..count].make_ascii_uppercase();
        if io.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ = io.close().await;
    Ok(())
}

#[test]
fn bytes_go_both_ways_whatever_the_messages() {
    let (mut run, far) = serve(shout);
    far.send(Frame::binary("hello, ").masked());
    far.send(Frame::binary("").masked());
    far.send(Frame::binary("bytes").masked());
    run.go();
    let got: Vec<u8> = far
        .frames()
        .into_iter()
        .flat_map(|frame| frame.payload)
        .collect();
    assert_eq!(got, b"HELLO, BYTES");
    far.send(Frame::close(1000, "").masked());
    run.go();
    assert_eq!(far.frames(), [Frame::close(1000, "")]);
}

#[test]
fn text_is_no_bytes() {
    let (mut run, far) = serve(shout);
    far.send(Frame::text("text").masked());
    run.go();
    assert_eq!(far.frames(), [Frame::close(1003, "")]);
}
