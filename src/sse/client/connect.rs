use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::{Request, Response, response::Parts};
use http_body::Body;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use tower::util::ServiceExt;
use tower_service::Service;

use crate::{BoxError, lifecycle, rt::DynTimer, sse::Error};

use super::{
    Attempt,
    head::{self, Answer},
    redirect::{self, Detour},
};

/// A body with its type hidden: one box per connection.
pub(super) type Incoming = UnsyncBoxBody<Bytes, BoxError>;

/// An attempt under way.
pub(super) type Connecting = Pin<Box<dyn Future<Output = Result<Connected, Failure>> + Send>>;

/// Makes attempts.
pub(super) type Connect = Box<dyn FnMut(Attempt, Option<Detour>, Sent) -> Connecting + Send>;

/// What came of an attempt.
pub(super) enum Connected {
    Stream(Parts, Incoming),
    /// Ask again, there.
    Redirect(Detour),
    /// The server says stop.
    Stop,
}

/// Why nothing came of it.
#[derive(Debug)]
pub(super) enum Failure {
    /// No answer. It may be better next time.
    Lost(Error),
    /// Another status. The policy decides.
    Refused(Error),
    /// It would be the same next time.
    Final(Error),
}

/// Whether a request was handed to the client whose repetition could do something twice.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent(Arc<AtomicBool>);

impl Sent {
    pub(super) fn was_unrepeatable(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Hides the types of the client and of the function that makes requests.
pub(super) fn connect<S, F, Fut, B, E, R>(client: S, mut requests: F, timer: DynTimer) -> Connect
where
    S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>> + Clone + Send + 'static,
    S::Future: Send,
    F: FnMut(Attempt) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Request<B>, E>> + Send + 'static,
    E: Into<BoxError>,
    B: Default + Send + 'static,
    R: Body<Error: Into<BoxError>> + Send + 'static,
{
    Box::new(move |attempt, detour, sent| {
        let last_event_id = attempt.last_event_id.clone();
        let request = requests(attempt);
        let (client, timer) = (client.clone(), timer.clone());
        Box::pin(async move {
            let made = request.await;
            let mut request = made.map_err(|error| Failure::Final(Error::request(error)))?;
            if !request.method().is_idempotent() {
                sent.0.store(true, Ordering::Relaxed);
            }
            if let Some(detour) = &detour {
                detour.apply(&mut request);
            }
            head::complete(request.headers_mut(), &last_event_id);
            let asked = (request.method().clone(), request.uri().clone());
            let answer = client.oneshot(request).await;
            let response = answer.map_err(|error| Failure::Lost(Error::connect(error)))?;
            match head::classify(response.status(), response.headers()) {
                Answer::Stream => {
                    let (parts, body) = response.into_parts();
                    Ok(Connected::Stream(parts, incoming(body)))
                }
                Answer::Stop => Ok(Connected::Stop),
                Answer::OtherType => {
                    let response = excerpt(response, &timer).await;
                    Err(Failure::Final(Error::content_type(response)))
                }
                Answer::Refused => {
                    let response = excerpt(response, &timer).await;
                    Err(Failure::Refused(Error::status(response)))
                }
                Answer::Redirect => {
                    let (status, headers) = (response.status(), response.headers());
                    match redirect::follow(status, headers, &asked.0, &asked.1, detour.as_ref()) {
                        Ok(detour) => Ok(Connected::Redirect(detour)),
                        Err(why) => {
                            let response = excerpt(response, &timer).await;
                            Err(Failure::Final(Error::redirect(why, response)))
                        }
                    }
                }
            }
        })
    })
}

fn incoming<R>(body: R) -> Incoming
where
    R: Body<Error: Into<BoxError>> + Send + 'static,
{
    body.map_frame(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))
        .map_err(Into::into)
        .boxed_unsync()
}

/// The answer with the first of its body, which says what is wrong, mostly.
async fn excerpt<R>(response: Response<R>, timer: &DynTimer) -> Response<Bytes>
where
    R: Body,
{
    lifecycle::excerpt(response, Some(timer), Duration::MAX).await
}
