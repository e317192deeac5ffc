//! A connection of hyper's behind a [`StallGuard`].

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tower::{Service, ServiceBuilder};
use tower_realtime::{
    BoxError,
    layers::{StallExecutor, StallGuard, StallLimit},
};

/// Serves `app` on `io`. The first limit is the connection's, the second that of its HTTP/2 streams.
pub(crate) fn serve<S, B>(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    app: S,
    limit: &StallLimit,
    of_streams: &StallLimit,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let io = StallGuard::new(TokioIo::new(io), limit);
    let signal = io.signal();
    let service = ServiceBuilder::new()
        .map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(signal.clone());
            request
        })
        .service(app);
    let mut server = auto::Builder::new(StallExecutor::new(TokioExecutor::new(), of_streams));
    server.http2().enable_connect_protocol();
    tokio::spawn(async move {
        let service = TowerToHyperService::new(service);
        let _ = server.serve_connection_with_upgrades(io, service).await;
    });
}
