use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::Service};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceBuilder;
use tower_realtime::{
    layers::{AgeLayer, DrainLayer, ObserveLayer, StreamLimitLayer},
    lifecycle::{Drain, MaxAge, StreamLimit},
    rt::Tokio,
    ws::Http2Layer,
};

use crate::{
    arguments::{Arguments, Stack},
    endpoints::{self, Testbed},
    ws::Arrived,
};

pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    // Load generators open thousands of connections at once.
    socket.listen(4096)
}

/// Accepts for ever.
pub(crate) async fn serve(
    plain: TcpListener,
    secure: Option<(TcpListener, TlsAcceptor)>,
    arguments: &Arguments,
    testbed: Arc<Testbed>,
) -> Infallible {
    // In front of the whole application, so that WebSockets over HTTP/2 find their routes.
    let layers = ServiceBuilder::new()
        .map_request(note_arrival)
        .layer(Http2Layer::new());
    let http1 = arguments.http1;
    match arguments.stack {
        Stack::Hyper => {
            let service = layers.service_fn(move |request| {
                let testbed = Arc::clone(&testbed);
                async move { Ok::<_, Infallible>(testbed.answer(request).await) }
            });
            accept(plain, secure, TowerToHyperService::new(service), http1).await
        }
        Stack::Axum => {
            let service = layers.service(endpoints::router(testbed));
            accept(plain, secure, TowerToHyperService::new(service), http1).await
        }
        Stack::Layers => {
            let (drain, limit) = (Drain::new(Tokio), StreamLimit::new(1 << 20));
            let service = layers
                .layer(DrainLayer::new(&drain))
                .layer(StreamLimitLayer::new(&limit))
                .layer(AgeLayer::new(Tokio, MaxAge::new(A_DAY)))
                .layer(ObserveLayer::new())
                .service_fn(move |request| {
                    let testbed = Arc::clone(&testbed);
                    async move { Ok::<_, Infallible>(testbed.answer(request).await) }
                });
            accept(plain, secure, TowerToHyperService::new(service), http1).await
        }
    }
}

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn note_arrival(mut request: Request<Incoming>) -> Request<Incoming> {
    let arrived = Arrived(request.version(), request.method().clone());
    request.extensions_mut().insert(arrived);
    request
}

async fn accept<S, B>(
    plain: TcpListener,
    secure: Option<(TcpListener, TlsAcceptor)>,
    service: S,
    http1: bool,
) -> Infallible
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<tower_realtime::BoxError>,
{
    let over_tls = async {
        let Some((listener, tls)) = secure else {
            return std::future::pending().await;
        };
        loop {
            let (stream, tls, service) = (next(&listener).await, tls.clone(), service.clone());
            tokio::spawn(async move {
                if let Ok(stream) = tls.accept(stream).await {
                    connection(stream, service, http1).await;
                }
            });
        }
    };
    let over_tcp = async {
        loop {
            let stream = next(&plain).await;
            tokio::spawn(connection(stream, service.clone(), http1));
        }
    };
    tokio::select! {
        never = over_tls => never,
        never = over_tcp => never,
    }
}

async fn next(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Events and small messages must not wait for the answer to the ones before.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            // Out of file descriptors: give connections time to end.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn connection<T, S, B>(stream: T, service: S, http1: bool)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Send,
    S::Future: Send + 'static,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<tower_realtime::BoxError>,
{
    if http1 {
        // A peer that goes away is no fault of this server.
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await;
        return;
    }
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        // h2 closes a connection on which many small frames wait unread: half of this window, in bytes that frames
        // fall short of 256. Pages send thousands of messages at once.
        .initial_connection_window_size(8 << 20)
        .enable_connect_protocol();
    // A peer that goes away is no fault of this server.
    let _ = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .await;
}
