use std::{
    mem,
    task::{Context, Poll},
};

use http::{
    HeaderValue, Method, Request, Response, Uri, Version,
    header::{CONNECTION, HOST, UPGRADE},
    uri::PathAndQuery,
};
use tower_service::Service;

use super::{Faults, ResponseFuture};
use crate::ws::upgrade::promise;

/// A client whose server is the service `S`, in this process.
///
/// A request goes to the service as a server would show it: over HTTP/1.1 with a target without scheme and host and
/// with a `Host` header, `localhost` where the request names none. The version is that of the request.
///
/// ```
/// use http::Request;
/// use tower::ServiceExt as _;
/// use tower_realtime::loopback::Loopback;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), std::convert::Infallible> {
/// let app = tower::service_fn(|request: Request<()>| async move {
///     Ok::<_, std::convert::Infallible>(http::Response::new(request.uri().path().to_owned()))
/// });
/// let response = Loopback::new(app).oneshot(Request::get("http://example.com/hi").body(()).unwrap()).await?;
/// assert_eq!(response.into_body(), "/hi");
/// # Ok(())
/// # }
/// ```
///
/// What is under way in an upgraded connection has a bound, and [`Faults`] make it fail:
///
/// ```
/// # use tower_realtime::loopback::{Faults, Loopback};
/// # let app = tower::service_fn(|_: http::Request<()>| async { Ok::<_, std::convert::Infallible>(http::Response::new(())) });
/// let slow = Faults::new();
/// slow.chunks(1);
/// let client = Loopback::new(app).capacity(1024).faults(slow);
/// # drop(client);
/// ```
#[derive(Clone, Debug)]
pub struct Loopback<S> {
    service: S,
    faults: Faults,
    capacity: usize,
}

impl<S> Loopback<S> {
    /// Puts `service` behind a wire without faults.
    #[must_use]
    pub fn new(service: S) -> Self {
        Self {
            service,
            faults: Faults::new(),
            capacity: CAPACITY,
        }
    }

    /// Lets `faults` steer what goes wrong on upgraded connections.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Sets how many bytes can be under way in one direction of an upgraded connection; 64 KiB by default.
    #[must_use]
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes.max(1);
        self
    }
}

impl<S, B, R> Service<Request<B>> for Loopback<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if request.version() <= Version::HTTP_11 {
            to_origin_form(&mut request);
        }
        let connects = request.method() == Method::CONNECT;
        let upgrades =
            request.headers().contains_key(UPGRADE) && request.headers().contains_key(CONNECTION);
        let pending = (connects || upgrades).then(|| {
            let (promise, upgrade) = promise();
            request.extensions_mut().insert(upgrade);
            promise
        });
        ResponseFuture {
            inner: self.service.call(request),
            pending,
            connects,
            faults: self.faults.clone(),
            capacity: self.capacity,
        }
    }
}

/// What a client does on its way to the wire.
fn to_origin_form<B>(request: &mut Request<B>) {
    let uri = mem::take(request.uri_mut());
    let host = uri.authority().map_or("localhost", |authority| {
        let text = authority.as_str();
        text.rsplit_once('@').map_or(text, |(_, host)| host)
    });
    if let Ok(host) = HeaderValue::try_from(host) {
        request.headers_mut().entry(HOST).or_insert(host);
    }
    let root = || PathAndQuery::from_static("/");
    let path = uri.path_and_query().cloned().unwrap_or_else(root);
    *request.uri_mut() = Uri::from(path);
}

const CAPACITY: usize = 64 << 10;
