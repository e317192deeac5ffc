//! WebSockets over HTTP/2 to a route that knows only GET, server and client in one.
//!
//! `cargo run --example websocket_http2`

use axum::{Router, ServiceExt, extract::Request, response::Response, routing::get};
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tower::Layer;
use tower_realtime::{
    BoxError,
    rt::Tokio,
    ws::{self, Acceptor, Connector, Http2Layer, WebSocket, check_http2, upgrade::Http2Client},
};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    run().await
}

pub(crate) async fn run() -> Result<(), BoxError> {
    let app = Router::new().route("/ws", get(upgrade));
    let missed = check_http2::<_, axum::body::Body, _>(app.clone(), ["/ws"]).await;
    println!("without the layer, HTTP/2 does not reach {missed:?}");
    let app = Http2Layer::new().layer(app);

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = ServiceExt::<Request>::into_make_service(app);
    tokio::spawn(async move { axum::serve(listener, app).await });

    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
    let (client, connection) = Http2Client::new(sender, connection, Tokio);
    tokio::spawn(connection);
    let request = http::Request::get(format!("ws://{address}/ws")).body(Empty::<Bytes>::new())?;
    let connector = Connector::new().timer(Tokio).http2();
    let (mut socket, response) = connector.connect(client, request).await?;
    println!("{} over {:?}", response.status(), response.version());
    socket.send("hello over HTTP/2").await?;
    println!("{:?}", socket.recv().await?);
    println!("{:?}", socket.close(None).await);
    Ok(())
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
