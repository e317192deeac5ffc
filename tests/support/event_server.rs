//! A server in the same process that plays a script, one answer per request, and remembers what it was asked.
#![allow(dead_code, reason = "shared by tests, of which each uses its part")]

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response, StatusCode, request};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use tokio::time::Instant;
use tower::util::BoxCloneService;

pub(crate) type Answers = UnsyncBoxBody<Bytes, io::Error>;

/// What the server does with one request.
#[derive(Clone)]
pub(crate) enum Play {
    Answer(u16, Vec<(&'static str, String)>, Vec<Step>),
    /// There is no answer: the client gets an error.
    Refuse,
    /// There is no answer, ever.
    Silence,
}

/// A piece of a body. After the last the body ends well.
#[derive(Clone)]
pub(crate) enum Step {
    Send(&'static str),
    Wait(Duration),
    /// The body fails.
    Break,
    /// The body stays open.
    Hold,
}

/// An event stream.
pub(crate) fn events(steps: impl IntoIterator<Item = Step>) -> Play {
    answer(200, [("content-type", "text/event-stream")], steps)
}

pub(crate) fn answer<'a>(
    status: u16,
    headers: impl IntoIterator<Item = (&'static str, &'a str)>,
    steps: impl IntoIterator<Item = Step>,
) -> Play {
    let headers = headers
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()));
    Play::Answer(status, headers.collect(), steps.into_iter().collect())
}

/// No stream, and none later.
pub(crate) fn stop() -> Play {
    answer(204, [], [])
}

#[derive(Clone, Default)]
pub(crate) struct Server(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    script: VecDeque<Play>,
    asked: Vec<(request::Parts, Instant)>,
}

impl Server {
    /// Plays `script`, the last of it for every further request.
    pub(crate) fn new(script: impl IntoIterator<Item = Play>) -> Self {
        let script = script.into_iter().collect();
        Self(Arc::new(Mutex::new(Inner {
            script,
            asked: Vec::new(),
        })))
    }

    /// What it was asked, in order.
    pub(crate) fn asked(&self) -> Vec<request::Parts> {
        let inner = self.0.lock().expect("nobody panicked");
        inner.asked.iter().map(|(head, _)| head.clone()).collect()
    }

    /// When it was asked, in order.
    pub(crate) fn times(&self) -> Vec<Instant> {
        let inner = self.0.lock().expect("nobody panicked");
        inner.asked.iter().map(|(_, at)| *at).collect()
    }

    /// A client whose server is this. Its requests may have any body.
    pub(crate) fn client<B: Send + 'static>(
        &self,
    ) -> BoxCloneService<Request<B>, Response<Answers>, io::Error> {
        let server = self.clone();
        BoxCloneService::new(tower::service_fn(move |request: Request<B>| {
            server.clone().play(request.into_parts().0)
        }))
    }

    async fn play(self, head: request::Parts) -> Result<Response<Answers>, io::Error> {
        let play = {
            let mut inner = self.0.lock().expect("nobody panicked");
            inner.asked.push((head, Instant::now()));
            match inner.script.len() {
                1 => inner.script[0].clone(),
                _ => inner.script.pop_front().expect("a script"),
            }
        };
        let (status, headers, steps) = match play {
            Play::Answer(status, headers, steps) => (status, headers, steps),
            Play::Refuse => return Err(io::ErrorKind::ConnectionRefused.into()),
            Play::Silence => return std::future::pending().await,
        };
        let mut response = Response::new(body(steps));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        for (name, value) in headers {
            response
                .headers_mut()
                .append(name, value.parse().expect("a value"));
        }
        Ok(response)
    }
}

fn body(steps: Vec<Step>) -> Answers {
    let frames = stream::iter(steps).filter_map(async |step| match step {
        Step::Send(text) => Some(Ok(Frame::data(Bytes::from_static(text.as_bytes())))),
        Step::Wait(time) => {
            tokio::time::sleep(time).await;
            None
        }
        Step::Break => Some(Err(io::ErrorKind::ConnectionReset.into())),
        Step::Hold => std::future::pending().await,
    });
    StreamBody::new(frames).boxed_unsync()
}
