//! WebSockets and event streams under each stack, with tower-http's layers around where the stack takes them.

use std::{convert::Infallible, time::Duration};

use axum::{Router, body::Body, routing::get};
use http::{Request, Response, StatusCode, request::Parts};
use stacks::{answer, check_http1, check_http2, check_sse, echo, listen, serve, ticks};
use tower::{Layer, ServiceBuilder, service_fn};
use tower_http::{
    compression::CompressionLayer, cors::CorsLayer, timeout::TimeoutLayer, trace::TraceLayer,
};
use tower_realtime::{
    rt::Tokio,
    ws::{Acceptor, Http2Layer, Rejection, WebSocket, WebSocketLayer, check_http2 as missed},
};

fn timeout() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(10))
}

async fn handler(socket: WebSocket, _: Parts) -> Result<(), tower_realtime::ws::Error> {
    echo(socket).await
}

#[tokio::test]
async fn hyper() {
    let service = ServiceBuilder::new()
        .layer(Http2Layer::new())
        .layer(TraceLayer::new_for_http())
        .layer(CorsLayer::permissive())
        .layer(CompressionLayer::new())
        .layer(timeout())
        .service(service_fn(
            async |request: Request<hyper::body::Incoming>| {
                Ok::<_, Infallible>(answer(request).await)
            },
        ));
    let (listener, address) = listen().await;
    tokio::spawn(serve(listener, service));
    check_http1(address).await;
    check_http2(address).await;
    check_sse(address).await;
}

/// With routes for GET only, which HTTP/2 misses without the layer.
#[tokio::test]
async fn axum() {
    let router: Router = Router::new()
        .route("/ws", get(answer::<Body>))
        .route("/sse", get(answer::<Body>))
        .route("/page", get(answer::<Body>))
        .layer(TraceLayer::new_for_http())
        .layer(CorsLayer::permissive())
        .layer(CompressionLayer::new())
        .layer(timeout());
    assert_eq!(missed::<_, Body, _>(router.clone(), ["/ws"]).await, ["/ws"]);
    let app = Http2Layer::new().layer(router);
    let (listener, address) = listen().await;
    let service = axum::ServiceExt::<axum::extract::Request>::into_make_service(app);
    tokio::spawn(async move { axum::serve(listener, service).await });
    check_http1(address).await;
    check_http2(address).await;
    check_sse(address).await;
}

/// The WebSockets are in front of gRPC, the event stream is beside it in its router.
#[tokio::test]
async fn tonic() {
    let router = tonic::service::Routes::default()
        .into_axum_router()
        .route("/sse", get(async || ticks()))
        .route("/page", get(async || "a page"));
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(WebSocketLayer::new(Tokio, handler))
        .service(tonic::service::Routes::from(router));
    let (listener, address) = listen().await;
    tokio::spawn(serve(listener, service));
    check_http1(address).await;
    check_http2(address).await;
    check_sse(address).await;
}

#[tokio::test]
async fn warp() {
    use warp::Filter;
    let page = warp::path("page").map(|| "a page");
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(CompressionLayer::new())
        .layer(WebSocketLayer::new(Tokio, handler))
        .service(warp::service(page));
    let (listener, address) = listen().await;
    tokio::spawn(serve(listener, service));
    check_http1(address).await;
    check_http2(address).await;
}

/// warp's own WebSocket filter, which knows nothing of HTTP/2, over HTTP/2.
#[tokio::test]
async fn warp_s_own_websocket() {
    use futures_util::{SinkExt, StreamExt};
    use warp::Filter;
    let own = warp::path("ws")
        .and(warp::header::optional::<String>("origin"))
        .and(warp::ws())
        .map(
            |origin: Option<String>, ws: warp::ws::Ws| -> Box<dyn warp::Reply> {
                if origin.is_some() {
                    return Box::new(StatusCode::FORBIDDEN);
                }
                Box::new(ws.on_upgrade(|mut socket| async move {
                    while let Some(Ok(message)) = socket.next().await {
                        // The answer to a close frame is written by reading on.
                        if !message.is_close() && socket.send(message).await.is_err() {
                            break;
                        }
                    }
                }))
            },
        );
    let service = Http2Layer::new().layer(warp::service(own));
    let (listener, address) = listen().await;
    tokio::spawn(serve(listener, service));
    check_http2(address).await;
}

/// poem keeps hyper's upgrade to itself, so its endpoint hands it over.
#[tokio::test]
async fn poem() {
    use futures_util::TryStreamExt;
    use hyper_util::rt::TokioIo;
    use poem::{EndpointExt, Route, Server, endpoint::make_sync, listener::TcpAcceptor};
    use tower_realtime::ws::upgrade::{HyperIo, OnUpgrade, Upgraded};

    let websocket = poem::endpoint::make(|request: poem::Request| async move {
        let upgrade = request.take_upgrade();
        let mut request: http::Request<poem::Body> = {
            let (parts, body) = request.into_parts();
            let mut request = http::Request::new(body);
            *request.method_mut() = parts.method;
            *request.uri_mut() = parts.uri;
            *request.version_mut() = parts.version;
            *request.headers_mut() = parts.headers;
            request
        };
        if let Ok(upgrade) = upgrade {
            request.extensions_mut().insert(OnUpgrade::new(async {
                let io = upgrade.await.map_err(std::io::Error::other)?;
                Ok(Upgraded::new(HyperIo::new(TokioIo::new(io))))
            }));
        }
        let response: Response<bytes::Bytes> = Acceptor::new().upgrade(request, Tokio, echo);
        let (parts, body) = response.into_parts();
        let mut response = poem::Response::builder().status(parts.status).body(body);
        *response.headers_mut() = parts.headers;
        response
    });
    let page = make_sync(|_| "a page");
    let events = make_sync(|_| {
        let (parts, body) = ticks().into_parts();
        let bytes = body.into_data_stream().map_err(std::io::Error::other);
        let mut response: poem::Response = poem::Body::from_bytes_stream(bytes).into();
        *response.headers_mut() = parts.headers;
        response
    });
    let app = Route::new()
        .at("/ws", websocket)
        .at("/page", page)
        .at("/sse", events)
        .boxed();
    let (listener, address) = listen().await;
    let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
    tokio::spawn(Server::new_with_acceptor(acceptor).run(app));
    check_http1(address).await;
    check_sse(address).await;
}

/// Event streams are left out: salvo's adapter wants bodies that are `Sync`, and `Sse` is not.
#[tokio::test]
async fn salvo() {
    use bytes::Bytes;
    use http_body_util::Full;
    use salvo::{
        Listener, Router, Server,
        conn::TcpListener,
        http::ReqBody,
        prelude::{TowerLayerCompat, TowerServiceCompat},
    };

    let service = Acceptor::new().service(Tokio, handler);
    let page = service_fn(async |_: Request<ReqBody>| {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("a page"))))
    });
    let router = Router::new()
        .hoop(CorsLayer::permissive().compat())
        .push(Router::with_path("ws").goal(TowerServiceCompat::<ReqBody, _, _, _>::compat(service)))
        .push(Router::with_path("page").goal(TowerServiceCompat::<ReqBody, _, _, _>::compat(page)));
    let acceptor = TcpListener::new("127.0.0.1:0").bind().await;
    let address = acceptor.local_addr().unwrap();
    tokio::spawn(Server::new(acceptor).serve(router));
    check_http1(address).await;
}

/// hyper on smol, and a client of ours over smol's `TcpStream`: no tokio in sight.
#[test]
fn smol() {
    use smol_hyper::rt::FuturesIo;
    use tower_realtime::{
        rt::Smol,
        ws::{Connector, Message},
    };

    smol::block_on(async {
        let listener = smol::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        smol::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let service = ServiceBuilder::new()
                .layer(TraceLayer::new_for_http())
                .layer(WebSocketLayer::new(Smol, handler))
                .service(service_fn(async |_: Request<hyper::body::Incoming>| {
                    let rejection = Rejection::MissingUpgrade;
                    Ok::<_, Infallible>(rejection.into_response::<Body>(http::Version::HTTP_11))
                }));
            let service = hyper_util::service::TowerToHyperService::new(service);
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(FuturesIo::new(stream), service)
                .with_upgrades()
                .await;
        })
        .detach();
        let stream = smol::net::TcpStream::connect(address).await.unwrap();
        let request = Request::get(format!("ws://{address}/ws")).body(()).unwrap();
        let (mut socket, _) = Connector::new()
            .timer(Smol)
            .over(stream, request)
            .await
            .unwrap();
        socket.send("hi").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(Message::text("hi")));
        assert!(socket.close(None).await.is_clean());
    });
}
