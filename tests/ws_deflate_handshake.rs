//! From the headers to compressed messages: acceptor and connector.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version, header::SEC_WEBSOCKET_EXTENSIONS};
use http_body_util::Full;
use tower::service_fn;
use tower_realtime::{
    loopback::Loopback,
    rt::Tokio,
    ws::{self, Acceptor, Connector, WebSocket, deflate::Deflate},
};

async fn echo(mut socket: WebSocket) -> Result<(), ws::Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

/// Connects one to the other, over HTTP/1.1 or HTTP/2: the socket, and what the server said about extensions.
async fn connect(acceptor: Acceptor, connector: Connector, http2: bool) -> (WebSocket, HeaderMap) {
    let server = service_fn(move |request: Request<()>| {
        let response: Response<Full<Bytes>> = acceptor.upgrade(request, Tokio, echo);
        async move { Ok::<_, Infallible>(response) }
    });
    let (connector, version) = match http2 {
        true => (connector.http2(), Version::HTTP_2),
        false => (connector, Version::HTTP_11),
    };
    let request = Request::get("http://localhost/").version(version);
    let request = request.body(()).unwrap();
    let (socket, response) = connector
        .connect(Loopback::new(server), request)
        .await
        .unwrap();
    (socket, response.headers().clone())
}

/// Who wants what, and what is agreed on.
#[tokio::test]
async fn both_sides_have_to_want_it() {
    let (yes, none) = (Deflate::new(), Deflate::new().no_context_takeover());
    let rows = [
        (None, None, None),
        (Some(yes), None, None),
        (None, Some(yes), None),
        (Some(yes), Some(yes), Some("permessage-deflate")),
        (
            Some(none),
            Some(yes),
            Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
        ),
        (
            Some(yes.receive_window_bits(10)),
            Some(yes.receive_window_bits(12)),
            Some("permessage-deflate; server_max_window_bits=12; client_max_window_bits=10"),
        ),
    ];
    for http2 in [false, true] {
        for (server, client, expected) in rows {
            let acceptor =
                server.map_or_else(Acceptor::new, |deflate| Acceptor::new().deflate(deflate));
            let connector =
                client.map_or_else(Connector::new, |deflate| Connector::new().deflate(deflate));
            let (mut socket, headers) = connect(acceptor, connector, http2).await;
            let header = headers.get(SEC_WEBSOCKET_EXTENSIONS);
            assert_eq!(header.map(|value| value.to_str().unwrap()), expected);
            for n in [0, 10, 1000, 100_000] {
                let message = "word ".repeat(n);
                socket.send(message.as_str()).await.unwrap();
                assert_eq!(socket.recv().await.unwrap(), Some(message.into()));
            }
            assert!(socket.close(None).await.is_clean());
        }
    }
}

/// An answer that was not offered like that fails the handshake.
#[tokio::test]
async fn a_wrong_answer_is_refused() {
    for answer in [
        "permessage-deflate; server_max_window_bits=15",
        "x-other",
        "permessage-deflate;",
    ] {
        let server = service_fn(move |request: Request<()>| {
            let mut response: Response<Full<Bytes>> = Acceptor::new().upgrade(request, Tokio, echo);
            response
                .headers_mut()
                .insert(SEC_WEBSOCKET_EXTENSIONS, answer.parse().unwrap());
            async move { Ok::<_, Infallible>(response) }
        });
        let request = Request::get("http://localhost/").body(()).unwrap();
        let connector = Connector::new().deflate(Deflate::new().receive_window_bits(10));
        let refused = connector.connect(Loopback::new(server), request).await;
        assert!(refused.unwrap_err().is_invalid_answer());
    }
}
