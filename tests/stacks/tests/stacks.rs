//! WebSockets and event streams under each stack, with tower-http's Trace, Cors, Compression and Timeout around.

use std::convert::Infallible;

use axum::{Router, body::Body, routing::get};
use http::{Request, request::Parts};
use http_body_util::BodyDataStream;
use hyper::body::Incoming;
use stacks::{
    Exclusive, answer, application, check_http1, check_http2, check_sse, echo, layers, listen,
    page, serve, ticks,
};
use tower::{Layer, ServiceBuilder, service_fn};
use tower_realtime::{
    rt::Tokio,
    ws::{Http2Layer, Rejection, WebSocket, WebSocketLayer, check_http2 as missed},
};

async fn handler(socket: WebSocket, _: Parts) -> Result<(), tower_realtime::ws::Error> {
    echo(socket).await
}

#[tokio::test]
async fn hyper() {
    let service = ServiceBuilder::new()
        .layer(Http2Layer::new())
        .layer(layers())
        .service(service_fn(async |request: Request<Incoming>| {
            Ok::<_, Infallible>(answer(request).await)
        }));
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
        .layer(layers());
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
        .route("/page", get(async || page()));
    let service = ServiceBuilder::new()
        .layer(layers())
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
    use warp::{Filter, Reply};
    let events = warp::path("sse").map(|| {
        let (parts, body) = ticks().into_parts();
        let bytes = BodyDataStream::new(Exclusive::new(body));
        let mut response = warp::reply::stream(bytes).into_response();
        *response.headers_mut() = parts.headers;
        response
    });
    let service = ServiceBuilder::new()
        .layer(layers())
        .layer(WebSocketLayer::new(Tokio, handler))
        .service(warp::service(warp::path("page").map(page).or(events)));
    let (listener, address) = listen().await;
    tokio::spawn(serve(listener, service));
    check_http1(address).await;
    check_http2(address).await;
    check_sse(address).await;
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
                    return Box::new(http::StatusCode::FORBIDDEN);
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
    let service = ServiceBuilder::new()
        .layer(Http2Layer::new())
        .layer(layers())
        .service(warp::service(own));
    let (listener, address) = listen().await;
    tokio::spawn(serve(listener, service));
    check_http2(address).await;
}

/// poem takes tower services, and keeps hyper's upgrade to itself: it has to be handed over. The layers are around the
/// services and not around poem's own endpoints, as its adapter of layers gives them poem's own requests.
#[tokio::test]
async fn poem() {
    use hyper_util::rt::TokioIo;
    use poem::{EndpointExt, Route, Server, endpoint::TowerCompatExt, listener::TcpAcceptor};
    use tower_realtime::ws::upgrade::{HyperIo, OnUpgrade, Upgraded};

    let hand_over = async |mut request: poem::Request| {
        if let Ok(upgrade) = request.take_upgrade() {
            request.extensions_mut().insert(OnUpgrade::new(async {
                let io = upgrade.await.map_err(std::io::Error::other)?;
                Ok(Upgraded::new(HyperIo::new(TokioIo::new(io))))
            }));
        }
        poem::Result::Ok(request)
    };
    let app = Route::new()
        .at("/ws", application().compat().before(hand_over))
        .at("/page", application().compat())
        .at("/sse", application().compat());
    let (listener, address) = listen().await;
    let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
    tokio::spawn(Server::new_with_acceptor(acceptor).run(app));
    check_http1(address).await;
    check_sse(address).await;
}

/// The layers are around the services: around salvo's own handlers its adapter takes only those that keep the type of
/// the body's error, which Compression does not.
#[tokio::test]
async fn salvo() {
    use salvo::{
        Listener, Router, Server, conn::TcpListener, http::ReqBody, prelude::TowerServiceCompat,
    };

    let goal = || TowerServiceCompat::<ReqBody, _, _, _>::compat(application());
    let router = Router::new()
        .push(Router::with_path("ws").goal(goal()))
        .push(Router::with_path("page").goal(goal()))
        .push(Router::with_path("sse").goal(goal()));
    let acceptor = TcpListener::new("127.0.0.1:0").bind().await;
    let address = acceptor.local_addr().unwrap();
    tokio::spawn(Server::new(acceptor).serve(router));
    check_http1(address).await;
    check_sse(address).await;
}

/// hyper on smol, and a client of ours over smol's `TcpStream`: no tokio in sight. Timeout is left out: it sleeps on
/// tokio's clock and panics without.
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
            let (trace, cors, compression, _) = layers();
            let service = ServiceBuilder::new()
                .layer((trace, cors, compression))
                .layer(WebSocketLayer::new(Smol, handler))
                .service(service_fn(async |_: Request<Incoming>| {
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
        let (mut socket, response) = Connector::new()
            .timer(Smol)
            .over(stream, request)
            .await
            .unwrap();
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        socket.send("hi").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(Message::text("hi")));
        assert!(socket.close(None).await.is_clean());
    });
}
