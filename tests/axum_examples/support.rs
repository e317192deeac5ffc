use std::net::SocketAddr;

use axum::{Router, serve::ListenerExt};
use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Empty;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::{TcpListener, TcpStream};
use tower_realtime::{
    rt::Tokio,
    ws::{Connector, WebSocket, upgrade::Http2Client},
};

pub(crate) const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// Serves `app` as axum does.
pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Small messages in turns would wait for delayed acknowledgements.
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
    tokio::spawn(async move {
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await
    });
    address
}

/// Opens a WebSocket that offers `protocols`.
pub(crate) async fn open(
    address: SocketAddr,
    path: &str,
    version: Version,
    protocols: &'static [&'static str],
) -> (WebSocket, Response<()>) {
    let uri = format!("ws://{address}{path}");
    let request = Request::get(uri).body(Empty::<Bytes>::new()).unwrap();
    let connector = Connector::new()
        .timer(Tokio)
        .protocols(protocols.iter().copied());
    if version < Version::HTTP_2 {
        let client = Client::builder(TokioExecutor::new()).build_http();
        return connector.connect(client, request).await.unwrap();
    }
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream);
    let (sender, connection) = handshake.await.unwrap();
    let (client, connection) = Http2Client::new(sender, connection, Tokio);
    tokio::spawn(connection);
    let connector = connector.http2();
    let (socket, response) = connector.connect(client, request).await.unwrap();
    assert_eq!(response.version(), version);
    (socket, response)
}

pub(crate) async fn connect(address: SocketAddr, path: &str, version: Version) -> WebSocket {
    open(address, path, version, &[]).await.0
}

pub(crate) async fn text(socket: &mut WebSocket) -> String {
    let message = socket.recv().await.unwrap().expect("a message");
    message.as_text().expect("a text").to_owned()
}
