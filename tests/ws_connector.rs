//! A client that takes the right answers, and says of each wrong one what is wrong.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{convert::Infallible, io, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::HeaderMap};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tower::service_fn;
use tower_realtime::{
    rt::ManualClock,
    ws::{
        ConnectError, Connector, InvalidAnswer, Redirects, WebSocket,
        handshake::{Offer, Policy},
        upgrade::HyperIo,
    },
};

fn request(uri: &str) -> Request<()> {
    Request::get(uri).body(()).unwrap()
}

/// Reads a request head off a stream.
async fn read_head(io: &mut DuplexStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// The accept value for the key of a request.
fn accept(head: &str) -> String {
    let (mut parts, ()) = Request::get("/").body(()).unwrap().into_parts();
    for name in [
        "host",
        "connection",
        "upgrade",
        "sec-websocket-version",
        "sec-websocket-key",
    ] {
        parts
            .headers
            .insert(name, header(head, name).unwrap().parse().unwrap());
    }
    let answer = Policy::new()
        .answer(&Offer::parse(&parts).unwrap())
        .unwrap();
    let response: Response<Bytes> = answer.into_response();
    response.headers()["sec-websocket-accept"]
        .to_str()
        .unwrap()
        .to_owned()
}

/// Connects to a server that answers with `answer`, in pieces of `step` bytes, `{accept}` filled in.
async fn over(
    connector: Connector,
    answer: &str,
    step: usize,
) -> Result<(WebSocket, Response<()>), ConnectError> {
    let (client, mut server) = duplex(1 << 16);
    let answer = answer.to_owned();
    tokio::spawn(async move {
        let head = read_head(&mut server).await;
        let answer = answer.replace("{accept}", &accept(&head));
        for piece in answer.as_bytes().chunks(step) {
            server.write_all(piece).await?;
            tokio::task::yield_now().await;
        }
        io::Result::Ok(())
    });
    connector
        .over(
            HyperIo::new(TokioIo::new(client)),
            request("ws://example.com/chat"),
        )
        .await
}

const YES: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n";

#[tokio::test]
async fn sends_a_request_that_keeps_every_rule() {
    let (client, mut server) = duplex(1 << 16);
    let mut request = request("wss://example.com:8443/chat?room=1");
    request
        .headers_mut()
        .insert("cookie", "a=b".parse().unwrap());
    let connecting = tokio::spawn(async move {
        let connector = Connector::new().protocols(["v2", "v1"]);
        connector
            .over(HyperIo::new(TokioIo::new(client)), request)
            .await
            .map(drop)
    });
    let head = read_head(&mut server).await;
    assert!(head.starts_with("GET /chat?room=1 HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "host"), Some("example.com:8443"));
    assert_eq!(header(&head, "cookie"), Some("a=b"));
    assert_eq!(header(&head, "sec-websocket-protocol"), Some("v2, v1"));
    assert_eq!(header(&head, "sec-websocket-extensions"), None);
    accept(&head); // our own server takes it
    drop(server);
    assert!(connecting.await.unwrap().unwrap_err().is_transport());
}

#[tokio::test]
async fn keys_differ() {
    let mut keys = Vec::new();
    for _ in 0..3 {
        let (client, mut server) = duplex(1 << 16);
        let io = HyperIo::new(TokioIo::new(client));
        tokio::spawn(async move {
            Connector::new()
                .over(io, request("ws://a/"))
                .await
                .map(drop)
        });
        let head = read_head(&mut server).await;
        keys.push(header(&head, "sec-websocket-key").unwrap().to_owned());
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 3);
}

#[tokio::test]
async fn checks_the_answer() {
    use InvalidAnswer::*;
    let head = "HTTP/1.1 101 Switching Protocols\r\n";
    let up = "upgrade: websocket\r\n";
    let connection = "connection: upgrade\r\n";
    let accept = "sec-websocket-accept: {accept}\r\n";
    let rows: Vec<(String, Option<InvalidAnswer>)> = vec![
        (format!("{head}{up}{connection}{accept}"), None),
        (
            format!("{head}Upgrade: WebSocket\r\nConnection: Upgrade\r\n{accept}"),
            None,
        ),
        (
            format!("{head}upgrade: websocket, x\r\nconnection: keep-alive, Upgrade\r\n{accept}"),
            None,
        ),
        (
            format!("{head}{up}connection: keep-alive\r\n{connection}{accept}"),
            None,
        ),
        (format!("HTTP/1.1 101\r\n{up}{connection}{accept}"), None),
        (
            format!("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n{head}{up}{connection}{accept}"),
            None,
        ),
        (format!("{head}{connection}{accept}"), Some(MissingUpgrade)),
        (
            format!("{head}upgrade: h2c\r\n{connection}{accept}"),
            Some(MissingUpgrade),
        ),
        (format!("{head}{up}{accept}"), Some(MissingConnection)),
        (
            format!("{head}{up}connection: close\r\n{accept}"),
            Some(MissingConnection),
        ),
        (format!("{head}{up}{connection}"), Some(MissingAccept)),
        (
            format!("{head}{up}{connection}sec-websocket-accept: \r\n"),
            Some(WrongAccept),
        ),
        (
            format!("{head}{up}{connection}sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
            Some(WrongAccept),
        ),
        (
            format!("{head}{up}{connection}{accept}{accept}"),
            Some(WrongAccept),
        ),
        (format!("{YES}sec-websocket-protocol: v1\r\n"), None),
        (
            format!("{YES}sec-websocket-protocol: v3\r\n"),
            Some(UnaskedProtocol),
        ),
        (
            format!("{YES}sec-websocket-protocol: V1\r\n"),
            Some(UnaskedProtocol),
        ),
        (
            format!("{YES}sec-websocket-protocol: v1, v2\r\n"),
            Some(UnaskedProtocol),
        ),
        (
            format!("{YES}sec-websocket-protocol: \r\n"),
            Some(UnaskedProtocol),
        ),
        (
            format!("{YES}sec-websocket-protocol: v1\r\nsec-websocket-protocol: v1\r\n"),
            Some(RepeatedProtocol),
        ),
        (
            format!("{YES}sec-websocket-extensions: permessage-deflate\r\n"),
            Some(UnaskedExtension),
        ),
        (
            format!("{YES}sec-websocket-extensions: \r\n"),
            Some(UnaskedExtension),
        ),
    ];
    for (answer, fault) in rows {
        for step in [1, 7, usize::MAX] {
            let connector = Connector::new().protocols(["v1", "v2"]);
            let result = over(connector, &format!("{answer}\r\n"), step.min(1 << 20)).await;
            match (result, fault) {
                (Ok(_), None) => {}
                (Err(error), Some(fault)) => {
                    assert!(error.is_invalid_answer(), "{answer}: {error}");
                    let source = std::error::Error::source(&error).unwrap();
                    assert_eq!(source.downcast_ref(), Some(&fault), "{answer}");
                }
                (result, _) => panic!("{answer}: {:?}", result.err()),
            }
        }
    }
}

#[tokio::test]
async fn returns_a_refusal_with_its_body() {
    let rows = [
        (
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\n\r\nno!!more",
            403,
            "no!!",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\n\r\nuntil the end",
            403,
            "until the end",
        ),
        (
            "HTTP/1.1 401 x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            401,
            "abcde",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", 200, "hi"),
        (
            "HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n",
            302,
            "",
        ),
        (
            "HTTP/1.0 400 Bad\r\ncontent-length: 9\r\n\r\ncut",
            400,
            "cut",
        ),
    ];
    for (answer, status, body) in rows {
        for step in [1, 1000] {
            let connector = Connector::new().timer(ManualClock::new());
            let error = over(connector, answer, step).await.err().unwrap();
            assert!(error.is_refused());
            assert_eq!(error.status().unwrap(), status);
            let response = error.into_response().unwrap();
            assert_eq!(response.body(), body, "{answer}");
        }
    }
    let endless = format!("HTTP/1.1 500 x\r\n\r\n{}", "x".repeat(100_000));
    let connector = Connector::new().timer(ManualClock::new());
    let error = over(connector, &endless, 1000).await.err().unwrap();
    assert_eq!(error.into_response().unwrap().body().len(), 4096);
}

#[tokio::test]
async fn answers_that_are_none() {
    let endless = format!("HTTP/1.1 101 x\r\na: {}", "x".repeat(40_000));
    for answer in [
        "",
        "HTTP/1.1 101",
        "SSH-2.0-OpenSSH_9\r\n",
        "HTTP/1.1 x x\r\n\r\n",
        &endless,
    ] {
        let error = over(Connector::new(), answer, 1000).await.err().unwrap();
        assert!(error.is_transport(), "{error}");
    }
}

#[tokio::test]
async fn gives_back_what_came_behind_the_head() {
    let answer = format!("{YES}\r\n\u{81}\u{2}hi");
    // The frame has to be bytes, not UTF-8.
    let (client, mut server) = duplex(1 << 16);
    let connecting = tokio::spawn(async move {
        let io = HyperIo::new(TokioIo::new(client));
        Connector::new()
            .over(io, request("ws://a/"))
            .await
            .map(|(socket, _)| socket)
    });
    let head = read_head(&mut server).await;
    let text = answer.replace("{accept}", &accept(&head));
    let bytes: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    server.write_all(&bytes).await.unwrap();
    let mut socket = connecting.await.unwrap().unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("hi".into()));
}

#[tokio::test]
async fn refuses_to_send_nonsense() {
    for connector in [
        Connector::new().protocols(["a b"]),
        Connector::new().protocols(["a", "a"]),
    ] {
        assert!(over(connector, "", 1).await.err().unwrap().is_request());
    }
    assert!(
        over(Connector::new().http2(), "", 1)
            .await
            .err()
            .unwrap()
            .is_request()
    );
}

#[tokio::test]
async fn gives_up_in_time() {
    let clock = ManualClock::new();
    let connector = Connector::new()
        .timer(clock.clone())
        .handshake_timeout(Duration::from_secs(3));
    let (client, _silent) = duplex(1 << 16);
    let io = HyperIo::new(TokioIo::new(client));
    let connecting =
        tokio::spawn(async move { connector.over(io, request("ws://a/")).await.map(drop) });
    while clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_secs(3));
    assert!(connecting.await.unwrap().unwrap_err().is_timeout());
}

/// Where a request came to, and with what, after `hops` redirects to `location`.
async fn redirected(
    redirects: Redirects,
    location: &'static str,
    hops: u8,
) -> Vec<(String, HeaderMap)> {
    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let mut left = hops;
    let client = service_fn(move |request: Request<()>| {
        sender
            .send((request.uri().to_string(), request.headers().clone()))
            .unwrap();
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::FORBIDDEN;
        if left > 0 {
            left -= 1;
            *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            response
                .headers_mut()
                .insert("location", location.parse().unwrap());
        }
        async { Ok::<_, Infallible>(response) }
    });
    let mut request = request("wss://example.com/a/b?c");
    for name in ["authorization", "cookie", "x-mine"] {
        request
            .headers_mut()
            .insert(name, "secret".parse().unwrap());
    }
    let error = Connector::new()
        .redirects(redirects)
        .connect(client, request)
        .await
        .err()
        .unwrap();
    assert!(error.is_refused());
    let mut all = Vec::new();
    while let Ok(one) = seen.try_recv() {
        all.push(one);
    }
    all
}

#[tokio::test]
async fn follows_redirects_as_far_as_it_may() {
    let first = "https://example.com/a/b?c";
    let rows = [
        (Redirects::none(), "/x", None),
        (
            Redirects::same_origin(1),
            "/x?y#z",
            Some("https://example.com/x?y"),
        ),
        (
            Redirects::same_origin(1),
            "x",
            Some("https://example.com/a/x"),
        ),
        (
            Redirects::same_origin(1),
            "?x",
            Some("https://example.com/a/b?x"),
        ),
        (
            Redirects::same_origin(1),
            "wss://EXAMPLE.com:443/x",
            Some("https://example.com:443/x"),
        ),
        (Redirects::same_origin(1), "https://other.example/", None),
        (Redirects::same_origin(1), "http://example.com/", None),
        (
            Redirects::anywhere(1),
            "https://other.example/",
            Some("https://other.example/"),
        ),
        (
            Redirects::anywhere(1),
            "//other.example/x",
            Some("https://other.example/x"),
        ),
        (Redirects::anywhere(1), "ws://other.example/", None),
        (Redirects::anywhere(1), "http://[", None),
    ];
    for (redirects, location, to) in rows {
        let seen = redirected(redirects, location, 1).await;
        let uris: Vec<_> = seen.iter().map(|(uri, _)| uri.to_lowercase()).collect();
        let expected: Vec<_> = [Some(first), to].into_iter().flatten().collect();
        assert_eq!(uris, expected, "{location}");
    }
    assert_eq!(
        redirected(Redirects::same_origin(3), "/x", 9).await.len(),
        4
    );
}

#[tokio::test]
async fn keeps_credentials_from_other_origins() {
    let seen = redirected(Redirects::anywhere(1), "https://other.example/", 1).await;
    let headers = &seen[1].1;
    assert_eq!(headers["host"], "other.example");
    assert_eq!(headers["x-mine"], "secret");
    assert!(!headers.contains_key("cookie") && !headers.contains_key("authorization"));
    assert_ne!(headers["sec-websocket-key"], seen[0].1["sec-websocket-key"]);
    let seen = redirected(Redirects::anywhere(1), "/x", 1).await;
    assert_eq!(seen[1].1["authorization"], "secret");
}

#[tokio::test]
async fn a_client_that_cannot_upgrade_is_told_so() {
    // It answers 101 and has no connection to give.
    let client = service_fn(async |request: Request<()>| {
        let (parts, ()) = request.into_parts();
        let answer = Policy::new()
            .answer(&Offer::parse(&parts).unwrap())
            .unwrap();
        Ok::<_, Infallible>(answer.into_response::<Full<Bytes>>())
    });
    let error = Connector::new()
        .connect(client, request("ws://a/"))
        .await
        .err()
        .unwrap();
    assert!(error.is_transport());
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        source,
        "the client's response can't be upgraded to a byte stream"
    );
}
