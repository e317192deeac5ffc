//! Requests become WebSockets: by call, by layer, by service, over HTTP/1.1 and HTTP/2, all in memory.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, ws::WebSocketUpgrade},
    response::Response,
    routing::{any, get},
};
use http::{HeaderValue, StatusCode, Version, request::Parts};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_realtime::{
    loopback::Loopback,
    rt::{ManualClock, Task, Tokio},
    ws::{
        self, Acceptor, CloseCode, CloseFrame, Connector, Http2Layer, Message, OriginPolicy,
        Rejection, WebSocket, WebSocketLayer,
        upgrade::{ConnectProtocol, OnUpgrade, Upgraded},
    },
};

async fn echo(mut socket: WebSocket) -> Result<(), ws::Error> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

async fn upgrade(request: Request) -> Response {
    Acceptor::new().upgrade(request, Tokio, echo)
}

/// Says how its request came.
async fn info(mut socket: WebSocket, head: Parts) -> Result<(), ws::Error> {
    let protocol = head
        .extensions
        .get::<ConnectProtocol>()
        .map(ConnectProtocol::as_str);
    let seen = format!(
        "{} {:?} {} {protocol:?}",
        head.method,
        head.version,
        head.uri.path()
    );
    socket.send(seen).await
}

fn app() -> Router {
    let cookie = axum::middleware::map_response(async |mut response: Response| {
        response
            .headers_mut()
            .insert("set-cookie", HeaderValue::from_static("a=b"));
        response
    });
    Router::new()
        .route("/get", get(upgrade))
        .route("/any", any(upgrade))
        .route(
            "/axum",
            get(|upgrade: WebSocketUpgrade| async {
                upgrade.on_upgrade(async |mut socket| {
                    while let Some(Ok(message)) = socket.recv().await {
                        socket.send(message).await.unwrap();
                    }
                })
            }),
        )
        .route("/page", get(async || "a page"))
        .route_service("/info", Acceptor::new().service(Tokio, info))
        .layer(cookie)
}

fn request(uri: &str) -> Request {
    Request::get(uri).body(Body::empty()).unwrap()
}

/// A request for a WebSocket, without a connection behind it.
fn handshake(uri: &str) -> Request {
    let mut request = request(uri);
    let headers = [
        ("host", "a"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for (name, value) in headers {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    request
}

async fn echoes(mut socket: WebSocket) {
    socket.send("hi").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some(Message::text("hi")));
    assert_eq!(
        socket
            .close(CloseFrame::new(CloseCode::NORMAL))
            .await
            .code(),
        1000
    );
}

#[tokio::test]
async fn echoes_over_http1() {
    for path in ["/get", "/any"] {
        let (socket, response) = Connector::new()
            .connect(Loopback::new(app()), request(path))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(response.headers()["set-cookie"], "a=b");
        echoes(socket).await;
    }
}

#[tokio::test]
async fn routes_for_get_work_over_http2() {
    for path in ["/get", "/any"] {
        let app = Loopback::new(Http2Layer::new().layer(app()));
        let request = request(&format!("wss://example.com{path}"));
        let (socket, response) = Connector::new()
            .http2()
            .connect(app, request)
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["set-cookie"], "a=b");
        assert_eq!(response.headers().len(), 1, "{:?}", response.headers());
        echoes(socket).await;
    }
    // Without the layer the router knows no CONNECT.
    let request = request("https://example.com/get");
    let refused = Connector::new()
        .http2()
        .connect(Loopback::new(app()), request)
        .await;
    assert_eq!(
        refused.unwrap_err().status(),
        Some(StatusCode::METHOD_NOT_ALLOWED)
    );
}

#[tokio::test]
async fn handlers_see_the_request() {
    for (http2, seen) in [
        (false, "GET HTTP/1.1 /info None"),
        (true, "GET HTTP/1.1 /info Some(\"websocket\")"),
    ] {
        let connector = if http2 {
            Connector::new().http2()
        } else {
            Connector::new()
        };
        let app = Loopback::new(Http2Layer::new().layer(app()));
        let (mut socket, _) = connector
            .connect(app, request("ws://a/info"))
            .await
            .unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(Message::text(seen)));
        assert_eq!(socket.recv().await.unwrap(), None);
        assert_eq!(socket.closed().await.code(), 1000);
    }
}

#[tokio::test]
async fn the_layer_leaves_other_requests_alone() {
    let service = ServiceBuilder::new()
        .layer(WebSocketLayer::new(Tokio, info))
        .service(service_fn(async |request: Request| {
            Ok::<_, Infallible>(Response::new(request.uri().path().to_owned()))
        }));
    let (mut socket, _) = Connector::new()
        .connect(Loopback::new(service.clone()), request("/x"))
        .await
        .unwrap();
    assert!(socket.recv().await.unwrap().is_some());

    let response = service.clone().oneshot(request("/other")).await.unwrap();
    assert_eq!(text(response).await, "/other");
    // An upgrade to something else is somebody else's.
    let mut other = request("/h2c");
    other
        .headers_mut()
        .insert("upgrade", HeaderValue::from_static("h2c"));
    other
        .headers_mut()
        .insert("connection", HeaderValue::from_static("upgrade"));
    let response = service.clone().oneshot(other).await.unwrap();
    assert_eq!(text(response).await, "/h2c");
    // One that wants a WebSocket and does it badly is ours.
    let mut bad = request("/bad");
    bad.headers_mut()
        .insert("upgrade", HeaderValue::from_static("websocket"));
    let response = service.oneshot(bad).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(
        response.extensions().get(),
        Some(&Rejection::MissingConnection)
    );
}

async fn text<B>(response: http::Response<B>) -> String
where
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let bytes = http_body_util::BodyExt::collect(response.into_body())
        .await
        .unwrap()
        .to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_service_of_its_own_says_what_it_is() {
    let mut plain = request("/info");
    plain
        .headers_mut()
        .insert("host", HeaderValue::from_static("a"));
    let response = app().oneshot(plain).await.unwrap();
    assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
    assert_eq!(text(response).await, Rejection::MissingUpgrade.to_string());
}

#[tokio::test]
async fn refuses_where_the_server_keeps_its_connections() {
    let request = handshake("/get");
    let response = app().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.extensions().get(), Some(&Rejection::NotUpgradable));
}

#[tokio::test]
async fn http2_answers_that_open_nothing() {
    for (uri, rejection) in [
        ("https://a/page", Some(Rejection::NotAWebSocket)),
        ("https://a/nowhere", None),
    ] {
        let app = Loopback::new(Http2Layer::new().layer(app()));
        let refused = Connector::new()
            .http2()
            .connect(app, request(uri))
            .await
            .unwrap_err();
        let response = refused.into_response().unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{uri}");
        assert_eq!(response.extensions().get(), rejection.as_ref(), "{uri}");
    }
    // A page of another origin.
    let app = Loopback::new(Http2Layer::new().layer(app()));
    let mut foreign = request("https://a/get");
    foreign
        .headers_mut()
        .insert("origin", HeaderValue::from_static("https://evil.example"));
    let refused = Connector::new()
        .http2()
        .connect(app, foreign)
        .await
        .unwrap_err();
    assert_eq!(refused.status(), Some(StatusCode::FORBIDDEN));
}

#[tokio::test]
async fn http2_passes_on_what_is_no_websocket() {
    let app = || Http2Layer::new().layer(app());
    let mut other = Request::connect("https://a/get")
        .version(Version::HTTP_2)
        .body(Body::empty())
        .unwrap();
    other
        .extensions_mut()
        .insert(ConnectProtocol::new("connect-udp"));
    let response = app().oneshot(other).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
    // A proxy's CONNECT, and a page.
    let proxied = Request::connect("a:80")
        .version(Version::HTTP_2)
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        app().oneshot(proxied).await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
    let page = Request::get("https://a/page")
        .version(Version::HTTP_2)
        .body(Body::empty())
        .unwrap();
    assert_eq!(text(app().oneshot(page).await.unwrap()).await, "a page");
}

#[tokio::test]
async fn agrees_on_a_subprotocol() {
    let app = Router::new().route(
        "/",
        get(async |request: Request| -> Response {
            Acceptor::new().protocols(["v2", "v1"]).upgrade(
                request,
                Tokio,
                async |mut socket: WebSocket| {
                    let protocol = socket.protocol().unwrap_or("none").to_owned();
                    socket.send(protocol).await
                },
            )
        }),
    );
    for (offered, chosen) in [
        (&["v1", "v2"][..], Some("v2")),
        (&["v1"], Some("v1")),
        (&["x"], None),
        (&[], None),
    ] {
        let connector = Connector::new().protocols(offered.iter().copied());
        let (mut socket, _) = connector
            .connect(Loopback::new(app.clone()), request("/"))
            .await
            .unwrap();
        assert_eq!(socket.protocol(), chosen);
        let said = socket.recv().await.unwrap().unwrap();
        assert_eq!(said.as_text(), Some(chosen.unwrap_or("none")));
    }
}

#[tokio::test]
async fn refused_origins_come_back_with_the_body() {
    let mut foreign = request("/get");
    foreign
        .headers_mut()
        .insert("origin", HeaderValue::from_static("https://evil.example"));
    let refused = Connector::new()
        .connect(Loopback::new(app()), foreign)
        .await
        .unwrap_err();
    assert!(refused.is_refused());
    assert_eq!(
        refused.to_string(),
        "the server refused the WebSocket with 403 Forbidden: \"this Origin may not open a WebSocket here\""
    );
    let response = refused.into_response().unwrap();
    assert_eq!(
        response.into_body(),
        "this Origin may not open a WebSocket here"
    );

    let app = Router::new().route(
        "/",
        get(async |request: Request| -> Response {
            Acceptor::new()
                .origins(OriginPolicy::any())
                .upgrade(request, Tokio, echo)
        }),
    );
    let mut foreign = request("/");
    foreign
        .headers_mut()
        .insert("origin", HeaderValue::from_static("null"));
    assert!(
        Connector::new()
            .connect(Loopback::new(app), foreign)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn another_library_s_route_works_over_http2() {
    // axum takes its connection from hyper, which a loopback has not: it says so, and the layer passes it on.
    let app = Loopback::new(Http2Layer::new().layer(app()));
    let refused = Connector::new()
        .http2()
        .connect(app, request("https://a/axum"))
        .await
        .unwrap_err();
    assert_eq!(refused.status(), Some(StatusCode::BAD_REQUEST));
}

/// A request whose connection never comes.
fn hopeless() -> Request {
    let mut request = handshake("/");
    let never = OnUpgrade::new(std::future::pending::<std::io::Result<Upgraded>>());
    request.extensions_mut().insert(never);
    request
}

#[tokio::test]
async fn gives_up_a_connection_that_never_comes() {
    let by_default = Acceptor::new();
    let own = Acceptor::new().handshake_timeout(Duration::from_secs(3));
    for (acceptor, seconds) in [(by_default, 10), (own, 3)] {
        let clock = ManualClock::new();
        let acceptor = acceptor.timer(clock.clone());
        let (response, socket) = acceptor.accept::<_, Body>(hopeless()).unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let socket = tokio::spawn(socket);
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(seconds - 1));
        tokio::task::yield_now().await;
        assert!(!socket.is_finished());
        clock.advance(Duration::from_secs(1));
        assert!(socket.await.unwrap().unwrap_err().is_timeout());
    }
}

/// The task of `upgrade` ends as well, by the clock of its runtime.
#[tokio::test(start_paused = true)]
async fn the_task_does_not_outlive_a_connection_that_never_comes() {
    let (sender, ended) = tokio::sync::oneshot::channel::<()>();
    let mut request = hopeless();
    let never = OnUpgrade::new(async move {
        std::future::pending::<std::io::Result<Upgraded>>().await?;
        drop(sender);
        unreachable!("it never comes")
    });
    request.extensions_mut().insert(never);
    let start = tokio::time::Instant::now();
    let _: Response = Acceptor::new().upgrade(request, Tokio, echo);
    ended.await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[test]
fn a_closure_spawns_without_a_clock() {
    fn takes(_: impl Layer<Router>) {}
    takes(WebSocketLayer::new(
        |task: Task| drop(tokio::spawn(task)),
        info,
    ));
}
