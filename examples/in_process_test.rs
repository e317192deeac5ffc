//! Tests of WebSockets without a port and without a sleep: run `cargo test --example in_process_test`.

use axum::{Router, extract::Request, response::Response, routing::any};
use tower_realtime::{
    rt::Tokio,
    ws::{self, Acceptor, WebSocket},
};

fn app() -> Router {
    Router::new().route("/echo", any(upgrade))
}

async fn upgrade(request: Request) -> Response {
    Acceptor::new().upgrade(request, Tokio, echo)
}

async fn echo(mut socket: WebSocket) -> Result<(), ws::Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

fn main() {
    drop(app());
    println!("this example is its tests: cargo test --example in_process_test");
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower_realtime::{
        BoxError,
        loopback::{Faults, Loopback},
        ws::{Connector, Message},
    };

    use super::*;

    #[tokio::test]
    async fn echoes() -> Result<(), BoxError> {
        talk(Loopback::new(app())).await // a tower client whose server is right here
    }

    #[tokio::test]
    async fn survives_a_network_that_crawls() -> Result<(), BoxError> {
        let faults = Faults::new();
        faults.chunks(1); // every read and write moves one byte
        talk(Loopback::new(app()).faults(faults)).await
    }

    async fn talk(client: Loopback<Router>) -> Result<(), BoxError> {
        let request = Request::get("/echo").body(Body::empty())?;
        let (mut socket, _) = Connector::new().connect(client, request).await?;
        socket.send("hi").await?;
        assert_eq!(socket.recv().await?, Some(Message::text("hi")));
        Ok(())
    }
}
