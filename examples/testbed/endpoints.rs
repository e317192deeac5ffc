use std::{str::FromStr, sync::Arc};

use axum::{
    Router,
    extract::State,
    routing::{any, get},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use tower_realtime::{BoxError, sse::Encoded, topic::Topic};

use crate::{arguments::Arguments, sse, ws::Sockets};

pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Testbed {
    events: Topic<Encoded>,
    sockets: Sockets,
    unending: bool,
}

impl Testbed {
    pub(crate) fn new(arguments: &Arguments) -> Result<Self, BoxError> {
        Ok(Self {
            events: Topic::new(1024),
            sockets: Sockets::new(arguments)?,
            unending: arguments.unending,
        })
    }

    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
    {
        let path = request.uri().path();
        match path {
            "/" => text("text/html", "<!doctype html><title>testbed</title>"),
            "/set-cookie" => set_cookie(),
            "/sse" => sse::subscribe(&self.events),
            "/sse/kinds" => sse::kinds(),
            "/sse/listeners" => sse::listeners(&self.events),
            "/sse/count" => sse::count(&request, self.unending),
            "/sse/echo-id" => sse::echo_id(&request),
            "/sse/cors" => sse::cors(&request),
            "/sse/no-cors" => sse::no_cors(),
            "/sse/204" => status(StatusCode::NO_CONTENT),
            "/sse/500" => status(StatusCode::INTERNAL_SERVER_ERROR),
            "/sse/wrong-type" => sse::wrong_type(),
            "/echo" | "/sub" | "/pub" | "/ws" => self.sockets.answer(request),
            _ if path.starts_with("/ws/") => self.sockets.answer(request),
            _ => match path.strip_prefix("/pub/").map(str::to_owned) {
                Some(count) if request.method() == Method::POST => {
                    sse::publish(&self.events, &count, request).await
                }
                _ => status(StatusCode::NOT_FOUND),
            },
        }
    }
}

/// With axum's router in front.
pub(crate) fn router(testbed: Arc<Testbed>) -> Router {
    let mut router = Router::new();
    for path in PAGES {
        router = router.route(path, any(handle));
    }
    // As in applications that knew only HTTP/1.1: over HTTP/2 they are reached through `Http2Layer`.
    for path in SOCKETS {
        router = router.route(path, get(handle));
    }
    router.with_state(testbed)
}

const PAGES: &[&str] = &[
    "/",
    "/set-cookie",
    "/sse",
    "/sse/kinds",
    "/sse/listeners",
    "/sse/count",
    "/sse/echo-id",
    "/sse/cors",
    "/sse/no-cors",
    "/sse/204",
    "/sse/500",
    "/sse/wrong-type",
    "/pub/{count}",
];

const SOCKETS: &[&str] = &[
    "/ws",
    "/ws/small",
    "/ws/sub",
    "/ws/close",
    "/ws/info",
    "/echo",
    "/sub",
    "/pub",
];

async fn handle(
    State(testbed): State<Arc<Testbed>>,
    request: axum::extract::Request,
) -> Response<Body> {
    testbed.answer(request).await
}

/// A value of the query, or `default` where it is missing or wrong.
pub(crate) fn query<B, T: FromStr>(request: &Request<B>, name: &str, default: T) -> T {
    raw_query(request, name)
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// A value of the query as it stands there. The suites escape nothing.
pub(crate) fn raw_query<'a, B>(request: &'a Request<B>, name: &str) -> Option<&'a str> {
    let mut pairs = request
        .uri()
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

pub(crate) fn text(content_type: &'static str, text: &'static str) -> Response<Body> {
    let mut response = Response::new(full(text));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(crate) fn number(number: usize) -> Response<Body> {
    Response::new(
        Full::from(number.to_string())
            .map_err(|never| match never {})
            .boxed_unsync(),
    )
}

pub(crate) fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(full(""));
    *response.status_mut() = status;
    response
}

fn set_cookie() -> Response<Body> {
    let mut response = text("text/html", "<!doctype html><title>testbed</title>");
    response
        .headers_mut()
        .insert("set-cookie", HeaderValue::from_static("who=me; Path=/"));
    response
}

fn full(text: &'static str) -> Body {
    Full::new(Bytes::from_static(text.as_bytes()))
        .map_err(|never| match never {})
        .boxed_unsync()
}
